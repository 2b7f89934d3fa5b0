/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kinds of DAX memory that cells work on.  One table (memories), one entry and one
 * function each.
 */
#ifndef DAX_LIB_MEMORY_H
#define DAX_LIB_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/daxmap.h"
#include "lib/guard.h"
#include "lib/ns/ns.h"

/* one bit for each entry of the table, for scenarios and actions to choose by */
#define MEMORY_DEVDAX	0x1u	/* a device-dax character device */
#define MEMORY_EXT4	0x2u	/* a file on ext4, mounted with dax */
#define MEMORY_XFS	0x4u	/* a file on xfs */
#define MEMORY_FILES	(MEMORY_EXT4 | MEMORY_XFS)
#define MEMORY_RAW	0x8u	/* a bare block device on a namespace of no mode */
#define MEMORY_FSDAX	0x10u	/* one on a namespace in fsdax mode */
#define MEMORY_SECTOR	0x20u	/* one on a block translation table */
#define MEMORY_DYNAMIC	0x40u	/* a device made in a dynamic dax region */
#define MEMORY_BLOCKS	(MEMORY_RAW | MEMORY_FSDAX | MEMORY_SECTOR)

/**
 * struct memory_want - what a cell needs
 * @size: page table level it is to be mapped by
 * @bytes: at least; a file gets exactly so many
 * @rather: at least so many of a device, where one is offered
 * @map_dev: memory map on the device instead of in memory
 */
struct memory_want {
	enum daxmap_size size;
	size_t bytes;
	size_t rather;
	bool map_dev;
};

/**
 * struct memory - one kind
 * @name: first word of the cells' names, stable
 * @what: one sentence for -h
 * @bit: MEMORY_*
 * @largest: largest level it can be mapped by
 * @take: gets one ready; fills g->mem's copy @v.  -EBUSY when it is wedged by
 *	an earlier cell, another -errno when there is none, with a sentence in @why
 */
struct memory {
	const char *name;
	const char *what;
	unsigned int bit;
	enum daxmap_size largest;
	int (*take)(const struct memory *m, struct guard *g, const struct memory_want *want,
		    struct test_ns *v, char *why, size_t len);
};

/* all of them, in the order of the cells; ends with an entry without a name */
extern const struct memory memories[];

/**
 * memory_other() - a file on a second DAX file system
 * @g: state; g->fs[0] is the first
 * @bytes: its length
 * @path: set to the file's path
 * @path_len: bytes in @path
 * @why: a sentence when it fails
 * @len: bytes in @why
 *
 * Return: 0, or -errno when no other namespace is offered.
 */
int memory_other(struct guard *g, size_t bytes, char *path, size_t path_len, char *why,
		 size_t len);

#endif
