// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data written by one I/O method is read back by all others: all lengths at all
 * distances from page and page table entry boundaries, neighbouring bytes unchanged.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/io.h"

/* Bytes checked on both sides of a write, at least. */
#define MARGIN		64u

static const size_t lengths[] = {
	1, 8, 63, 64, 65, 511, 512, 513, 4095, 4096, 4097, 64u << 10, (2u << 20) + 4097,
};

/* Writes of this length or longer start at the boundary itself only. */
#define LONG		(64u << 10)

/* Distance of a write's start from a boundary, bytes. */
static const int distances[] = { -65, -8, -1, 0, 1, 63, 64, 511 };

/**
 * struct write_test - one write
 * @off: its offset, bytes
 * @len: its length, bytes
 * @first: start of the range that is checked, a multiple of a page
 * @last: end of that range, likewise
 * @round: number of the write
 */
struct write_test {
	size_t off;
	size_t len;
	size_t first;
	size_t last;
	unsigned int round;
};

static struct write_test place_write(const struct io_path *p, size_t boundary, int distance,
				     size_t len, unsigned int round)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct write_test t = { .round = round };

	t.off = (boundary + distance) / p->unit * p->unit;
	t.len = (len + p->unit - 1) / p->unit * p->unit;
	t.first = (t.off - MARGIN) / page * page;
	t.last = (t.off + t.len + MARGIN + page - 1) / page * page;
	return t;
}

static bool check_written(struct io_paths *w, struct io_path *from, struct io_path *by,
			  const struct write_test *t, unsigned char *buf)
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
		    "%zu bytes at %#zx written by %s, read by %s: byte %#zx is %#x, expected %#x",
		    t->len, t->off, from->method->name, by->method->name, bad,
		    bad < 0 ? 0 : buf[bad - t->first], io_byte(bad, t->round)))
		return false;
	bad = io_wrong(buf, t->first, t->off - t->first, 0);
	if (bad < 0)
		bad = io_wrong(buf + (end - t->first), end, t->last - end, 0);
	return expect(c, VERDICT_WRONG_DATA, bad < 0,
		      "%zu bytes at %#zx written by %s changed byte %#zx outside them, read by %s",
		      t->len, t->off, from->method->name, bad, by->method->name);
}

/* @ref writes the old contents, @p the bytes under test */
static bool write_and_check(struct io_paths *w, struct io_path *p, struct io_path *ref,
			    const struct write_test *t, unsigned char *buf)
{
	int ret;

	io_fill(buf, t->first, t->last - t->first, 0);
	ret = io_path_write(ref, t->first, buf, t->last - t->first);
	if (!expect_ok(w->c, ret, "writing the old contents", ref->why))
		return false;
	io_fill(buf, t->off, t->len, t->round);
	ret = io_path_write(p, t->off, buf, t->len);
	if (!expect(w->c, VERDICT_FAILED, !ret, "writing %zu bytes at %#zx by %s: %s", t->len,
		    t->off, p->method->name, strerror(-ret)))
		return false;
	for (unsigned int i = 0; i < w->nr; i++)
		if (!check_written(w, p, &w->path[i], t, buf))
			return false;
	return true;
}

static void write_all(struct io_paths *w, struct io_path *p, struct io_path *ref)
{
	size_t boundary = daxmap_bytes(DAXMAP_PMD);
	unsigned char *buf = io_buffer(w->c, 2 * daxmap_bytes(DAXMAP_PMD));
	unsigned int round = 0;

	for (size_t i = 0; buf && i < ARRAY_SIZE(lengths); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(distances); j++) {
			struct write_test t;

			if (lengths[i] >= LONG && distances[j])
				continue;
			t = place_write(p, boundary, distances[j], lengths[i], ++round);
			if (!write_and_check(w, p, ref, &t, buf))
				goto out;
		}
	}
	note("%u writes, each read back by %u methods", round, w->nr);
out:
	free(buf);
}

/* the writes are around the first pmd boundary; a device is mapped by whole entries */
static size_t mapped_bytes(const struct cell *c)
{
	return c->size == DAXMAP_PUD ? daxmap_bytes(DAXMAP_PUD) : 3 * daxmap_bytes(DAXMAP_PMD);
}

static const char *ref_method(const struct cell *c)
{
	return c->memory->caps & MEM_CHARDEV ? "mmap" : "buffered";
}

/* one byte is changed: each method has to find that byte, and no other */
static void find_byte(struct io_paths *w, struct io_path *ref, unsigned char *buf)
{
	size_t page = sysconf(_SC_PAGESIZE), off = daxmap_bytes(DAXMAP_PMD), at = off + page / 3;
	struct cell *c = w->c;
	int ret;

	io_fill(buf, off, page, 1);
	ret = io_path_write(ref, off, buf, page);
	if (!expect_ok(c, ret, "writing a page", ref->why))
		return;
	buf[0] = ~io_byte(at, 1);
	ret = io_path_write(ref, at, buf, 1);
	if (!expect_ok(c, ret, "changing a byte of the page", ref->why))
		return;
	for (unsigned int i = 0; i < w->nr; i++) {
		struct io_path *by = &w->path[i];

		ret = io_path_read(by, off, buf, page);
		expect_ok(c, ret, by->method->name, by->why);
		expect(c, VERDICT_FAILED, io_wrong(buf, off, page, 1) == (ssize_t)at,
		       "%s finds the first wrong byte at %zd; expected %zu", by->method->name,
		       io_wrong(buf, off, page, 1), at);
	}
}

static void control_wrong_byte(struct cell *c)
{
	unsigned char *buf = io_buffer(c, sysconf(_SC_PAGESIZE));
	struct io_path *ref;
	struct io_paths w = { .nr = 0 };

	if (buf && io_paths_open(&w, c, mapped_bytes(c))) {
		ref = io_paths_find(&w, ref_method(c));
		if (ref)
			find_byte(&w, ref, buf);
	}
	io_paths_close(&w);
	free(buf);
}

static void every_path(struct cell *c)
{
	struct io_path *p, *ref;
	struct io_paths w;

	if (io_paths_open(&w, c, mapped_bytes(c))) {
		p = io_paths_find(&w, c->word);
		ref = io_paths_find(&w, ref_method(c));
		if (p && ref)
			write_all(&w, p, ref);
	}
	io_paths_close(&w);
	if (c->memory->caps & MEM_MOUNTED)
		cell_remove_file(c);
}

static const struct scenario_group paths = {
	.name = "paths",
	.order = 20,
	.common = {
		.what = "data written by it is read back by all other methods; all lengths and alignments",
		.next_word = io_next_word,
		.bytes = IO_BYTES,
		.run = every_path,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "every_path",
			.on = ON_DEVDAX,
			.sizes = AT_ALL,
		}, {
			.name = "every_path",
			.on = ON_FILES,
			.sizes = AT_FILE,
		}, {
			.name = "every_path",
			.on = ON_BLOCKS,
			.sizes = AT_PTE,
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
			.what = "control: one byte that was changed is found by every method",
			.on = ON_DEVDAX,
			.run = control_wrong_byte,
		}, {
			.name = "control_wrong_byte",
			.what = "control: one byte that was changed is found by every method",
			.on = ON_PMEM_WRITABLE,
			.run = control_wrong_byte,
		},
		{ }
	},
};

REGISTER(scenario_groups, &control);
