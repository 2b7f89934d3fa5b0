// SPDX-License-Identifier: GPL-2.0-only
/* Jobs: finding a method, and the steps that are the same for all of them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/job_internal.h"
#include "lib/timeline.h"

/* contents of a buffer: not zero, because all zeroes might be one page */
#define BUF_BYTE	0x5a

const struct job_method *job_method_next(const struct job_method *m)
{
	return REGISTRY_NEXT(job_methods, m);
}

const struct job_method *job_method_find(const char *name)
{
	const struct job_method *m;

	for_each_job_method(m)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

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

int job_open_node(struct bench_job *j)
{
	int flags = (has(j, JOB_WRITES) ? O_RDWR : O_RDONLY) | O_CLOEXEC;

	j->fd = open(j->node, flags | (has(j, JOB_DIRECT) ? O_DIRECT : 0));
	if (j->fd < 0 && errno == EINVAL && has(j, JOB_DIRECT))
		return job_fail(j, -EOPNOTSUPP, "O_DIRECT is refused");
	return j->fd < 0 ? -errno : 0;
}

static int buf_alloc(struct bench_job *j)
{
	size_t page = sysconf(_SC_PAGESIZE), want = j->block * j->depth;

	j->buf = aligned_alloc(page, (want + page - 1) / page * page);
	if (!j->buf)
		return -ENOMEM;
	memset(j->buf, BUF_BYTE, want);
	return 0;
}

static int buf_map(struct bench_job *j)
{
	size_t entry = daxmap_bytes(DAXMAP_PMD), want = j->block * j->depth;
	int ret;

	if (!j->buf_dev)
		return job_fail(j, -EOPNOTSUPP, "no device-dax device for its buffers");
	ret = daxmap_open(&j->buf_map, j->buf_dev, DAXMAP_PMD, 0,
			  (want + entry - 1) / entry * entry, PROT_READ | PROT_WRITE);
	if (ret)
		return job_fail(j, ret, "mapping buffers in %s: %s", j->buf_dev, strerror(-ret));
	j->buf = j->buf_map.addr;
	memset(j->buf, BUF_BYTE, want);
	return 0;
}

int job_open(struct bench_job *j)
{
	int ret;

	j->fd = -1;
	j->map = (struct daxmap){ .fd = -1 };
	j->buf_map = (struct daxmap){ .fd = -1 };
	j->buf = NULL;
	j->priv = NULL;
	j->why[0] = '\0';
	if (!j->block || j->block > JOB_BLOCK_MAX || !j->depth || j->depth > JOB_DEPTH_MAX ||
	    j->start % j->block || j->bytes < j->block)
		return -EINVAL;
	if (j->method->lacks)
		return job_fail(j, -EOPNOTSUPP, "%s", j->method->lacks);
	ret = has(j, JOB_USER_BUF) ? buf_map(j) : buf_alloc(j);
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
	uint64_t start, now;

	if (j->method->run)
		return j->method->run(j, t);
	start = timeline_now();
	/* one clock read for each operation: the end of one is the start of the next */
	while (start < t->until_ns) {
		int ret = j->method->once(j, at);

		if (ret)
			return ret;
		now = timeline_now();
		t->add(t, now - start);
		t->ops++;
		start = now;
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
	if (!has(j, JOB_USER_BUF))
		free(j->buf);
	j->buf = NULL;
	if (j->buf_map.addr)
		daxmap_close(&j->buf_map);
	if (j->map.addr)
		daxmap_close(&j->map);
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
}
