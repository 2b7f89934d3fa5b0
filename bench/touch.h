/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What it costs to have memory mapped: the first touch, and every one after it.
 */
#ifndef DAX_LIB_TOUCH_H
#define DAX_LIB_TOUCH_H

#include <stddef.h>
#include <stdint.h>

#include "lib/daxmap.h"

/**
 * struct touch - medians of several rounds
 * @rounds: how many
 * @entries: of the page table, that map the range at the level asked for
 * @faults: that the first touch of all took in the last round
 * @map_ns: mmap(2)
 * @first_ns: one store into each entry of a fresh mapping, all of them
 * @steady_ns: the same once more
 * @unmap_ns: munmap(2)
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
 * touch_cost() - measure it
 * @node: device-dax device or file
 * @size: level it is mapped by
 * @bytes: of the range, a multiple of the level's
 * @ns: goes on for so long, and for three rounds at least
 * @t: filled
 *
 * The stores add zero: what is there stays.
 *
 * Return: 0 or -errno.
 */
int touch_cost(const char *node, enum daxmap_size size, size_t bytes, uint64_t ns,
	       struct touch *t);

#endif
