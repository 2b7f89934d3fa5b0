/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Things to measure the speed of: one block after the other of a file, a device or
 * memory, moved in one way.  One table (job_methods), one entry and its functions
 * each.
 *
 * Beside iopath.h, whose ways move any range and say whether the bytes are right: here
 * nothing stands between the caller and the system call.
 */
#ifndef DAX_BENCH_JOB_H
#define DAX_BENCH_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/daxmap.h"

#define JOB_WRITES	0x01u	/* changes the bytes */
#define JOB_MAPS	0x02u	/* through a mapping: device-dax devices and files */
#define JOB_DEEP	0x04u	/* keeps iojob.depth requests in flight */
#define JOB_DRAM	0x08u	/* memory of no file, to compare with */
#define JOB_LENT	0x10u	/* its buffers lie in iojob.lender */
#define JOB_DIRECT	0x20u	/* offset, length and buffer aligned to sectors */

/* No block is larger, bytes. */
#define JOB_BLOCK_MAX	(64UL << 20)

/* No more requests are in flight. */
#define JOB_DEPTH_MAX	1024u

struct bench_job;

/**
 * struct job_tally - who is told of each operation
 * @add: called with the nanoseconds of one
 * @until_ns: no operation begins at or after this moment of CLOCK_MONOTONIC
 * @ops: counts them
 */
struct job_tally {
	void (*add)(struct job_tally *t, uint64_t ns);
	uint64_t until_ns;
	uint64_t ops;
};

/**
 * struct job_method - one way
 * @name: stable
 * @what: one sentence for -h
 * @flags: JOB_*
 * @variant: the family's own
 * @open: 0, or -errno with a sentence in iojob.why where there is more to say
 * @once: moves the block at @at; 0 or -errno
 * @run: instead of @once: goes on until the time is up; 0 or -errno
 * @close: frees; also after a failed @open; NULL for nothing to free
 */
struct job_method {
	const char *name;
	const char *what;
	unsigned int flags;
	unsigned int variant;
	int (*open)(struct bench_job *j);
	int (*once)(struct bench_job *j, size_t at);
	int (*run)(struct bench_job *j, struct job_tally *t);
	void (*close)(struct bench_job *j);
};

/* all of them; ends with an entry without a name */
extern const struct job_method job_methods[];

/** job_find() - by name; NULL if there is none */
const struct job_method *job_find(const char *name);

/**
 * struct bench_job - one of them, on something
 * @method: how
 * @node: file or device; not owned
 * @lender: device-dax device whose memory the buffers are in; not owned, may be NULL
 * @size: level of the mapping
 * @start: of the range, bytes, a multiple of @block
 * @bytes: of the range
 * @block: bytes of one operation
 * @depth: requests in flight
 * @fd: of @node, owned; -1 for none
 * @map: the mapping of @node, or of memory
 * @buf: where the bytes come from and go to: @depth blocks, owned
 * @lent: the mapping that @buf lies in, if it is lent
 * @why: a sentence when it failed, else empty
 * @priv: the method's own
 */
struct bench_job {
	const struct job_method *method;
	const char *node;
	const char *lender;
	enum daxmap_size size;
	size_t start;
	size_t bytes;
	size_t block;
	unsigned int depth;
	int fd;
	struct daxmap map;
	char *buf;
	struct daxmap lent;
	char why[160];
	void *priv;
};

/**
 * job_open() - get ready
 * @j: its first eight members say what; the others are filled
 *
 * Return: 0; -EOPNOTSUPP when kernel, memory or build lacks what it takes; -EINVAL when
 * the numbers make no sense; or -errno.
 */
int job_open(struct bench_job *j);

/** job_pass() - once through the range; 0 or -errno; nothing for those without @once */
int job_pass(struct bench_job *j);

/** job_run() - one block after the other until @t's time is up; 0 or -errno */
int job_run(struct bench_job *j, struct job_tally *t);

/** job_close() - give everything back; safe to call twice */
void job_close(struct bench_job *j);

#endif
