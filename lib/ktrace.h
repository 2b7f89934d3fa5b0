/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The order seen inside the kernel: kprobe events on the steps of a teardown,
 * in a tracefs instance of its own.  And, for who asks for it, how faults on files
 * ended by pmd entries.
 */
#ifndef DAX_LIB_KTRACE_H
#define DAX_LIB_KTRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct ktrace - the probes of one run
 * @group: name of the event group and of the instance; "" when not set up
 * @probes: number of functions that could be probed
 * @faults: ktrace_faults_on() was called, and the kernel has the event
 *
 * Plain data: a copy in shared memory serves the guardian to remove it.
 */
struct ktrace {
	char group[32];
	unsigned int probes;
	bool faults;
};

/**
 * struct ktrace_faults - faults on files that were tried by a pmd entry
 * @done: all of them
 * @fallback: those that the kernel then left to smaller entries
 */
struct ktrace_faults {
	unsigned int done;
	unsigned int fallback;
};

/* ktrace_create() names its group and instance so, and an id */
#define KTRACE_PREFIX	"ksft_dax_"

/**
 * ktrace_create() - put probes on kill_dax, unmap_mapping_range,
 *	memunmap_pages (entry and return) and arch_remove_memory
 * @t: filled
 * @id: unique among runs
 *
 * Functions that cannot be probed are left out.  The clock is mono, the clock
 * of struct timeline.  tracefs has to be mounted already.  What a dead run of
 * the same id left behind is removed first; nobody else's tracing is touched.
 *
 * @t->group is set before anything is created, so that a copy taken at any time
 * afterwards is enough to clean up; it is "" again when this fails.
 *
 * Return: 0, or -errno when no probe could be set (-ENOENT: no tracefs).
 */
int ktrace_create(struct ktrace *t, unsigned int id);

/** ktrace_clear() - forget what was recorded; 0 or -errno */
int ktrace_clear(const struct ktrace *t);

/**
 * ktrace_read() - what happened since ktrace_clear()
 * @t: created
 * @pid: only events of this task; 0 for all
 * @since_ns: CLOCK_MONOTONIC time that becomes 0 ms in the text
 * @buf: text, one event a line: "12.345 ms kill_dax"
 * @len: bytes in @buf, at least 1; lines that find no room are left out whole
 *
 * Events before @since_ns are left out.  Nothing is consumed.
 *
 * Return: number of events, those without room in @buf included, or -errno.
 */
int ktrace_read(const struct ktrace *t, int pid, uint64_t since_ns, char *buf,
		size_t len);

/**
 * ktrace_destroy() - remove instance and probes
 * @t: created, or a copy of it; "" as its group is fine, and so is twice
 *
 * Return: 0 or the first -errno; goes on after an error.
 */
int ktrace_destroy(const struct ktrace *t);

/**
 * ktrace_faults_on() - record the event fs_dax:dax_pmd_fault_done, too
 * @t: created; ktrace_destroy() ends it
 *
 * Return: 0, or -errno where the kernel has no such event (-ENOENT).
 */
int ktrace_faults_on(struct ktrace *t);

/**
 * ktrace_faults_read() - the faults since ktrace_clear()
 * @t: created, ktrace_faults_on() has succeeded
 * @tid: of this task only
 * @f: filled
 *
 * Return: 0 or -errno.
 */
int ktrace_faults_read(const struct ktrace *t, int tid, struct ktrace_faults *f);

/**
 * ktrace_parse_fault() - one line of the instance's trace file
 * @line: text
 * @tid: task
 * @fallback: the fault was left to smaller entries
 *
 * Exposed for unit tests.
 *
 * Return: 0, or -EINVAL when it is not the end of a pmd fault.
 */
int ktrace_parse_fault(const char *line, int *tid, bool *fallback);

/**
 * ktrace_parse_line() - one line of the instance's trace file
 * @line: text
 * @pid: task
 * @ns: CLOCK_MONOTONIC, to the microsecond
 * @text: what happened; lives as long as the program
 *
 * Exposed for unit tests.
 *
 * Return: 0, or -EINVAL when it is not one of our events.
 */
int ktrace_parse_line(const char *line, int *pid, uint64_t *ns, const char **text);

#endif
