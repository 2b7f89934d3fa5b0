/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ways in which a program makes a write durable, each after an I/O method, and a log of
 * records written by one of them.
 *
 * The records lie in a ring, see record.h.  A file or device holds one log.
 */
#ifndef DAX_LIB_IO_DURABILITY_H
#define DAX_LIB_IO_DURABILITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/io/io_method.h"
#include "lib/io/record.h"

/* Size of a log, bytes. */
#define LOG_BYTES	((size_t)RECORD_SLOT * RECORD_SLOTS)

/**
 * struct durability - one method of making a write durable
 * @name: on the command line and in the cell's name, stable
 * @what: one sentence for -h
 * @path: name of the I/O method that writes
 * @flush: makes the @len bytes at @off durable; 0 or -errno.  NULL where the write itself
 *	does so, or where nothing does: a control
 * @unbind_on: memory on which the scenarios check it across an unbind; NULL for none
 */
struct durability {
	const char *name;
	const char *what;
	const char *path;
	int (*flush)(struct io_path *p, off_t off, size_t len);
	const struct mem_select *unbind_on;
};

/**
 * durability_next() - visit all methods that are linked
 * @d: a method; NULL for the first
 *
 * Return: the method after @d, NULL when it was the last.
 */
const struct durability *durability_next(const struct durability *d);

#define for_each_durability(d) for (d = durability_next(NULL); d; d = durability_next(d))

/**
 * durability_find() - look a method up
 * @name: its name
 *
 * Return: the method, or NULL if there is none of that name.
 */
const struct durability *durability_find(const char *name);

/**
 * durability_create() - make an empty log
 * @d: the method that will write it
 * @node: a file, which is created or emptied, or a device
 *
 * Durable on return: no record of an earlier log can be taken for one of this log.
 *
 * Return: 0 or -errno.
 */
int durability_create(const struct durability *d, const char *node);

/**
 * durability_open() - open a log for writing
 * @p: filled; the caller owns it until io_path_close()
 * @d: the method
 * @node: from durability_create()
 *
 * Return: as io_path_open(); -EOPNOTSUPP when the I/O method is not linked.
 */
int durability_open(struct io_path *p, const struct durability *d, const char *node);

/**
 * durability_open_read() - open a log for reading
 * @p: filled; the caller owns it until io_path_close()
 * @node: from durability_create()
 *
 * Return: as durability_open().
 */
int durability_open_read(struct io_path *p, const char *node);

/**
 * durability_write() - write a record and make it durable
 * @p: from durability_open()
 * @d: the method
 * @slot: RECORD_SLOT bytes, aligned to a page; set to the record
 * @seq: number of the record, from 1
 *
 * Return: 0 or -errno.
 */
int durability_write(struct io_path *p, const struct durability *d, void *slot, uint64_t seq);

/**
 * durability_check() - read a record back
 * @p: from durability_open_read()
 * @slot: RECORD_SLOT bytes, aligned to a page; set to what is read
 * @seq: number of the record
 *
 * Return: 0; -ENODATA when there is none; -EILSEQ when it is torn; -ESTALE when there is
 * another one; or -errno.
 */
int durability_check(struct io_path *p, void *slot, uint64_t seq);

/**
 * durability_strerror() - the state of a record in words
 * @ret: from durability_check(), not 0
 *
 * Return: "torn", "lost", ..., or as strerror(3).
 */
const char *durability_strerror(int ret);

#endif
