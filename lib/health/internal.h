/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files behind health.h share; nobody else includes it but the unit
 * tests.
 */
#ifndef DAX_LIB_HEALTH_INTERNAL_H
#define DAX_LIB_HEALTH_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/health/health.h"

/* Longer lines are cut: what matters of an oops stands at their beginning. */
#define HEALTH_LINE_MAX	256
/* Enough for some faults and a diff; a report is read by people. */
#define HEALTH_TEXT_MAX	4096
/* A kernel that is falling apart repeats itself: only the first are quoted. */
#define HEALTH_FAULTS_MAX 8

/**
 * struct health_lines - findings, one a line, bounded
 * @text: NUL-terminated
 * @len: bytes in @text
 * @more: lines that found no room
 */
struct health_lines {
	char text[HEALTH_TEXT_MAX];
	size_t len;
	unsigned int more;
};

void health_lines_clear(struct health_lines *l);
void health_lines_add(struct health_lines *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* say how many lines found no room; the last call on @l */
void health_lines_finish(struct health_lines *l);

/* a file or a listing as text, grown as needed */
struct health_snapshot {
	char *text;
	size_t len;
	size_t size;
};

void health_snapshot_free(struct health_snapshot *s);
int health_snapshot_file(struct health_snapshot *s, int fd);
int health_snapshot_devices(struct health_snapshot *s);
/*
 * names of devices without their numbers, "dax0.1" as "dax#".  Where @addresses come
 * first in a line they make the order; else the lines are sorted anew.
 */
void health_snapshot_anonymous(struct health_snapshot *s, bool addresses);
bool health_snapshot_same(const struct health_snapshot *a,
			  const struct health_snapshot *b);
/* the lines that are only in one of the two, each as "@what: gone: ..." */
void health_snapshot_diff(const struct health_snapshot *was,
			  const struct health_snapshot *now, const char *what,
			  struct health_lines *l);

/**
 * struct health_record - one record of /dev/kmsg
 * @facility: 0 is the kernel; the kernel never gives it to user space's lines
 * @level: 0 (emergency) to 7 (debug)
 * @cont: goes on where the last record ended
 * @msg: inside the raw record, not NUL-terminated
 * @len: bytes in @msg
 */
struct health_record {
	unsigned int facility;
	unsigned int level;
	bool cont;
	const char *msg;
	size_t len;
};

/* 0 or -EINVAL */
int health_record_parse(const char *raw, size_t raw_len,
			struct health_record *r);

/**
 * struct health_fault - one fault, which usually has many lines
 * @head: its first telling line
 * @where: the function it happened in, "" if not said (yet)
 */
struct health_fault {
	char head[2 * HEALTH_LINE_MAX + 2];
	char where[HEALTH_LINE_MAX];
};

/**
 * struct health_log - a reader of /dev/kmsg with its own cursor
 * @fd: the cursor
 * @overrun: records were lost
 * @before: what is read now was so before health_begin()
 * @minus: counters that were negative then, each in blanks: no news any more
 * @poisoned: lines seen that tell of memory failure
 * @poison: the first of them
 * @nr: faults seen; the first HEALTH_FAULTS_MAX are in @fault
 * @fault: what was said about each
 * @open: the newest fault is still being told
 * @cut: "cut here" was seen, and not yet what it announces
 * @said: the text of a WARN(), which comes before its WARNING: line
 * @pending: a line that may be continued
 * @is_pending: there is one
 */
struct health_log {
	int fd;
	bool overrun;
	bool before;
	char minus[HEALTH_LINE_MAX];
	unsigned int poisoned;
	char poison[HEALTH_LINE_MAX];
	unsigned int nr;
	struct health_fault fault[HEALTH_FAULTS_MAX];
	bool open;
	bool cut;
	char said[HEALTH_LINE_MAX];
	char pending[4 * HEALTH_LINE_MAX];
	bool is_pending;
};

int health_log_open(struct health_log *log);
void health_log_close(struct health_log *log);
/* forget what was read; the cursor stays */
void health_log_reset(struct health_log *log);
/* forget what is unread */
int health_log_skip(struct health_log *log);
/* read up to the newest record */
int health_log_drain(struct health_log *log);
/* one raw record, as read(2) gives it */
void health_log_feed(struct health_log *log, const char *raw, size_t len);
/* nothing follows for now: the pending line is complete */
void health_log_flush(struct health_log *log);
void health_log_report(const struct health_log *log, struct health_lines *l);

/* -errno, or 0; *taint gets the mask */
int health_taint_parse(const char *text, uint64_t *taint);
void health_taint_report(uint64_t was, uint64_t now, struct health_lines *l);
/* a counter of /proc/vmstat; -ENOENT when this kernel has no such line */
int health_vmstat_find(const char *text, const char *name, uint64_t *value);

#endif
