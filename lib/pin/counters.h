/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's count of FOLL_PIN references, from /proc/vmstat.
 */
#ifndef DAX_LIB_PIN_COUNTERS_H
#define DAX_LIB_PIN_COUNTERS_H

#include <stdint.h>

/**
 * struct pin_counters - the kernel's count of FOLL_PIN references
 * @acquired: nr_foll_pin_acquired of /proc/vmstat, pages
 * @released: nr_foll_pin_released, pages
 *
 * Counted since 1970dc6f5226 ("mm/gup: /proc/vmstat: pin_user_pages (FOLL_PIN)
 * reporting").  Plain references (vmsplice, O_DIRECT of old kernels) are not.
 *
 * Only the difference, acquired - released, is exact.  @acquired alone also counts
 * references that the fast path took and dropped before the slow path took them
 * again, as for FOLL_LONGTERM on device-dax.  A registered buffer keeps one
 * reference for each huge page, not for each base page, where the kernel coalesces
 * them.
 */
struct pin_counters {
	uint64_t acquired;
	uint64_t released;
};

/**
 * pin_counters_read() - fold the per-CPU counters, then read them
 * @c: filled
 *
 * Keeps two descriptors open.
 *
 * Return: 0, -EOPNOTSUPP where the kernel has none, -EACCES without root, or another
 * -errno.
 */
int pin_counters_read(struct pin_counters *c);

#endif
