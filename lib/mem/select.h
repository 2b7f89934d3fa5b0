/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which kinds of memory something is for, by their properties.
 */
#ifndef DAX_LIB_MEM_SELECT_H
#define DAX_LIB_MEM_SELECT_H

#include <stdbool.h>

/**
 * struct mem_select - kinds of memory
 * @all: MEM_* properties that a kind needs to have
 * @none: MEM_* properties that it must not have
 * @only: name of the one kind that is meant; NULL for all with these properties
 */
struct mem_select {
	unsigned int all;
	unsigned int none;
	const char *only;
};

/* what scenarios and actions are for, in the words of test_mem.h */
#define ON_DEVDAX	{ .all = MEM_CHARDEV, .none = MEM_DIVIDED }
#define ON_CHARDEV	{ .all = MEM_CHARDEV }
#define ON_DYNAMIC	{ .all = MEM_CHARDEV | MEM_DIVIDED }
#define ON_FILES	{ .all = MEM_MOUNTED | MEM_WRITABLE }
#define ON_READ_ONLY	{ .all = MEM_MOUNTED, .none = MEM_WRITABLE }
#define ON_SHARING	{ .all = MEM_MOUNTED | MEM_WRITABLE | MEM_SHARES }
#define ON_NOT_SHARING	{ .all = MEM_MOUNTED | MEM_WRITABLE, .none = MEM_SHARES }
#define ON_BLOCKS	{ .all = MEM_BLOCK }
/* a block device of nd_pmem, with a file system or without */
#define ON_PMEM		{ .none = MEM_CHARDEV }
/* files that can be written, and block devices */
#define ON_PMEM_WRITABLE { .all = MEM_WRITABLE, .none = MEM_CHARDEV }

#endif
