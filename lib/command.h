/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs such as mkfs and fsck, run without a shell. */
#ifndef DAX_LIB_COMMAND_H
#define DAX_LIB_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/**
 * command_run() - run a program to its end
 * @argv: its name and arguments, the last is NULL; searched for in /usr/sbin, /usr/bin,
 *	/sbin and /bin, PATH is not used
 * @status: set to its exit status; may be NULL, and then a status other than 0 is an error
 * @why: set to the name of the program and the last line that it printed, or to the
 *	reason why it was not run
 * @len: bytes in @why
 *
 * Its input is /dev/null, its environment only LC_ALL=C.  It is killed when the caller
 * dies.
 *
 * Return: 0, -ENOENT when there is no such program, -EIO when it was killed by a signal or
 * (without @status) failed, or another -errno.
 */
int command_run(const char *const argv[], int *status, char *why, size_t len);

/**
 * command_exists() - is a program installed?
 * @name: its name
 *
 * Return: true if command_run() finds it.
 */
bool command_exists(const char *name);

#endif
