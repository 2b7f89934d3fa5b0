// SPDX-License-Identifier: GPL-2.0
/*
 * What one way wrote, every other way reads, at once: all lengths at all distances
 * from the boundaries of pages and page table entries, neighbours untouched.
 */
#define _GNU_SOURCE
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/io.h"

/* Bytes on both sides of a write that are looked at as well, at least. */
#define MARGIN		64u

static const size_t lengths[] = {
	1, 8, 63, 64, 65, 511, 512, 513, 4095, 4096, 4097, 64u << 10, (2u << 20) + 4097,
};

/* Longer writes are made at the boundary itself only. */
#define LONG		(64u << 10)

/* Distance of a write's start from a boundary, bytes. */
static const int distances[] = { -65, -8, -1, 0, 1, 63, 64, 511 };

/**
 * struct trial - one write
 * @off: where, bytes
 * @len: bytes
 * @first: of what is looked at around it, a multiple of a page
 * @last: behind that, likewise
 * @round: which
 */
struct trial {
	size_t off;
	size_t len;
	size_t first;
	size_t last;
	unsigned int round;
};

static struct trial trial_at(const struct io_path *p, size_t boundary, int distance, size_t len,
			     unsigned int round)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct trial t = { .round = round };

	t.off = (boundary + distance) / p->unit * p->unit;
	t.len = (len + p->unit - 1) / p->unit * p->unit;
	t.first = (t.off - MARGIN) / page * page;
	t.last = (t.off + t.len + MARGIN + page - 1) / page * page;
	return t;
}

static bool check(struct ways *w, struct io_path *from, struct io_path *by, const struct trial *t,
		  unsigned char *buf)
{
	size_t end = t->off + t->len;
	struct cell *c = w->c;
	ssize_t bad;
	int ret;

	ret = io_path_read(by, t->first, buf, t->last - t->first);
	if (!expect(c, VERDICT_FAILED, !ret, "reading %zu bytes at %#zx by %s: %s",
		    t->last - t->first, t->first, by->method->name, strerror(-ret)))
		return false;
	bad = io_wrong(buf + (t->off - t->first), t->off, t->len, t->round);
	if (!expect(c, VERDICT_WRONG_DATA, bad < 0,
		    "%zu bytes at %#zx written by %s are not what %s reads: byte %#zx is %#x, expected %#x",
		    t->len, t->off, from->method->name, by->method->name, bad,
		    bad < 0 ? 0 : buf[bad - t->first], io_byte(bad, t->round)))
		return false;
	bad = io_wrong(buf, t->first, t->off - t->first, 0);
	if (bad < 0)
		bad = io_wrong(buf + (end - t->first), end, t->last - end, 0);
	return expect(c, VERDICT_WRONG_DATA, bad < 0,
		      "%zu bytes at %#zx written by %s changed byte %#zx beside them for %s",
		      t->len, t->off, from->method->name, bad, by->method->name);
}

static bool try(struct ways *w, struct io_path *p, struct io_path *ground, const struct trial *t,
		unsigned char *buf)
{
	int ret;

	io_fill(buf, t->first, t->last - t->first, 0);
	ret = io_path_write(ground, t->first, buf, t->last - t->first);
	if (!expect_ok(w->c, ret, "what is there before", ground->why))
		return false;
	io_fill(buf, t->off, t->len, t->round);
	ret = io_path_write(p, t->off, buf, t->len);
	if (!expect(w->c, VERDICT_FAILED, !ret, "writing %zu bytes at %#zx by %s: %s", t->len,
		    t->off, p->method->name, strerror(-ret)))
		return false;
	for (unsigned int i = 0; i < w->nr; i++)
		if (!check(w, p, &w->path[i], t, buf))
			return false;
	return true;
}

static void all_trials(struct ways *w, struct io_path *p, struct io_path *ground)
{
	size_t boundary = daxmap_bytes(DAXMAP_PMD);
	unsigned char *buf = io_buffer(w->c, 2 * daxmap_bytes(DAXMAP_PMD));
	unsigned int round = 0;

	for (size_t i = 0; buf && i < ARRAY_SIZE(lengths); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(distances); j++) {
			struct trial t;

			if (lengths[i] >= LONG && distances[j])
				continue;
			t = trial_at(p, boundary, distances[j], lengths[i], ++round);
			if (!try(w, p, ground, &t, buf))
				goto out;
		}
	}
	note(w->c, "%u writes, each read back in %u ways", round, w->nr);
out:
	free(buf);
}

/* the boundary that is written at lies inside; a device is mapped by whole entries */
static size_t mapped(const struct cell *c)
{
	return c->size == DAXMAP_PUD ? daxmap_bytes(DAXMAP_PUD) : 3 * daxmap_bytes(DAXMAP_PMD);
}

static const char *test_map_of(const struct cell *c)
{
	return c->memory->caps & MEM_CHARDEV ? "mmap" : "buffered";
}

/* one byte changed by one way: each of them has to find that byte, and no other */
static void find_byte(struct ways *w, struct io_path *ground, unsigned char *buf)
{
	size_t page = sysconf(_SC_PAGESIZE), off = daxmap_bytes(DAXMAP_PMD), at = off + page / 3;
	struct cell *c = w->c;
	int ret;

	io_fill(buf, off, page, 1);
	ret = io_path_write(ground, off, buf, page);
	buf[0] = ~io_byte(at, 1);
	ret = ret ?: io_path_write(ground, at, buf, 1);
	if (!expect_ok(c, ret, "writing a page, and a byte of it", ""))
		return;
	for (unsigned int i = 0; i < w->nr; i++) {
		struct io_path *by = &w->path[i];

		ret = io_path_read(by, off, buf, page);
		expect_ok(c, ret, by->method->name, by->why);
		expect(c, VERDICT_FAILED, io_wrong(buf, off, page, 1) == (ssize_t)at,
		       "%s finds a wrong byte at %zd; it is at %zu", by->method->name,
		       io_wrong(buf, off, page, 1), at);
	}
}

static void control_wrong_byte(struct cell *c)
{
	unsigned char *buf = io_buffer(c, sysconf(_SC_PAGESIZE));
	struct io_path *ground;
	struct ways w = { .nr = 0 };

	if (buf && ways_open(&w, c, mapped(c))) {
		ground = ways_find(&w, test_map_of(c));
		if (ground)
			find_byte(&w, ground, buf);
	}
	ways_close(&w);
	free(buf);
}

static void every_path(struct cell *c)
{
	struct io_path *p, *ground;
	struct ways w;

	if (ways_open(&w, c, mapped(c))) {
		p = ways_find(&w, c->word);
		ground = ways_find(&w, test_map_of(c));
		if (p && ground)
			all_trials(&w, p, ground);
	}
	ways_close(&w);
	if (c->memory->caps & MEM_MOUNTED)
		cell_remove_file(c);
}

static const struct scenario_group paths = {
	.name = "paths",
	.order = 20,
	.common = {
		.what = "data written through it is read back through all others; all lengths and alignments",
		.bytes = IO_BYTES,
		.run = every_path,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "every_path",
			.on = ON_DEVDAX,
			.sizes = AT_ALL,
			.words = LIST("mmap", "mmap_sync", "lent", "lent_block"),
		}, {
			.name = "every_path",
			.on = ON_FILES,
			.sizes = AT_FILE,
			.words = LIST("mmap", "mmap_sync", "lent", "lent_direct", "lent_block"),
		}, {
			.name = "every_path",
			.on = ON_PMEM_WRITABLE,
			.sizes = AT_PTE,
			.words = LIST("buffered", "vectored", "direct", "uring", "uring_deep",
				      "uring_fixed", "uring_direct", "splice", "sendfile"),
		}, {
			.name = "every_path",
			.on = ON_FILES,
			.sizes = AT_PTE,
			.words = LIST("copy_file_range"),
		},
		{ }
	},
};

REGISTER(scenario_groups, &paths);

static const struct scenario_group control = {
	.name = "control",
	.order = 70,
	.common = {
		.sizes = AT_PTE,
		.bytes = IO_BYTES,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "control_wrong_byte",
			.what = "control: one byte that was changed is found by every way",
			.on = ON_DEVDAX,
			.run = control_wrong_byte,
		}, {
			.name = "control_wrong_byte",
			.what = "control: one byte that was changed is found by every way",
			.on = ON_PMEM_WRITABLE,
			.run = control_wrong_byte,
		},
		{ }
	},
};

REGISTER(scenario_groups, &control);
