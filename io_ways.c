// SPDX-License-Identifier: GPL-2.0
/*
 * All the ways to one file or device, and the bytes that are sent along them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"

unsigned char io_byte(size_t off, unsigned int round)
{
	return off * 31 + (off >> 8) * 7 + (off >> 16) + round * 101 + (round >> 8) * 13;
}

void io_fill(unsigned char *to, size_t off, size_t len, unsigned int round)
{
	for (size_t i = 0; i < len; i++)
		to[i] = io_byte(off + i, round);
}

ssize_t io_wrong(const unsigned char *bytes, size_t off, size_t len, unsigned int round)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != io_byte(off + i, round))
			return off + i;
	return -1;
}

unsigned char *io_buffer(struct cell *c, size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);
	unsigned char *p = aligned_alloc(page, (bytes + page - 1) / page * page);

	return expect(c, VERDICT_FAILED, p, "no memory for %zu bytes", bytes) ? p : NULL;
}

/* which of the table's ways this kind of memory has */
static bool is_there(const struct cell *c, const struct iopath_method *m)
{
	if (c->memory->bit & MEMORY_DEVDAX)
		return m->flags & IOPATH_DEVDAX;
	/* a mapping of a block device shows the page cache, which O_DIRECT goes past */
	if (c->memory->bit & MEMORY_BLOCKS)
		return !(m->flags & (IOPATH_FILES | IOPATH_MAPS));
	return true;
}

bool ways_open(struct ways *w, struct cell *c, size_t bytes)
{
	static const char name[] = ".passed";
	struct iopath_beside beside = { .file = w->beside };
	int ret;

	memset(w, 0, sizeof(*w));
	w->c = c;
	snprintf(w->beside, sizeof(w->beside), "%.*s%s",
		 (int)(sizeof(w->beside) - sizeof(name)), c->v.node, name);
	if (c->guard->targets.fast[0])
		beside.device = c->guard->targets.fast;
	for (const struct iopath_method *m = iopath_methods; m->name; m++) {
		struct iopath *p = &w->path[w->nr];

		if (!is_there(c, m) || w->nr == IO_PATHS)
			continue;
		ret = iopath_open(p, m, c->v.node, &beside, bytes, c->size);
		if (!ret)
			w->nr++;
		else if (ret == -EOPNOTSUPP)
			note(c, "%s: %s", m->name, p->why);
		else if (!expect_ok(c, ret, m->name, p->why))
			return false;
	}
	return expect(c, VERDICT_FAILED, w->nr, "there is no way to %s", c->v.node);
}

void ways_close(struct ways *w)
{
	while (w->nr)
		iopath_close(&w->path[--w->nr]);
	if (w->c && w->c->memory->bit & MEMORY_FILES)
		unlink(w->beside);
}

struct iopath *ways_find(struct ways *w, const char *name)
{
	for (unsigned int i = 0; i < w->nr; i++)
		if (!strcmp(w->path[i].method->name, name))
			return &w->path[i];
	skip(w->c, "there is no %s here", name);
	return NULL;
}
