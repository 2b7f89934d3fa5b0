// SPDX-License-Identifier: GPL-2.0-only
/*
 * pmem_bench: throughput and latency of persistent memory, by every interface to it; on
 * all that is offered, or on one directory, file or device.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"
#include "lib/guard.h"
#include "lib/mem/memory.h"
#include "lib/ns/offered.h"
#include "lib/timeline.h"

/* size of a file or range of a device, without -z, bytes */
#define BYTES_DEFAULT	(32UL << 20)

/* the range that is touched: this many bytes, four times as many, up to all of it */
#define TOUCH_LEAST	(1UL << 20)
#define TOUCH_FACTOR	4

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	stopped = 1;
}

static void job_name(char *name, size_t len, const struct bench_place *p, const char *job,
		     bool mapped)
{
	if (mapped)
		snprintf(name, len, "%s.%s.%s", p->memory, daxmap_name(p->size), job);
	else
		snprintf(name, len, "%s.%s", p->memory, job);
}

static bool picked(const struct bench *b, const char *name)
{
	for (unsigned int i = 0; i < b->nr_globs; i++)
		if (!fnmatch(b->globs[i], name, 0))
			return true;
	return !b->nr_globs;
}

/* does a glob match a job on memory of this name? */
static bool glob_matches(const char *glob, const char *memory)
{
	struct bench one = { .globs = { glob }, .nr_globs = 1 };
	struct bench_place p = { .memory = memory };
	const struct job_method *m;
	char name[96];

	for (p.size = DAXMAP_PTE; p.size < DAXMAP_NR; p.size++) {
		job_name(name, sizeof(name), &p, "touch", true);
		if (picked(&one, name))
			return true;
		for_each_job_method(m) {
			job_name(name, sizeof(name), &p, m->name, m->flags & JOB_MAPS);
			if (picked(&one, name))
				return true;
		}
	}
	return false;
}

static bool glob_is_known(const char *glob)
{
	const struct memory *m;

	for_each_memory(m)
		if (glob_matches(glob, m->name))
			return true;
	return glob_matches(glob, "dram") || glob_matches(glob, "file") ||
	       glob_matches(glob, "block");
}

static bool job_fits(const struct bench_place *p, const struct job_method *m)
{
	if (m->flags & JOB_DRAM)
		return !p->node;
	if (!p->node)
		return false;
	return m->flags & JOB_MAPS ? p->mapped : p->called;
}

/* false when it cannot work here, with any depth and number of threads */
static bool measure(struct bench *b, const struct bench_place *p, const char *name,
		    struct bench_job *j, unsigned int threads)
{
	char why[256] = "";
	struct rate r;
	int ret = rate_run(j, threads, b->ns, &r, why, sizeof(why));

	if (!ret) {
		report_rate(b, p, j, threads, &r);
		return true;
	}
	report_note(name, why);
	b->failed += ret != -EOPNOTSUPP;
	return ret != -EOPNOTSUPP;
}

static void run_method(struct bench *b, const struct bench_place *p,
		       const struct job_method *m, const char *name)
{
	struct bench_axis once = { 1, { 1 } };
	const struct bench_axis *depths = m->flags & JOB_DEEP ? &b->depths : &once;

	for (unsigned int s = 0; s < b->blocks.nr; s++)
		for (unsigned int q = 0; q < depths->nr; q++)
			for (unsigned int n = 0; n < b->threads.nr && !stopped; n++) {
				struct bench_job j = {
					.method = m, .node = p->node, .buf_dev = b->buf_dev,
					.size = p->size, .bytes = p->bytes,
					.block = b->blocks.value[s], .depth = depths->value[q],
				};

				if (!measure(b, p, name, &j, b->threads.value[n]))
					return;
			}
}

static void run_touch(struct bench *b, const struct bench_place *p, const char *name)
{
	size_t entry = daxmap_bytes(p->size), whole = p->bytes / entry * entry;
	size_t bytes = entry > TOUCH_LEAST ? entry : TOUCH_LEAST;

	while (whole && !stopped) {
		struct touch t;
		int ret;

		bytes = bytes < whole ? bytes : whole;
		ret = touch_cost(p->node, p->size, bytes, b->ns / 4, &t);
		if (ret) {
			report_note(name, strerror(-ret));
			b->failed++;
			return;
		}
		report_touch(b, p, bytes, &t);
		if (bytes == whole)
			return;
		bytes *= TOUCH_FACTOR;
	}
}

/* all jobs that are picked and fit a place; returns how many */
static unsigned int run_place(struct bench *b, const struct bench_place *p)
{
	const struct job_method *m;
	unsigned int found = 0;
	char name[96];

	for_each_job_method(m) {
		job_name(name, sizeof(name), p, m->name, m->flags & JOB_MAPS);
		if (stopped || !job_fits(p, m) || !picked(b, name))
			continue;
		found++;
		if (b->list)
			puts(name);
		else
			run_method(b, p, m, name);
	}
	return found;
}

static unsigned int touch_place(struct bench *b, const struct bench_place *p)
{
	char name[96];

	job_name(name, sizeof(name), p, "touch", true);
	if (!p->mapped || !picked(b, name) || stopped)
		return 0;
	if (b->list)
		puts(name);
	else
		run_touch(b, p, name);
	return 1;
}

/* is there a job for this place that is picked, at one of its page sizes? */
static bool place_picked(const struct bench *b, struct bench_place p, enum daxmap_size largest)
{
	const struct job_method *m;
	char name[96];

	for (; p.size <= largest; p.size++) {
		job_name(name, sizeof(name), &p, "touch", true);
		if (p.mapped && picked(b, name))
			return true;
		for_each_job_method(m) {
			job_name(name, sizeof(name), &p, m->name, m->flags & JOB_MAPS);
			if (job_fits(&p, m) && picked(b, name))
				return true;
		}
	}
	return false;
}

static unsigned int run_dram(struct bench *b, size_t bytes)
{
	struct bench_place dram = { .memory = "dram", .bytes = bytes };

	return run_place(b, &dram);
}

/* allocates all blocks: a hole would be read without the memory */
static int fill_zeroes(const char *node, size_t bytes)
{
	size_t chunk = 1 << 20;
	char *zeroes = calloc(1, chunk);
	int fd = open(node, O_RDWR | O_CLOEXEC), ret = 0;

	if (fd < 0 || !zeroes)
		ret = fd < 0 ? -errno : -ENOMEM;
	for (size_t at = 0; !ret && at < bytes;) {
		ssize_t n = pwrite(fd, zeroes, bytes - at < chunk ? bytes - at : chunk, at);

		if (!n)
			ret = -EIO;
		else if (n < 0 && errno != EINTR)
			ret = -errno;
		at += n > 0 ? n : 0;
	}
	if (!ret && fsync(fd))
		ret = -errno;
	if (fd >= 0)
		close(fd);
	free(zeroes);
	return ret;
}

/* mappings at each page size; system calls once */
static unsigned int run_levels(struct bench *b, struct bench_place *p, enum daxmap_size largest)
{
	unsigned int found = 0;

	for (p->size = DAXMAP_PTE; p->size <= largest; p->size++) {
		if (p->size > DAXMAP_PTE && p->bytes < daxmap_bytes(p->size))
			break;
		found += run_place(b, p);
		p->called = false;
	}
	for (p->size = DAXMAP_PTE; p->size <= largest; p->size++)
		if (p->bytes >= daxmap_bytes(p->size))
			found += touch_place(b, p);
	return found;
}

static int bench_status(struct bench *b, unsigned int found)
{
	int ret;

	if (b->list && found)
		return BENCH_GOOD;
	if (!found)
		return bench_say(BENCH_USAGE, "no job that fits this place matches; pmem_bench -l lists all");
	ret = report_end(b);
	if (ret)
		return bench_say(BENCH_BAD, "cannot write the JSON: %s", strerror(-ret));
	if (stopped)
		return bench_say(BENCH_BAD, "interrupted");
	if (!b->rows && !b->touches)
		return bench_say(b->failed ? BENCH_BAD : BENCH_SKIPPED, "nothing could be measured");
	return b->failed ? BENCH_BAD : BENCH_GOOD;
}

static size_t largest_block(const struct bench *b)
{
	size_t largest = 0;

	for (unsigned int i = 0; i < b->blocks.nr; i++)
		largest = b->blocks.value[i] > largest ? b->blocks.value[i] : largest;
	return largest;
}

static int too_small(const struct bench *b, const char *path, size_t bytes)
{
	if (bytes >= largest_block(b))
		return -1;
	return bench_say(BENCH_USAGE, "%s: %zu bytes are less than one block of %zu", path, bytes,
			 largest_block(b));
}

static int run_file(struct bench *b, const char *path, const char *node, size_t bytes)
{
	struct bench_place p = {
		.memory = "file", .mapped = true, .called = true, .node = node, .bytes = bytes,
	};
	int ret = too_small(b, path, bytes);
	unsigned int found;

	if (ret >= 0)
		return ret;
	ret = fill_zeroes(node, bytes);
	if (ret)
		return bench_say(BENCH_SKIPPED, "%s: cannot write %zu bytes: %s", path, bytes,
				 strerror(-ret));
	report_begin(b);
	found = run_dram(b, bytes);
	return bench_status(b, found + run_levels(b, &p, DAXMAP_PMD));
}

static int in_directory(struct bench *b, const char *path)
{
	int fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), ret;
	char node[32];

	if (fd < 0)
		return bench_say(BENCH_SKIPPED, "%s: cannot create a file there: %s", path,
				 strerror(errno));
	snprintf(node, sizeof(node), "/proc/self/fd/%d", fd);
	ret = run_file(b, path, node, b->bytes ?: BYTES_DEFAULT);
	close(fd);
	return ret;
}

static int on_file(struct bench *b, const char *path, size_t bytes)
{
	if (!b->overwrite)
		return bench_say(BENCH_USAGE, "%s exists: use -o if its data may be lost, or give a directory",
				 path);
	return run_file(b, path, path, b->bytes && b->bytes < bytes ? b->bytes : bytes);
}

static enum daxmap_size size_of_align(size_t align)
{
	enum daxmap_size size = DAXMAP_PTE;

	while (size + 1 < DAXMAP_NR && align >= daxmap_bytes(size + 1))
		size++;
	return size;
}

static int block_bytes(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	int ret = end < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	*bytes = ret ? 0 : end;
	return ret;
}

static int on_device(struct bench *b, const char *path, bool block)
{
	struct bench_place p = {
		.memory = block ? "block" : "devdax", .mapped = !block, .called = block,
		.node = path,
	};
	char why[WHY_LEN] = "";
	unsigned int found;
	struct test_ns ns;
	int ret = ns_offered(path, &ns, why, sizeof(why));

	if (ret)
		return bench_say(BENCH_SKIPPED, "%s", why);
	p.bytes = ns.size;
	if (block)
		ret = block_bytes(path, &p.bytes);
	if (ret)
		return bench_say(BENCH_SKIPPED, "%s: %s", path, strerror(-ret));
	if (b->bytes && b->bytes < p.bytes)
		p.bytes = b->bytes;
	ret = too_small(b, path, p.bytes);
	if (ret >= 0)
		return ret;
	p.size = block ? DAXMAP_PTE : size_of_align(ns.align);
	report_begin(b);
	found = run_dram(b, p.bytes);
	found += run_place(b, &p);
	return bench_status(b, found + touch_place(b, &p));
}

static int on_path(struct bench *b, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return bench_say(BENCH_USAGE, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return in_directory(b, path);
	if (S_ISREG(st.st_mode))
		return on_file(b, path, st.st_size);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return on_device(b, path, S_ISBLK(st.st_mode));
	return bench_say(BENCH_USAGE, "%s is not a directory, file or device", path);
}

static bool is_for_bench(const struct memory *m)
{
	return m->caps & MEM_WRITABLE && !(m->caps & MEM_DIVIDED);
}

/* a kind of memory at a page size; returns how many jobs fit */
static unsigned int run_memory(struct bench *b, struct guard *g, const struct memory *m,
			       enum daxmap_size size, const struct test_mem *buf_mem)
{
	struct memory_want want = { .size = size, .bytes = b->bytes ?: BYTES_DEFAULT };
	struct bench_place p = {
		.memory = m->name, .mapped = !(m->caps & MEM_BLOCK),
		.called = m->caps & (MEM_MOUNTED | MEM_BLOCK), .size = size,
		.node = m->name, .bytes = want.bytes,
	};
	enum daxmap_size largest = m->caps & MEM_MOUNTED ? DAXMAP_PMD : size;
	char why[WHY_LEN] = "", name[48];
	int ret;

	if (!place_picked(b, p, largest))
		return 0;
	if (b->list)
		return m->caps & MEM_MOUNTED ? run_levels(b, &p, largest) :
					       run_place(b, &p) + touch_place(b, &p);
	snprintf(name, sizeof(name), "%s.%s", m->name, daxmap_name(size));
	ret = memory_take(m, g, &want, &g->mem, why, sizeof(why));
	if (!ret && m->caps & (MEM_MOUNTED | MEM_BLOCK))
		ret = fill_zeroes(g->mem.node, want.bytes);
	if (ret) {
		report_note(name, why[0] ? why : strerror(-ret));
		return 1;
	}
	p.node = g->mem.node;
	b->buf_dev = buf_mem->ns.dax[0] && strcmp(buf_mem->ns.ndns, g->mem.ns.ndns) &&
		    !ns_check_same(&buf_mem->ns, why, sizeof(why)) ? buf_mem->node : NULL;
	if (m->caps & MEM_MOUNTED)
		return run_levels(b, &p, largest);
	if (!p.mapped)
		return run_place(b, &p);
	if (p.bytes > g->mem.size)
		p.bytes = g->mem.size;
	ret = run_place(b, &p);
	p.bytes = g->mem.size;
	return ret + touch_place(b, &p);
}

static unsigned int run_memories(struct bench *b, struct guard *g)
{
	struct memory_want want = { .size = DAXMAP_PMD, .bytes = BYTES_DEFAULT };
	unsigned int found = run_dram(b, b->bytes ?: BYTES_DEFAULT);
	struct test_mem buf_mem = { 0 };
	const struct memory *m;
	char why[WHY_LEN];

	/* the memory of one device-dax device serves as buffers for jobs on the others */
	for_each_memory(m)
		if (is_for_bench(m) && m->caps & MEM_CHARDEV)
			break;
	if (!b->list && (!m || memory_take(m, g, &want, &buf_mem, why, sizeof(why))))
		buf_mem.ns.dax[0] = '\0';
	for_each_memory(m) {
		enum daxmap_size last = m->caps & MEM_CHARDEV ? DAXMAP_PUD : DAXMAP_PTE;

		for (enum daxmap_size size = DAXMAP_PTE; size <= last && !stopped; size++)
			if (is_for_bench(m))
				found += run_memory(b, g, m, size, &buf_mem);
	}
	return found;
}

static int on_offered(struct bench *b)
{
	char why[WHY_LEN] = "";
	struct guard *g;
	unsigned int found;
	int ret;

	if (b->list)
		return bench_status(b, run_memories(b, NULL));
	if (geteuid())
		return bench_say(BENCH_SKIPPED, "reconfiguring namespaces needs root; or give a directory");
	ret = guard_create(&g);
	if (ret)
		return bench_say(BENCH_SKIPPED, "cannot start the guardian process: %s",
				 strerror(-ret));
	ret = ns_set_find(&g->set, why, sizeof(why));
	if (ret) {
		guard_finish(g);
		return bench_say(BENCH_SKIPPED, "%s", why);
	}
	report_begin(b);
	found = run_memories(b, g);
	ret = guard_finish(g);
	if (ret)
		bench_say(BENCH_BAD, "cannot restore everything: %s", strerror(-ret));
	return bench_status(b, found) ?: ret ? BENCH_BAD : BENCH_GOOD;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = stop, .sa_flags = SA_RESETHAND };
	struct bench b = { 0 };
	int ret = bench_options(&b, argc, argv);
	char why[WHY_LEN] = "";
	struct test_ns ns;

	if (ret >= 0)
		return ret;
	for (unsigned int i = 0; i < b.nr_globs; i++)
		if (!glob_is_known(b.globs[i]))
			return bench_say(BENCH_USAGE, "no job matches '%s'; pmem_bench -l lists them",
					 b.globs[i]);
	if (!b.list && !rate_built())
		return bench_say(BENCH_SKIPPED, "built without libhdrhistogram: no percentiles");
	/* buffers are written, too */
	if (b.buf_dev && !b.list && ns_offered(b.buf_dev, &ns, why, sizeof(why)))
		return bench_say(BENCH_SKIPPED, "%s", why);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	return optind < argc && !b.list ? on_path(&b, argv[optind]) : on_offered(&b);
}
