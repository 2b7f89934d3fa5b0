// SPDX-License-Identifier: GPL-2.0
/*
 * pmem_io -b: how fast persistent memory is, by every way to it.
 *
 * On all that is offered, or on one directory, file or device.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"
#include "lib/guard.h"
#include "lib/ns/offered.h"
#include "lib/mem/memory.h"
#include "lib/timeline.h"

/* exit status, as of the suite's programs */
enum { GOOD = 0, BAD = 1, USAGE = 2, SKIPPED = 4 };

/* Of a file or device, where nobody says how many, bytes. */
#define BYTES_DEFAULT	(32UL << 20)

/* Touched are so many bytes, four times as many, and so on, to all there are. */
#define TOUCH_LEAST	(1UL << 20)
#define TOUCH_FACTOR	4

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* a sentence, for whoever reads it at 3 a.m. */
static int __attribute__((format(printf, 2, 3))) say(int status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "pmem_io -b: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

static void usage(FILE *f)
{
	fprintf(f,
		"pmem_io -b: how fast persistent memory is, by every way to it\n\n"
		"usage: pmem_io -b [OPTION]... [DIRECTORY|FILE|DEVICE]\n"
		"  DIRECTORY    a file in it that nobody else sees, and that is gone afterwards\n"
		"  FILE         one that exists, with -o: its bytes are lost\n"
		"  DEVICE       of a namespace that is offered, see pmem_io -h\n"
		"  none         all namespaces that are offered: as device-dax, with file systems,\n"
		"               as block devices\n\n"
		"  -t GLOB      jobs, MEMORY.PAGE.JOB or MEMORY.JOB; may be repeated\n"
		"  -s BYTES,... of an operation (4k)\n"
		"  -q N,...     requests in flight (1,16)\n"
		"  -n N,...     threads (1 and the number of CPUs)\n"
		"  -T SECONDS   of each measurement (1)\n"
		"  -z BYTES     of the range (32m; all of a file)\n"
		"  -B DEVICE    device-dax device that lends its memory as registered buffers\n"
		"  -o           FILE exists and may be overwritten\n"
		"  -j FILE      the numbers as JSON\n"
		"  -l           list the jobs\n\n"
		"exit status: 0 all was measured that can be here, 1 something failed, 4 nothing\n"
		"could be measured, 2 bad usage\n\n"
		"jobs:\n");
	for (const struct job_method *m = job_methods; m->name; m++)
		fprintf(f, "  %-18s %s\n", m->name, m->what);
	fprintf(f, "  %-18s %s\n", "touch", "the first store into each entry of a page table, and the second");
}

/* "64", "4k", "2m", "1g"; 0 for what is none */
static size_t number(const char *text, char **end)
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
		size_t n = number(at, &end);

		if (!n || n > most || a->nr == BENCH_VALUES || (*end && *end != ','))
			return say(USAGE, "-%c %s makes no sense: give up to %d numbers from 1 to %zu, with commas between them",
				   option, text, BENCH_VALUES, most);
		a->value[a->nr++] = n;
		at = end + 1;
	} while (*end);
	return -1;
}

static int parse_one(size_t *n, char option, const char *text)
{
	char *end;

	*n = number(text, &end);
	if (!*n || *end)
		return say(USAGE, "-%c %s makes no sense: give a number such as 64m", option, text);
	return -1;
}

static int parse_seconds(struct bench *b, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (*end || !(seconds >= 0.01 && seconds <= 86400))
		return say(USAGE, "-T %s makes no sense: give seconds, 0.01 to 86400", text);
	b->ns = seconds * NSEC_PER_SEC;
	return -1;
}

static int open_json(struct bench *b, const char *path)
{
	b->json = fopen(path, "we");
	return b->json ? -1 : say(USAGE, "cannot write %s: %s", path, strerror(errno));
}

/* -1 to go on, else an exit status */
static int parse_option(struct bench *b, int opt)
{
	switch (opt) {
	case 'b':
		return -1;
	case 't':
		if (b->nr_globs == BENCH_VALUES)
			return say(USAGE, "more than %d globs", BENCH_VALUES);
		b->globs[b->nr_globs++] = optarg;
		return -1;
	case 's':
		return parse_axis(&b->blocks, opt, optarg, JOB_BLOCK_MAX);
	case 'q':
		return parse_axis(&b->depths, opt, optarg, JOB_DEPTH_MAX);
	case 'n':
		return parse_axis(&b->threads, opt, optarg, RATE_THREADS);
	case 'T':
		return parse_seconds(b, optarg);
	case 'z':
		return parse_one(&b->bytes, opt, optarg);
	case 'B':
		b->lender = optarg;
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
		usage(stdout);
		return GOOD;
	}
	return USAGE;
}

static int parse(struct bench *b, int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int opt, ret = -1;

	b->ns = NSEC_PER_SEC;
	b->blocks = (struct bench_axis){ 1, { 4096 } };
	b->depths = (struct bench_axis){ 2, { 1, 16 } };
	b->threads = (struct bench_axis){ cpus > 1 ? 2 : 1,
					  { 1, cpus < (long)RATE_THREADS ? cpus : RATE_THREADS } };
	while (ret < 0 && (opt = getopt(argc, argv, "bt:s:q:n:T:z:B:oj:lh")) != -1)
		ret = parse_option(b, opt);
	if (ret < 0 && optind + 1 < argc)
		return say(USAGE, "what is '%s'? one directory, file or device at a time",
			   argv[optind + 1]);
	return ret;
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

/* does a glob mean any job, on memory called so? */
static bool means(const char *glob, const char *memory)
{
	struct bench one = { .globs = { glob }, .nr_globs = 1 };
	struct bench_place p = { .memory = memory };
	char name[96];

	for (p.size = DAXMAP_PTE; p.size < DAXMAP_NR; p.size++) {
		job_name(name, sizeof(name), &p, "touch", true);
		if (picked(&one, name))
			return true;
		for (const struct job_method *m = job_methods; m->name; m++) {
			job_name(name, sizeof(name), &p, m->name, m->flags & JOB_MAPS);
			if (picked(&one, name))
				return true;
		}
	}
	return false;
}

static bool means_something(const char *glob)
{
	const struct memory *m;

	for_each_memory(m)
		if (means(glob, m->name))
			return true;
	return means(glob, "dram") || means(glob, "file") || means(glob, "block");
}

/* is it for this place? */
static bool fits(const struct bench_place *p, const struct job_method *m)
{
	if (m->flags & JOB_DRAM)
		return !p->node;
	if (!p->node)
		return false;
	return m->flags & JOB_MAPS ? p->mapped : p->called;
}

/* false when no depth and no number of threads will make it work */
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
					.method = m, .node = p->node, .lender = b->lender,
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

/* one place; what is not mapped only if asked for; how many jobs fit it */
static unsigned int run_place(struct bench *b, const struct bench_place *p)
{
	unsigned int found = 0;
	char name[96];

	for (const struct job_method *m = job_methods; m->name && !stopped; m++) {
		job_name(name, sizeof(name), p, m->name, m->flags & JOB_MAPS);
		if (!fits(p, m) || !picked(b, name))
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

static unsigned int run_dram(struct bench *b, size_t bytes)
{
	struct bench_place dram = { .memory = "dram", .bytes = bytes };

	return run_place(b, &dram);
}

/* blocks that were written once: a hole is another matter */
static int fill(const char *node, size_t bytes)
{
	size_t chunk = 1 << 20;
	char *zeroes = calloc(1, chunk);
	int fd = open(node, O_RDWR | O_CLOEXEC), ret = 0;

	if (fd < 0 || !zeroes)
		ret = fd < 0 ? -errno : -ENOMEM;
	for (size_t at = 0; !ret && at < bytes;) {
		ssize_t n = pwrite(fd, zeroes, bytes - at < chunk ? bytes - at : chunk, at);

		if (n < 0 && errno != EINTR)
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

/* at each level that it is mapped by; calls know no level */
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

static int over(struct bench *b, unsigned int found)
{
	int ret;

	if (b->list && found)
		return GOOD;
	if (!found)
		return say(USAGE, "no job matches that is for this place; pmem_io -b -l lists all");
	ret = report_end(b);
	if (ret)
		return say(BAD, "writing the JSON: %s", strerror(-ret));
	if (stopped)
		return say(BAD, "interrupted");
	if (!b->rows && !b->touches)
		return say(b->failed ? BAD : SKIPPED, "nothing could be measured");
	return b->failed ? BAD : GOOD;
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
	return say(USAGE, "%s: its %zu bytes are less than one block of %zu", path, bytes,
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
	ret = fill(node, bytes);
	if (ret)
		return say(SKIPPED, "%s: writing %zu bytes first: %s", path, bytes,
			   strerror(-ret));
	report_begin(b);
	found = run_dram(b, bytes);
	return over(b, found + run_levels(b, &p, DAXMAP_PMD));
}

static int in_directory(struct bench *b, const char *path)
{
	int fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), ret;
	char node[32];

	if (fd < 0)
		return say(SKIPPED, "%s: no file can be made there: %s", path, strerror(errno));
	snprintf(node, sizeof(node), "/proc/self/fd/%d", fd);
	ret = run_file(b, path, node, b->bytes ?: BYTES_DEFAULT);
	close(fd);
	return ret;
}

static int on_file(struct bench *b, const char *path, size_t bytes)
{
	if (!b->overwrite)
		return say(USAGE, "%s exists: -o says that its bytes may be lost, or give a directory",
			   path);
	return run_file(b, path, path, b->bytes && b->bytes < bytes ? b->bytes : bytes);
}

static enum daxmap_size level_of(size_t align)
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
	struct test_ns v;
	int ret = ns_offered(path, &v, why, sizeof(why));

	if (ret)
		return say(SKIPPED, "%s", why);
	p.bytes = v.size;
	if (block && block_bytes(path, &p.bytes))
		return say(SKIPPED, "%s: %s", path, strerror(errno));
	if (b->bytes && b->bytes < p.bytes)
		p.bytes = b->bytes;
	ret = too_small(b, path, p.bytes);
	if (ret >= 0)
		return ret;
	p.size = block ? DAXMAP_PTE : level_of(v.align);
	report_begin(b);
	found = run_dram(b, p.bytes);
	found += run_place(b, &p);
	return over(b, found + touch_place(b, &p));
}

static int on_path(struct bench *b, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return say(USAGE, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return in_directory(b, path);
	if (S_ISREG(st.st_mode))
		return on_file(b, path, st.st_size);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return on_device(b, path, S_ISBLK(st.st_mode));
	return say(USAGE, "%s is no directory, file or device", path);
}

static bool is_for_bench(const struct memory *m)
{
	return m->caps & MEM_WRITABLE && !(m->caps & MEM_DIVIDED);
}

/* a device of one page size, or a file or block device; how many jobs fit */
static unsigned int run_memory(struct bench *b, struct guard *g, const struct memory *m,
			       enum daxmap_size size, const struct test_mem *lender)
{
	struct memory_want want = { .size = size, .bytes = b->bytes ?: BYTES_DEFAULT };
	struct bench_place p = {
		.memory = m->name, .mapped = !(m->caps & MEM_BLOCK),
		.called = m->caps & (MEM_MOUNTED | MEM_BLOCK), .size = size,
		.node = m->name, .bytes = want.bytes,
	};
	char why[WHY_LEN] = "", name[48];
	bool any = b->list;
	int ret;

	for (const struct job_method *j = job_methods; j->name && !any; j++) {
		job_name(name, sizeof(name), &p, j->name, j->flags & JOB_MAPS);
		any = fits(&p, j) && picked(b, name);
	}
	job_name(name, sizeof(name), &p, "touch", true);
	if (!any && !(p.mapped && picked(b, name)))
		return 0;
	if (b->list)
		return m->caps & MEM_MOUNTED ? run_levels(b, &p, DAXMAP_PMD) :
					       run_place(b, &p) + touch_place(b, &p);
	snprintf(name, sizeof(name), "%s.%s", m->name, daxmap_name(size));
	ret = memory_take(m, g, &want, &g->mem, why, sizeof(why));
	if (!ret && m->caps & (MEM_MOUNTED | MEM_BLOCK))
		ret = fill(g->mem.node, want.bytes);
	if (ret) {
		report_note(name, why[0] ? why : strerror(-ret));
		return 1;
	}
	p.node = g->mem.node;
	b->lender = lender->ns.dax[0] && strcmp(lender->ns.ndns, g->mem.ns.ndns) &&
		    !ns_same(&lender->ns, why, sizeof(why)) ? lender->node : NULL;
	if (m->caps & MEM_MOUNTED)
		return run_levels(b, &p, DAXMAP_PMD);
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
	struct test_mem lender = { 0 };
	const struct memory *m;
	char why[WHY_LEN];

	/* the memory of one device-dax device serves as buffer for the others */
	for_each_memory(m)
		if (is_for_bench(m) && m->caps & MEM_CHARDEV)
			break;
	if (!b->list && (!m || memory_take(m, g, &want, &lender, why, sizeof(why))))
		lender.ns.dax[0] = '\0';
	for_each_memory(m) {
		enum daxmap_size last = m->caps & MEM_CHARDEV ? DAXMAP_PUD : DAXMAP_PTE;

		for (enum daxmap_size size = DAXMAP_PTE; size <= last && !stopped; size++)
			if (is_for_bench(m))
				found += run_memory(b, g, m, size, &lender);
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
		return over(b, run_memories(b, NULL));
	if (geteuid())
		return say(SKIPPED, "it reconfigures namespaces: run it as root, or give a directory");
	ret = guard_create(&g);
	if (ret)
		return say(SKIPPED, "cannot start the guardian process: %s", strerror(-ret));
	ret = ns_set_find(&g->set, why, sizeof(why));
	if (ret) {
		guard_finish(g);
		return say(SKIPPED, "%s", why);
	}
	report_begin(b);
	found = run_memories(b, g);
	ret = guard_finish(g);
	if (ret)
		say(BAD, "not everything could be given back: %s", strerror(-ret));
	return over(b, found) ?: ret ? BAD : GOOD;
}

int io_bench(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = stop, .sa_flags = SA_RESETHAND };
	struct bench b = { 0 };
	int ret = parse(&b, argc, argv);
	char why[WHY_LEN];
	struct test_ns lender;

	if (ret >= 0)
		return ret;
	for (unsigned int i = 0; i < b.nr_globs; i++)
		if (!means_something(b.globs[i]))
			return say(USAGE, "no job matches '%s'; pmem_io -b -l lists them",
				   b.globs[i]);
	if (!b.list && !rate_built())
		return say(SKIPPED, "built without libhdrhistogram: no percentiles");
	/* buffers are written to as well */
	if (b.lender && !b.list && ns_offered(b.lender, &lender, why, sizeof(why)))
		return say(SKIPPED, "%s", why);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	return optind < argc && !b.list ? on_path(&b, argv[optind]) : on_offered(&b);
}
