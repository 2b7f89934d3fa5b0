/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs of the system, run without a shell: mkfs, fsck.
 */
#ifndef DAX_LIB_COMMAND_H
#define DAX_LIB_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/**
 * command_run() - run a program to its end
 * @argv: its name and arguments, ends with NULL; looked for in the directories
 *	where system programs lie, whatever PATH says
 * @status: its exit status; may be NULL, and then anything but 0 is an error
 * @why: the last line it printed, or why it could not be run
 * @len: bytes in @why
 *
 * Input is /dev/null, the environment only LC_ALL=C.
 *
 * Return: 0, -ENOENT when there is no such program, -EIO when it died of a
 * signal or (without @status) failed, or another -errno.
 */
int command_run(const char *const argv[], int *status, char *why, size_t len);

/** command_exists() - could command_run() find this program? */
bool command_exists(const char *name);

#endif
