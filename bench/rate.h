/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Throughput and latency of a job that several threads run at a time.
 */
#ifndef DAX_BENCH_RATE_H
#define DAX_BENCH_RATE_H

#include <stddef.h>
#include <stdint.h>

#include "bench/job.h"

/* upper limit */
#define RATE_THREADS	256

/* number of percentiles, see rate_percentiles */
#define RATE_PERCENTILES	5

/* 50, 90, 99, 99.9, 99.99 */
extern const double rate_percentiles[RATE_PERCENTILES];

/**
 * struct rate - a measurement
 * @ops: number of operations, all threads together
 * @bytes: bytes moved by them
 * @ns: from the first thread's start to the last one's end, nanoseconds
 * @min_ns: duration of the shortest operation
 * @mean_ns: mean duration
 * @max_ns: duration of the longest operation
 * @percentile_ns: percentiles of the duration, in the order of rate_percentiles
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
 * rate_run() - run a job by several threads at a time and measure it
 * @like: the job, see job_open(); its range is divided among the threads
 * @threads: number of threads, 1 to RATE_THREADS
 * @ns: duration, nanoseconds; an operation under way is completed
 * @r: filled
 * @why: a sentence when it fails
 * @len: bytes in @why
 *
 * Each thread opens a job of its own.  Jobs on mappings move each block once before the
 * measurement starts: page faults are not part of it, see touch.h.
 *
 * Return: 0; -EOPNOTSUPP when kernel, memory or build lacks what it takes; -EINVAL
 * when the range is too small for a block of each thread; or -errno.
 */
int rate_run(const struct bench_job *like, unsigned int threads, uint64_t ns, struct rate *r,
	     char *why, size_t len);

/**
 * rate_built() - can this build measure?
 *
 * Return: true if it was built with libhdrhistogram.
 */
bool rate_built(void);

#endif
