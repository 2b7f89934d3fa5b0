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

/* job_method.variant of what goes through a mapping, and of plain calls */
enum { LOAD, STORE, STORE_FLUSH, STORE_NT };
enum { BUFFERED, DIRECT };

int job_fail(struct bench_job *j, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(j->why, sizeof(j->why), fmt, args);
	va_end(args);
	return err;
}

static bool has(const struct bench_job *j, unsigned int flag)
{
	return j->method->flags & flag;
}

static int open_map(struct bench_job *j)
{
	size_t entry = daxmap_bytes(j->size);
	size_t len = (j->start + j->bytes + entry - 1) / entry * entry;

	return daxmap_open(&j->map, j->node, j->size, 0, len, PROT_READ | PROT_WRITE);
}

/* with pages as large as there are, so that no comparison with it is too easy */
static int open_dram(struct bench_job *j)
{
	void *p = mmap(NULL, j->start + j->bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	j->map = (struct daxmap){ .fd = -1, .addr = p, .len = j->start + j->bytes };
	madvise(p, j->map.len, MADV_HUGEPAGE);
	return 0;
}

static int once_mapped(struct bench_job *j, size_t at)
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

static int open_call(struct bench_job *j)
{
	int how = has(j, JOB_WRITES) ? O_RDWR : O_RDONLY;

	j->fd = open(j->node, how | O_CLOEXEC | (has(j, JOB_DIRECT) ? O_DIRECT : 0));
	if (j->fd < 0 && errno == EINVAL && has(j, JOB_DIRECT))
		return job_fail(j, -EOPNOTSUPP, "O_DIRECT is refused");
	return j->fd < 0 ? -errno : 0;
}

static int once_called(struct bench_job *j, size_t at)
{
	for (size_t done = 0; done < j->block;) {
		size_t left = j->block - done;
		ssize_t n = has(j, JOB_WRITES) ? pwrite(j->fd, j->buf + done, left, at + done) :
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
		.open = (kind) & JOB_DRAM ? open_dram : open_map, .once = once_mapped, \
	}

#define CALLED(n, text, how, kind)						\
	{									\
		.name = n, .what = text, .variant = how, .flags = kind,		\
		.open = open_call, .once = once_called,				\
	}

#define URING(n, text, how, kind)						\
	{									\
		.name = n, .what = text, .variant = how,			\
		.flags = (kind) | JOB_DEEP | JOB_DIRECT,			\
		.open = job_uring_open, .run = job_uring_run, .close = job_uring_close, \
	}

const struct job_method job_methods[] = {
	MAPPED("load", "memcpy() from a mapping", LOAD, JOB_MAPS),
	MAPPED("store", "memcpy() to a mapping", STORE, JOB_MAPS | JOB_WRITES),
	MAPPED("store_flush", "the same, written back by cache line, and a fence",
	       STORE_FLUSH, JOB_MAPS | JOB_WRITES),
	MAPPED("store_nt", "non-temporal stores to a mapping, and a fence",
	       STORE_NT, JOB_MAPS | JOB_WRITES),
	CALLED("buffered_read", "pread()", BUFFERED, 0),
	CALLED("buffered_write", "pwrite()", BUFFERED, JOB_WRITES),
	CALLED("direct_read", "pread(), O_DIRECT", DIRECT, JOB_DIRECT),
	CALLED("direct_write", "pwrite(), O_DIRECT", DIRECT, JOB_DIRECT | JOB_WRITES),
	URING("uring_read", "io_uring, O_DIRECT", JOB_URING_PLAIN, 0),
	URING("uring_write", "io_uring, O_DIRECT", JOB_URING_PLAIN, JOB_WRITES),
	URING("uring_fixed_read", "the same into registered buffers, the file registered, too",
	      JOB_URING_FIXED, 0),
	URING("uring_fixed_write", "the same from registered buffers", JOB_URING_FIXED,
	      JOB_WRITES),
	URING("uring_lent_read", "the same into registered buffers in device-dax memory",
	      JOB_URING_FIXED, JOB_LENT),
	URING("uring_lent_write", "the same from registered buffers in device-dax memory",
	      JOB_URING_FIXED, JOB_LENT | JOB_WRITES),
	MAPPED("dram_load", "memcpy() from ordinary memory, to compare with", LOAD, JOB_DRAM),
	MAPPED("dram_store", "memcpy() to ordinary memory, to compare with",
	       STORE, JOB_DRAM | JOB_WRITES),
	{ 0 }
};

const struct job_method *job_find(const char *name)
{
	for (const struct job_method *m = job_methods; m->name; m++)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

static int take_buffer(struct bench_job *j)
{
	size_t page = sysconf(_SC_PAGESIZE), want = j->block * j->depth;
	size_t entry = daxmap_bytes(DAXMAP_PMD);
	int ret;

	if (!has(j, JOB_LENT)) {
		j->buf = aligned_alloc(page, (want + page - 1) / page * page);
		if (!j->buf)
			return -ENOMEM;
		/* no zeroes: a page of them might be one page */
		memset(j->buf, 0x5a, want);
		return 0;
	}
	if (!j->lender)
		return job_fail(j, -EOPNOTSUPP, "no device-dax device for its buffers");
	ret = daxmap_open(&j->lent, j->lender, DAXMAP_PMD, 0,
			  (want + entry - 1) / entry * entry, PROT_READ | PROT_WRITE);
	if (ret)
		return job_fail(j, ret, "mapping buffers in %s: %s", j->lender,
				strerror(-ret));
	j->buf = j->lent.addr;
	memset(j->buf, 0x5a, want);
	return 0;
}

int job_open(struct bench_job *j)
{
	int ret;

	j->fd = -1;
	j->map = (struct daxmap){ .fd = -1 };
	j->lent = (struct daxmap){ .fd = -1 };
	j->buf = NULL;
	j->priv = NULL;
	j->why[0] = '\0';
	if (!j->block || j->block > JOB_BLOCK_MAX || !j->depth || j->depth > JOB_DEPTH_MAX ||
	    j->start % j->block || j->bytes < j->block)
		return -EINVAL;
	ret = take_buffer(j);
	ret = ret ?: j->method->open(j);
	if (ret)
		job_close(j);
	return ret;
}

int job_pass(struct bench_job *j)
{
	size_t end = j->start + j->bytes;
	int ret = 0;

	for (size_t at = j->start; j->method->once && !ret && at + j->block <= end; at += j->block)
		ret = j->method->once(j, at);
	return ret;
}

int job_run(struct bench_job *j, struct job_tally *t)
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

void job_close(struct bench_job *j)
{
	if (j->method->close)
		j->method->close(j);
	if (!has(j, JOB_LENT))
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
