/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies whose stores go around the CPU's caches.
 */
#ifndef DAX_LIB_STREAM_H
#define DAX_LIB_STREAM_H

#include <stddef.h>

/**
 * stream_name() - the stores that stream_copy() uses: the widest the CPU has
 *
 * "avx512f", "avx" or "sse2" (MOVNTDQ of 64, 32 and 16 bytes, Intel SDM volume 2),
 * chosen once, where the operating system keeps the registers; "none" on other
 * machines than x86-64, which copy as memcpy() does.
 */
const char *stream_name(void);

/**
 * stream_copy() - copy by non-temporal stores, and fence
 * @to: where to; any alignment
 * @from: from where; any alignment, not overlapping
 * @len: bytes
 *
 * What does not fill a whole store at either end is stored as usual and written back
 * by flush_range(), so that all of @to is in the memory's power-fail domain when it
 * returns.
 */
void stream_copy(void *to, const void *from, size_t len);

#endif
