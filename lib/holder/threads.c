// SPDX-License-Identifier: GPL-2.0
/*
 * What the threads of a holder do to its memory, again and again, until they are told
 * to stop.
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
#define TOUCH_NS		(200 * 1000)

/* One transfer, and from one to the next: a prime of them, so that none is near. */
#define IO_BYTES		4096
#define IO_STRIDE		(37 * IO_BYTES)

/* what one thread of the holder does until it is told to stop */
struct worker {
	pthread_t thread;
	const struct daxmap *map;
	struct timeline *tl;
	size_t off;
	enum daxmap_size size;
	bool reopen;
	bool restless;
	unsigned int io;
	bool unsynced;
	int fd;
	size_t len;
	uint16_t tag;
	char path[PIN_PROC_PATH];
	atomic_ulong rounds;
	atomic_ulong wrong;
};

/* those of this process; they exist in a holder only */
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
		if (!w->restless)
			pin_proc_rest(TOUCH_NS);
	}
	return NULL;
}

static void *hammer_thread(void *arg)
{
	struct worker *w = arg;
	char *base = w->map->addr;

	while (!atomic_load(&stop)) {
		for (size_t off = 0; off < w->map->len; off += sysconf(_SC_PAGESIZE)) {
			if (pin_proc_touch_word((void *)(base + off), true)) {
				timeline_mark(w->tl, TL_REVOKED);
				pin_proc_rest(TOUCH_NS);
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
			pin_proc_rest(TOUCH_NS);
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
 * One transfer; false where it did not get through.  An fsync() that failed is tried
 * again, and nothing is written before it succeeds: who goes on writing after it has
 * lost count of what is safe.
 */
static bool transfer(struct worker *w, void *buf, size_t off)
{
	struct pattern_error err;

	if (w->unsynced) {
		w->unsynced = fsync(w->fd);
		return !w->unsynced;
	}

	if (w->io & PIN_PROC_WRITE) {
		pattern_fill(buf, IO_BYTES, w->tag, off);
		if (pwrite(w->fd, buf, IO_BYTES, off) != IO_BYTES)
			return false;
		w->unsynced = w->io & PIN_PROC_SYNC && fsync(w->fd);
		return !w->unsynced;
	}
	/* what lies in the page cache says nothing of the device */
	if (!(w->io & PIN_PROC_DIRECT))
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

	while (buf && !atomic_load(&stop)) {
		/* no two rounds at the same place, and all places in turn */
		size_t off = atomic_load(&w->rounds) * IO_STRIDE % w->len;

		if (!transfer(w, buf, off))
			pin_proc_rest(TOUCH_NS);
		atomic_fetch_add(&w->rounds, 1);
	}
	free(buf);
	close(w->fd);
	return NULL;
}

static void *(*thread_of(enum pin_proc_op op))(void *)
{
	switch (op) {
	case OP_WATCH:
		return watch_thread;
	case OP_HAMMER:
		return hammer_thread;
	case OP_CHURN:
		return churn_thread;
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
	w->restless = c->restless;
	w->io = c->io;
	w->len = c->len;
	w->tag = c->tag;
	w->fd = -1;
	if (c->op == OP_IO)
		w->fd = open(c->path, (c->io & PIN_PROC_WRITE ? O_RDWR : O_RDONLY) |
			     (c->io & PIN_PROC_DIRECT ? O_DIRECT : 0) | O_CLOEXEC);
	if (c->op == OP_IO && w->fd < 0)
		return -errno;
	memcpy(w->path, c->path, sizeof(w->path));
	atomic_store(&stop, false);
	ret = pthread_create(&w->thread, NULL, thread_of(c->op), w);
	if (!ret)
		workers++;
	return -ret;
}

void pin_proc_threads_round(void)
{
	for (unsigned int i = 0; i < workers; i++) {
		struct worker *w = &pool[i];
		unsigned long seen = atomic_load(&w->rounds);

		/* the round under way may have begun before the call: one more */
		while (atomic_load(&w->rounds) < seen + 2)
			pin_proc_rest(TOUCH_NS);
	}
}

unsigned long pin_proc_threads_calm(unsigned long *wrong)
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
