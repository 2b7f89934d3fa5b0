/* SPDX-License-Identifier: GPL-2.0-only */
/* The one clock of the suite: CLOCK_MONOTONIC, in nanoseconds. */
#ifndef DAX_LIB_CLOCK_H
#define DAX_LIB_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NSEC_PER_USEC	1000ull
#define NSEC_PER_MSEC	1000000ull
#define NSEC_PER_SEC	1000000000ull

/**
 * clock_now_ns() - time now
 *
 * Return: CLOCK_MONOTONIC in nanoseconds; the same clock in all processes.
 */
static inline uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/**
 * clock_sleep_ns() - sleep
 * @ns: nanoseconds; a signal may end the sleep earlier
 */
static inline void clock_sleep_ns(uint64_t ns)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(ns / NSEC_PER_SEC),
		.tv_nsec = (long)(ns % NSEC_PER_SEC),
	};

	nanosleep(&ts, NULL);
}

#endif
