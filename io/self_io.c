// SPDX-License-Identifier: GPL-2.0
/*
 * The bytes of a file come from a mapping of the same file, or go there: in other pages,
 * in other page table entries, and in the very same place, where whoever locks a page
 * for both ends waits for itself.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/io.h"

/* Of the file, which is compared as a whole after each. */
#define SAME_BYTES	((size_t)(3u << 20))

/**
 * struct move - one transfer
 * @to: offset in the file
 * @from: offset in the file, by the mapping
 * @len: bytes; the two ranges are one, or do not overlap
 */
struct move {
	size_t to;
	size_t from;
	size_t len;
};

#define KIB	1024u
#define MIB	(1024u * KIB)

static const struct move moves[] = {
	/* within a page, for those that may; to the next; across pages */
	{ 512, 1024, 300 },
	{ 4 * KIB, 0, 4 * KIB },
	{ 0, 4 * KIB, 4 * KIB },
	{ 8 * KIB - 10, 100, 4 * KIB + 20 },
	/* from one pmd entry into another, and over its boundary */
	{ 2 * MIB, 0, 512 * KIB },
	{ 0, 2 * MIB, 512 * KIB },
	{ 2 * MIB - 256 * KIB, 64 * KIB, 512 * KIB },
	{ 64 * KIB, 2 * MIB - 256 * KIB, 512 * KIB },
	/* onto itself */
	{ 4 * KIB, 4 * KIB, 4 * KIB },
	{ 1000, 1000, 5000 },
	{ 2 * MIB - 64 * KIB, 2 * MIB - 64 * KIB, 128 * KIB },
};

struct same {
	struct ways w;
	struct io_path *way;
	struct io_path *reader;
	struct daxmap map;
	unsigned char *model;
	unsigned char *seen;
};

static bool fits(const struct same *s, const struct move *m)
{
	return !(m->to % s->way->unit || m->from % s->way->unit || m->len % s->way->unit);
}

static bool as_modelled(struct same *s, const struct move *m, const char *what)
{
	int ret = io_path_read(s->reader, 0, s->seen, SAME_BYTES);
	struct cell *c = s->w.c;
	size_t at = 0;

	if (!expect_ok(c, ret, "reading the file", s->reader->why))
		return false;
	while (at < SAME_BYTES && s->seen[at] == s->model[at])
		at++;
	return expect(c, VERDICT_WRONG_DATA, at == SAME_BYTES,
		      "%s of %zu bytes from %#zx to %#zx of one file: byte %#zx is %#x, expected %#x",
		      what, m->len, m->from, m->to, at, at < SAME_BYTES ? s->seen[at] : 0,
		      at < SAME_BYTES ? s->model[at] : 0);
}

/* once from the mapping into the file, once from the file into the mapping */
static bool carry_out(struct same *s, const struct move *m, bool write)
{
	const char *what = write ? "a write" : "a read";
	unsigned char *map = s->map.addr;
	int ret = write ? io_path_write(s->way, m->to, map + m->from, m->len) :
			  io_path_read(s->way, m->from, map + m->to, m->len);

	if (!expect(s->w.c, VERDICT_FAILED, !ret, "%s of %zu bytes from %#zx to %#zx: %s", what,
		    m->len, m->from, m->to, strerror(-ret)))
		return false;
	memmove(s->model + m->to, s->model + m->from, m->len);
	return as_modelled(s, m, what);
}

static void carry_out_all(struct same *s)
{
	unsigned int done = 0;
	int ret;

	io_fill(s->model, 0, SAME_BYTES, 1);
	ret = io_path_write(s->reader, 0, s->model, SAME_BYTES);
	if (!expect_ok(s->w.c, ret, "what is there before", s->reader->why))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		if (!fits(s, &moves[i]))
			continue;
		if (!carry_out(s, &moves[i], true) || !carry_out(s, &moves[i], false))
			return;
		done += 2;
	}
	note(s->w.c, "%u transfers within one file", done);
}

static void same_file(struct cell *c)
{
	struct same s = { .map = { .fd = -1 } };
	int ret;

	s.model = io_buffer(c, SAME_BYTES);
	s.seen = io_buffer(c, SAME_BYTES);
	if (s.model && s.seen && ways_open(&s.w, c, SAME_BYTES)) {
		s.way = ways_find(&s.w, c->word);
		s.reader = ways_find(&s.w, "buffered");
		ret = daxmap_open(&s.map, c->v.node, c->size, 0, IO_BYTES,
				  PROT_READ | PROT_WRITE);
		if (s.way && s.reader && expect_ok(c, ret, "mapping the file", ""))
			carry_out_all(&s);
	}
	if (s.map.addr)
		daxmap_close(&s.map);
	ways_close(&s.w);
	free(s.model);
	free(s.seen);
	cell_remove_file(c);
}

static const struct scenario_group self_io = {
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
			.what = "a mapping is the buffer of I/O to its own file, in other places and in the same",
			.words = LIST("buffered", "direct", "vectored", "uring", "uring_deep",
				      "uring_direct", "splice"),
			.run = same_file,
		},
		{ }
	},
};

REGISTER(scenario_groups, &self_io);
