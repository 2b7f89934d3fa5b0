// SPDX-License-Identifier: GPL-2.0
/*
 * The driver's end of a holder: its process, and the commands to it.
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
#define PIN_PROC_ANSWER_NS	(40 * NSEC_PER_SEC)

/* A thread's round takes a few faults; one that waits for a dead one, for ever. */
#define PIN_PROC_ROUND_NS		(4 * NSEC_PER_SEC)

/* Then it is asked whether the kernel has given that one up, and so often again. */
#define PIN_PROC_DOUBT_NS		(200 * NSEC_PER_MSEC)

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
		/* out of reach of whoever kills the test's process group */
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

/* for an answer that needs the holder's threads to come back */
static int wait_threads(const struct pin_proc *h, uint64_t ns)
{
	uint64_t end = timeline_now() + ns;
	int ret;

	do {
		ret = wait_readable(h->sock, PIN_PROC_DOUBT_NS);
	} while (ret == -ETIMEDOUT && timeline_now() < end && !op_given_up(h->pid));
	return ret;
}

static int ask(struct pin_proc *h, const struct pin_proc_command *c, unsigned long *value)
{
	struct pin_proc_reply r;
	int ret;

	h->why[0] = '\0';
	if (h->pid <= 0)
		return -EPIPE;
	if (h->stuck)
		return -ETIMEDOUT;
	if (send(h->sock, c, sizeof(*c), MSG_NOSIGNAL) != sizeof(*c))
		return -EPIPE;
	if (c->op == OP_ROUND || c->op == OP_CALM)
		ret = wait_threads(h, PIN_PROC_ROUND_NS);
	else if (c->op == OP_END)
		ret = wait_threads(h, PIN_PROC_ANSWER_NS);
	else
		ret = wait_readable(h->sock, PIN_PROC_ANSWER_NS);
	if (ret) {
		h->stuck = true;
		return ret;
	}
	if (recv(h->sock, &r, sizeof(r), 0) != sizeof(r))
		return -EPIPE;
	memcpy(h->why, r.why, sizeof(h->why));
	if (value)
		*value = r.value;
	return r.ret;
}

int pin_proc_map(struct pin_proc *h, unsigned int map, const char *path,
		 enum daxmap_size size, off_t off, size_t len, int prot)
{
	struct pin_proc_command c = {
		.op = OP_MAP, .map = map, .size = size, .off = off,
		.len = len, .prot = prot,
	};

	snprintf(c.path, sizeof(c.path), "%s", path);
	h->off[map] = off;
	return ask(h, &c, NULL);
}

int pin_proc_move(struct pin_proc *h, unsigned int map)
{
	struct pin_proc_command c = { .op = OP_MOVE, .map = map };

	return ask(h, &c, NULL);
}

int pin_proc_unmap(struct pin_proc *h, unsigned int map)
{
	struct pin_proc_command c = { .op = OP_UNMAP, .map = map };

	return ask(h, &c, NULL);
}

int pin_proc_unmap_part(struct pin_proc *h, unsigned int map, size_t off, size_t len)
{
	struct pin_proc_command c = { .op = OP_PART, .map = map, .off = off, .len = len };

	return ask(h, &c, NULL);
}

int pin_proc_close(struct pin_proc *h, unsigned int map)
{
	struct pin_proc_command c = { .op = OP_CLOSE, .map = map };

	return ask(h, &c, NULL);
}

int pin_proc_touch(struct pin_proc *h, unsigned int map, size_t off)
{
	struct pin_proc_command c = { .op = OP_TOUCH, .map = map, .off = off };

	return ask(h, &c, NULL);
}

int pin_proc_prove(struct pin_proc *h, unsigned int map, unsigned long *faults)
{
	struct pin_proc_command c = { .op = OP_PROVE, .map = map };

	return ask(h, &c, faults);
}

int pin_proc_fill(struct pin_proc *h, unsigned int map, size_t off, size_t len,
		  uint16_t tag)
{
	struct pin_proc_command c = {
		.op = OP_FILL, .map = map, .off = off, .len = len, .tag = tag,
	};

	return ask(h, &c, NULL);
}

int pin_proc_fill_sampled(struct pin_proc *h, unsigned int map, size_t off, size_t len,
			  size_t stride, uint16_t tag)
{
	struct pin_proc_command c = {
		.op = OP_STREW, .map = map, .off = off, .len = len,
		.stride = stride, .tag = tag,
	};

	return ask(h, &c, NULL);
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
		.op = OP_CHECK, .map = map, .off = off, .len = len, .tag = tag, .as = as,
	};

	return ask(h, &c, NULL);
}

int pin_proc_zeroes(struct pin_proc *h, unsigned int map, size_t off, size_t len)
{
	struct pin_proc_command c = { .op = OP_ZEROES, .map = map, .off = off, .len = len };

	return ask(h, &c, NULL);
}

int pin_proc_check_sampled(struct pin_proc *h, unsigned int map, size_t off, size_t len,
			   size_t stride, uint16_t tag)
{
	struct pin_proc_command c = {
		.op = OP_SAMPLE, .map = map, .off = off, .len = len,
		.stride = stride, .tag = tag,
	};

	return ask(h, &c, NULL);
}

int pin_proc_watch(struct pin_proc *h, unsigned int map, size_t off)
{
	struct pin_proc_command c = { .op = OP_WATCH, .map = map, .off = off };

	return ask(h, &c, NULL);
}

int pin_proc_watch_busy(struct pin_proc *h, unsigned int map, size_t off)
{
	struct pin_proc_command c = { .op = OP_WATCH, .map = map, .off = off, .restless = true };

	return ask(h, &c, NULL);
}

int pin_proc_store_loop(struct pin_proc *h, unsigned int map)
{
	struct pin_proc_command c = { .op = OP_HAMMER, .map = map };

	return ask(h, &c, NULL);
}

int pin_proc_remap_loop(struct pin_proc *h, const char *path, enum daxmap_size size,
			bool reopen)
{
	struct pin_proc_command c = { .op = OP_CHURN, .size = size, .reopen = reopen };

	snprintf(c.path, sizeof(c.path), "%s", path);
	return ask(h, &c, NULL);
}

int pin_proc_io(struct pin_proc *h, const char *path, size_t len, uint16_t tag, unsigned int how)
{
	struct pin_proc_command c = { .op = OP_IO, .len = len, .tag = tag, .io = how };

	snprintf(c.path, sizeof(c.path), "%s", path);
	return ask(h, &c, NULL);
}

int pin_proc_wait_iteration(struct pin_proc *h)
{
	struct pin_proc_command c = { .op = OP_ROUND };

	return ask(h, &c, NULL);
}

int pin_proc_stop_threads(struct pin_proc *h, unsigned long *rounds)
{
	struct pin_proc_command c = { .op = OP_CALM };

	return ask(h, &c, rounds);
}

int pin_proc_pin(struct pin_proc *h, unsigned int pin,
		 const struct pin_method *method, unsigned int map, size_t off,
		 size_t len, uint64_t hold_ns, uint16_t tag)
{
	struct pin_proc_command c = {
		.op = OP_PIN, .pin = pin, .method = method, .map = map,
		.off = off, .len = len, .hold_ns = hold_ns, .tag = tag,
	};

	return ask(h, &c, NULL);
}

int pin_proc_live(struct pin_proc *h, unsigned int pin)
{
	struct pin_proc_command c = { .op = OP_LIVE, .pin = pin };

	return ask(h, &c, NULL);
}

int pin_proc_release(struct pin_proc *h, unsigned int pin)
{
	struct pin_proc_command c = { .op = OP_RELEASE, .pin = pin };

	return ask(h, &c, &h->seen);
}

int pin_proc_reach(struct pin_proc *h, unsigned int pin, uint16_t tag, unsigned long *seen)
{
	struct pin_proc_command c = { .op = OP_REACH, .pin = pin, .tag = tag };

	return ask(h, &c, seen);
}

int pin_proc_fork_child(struct pin_proc *h, pid_t *heir)
{
	struct pin_proc_command c = { .op = OP_HEIR };
	unsigned long value = 0;
	int ret = ask(h, &c, &value);

	*heir = value;
	return ret;
}

void pin_proc_kill(struct pin_proc *h)
{
	if (h->pid > 0)
		kill(h->pid, SIGKILL);
}

int pin_proc_reap(struct pin_proc *h, uint64_t ns)
{
	uint64_t end = timeline_now() + ns;
	int ret;

	if (h->pid <= 0)
		return 0;
	/* the last descriptor of the other end goes with the process */
	do {
		if (waitpid(h->pid, NULL, WNOHANG) == h->pid) {
			h->pid = 0;
			close(h->sock);
			return 0;
		}
		ret = timeline_now() < end ? 0 : -ETIMEDOUT;
		pin_proc_rest(NSEC_PER_MSEC / 2);
	} while (!ret);
	return ret;
}

int pin_proc_end(struct pin_proc *h)
{
	struct pin_proc_command c = { .op = OP_END };
	int ret = ask(h, &c, NULL);

	if (ret == -ETIMEDOUT)
		return ret;
	if (ret)
		pin_proc_kill(h);
	return pin_proc_reap(h, PIN_PROC_ANSWER_NS);
}
