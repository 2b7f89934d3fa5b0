/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ways in which bytes get into a file or device, and out of it.  One table
 * (io_methods), one entry and its functions each.
 */
#ifndef DAX_LIB_IO_H
#define DAX_LIB_IO_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/daxmap.h"

/* what a way can do, and what it wants */
#define IO_PATH_READS	0x01u
#define IO_PATH_WRITES	0x02u
#define IO_PATH_ALIGNED	0x04u	/* offset and length in units of iopath.unit */
#define IO_PATH_MAPS	0x08u	/* goes through a mapping: nothing behind the end */
#define IO_PATH_DEVDAX	0x10u	/* is there for a device-dax device */
#define IO_PATH_FILES	0x20u	/* is there for regular files only */

/* No transfer is longer, bytes. */
#define IO_PATH_MAX	(64UL << 20)

struct io_path;

/**
 * struct io_method - one way
 * @name: the word in the cell's name, stable
 * @what: one sentence for -h
 * @flags: IO_PATH_*
 * @variant: the family's own
 * @open: 0, or -EOPNOTSUPP with a sentence in iopath.why when kernel or file system
 *	lacks it, or another -errno
 * @read: all of the bytes, or -errno; NULL where it cannot
 * @write: likewise
 * @close: frees; NULL for nothing to free; also after a failed @open
 */
struct io_method {
	const char *name;
	const char *what;
	unsigned int flags;
	unsigned int variant;
	int (*open)(struct io_path *p);
	int (*read)(struct io_path *p, off_t off, void *buf, size_t len);
	int (*write)(struct io_path *p, off_t off, const void *buf, size_t len);
	void (*close)(struct io_path *p);
};

/* all of them, in the order of the cells; ends with an entry without a name */
extern const struct io_method io_methods[];

/** io_method_find() - by name; NULL if there is none */
const struct io_method *io_method_find(const char *name);

/**
 * struct io_scratch - where bytes may pass through
 * @file: path of a file on the same file system; NULL where there is none, not owned
 * @device: a block device of at least IO_PATH_MAX bytes that keeps what is written;
 *	likewise
 */
struct io_scratch {
	const char *file;
	const char *device;
};

/**
 * struct io_path - one way to one file or device
 * @method: how
 * @node: the file or device; not owned
 * @beside: for bytes on their way
 * @bytes: what is mapped where a way goes through a mapping
 * @size: level of that mapping
 * @unit: what offsets and lengths are multiples of; 1 where any will do
 * @fd: descriptor of @node, owned; -1 for none
 * @other: descriptor of whatever the bytes pass through, owned; -1 for none
 * @why: a sentence when it failed, else empty
 * @priv: the method's own
 */
struct io_path {
	const struct io_method *method;
	const char *node;
	struct io_scratch beside;
	size_t bytes;
	enum daxmap_size size;
	size_t unit;
	int fd;
	int other;
	char why[160];
	void *priv;
};

/**
 * io_path_open() - make ready
 * @p: filled; the caller owns it until io_path_close()
 * @m: one of io_methods
 * @node: file or device; has to stay as long as @p
 * @beside: what there is; NULL for nothing
 * @bytes: see struct io_path
 * @size: see struct io_path
 *
 * Return: 0; -EOPNOTSUPP when it cannot be had here, with the reason in @p->why;
 * else another -errno.
 */
int io_path_open(struct io_path *p, const struct io_method *m, const char *node,
		 const struct io_scratch *beside, size_t bytes, enum daxmap_size size);

/**
 * io_path_read() - all of a range
 * @p: open, of a method that reads
 * @off: bytes, a multiple of @p->unit
 * @buf: aligned to a page
 * @len: bytes, a multiple of @p->unit, at most IO_PATH_MAX
 *
 * Return: 0, -ENODATA when the file ends before, or -errno.
 */
int io_path_read(struct io_path *p, off_t off, void *buf, size_t len);

/**
 * io_path_write() - all of a range
 * @p: open, of a method that writes
 * @off: bytes, a multiple of @p->unit
 * @buf: aligned to a page
 * @len: bytes, a multiple of @p->unit, at most IO_PATH_MAX
 *
 * Return: 0 or -errno.
 */
int io_path_write(struct io_path *p, off_t off, const void *buf, size_t len);

/** io_path_close() - give everything back; safe to call twice */
void io_path_close(struct io_path *p);

#endif
