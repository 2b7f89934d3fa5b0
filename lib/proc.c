// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/proc.h"
#include "lib/sysfs.h"

/* fields of /proc/PID/stat, counted from 1 as in proc_pid_stat(5) */
enum {
	FIELD_COMM = 2,
	FIELD_START = 22,
};

int proc_stat_parse(const char *text, struct proc_stat *s)
{
	/* the name may hold blanks, brackets and newlines: the last ')' ends it */
	const char *at = strrchr(text, ')');
	int field = FIELD_COMM;
	char state;

	memset(s, 0, sizeof(*s));
	if (!at || at[1] != ' ' || !isalpha((unsigned char)at[2]))
		return -EINVAL;
	state = at[2];
	for (; at && field < FIELD_START; field++)
		at = strchr(at + 1, ' ');
	if (!at || !isdigit((unsigned char)at[1]))
		return -EINVAL;
	s->state = state;
	s->start = strtoull(at + 1, NULL, 10);
	return 0;
}

int proc_stat(pid_t pid, struct proc_stat *s)
{
	/* 52 fields of at most 20 digits */
	char path[32], text[1200];
	int err;

	memset(s, 0, sizeof(*s));
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	err = sysfs_read(path, text, sizeof(text));
	return err ? err : proc_stat_parse(text, s);
}

uint64_t proc_start_time(pid_t pid)
{
	struct proc_stat s;

	return proc_stat(pid, &s) ? 0 : s.start;
}

bool proc_is_running(pid_t pid, uint64_t start)
{
	struct proc_stat s;

	return !proc_stat(pid, &s) && s.start == start && s.state != 'Z' && s.state != 'X';
}
