/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pmem_io -b: what is measured, and how it is told.
 */
#ifndef DAX_IO_BENCH_H
#define DAX_IO_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/job.h"
#include "bench/rate.h"
#include "bench/touch.h"

/* values of one axis, and globs, on a command line */
#define BENCH_VALUES	16

/**
 * struct bench_axis - the values of one axis
 * @nr: how many
 * @value: each
 */
struct bench_axis {
	unsigned int nr;
	size_t value[BENCH_VALUES];
};

/**
 * struct bench_touch - what it costs to have some memory mapped
 * @memory: first word of the job's name
 * @size: level of the mapping
 * @bytes: of it
 * @cost: measured
 */
struct bench_touch {
	const char *memory;
	enum daxmap_size size;
	size_t bytes;
	struct touch cost;
};

/**
 * struct bench - the command line, and what has come of it
 * @globs: jobs picked; none for all
 * @nr_globs: how many
 * @blocks: bytes of an operation
 * @depths: requests in flight
 * @threads: at a time
 * @ns: of each measurement, nanoseconds
 * @bytes: of the range; 0 for what is there, or a default
 * @lender: device whose memory serves as buffers; NULL for none
 * @overwrite: a file that exists may be written to
 * @list: only the names
 * @json: where the numbers go beside the table; NULL for nowhere
 * @rows: measured so far
 * @touches: measured so far
 * @touch: each; freed by report_end()
 * @failed: so many could not be, for no good reason
 */
struct bench {
	const char *globs[BENCH_VALUES];
	unsigned int nr_globs;
	struct bench_axis blocks;
	struct bench_axis depths;
	struct bench_axis threads;
	uint64_t ns;
	size_t bytes;
	const char *lender;
	bool overwrite;
	bool list;
	FILE *json;
	unsigned int rows;
	unsigned int touches;
	struct bench_touch *touch;
	unsigned int failed;
};

/**
 * struct bench_place - what is measured on
 * @memory: first word of the job's name
 * @mapped: it can be mapped as DAX memory
 * @called: it can be read and written by system calls
 * @size: level of mappings
 * @node: file or device
 * @bytes: of it
 */
struct bench_place {
	const char *memory;
	bool mapped;
	bool called;
	enum daxmap_size size;
	const char *node;
	size_t bytes;
};

/** io_bench() - all of it, by the words of main(); exit status */
int io_bench(int argc, char **argv);

/* io_report.c */

/** report_begin() - what machine it is */
void report_begin(const struct bench *b);

/** report_rate() - one line of the table, and of the JSON */
void report_rate(struct bench *b, const struct bench_place *p, const struct bench_job *j,
		 unsigned int threads, const struct rate *r);

/** report_touch() - what it costs to have it mapped, kept for report_end() */
void report_touch(struct bench *b, const struct bench_place *p, size_t bytes,
		  const struct touch *t);

/** report_note() - why there is no line */
void report_note(const char *name, const char *why);

/** report_end() - the rest of tables and JSON; 0, or -errno when it could not be written */
int report_end(struct bench *b);

#endif
