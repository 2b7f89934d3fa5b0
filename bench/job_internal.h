/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions shared by the families of jobs.
 */
#ifndef DAX_BENCH_JOB_INTERNAL_H
#define DAX_BENCH_JOB_INTERNAL_H

#include "bench/job.h"
#include "lib/registry.h"

REGISTRY(job_methods, struct job_method);

/* write the sentence to j->why and return @err */
int job_fail(struct bench_job *j, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* open j->node as j->fd, for writing and with O_DIRECT as the method's flags say; 0 or -errno */
int job_open_node(struct bench_job *j);

#endif
