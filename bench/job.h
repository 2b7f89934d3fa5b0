/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Jobs: one method of moving block after block of a file, a device or memory, for
 * pmem_bench.
 *
 * Each family of methods is a file in this folder that registers its entries.  Unlike
 * the methods of lib/io/, which move any range and are there to compare bytes, nothing
 * but the system call is between the caller and the memory.
 */
#ifndef DAX_BENCH_JOB_H
#define DAX_BENCH_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/daxmap.h"

/* properties of a method */
#define JOB_WRITES	0x01u	/* changes the bytes */
#define JOB_MAPS	0x02u	/* through a mapping: device-dax devices and files */
#define JOB_DEEP	0x04u	/* keeps @depth of struct bench_job requests in flight */
#define JOB_DRAM	0x08u	/* ordinary memory, to compare with */
#define JOB_USER_BUF	0x10u	/* its buffers are mapped from @buf_dev of struct bench_job */
#define JOB_DIRECT	0x20u	/* offset, length and buffer aligned to sectors */

/* Largest block, bytes. */
#define JOB_BLOCK_MAX	(64UL << 20)

/* Most requests in flight. */
#define JOB_DEPTH_MAX	1024u

struct bench_job;

/**
 * struct job_tally - the caller's record of the operations of a job
 * @add: called after each operation with its duration in nanoseconds
 * @until_ns: no operation starts at or after this time of CLOCK_MONOTONIC, nanoseconds
 * @ops: number of operations
 */
struct job_tally {
	void (*add)(struct job_tally *t, uint64_t ns);
	uint64_t until_ns;
	uint64_t ops;
};

/**
 * struct job_method - one method
 * @name: last word of the job's name, stable
 * @what: one sentence for -h
 * @lacks: why this build cannot carry it out; NULL when it can.  With @lacks none of
 *	the functions need be set
 * @flags: JOB_*
 * @variant: for the family's own use: which of its members this is
 * @open: allocates and opens; 0 or -errno, with a sentence in @why of struct bench_job
 *	where there is more to say
 * @once: moves the block at @at, bytes from the start of the file; 0 or -errno
 * @run: instead of @once: moves blocks until the time is up; 0 or -errno
 * @close: frees; NULL if there is nothing to free; also called after a failed @open
 */
struct job_method {
	const char *name;
	const char *what;
	const char *lacks;
	unsigned int flags;
	unsigned int variant;
	int (*open)(struct bench_job *j);
	int (*once)(struct bench_job *j, size_t at);
	int (*run)(struct bench_job *j, struct job_tally *t);
	void (*close)(struct bench_job *j);
};

/**
 * job_method_next() - visit all methods that are linked
 * @m: a method; NULL for the first
 *
 * Return: the method after @m, NULL when it was the last.
 */
const struct job_method *job_method_next(const struct job_method *m);

#define for_each_job_method(m) for (m = job_method_next(NULL); m; m = job_method_next(m))

/**
 * job_method_find() - look a method up
 * @name: its name
 *
 * Return: the method, or NULL if there is none of that name.
 */
const struct job_method *job_method_find(const char *name);

/**
 * struct bench_job - a method on a file, a device or memory
 * @method: the method
 * @node: file or device; not owned
 * @buf_dev: device-dax device that buffers are mapped from; not owned, may be NULL
 * @size: page table level of the mapping
 * @start: start of the range, bytes, a multiple of @block
 * @bytes: length of the range, bytes
 * @block: length of one operation, bytes
 * @depth: requests in flight
 * @fd: descriptor of @node, owned; -1 for none
 * @map: the mapping of @node, or ordinary memory
 * @buf: @depth blocks, source or destination of the operations; owned
 * @buf_map: the mapping of @buf_dev that @buf lies in
 * @why: a sentence when it failed, else empty
 * @priv: the method's own
 */
struct bench_job {
	const struct job_method *method;
	const char *node;
	const char *buf_dev;
	enum daxmap_size size;
	size_t start;
	size_t bytes;
	size_t block;
	unsigned int depth;
	int fd;
	struct daxmap map;
	char *buf;
	struct daxmap buf_map;
	char why[160];
	void *priv;
};

/**
 * job_open() - make a job ready
 * @j: its first eight members are set, the others are filled; the caller owns it until
 *	job_close(), which is not due after a failure
 *
 * Return: 0; -EOPNOTSUPP when kernel, memory or build lacks something; -EINVAL for
 * invalid numbers; or -errno.
 */
int job_open(struct bench_job *j);

/**
 * job_pass() - move each block of the range once
 * @j: opened
 *
 * Return: 0 or -errno; 0 without moving anything for methods without @once.
 */
int job_pass(struct bench_job *j);

/**
 * job_run() - move block after block until the time is up
 * @j: opened
 * @t: what to call after each operation, and the time
 *
 * Return: 0 or -errno.
 */
int job_run(struct bench_job *j, struct job_tally *t);

/**
 * job_close() - close and free everything
 * @j: opened; may be closed twice
 */
void job_close(struct bench_job *j);

#endif
