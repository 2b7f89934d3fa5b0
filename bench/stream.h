/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies by non-temporal stores, which bypass the CPU's caches.
 */
#ifndef DAX_BENCH_STREAM_H
#define DAX_BENCH_STREAM_H

#include <stddef.h>

/**
 * stream_name() - the stores that stream_copy() uses: the widest of this CPU
 *
 * MOVNTDQ of 64, 32 or 16 bytes (Intel SDM volume 2), chosen once, among those whose
 * registers the kernel saves.
 *
 * Return: "avx512f", "avx" or "sse2"; "none" on other machines than x86-64, where
 * stream_copy() is memcpy() and flush_range().
 */
const char *stream_name(void);

/**
 * stream_copy() - copy by non-temporal stores, and fence
 * @to: destination; any alignment
 * @from: source; any alignment, not overlapping
 * @len: bytes
 *
 * Bytes at either end that do not fill a whole store are copied as usual and written
 * back by flush_range().  On return, all of @to has reached the power-fail domain of the
 * memory.
 */
void stream_copy(void *to, const void *from, size_t len);

#endif
