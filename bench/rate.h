/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How often a thing can be done in some time, and how long each takes.
 */
#ifndef DAX_LIB_RATE_H
#define DAX_LIB_RATE_H

#include <stddef.h>
#include <stdint.h>

#include "bench/job.h"

/* whoever is asked for more than this is asked too much */
#define RATE_THREADS	256

/* percentiles that are kept, see rate_percentiles */
#define RATE_PERCENTILES	5

/** rate_percentiles - which: 50, 90, 99, 99.9, 99.99 */
extern const double rate_percentiles[RATE_PERCENTILES];

/**
 * struct rate - what was measured
 * @ops: operations of all threads
 * @bytes: they moved
 * @ns: from the first thread's start to the last one's end
 * @min_ns: the shortest operation
 * @mean_ns: of all
 * @max_ns: the longest
 * @percentile_ns: in the order of rate_percentiles
 */
struct rate {
	uint64_t ops;
	uint64_t bytes;
	uint64_t ns;
	uint64_t min_ns;
	double mean_ns;
	uint64_t max_ns;
	uint64_t percentile_ns[RATE_PERCENTILES];
};

/**
 * rate_run() - one job by several threads at a time
 * @like: what each does, see job_open(); its range is shared out among them
 * @threads: how many, at most RATE_THREADS
 * @ns: how long, nanoseconds; an operation that has begun is ended
 * @r: filled
 * @why: a sentence when it fails
 * @len: bytes in @why
 *
 * Each thread opens for itself.  What goes through a mapping goes once through its
 * range before the time begins: faults are another matter, see touch.h.
 *
 * Return: 0; -EOPNOTSUPP when kernel, memory or build lacks what it takes; -EINVAL
 * when the range is too small for a block of each thread; or -errno.
 */
int rate_run(const struct bench_job *like, unsigned int threads, uint64_t ns, struct rate *r,
	     char *why, size_t len);

/** rate_built() - were percentiles built in (libhdrhistogram)?  1 or 0 */
int rate_built(void);

#endif
