// SPDX-License-Identifier: GPL-2.0-only
/*
 * O_DIRECT between a DAX file and the mapping of a DAX file: the same one, another one
 * of the same file system, or one of another file system.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gup/gup.h"

/**
 * struct transfer - one write from the mapping, and one read into it
 * @tm: the memory
 * @fd: the other file, or the same one
 * @pos: offset in that file, bytes
 * @to: offset in the mapping that the read goes to, bytes
 */
struct transfer {
	struct test_map *tm;
	int fd;
	off_t pos;
	size_t to;
};

static bool write_from_mapping(const struct transfer *t, const struct span *s)
{
	struct cell *c = t->tm->c;
	ssize_t n;

	set_step("%s: writing a file from the mapping of a file", s->name);
	n = pwrite(t->fd, test_map_addr(t->tm, s->off), s->len, t->pos);
	return expect_transfer(c, "writing from the mapping", n, s->len) &&
	       test_map_check_file(t->tm, "the file written from the mapping", t->fd, t->pos,
				   s->off, s->len, TAG_MEMORY);
}

static bool read_into_mapping(const struct transfer *t, const struct span *s)
{
	struct test_map *tm = t->tm;
	ssize_t n;

	set_step("%s: reading a file into the mapping of a file", s->name);
	n = pread(t->fd, test_map_addr(tm, t->to), s->len, t->pos);
	return expect_transfer(tm->c, "reading into the mapping", n, s->len) &&
	       test_map_check_buf(tm, "the bytes read into the mapping", test_map_addr(tm, t->to),
				  s->off, s->len, TAG_MEMORY) &&
	       test_map_check_buf(tm, "the bytes read into the mapping, seen through another one",
				  test_map_alias_addr(tm, t->to), s->off, s->len, TAG_MEMORY);
}

static bool write_and_read(const struct transfer *t, const struct span *s, bool touched)
{
	struct test_map *tm = t->tm;

	test_map_fill(tm, s);
	if (!test_map_remap(tm, PROT_RW))
		return false;
	if (touched)
		daxmap_touch(&tm->map, 0, tm->map.len, true, NULL);
	if (!write_from_mapping(t, s))
		return false;
	if (!touched && !test_map_remap(tm, PROT_RW))
		return false;
	return read_into_mapping(t, s);
}

/* Guards 17d9c15c9b9e ("fsdax: Fix infinite loop in dax_iomap_rw()"). */
static bool transfer_nothing(const struct transfer *t)
{
	void *base = t->tm->map.addr;
	ssize_t n;

	set_step("reading and writing 0 bytes");
	n = pread(t->fd, base, 0, t->pos);
	if (!expect_transfer(t->tm->c, "reading 0 bytes", n, 0))
		return false;
	n = pwrite(t->fd, base, 0, t->pos);
	return expect_transfer(t->tm->c, "writing 0 bytes", n, 0);
}

/* the bytes of a write that overlaps its source are not defined: it has to end */
static void write_overlapping(const struct transfer *t)
{
	struct span s = { "a range written to itself", 0, 2 * t->tm->page };
	struct test_map *tm = t->tm;
	ssize_t n;

	set_step("writing a range of the file from its own mapping");
	test_map_fill(tm, &s);
	if (!test_map_remap(tm, PROT_RW))
		return;
	n = pwrite(t->fd, tm->map.addr, s.len, tm->map.off);
	if (!expect_transfer(tm->c, "writing a range to itself", n, s.len) ||
	    !test_map_check_mapped(tm, s.name, 0, s.len, TAG_MEMORY))
		return;
	n = pwrite(t->fd, tm->map.addr, s.len, tm->map.off + tm->page);
	expect_transfer(tm->c, "writing a range to one page further", n, s.len);
}

/*
 * For a DAX file the kernel copies, with locks of that file held, and takes faults on the
 * mapping: they may need the same locks.
 */
static void transfer_spans(struct cell *c, const char *path, bool self)
{
	struct transfer t = { .fd = -1 };
	struct test_map tm;
	struct span spans[3];

	if (!test_map_open(&tm, c))
		goto out;
	t.tm = &tm;
	t.fd = open(path, O_RDWR | O_DIRECT | O_CREAT | O_CLOEXEC, 0600);
	if (!expect(c, VERDICT_FAILED, t.fd >= 0, "opening %s: %s", path, strerror(errno)))
		goto out;
	spans[0] = (struct span){ "a page", 2 * tm.page, tm.page };
	spans[1] = test_map_pages(&tm);
	spans[2] = (struct span){ "a pmd entry's length", tm.page, daxmap_bytes(DAXMAP_PMD) };
	for (size_t i = 0; i < 2 * ARRAY_SIZE(spans) && !cell_over(c); i++) {
		const struct span *s = &spans[i / 2];

		/* no overlap; in the same file before the mapping, if there is room */
		t.to = s->off + s->len + 4 * tm.page;
		t.pos = i * tm.page;
		if (self && !tm.map.off)
			t.pos = t.to + s->len + 4 * tm.page;
		fallocate(t.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, t.pos, s->len);
		write_and_read(&t, s, i % 2);
	}
	if (!cell_over(c) && transfer_nothing(&t) && self)
		write_overlapping(&t);
out:
	if (t.fd >= 0)
		close(t.fd);
	test_map_close(&tm);
}

static void odirect_self(struct cell *c)
{
	transfer_spans(c, c->v.node, true);
}

static void odirect_same_fs(struct cell *c)
{
	char path[NODE_LEN + 8];

	snprintf(path, sizeof(path), "%s.too", c->v.node);
	transfer_spans(c, path, false);
}

/* set before the body's process is forked: only the program itself takes namespaces */
static char other_path[NODE_LEN];

static void run_with_other_fs(struct cell *c)
{
	char why[WHY_LEN] = "";
	int ret = memory_other(c->guard, 0, other_path, sizeof(other_path), why, sizeof(why));

	if (ret)
		skip(c, "no second DAX file system: %s", why[0] ? why : strerror(-ret));
	else
		run_isolated(c);
}

static void odirect_other_fs(struct cell *c)
{
	transfer_spans(c, other_path, false);
}

static const struct scenario_group self_io = {
	.name = "self_io",
	.order = 120,
	.common = {
		.on = ON_FILES,
		.sizes = AT_FILE,
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "odirect_self",
			.what = "O_DIRECT between a file and its own mapping",
			.body = odirect_self,
		}, {
			.name = "odirect_same_fs",
			.what = "O_DIRECT between a mapping and another file of the same file system",
			.body = odirect_same_fs,
		}, {
			.name = "odirect_other_fs",
			.what = "O_DIRECT between a mapping and a file of another DAX file system",
			.run = run_with_other_fs,
			.body = odirect_other_fs,
		},
		{ }
	},
};

REGISTER(scenario_groups, &self_io);
