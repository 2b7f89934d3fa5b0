// SPDX-License-Identifier: GPL-2.0-only
/* Loads and stores, through a mapping and in ordinary memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/job_internal.h"
#include "bench/stream.h"
#include "lib/io/flush.h"

static int map_job_open(struct bench_job *j)
{
	size_t entry = daxmap_bytes(j->size);
	size_t len = (j->start + j->bytes + entry - 1) / entry * entry;

	return daxmap_open(&j->map, j->node, j->size, 0, len, PROT_READ | PROT_WRITE);
}

/* use THP so the DRAM baseline is fair */
static int dram_job_open(struct bench_job *j)
{
	void *p = mmap(NULL, j->start + j->bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	j->map = (struct daxmap){ .fd = -1, .addr = p, .len = j->start + j->bytes };
	madvise(p, j->map.len, MADV_HUGEPAGE);
	return 0;
}

static int job_load(struct bench_job *j, size_t at)
{
	memcpy(j->buf, (char *)j->map.addr + at, j->block);
	/* keeps the compiler from dropping the copy */
	asm volatile("" : : "r" (j->buf) : "memory");
	return 0;
}

static int job_store(struct bench_job *j, size_t at)
{
	char *to = (char *)j->map.addr + at;

	memcpy(to, j->buf, j->block);
	asm volatile("" : : "r" (to) : "memory");
	return 0;
}

static int job_store_flush(struct bench_job *j, size_t at)
{
	job_store(j, at);
	flush_range((char *)j->map.addr + at, j->block);
	return 0;
}

static int job_store_nt(struct bench_job *j, size_t at)
{
	stream_copy((char *)j->map.addr + at, j->buf, j->block);
	return 0;
}

static const struct job_method map_jobs[] = {
	{
		.name = "load",
		.what = "memcpy() from a mapping",
		.flags = JOB_MAPS,
		.open = map_job_open,
		.once = job_load,
	}, {
		.name = "store",
		.what = "memcpy() to a mapping",
		.flags = JOB_MAPS | JOB_WRITES,
		.open = map_job_open,
		.once = job_store,
	}, {
		.name = "store_flush",
		.what = "the same, written back by cache line, and a fence",
		.flags = JOB_MAPS | JOB_WRITES,
		.open = map_job_open,
		.once = job_store_flush,
	}, {
		.name = "store_nt",
		.what = "non-temporal stores to a mapping, and a fence",
		.flags = JOB_MAPS | JOB_WRITES,
		.open = map_job_open,
		.once = job_store_nt,
	}, {
		.name = "dram_load",
		.what = "memcpy() from ordinary memory, to compare with",
		.flags = JOB_DRAM,
		.open = dram_job_open,
		.once = job_load,
	}, {
		.name = "dram_store",
		.what = "memcpy() to ordinary memory, to compare with",
		.flags = JOB_DRAM | JOB_WRITES,
		.open = dram_job_open,
		.once = job_store,
	},
	{ }
};

REGISTER(job_methods, map_jobs);
