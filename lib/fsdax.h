/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File systems with DAX that the suite makes on offered namespaces: made, mounted in a
 * private directory, with a file for each cell, and removed at the end.
 */
#ifndef DAX_LIB_FSDAX_H
#define DAX_LIB_FSDAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/daxmap.h"
#include "lib/ns/ns.h"

struct fsdax;

/**
 * struct fsdax_type - a kind of file system
 * @name: its name for mount(2)
 * @least: bytes of the smallest device it can be made on
 * @check: program and options that check an unmounted one without changing it; the
 *	device's path is appended; ends with NULL
 * @fallbacks: so often may make() be called again, with another f->attempt, because
 *	the kernel refuses to mount the result with DAX
 * @make: makes one on the block device @dev; -ENOENT when its program is missing,
 *	with a sentence in @why
 * @prepare: what is to be done to it once it is mounted; NULL for nothing
 */
struct fsdax_type {
	const char *name;
	size_t least;
	const char *const *check;
	unsigned int fallbacks;
	int (*make)(struct fsdax *f, const char *dev, char *why, size_t len);
	int (*prepare)(struct fsdax *f);
};

/**
 * struct fsdax - one of them
 * @type: its kind; NULL when there is none
 * @ns: the namespace
 * @dir: the private directory it is mounted on; "" if there is none
 * @mounted: it is
 * @made: the device has it, mounted or not
 * @attempt: how many variants of it the kernel has refused to mount
 *
 * Plain data: a copy in shared memory serves the guardian.
 */
struct fsdax {
	const struct fsdax_type *type;
	struct test_ns ns;
	char dir[MOUNT_LEN];
	bool mounted;
	bool made;
	unsigned int attempt;
};

/**
 * fsdax_make() - make a file system and mount it
 * @f: filled step by step: fsdax_drop() undoes the steps that were made
 * @type: its kind
 * @ns: a namespace in fsdax mode, from ns_choose()
 * @why: a sentence when it fails
 * @len: bytes in @why
 *
 * Return: 0; -EOPNOTSUPP when program, file system or DAX is missing; else
 * -errno.
 */
int fsdax_make(struct fsdax *f, const struct fsdax_type *type, const struct test_ns *ns,
	       char *why, size_t len);

/**
 * fsdax_mount() - mount one that was made before
 * @f: made; nothing is done when it is mounted
 *
 * Return: 0 or -errno of mount(2).
 */
int fsdax_mount(struct fsdax *f);

/**
 * fsdax_umount() - unmount a file system that is not used any more
 * @dir: where it is mounted
 *
 * Waits up to two seconds for files that are closed and that the kernel has not dropped
 * yet: fput() and io_uring leave that to a work item.
 *
 * Return: 0 or -errno of umount2(2), -EBUSY while a file is open or mapped.
 */
int fsdax_umount(const char *dir);

/**
 * fsdax_unmount() - unmount, thaw first where it is frozen
 * @f: made
 *
 * On some kernels umount2(2) blocks until pins are released.
 *
 * Return: 0 or -errno of umount2(2), -EBUSY while a file is open or mapped.
 */
int fsdax_unmount(struct fsdax *f);

/**
 * fsdax_drop() - unmount, remove the directory, erase the signature
 * @f: as fsdax_make() left it, also after a failure
 *
 * Return: 0, -EBUSY when it stays mounted, or the first -errno.
 */
int fsdax_drop(struct fsdax *f);

/**
 * fsdax_check() - does the file system's own checker find it in order?
 * @f: made and unmounted
 * @why: what it said
 * @len: bytes in @why
 *
 * Return: 0, -EUCLEAN when it complains, -ENOENT when there is no checker, or
 * another -errno.
 */
int fsdax_check(const struct fsdax *f, char *why, size_t len);

/**
 * fsdax_empty() - remove all files
 * @f: mounted
 *
 * Return: 0 or the first -errno.
 */
int fsdax_empty(const struct fsdax *f);

/**
 * fsdax_file() - a new file with blocks
 * @f: mounted
 * @name: its name below f->dir
 * @bytes: its length, all allocated and unwritten; 0 for an empty one
 * @path: set to its path
 * @path_len: bytes in @path
 * @why: a sentence when it fails
 * @len: bytes in @why
 *
 * Return: 0, -EOPNOTSUPP when the file would not be DAX, or -errno.
 */
int fsdax_file(const struct fsdax *f, const char *name, size_t bytes, char *path,
	       size_t path_len, char *why, size_t len);

/**
 * fsdax_allocate() - blocks that can be mapped by pmd entries
 * @fd: a file of ours, with no blocks in this range
 * @off: bytes, a multiple of a pmd entry
 * @len: bytes
 *
 * Waits for blocks that other files freed, if there are no others.
 *
 * Return: 0, -EXDEV when they are not aligned to pmd entries, or -errno.
 */
int fsdax_allocate(int fd, off_t off, off_t len);

/**
 * fsdax_is_dax() - does the kernel say that a file is mapped directly?
 * @fd: the file
 *
 * Return: 0, also where the kernel does not say; -EOPNOTSUPP when the file goes by the
 * page cache; or -errno.
 */
int fsdax_is_dax(int fd);

/**
 * struct fsdax_extent - where a part of a file lies
 * @logical: offset in the file, bytes
 * @physical: offset in the block device, bytes
 * @len: bytes
 * @unwritten: allocated, and reads as zeroes
 * @shared: other files have it, too
 */
struct fsdax_extent {
	uint64_t logical;
	uint64_t physical;
	uint64_t len;
	bool unwritten;
	bool shared;
};

/**
 * fsdax_extents() - the extents of a file (FS_IOC_FIEMAP)
 * @fd: the file
 * @e: filled, in order
 * @max: entries in @e
 *
 * What was written is brought to the device first (FIEMAP_FLAG_SYNC).
 *
 * Return: how many, -E2BIG when there are more, or -errno.
 */
int fsdax_extents(int fd, struct fsdax_extent *e, unsigned int max);

/**
 * fsdax_physical() - where in the block device a byte of a file lies
 * @path: the file
 * @off: bytes from its start
 * @physical: set
 *
 * Return: 0, -ENODATA for a hole, or -errno.
 */
int fsdax_physical(const char *path, off_t off, uint64_t *physical);

#endif
