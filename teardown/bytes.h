/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Patterns in files and block devices, by read(2) and write(2) instead of a mapping.
 */
#ifndef DAX_TEARDOWN_BYTES_H
#define DAX_TEARDOWN_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* for bytes_check(): the bytes need only be readable */
#define TAG_ANY		0

/**
 * bytes_write() - write a pattern into a file or block device
 * @path: file
 * @off: offset in it, bytes
 * @len: bytes
 * @tag: tag of the pattern
 * @as: offset that the first word is written for
 *
 * Return: 0; -EIO after a short write; or -errno.
 */
int bytes_write(const char *path, off_t off, size_t len, uint16_t tag, uint64_t as);

/**
 * bytes_sync() - open a file, fsync(2) it, close it
 * @path: file
 *
 * Return: 0 or -errno.
 */
int bytes_sync(const char *path);

/**
 * bytes_check() - read and compare with the pattern that bytes_write() wrote
 * @path: file
 * @off: offset in it, bytes
 * @len: bytes
 * @tag: tag of the pattern, or TAG_ANY
 * @as: offset that the first word was written for
 * @why: the first wrong word, in a sentence; may be NULL
 * @why_len: bytes in @why
 *
 * Return: 0; -EILSEQ for wrong bytes; -EIO after a short read; or -errno.
 */
int bytes_check(const char *path, off_t off, size_t len, uint16_t tag, uint64_t as, char *why,
		size_t why_len);

#endif
