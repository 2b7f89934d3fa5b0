// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actor.h"
#include "holder.h"
#include "pattern.h"

/* Longest command: a pin with a TIMED release, or filling 2 GiB under TCG. */
#define HOLDER_ANSWER_NS	(40 * NSEC_PER_SEC)

/* A thread's round takes a few faults; one that waits for a dead one, for ever. */
#define HOLDER_ROUND_NS		(4 * NSEC_PER_SEC)

/* Then it is asked whether the kernel has given that one up, and so often again. */
#define HOLDER_DOUBT_NS		(200 * NSEC_PER_MSEC)

/* Between two touches of the watching thread: short against a teardown. */
#define TOUCH_NS		(200 * 1000)

/* One transfer, and from one to the next: a prime of them, so that none is near. */
#define IO_BYTES		4096
#define IO_STRIDE		(37 * IO_BYTES)

/* Device nodes, and files in a private directory. */
#define HOLDER_PATH		96

enum holder_op {
	OP_MAP, OP_UNMAP, OP_CLOSE, OP_TOUCH, OP_PROVE, OP_FILL, OP_STREW, OP_CHECK, OP_ZEROES,
	OP_SAMPLE, OP_WATCH, OP_HAMMER, OP_CHURN, OP_IO, OP_ROUND, OP_CALM, OP_PIN, OP_LIVE,
	OP_RELEASE, OP_HEIR, OP_END,
};

struct command {
	enum holder_op op;
	unsigned int map;
	unsigned int pin;
	enum daxmap_size size;
	int prot;
	bool reopen;
	unsigned int io;
	size_t off;
	size_t len;
	size_t stride;
	uint64_t as;
	uint64_t hold_ns;
	uint16_t tag;
	const struct pin_method *method;
	char path[HOLDER_PATH];
};

struct reply {
	int ret;
	unsigned long value;
	char why[192];
};

/* what one thread of the holder does until it is told to stop */
struct worker {
	pthread_t thread;
	const struct daxmap *map;
	size_t off;
	enum daxmap_size size;
	bool reopen;
	unsigned int io;
	int fd;
	size_t len;
	uint16_t tag;
	char path[HOLDER_PATH];
	atomic_ulong rounds;
	atomic_ulong wrong;
};

/* the process's own state; it exists in the holder only */
static struct {
	struct timeline *tl;
	struct pin_targets *targets;
	struct daxmap map[HOLDER_MAPS];
	struct pin pin[HOLDER_PINS];
	uint16_t tag[HOLDER_PINS];
	size_t off[HOLDER_PINS];
	struct worker worker[HOLDER_MAPS];
	unsigned int workers;
	atomic_bool stop;
} me;

static __thread sigjmp_buf bus_env;
static __thread volatile sig_atomic_t bus_armed;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)context;
	/* tells of memory that was lost somewhere, and of no access to it */
	if (info->si_code == BUS_MCEERR_AO)
		return;
	if (bus_armed)
		siglongjmp(bus_env, 1);
	/* not one of ours: die of it */
	signal(sig, SIG_DFL);
	raise(sig);
}

/* 0, or -EFAULT when touching raised SIGBUS */
static int touch_word(volatile uint64_t *p, bool write)
{
	if (sigsetjmp(bus_env, 1)) {
		bus_armed = 0;
		return -EFAULT;
	}
	bus_armed = 1;
	if (write)
		*p = *p;
	else
		(void)*p;
	bus_armed = 0;
	return 0;
}

static void rest(long ns)
{
	struct timespec ts = { .tv_nsec = ns };

	nanosleep(&ts, NULL);
}

static void *watch_thread(void *arg)
{
	struct worker *w = arg;
	volatile uint64_t *p = (void *)((char *)w->map->addr + w->off);

	while (!atomic_load(&me.stop)) {
		if (touch_word(p, false)) {
			timeline_mark(me.tl, TL_REVOKED);
			return NULL;
		}
		w->rounds++;
		rest(TOUCH_NS);
	}
	return NULL;
}

static void *hammer_thread(void *arg)
{
	struct worker *w = arg;
	char *base = w->map->addr;

	while (!atomic_load(&me.stop)) {
		for (size_t off = 0; off < w->map->len; off += sysconf(_SC_PAGESIZE)) {
			if (touch_word((void *)(base + off), true)) {
				timeline_mark(me.tl, TL_REVOKED);
				rest(TOUCH_NS);
				break;
			}
		}
		w->rounds++;
	}
	return NULL;
}

static void *churn_thread(void *arg)
{
	struct worker *w = arg;
	struct daxmap m = { .fd = -1 };

	while (!atomic_load(&me.stop)) {
		int ret;

		if (m.fd < 0)
			ret = daxmap_open(&m, w->path, w->size, 0, daxmap_bytes(w->size),
					  PROT_READ | PROT_WRITE);
		else
			ret = daxmap_remap(&m, PROT_READ | PROT_WRITE);
		if (!ret)
			ret = touch_word(m.addr, true);
		if (ret)
			rest(TOUCH_NS);
		if (w->reopen)
			daxmap_close(&m);
		else
			daxmap_unmap(&m);
		atomic_fetch_add(&w->rounds, 1);
	}
	daxmap_close(&m);
	return NULL;
}

/* one transfer; false where it did not get through */
static bool transfer(struct worker *w, void *buf, size_t off)
{
	struct pattern_error err;

	if (w->io & HOLDER_WRITE) {
		pattern_fill(buf, IO_BYTES, w->tag, off);
		return pwrite(w->fd, buf, IO_BYTES, off) == IO_BYTES &&
		       !(w->io & HOLDER_SYNC && fsync(w->fd));
	}
	/* what lies in the page cache says nothing of the device */
	if (!(w->io & HOLDER_DIRECT))
		posix_fadvise(w->fd, off, IO_BYTES, POSIX_FADV_DONTNEED);
	if (pread(w->fd, buf, IO_BYTES, off) != IO_BYTES)
		return false;
	if (pattern_check(buf, IO_BYTES, w->tag, off, &err))
		atomic_fetch_add(&w->wrong, 1);
	return true;
}

static void *io_thread(void *arg)
{
	struct worker *w = arg;
	void *buf = aligned_alloc(IO_BYTES, IO_BYTES);

	while (buf && !atomic_load(&me.stop)) {
		/* no two rounds at the same place, and all places in turn */
		size_t off = atomic_load(&w->rounds) * IO_STRIDE % w->len;

		if (!transfer(w, buf, off))
			rest(TOUCH_NS);
		atomic_fetch_add(&w->rounds, 1);
	}
	free(buf);
	close(w->fd);
	return NULL;
}

static int start_worker(void *(*fn)(void *), const struct command *c)
{
	struct worker *w = &me.worker[me.workers];
	int ret;

	if (me.workers == HOLDER_MAPS)
		return -ENOSPC;
	memset(w, 0, sizeof(*w));
	w->map = &me.map[c->map];
	w->off = c->off;
	w->size = c->size;
	w->reopen = c->reopen;
	w->io = c->io;
	w->len = c->len;
	w->tag = c->tag;
	w->fd = -1;
	if (c->op == OP_IO)
		w->fd = open(c->path, (c->io & HOLDER_WRITE ? O_RDWR : O_RDONLY) |
			     (c->io & HOLDER_DIRECT ? O_DIRECT : 0) | O_CLOEXEC);
	if (c->op == OP_IO && w->fd < 0)
		return -errno;
	memcpy(w->path, c->path, sizeof(w->path));
	atomic_store(&me.stop, false);
	ret = pthread_create(&w->thread, NULL, fn, w);
	if (!ret)
		me.workers++;
	return -ret;
}

static void one_round(void)
{
	for (unsigned int i = 0; i < me.workers; i++) {
		struct worker *w = &me.worker[i];
		unsigned long seen = atomic_load(&w->rounds);

		/* the round under way may have begun before the call: one more */
		while (atomic_load(&w->rounds) < seen + 2)
			rest(TOUCH_NS);
	}
}

static unsigned long calm(unsigned long *wrong)
{
	unsigned long rounds = 0;

	*wrong = 0;
	atomic_store(&me.stop, true);
	while (me.workers) {
		struct worker *w = &me.worker[--me.workers];

		pthread_join(w->thread, NULL);
		rounds += atomic_load(&w->rounds);
		*wrong += atomic_load(&w->wrong);
	}
	return rounds;
}

/* pattern coordinates are offsets in the device, whatever is mapped of it */
static int check_bytes(const void *buf, size_t len, uint16_t tag, uint64_t off,
		       char *why, size_t why_len)
{
	struct pattern_error err;
	int ret = pattern_check(buf, len, tag, off, &err);

	if (ret)
		pattern_explain(&err, why, why_len);
	return ret;
}

/* 0, -EILSEQ with a sentence, -EFAULT when touching raised SIGBUS */
static int do_check(const struct daxmap *m, const struct command *c, struct reply *r)
{
	const char *at = (char *)m->addr + c->off;

	if (touch_word((void *)at, false) || touch_word((void *)(at + c->len - 8), false)) {
		snprintf(r->why, sizeof(r->why), "it cannot be read: SIGBUS");
		return -EFAULT;
	}
	if (c->op == OP_CHECK)
		return check_bytes(at, c->len, c->tag, c->as, r->why, sizeof(r->why));
	for (size_t i = 0; i < c->len; i++) {
		if (!at[i])
			continue;
		snprintf(r->why, sizeof(r->why), "byte 0x%zx is 0x%02x; expected zeroes",
			 c->off + i, (unsigned char)at[i]);
		return -EILSEQ;
	}
	return 0;
}

static int do_sample(const struct daxmap *m, const struct command *c,
		     struct reply *r)
{
	int ret = 0;

	for (size_t off = c->off; !ret && off < c->off + c->len; off += c->stride)
		ret = check_bytes((char *)m->addr + off, sizeof(uint64_t), c->tag,
				  m->off + off, r->why, sizeof(r->why));
	return ret;
}

static int do_strew(const struct daxmap *m, const struct command *c)
{
	for (size_t off = c->off; off < c->off + c->len; off += c->stride)
		pattern_fill((char *)m->addr + off, sizeof(uint64_t), c->tag, m->off + off);
	return 0;
}

static int do_pin(const struct command *c, struct reply *r)
{
	struct pin *pin = &me.pin[c->pin];
	const struct daxmap *m = &me.map[c->map];
	int ret;

	memset(pin, 0, sizeof(*pin));
	pin->hold_ns = c->hold_ns;
	ret = pin_open(pin, c->method, me.targets, c->len);
	if (!ret && (c->method->flags & PIN_SINK)) {
		ret = pin_prepare(pin);
		if (!ret)
			pattern_fill(pin->peer, c->len, c->tag, m->off + c->off);
	}
	if (!ret)
		ret = pin_take(pin, (char *)m->addr + c->off, c->len);
	if (ret) {
		snprintf(r->why, sizeof(r->why), "%s", pin->why);
		pin_close(pin);
		pin->method = NULL;
		return ret;
	}
	me.tag[c->pin] = c->tag;
	me.off[c->pin] = m->off + c->off;
	return 0;
}

static int do_release(const struct command *c, struct reply *r)
{
	struct pin *pin = &me.pin[c->pin];
	int ret;

	if (!pin->method)
		return -ENOENT;
	timeline_mark(me.tl, TL_RELEASING);
	ret = pin_release(pin);
	timeline_mark(me.tl, TL_RELEASED);
	if (ret)
		snprintf(r->why, sizeof(r->why), "%s", pin->why);
	else if (pin->method->flags & PIN_SOURCE)
		ret = check_bytes(pin->peer, pin->len, me.tag[c->pin],
				  me.off[c->pin], r->why, sizeof(r->why));
	pin_close(pin);
	pin->method = NULL;
	return ret;
}

static void drop_mappings(void)
{
	for (int i = 0; i < HOLDER_MAPS; i++)
		daxmap_close(&me.map[i]);
}

static int do_heir(struct reply *r)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		drop_mappings();
		for (;;)
			pause();
	}
	r->value = pid;
	return 0;
}

static int execute(const struct command *c, struct reply *r)
{
	struct daxmap *m = &me.map[c->map];
	char *at = (char *)m->addr + c->off;
	unsigned long wrong;

	switch (c->op) {
	case OP_MAP:
		return daxmap_open(m, c->path, c->size, c->off, c->len, c->prot);
	case OP_UNMAP:
		return daxmap_unmap(m);
	case OP_CLOSE:
		daxmap_close(m);
		return 0;
	case OP_TOUCH:
		if (!m->addr)
			return -EINVAL;
		return touch_word((void *)at, false);
	case OP_PROVE:
		return daxmap_prove(m, true, &r->value);
	case OP_FILL:
		pattern_fill(at, c->len, c->tag, m->off + c->off);
		return 0;
	case OP_STREW:
		return do_strew(m, c);
	case OP_CHECK:
	case OP_ZEROES:
		return m->addr ? do_check(m, c, r) : -EINVAL;
	case OP_SAMPLE:
		return do_sample(m, c, r);
	case OP_WATCH:
		return start_worker(watch_thread, c);
	case OP_HAMMER:
		return start_worker(hammer_thread, c);
	case OP_CHURN:
		return start_worker(churn_thread, c);
	case OP_ROUND:
		one_round();
		return 0;
	case OP_IO:
		return start_worker(io_thread, c);
	case OP_CALM:
		r->value = calm(&wrong);
		if (!wrong)
			return 0;
		snprintf(r->why, sizeof(r->why), "%lu of %lu reads got other bytes", wrong,
			 r->value);
		return -EILSEQ;
	case OP_PIN:
		return do_pin(c, r);
	case OP_LIVE:
		return me.pin[c->pin].method ? pin_live(&me.pin[c->pin]) : 0;
	case OP_RELEASE:
		return do_release(c, r);
	case OP_HEIR:
		return do_heir(r);
	case OP_END:
		break;
	}
	calm(&wrong);
	for (int i = 0; i < HOLDER_PINS; i++)
		if (me.pin[i].method)
			pin_close(&me.pin[i]);
	drop_mappings();
	return 0;
}

static void serve(int sock)
{
	struct sigaction sa = {
		.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_RESTART,
	};
	unsigned long wrong;
	struct command c;

	sigaction(SIGBUS, &sa, NULL);
	for (int i = 0; i < HOLDER_MAPS; i++)
		me.map[i].fd = -1;
	for (;;) {
		struct reply r = { 0 };

		if (recv(sock, &c, sizeof(c), 0) != sizeof(c)) {
			/*
			 * The driver is gone.  Whoever cleans up after it (the
			 * guardian) knows whether letting go of the pins is
			 * safe: wait.  Mappings are in the way of a bind.
			 */
			calm(&wrong);
			drop_mappings();
			for (;;)
				pause();
		}
		r.ret = execute(&c, &r);
		if (send(sock, &r, sizeof(r), MSG_NOSIGNAL) != sizeof(r) || c.op == OP_END)
			return;
	}
}

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
		memset(&me, 0, sizeof(me));
		me.tl = tl;
		me.targets = targets;
		serve(sv[1]);
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

static int ask(struct holder *h, const struct command *c, unsigned long *value)
{
	struct reply r;
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
	struct command c = {
		.op = OP_MAP, .map = map, .size = size, .off = off,
		.len = len, .prot = prot,
	};

	snprintf(c.path, sizeof(c.path), "%s", path);
	h->off[map] = off;
	return ask(h, &c, NULL);
}

int holder_unmap(struct holder *h, unsigned int map)
{
	struct command c = { .op = OP_UNMAP, .map = map };

	return ask(h, &c, NULL);
}

int holder_close(struct holder *h, unsigned int map)
{
	struct command c = { .op = OP_CLOSE, .map = map };

	return ask(h, &c, NULL);
}

int holder_touch(struct holder *h, unsigned int map, size_t off)
{
	struct command c = { .op = OP_TOUCH, .map = map, .off = off };

	return ask(h, &c, NULL);
}

int holder_prove(struct holder *h, unsigned int map, unsigned long *faults)
{
	struct command c = { .op = OP_PROVE, .map = map };

	return ask(h, &c, faults);
}

int holder_fill(struct holder *h, unsigned int map, size_t off, size_t len,
		uint16_t tag)
{
	struct command c = {
		.op = OP_FILL, .map = map, .off = off, .len = len, .tag = tag,
	};

	return ask(h, &c, NULL);
}

int holder_strew(struct holder *h, unsigned int map, size_t off, size_t len,
		 size_t stride, uint16_t tag)
{
	struct command c = {
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
	struct command c = {
		.op = OP_CHECK, .map = map, .off = off, .len = len, .tag = tag, .as = as,
	};

	return ask(h, &c, NULL);
}

int holder_zeroes(struct holder *h, unsigned int map, size_t off, size_t len)
{
	struct command c = { .op = OP_ZEROES, .map = map, .off = off, .len = len };

	return ask(h, &c, NULL);
}

int holder_sample(struct holder *h, unsigned int map, size_t off, size_t len,
		  size_t stride, uint16_t tag)
{
	struct command c = {
		.op = OP_SAMPLE, .map = map, .off = off, .len = len,
		.stride = stride, .tag = tag,
	};

	return ask(h, &c, NULL);
}

int holder_watch(struct holder *h, unsigned int map, size_t off)
{
	struct command c = { .op = OP_WATCH, .map = map, .off = off };

	return ask(h, &c, NULL);
}

int holder_hammer(struct holder *h, unsigned int map)
{
	struct command c = { .op = OP_HAMMER, .map = map };

	return ask(h, &c, NULL);
}

int holder_churn(struct holder *h, const char *path, enum daxmap_size size,
		 bool reopen)
{
	struct command c = { .op = OP_CHURN, .size = size, .reopen = reopen };

	snprintf(c.path, sizeof(c.path), "%s", path);
	return ask(h, &c, NULL);
}

int holder_io(struct holder *h, const char *path, size_t len, uint16_t tag, unsigned int how)
{
	struct command c = { .op = OP_IO, .len = len, .tag = tag, .io = how };

	snprintf(c.path, sizeof(c.path), "%s", path);
	return ask(h, &c, NULL);
}

int holder_round(struct holder *h)
{
	struct command c = { .op = OP_ROUND };

	return ask(h, &c, NULL);
}

int holder_calm(struct holder *h, unsigned long *rounds)
{
	struct command c = { .op = OP_CALM };

	return ask(h, &c, rounds);
}

int holder_pin(struct holder *h, unsigned int pin,
	       const struct pin_method *method, unsigned int map, size_t off,
	       size_t len, uint64_t hold_ns, uint16_t tag)
{
	struct command c = {
		.op = OP_PIN, .pin = pin, .method = method, .map = map,
		.off = off, .len = len, .hold_ns = hold_ns, .tag = tag,
	};

	return ask(h, &c, NULL);
}

int holder_live(struct holder *h, unsigned int pin)
{
	struct command c = { .op = OP_LIVE, .pin = pin };

	return ask(h, &c, NULL);
}

int holder_release(struct holder *h, unsigned int pin)
{
	struct command c = { .op = OP_RELEASE, .pin = pin };

	return ask(h, &c, NULL);
}

int holder_heir(struct holder *h, pid_t *heir)
{
	struct command c = { .op = OP_HEIR };
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
		rest(NSEC_PER_MSEC / 2);
	} while (!ret);
	return ret;
}

int holder_end(struct holder *h)
{
	struct command c = { .op = OP_END };
	int ret = ask(h, &c, NULL);

	if (ret == -ETIMEDOUT)
		return ret;
	if (ret)
		holder_kill(h);
	return holder_reap(h, HOLDER_ANSWER_NS);
}
