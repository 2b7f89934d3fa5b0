/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the oracles and health.c share.  Only they and the unit tests include it.
 */
#ifndef DAX_LIB_HEALTH_INTERNAL_H
#define DAX_LIB_HEALTH_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/health/health.h"
#include "lib/registry.h"

/* Longer lines are cut: the beginning of an oops says most. */
#define HEALTH_LINE_MAX	256
/* Enough for some faults and a diff; people read the report. */
#define HEALTH_TEXT_MAX	4096
/* A failing kernel repeats itself: only the first faults are quoted. */
#define HEALTH_FAULTS_MAX 8

/**
 * struct health_lines - findings, one a line, bounded
 * @text: NUL-terminated
 * @len: bytes in @text
 * @more: lines that did not fit
 */
struct health_lines {
	char text[HEALTH_TEXT_MAX];
	size_t len;
	unsigned int more;
};

void health_lines_clear(struct health_lines *l);
void health_lines_add(struct health_lines *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* add the number of lines that did not fit; the last call on @l */
void health_lines_finish(struct health_lines *l);

/**
 * struct oracle - one check of the kernel's state
 * @name: a word, unique; NULL ends an array
 * @bit: HEALTH_* where scenarios ignore it; else 0, and the next free bit is used
 * @of: an entry further up in the same array whose state this one judges, too, so that
 *	it has nothing but a @judge of its own; NULL for a state of its own
 * @settles: @read waits for the state to come back, so it is read before the others
 * @events: the state is a queue of events.  There is one, which @read empties before
 *	the test case (what @judge finds in it then is health_stray()) and again after
 *	it, when all others were read: reading them may log something itself.
 * @size: bytes of a state; allocated and zeroed by health_open(), one for before and one
 *	for after a test case
 * @open: open the files of a state, which stay open: test cases are children, each
 *	of which would have to open them.  May be NULL.
 * @read: read into a state.  The second argument is NULL before the test case, and after
 *	it the state before.
 * @judge: compare the state before with that after (@events: twice the one state), add
 *	a line for each finding, return whether there is one
 * @renumber: remove numbers of devices from a state, see health_renumbered(); may be NULL
 * @free: free what a state holds, not the state itself; also after @open has failed.
 *	May be NULL.
 *
 * @open and @read return 0, -ENOENT or -EOPNOTSUPP where this kernel lacks it, which
 * leaves the oracle out, or another -errno.
 */
struct oracle {
	const char *name;
	unsigned int bit;
	const struct oracle *of;
	bool settles;
	bool events;
	size_t size;
	int (*open)(void *state);
	int (*read)(void *state, void *before);
	bool (*judge)(const void *before, const void *after, struct health_lines *l);
	void (*renumber)(void *state);
	void (*free)(void *state);
};

REGISTRY(oracles, struct oracle);

/**
 * struct health_snapshot - a file or a listing as text, which grows as needed
 * @text: NUL-terminated; NULL before the first use
 * @len: bytes in @text
 * @size: bytes allocated
 * @fd: the file, after health_snapshot_open()
 * @is_open: @fd is valid
 *
 * All zero is an empty snapshot.
 */
struct health_snapshot {
	char *text;
	size_t len;
	size_t size;
	int fd;
	bool is_open;
};

/* 0 or -errno */
int health_snapshot_open(struct health_snapshot *s, const char *path);
/* read the whole file from its start; 0 or -errno */
int health_snapshot_read(struct health_snapshot *s);
/* append a line and its newline; 0 or -ENOMEM */
int health_snapshot_add(struct health_snapshot *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* sort the lines; 0 or -ENOMEM */
int health_snapshot_sort(struct health_snapshot *s);
/* close the file, free the text */
void health_snapshot_free(struct health_snapshot *s);
/*
 * Replace numbers in device names, "dax0.1" by "dax#".  Lines that begin with
 * @addresses keep these and their order; others are sorted again.
 */
void health_snapshot_anonymous(struct health_snapshot *s, bool addresses);
bool health_snapshot_same(const struct health_snapshot *a,
			  const struct health_snapshot *b);
/* add the lines that only one of the two has, each as "@what: gone: ..." or "new" */
void health_snapshot_diff(const struct health_snapshot *was,
			  const struct health_snapshot *now, const char *what,
			  struct health_lines *l);
/* a counter in the text of /proc/vmstat; 0, or -ENOENT when there is none */
int health_vmstat_find(const char *text, const char *name, uint64_t *value);

/* the devices of the dax and nd buses: "bus device: driver", sorted; 0 or -errno */
int health_devices_read(struct health_snapshot *s);

/* parse /proc/sys/kernel/tainted; 0 or -EINVAL */
int health_taint_parse(const char *text, uint64_t *taint);
/* add a line for each new bit; returns whether there is one */
bool health_taint_report(uint64_t was, uint64_t now, struct health_lines *l);

/* does a line of the kernel log, without its prefix, report a fault? */
bool health_log_is_fault(const char *line);

/**
 * struct health_record - one record of /dev/kmsg
 * @facility: 0 is the kernel; the kernel never gives it to lines of user space
 * @level: 0 (emergency) to 7 (debug)
 * @cont: continues the record before
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
 * @head: its first line that says what happened
 * @where: the function in which it happened, "" while unknown
 */
struct health_fault {
	char head[2 * HEALTH_LINE_MAX + 2];
	char where[HEALTH_LINE_MAX];
};

/**
 * struct health_log - a reader of /dev/kmsg with a position of its own
 * @fd: the log
 * @is_open: @fd is valid
 * @overrun: records were lost
 * @before: lines read now were logged before the test case
 * @minus: counters that were negative before the test case, each between blanks
 * @poisoned: number of lines that report a memory failure
 * @poison: the first of them
 * @nr: number of faults; the first HEALTH_FAULTS_MAX are in @fault
 * @fault: their lines
 * @open: lines that follow still belong to the newest fault
 * @cut: "cut here" was read, and its WARNING: or BUG line was not
 * @said: the message of a WARN(), which comes before its WARNING: line
 * @pending: a line that may be continued
 * @is_pending: there is one
 */
struct health_log {
	int fd;
	bool is_open;
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

/* forget what was read; the position stays */
void health_log_reset(struct health_log *log);
/* parse one raw record, as read(2) returns it */
void health_log_feed(struct health_log *log, const char *raw, size_t len);
/* the pending line is complete */
void health_log_flush(struct health_log *log);
/* add a line for each fault */
void health_log_report(const struct health_log *log, struct health_lines *l);

#endif
