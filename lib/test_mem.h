/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory that one cell works on: whose it is, how much of it there is, and the
 * node that is opened and mapped.
 */
#ifndef DAX_LIB_TEST_MEM_H
#define DAX_LIB_TEST_MEM_H

#include <stddef.h>

#include "lib/ns/ns.h"

struct memory;

/* properties of a kind of memory: code asks for these, never for a kind by its name */
#define MEM_CHARDEV	0x001u	/* a device-dax character device, mapped directly */
#define MEM_MOUNTED	0x002u	/* a file on a file system that the suite has mounted */
#define MEM_BLOCK	0x004u	/* a block device without a file system */
#define MEM_WRITABLE	0x008u	/* mapped for writing, filled by the suite */
#define MEM_SHARES	0x010u	/* two files may have the same blocks (reflink) */
#define MEM_LONGTERM	0x020u	/* FOLL_LONGTERM pins are allowed */
#define MEM_FRESH	0x040u	/* new for each cell: holds no bytes of the last one */
#define MEM_DIVIDED	0x080u	/* made in a region that can be divided */

/**
 * struct test_mem - memory under test
 * @kind: its kind; NULL for none
 * @caps: MEM_*, of its kind
 * @ns: the namespace or device it is on; what is restored at the end
 * @node: what is opened and mapped: "/dev/dax0.1", a file below @mount, "/dev/pmem0"
 * @size: usable bytes of @node
 * @mount: where the file system is mounted that @node is a file of; else ""
 *
 * Plain data, so that it can lie in shared memory.
 */
struct test_mem {
	const struct memory *kind;
	unsigned int caps;
	struct test_ns ns;
	char node[NODE_LEN];
	size_t size;
	char mount[MOUNT_LEN];
};

/**
 * mem_other_path() - path of the second file that some actions need
 * @mem: the file
 * @path: set; in the same directory
 * @len: bytes in @path
 */
void mem_other_path(const struct test_mem *mem, char *path, size_t len);

#endif
