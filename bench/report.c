// SPDX-License-Identifier: GPL-2.0-only
/* Messages and results of pmem_bench: tables, and JSON. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/stream.h"
#include "lib/io/flush.h"
#include "lib/timeline.h"

#define MIB	(1024.0 * 1024)

static const char *const percentile_names[RATE_PERCENTILES] = {
	"p50", "p90", "p99", "p99.9", "p99.99"
};

int bench_say(int status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "pmem_bench: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

/* "64", "4k", "2m" */
static const char *bytes_word(char word[24], size_t bytes)
{
	if (bytes && !(bytes % (1 << 20)))
		snprintf(word, 24, "%zum", bytes >> 20);
	else if (bytes && !(bytes % (1 << 10)))
		snprintf(word, 24, "%zuk", bytes >> 10);
	else
		snprintf(word, 24, "%zu", bytes);
	return word;
}

static double us(double ns)
{
	return ns / 1000;
}

static void json_text(FILE *f, const char *name, const char *text, const char *after)
{
	fprintf(f, "\"%s\": \"", name);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', f);
		if ((unsigned char)*text >= ' ')
			fputc(*text, f);
	}
	fprintf(f, "\"%s", after);
}

void report_begin(const struct bench *b)
{
	struct utsname u = { 0 };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	uname(&u);
	printf("kernel %s, %ld CPUs, write-back by %s, streaming stores by %s, %.1f s each\n\n",
	       u.release, cpus, flush_name(), stream_name(), (double)b->ns / NSEC_PER_SEC);
	if (!b->json)
		return;
	fprintf(b->json, "{\n ");
	json_text(b->json, "kernel", u.release, ",\n ");
	json_text(b->json, "machine", u.machine, ",\n ");
	json_text(b->json, "write_back", flush_name(), ",\n ");
	json_text(b->json, "streaming", stream_name(), ",\n ");
	fprintf(b->json, "\"cpus\": %ld,\n \"seconds\": %.3f,\n \"jobs\": [", cpus,
		(double)b->ns / NSEC_PER_SEC);
}

static void heading(const struct bench *b)
{
	if (b->rows)
		return;
	printf("%-6s %-4s %-20s %5s %5s %3s %9s %9s | %8s %8s %8s %9s us\n", "memory", "page",
	       "job", "block", "depth", "thr", "MiB/s", "ops/s", "p50", "p99", "p99.9", "max");
}

void report_rate(struct bench *b, const struct bench_place *p, const struct bench_job *j,
		 unsigned int threads, const struct rate *r)
{
	const char *page = j->method->flags & JOB_MAPS ? daxmap_name(p->size) : "-";
	double seconds = (double)r->ns / NSEC_PER_SEC;
	char block[24];

	heading(b);
	printf("%-6s %-4s %-20s %5s %5u %3u %9.1f %9.0f | %8.2f %8.2f %8.2f %9.2f\n", p->memory,
	       page, j->method->name, bytes_word(block, j->block), j->depth, threads,
	       r->bytes / MIB / seconds, r->ops / seconds, us(r->percentile_ns[0]),
	       us(r->percentile_ns[2]), us(r->percentile_ns[3]), us(r->max_ns));
	fflush(stdout);
	if (b->json) {
		fprintf(b->json, "%s\n  {", b->rows ? "," : "");
		json_text(b->json, "memory", p->memory, ", ");
		json_text(b->json, "page", page, ", ");
		json_text(b->json, "job", j->method->name, ", ");
		fprintf(b->json,
			"\"block\": %zu, \"depth\": %u, \"threads\": %u, \"range\": %zu, \"ops\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"bytes_per_second\": %.0f, \"ops_per_second\": %.1f,\n   \"latency_ns\": {\"min\": %llu, \"mean\": %.1f, \"max\": %llu",
			j->block, j->depth, threads, j->bytes, (unsigned long long)r->ops,
			(unsigned long long)r->bytes, seconds, r->bytes / seconds,
			r->ops / seconds, (unsigned long long)r->min_ns, r->mean_ns,
			(unsigned long long)r->max_ns);
		for (int i = 0; i < RATE_PERCENTILES; i++)
			fprintf(b->json, ", \"%s\": %llu", percentile_names[i],
				(unsigned long long)r->percentile_ns[i]);
		fprintf(b->json, "}}");
	}
	b->rows++;
}

void report_touch(struct bench *b, const struct bench_place *p, size_t bytes,
		  const struct touch *t)
{
	struct bench_touch *more = realloc(b->touch, (b->touches + 1) * sizeof(*more));

	if (!more) {
		b->failed++;
		return;
	}
	b->touch = more;
	b->touch[b->touches++] = (struct bench_touch){
		.memory = p->memory, .size = p->size, .bytes = bytes, .cost = *t,
	};
}

static void touch_line(const struct bench_touch *t)
{
	const struct touch *c = &t->cost;
	char word[24];

	printf("%-6s %-4s %9s %9zu %9lu | %9.1f %9.1f | %9.1f %9.1f\n", t->memory,
	       daxmap_name(t->size), bytes_word(word, t->bytes), c->entries, c->faults,
	       us(c->map_ns), us(c->unmap_ns), (double)c->first_ns / c->entries,
	       (double)c->steady_ns / c->entries);
}

static void touch_json(FILE *f, const struct bench_touch *t)
{
	const struct touch *c = &t->cost;

	json_text(f, "memory", t->memory, ", ");
	json_text(f, "page", daxmap_name(t->size), ", ");
	fprintf(f,
		"\"bytes\": %zu, \"entries\": %zu, \"faults\": %lu, \"rounds\": %u, \"mmap_ns\": %llu, \"first_ns\": %llu, \"steady_ns\": %llu, \"munmap_ns\": %llu}",
		t->bytes, c->entries, c->faults, c->rounds, (unsigned long long)c->map_ns,
		(unsigned long long)c->first_ns, (unsigned long long)c->steady_ns,
		(unsigned long long)c->unmap_ns);
}

/* for each memory and page size: the time for the most bytes, relative to the least */
static void touch_growth(const struct bench *b)
{
	for (unsigned int i = 0, last; i < b->touches; i = last + 1) {
		const struct bench_touch *least = &b->touch[i], *most;

		for (last = i; last + 1 < b->touches && b->touch[last + 1].size == least->size &&
		     !strcmp(b->touch[last + 1].memory, least->memory); last++)
			;
		most = &b->touch[last];
		if (most == least)
			continue;
		printf("%s.%s: %.0f times the bytes, %.1f times the time of first touch\n",
		       least->memory, daxmap_name(least->size),
		       (double)most->bytes / least->bytes,
		       (double)most->cost.first_ns / least->cost.first_ns);
	}
}

static void touch_table(const struct bench *b)
{
	if (!b->touches)
		return;
	printf("\nthe first store into each page table entry, and the second one\n");
	printf("%-6s %-4s %9s %9s %9s | %9s %9s | %9s %9s\n", "memory", "page", "bytes",
	       "entries", "faults", "mmap us", "munmap us", "first ns", "again ns");
	for (unsigned int i = 0; i < b->touches; i++)
		touch_line(&b->touch[i]);
	touch_growth(b);
	fflush(stdout);
}

void report_note(const char *name, const char *why)
{
	printf("# %s: %s\n", name, why);
	fflush(stdout);
}

int report_end(struct bench *b)
{
	int ret = 0;

	touch_table(b);
	if (b->json) {
		fprintf(b->json, "%s],\n \"touch\": [", b->rows ? "\n " : "");
		for (unsigned int i = 0; i < b->touches; i++) {
			fprintf(b->json, "%s\n  {", i ? "," : "");
			touch_json(b->json, &b->touch[i]);
		}
		fprintf(b->json, "%s],\n \"failed\": %u\n}\n", b->touches ? "\n " : "", b->failed);
		if (ferror(b->json))
			ret = -EIO;
		if (fclose(b->json) && !ret)
			ret = -errno;
	}
	b->json = NULL;
	free(b->touch);
	b->touch = NULL;
	return ret;
}
