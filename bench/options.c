// SPDX-License-Identifier: GPL-2.0-only
/* The command line of pmem_bench. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "lib/timeline.h"

static void bench_usage(FILE *f)
{
	const struct job_method *m;

	fprintf(f,
		"pmem_bench: throughput and latency of persistent memory, by every interface to it\n\n"
		"usage: pmem_bench [OPTION]... [DIRECTORY|FILE|DEVICE]\n"
		"  DIRECTORY    an unnamed temporary file (O_TMPFILE) in it\n"
		"  FILE         an existing file, with -o: its data is lost\n"
		"  DEVICE       of a namespace that is offered, see pmem_io -h\n"
		"  none         all namespaces that are offered: as device-dax, with file systems,\n"
		"               as block devices\n\n"
		"  -t GLOB      jobs, MEMORY.PAGE.JOB or MEMORY.JOB; may be repeated\n"
		"  -s BYTES,... of an operation (4k)\n"
		"  -q N,...     requests in flight (1,16)\n"
		"  -n N,...     threads (1 and the number of CPUs)\n"
		"  -T SECONDS   duration of each measurement (1)\n"
		"  -z BYTES     of the range (32m; all of a file)\n"
		"  -B DEVICE    device-dax device whose memory serves as registered buffers\n"
		"  -o           FILE exists and may be overwritten\n"
		"  -j FILE      also write the results as JSON\n"
		"  -l           list the jobs\n\n"
		"exit status: 0 all that this machine can do was measured, 1 something failed,\n"
		"4 nothing could be measured, 2 bad usage\n\n"
		"jobs:\n");
	for_each_job_method(m)
		fprintf(f, "  %-20s %s\n", m->name, m->what);
	fprintf(f, "  %-20s %s\n", "touch",
		"the first store into each page table entry of a mapping, and the second one");
}

/* "64", "4k", "2m", "1g"; 0 for anything else */
static size_t parse_size(const char *text, char **end)
{
	static const char units[] = "kmg";
	const char *unit;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, end, 10);
	if (*end == text || text[0] == '-' || errno)
		return 0;
	unit = **end ? strchr(units, **end | 0x20) : NULL;
	if (!unit)
		return n;
	(*end)++;
	for (int i = 0; i <= unit - units; i++) {
		if (n > SIZE_MAX >> 10)
			return 0;
		n <<= 10;
	}
	return n;
}

static int parse_axis(struct bench_axis *a, char option, const char *text, size_t most)
{
	const char *at = text;
	char *end;

	a->nr = 0;
	do {
		size_t n = parse_size(at, &end);

		if (!n || n > most || a->nr == BENCH_VALUES || (*end && *end != ','))
			return bench_say(BENCH_USAGE, "-%c %s is invalid: give up to %d numbers from 1 to %zu, separated by commas",
					 option, text, BENCH_VALUES, most);
		a->value[a->nr++] = n;
		at = end + 1;
	} while (*end);
	return -1;
}

static int parse_one(size_t *n, char option, const char *text)
{
	char *end;

	*n = parse_size(text, &end);
	if (!*n || *end)
		return bench_say(BENCH_USAGE, "-%c %s is invalid: give a number such as 64m",
				 option, text);
	return -1;
}

static int parse_duration(struct bench *b, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (*end || !(seconds >= 0.01 && seconds <= 86400))
		return bench_say(BENCH_USAGE, "-T %s is invalid: give seconds, 0.01 to 86400",
				 text);
	b->ns = seconds * NSEC_PER_SEC;
	return -1;
}

static int open_json(struct bench *b, const char *path)
{
	b->json = fopen(path, "we");
	return b->json ? -1 : bench_say(BENCH_USAGE, "cannot write %s: %s", path, strerror(errno));
}

/* -1 to go on, else an exit status */
static int parse_option(struct bench *b, int opt)
{
	switch (opt) {
	case 't':
		if (b->nr_globs == BENCH_VALUES)
			return bench_say(BENCH_USAGE, "more than %d globs", BENCH_VALUES);
		b->globs[b->nr_globs++] = optarg;
		return -1;
	case 's':
		return parse_axis(&b->blocks, opt, optarg, JOB_BLOCK_MAX);
	case 'q':
		return parse_axis(&b->depths, opt, optarg, JOB_DEPTH_MAX);
	case 'n':
		return parse_axis(&b->threads, opt, optarg, RATE_THREADS);
	case 'T':
		return parse_duration(b, optarg);
	case 'z':
		return parse_one(&b->bytes, opt, optarg);
	case 'B':
		b->buf_dev = optarg;
		return -1;
	case 'o':
		b->overwrite = true;
		return -1;
	case 'j':
		return open_json(b, optarg);
	case 'l':
		b->list = true;
		return -1;
	case 'h':
		bench_usage(stdout);
		return BENCH_GOOD;
	}
	return BENCH_USAGE;
}

int bench_options(struct bench *b, int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int opt, ret = -1;

	b->ns = NSEC_PER_SEC;
	b->blocks = (struct bench_axis){ 1, { 4096 } };
	b->depths = (struct bench_axis){ 2, { 1, 16 } };
	b->threads = (struct bench_axis){ cpus > 1 ? 2 : 1,
					  { 1, cpus < (long)RATE_THREADS ? cpus : RATE_THREADS } };
	while (ret < 0 && (opt = getopt(argc, argv, "t:s:q:n:T:z:B:oj:lh")) != -1)
		ret = parse_option(b, opt);
	if (ret < 0 && optind + 1 < argc)
		return bench_say(BENCH_USAGE, "unexpected argument '%s': give one directory, file or device",
				 argv[optind + 1]);
	return ret;
}
