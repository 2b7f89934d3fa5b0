// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranges of a file without data: holes, unwritten extents, beyond EOF, and after the
 * file was truncated and extended again.  All of them read as zeroes by every method,
 * and a write is seen at once, also through a mapping that had the zero page.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/io.h"

#define PAGES		8	/* of the file */
#define WRITTEN		3	/* this page is written, those around it are not */

/* modes of fallocate(2) */
#define PUNCH		(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ZERO		(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)

struct gaps {
	struct io_paths w;
	struct io_path *p;
	int fd;
	size_t page;
	unsigned char *buf;
};

static bool read_by(struct gaps *g, struct io_path *by, size_t off, size_t len)
{
	int ret = io_path_read(by, off, g->buf, len);

	return expect(g->w.c, VERDICT_FAILED, !ret, "reading %zu bytes at %#zx by %s: %s", len,
		      off, by->method->name, strerror(-ret));
}

static bool all_zero(struct gaps *g, size_t off, size_t len, const char *what)
{
	for (unsigned int i = 0; i < g->w.nr; i++) {
		size_t bad = 0;

		if (!read_by(g, &g->w.path[i], off, len))
			return false;
		while (bad < len && !g->buf[bad])
			bad++;
		if (!expect(g->w.c, VERDICT_WRONG_DATA, bad == len,
			    "%s: %s reads %#x at %#zx; expected zeroes", what,
			    g->w.path[i].method->name, bad < len ? g->buf[bad] : 0, off + bad))
			return false;
	}
	return true;
}

static bool all_written(struct gaps *g, size_t off, size_t len, const char *what)
{
	for (unsigned int i = 0; i < g->w.nr; i++) {
		ssize_t bad;

		if (!read_by(g, &g->w.path[i], off, len))
			return false;
		bad = io_wrong(g->buf, off, len, WRITTEN);
		if (!expect(g->w.c, VERDICT_WRONG_DATA, bad < 0,
			    "%s: %s reads %#x at %#zx; expected %#x", what,
			    g->w.path[i].method->name, bad < 0 ? 0 : g->buf[bad - off], bad,
			    io_byte(bad, WRITTEN)))
			return false;
	}
	return true;
}

static bool resize(struct gaps *g, off_t len)
{
	return expect_ok(g->w.c, ftruncate(g->fd, len) ? -errno : 0, "ftruncate()", "");
}

static bool change_extents(struct gaps *g, int mode, size_t off, size_t len, const char *what)
{
	int ret = fallocate(g->fd, mode, off, len) ? -errno : 0;

	return expect_ok(g->w.c, ret, what, "");
}

/* writes a page in the middle, after every method has read zeroes there */
static bool write_middle(struct gaps *g, const char *what)
{
	size_t at = WRITTEN * g->page;
	int ret;

	if (!all_zero(g, 0, PAGES * g->page, what))
		return false;
	io_fill(g->buf, at, g->page, WRITTEN);
	ret = io_path_write(g->p, at, g->buf, g->page);
	return expect(g->w.c, VERDICT_FAILED, !ret, "%s: writing by %s: %s", what,
		      g->p->method->name, strerror(-ret)) &&
	       all_written(g, at, g->page, what) && all_zero(g, 0, at, what) &&
	       all_zero(g, at + g->page, (PAGES - 1 - WRITTEN) * g->page, what);
}

static bool in_hole(struct gaps *g)
{
	return resize(g, 0) && resize(g, PAGES * g->page) && write_middle(g, "in a hole");
}

static bool in_unwritten(struct gaps *g)
{
	return resize(g, 0) && change_extents(g, 0, 0, PAGES * g->page, "fallocate()") &&
	       write_middle(g, "in an unwritten extent");
}

static bool in_punched(struct gaps *g)
{
	size_t at = WRITTEN * g->page;

	return change_extents(g, PUNCH, at, g->page, "punching") &&
	       all_zero(g, 0, PAGES * g->page, "after a punch") &&
	       write_middle(g, "in a hole that was punched");
}

static bool in_zeroed(struct gaps *g)
{
	size_t at = WRITTEN * g->page;

	return change_extents(g, ZERO, at, g->page, "zeroing") &&
	       all_zero(g, 0, PAGES * g->page, "after a zeroed range") &&
	       write_middle(g, "in a zeroed range");
}

/* truncated in the middle of a page and extended: the rest of that page is zeroes */
static bool truncated(struct gaps *g)
{
	size_t at = WRITTEN * g->page, half = at + g->page / 2;

	if (!resize(g, half) || !resize(g, PAGES * g->page))
		return false;
	for (unsigned int i = 0; i < g->w.nr; i++) {
		const char *name = g->w.path[i].method->name;
		size_t bad = g->page / 2;

		if (!read_by(g, &g->w.path[i], at, g->page))
			return false;
		if (!expect(g->w.c, VERDICT_WRONG_DATA,
			    io_wrong(g->buf, at, g->page / 2, WRITTEN) < 0,
			    "before the new end, %s does not read the bytes written", name))
			return false;
		while (bad < g->page && !g->buf[bad])
			bad++;
		if (!expect(g->w.c, VERDICT_WRONG_DATA, bad == g->page,
			    "truncated at %#zx and extended: %s reads %#x at %#zx; expected zeroes",
			    half, name, bad < g->page ? g->buf[bad] : 0, at + bad))
			return false;
	}
	return all_zero(g, at + g->page, (PAGES - 1 - WRITTEN) * g->page, "beyond a truncated end");
}

/* a write beyond EOF extends the file: the range between reads as zeroes */
static bool extended(struct gaps *g)
{
	size_t at = (PAGES - 1) * g->page;
	struct cell *c = g->w.c;
	struct stat st;
	int ret;

	if (g->p->method->flags & IO_MAPS)
		return true;
	if (!resize(g, 0) || !resize(g, 2 * g->page))
		return false;
	io_fill(g->buf, at, g->page, WRITTEN);
	ret = io_path_write(g->p, at, g->buf, g->page);
	if (!expect(c, VERDICT_FAILED, !ret, "writing beyond EOF by %s: %s",
		    g->p->method->name, strerror(-ret)))
		return false;
	ret = fstat(g->fd, &st) ? -errno : 0;
	return expect_ok(c, ret, "fstat()", "") &&
	       expect(c, VERDICT_WRONG_DATA, st.st_size == (off_t)(PAGES * g->page),
		      "a write of %zu bytes at %#zx by %s left a file of %lld bytes", g->page, at,
		      g->p->method->name, (long long)st.st_size) &&
	       all_written(g, at, g->page, "beyond EOF") &&
	       all_zero(g, 0, at, "between the old EOF and a write beyond it");
}

static void gaps(struct cell *c)
{
	struct gaps g = { .fd = -1, .page = sysconf(_SC_PAGESIZE) };

	g.buf = io_buffer(c, PAGES * g.page);
	g.fd = open(c->v.node, O_RDWR | O_CLOEXEC);
	if (g.buf && expect_ok(c, g.fd < 0 ? -errno : 0, "opening the file", "") &&
	    resize(&g, 0) && resize(&g, PAGES * g.page) &&
	    io_paths_open(&g.w, c, PAGES * g.page)) {
		g.p = io_paths_find(&g.w, c->word);
		if (g.p && in_hole(&g) && in_unwritten(&g) && in_punched(&g) && in_zeroed(&g) &&
		    truncated(&g))
			extended(&g);
	}
	io_paths_close(&g.w);
	if (g.fd >= 0)
		close(g.fd);
	free(g.buf);
}

static const struct scenario_group gaps_group = {
	.name = "gaps",
	.order = 30,
	.common = {
		.on = ON_FILES,
		.sizes = AT_PTE,
		.bytes = IO_BYTES,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "gaps",
			.what = "holes, unwritten extents, EOF: zeroes, or the bytes written last",
			.next_word = io_next_word,
			.run = gaps,
		},
		{ }
	},
};

REGISTER(scenario_groups, &gaps_group);
