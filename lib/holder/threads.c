// SPDX-License-Identifier: GPL-2.0-only
/*
 * The threads of a pin process: each accesses memory in a loop until it is stopped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/holder/internal.h"
#include "lib/pattern.h"

/* Between two touches of the watching thread: short against a teardown. */
#define TOUCH_NS		(200 * NSEC_PER_USEC)

/* From one transfer to the next, in transfers: a prime, so that none is near the last. */
#define IO_STRIDE		37

/* One transfer: a page, in bytes. */
static size_t io_bytes(void)
{
	return sysconf(_SC_PAGESIZE);
}

/* one thread */
struct worker {
	pthread_t thread;
	const struct daxmap *map;
	struct timeline *tl;
	size_t off;
	enum daxmap_size size;
	bool reopen;
	bool busy;
	unsigned int io;
	bool unsynced;
	int fd;
	size_t len;
	uint16_t tag;
	char path[PIN_PROC_PATH];
	atomic_ulong rounds;
	atomic_ulong wrong;
};

/* those of this process; used in a pin process only */
static struct worker pool[PIN_PROC_MAPS];
static unsigned int workers;
static atomic_bool stop;

static void *watch_thread(void *arg)
{
	struct worker *w = arg;
	volatile uint64_t *p = (void *)((char *)w->map->addr + w->off);

	while (!atomic_load(&stop)) {
		if (pin_proc_touch_word(p, false)) {
			timeline_mark(w->tl, TL_REVOKED);
			return NULL;
		}
		w->rounds++;
		if (!w->busy)
			clock_sleep_ns(TOUCH_NS);
	}
	return NULL;
}

static void *store_thread(void *arg)
{
	struct worker *w = arg;
	char *base = w->map->addr;

	while (!atomic_load(&stop)) {
		for (size_t off = 0; off < w->map->len; off += sysconf(_SC_PAGESIZE)) {
			if (pin_proc_touch_word((void *)(base + off), true)) {
				timeline_mark(w->tl, TL_REVOKED);
				clock_sleep_ns(TOUCH_NS);
				break;
			}
		}
		w->rounds++;
	}
	return NULL;
}

static void *remap_thread(void *arg)
{
	struct worker *w = arg;
	struct daxmap m = { .fd = -1 };

	while (!atomic_load(&stop)) {
		int ret;

		if (m.fd < 0)
			ret = daxmap_open(&m, w->path, w->size, 0, daxmap_bytes(w->size),
					  PROT_READ | PROT_WRITE);
		else
			ret = daxmap_remap(&m, PROT_READ | PROT_WRITE);
		if (!ret)
			ret = pin_proc_touch_word(m.addr, true);
		if (ret)
			clock_sleep_ns(TOUCH_NS);
		if (w->reopen)
			daxmap_close(&m);
		else
			daxmap_unmap(&m);
		atomic_fetch_add(&w->rounds, 1);
	}
	daxmap_close(&m);
	return NULL;
}

/*
 * One transfer; false when it failed.  An fsync() that failed is tried again, and
 * nothing is written before it succeeds: after a write in between, its success would
 * not say which of the writes are durable.
 */
static bool transfer(struct worker *w, void *buf, size_t off)
{
	struct pattern_error err;
	size_t len = io_bytes();

	if (w->unsynced) {
		w->unsynced = fsync(w->fd);
		return !w->unsynced;
	}
	if (w->io & PIN_PROC_WRITE) {
		pattern_fill(buf, len, w->tag, off);
		if (pwrite(w->fd, buf, len, off) != (ssize_t)len)
			return false;
		w->unsynced = w->io & PIN_PROC_SYNC && fsync(w->fd);
		return !w->unsynced;
	}
	/* bytes in the page cache say nothing about the device */
	if (!(w->io & PIN_PROC_DIRECT))
		posix_fadvise(w->fd, off, len, POSIX_FADV_DONTNEED);
	if (pread(w->fd, buf, len, off) != (ssize_t)len)
		return false;
	if (pattern_check(buf, len, w->tag, off, &err))
		atomic_fetch_add(&w->wrong, 1);
	return true;
}

static void *io_thread(void *arg)
{
	struct worker *w = arg;
	void *buf = aligned_alloc(io_bytes(), io_bytes());

	while (buf && !atomic_load(&stop)) {
		/* never the same place twice in a row, and all places in turn */
		size_t off = atomic_load(&w->rounds) * IO_STRIDE * io_bytes() % w->len;

		if (!transfer(w, buf, off))
			clock_sleep_ns(TOUCH_NS);
		atomic_fetch_add(&w->rounds, 1);
	}
	free(buf);
	close(w->fd);
	return NULL;
}

static void *(*thread_main(enum pin_proc_op op))(void *)
{
	switch (op) {
	case CMD_WATCH:
		return watch_thread;
	case CMD_STORE_LOOP:
		return store_thread;
	case CMD_REMAP_LOOP:
		return remap_thread;
	default:
		return io_thread;
	}
}

int pin_proc_threads_start(const struct pin_proc_command *c, const struct daxmap *map,
			   struct timeline *tl)
{
	struct worker *w = &pool[workers];
	int ret;

	if (workers == PIN_PROC_MAPS)
		return -ENOSPC;
	memset(w, 0, sizeof(*w));
	w->map = map;
	w->tl = tl;
	w->off = c->off;
	w->size = c->size;
	w->reopen = c->reopen;
	w->busy = c->busy;
	w->io = c->io;
	w->len = c->len;
	w->tag = c->tag;
	w->fd = -1;
	if (c->op == CMD_IO)
		w->fd = open(c->path, (c->io & PIN_PROC_WRITE ? O_RDWR : O_RDONLY) |
			     (c->io & PIN_PROC_DIRECT ? O_DIRECT : 0) | O_CLOEXEC);
	if (c->op == CMD_IO && w->fd < 0)
		return -errno;
	memcpy(w->path, c->path, sizeof(w->path));
	atomic_store(&stop, false);
	ret = pthread_create(&w->thread, NULL, thread_main(c->op), w);
	if (!ret)
		workers++;
	return -ret;
}

void pin_proc_threads_wait(void)
{
	for (unsigned int i = 0; i < workers; i++) {
		struct worker *w = &pool[i];
		unsigned long seen = atomic_load(&w->rounds);

		/* the current iteration may have begun before the call: one more */
		while (atomic_load(&w->rounds) < seen + 2)
			clock_sleep_ns(TOUCH_NS);
	}
}

unsigned long pin_proc_threads_stop(unsigned long *wrong)
{
	unsigned long rounds = 0;

	*wrong = 0;
	atomic_store(&stop, true);
	while (workers) {
		struct worker *w = &pool[--workers];

		pthread_join(w->thread, NULL);
		rounds += atomic_load(&w->rounds);
		*wrong += atomic_load(&w->wrong);
	}
	return rounds;
}
