/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the families of jobs have in common.  Not for test programs.
 */
#ifndef DAX_LIB_IOJOB_INTERNAL_H
#define DAX_LIB_IOJOB_INTERNAL_H

#include "bench/job.h"

/* iojob_method.variant of iojob_uring */
enum { IOJOB_URING_PLAIN, IOJOB_URING_FIXED };

int iojob_uring_open(struct iojob *j);
int iojob_uring_run(struct iojob *j, struct iojob_tally *t);
void iojob_uring_close(struct iojob *j);

/* write the sentence to j->why and return @err */
int iojob_fail(struct iojob *j, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
