/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of pmem_io have in common.
 */
#ifndef DAX_IO_H
#define DAX_IO_H

#include "lib/io/io_method.h"
#include "lib/io/record.h"
#include "suite/suite.h"

/* page sizes of a file: they matter to what maps it */
#define AT_FILE		(AT_PTE | AT_PMD)

/* no more ways than this are in the table */
#define IO_PATHS	24

/* Of a file or block device that is read and written, bytes. */
#define IO_BYTES	(8u << 20)

/**
 * struct ways - every way to one file or device
 * @c: the cell
 * @beside: path of a file for bytes on their way
 * @nr: how many
 * @path: those that can be had here
 */
struct ways {
	struct cell *c;
	char beside[NODE_LEN];
	unsigned int nr;
	struct io_path path[IO_PATHS];
};

/**
 * ways_open() - open all that this memory and kernel have
 * @w: filled; until ways_close(), also when it failed
 * @c: the cell
 * @bytes: that a mapping shows
 *
 * Return: true, or false with the cell failed.
 */
bool ways_open(struct ways *w, struct cell *c, size_t bytes);

/** ways_close() - give all back */
void ways_close(struct ways *w);

/**
 * ways_find() - one of them by name
 * @w: open
 * @name: as in io_methods
 *
 * Return: it, or NULL with the cell skipped.
 */
struct io_path *ways_find(struct ways *w, const char *name);

/** io_byte() - the byte that a store called @round leaves at @off */
unsigned char io_byte(size_t off, unsigned int round);

/** io_fill() - @len bytes of a store at @off */
void io_fill(unsigned char *to, size_t off, size_t len, unsigned int round);

/** io_wrong() - offset of the first byte that is none of the store, or -1 */
ssize_t io_wrong(const unsigned char *bytes, size_t off, size_t len, unsigned int round);

/** io_buffer() - memory for @bytes, aligned to a page; or NULL with the cell failed */
unsigned char *io_buffer(struct cell *c, size_t bytes);

/* io_large.c */

/* Of a file or device for the largest transfers, which begin a little behind its start. */
#define LARGE_BYTES	(IO_PATH_MAX + (2u << 20))

/* io_node.c */

/** node_is_device() - a block device or a character device? */
bool node_is_device(const char *path);

/**
 * node_offered() - may a device be written to?
 * @path: of its node, below /dev
 * @ns: filled: the namespace it is of
 * @why: a sentence when it may not
 * @len: bytes in @why
 *
 * Return: 0, -ENODEV when it was not offered, or as ns_set_find().
 */
int node_offered(const char *path, struct test_ns *ns, char *why, size_t len);

/* io_append.c */

/* Of a log, bytes. */
#define LOG_BYTES	((size_t)RECORD_SLOT * RECORD_SLOTS)

/**
 * struct durability - when a way calls its bytes durable
 * @name: as on the command line, stable
 * @what: one sentence
 * @path: one of io_methods
 * @keep: makes the record at @off durable, 0 or -errno; NULL where the write itself has,
 *	or where nothing is promised
 * @nothing: nothing is promised: a control
 */
struct durability {
	const char *name;
	const char *what;
	const char *path;
	int (*keep)(struct io_path *p, off_t off);
	bool nothing;
};

/** durability_find() - by name; NULL if there is none */
const struct durability *durability_find(const char *name);

/**
 * durability_ready() - an empty log: no record of an earlier one is taken for one of ours
 * @node: file or device
 * @mapped: by the promise's way, which wants a file to be as long as a log
 *
 * Durable when it returns.
 *
 * Return: 0 or -errno.
 */
int durability_ready(const char *node, bool mapped);

/** durability_open() - the promise's way to a log; as io_path_open() */
int durability_open(struct io_path *p, const struct durability *m, const char *node);

/** durability_write() - a record, made durable; @slot for RECORD_SLOT bytes; 0 or -errno */
int durability_write(struct io_path *p, const struct durability *m, void *slot, uint64_t seq);

/** durability_look() - is it there?  0, -ENODATA, -EILSEQ, -ESTALE for another one, -errno */
int durability_look(struct io_path *p, void *slot, uint64_t seq);

/** durability_fate() - a word for what durability_look() says */
const char *durability_fate(int ret);

/** io_log() - append to a log, or verify one, by the words of main(); exit status */
int io_log(int argc, char **argv);

#endif
