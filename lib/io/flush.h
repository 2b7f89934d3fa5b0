/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stores into persistent memory written back from the CPU's caches.
 */
#ifndef DAX_LIB_FLUSH_H
#define DAX_LIB_FLUSH_H

#include <stddef.h>

/**
 * flush_name() - the instruction that flush_range() uses: the best one of this CPU
 *
 * Chosen once (Intel SDM, CPUID leaves 7 and 1).
 *
 * Return: "clwb", "clflushopt" or "clflush"; "none" on other machines than x86-64.
 */
const char *flush_name(void);

/**
 * flush_range() - write back all cache lines of a range, and fence
 * @addr: start
 * @len: bytes
 *
 * On return, what was stored there has reached the power-fail domain of the memory.  On
 * other machines than x86-64 it is a fence only.
 */
void flush_range(const void *addr, size_t len);

#endif
