/* SPDX-License-Identifier: GPL-2.0-only */
/* The state of processes and threads, from /proc. */
#ifndef DAX_LIB_PROC_H
#define DAX_LIB_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct proc_stat - what /proc/PID/stat says about a task
 * @state: letter of proc_pid_stat(5): 'R', 'S', 'D', 'Z', ...
 * @start: time of its start in clock ticks since boot; with the PID it identifies the
 *	task, since a PID is used again
 */
struct proc_stat {
	char state;
	uint64_t start;
};

/**
 * proc_stat() - read a task's state
 * @pid: a process, or a thread by its thread id
 * @s: filled; all zero on error
 *
 * Return: 0, -ENOENT or -ESRCH when there is no such task, -EINVAL when the line has
 * another form, or another -errno.
 */
int proc_stat(pid_t pid, struct proc_stat *s);

/**
 * proc_start_time() - when a task was started
 * @pid: a process or thread
 *
 * Return: as &proc_stat.start; 0 when there is no such task.
 */
uint64_t proc_start_time(pid_t pid);

/**
 * proc_is_running() - is a task alive, and the same as before?
 * @pid: a process or thread
 * @start: its proc_start_time()
 *
 * A zombie, which only waits for its parent, is not alive.
 *
 * Return: true when it is alive.
 */
bool proc_is_running(pid_t pid, uint64_t start);

/**
 * proc_stat_parse() - parse the text of /proc/PID/stat
 * @text: the text, NUL-terminated
 * @s: filled; all zero on error
 *
 * Exposed for unit tests.
 *
 * Return: 0 or -EINVAL.
 */
int proc_stat_parse(const char *text, struct proc_stat *s);

#endif
