// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random operations by all I/O methods, compared with a model of the file in memory.
 * The seed is printed, and the same seed repeats the operations.  The method is that of
 * fsx, a program of many file system test suites.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/io.h"
#include "lib/random.h"
#include "lib/variable.h"

/* size of the file: room for every kind of extent, and operations that overlap */
#define MODEL_BYTES	(1u << 20)
#define LONGEST		(64u << 10)

/* operations without DAX_TEST_OPS: 100,000 in the six cells of a run */
#define OPS		20000
#define FILE_OPS	10000	/* slower, because of the journal */

/* number of operations that last touched a wrong byte, in a report */
#define REPORTED	4

/* an operation in the log, which is printed when a byte is wrong */
struct event {
	const char *what;
	unsigned int off;
	unsigned int len;
};

struct model_run {
	struct cell *c;
	struct io_paths w;
	int fd;
	uint64_t rnd;
	size_t page;
	size_t size;			/* of the file */
	unsigned char *model;		/* MODEL_BYTES */
	unsigned char *buf;
	struct event *events;
	unsigned int nr;		/* operations started */
};

/**
 * struct op - one kind of operation
 * @name: of the operation
 * @weight: how often it is drawn, relative to the others
 * @on: memory that has it
 * @run: applies it to file and model; false with the cell failed
 */
struct op {
	const char *name;
	unsigned int weight;
	struct mem_select on;
	bool (*run)(struct model_run *m);
};

static size_t draw_below(struct model_run *m, size_t limit)
{
	return limit ? (random_next(&m->rnd) >> 16) % limit : 0;
}

/* all orders of magnitude are equally likely */
static size_t draw_length(struct model_run *m)
{
	size_t most = 1u << draw_below(m, 17);

	return 1 + draw_below(m, most < LONGEST ? most : LONGEST);
}

static void log_op(struct model_run *m, const char *what, size_t off, size_t len)
{
	m->events[m->nr - 1] = (struct event){ what, off, len };
}

/* the operations that touched a byte, the last first */
static void report_ops(struct model_run *m, size_t at)
{
	unsigned int nr = 0;

	for (unsigned int i = m->nr; i && nr < REPORTED; i--) {
		const struct event *e = &m->events[i - 1];

		if (!e->what || at < e->off || at >= (size_t)e->off + e->len)
			continue;
		note("operation %u: %s of %u bytes at %#x", i, e->what, e->len, e->off);
		nr++;
	}
}

static bool compare_bytes(struct model_run *m, const char *by, size_t off, size_t len)
{
	size_t i = 0;

	while (i < len && m->buf[i] == m->model[off + i])
		i++;
	if (i == len)
		return true;
	expect(m->c, VERDICT_WRONG_DATA, false,
	       "operation %u: %s reads %#x at %#zx of %zu bytes; expected %#x", m->nr, by,
	       m->buf[i], off + i, m->size, m->model[off + i]);
	report_ops(m, off + i);
	return false;
}

static bool expect_done(struct model_run *m, int ret, const char *what, size_t off, size_t len)
{
	return expect(m->c, VERDICT_FAILED, !ret, "operation %u: %s of %zu bytes at %#zx: %s",
		      m->nr, what, len, off, strerror(-ret));
}

/* draws a range in units of a path, within the first @limit bytes; returns its length */
static size_t draw_range(struct model_run *m, const struct io_path *p, size_t limit, size_t *off)
{
	size_t len = draw_length(m);

	*off = draw_below(m, limit) / p->unit * p->unit;
	len = (len + p->unit - 1) / p->unit * p->unit;
	if (*off + len > limit)
		len = (limit - *off) / p->unit * p->unit;
	return len;
}

static struct io_path *draw_path(struct model_run *m)
{
	return &m->w.path[draw_below(m, m->w.nr)];
}

static bool op_read(struct model_run *m)
{
	struct io_path *p = draw_path(m);
	size_t off, len = draw_range(m, p, m->size, &off);
	const char *name = p->method->name;

	return expect_done(m, io_path_read(p, off, m->buf, len), name, off, len) &&
	       compare_bytes(m, name, off, len);
}

static bool op_write(struct model_run *m)
{
	struct io_path *p = draw_path(m);
	bool grows = !(p->method->flags & IO_MAPS);
	size_t off, len = draw_range(m, p, grows ? MODEL_BYTES : m->size, &off);

	io_fill(m->buf, off, len, m->nr);
	if (!expect_done(m, io_path_write(p, off, m->buf, len), p->method->name, off, len))
		return false;
	memcpy(m->model + off, m->buf, len);
	if (off + len > m->size)
		m->size = off + len;
	log_op(m, p->method->name, off, len);
	return true;
}

static bool op_truncate(struct model_run *m)
{
	size_t size = 1 + draw_below(m, MODEL_BYTES);
	size_t low = size < m->size ? size : m->size, high = size < m->size ? m->size : size;

	if (!expect_done(m, ftruncate(m->fd, size) ? -errno : 0, "truncate", low, high - low))
		return false;
	memset(m->model + low, 0, high - low);
	m->size = size;
	log_op(m, "truncate", low, high - low);
	return true;
}

static bool op_fallocate(struct model_run *m, int mode, const char *what)
{
	size_t off = draw_below(m, m->size), len = draw_length(m);
	int ret;

	if (off + len > m->size)
		len = m->size - off;
	if (!len)
		return true;
	ret = fallocate(m->fd, mode | FALLOC_FL_KEEP_SIZE, off, len) ? -errno : 0;
	if (!expect_done(m, ret, what, off, len))
		return false;
	if (mode)
		memset(m->model + off, 0, len);
	log_op(m, what, off, len);
	return true;
}

static bool op_punch(struct model_run *m)
{
	return op_fallocate(m, FALLOC_FL_PUNCH_HOLE, "a punch");
}

static bool op_zero(struct model_run *m)
{
	return op_fallocate(m, FALLOC_FL_ZERO_RANGE, "a zeroed range");
}

static bool op_allocate(struct model_run *m)
{
	return op_fallocate(m, 0, "fallocate()");
}

/* removes blocks; the rest of the file moves down */
static bool op_collapse(struct model_run *m)
{
	size_t pages = m->size / m->page, off, len;
	int ret;

	if (pages < 2)
		return true;
	off = draw_below(m, pages - 1) * m->page;
	len = m->page;
	ret = fallocate(m->fd, FALLOC_FL_COLLAPSE_RANGE, off, len) ? -errno : 0;
	if (!expect_done(m, ret, "a collapse", off, len))
		return false;
	memmove(m->model + off, m->model + off + len, m->size - off - len);
	memset(m->model + m->size - len, 0, len);
	m->size -= len;
	log_op(m, "a collapse", off, m->size - off);
	return true;
}

static bool op_insert(struct model_run *m)
{
	size_t pages = m->size / m->page, off, len = m->page;
	int ret;

	if (!pages || m->size + len > MODEL_BYTES)
		return true;
	off = draw_below(m, pages) * m->page;
	ret = fallocate(m->fd, FALLOC_FL_INSERT_RANGE, off, len) ? -errno : 0;
	if (!expect_done(m, ret, "an insert", off, len))
		return false;
	memmove(m->model + off + len, m->model + off, m->size - off);
	memset(m->model + off, 0, len);
	m->size += len;
	log_op(m, "an insert", off, m->size - off);
	return true;
}

static bool op_sync(struct model_run *m)
{
	return expect_done(m, fsync(m->fd) ? -errno : 0, "fsync()", 0, 0);
}

static bool op_length(struct model_run *m)
{
	struct stat st;

	if (!expect_done(m, fstat(m->fd, &st) ? -errno : 0, "fstat()", 0, 0))
		return false;
	return expect(m->c, VERDICT_WRONG_DATA, st.st_size == (off_t)m->size,
		      "operation %u: the file has %lld bytes; expected %zu", m->nr,
		      (long long)st.st_size, m->size);
}

#define ON_A_FILE	{ .all = MEM_MOUNTED }

static const struct op ops[] = {
	{ .name = "read", .weight = 40, .run = op_read },
	{ .name = "write", .weight = 40, .run = op_write },
	{ .name = "truncate", .weight = 4, .on = ON_A_FILE, .run = op_truncate },
	{ .name = "punch", .weight = 4, .on = ON_A_FILE, .run = op_punch },
	{ .name = "zero", .weight = 3, .on = ON_A_FILE, .run = op_zero },
	{ .name = "allocate", .weight = 3, .on = ON_A_FILE, .run = op_allocate },
	{ .name = "collapse", .weight = 2, .on = ON_A_FILE, .run = op_collapse },
	{ .name = "insert", .weight = 2, .on = ON_A_FILE, .run = op_insert },
	{ .name = "sync", .weight = 1, .on = ON_PMEM, .run = op_sync },
	{ .name = "length", .weight = 1, .on = ON_A_FILE, .run = op_length },
};

static bool is_file(const struct model_run *m)
{
	return m->c->memory->caps & MEM_MOUNTED;
}

static bool has_op(const struct model_run *m, const struct op *op)
{
	return memory_selected(&op->on, m->c->memory);
}

static const struct op *draw_op(struct model_run *m)
{
	unsigned int all = 0, pick;
	const struct op *op;

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		all += has_op(m, &ops[i]) ? ops[i].weight : 0;
	pick = draw_below(m, all);
	for (op = ops; !has_op(m, op) || pick >= op->weight; op++)
		pick -= has_op(m, op) ? op->weight : 0;
	return op;
}

/* every byte, by every method */
static bool compare_all(struct model_run *m)
{
	for (unsigned int i = 0; i < m->w.nr; i++) {
		struct io_path *p = &m->w.path[i];
		size_t len = m->size / p->unit * p->unit;

		if (!expect_done(m, io_path_read(p, 0, m->buf, len), p->method->name, 0, len) ||
		    !compare_bytes(m, p->method->name, 0, len))
			return false;
	}
	return true;
}

/* the file and the model start with zeroes */
static bool model_setup(struct model_run *m)
{
	int ret = 0;

	m->fd = open(m->c->v.node, O_RDWR | O_CLOEXEC);
	if (!expect_ok(m->c, m->fd < 0 ? -errno : 0, "opening the file or device", ""))
		return false;
	m->size = MODEL_BYTES;
	if (is_file(m))
		ret = ftruncate(m->fd, 0) || ftruncate(m->fd, m->size) ? -errno : 0;
	if (!expect_ok(m->c, ret, "ftruncate()", "") ||
	    !io_paths_open(&m->w, m->c, m->c->memory->caps & MEM_CHARDEV ?
					     daxmap_bytes(m->c->size) : MODEL_BYTES))
		return false;
	for (size_t off = 0; !is_file(m) && off < m->size && !ret; off += LONGEST)
		ret = io_path_write(&m->w.path[0], off, m->model + off, LONGEST);
	return expect_ok(m->c, ret, "writing zeroes", "");
}

/* the file's data and the file system's metadata after an unmount */
static void compare_remounted(struct model_run *m)
{
	struct fsdax *f = &m->c->guard->fs[0];
	struct cell *c = m->c;
	char why[WHY_LEN] = "";
	int ret;

	if (!expect_ok(c, guard_unmount(c->guard), "unmounting the file system", ""))
		return;
	ret = fsdax_check(f, why, sizeof(why));
	/* without a checker on this machine, the data is still compared */
	if (!expect_ok(c, ret == -ENOENT ? 0 : ret, "checking the file system", why) ||
	    !expect_ok(c, fsdax_mount(f), "mounting the file system again", ""))
		return;
	m->nr++;
	if (io_paths_open(&m->w, c, MODEL_BYTES))
		compare_all(m);
	io_paths_close(&m->w);
}

static unsigned int wanted_ops(const struct cell *c)
{
	const char *text = getenv("DAX_TEST_OPS");
	unsigned long n = text ? strtoul(text, NULL, 10) : 0;

	if (n && n <= UINT_MAX)
		return n;
	return c->memory->caps & MEM_MOUNTED ? FILE_OPS : OPS;
}

static void run_ops(struct model_run *m, unsigned int wanted)
{
	uint64_t seed = suite_seed();

	note("DAX_TEST_SEED=%" PRIu64 " DAX_TEST_OPS=%u repeats it", seed, wanted);
	m->rnd = seed ?: 1;
	while (m->nr < wanted) {
		const struct op *op = draw_op(m);

		m->nr++;
		if (!op->run(m))
			return;
	}
	compare_all(m);
}

static void model(struct cell *c)
{
	unsigned int wanted = wanted_ops(c);
	struct model_run m = { .c = c, .fd = -1, .page = sysconf(_SC_PAGESIZE) };

	m.model = calloc(1, MODEL_BYTES);
	m.events = calloc(wanted + 1, sizeof(*m.events));
	m.buf = io_buffer(c, MODEL_BYTES);
	if (expect(c, VERDICT_FAILED, m.model && m.events, "no memory") && m.buf &&
	    model_setup(&m))
		run_ops(&m, wanted);
	io_paths_close(&m.w);
	if (m.fd >= 0)
		close(m.fd);
	if (is_file(&m) && !cell_over(c))
		compare_remounted(&m);
	/* copy_file_range() shares blocks, and some kernels leave traces of that on the pages */
	if (c->memory->caps & MEM_SHARES)
		expect_ok(c, guard_fresh_pages(c->guard), "making a fresh memory map", "");
	free(m.model);
	free(m.events);
	free(m.buf);
}

static const struct variable model_variables[] = {
	{ "DAX_TEST_OPS", "operations of a cell that is compared with a model" },
	{ }
};

REGISTER(variables, model_variables);

static const struct scenario_group model_group = {
	.name = "model",
	.order = 80,
	.common = {
		.what = "DAX_TEST_OPS random operations of DAX_TEST_SEED, compared with a model",
		.words = LIST("random"),
		.bytes = IO_BYTES,
		.run = model,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "model",
			.on = ON_DEVDAX,
			.sizes = AT_PMD,
		}, {
			.name = "model",
			.on = ON_PMEM_WRITABLE,
			.sizes = AT_PTE,
		},
		{ }
	},
};

REGISTER(scenario_groups, &model_group);
