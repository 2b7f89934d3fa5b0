// SPDX-License-Identifier: GPL-2.0
/*
 * Operations drawn at random, by all ways, and a model of the file in memory that goes
 * through the same.  The seed is printed, and the same seed makes the same operations.
 * After fsx, the program of many file system test suites, by method only.
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

/* Of the file: large enough for every kind of extent, small enough for collisions. */
#define MODEL_BYTES	(1u << 20)
#define LONGEST		(64u << 10)

/* Operations without DAX_TEST_OPS; those of a whole run's six cells are 100,000. */
#define OPS		20000
#define FILE_OPS	10000	/* they take longest, with what a journal costs */

/* So many of the operations that last touched a wrong byte are told. */
#define TOLD		4

/* an operation that is over, to be told of when its bytes turn out wrong */
struct event {
	const char *what;
	unsigned int off;
	unsigned int len;
};

struct world {
	struct cell *c;
	struct ways w;
	int fd;
	uint64_t rnd;
	size_t page;
	size_t size;			/* of the file */
	unsigned char *model;		/* MODEL_BYTES */
	unsigned char *buf;
	struct event *events;
	unsigned int nr;		/* operations begun */
};

/**
 * struct op - one kind of operation
 * @name: for sentences
 * @weight: how often it is drawn, against the others
 * @files: not for block devices
 * @run: does it to file and model; false with the cell failed
 */
struct op {
	const char *name;
	unsigned int weight;
	bool files;
	bool (*run)(struct world *m);
};

static size_t below(struct world *m, size_t limit)
{
	return limit ? (random_next(&m->rnd) >> 16) % limit : 0;
}

/* short ones are as likely as long ones */
static size_t draw_length(struct world *m)
{
	size_t most = 1u << below(m, 17);

	return 1 + below(m, most < LONGEST ? most : LONGEST);
}

static void remember(struct world *m, const char *what, size_t off, size_t len)
{
	m->events[m->nr - 1] = (struct event){ what, off, len };
}

/* who has touched a byte, the last first */
static void tell(struct world *m, size_t at)
{
	unsigned int told = 0;

	for (unsigned int i = m->nr; i && told < TOLD; i--) {
		const struct event *e = &m->events[i - 1];

		if (!e->what || at < e->off || at >= (size_t)e->off + e->len)
			continue;
		note(m->c, "operation %u: %s of %u bytes at %#x", i, e->what, e->len, e->off);
		told++;
	}
}

static bool compare(struct world *m, const char *by, size_t off, size_t len)
{
	size_t i = 0;

	while (i < len && m->buf[i] == m->model[off + i])
		i++;
	if (i == len)
		return true;
	expect(m->c, VERDICT_WRONG_DATA, false,
	       "operation %u: %s reads %#x at %#zx of %zu bytes; expected %#x", m->nr, by,
	       m->buf[i], off + i, m->size, m->model[off + i]);
	tell(m, off + i);
	return false;
}

static bool done(struct world *m, int ret, const char *what, size_t off, size_t len)
{
	return expect(m->c, VERDICT_FAILED, !ret, "operation %u: %s of %zu bytes at %#zx: %s",
		      m->nr, what, len, off, strerror(-ret));
}

/* a range in units of a way that lies in the first @limit bytes; its length */
static size_t place(struct world *m, const struct io_path *p, size_t limit, size_t *off)
{
	size_t len = draw_length(m);

	*off = below(m, limit) / p->unit * p->unit;
	len = (len + p->unit - 1) / p->unit * p->unit;
	if (*off + len > limit)
		len = (limit - *off) / p->unit * p->unit;
	return len;
}

static struct io_path *draw_way(struct world *m)
{
	return &m->w.path[below(m, m->w.nr)];
}

static bool op_read(struct world *m)
{
	struct io_path *p = draw_way(m);
	size_t off, len = place(m, p, m->size, &off);
	const char *name = p->method->name;

	return done(m, io_path_read(p, off, m->buf, len), name, off, len) &&
	       compare(m, name, off, len);
}

static bool op_write(struct world *m)
{
	struct io_path *p = draw_way(m);
	bool grows = !(p->method->flags & IO_PATH_MAPS);
	size_t off, len = place(m, p, grows ? MODEL_BYTES : m->size, &off);

	io_fill(m->buf, off, len, m->nr);
	if (!done(m, io_path_write(p, off, m->buf, len), p->method->name, off, len))
		return false;
	memcpy(m->model + off, m->buf, len);
	if (off + len > m->size)
		m->size = off + len;
	remember(m, p->method->name, off, len);
	return true;
}

static bool op_truncate(struct world *m)
{
	size_t size = 1 + below(m, MODEL_BYTES);
	size_t low = size < m->size ? size : m->size, high = size < m->size ? m->size : size;

	if (!done(m, ftruncate(m->fd, size) ? -errno : 0, "truncate", low, high - low))
		return false;
	memset(m->model + low, 0, high - low);
	m->size = size;
	remember(m, "truncate", low, high - low);
	return true;
}

static bool change_range(struct world *m, int mode, const char *what)
{
	size_t off = below(m, m->size), len = draw_length(m);

	if (off + len > m->size)
		len = m->size - off;
	if (!len)
		return true;
	if (!done(m, fallocate(m->fd, mode | FALLOC_FL_KEEP_SIZE, off, len) ? -errno : 0, what,
		  off, len))
		return false;
	if (mode)
		memset(m->model + off, 0, len);
	remember(m, what, off, len);
	return true;
}

static bool op_punch(struct world *m)
{
	return change_range(m, FALLOC_FL_PUNCH_HOLE, "a punch");
}

static bool op_zero(struct world *m)
{
	return change_range(m, FALLOC_FL_ZERO_RANGE, "a zeroed range");
}

static bool op_allocate(struct world *m)
{
	return change_range(m, 0, "fallocate()");
}

/* blocks are moved, and with them what is behind them */
static bool op_collapse(struct world *m)
{
	size_t pages = m->size / m->page, off, len;

	if (pages < 2)
		return true;
	off = below(m, pages - 1) * m->page;
	len = m->page;
	if (!done(m, fallocate(m->fd, FALLOC_FL_COLLAPSE_RANGE, off, len) ? -errno : 0,
		  "a collapse", off, len))
		return false;
	memmove(m->model + off, m->model + off + len, m->size - off - len);
	memset(m->model + m->size - len, 0, len);
	m->size -= len;
	remember(m, "a collapse", off, m->size - off);
	return true;
}

static bool op_insert(struct world *m)
{
	size_t pages = m->size / m->page, off, len = m->page;

	if (!pages || m->size + len > MODEL_BYTES)
		return true;
	off = below(m, pages) * m->page;
	if (!done(m, fallocate(m->fd, FALLOC_FL_INSERT_RANGE, off, len) ? -errno : 0,
		  "an insert", off, len))
		return false;
	memmove(m->model + off + len, m->model + off, m->size - off);
	memset(m->model + off, 0, len);
	m->size += len;
	remember(m, "an insert", off, m->size - off);
	return true;
}

static bool op_sync(struct world *m)
{
	return done(m, fsync(m->fd) ? -errno : 0, "fsync()", 0, 0);
}

static bool op_length(struct world *m)
{
	struct stat st;

	if (!done(m, fstat(m->fd, &st) ? -errno : 0, "fstat()", 0, 0))
		return false;
	return expect(m->c, VERDICT_WRONG_DATA, st.st_size == (off_t)m->size,
		      "operation %u: the file has %lld bytes; expected %zu", m->nr,
		      (long long)st.st_size, m->size);
}

static const struct op ops[] = {
	{ "read", 40, false, op_read },
	{ "write", 40, false, op_write },
	{ "truncate", 4, true, op_truncate },
	{ "punch", 4, true, op_punch },
	{ "zero", 3, true, op_zero },
	{ "allocate", 3, true, op_allocate },
	{ "collapse", 2, true, op_collapse },
	{ "insert", 2, true, op_insert },
	{ "sync", 1, false, op_sync },
	{ "length", 1, true, op_length },
};

static bool is_file(const struct world *m)
{
	return m->c->memory->caps & MEM_MOUNTED;
}

static bool counts(const struct world *m, const struct op *op)
{
	return is_file(m) || (!op->files && (op->run != op_sync ||
					     !(m->c->memory->caps & MEM_CHARDEV)));
}

static const struct op *draw_op(struct world *m)
{
	unsigned int all = 0, pick;
	const struct op *op;

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		all += counts(m, &ops[i]) ? ops[i].weight : 0;
	pick = below(m, all);
	for (op = ops; !counts(m, op) || pick >= op->weight; op++)
		pick -= counts(m, op) ? op->weight : 0;
	return op;
}

/* every byte, by every way, and after a file has been written back */
static bool compare_all(struct world *m)
{
	for (unsigned int i = 0; i < m->w.nr; i++) {
		struct io_path *p = &m->w.path[i];
		size_t len = m->size / p->unit * p->unit;

		if (!done(m, io_path_read(p, 0, m->buf, len), p->method->name, 0, len) ||
		    !compare(m, p->method->name, 0, len))
			return false;
	}
	return true;
}

/* what is there to begin with is the model's, too */
static bool begin(struct world *m)
{
	int ret = 0;

	m->fd = open(m->c->v.node, O_RDWR | O_CLOEXEC);
	if (!expect_ok(m->c, m->fd < 0 ? -errno : 0, "opening it", ""))
		return false;
	m->size = MODEL_BYTES;
	if (is_file(m))
		ret = ftruncate(m->fd, 0) || ftruncate(m->fd, m->size) ? -errno : 0;
	if (!expect_ok(m->c, ret, "ftruncate()", "") ||
	    !ways_open(&m->w, m->c, m->c->memory->caps & MEM_CHARDEV ?
					  daxmap_bytes(m->c->size) : MODEL_BYTES))
		return false;
	for (size_t off = 0; !is_file(m) && off < m->size && !ret; off += LONGEST)
		ret = io_path_write(&m->w.path[0], off, m->model + off, LONGEST);
	return expect_ok(m->c, ret, "writing zeroes", "");
}

/* what the file system has brought to the memory, and to its own books, is the same */
static void compare_remounted(struct world *m)
{
	struct fsdax *f = &m->c->guard->fs[0];
	struct cell *c = m->c;
	char why[WHY_LEN] = "";
	int ret = guard_unmount(c->guard);

	ret = ret ?: fsdax_check(f, why, sizeof(why));
	/* a machine without the checker still reads the bytes */
	if (!expect_ok(c, ret == -ENOENT ? 0 : ret, "the file system, unmounted", why) ||
	    !expect_ok(c, fsdax_mount(f), "mounting it again", ""))
		return;
	m->nr++;
	if (ways_open(&m->w, c, MODEL_BYTES))
		compare_all(m);
	ways_close(&m->w);
}

static unsigned int wanted_ops(const struct cell *c)
{
	const char *text = getenv("DAX_TEST_OPS");
	unsigned long n = text ? strtoul(text, NULL, 10) : 0;

	if (n && n <= UINT_MAX)
		return n;
	return c->memory->caps & MEM_MOUNTED ? FILE_OPS : OPS;
}

static void run_all(struct world *m, unsigned int wanted)
{
	uint64_t seed = suite_seed();

	note(m->c, "DAX_TEST_SEED=%" PRIu64 " DAX_TEST_OPS=%u repeats it", seed, wanted);
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
	struct world m = { .c = c, .fd = -1, .page = sysconf(_SC_PAGESIZE) };

	m.model = calloc(1, MODEL_BYTES);
	m.events = calloc(wanted + 1, sizeof(*m.events));
	m.buf = io_buffer(c, MODEL_BYTES);
	if (expect(c, VERDICT_FAILED, m.model && m.events, "no memory") && m.buf && begin(&m))
		run_all(&m, wanted);
	ways_close(&m.w);
	if (m.fd >= 0)
		close(m.fd);
	if (is_file(&m) && !cell_over(c))
		compare_remounted(&m);
	/* copy_file_range() shares blocks, and some kernels leave that on their pages */
	if (c->memory->caps & MEM_SHARES)
		expect_ok(c, guard_fresh_pages(c->guard), "a fresh memory map", "");
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
		.what = "DAX_TEST_OPS operations by DAX_TEST_SEED, compared with a model",
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
