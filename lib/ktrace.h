/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traces a teardown inside the kernel: kprobe events on its steps, in a tracefs instance
 * of its own.  On request, also the results of pmd faults on DAX files.
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
 * @faults: ktrace_faults_on() has succeeded
 *
 * Plain data: with a copy in shared memory the guardian can remove the probes.
 */
struct ktrace {
	char group[32];
	unsigned int probes;
	bool faults;
};

/**
 * struct ktrace_faults - faults on files that the kernel tried to resolve by a pmd entry
 * @done: all of them
 * @fallback: those that it then left to smaller entries
 */
struct ktrace_faults {
	unsigned int done;
	unsigned int fallback;
};

/* ktrace_create() names its group and instance by this and an id */
#define KTRACE_PREFIX	"ksft_dax_"

/**
 * ktrace_create() - put probes on kill_dax, unmap_mapping_range,
 *	memunmap_pages (entry and return) and arch_remove_memory
 * @t: filled; the caller ends it by ktrace_destroy()
 * @id: unique among runs
 *
 * Functions that cannot be probed are left out.  The clock is mono, the clock of struct
 * timeline.  tracefs has to be mounted already.  Probes and instance of an earlier run
 * with the same id are removed first; tracing by others is not affected.
 *
 * @t->group is set before anything is created, so that a copy taken at any time after
 * that is enough to clean up; it is "" again when this fails.
 *
 * Return: 0, or -errno when no probe could be set (-ENOENT: no tracefs).
 */
int ktrace_create(struct ktrace *t, unsigned int id);

/**
 * ktrace_clear() - discard the recorded events
 * @t: created
 *
 * Return: 0 or -errno.
 */
int ktrace_clear(const struct ktrace *t);

/**
 * ktrace_read() - list the events since ktrace_clear()
 * @t: created
 * @pid: only events of this task; 0 for all
 * @since_ns: CLOCK_MONOTONIC time that becomes 0 ms in the text
 * @buf: set to the text, one event a line: "12.345 ms kill_dax"
 * @len: bytes in @buf, at least 1; a line that does not fit is left out
 *
 * Events before @since_ns are left out.  The events stay recorded.
 *
 * Return: number of events, including those that did not fit into @buf, or -errno.
 */
int ktrace_read(const struct ktrace *t, int pid, uint64_t since_ns, char *buf,
		size_t len);

/**
 * ktrace_destroy() - remove instance and probes
 * @t: created, or a copy of it; nothing happens when its group is "" or was
 *	removed before
 *
 * Return: 0 or the first -errno; it continues after an error.
 */
int ktrace_destroy(const struct ktrace *t);

/**
 * ktrace_faults_on() - also record the event fs_dax:dax_pmd_fault_done
 * @t: created; ktrace_destroy() ends it
 *
 * Return: 0, or -errno where the kernel has no such event (-ENOENT).
 */
int ktrace_faults_on(struct ktrace *t);

/**
 * ktrace_faults_read() - count the pmd faults since ktrace_clear()
 * @t: created, ktrace_faults_on() has succeeded
 * @tid: count faults of this task only
 * @f: filled
 *
 * Return: 0 or -errno.
 */
int ktrace_faults_read(const struct ktrace *t, int tid, struct ktrace_faults *f);

/**
 * ktrace_parse_fault() - parse the end of a pmd fault in a trace
 * @line: one line of the instance's trace file
 * @tid: set to the task
 * @fallback: set when the fault was left to smaller entries
 *
 * Exposed for unit tests.
 *
 * Return: 0, or -EINVAL when it is not the end of a pmd fault.
 */
int ktrace_parse_fault(const char *line, int *tid, bool *fallback);

/**
 * ktrace_parse_line() - parse the event of a probe in a trace
 * @line: one line of the instance's trace file
 * @pid: set to the task
 * @ns: set to its time, CLOCK_MONOTONIC with a resolution of a microsecond
 * @text: set to the event's name in the report, a constant
 *
 * Exposed for unit tests.
 *
 * Return: 0, or -EINVAL when it is none of the probes' events.
 */
int ktrace_parse_line(const char *line, int *pid, uint64_t *ns, const char **text);

#endif
