// SPDX-License-Identifier: GPL-2.0
/*
 * The table of jobs, and those that move one block at a time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/io/flush.h"
#include "bench/job_internal.h"
#include "bench/stream.h"
#include "lib/timeline.h"

/* iojob_method.variant of what goes through a mapping, and of plain calls */
enum { LOAD, STORE, STORE_FLUSH, STORE_NT };
enum { BUFFERED, DIRECT };

int iojob_fail(struct iojob *j, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(j->why, sizeof(j->why), fmt, args);
	va_end(args);
	return err;
}

static bool has(const struct iojob *j, unsigned int flag)
{
	return j->method->flags & flag;
}

static int open_map(struct iojob *j)
{
	size_t entry = daxmap_bytes(j->size);
	size_t len = (j->start + j->bytes + entry - 1) / entry * entry;

	return daxmap_open(&j->map, j->node, j->size, 0, len, PROT_READ | PROT_WRITE);
}

/* with pages as large as there are, so that no comparison with it is too easy */
static int open_dram(struct iojob *j)
{
	void *p = mmap(NULL, j->start + j->bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	j->map = (struct daxmap){ .fd = -1, .addr = p, .len = j->start + j->bytes };
	madvise(p, j->map.len, MADV_HUGEPAGE);
	return 0;
}

static int once_mapped(struct iojob *j, size_t at)
{
	char *to = (char *)j->map.addr + at;

	switch (j->method->variant) {
	case LOAD:
		memcpy(j->buf, to, j->block);
		/* the bytes are wanted, whatever the compiler thinks of them */
		asm volatile("" : : "r" (j->buf) : "memory");
		return 0;
	case STORE_NT:
		stream_copy(to, j->buf, j->block);
		return 0;
	}
	memcpy(to, j->buf, j->block);
	asm volatile("" : : "r" (to) : "memory");
	if (j->method->variant == STORE_FLUSH)
		flush_range(to, j->block);
	return 0;
}

static int open_call(struct iojob *j)
{
	int how = has(j, IOJOB_WRITES) ? O_RDWR : O_RDONLY;

	j->fd = open(j->node, how | O_CLOEXEC | (has(j, IOJOB_DIRECT) ? O_DIRECT : 0));
	if (j->fd < 0 && errno == EINVAL && has(j, IOJOB_DIRECT))
		return iojob_fail(j, -EOPNOTSUPP, "O_DIRECT is refused");
	return j->fd < 0 ? -errno : 0;
}

static int once_called(struct iojob *j, size_t at)
{
	for (size_t done = 0; done < j->block;) {
		size_t left = j->block - done;
		ssize_t n = has(j, IOJOB_WRITES) ? pwrite(j->fd, j->buf + done, left, at + done) :
						   pread(j->fd, j->buf + done, left, at + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		done += n;
	}
	return 0;
}

#define MAPPED(n, text, how, kind)						\
	{									\
		.name = n, .what = text, .variant = how, .flags = kind,		\
		.open = (kind) & IOJOB_DRAM ? open_dram : open_map, .once = once_mapped, \
	}

#define CALLED(n, text, how, kind)						\
	{									\
		.name = n, .what = text, .variant = how, .flags = kind,		\
		.open = open_call, .once = once_called,				\
	}

#define URING(n, text, how, kind)						\
	{									\
		.name = n, .what = text, .variant = how,			\
		.flags = (kind) | IOJOB_DEEP | IOJOB_DIRECT,			\
		.open = iojob_uring_open, .run = iojob_uring_run, .close = iojob_uring_close, \
	}

const struct iojob_method iojob_methods[] = {
	MAPPED("load", "memcpy() from a mapping", LOAD, IOJOB_MAPS),
	MAPPED("store", "memcpy() to a mapping", STORE, IOJOB_MAPS | IOJOB_WRITES),
	MAPPED("store_flush", "the same, written back by cache line, and a fence",
	       STORE_FLUSH, IOJOB_MAPS | IOJOB_WRITES),
	MAPPED("store_nt", "non-temporal stores to a mapping, and a fence",
	       STORE_NT, IOJOB_MAPS | IOJOB_WRITES),
	CALLED("buffered_read", "pread()", BUFFERED, 0),
	CALLED("buffered_write", "pwrite()", BUFFERED, IOJOB_WRITES),
	CALLED("direct_read", "pread(), O_DIRECT", DIRECT, IOJOB_DIRECT),
	CALLED("direct_write", "pwrite(), O_DIRECT", DIRECT, IOJOB_DIRECT | IOJOB_WRITES),
	URING("uring_read", "io_uring, O_DIRECT", IOJOB_URING_PLAIN, 0),
	URING("uring_write", "io_uring, O_DIRECT", IOJOB_URING_PLAIN, IOJOB_WRITES),
	URING("uring_fixed_read", "the same into registered buffers, the file registered, too",
	      IOJOB_URING_FIXED, 0),
	URING("uring_fixed_write", "the same from registered buffers", IOJOB_URING_FIXED,
	      IOJOB_WRITES),
	URING("uring_lent_read", "the same into registered buffers in device-dax memory",
	      IOJOB_URING_FIXED, IOJOB_LENT),
	URING("uring_lent_write", "the same from registered buffers in device-dax memory",
	      IOJOB_URING_FIXED, IOJOB_LENT | IOJOB_WRITES),
	MAPPED("dram_load", "memcpy() from ordinary memory, to compare with", LOAD, IOJOB_DRAM),
	MAPPED("dram_store", "memcpy() to ordinary memory, to compare with",
	       STORE, IOJOB_DRAM | IOJOB_WRITES),
	{ 0 }
};

const struct iojob_method *iojob_find(const char *name)
{
	for (const struct iojob_method *m = iojob_methods; m->name; m++)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

static int take_buffer(struct iojob *j)
{
	size_t page = sysconf(_SC_PAGESIZE), want = j->block * j->depth;
	size_t entry = daxmap_bytes(DAXMAP_PMD);
	int ret;

	if (!has(j, IOJOB_LENT)) {
		j->buf = aligned_alloc(page, (want + page - 1) / page * page);
		if (!j->buf)
			return -ENOMEM;
		/* no zeroes: a page of them might be one page */
		memset(j->buf, 0x5a, want);
		return 0;
	}
	if (!j->lender)
		return iojob_fail(j, -EOPNOTSUPP, "no device-dax device for its buffers");
	ret = daxmap_open(&j->lent, j->lender, DAXMAP_PMD, 0,
			  (want + entry - 1) / entry * entry, PROT_READ | PROT_WRITE);
	if (ret)
		return iojob_fail(j, ret, "mapping buffers in %s: %s", j->lender,
				  strerror(-ret));
	j->buf = j->lent.addr;
	memset(j->buf, 0x5a, want);
	return 0;
}

int iojob_open(struct iojob *j)
{
	int ret;

	j->fd = -1;
	j->map = (struct daxmap){ .fd = -1 };
	j->lent = (struct daxmap){ .fd = -1 };
	j->buf = NULL;
	j->priv = NULL;
	j->why[0] = '\0';
	if (!j->block || j->block > IOJOB_BLOCK_MAX || !j->depth || j->depth > IOJOB_DEPTH_MAX ||
	    j->start % j->block || j->bytes < j->block)
		return -EINVAL;
	ret = take_buffer(j);
	ret = ret ?: j->method->open(j);
	if (ret)
		iojob_close(j);
	return ret;
}

int iojob_pass(struct iojob *j)
{
	size_t end = j->start + j->bytes;
	int ret = 0;

	for (size_t at = j->start; j->method->once && !ret && at + j->block <= end; at += j->block)
		ret = j->method->once(j, at);
	return ret;
}

int iojob_run(struct iojob *j, struct iojob_tally *t)
{
	size_t end = j->start + j->bytes, at = j->start;
	uint64_t began = timeline_now(), now;

	if (j->method->run)
		return j->method->run(j, t);
	/* one look at the clock for each: the end of one is the start of the next */
	while (began < t->until_ns) {
		int ret = j->method->once(j, at);

		if (ret)
			return ret;
		now = timeline_now();
		t->add(t, now - began);
		t->ops++;
		began = now;
		at += j->block;
		if (at + j->block > end)
			at = j->start;
	}
	return 0;
}

void iojob_close(struct iojob *j)
{
	if (j->method->close)
		j->method->close(j);
	if (!has(j, IOJOB_LENT))
		free(j->buf);
	j->buf = NULL;
	if (j->lent.addr)
		daxmap_close(&j->lent);
	if (j->map.addr)
		daxmap_close(&j->map);
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
}
