/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ways in which user space moves bytes into a file or device, and out of it.
 *
 * Each family of methods is a file in this folder that registers its entries; a file
 * that is left out of the build takes its methods and their cells along.  io_method.c
 * has the functions that tests call.  durability.h: when is a write durable; record.h,
 * flush.h: the records and the CPU's cache lines that it needs.
 */
#ifndef DAX_LIB_IO_METHOD_H
#define DAX_LIB_IO_METHOD_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/daxmap.h"
#include "lib/mem/select.h"
#include "lib/test_mem.h"

/* properties of a method */
#define IO_ALIGNED	0x01u	/* offset and length are multiples of @unit of struct io_path */
#define IO_MAPS		0x02u	/* goes through a mapping: ends where the file ends */
#define IO_COPIES	0x04u	/* needs as much space again on the file system */
#define IO_PINS		0x08u	/* the kernel pins pages of the mapping */
#define IO_SELF		0x10u	/* tried with a mapping of the same file as buffer */

/* Largest transfer, bytes. */
#define IO_PATH_MAX	(64UL << 20)

struct io_path;

/**
 * struct io_method - one way to read and write
 * @name: the word in the cell's name, stable
 * @what: one sentence for -h
 * @lacks: why this build cannot carry it out; NULL when it can.  With @lacks none of
 *	the functions need be set
 * @on: memory that it can be used on
 * @flags: IO_*
 * @variant: for the family's own use: which of its members this is
 * @open: allocates and opens; returns 0, or -EOPNOTSUPP when kernel or file system
 *	lacks it, or another -errno, with a sentence in @why of struct io_path
 * @read: reads the whole range; 0 or -errno
 * @write: writes the whole range; 0 or -errno
 * @close: frees; NULL if there is nothing to free; also called after a failed @open
 */
struct io_method {
	const char *name;
	const char *what;
	const char *lacks;
	struct mem_select on;
	unsigned int flags;
	unsigned int variant;
	int (*open)(struct io_path *p);
	int (*read)(struct io_path *p, off_t off, void *buf, size_t len);
	int (*write)(struct io_path *p, off_t off, const void *buf, size_t len);
	void (*close)(struct io_path *p);
};

/**
 * io_method_next() - visit all methods that are linked
 * @m: a method; NULL for the first
 *
 * The order is that in which the families are linked.
 *
 * Return: the method after @m, NULL when it was the last.
 */
const struct io_method *io_method_next(const struct io_method *m);

#define for_each_io_method(m) for (m = io_method_next(NULL); m; m = io_method_next(m))

/**
 * io_method_find() - look a method up
 * @name: its name
 *
 * Return: the method, or NULL if there is none of that name.
 */
const struct io_method *io_method_find(const char *name);

/**
 * struct io_scratch - places that a method may move bytes through
 * @file: path of a file on the same file system; created if it is not there; NULL for
 *	none; not owned
 * @device: a block device of at least IO_PATH_MAX bytes, which loses its contents;
 *	NULL for none; not owned
 */
struct io_scratch {
	const char *file;
	const char *device;
};

/**
 * struct io_path - a method, opened on one file or device
 * @method: the method
 * @node: the file or device; not owned
 * @scratch: places to move bytes through
 * @bytes: length of the mapping, for methods that go through one
 * @size: page table level of that mapping
 * @unit: offsets and lengths are multiples of it, bytes; 1 for methods that take any
 * @fd: descriptor of @node, owned; -1 for none
 * @scratch_fd: descriptor of the place that bytes move through, owned; -1 for none
 * @why: a sentence when something failed, else empty
 * @priv: the method's own
 */
struct io_path {
	const struct io_method *method;
	const char *node;
	struct io_scratch scratch;
	size_t bytes;
	enum daxmap_size size;
	size_t unit;
	int fd;
	int scratch_fd;
	char why[160];
	void *priv;
};

/**
 * io_path_open() - open a file or device for one method
 * @p: filled; the caller owns it until io_path_close(), which is not due after a failure
 * @m: the method
 * @node: file or device; has to stay as long as @p
 * @scratch: places to move bytes through; NULL for none
 * @bytes: length of the mapping, a multiple of @size's; ignored by methods without one
 * @size: page table level of the mapping; likewise
 *
 * Return: 0; -EOPNOTSUPP when this build, kernel or memory cannot; else another
 * -errno.  @p->why says so each time.
 */
int io_path_open(struct io_path *p, const struct io_method *m, const char *node,
		 const struct io_scratch *scratch, size_t bytes, enum daxmap_size size);

/**
 * io_path_read() - read a whole range
 * @p: opened
 * @off: bytes, a multiple of @p->unit
 * @buf: @len bytes, aligned to a page
 * @len: bytes, a multiple of @p->unit, at most IO_PATH_MAX
 *
 * Return: 0; -ENODATA when the file ends before the range does; -EINVAL for numbers
 * that are not as above; or -errno.
 */
int io_path_read(struct io_path *p, off_t off, void *buf, size_t len);

/**
 * io_path_write() - write a whole range
 * @p: opened
 * @off: bytes, a multiple of @p->unit
 * @buf: @len bytes, aligned to a page
 * @len: bytes, a multiple of @p->unit, at most IO_PATH_MAX
 *
 * Return: 0; -EINVAL for numbers that are not as above; or -errno.
 */
int io_path_write(struct io_path *p, off_t off, const void *buf, size_t len);

/**
 * io_path_close() - close and free everything
 * @p: opened, or failed to open; may be closed twice
 */
void io_path_close(struct io_path *p);

#endif
