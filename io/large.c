// SPDX-License-Identifier: GPL-2.0-only
/*
 * The largest transfers: written by each method in turn and read back by the next one,
 * at an unaligned offset where both allow it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/io.h"

/* size of the file or device: a largest transfer, which begins a little behind its start */
#define LARGE_BYTES	(IO_PATH_MAX + (2u << 20))

/* bytes from a page's start to an unaligned offset */
#define ODD	65u

/* every eight bytes are different, also in each round; fast under emulation */
static void fill_words(unsigned char *buf, size_t len, uint64_t round)
{
	uint64_t *word = (uint64_t *)buf, value = (round + 1) * 0x9e3779b97f4a7c15ull;

	for (size_t i = 0; i < len / sizeof(*word); i++, value += 0x0001000300050007ull)
		word[i] = value;
}

static size_t offset_for(const struct io_path *a, const struct io_path *b)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return a->unit > 1 || b->unit > 1 ? page : page + ODD;
}

/* the file system may be too small for a second file of that size */
static bool no_space(const struct io_path *p, int ret)
{
	return ret == -ENOSPC && p->method->flags & IO_COPIES;
}

static bool move_large(struct cell *c, struct io_path *from, struct io_path *by,
		       unsigned char *want, unsigned char *seen, unsigned int round)
{
	size_t off = offset_for(from, by), at = 0;
	int ret;

	fill_words(want, IO_PATH_MAX, round);
	ret = io_path_write(from, off, want, IO_PATH_MAX);
	if (no_space(from, ret)) {
		note("%s: no space for a second file of that size", from->method->name);
		return true;
	}
	if (!expect(c, VERDICT_FAILED, !ret, "writing 64 MiB at %#zx by %s: %s", off,
		    from->method->name, strerror(-ret)))
		return false;
	ret = io_path_read(by, off, seen, IO_PATH_MAX);
	if (no_space(by, ret))
		return true;
	if (!expect(c, VERDICT_FAILED, !ret, "reading 64 MiB at %#zx by %s: %s", off,
		    by->method->name, strerror(-ret)))
		return false;
	if (memcmp(want, seen, IO_PATH_MAX))
		while (want[at] == seen[at])
			at++;
	else
		at = IO_PATH_MAX;
	return expect(c, VERDICT_WRONG_DATA, at == IO_PATH_MAX,
		      "64 MiB at %#zx written by %s, read by %s: byte %#zx is %#x, expected %#x",
		      off, from->method->name, by->method->name, off + at,
		      at < IO_PATH_MAX ? seen[at] : 0, at < IO_PATH_MAX ? want[at] : 0);
}

static void large(struct cell *c)
{
	size_t entry = daxmap_bytes(c->size), bytes = (LARGE_BYTES + entry - 1) / entry * entry;
	unsigned char *want = io_buffer(c, IO_PATH_MAX), *seen = io_buffer(c, IO_PATH_MAX);
	struct io_paths w = { .nr = 0 };

	if (want && seen && io_paths_open(&w, c, bytes))
		for (unsigned int i = 0; i < w.nr && !cell_over(c); i++)
			move_large(c, &w.path[i], &w.path[(i + 1) % w.nr], want, seen, i);
	io_paths_close(&w);
	free(want);
	free(seen);
	if (c->memory->caps & MEM_MOUNTED)
		cell_remove_file(c);
}

static const struct scenario_group large_group = {
	.name = "large",
	.order = 50,
	.common = {
		.what = "64 MiB in one call by each method, read by another",
		.bytes = LARGE_BYTES,
		.run = large,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "large",
			.on = ON_DEVDAX,
			.sizes = AT_PMD | AT_PUD,
		}, {
			.name = "large",
			.on = ON_FILES,
			.sizes = AT_PMD,
		}, {
			.name = "large",
			.on = ON_BLOCKS,
			.sizes = AT_PTE,
		},
		{ }
	},
};

REGISTER(scenario_groups, &large_group);
