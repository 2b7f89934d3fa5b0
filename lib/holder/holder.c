// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parent's end of a pin process: starting and ending it, and the commands to it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/task.h"
#include "lib/holder/internal.h"

/* Longest command: a pin with a TIMED release, or filling 2 GiB under TCG. */
#define ANSWER_NS	(40 * NSEC_PER_SEC)

/* One iteration of a thread takes a few faults, unless it waits for a dead thread. */
#define ITERATION_NS	(4 * NSEC_PER_SEC)

/* Between two checks whether the kernel has given such a thread up. */
#define GIVEN_UP_NS	(200 * NSEC_PER_MSEC)

int pin_proc_start(struct pin_proc *h, struct timeline *tl,
		   struct pin_targets *targets)
{
	int sv[2];
	pid_t pid;

	memset(h, 0, sizeof(*h));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return -errno;
	pid = fork();
	if (pid < 0) {
		int err = errno;

		close(sv[0]);
		close(sv[1]);
		return -err;
	}
	if (!pid) {
		/* kill() of the test's process group must not end it */
		setsid();
		close(sv[0]);
		pin_proc_serve(sv[1], tl, targets);
		_exit(0);
	}
	close(sv[1]);
	h->pid = pid;
	h->sock = sv[0];
	return 0;
}

static int wait_readable(int fd, uint64_t ns)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int n;

	do {
		n = poll(&pfd, 1, ns / NSEC_PER_MSEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

/* for an answer that needs the process's threads to come back */
static int wait_threads(const struct pin_proc *h, uint64_t ns)
{
	uint64_t end = clock_now_ns() + ns;
	int ret;

	do {
		ret = wait_readable(h->sock, GIVEN_UP_NS);
	} while (ret == -ETIMEDOUT && clock_now_ns() < end && !op_given_up(h->pid));
	return ret;
}

static int wait_answer(struct pin_proc *h, enum pin_proc_op op)
{
	if (op == CMD_WAIT_ITERATION || op == CMD_STOP_THREADS)
		return wait_threads(h, ITERATION_NS);
	if (op == CMD_END)
		return wait_threads(h, ANSWER_NS);
	return wait_readable(h->sock, ANSWER_NS);
}

/* the step that a command is, for sentences about its failure */
static const char *const steps[] = {
	[CMD_MAP] = "mapping",
	[CMD_MOVE] = "mremap()",
	[CMD_UNMAP] = "munmap()",
	[CMD_UNMAP_PART] = "munmap() of a part",
	[CMD_CLOSE] = "closing the mapping",
	[CMD_TOUCH] = "touching the mapping",
	[CMD_PROVE] = "counting the faults of the mapping",
	[CMD_FILL] = "writing the pattern",
	[CMD_FILL_SAMPLED] = "writing samples of the pattern",
	[CMD_CHECK] = "checking the pattern",
	[CMD_ZEROES] = "checking for zeroes",
	[CMD_CHECK_SAMPLED] = "checking samples of the pattern",
	[CMD_WATCH] = "starting the watching thread",
	[CMD_STORE_LOOP] = "starting the storing thread",
	[CMD_REMAP_LOOP] = "starting the remapping thread",
	[CMD_IO] = "starting the I/O thread on",
	[CMD_WAIT_ITERATION] = "waiting for the threads",
	[CMD_STOP_THREADS] = "stopping the threads",
	[CMD_PIN] = "pinning",
	[CMD_LIVE] = "asking for the pin",
	[CMD_RELEASE] = "releasing the pin",
	[CMD_REACH] = "access through the pin",
	[CMD_FORK_CHILD] = "fork()",
	[CMD_END] = "ending the process",
};

static int exchange(struct pin_proc *h, const struct pin_proc_command *c,
		    struct pin_proc_reply *r)
{
	int ret;

	if (h->pid <= 0)
		return -EPIPE;
	if (h->stuck)
		return -ETIMEDOUT;
	if (send(h->sock, c, sizeof(*c), MSG_NOSIGNAL) != sizeof(*c))
		return -EPIPE;
	ret = wait_answer(h, c->op);
	if (ret) {
		h->stuck = true;
		return ret;
	}
	if (recv(h->sock, r, sizeof(*r), 0) != sizeof(*r))
		return -EPIPE;
	return r->ret;
}

/* a refusal of the method itself is not a failed step: its own words say it all */
static bool needs_step(const struct pin_proc_command *c, int ret)
{
	return ret < 0 && !(c->op == CMD_PIN && ret == -EOPNOTSUPP);
}

static int ask(struct pin_proc *h, const struct pin_proc_command *c, unsigned long *value)
{
	struct pin_proc_reply r = { 0 };
	int ret = exchange(h, c, &r);

	memcpy(h->why, r.why, sizeof(h->why));
	if (!h->why[0] && needs_step(c, ret))
		snprintf(h->why, sizeof(h->why), "%s%s%s", steps[c->op], c->path[0] ? " " : "",
			 c->path);
	if (value)
		*value = r.value;
	return ret;
}

/* a command about a whole map slot */
static int ask_map(struct pin_proc *h, enum pin_proc_op op, unsigned int map)
{
	struct pin_proc_command c = { .op = op, .map = map };

	return ask(h, &c, NULL);
}

/* a command about a range of a map slot */
static int ask_range(struct pin_proc *h, enum pin_proc_op op, unsigned int map, size_t off,
		     size_t len)
{
	struct pin_proc_command c = { .op = op, .map = map, .off = off, .len = len };

	return ask(h, &c, NULL);
}

/* a command about samples of the pattern */
static int ask_sampled(struct pin_proc *h, enum pin_proc_op op, unsigned int map, size_t off,
		       size_t len, size_t stride, uint16_t tag)
{
	struct pin_proc_command c = {
		.op = op, .map = map, .off = off, .len = len, .stride = stride, .tag = tag,
	};

	return ask(h, &c, NULL);
}

int pin_proc_map(struct pin_proc *h, unsigned int map, const char *path,
		 enum daxmap_size size, off_t off, size_t len, int prot)
{
	struct pin_proc_command c = {
		.op = CMD_MAP, .map = map, .size = size, .off = off,
		.len = len, .prot = prot,
	};

	snprintf(c.path, sizeof(c.path), "%s", path);
	h->off[map] = off;
	return ask(h, &c, NULL);
}

int pin_proc_move(struct pin_proc *h, unsigned int map)
{
	return ask_map(h, CMD_MOVE, map);
}

int pin_proc_unmap(struct pin_proc *h, unsigned int map)
{
	return ask_map(h, CMD_UNMAP, map);
}

int pin_proc_unmap_part(struct pin_proc *h, unsigned int map, size_t off, size_t len)
{
	return ask_range(h, CMD_UNMAP_PART, map, off, len);
}

int pin_proc_close(struct pin_proc *h, unsigned int map)
{
	return ask_map(h, CMD_CLOSE, map);
}

int pin_proc_touch(struct pin_proc *h, unsigned int map, size_t off)
{
	return ask_range(h, CMD_TOUCH, map, off, 0);
}

int pin_proc_prove(struct pin_proc *h, unsigned int map, unsigned long *faults)
{
	struct pin_proc_command c = { .op = CMD_PROVE, .map = map };

	return ask(h, &c, faults);
}

int pin_proc_fill(struct pin_proc *h, unsigned int map, size_t off, size_t len,
		  uint16_t tag)
{
	struct pin_proc_command c = {
		.op = CMD_FILL, .map = map, .off = off, .len = len, .tag = tag,
	};

	return ask(h, &c, NULL);
}

int pin_proc_fill_sampled(struct pin_proc *h, unsigned int map, size_t off, size_t len,
			  size_t stride, uint16_t tag)
{
	return ask_sampled(h, CMD_FILL_SAMPLED, map, off, len, stride, tag);
}

int pin_proc_check(struct pin_proc *h, unsigned int map, size_t off, size_t len,
		   uint16_t tag)
{
	return pin_proc_check_as(h, map, off, len, tag, h->off[map] + off);
}

int pin_proc_check_as(struct pin_proc *h, unsigned int map, size_t off, size_t len,
		      uint16_t tag, uint64_t as)
{
	struct pin_proc_command c = {
		.op = CMD_CHECK, .map = map, .off = off, .len = len, .tag = tag, .as = as,
	};

	return ask(h, &c, NULL);
}

int pin_proc_zeroes(struct pin_proc *h, unsigned int map, size_t off, size_t len)
{
	return ask_range(h, CMD_ZEROES, map, off, len);
}

int pin_proc_check_sampled(struct pin_proc *h, unsigned int map, size_t off, size_t len,
			   size_t stride, uint16_t tag)
{
	return ask_sampled(h, CMD_CHECK_SAMPLED, map, off, len, stride, tag);
}

int pin_proc_watch(struct pin_proc *h, unsigned int map, size_t off)
{
	return ask_range(h, CMD_WATCH, map, off, 0);
}

int pin_proc_watch_busy(struct pin_proc *h, unsigned int map, size_t off)
{
	struct pin_proc_command c = { .op = CMD_WATCH, .map = map, .off = off, .busy = true };

	return ask(h, &c, NULL);
}

int pin_proc_store_loop(struct pin_proc *h, unsigned int map)
{
	return ask_map(h, CMD_STORE_LOOP, map);
}

int pin_proc_remap_loop(struct pin_proc *h, const char *path, enum daxmap_size size,
			bool reopen)
{
	struct pin_proc_command c = { .op = CMD_REMAP_LOOP, .size = size, .reopen = reopen };

	snprintf(c.path, sizeof(c.path), "%s", path);
	return ask(h, &c, NULL);
}

int pin_proc_io(struct pin_proc *h, const char *path, size_t len, uint16_t tag, unsigned int how)
{
	struct pin_proc_command c = { .op = CMD_IO, .len = len, .tag = tag, .io = how };

	snprintf(c.path, sizeof(c.path), "%s", path);
	return ask(h, &c, NULL);
}

int pin_proc_wait_iteration(struct pin_proc *h)
{
	struct pin_proc_command c = { .op = CMD_WAIT_ITERATION };

	return ask(h, &c, NULL);
}

int pin_proc_stop_threads(struct pin_proc *h, unsigned long *rounds)
{
	struct pin_proc_command c = { .op = CMD_STOP_THREADS };

	return ask(h, &c, rounds);
}

int pin_proc_pin(struct pin_proc *h, unsigned int pin,
		 const struct pin_method *method, unsigned int map, size_t off,
		 size_t len, uint64_t hold_ns, uint16_t tag)
{
	struct pin_proc_command c = {
		.op = CMD_PIN, .pin = pin, .method = method, .map = map,
		.off = off, .len = len, .hold_ns = hold_ns, .tag = tag,
	};

	return ask(h, &c, NULL);
}

int pin_proc_live(struct pin_proc *h, unsigned int pin)
{
	struct pin_proc_command c = { .op = CMD_LIVE, .pin = pin };

	return ask(h, &c, NULL);
}

int pin_proc_release(struct pin_proc *h, unsigned int pin)
{
	struct pin_proc_command c = { .op = CMD_RELEASE, .pin = pin };

	return ask(h, &c, &h->seen);
}

int pin_proc_reach(struct pin_proc *h, unsigned int pin, uint16_t tag, unsigned long *seen)
{
	struct pin_proc_command c = { .op = CMD_REACH, .pin = pin, .tag = tag };

	return ask(h, &c, seen);
}

int pin_proc_fork_child(struct pin_proc *h, pid_t *child)
{
	struct pin_proc_command c = { .op = CMD_FORK_CHILD };
	unsigned long value = 0;
	int ret = ask(h, &c, &value);

	*child = value;
	return ret;
}

void pin_proc_kill(struct pin_proc *h)
{
	if (h->pid > 0)
		kill(h->pid, SIGKILL);
}

int pin_proc_reap(struct pin_proc *h, uint64_t ns)
{
	uint64_t end = clock_now_ns() + ns;
	int ret;

	if (h->pid <= 0)
		return 0;
	do {
		if (waitpid(h->pid, NULL, WNOHANG) == h->pid) {
			h->pid = 0;
			close(h->sock);
			return 0;
		}
		ret = clock_now_ns() < end ? 0 : -ETIMEDOUT;
		clock_sleep_ns(NSEC_PER_MSEC / 2);
	} while (!ret);
	return ret;
}

int pin_proc_end(struct pin_proc *h)
{
	struct pin_proc_command c = { .op = CMD_END };
	int ret = ask(h, &c, NULL);

	if (ret == -ETIMEDOUT)
		return ret;
	if (ret)
		pin_proc_kill(h);
	return pin_proc_reap(h, ANSWER_NS);
}
