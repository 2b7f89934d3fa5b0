/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pmem_io: I/O through persistent memory.
 *
 * Each file of this folder is a subject and ends with its scenarios: bytes written by
 * one I/O method (lib/io/) are read back by all others, across page boundaries, holes,
 * EOF and unbind.  methods.c opens all methods on the memory under test and has the
 * byte pattern; the cells follow from the methods that are linked.
 */
#ifndef DAX_IO_H
#define DAX_IO_H

#include <stdio.h>

#include "lib/io/io_method.h"
#include "suite/suite.h"

/* page sizes of a file: they matter to methods that map it */
#define AT_FILE		(AT_PTE | AT_PMD)

/* most methods on one memory */
#define IO_PATHS_MAX	32

/* size of a file or block device that is read and written, bytes */
#define IO_BYTES	(8u << 20)

/**
 * struct io_paths - one file or device, opened by every method
 * @c: the cell
 * @scratch: path of the file that bytes may move through
 * @nr: number of paths
 * @path: one for each method that this memory and kernel have
 */
struct io_paths {
	struct cell *c;
	char scratch[NODE_LEN];
	unsigned int nr;
	struct io_path path[IO_PATHS_MAX];
};

/**
 * io_paths_open() - open the cell's memory by every method that is there
 * @w: filled; the caller owns it until io_paths_close(), also when it failed
 * @c: the cell
 * @bytes: length of mappings
 *
 * Return: true, or false with the cell failed.
 */
bool io_paths_open(struct io_paths *w, struct cell *c, size_t bytes);

/**
 * io_paths_close() - close all paths and remove the scratch file
 * @w: from io_paths_open(), or all zero
 */
void io_paths_close(struct io_paths *w);

/**
 * io_paths_find() - the path of one method
 * @w: open
 * @name: name of the method
 *
 * Return: the path, or NULL with the cell skipped.
 */
struct io_path *io_paths_find(struct io_paths *w, const char *name);

/**
 * io_next_word() - @next_word of scenarios with a cell for each I/O method
 * @m: kind of memory
 * @size: page size; methods without a mapping are tried at the smallest one only
 * @word: name of a method, NULL for the first
 *
 * Return: name of the next method that this memory has, or NULL.
 */
const char *io_next_word(const struct memory *m, enum daxmap_size size, const char *word);

/**
 * io_usage() - print the I/O methods and the durability methods, for -h
 * @f: where to
 */
void io_usage(FILE *f);

/**
 * io_byte() - the byte pattern
 * @off: offset of the byte
 * @round: number of the write; 0 for the contents before
 *
 * Return: the byte that write @round leaves at @off.
 */
unsigned char io_byte(size_t off, unsigned int round);

/**
 * io_fill() - fill a buffer with the pattern
 * @to: @len bytes
 * @off: offset of the first byte
 * @len: bytes
 * @round: number of the write
 */
void io_fill(unsigned char *to, size_t off, size_t len, unsigned int round);

/**
 * io_wrong() - find the first byte that is not the pattern's
 * @bytes: @len bytes
 * @off: offset of the first byte
 * @len: bytes
 * @round: number of the write
 *
 * Return: the offset of the wrong byte, or -1.
 */
ssize_t io_wrong(const unsigned char *bytes, size_t off, size_t len, unsigned int round);

/**
 * io_buffer() - allocate a buffer for read and write
 * @c: the cell
 * @bytes: its length
 *
 * Return: memory aligned to a page, to be freed, or NULL with the cell failed.
 */
unsigned char *io_buffer(struct cell *c, size_t bytes);

#endif
