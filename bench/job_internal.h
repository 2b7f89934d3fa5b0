/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the families of jobs have in common.  Not for test programs.
 */
#ifndef DAX_BENCH_JOB_INTERNAL_H
#define DAX_BENCH_JOB_INTERNAL_H

#include "bench/job.h"

/* job_method.variant of job_uring */
enum { JOB_URING_PLAIN, JOB_URING_FIXED };

int job_uring_open(struct bench_job *j);
int job_uring_run(struct bench_job *j, struct job_tally *t);
void job_uring_close(struct bench_job *j);

/* write the sentence to j->why and return @err */
int job_fail(struct bench_job *j, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
