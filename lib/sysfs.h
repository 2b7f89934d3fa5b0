/* SPDX-License-Identifier: GPL-2.0-only */
/* Small text files of sysfs, procfs, configfs and tracefs. */
#ifndef DAX_LIB_SYSFS_H
#define DAX_LIB_SYSFS_H

#include <stddef.h>

/**
 * sysfs_write() - write a text to a file in one write(2)
 * @path: an existing file; it is neither created nor truncated
 * @text: NUL-terminated; written without its NUL, and no newline is added
 *
 * Return: 0, -errno of open(2) or write(2), or -EIO when the kernel took only a part.
 */
int sysfs_write(const char *path, const char *text);

/**
 * sysfs_read() - read a file of at most one read(2)
 * @path: the file
 * @buf: set to the text, NUL-terminated and cut where it does not fit; "" on error
 * @len: bytes in @buf, at least 1
 *
 * Return: 0, or -errno of open(2) or read(2).
 */
int sysfs_read(const char *path, char *buf, size_t len);

/**
 * sysfs_read_line() - read the first line of a file
 * @path: the file
 * @buf: set to the line without its newline, as by sysfs_read()
 * @len: bytes in @buf, at least 1
 *
 * Return: 0, or -errno of open(2) or read(2).
 */
int sysfs_read_line(const char *path, char *buf, size_t len);

#endif
