/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pmem_bench: jobs, places to run them on, and the report.
 *
 * job.h has the jobs, which move blocks; rate.h runs one by several threads and
 * measures it; touch.h measures page faults; stream.h has non-temporal stores.
 * pmem_log.c is a program of its own: a log for power cuts.
 */
#ifndef DAX_BENCH_H
#define DAX_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/job.h"
#include "bench/rate.h"
#include "bench/touch.h"

/* most values of one axis, and globs, on a command line */
#define BENCH_VALUES	16

/* exit status, as of the suite's programs */
enum { BENCH_GOOD = 0, BENCH_BAD = 1, BENCH_USAGE = 2, BENCH_SKIPPED = 4 };

/**
 * struct bench_axis - the values of one axis
 * @nr: number of values
 * @value: the values
 */
struct bench_axis {
	unsigned int nr;
	size_t value[BENCH_VALUES];
};

/**
 * struct bench_touch - cost of mapping some memory
 * @memory: first word of the job's name
 * @size: page table level of the mapping
 * @bytes: its length
 * @cost: measured
 */
struct bench_touch {
	const char *memory;
	enum daxmap_size size;
	size_t bytes;
	struct touch cost;
};

/**
 * struct bench - the command line and the results
 * @globs: jobs picked; none for all
 * @nr_globs: number of globs
 * @blocks: lengths of an operation, bytes
 * @depths: numbers of requests in flight
 * @threads: numbers of threads
 * @ns: duration of each measurement, nanoseconds
 * @bytes: length of the range; 0 for the whole file or device, or a default
 * @buf_dev: device-dax device whose memory serves as buffers; NULL for none
 * @overwrite: an existing file may be overwritten
 * @list: list the jobs only
 * @json: also gets the results; NULL for none
 * @rows: number of rates reported
 * @touches: number of entries in @touch
 * @touch: costs of mappings; freed by report_end()
 * @failed: number of measurements that failed, other than by -EOPNOTSUPP
 */
struct bench {
	const char *globs[BENCH_VALUES];
	unsigned int nr_globs;
	struct bench_axis blocks;
	struct bench_axis depths;
	struct bench_axis threads;
	uint64_t ns;
	size_t bytes;
	const char *buf_dev;
	bool overwrite;
	bool list;
	FILE *json;
	unsigned int rows;
	unsigned int touches;
	struct bench_touch *touch;
	unsigned int failed;
};

/**
 * struct bench_place - memory that jobs run on
 * @memory: first word of the job's name
 * @mapped: can be mapped as DAX memory
 * @called: can be read and written by system calls
 * @size: page table level of mappings
 * @node: file or device; NULL for ordinary memory
 * @bytes: length of the range
 */
struct bench_place {
	const char *memory;
	bool mapped;
	bool called;
	enum daxmap_size size;
	const char *node;
	size_t bytes;
};

/**
 * bench_options() - parse the command line
 * @b: filled
 * @argc: of main()
 * @argv: of main()
 *
 * Return: -1 to go on, else the exit status.
 */
int bench_options(struct bench *b, int argc, char **argv);

/**
 * bench_say() - print an error message
 * @status: exit status
 * @fmt: the message, as printf(3) has it
 *
 * Return: @status.
 */
int bench_say(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * report_begin() - report the machine
 * @b: the command line
 */
void report_begin(const struct bench *b);

/**
 * report_rate() - report a rate: a line of the table, and an object in the JSON
 * @b: @rows is increased
 * @p: the memory
 * @j: the job
 * @threads: number of threads
 * @r: measured
 */
void report_rate(struct bench *b, const struct bench_place *p, const struct bench_job *j,
		 unsigned int threads, const struct rate *r);

/**
 * report_touch() - keep the cost of a mapping for report_end()
 * @b: @touch gets another entry
 * @p: the memory
 * @bytes: length of the mapping
 * @t: measured
 */
void report_touch(struct bench *b, const struct bench_place *p, size_t bytes,
		  const struct touch *t);

/**
 * report_note() - report why there is no line
 * @name: of the job
 * @why: the reason
 */
void report_note(const char *name, const char *why);

/**
 * report_end() - report the costs of mappings, finish the JSON
 * @b: @json is closed, @touch freed
 *
 * Return: 0, or -errno when the JSON could not be written.
 */
int report_end(struct bench *b);

#endif
