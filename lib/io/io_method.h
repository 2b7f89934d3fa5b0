/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ways in which bytes get into a file or device, and out of it.  One table
 * (iopath_methods), one entry and its functions each.
 */
#ifndef DAX_LIB_IOPATH_H
#define DAX_LIB_IOPATH_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/daxmap.h"

/* what a way can do, and what it wants */
#define IOPATH_READS	0x01u
#define IOPATH_WRITES	0x02u
#define IOPATH_ALIGNED	0x04u	/* offset and length in units of iopath.unit */
#define IOPATH_MAPS	0x08u	/* goes through a mapping: nothing behind the end */
#define IOPATH_DEVDAX	0x10u	/* is there for a device-dax device */
#define IOPATH_FILES	0x20u	/* is there for regular files only */

/* No transfer is longer, bytes. */
#define IOPATH_MAX	(64UL << 20)

struct iopath;

/**
 * struct iopath_method - one way
 * @name: the word in the cell's name, stable
 * @what: one sentence for -h
 * @flags: IOPATH_*
 * @variant: the family's own
 * @open: 0, or -EOPNOTSUPP with a sentence in iopath.why when kernel or file system
 *	lacks it, or another -errno
 * @read: all of the bytes, or -errno; NULL where it cannot
 * @write: likewise
 * @close: frees; NULL for nothing to free; also after a failed @open
 */
struct iopath_method {
	const char *name;
	const char *what;
	unsigned int flags;
	unsigned int variant;
	int (*open)(struct iopath *p);
	int (*read)(struct iopath *p, off_t off, void *buf, size_t len);
	int (*write)(struct iopath *p, off_t off, const void *buf, size_t len);
	void (*close)(struct iopath *p);
};

/* all of them, in the order of the cells; ends with an entry without a name */
extern const struct iopath_method iopath_methods[];

/** iopath_find() - by name; NULL if there is none */
const struct iopath_method *iopath_find(const char *name);

/**
 * struct iopath_beside - where bytes may pass through
 * @file: path of a file on the same file system; NULL where there is none, not owned
 * @device: a block device of at least IOPATH_MAX bytes that keeps what is written;
 *	likewise
 */
struct iopath_beside {
	const char *file;
	const char *device;
};

/**
 * struct iopath - one way to one file or device
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
struct iopath {
	const struct iopath_method *method;
	const char *node;
	struct iopath_beside beside;
	size_t bytes;
	enum daxmap_size size;
	size_t unit;
	int fd;
	int other;
	char why[160];
	void *priv;
};

/**
 * iopath_open() - make ready
 * @p: filled; the caller owns it until iopath_close()
 * @m: one of iopath_methods
 * @node: file or device; has to stay as long as @p
 * @beside: what there is; NULL for nothing
 * @bytes: see struct iopath
 * @size: see struct iopath
 *
 * Return: 0; -EOPNOTSUPP when it cannot be had here, with the reason in @p->why;
 * else another -errno.
 */
int iopath_open(struct iopath *p, const struct iopath_method *m, const char *node,
		const struct iopath_beside *beside, size_t bytes, enum daxmap_size size);

/**
 * iopath_read() - all of a range
 * @p: open, of a method that reads
 * @off: bytes, a multiple of @p->unit
 * @buf: aligned to a page
 * @len: bytes, a multiple of @p->unit, at most IOPATH_MAX
 *
 * Return: 0, -ENODATA when the file ends before, or -errno.
 */
int iopath_read(struct iopath *p, off_t off, void *buf, size_t len);

/**
 * iopath_write() - all of a range
 * @p: open, of a method that writes
 * @off: bytes, a multiple of @p->unit
 * @buf: aligned to a page
 * @len: bytes, a multiple of @p->unit, at most IOPATH_MAX
 *
 * Return: 0 or -errno.
 */
int iopath_write(struct iopath *p, off_t off, const void *buf, size_t len);

/** iopath_close() - give everything back; safe to call twice */
void iopath_close(struct iopath *p);

#endif
