// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O whose buffer is a mapping of the same file: in other pages, in other page table
 * entries, and at the very same place, where a kernel that locks both ends would
 * deadlock.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/io.h"

/**
 * struct place - an offset in the file
 * @pmds: entries of that level
 * @pages: base pages, added
 * @bytes: bytes, added
 */
struct place {
	int pmds;
	int pages;
	int bytes;
};

/**
 * struct move - one transfer
 * @to: start of the destination
 * @from: start of the source; the two ranges are the same, or do not overlap
 * @len: length
 */
struct move {
	struct place to;
	struct place from;
	struct place len;
};

static const struct move moves[] = {
	/* within a page, for methods that take any offset; to the next page; across pages */
	{ .to = { .bytes = 512 }, .from = { .bytes = 1024 }, .len = { .bytes = 300 } },
	{ .to = { .pages = 1 }, .len = { .pages = 1 } },
	{ .from = { .pages = 1 }, .len = { .pages = 1 } },
	{ .to = { 0, 2, -10 }, .from = { .bytes = 100 }, .len = { 0, 1, 20 } },
	/* from one pmd entry into another, and across the boundary */
	{ .to = { .pmds = 1 }, .len = { .pages = 128 } },
	{ .from = { .pmds = 1 }, .len = { .pages = 128 } },
	{ .to = { 1, -64, 0 }, .from = { .pages = 16 }, .len = { .pages = 128 } },
	{ .to = { .pages = 16 }, .from = { 1, -64, 0 }, .len = { .pages = 128 } },
	/* onto itself */
	{ .to = { .pages = 1 }, .from = { .pages = 1 }, .len = { .pages = 1 } },
	{ .to = { .bytes = 1000 }, .from = { .bytes = 1000 }, .len = { 0, 1, 904 } },
	{ .to = { 1, -16, 0 }, .from = { 1, -16, 0 }, .len = { .pages = 32 } },
};

struct self_io {
	struct io_paths w;
	struct io_path *path;
	struct io_path *reader;
	struct daxmap map;
	size_t page;
	size_t pmd;
	size_t bytes;		/* of the file, compared as a whole after each transfer */
	unsigned char *model;
	unsigned char *seen;
};

static size_t offset_of(const struct self_io *s, const struct place *p)
{
	return p->pmds * s->pmd + p->pages * s->page + p->bytes;
}

static bool is_aligned(const struct self_io *s, const struct move *m)
{
	size_t unit = s->path->unit;

	return !(offset_of(s, &m->to) % unit || offset_of(s, &m->from) % unit ||
		 offset_of(s, &m->len) % unit);
}

/* once from the mapping into the file, once from the file into the mapping */
static bool move_and_check(struct self_io *s, const struct move *m, bool write)
{
	size_t to = offset_of(s, &m->to), from = offset_of(s, &m->from);
	size_t len = offset_of(s, &m->len), at = 0;
	const char *what = write ? "a write" : "a read";
	unsigned char *map = s->map.addr;
	struct cell *c = s->w.c;
	int ret;

	ret = write ? io_path_write(s->path, to, map + from, len) :
		      io_path_read(s->path, from, map + to, len);
	if (!expect(c, VERDICT_FAILED, !ret, "%s of %zu bytes from %#zx to %#zx: %s", what, len,
		    from, to, strerror(-ret)))
		return false;
	memmove(s->model + to, s->model + from, len);
	ret = io_path_read(s->reader, 0, s->seen, s->bytes);
	if (!expect_ok(c, ret, "reading the file", s->reader->why))
		return false;
	while (at < s->bytes && s->seen[at] == s->model[at])
		at++;
	return expect(c, VERDICT_WRONG_DATA, at == s->bytes,
		      "%s of %zu bytes from %#zx to %#zx of one file: byte %#zx is %#x, expected %#x",
		      what, len, from, to, at, at < s->bytes ? s->seen[at] : 0,
		      at < s->bytes ? s->model[at] : 0);
}

static void move_all(struct self_io *s)
{
	unsigned int done = 0;
	int ret;

	io_fill(s->model, 0, s->bytes, 1);
	ret = io_path_write(s->reader, 0, s->model, s->bytes);
	if (!expect_ok(s->w.c, ret, "writing the old contents", s->reader->why))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		if (!is_aligned(s, &moves[i]))
			continue;
		if (!move_and_check(s, &moves[i], true) || !move_and_check(s, &moves[i], false))
			return;
		done += 2;
	}
	note("%u transfers within one file", done);
}

static const char *next_self_io(const struct memory *m, enum daxmap_size size, const char *word)
{
	const struct io_method *next = word ? io_method_find(word) : NULL;

	while ((next = io_method_next(next)))
		if (memory_selected(&next->on, m) && next->flags & IO_SELF)
			return next->name;
	return NULL;
}

static void same_file(struct cell *c)
{
	struct self_io s = {
		.map = { .fd = -1 }, .page = sysconf(_SC_PAGESIZE),
		.pmd = daxmap_bytes(DAXMAP_PMD),
	};
	int ret;

	s.bytes = s.pmd + s.pmd / 2;
	s.model = io_buffer(c, s.bytes);
	s.seen = io_buffer(c, s.bytes);
	if (s.model && s.seen && io_paths_open(&s.w, c, s.bytes)) {
		s.path = io_paths_find(&s.w, c->word);
		s.reader = io_paths_find(&s.w, "buffered");
		ret = daxmap_open(&s.map, c->v.node, c->size, 0, IO_BYTES,
				  PROT_READ | PROT_WRITE);
		if (s.path && s.reader && expect_ok(c, ret, "mapping the file", ""))
			move_all(&s);
	}
	if (s.map.addr)
		daxmap_close(&s.map);
	io_paths_close(&s.w);
	free(s.model);
	free(s.seen);
	cell_remove_file(c);
}

static const struct scenario_group self_io_group = {
	.name = "self_io",
	.order = 40,
	.common = {
		.on = ON_FILES,
		.sizes = AT_FILE,
		.bytes = IO_BYTES,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "same_file",
			.what = "the buffer of I/O is a mapping of the same file, elsewhere or at the same offset",
			.next_word = next_self_io,
			.run = same_file,
		},
		{ }
	},
};

REGISTER(scenario_groups, &self_io_group);
