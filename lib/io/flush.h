/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stores into persistent memory written back from the CPU's caches.
 */
#ifndef DAX_LIB_FLUSH_H
#define DAX_LIB_FLUSH_H

#include <stddef.h>

/**
 * flush_name() - the instruction that flush_range() uses: the best the CPU has
 *
 * "clwb", "clflushopt" or "clflush" (Intel SDM, CPUID leaves 7 and 1), chosen once;
 * "none" on other machines than x86-64.
 */
const char *flush_name(void);

/**
 * flush_range() - write back all cache lines of a range, and fence
 * @addr: start
 * @len: bytes
 *
 * What was stored there is in the memory's power-fail domain when it returns.
 */
void flush_range(const void *addr, size_t len);

#endif
