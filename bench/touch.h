/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cost of mapping memory: mmap(), the first store, which faults, and later ones.
 */
#ifndef DAX_BENCH_TOUCH_H
#define DAX_BENCH_TOUCH_H

#include <stddef.h>
#include <stdint.h>

#include "lib/daxmap.h"

/**
 * struct touch - medians of several rounds
 * @rounds: number of rounds
 * @entries: number of page table entries that map the range
 * @faults: number of faults that the first stores took in the last round
 * @map_ns: duration of mmap(2), nanoseconds
 * @first_ns: of one store into each entry of a fresh mapping, all of them together
 * @steady_ns: of one more store into each entry
 * @unmap_ns: of munmap(2)
 */
struct touch {
	unsigned int rounds;
	size_t entries;
	unsigned long faults;
	uint64_t map_ns;
	uint64_t first_ns;
	uint64_t steady_ns;
	uint64_t unmap_ns;
};

/**
 * touch_cost() - measure the cost of a mapping
 * @node: device-dax device or file
 * @size: page table level of the mapping
 * @bytes: its length, a multiple of the level's
 * @ns: duration, nanoseconds; at least three rounds
 * @t: filled
 *
 * The stores add zero: the bytes do not change.
 *
 * Return: 0 or -errno.
 */
int touch_cost(const char *node, enum daxmap_size size, size_t bytes, uint64_t ns,
	       struct touch *t);

#endif
