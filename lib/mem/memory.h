/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kinds of DAX memory that cells work on.  Each is an entry beside its functions, in a
 * file of its own: its properties, and how one of it is made ready.
 */
#ifndef DAX_LIB_MEMORY_H
#define DAX_LIB_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/daxmap.h"
#include "lib/guard.h"
#include "lib/mem/select.h"
#include "lib/registry.h"
#include "lib/test_mem.h"

/* the only alignment, bytes, at which files can be mapped by pmd entries */
#define MEMORY_FILE_ALIGN	daxmap_bytes(DAXMAP_PMD)

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
 * @caps: MEM_*: its properties
 * @largest: largest level it can be mapped by
 * @order: kinds of a lower one come first
 * @aligned: the namespace is aligned to MEMORY_FILE_ALIGN; else its mode has no alignment
 * @fs: for files: the file system; else NULL
 * @take: makes one ready, see memory_take()
 */
struct memory {
	const char *name;
	const char *what;
	unsigned int caps;
	enum daxmap_size largest;
	int order;
	bool aligned;
	const struct fsdax_type *fs;
	int (*take)(const struct memory *m, struct guard *g, const struct memory_want *want,
		    struct test_mem *mem, char *why, size_t len);
};

REGISTRY(memories, struct memory);

/**
 * memory_next() - visit all kinds of memory
 * @m: the one before; NULL for the first
 *
 * Return: the next one, or NULL.
 */
const struct memory *memory_next(const struct memory *m);

#define for_each_memory(m) for (m = memory_next(NULL); m; m = memory_next(m))

/**
 * memory_selected() - is something for this kind of memory?
 * @s: what it is for
 * @m: kind
 *
 * Return: true if it is.
 */
bool memory_selected(const struct mem_select *s, const struct memory *m);

/**
 * memory_take() - make memory of a kind ready for a cell
 * @m: kind
 * @g: state of the run: namespaces may be reconfigured, file systems made
 * @want: what the cell needs
 * @mem: filled
 * @why: a sentence when it fails
 * @len: bytes in @why
 *
 * Return: 0, -EBUSY when it is wedged by an earlier cell, or another -errno when
 * there is none.
 */
int memory_take(const struct memory *m, struct guard *g, const struct memory_want *want,
		struct test_mem *mem, char *why, size_t len);

/**
 * memory_say_wedged() - the sentence for a device that an earlier cell has wedged
 * @ns: the namespace
 * @why: set
 * @len: bytes in @why
 *
 * Return: -EBUSY.
 */
int memory_say_wedged(const struct test_ns *ns, char *why, size_t len);

/**
 * memory_drop_fs() - remove the file systems of the run, whose namespace is wanted
 * @g: state of the run
 * @why: a sentence when it fails
 * @len: bytes in @why
 *
 * Return: 0, -EBUSY when one of them is still in use; its namespace counts as wedged.
 */
int memory_drop_fs(struct guard *g, char *why, size_t len);

/**
 * memory_mount() - the file system that files of a kind are on, mounted
 * @g: state of the run
 * @f: its first or second file system
 * @m: kind
 * @map_dev: memory map on the device instead of in memory
 * @why: a sentence when it fails
 * @len: bytes in @why
 *
 * Without files if they can be written, and made again where an earlier cell has left
 * it unfit.
 *
 * Return: 0, -EBUSY when it is wedged, or -errno.
 */
int memory_mount(struct guard *g, struct fsdax *f, const struct memory *m, bool map_dev,
		 char *why, size_t len);

/**
 * memory_take_file() - take() of kinds that are new files with blocks of their own
 * @m: kind
 * @g: state of the run
 * @want: what the cell needs
 * @mem: filled
 * @why: a sentence when it fails
 * @len: bytes in @why
 *
 * Return: as memory_take().
 */
int memory_take_file(const struct memory *m, struct guard *g, const struct memory_want *want,
		     struct test_mem *mem, char *why, size_t len);

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
