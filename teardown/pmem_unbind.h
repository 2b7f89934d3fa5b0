/* SPDX-License-Identifier: GPL-2.0-only */
/* Common to the scenarios that unbind nd_pmem: of file systems and of block devices. */
#ifndef DAX_TEARDOWN_PMEM_UNBIND_H
#define DAX_TEARDOWN_PMEM_UNBIND_H

#include <stdbool.h>

#include "lib/test_mem.h"
#include "lib/timeline.h"

struct cell;
struct teardown;

/*
 * Duration of an unbind of nd_pmem without users, under emulation on a busy machine: 100
 * ms.  But a freeze of xfs sleeps in one wait for longer than that.
 */
#define PMEM_USUAL_NS	(300 * NSEC_PER_MSEC)

/**
 * pmem_unbind() - unbind the device, up to the verdict on the order of events
 * @s: set up
 *
 * After an early return the pins are still out.
 *
 * Return: true if the unbind has returned, early or not.
 */
bool pmem_unbind(struct teardown *s);

/**
 * pmem_expect_done() - expect_done(); a stuck device is not used again
 * @c: the cell
 * @ret: result of the call: 0, -ETIMEDOUT when stuck, -ECHILD when its task died, -errno
 * @what: the call
 *
 * Return: true when @ret is 0.
 */
bool pmem_expect_done(struct cell *c, int ret, const char *what);

/**
 * pmem_call() - call a function in a task of its own, and expect success
 * @c: the cell
 * @run: the function
 * @what: the call
 *
 * Return: true if it succeeded.
 */
bool pmem_call(struct cell *c, int (*run)(const struct test_mem *mem), const char *what);

#endif
