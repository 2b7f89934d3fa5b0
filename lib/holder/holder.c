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
#define HOLDER_ANSWER_NS	(40 * NSEC_PER_SEC)

/* A thread's round takes a few faults; one that waits for a dead one, for ever. */
#define HOLDER_ROUND_NS		(4 * NSEC_PER_SEC)

/* Then it is asked whether the kernel has given that one up, and so often again. */
#define HOLDER_DOUBT_NS		(200 * NSEC_PER_MSEC)

int holder_start(struct holder *h, struct timeline *tl,
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
		holder_serve(sv[1], tl, targets);
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
static int wait_threads(const struct holder *h, uint64_t ns)
{
	uint64_t end = timeline_now() + ns;
	int ret;

	do {
		ret = wait_readable(h->sock, HOLDER_DOUBT_NS);
	} while (ret == -ETIMEDOUT && timeline_now() < end && !actor_given_up(h->pid));
	return ret;
}

static int ask(struct holder *h, const struct holder_command *c, unsigned long *value)
{
	struct holder_reply r;
	int ret;

	h->why[0] = '\0';
	if (h->pid <= 0)
		return -EPIPE;
	if (h->stuck)
		return -ETIMEDOUT;
	if (send(h->sock, c, sizeof(*c), MSG_NOSIGNAL) != sizeof(*c))
		return -EPIPE;
	if (c->op == OP_ROUND || c->op == OP_CALM)
		ret = wait_threads(h, HOLDER_ROUND_NS);
	else if (c->op == OP_END)
		ret = wait_threads(h, HOLDER_ANSWER_NS);
	else
		ret = wait_readable(h->sock, HOLDER_ANSWER_NS);
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

int holder_map(struct holder *h, unsigned int map, const char *path,
	       enum daxmap_size size, off_t off, size_t len, int prot)
{
	struct holder_command c = {
		.op = OP_MAP, .map = map, .size = size, .off = off,
		.len = len, .prot = prot,
	};

	snprintf(c.path, sizeof(c.path), "%s", path);
	h->off[map] = off;
	return ask(h, &c, NULL);
}

int holder_move(struct holder *h, unsigned int map)
{
	struct holder_command c = { .op = OP_MOVE, .map = map };

	return ask(h, &c, NULL);
}

int holder_unmap(struct holder *h, unsigned int map)
{
	struct holder_command c = { .op = OP_UNMAP, .map = map };

	return ask(h, &c, NULL);
}

int holder_unmap_part(struct holder *h, unsigned int map, size_t off, size_t len)
{
	struct holder_command c = { .op = OP_PART, .map = map, .off = off, .len = len };

	return ask(h, &c, NULL);
}

int holder_close(struct holder *h, unsigned int map)
{
	struct holder_command c = { .op = OP_CLOSE, .map = map };

	return ask(h, &c, NULL);
}

int holder_touch(struct holder *h, unsigned int map, size_t off)
{
	struct holder_command c = { .op = OP_TOUCH, .map = map, .off = off };

	return ask(h, &c, NULL);
}

int holder_prove(struct holder *h, unsigned int map, unsigned long *faults)
{
	struct holder_command c = { .op = OP_PROVE, .map = map };

	return ask(h, &c, faults);
}

int holder_fill(struct holder *h, unsigned int map, size_t off, size_t len,
		uint16_t tag)
{
	struct holder_command c = {
		.op = OP_FILL, .map = map, .off = off, .len = len, .tag = tag,
	};

	return ask(h, &c, NULL);
}

int holder_strew(struct holder *h, unsigned int map, size_t off, size_t len,
		 size_t stride, uint16_t tag)
{
	struct holder_command c = {
		.op = OP_STREW, .map = map, .off = off, .len = len,
		.stride = stride, .tag = tag,
	};

	return ask(h, &c, NULL);
}

int holder_check(struct holder *h, unsigned int map, size_t off, size_t len,
		 uint16_t tag)
{
	return holder_check_as(h, map, off, len, tag, h->off[map] + off);
}

int holder_check_as(struct holder *h, unsigned int map, size_t off, size_t len,
		    uint16_t tag, uint64_t as)
{
	struct holder_command c = {
		.op = OP_CHECK, .map = map, .off = off, .len = len, .tag = tag, .as = as,
	};

	return ask(h, &c, NULL);
}

int holder_zeroes(struct holder *h, unsigned int map, size_t off, size_t len)
{
	struct holder_command c = { .op = OP_ZEROES, .map = map, .off = off, .len = len };

	return ask(h, &c, NULL);
}

int holder_sample(struct holder *h, unsigned int map, size_t off, size_t len,
		  size_t stride, uint16_t tag)
{
	struct holder_command c = {
		.op = OP_SAMPLE, .map = map, .off = off, .len = len,
		.stride = stride, .tag = tag,
	};

	return ask(h, &c, NULL);
}

int holder_watch(struct holder *h, unsigned int map, size_t off)
{
	struct holder_command c = { .op = OP_WATCH, .map = map, .off = off };

	return ask(h, &c, NULL);
}

int holder_press(struct holder *h, unsigned int map, size_t off)
{
	struct holder_command c = { .op = OP_WATCH, .map = map, .off = off, .restless = true };

	return ask(h, &c, NULL);
}

int holder_hammer(struct holder *h, unsigned int map)
{
	struct holder_command c = { .op = OP_HAMMER, .map = map };

	return ask(h, &c, NULL);
}

int holder_churn(struct holder *h, const char *path, enum daxmap_size size,
		 bool reopen)
{
	struct holder_command c = { .op = OP_CHURN, .size = size, .reopen = reopen };

	snprintf(c.path, sizeof(c.path), "%s", path);
	return ask(h, &c, NULL);
}

int holder_io(struct holder *h, const char *path, size_t len, uint16_t tag, unsigned int how)
{
	struct holder_command c = { .op = OP_IO, .len = len, .tag = tag, .io = how };

	snprintf(c.path, sizeof(c.path), "%s", path);
	return ask(h, &c, NULL);
}

int holder_round(struct holder *h)
{
	struct holder_command c = { .op = OP_ROUND };

	return ask(h, &c, NULL);
}

int holder_calm(struct holder *h, unsigned long *rounds)
{
	struct holder_command c = { .op = OP_CALM };

	return ask(h, &c, rounds);
}

int holder_pin(struct holder *h, unsigned int pin,
	       const struct pin_method *method, unsigned int map, size_t off,
	       size_t len, uint64_t hold_ns, uint16_t tag)
{
	struct holder_command c = {
		.op = OP_PIN, .pin = pin, .method = method, .map = map,
		.off = off, .len = len, .hold_ns = hold_ns, .tag = tag,
	};

	return ask(h, &c, NULL);
}

int holder_live(struct holder *h, unsigned int pin)
{
	struct holder_command c = { .op = OP_LIVE, .pin = pin };

	return ask(h, &c, NULL);
}

int holder_release(struct holder *h, unsigned int pin)
{
	struct holder_command c = { .op = OP_RELEASE, .pin = pin };

	return ask(h, &c, &h->seen);
}

int holder_reach(struct holder *h, unsigned int pin, uint16_t tag, unsigned long *seen)
{
	struct holder_command c = { .op = OP_REACH, .pin = pin, .tag = tag };

	return ask(h, &c, seen);
}

int holder_heir(struct holder *h, pid_t *heir)
{
	struct holder_command c = { .op = OP_HEIR };
	unsigned long value = 0;
	int ret = ask(h, &c, &value);

	*heir = value;
	return ret;
}

void holder_kill(struct holder *h)
{
	if (h->pid > 0)
		kill(h->pid, SIGKILL);
}

int holder_reap(struct holder *h, uint64_t ns)
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
		holder_rest(NSEC_PER_MSEC / 2);
	} while (!ret);
	return ret;
}

int holder_end(struct holder *h)
{
	struct holder_command c = { .op = OP_END };
	int ret = ask(h, &c, NULL);

	if (ret == -ETIMEDOUT)
		return ret;
	if (ret)
		holder_kill(h);
	return holder_reap(h, HOLDER_ANSWER_NS);
}
