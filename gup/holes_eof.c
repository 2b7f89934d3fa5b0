// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins on parts of a file that are special: holes, unwritten extents, and the end of
 * the file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gup/gup.h"

/* the bytes of a range of the mapping as read(2) returns them */
static bool check_read(struct test_map *tm, const char *what, size_t off, size_t len, uint16_t tag)
{
	return test_map_check_file(tm, what, tm->alias.fd, tm->map.off + off, off, len, tag);
}

static bool write_range(struct test_map *tm, size_t off, size_t len, uint16_t tag)
{
	void *buf = malloc(len);
	bool good;
	ssize_t n;

	if (!buf)
		return expect(tm->c, VERDICT_FAILED, false, "no memory to write %zu bytes", len);
	set_step("writing the file");
	pattern_fill(buf, len, tag, tm->map.off + off);
	n = pwrite(tm->alias.fd, buf, len, tm->map.off + off);
	good = expect_transfer(tm->c, "writing the file", n, len);
	free(buf);
	return good;
}

/* a pin that writes its own bytes or reads zeroes; the bytes around it stay zeroes */
static bool pin_zeroes(struct test_map *tm, const char *what)
{
	struct span s = test_map_pages(tm);
	bool good, sink = cell_is_sink(tm->c);
	size_t end = s.off + s.len;
	struct pin_test pt;

	s.name = what;
	pin_test_init(&pt, tm, tm->c->method, s);
	pt.as_is = true;
	if (!pin_test_take(&pt, 0))
		return false;
	good = pin_test_release(&pt) &&
	       (sink || test_map_check_buf(tm, what, pt.pin.peer, s.off, s.len, TAG_ZEROES));
	pin_test_close(&pt);
	return good && expect_balance(tm->c, &pt.before, what) &&
	       check_read(tm, what, 0, s.off, TAG_ZEROES) &&
	       check_read(tm, what, s.off, s.len, sink ? pt.tag : TAG_ZEROES) &&
	       check_read(tm, what, end, tm->map.len - end, TAG_ZEROES);
}

/* the pin finds nothing mapped; or, after a load, the zero page */
static void hole(struct cell *c)
{
	static const char *const what[] = {
		"a hole, not mapped", "a hole, mapped by a load",
	};
	struct test_map tm;

	if (test_map_open(&tm, c))
		for (int loaded = 0; loaded < 2 && !cell_over(c); loaded++) {
			if (!test_map_punch(&tm) || !test_map_remap(&tm, PROT_RW))
				break;
			if (loaded)
				daxmap_touch(&tm.map, 0, tm.map.len, false, NULL);
			pin_zeroes(&tm, what[loaded]);
		}
	test_map_close(&tm);
}

/* free the blocks of the file, with TAG_STALE in them, and allocate them again */
static bool reallocate_blocks(struct test_map *tm)
{
	struct cell *c = tm->c;
	int fd = tm->alias.fd;

	set_step("freeing the blocks and allocating them again");
	return expect_ok(c, sys_result(ftruncate(fd, 0)), "freeing the blocks", "") &&
	       expect_ok(c, sys_result(syncfs(fd)), "syncfs() with the blocks free", "") &&
	       expect_ok(c, sys_result(fallocate(fd, 0, 0, c->v.size)),
			 "allocating the blocks again", "");
}

/* unwritten extents on blocks with old bytes, which no new file may show */
static bool make_unwritten(struct test_map *tm)
{
	uint64_t before = 0, after = 1;

	if (!write_range(tm, 0, tm->map.len, TAG_STALE))
		return false;
	fsdax_physical(tm->c->v.node, tm->map.off, &before);
	if (!reallocate_blocks(tm))
		return false;
	fsdax_physical(tm->c->v.node, tm->map.off, &after);
	if (before != after)
		note("the file may have got other blocks than those with old bytes");
	return true;
}

/*
 * An unwritten extent reads as zeroes, with any bytes in its blocks; and the first store to a
 * page must not expose old bytes next to it.
 */
static void unwritten(struct cell *c)
{
	static const char *const what[] = {
		"unwritten, not mapped", "unwritten, mapped by a load",
	};
	struct test_map tm;

	if (test_map_open(&tm, c))
		for (int loaded = 0; loaded < 2 && !cell_over(c); loaded++) {
			if (!make_unwritten(&tm) || !test_map_remap(&tm, PROT_RW))
				break;
			if (loaded)
				daxmap_touch(&tm.map, 0, tm.map.len, false, NULL);
			pin_zeroes(&tm, what[loaded]);
		}
	test_map_close(&tm);
}

/* a pin on the zero page: it has read zeroes or the new bytes, and no others */
static bool check_zeroes_or(struct pin_test *pt, const char *what, uint16_t tag)
{
	const char *peer = pt->pin.peer;
	uint64_t first;

	if (!pin_test_release(pt))
		return false;
	memcpy(&first, peer, sizeof(first));
	note("%s: the pin read %s", what, first ? "the new bytes" : "zeroes");
	return test_map_check_buf(pt->tm, what, peer, pt->span.off, pt->span.len,
				  first ? tag : TAG_ZEROES);
}

/* a store through a mapping of small entries into a hole that is mapped already */
static bool store_through_small(struct test_map *tm, const struct span *s, uint16_t tag)
{
	struct daxmap small;

	if (!test_map_open_small(tm, &small))
		return false;
	set_step("storing through small entries");
	pattern_fill((char *)small.addr + s->off, s->len, tag, tm->map.off + s->off);
	daxmap_close(&small);
	return true;
}

static void fill_hole(struct test_map *tm, bool by_store)
{
	const char *what = by_store ? "a hole that was stored to" : "a hole that was written";
	struct span s = test_map_pages(tm);
	struct pin_test pt;
	bool good;

	if (!test_map_punch(tm) || !test_map_remap(tm, PROT_RW))
		return;
	daxmap_touch(&tm->map, 0, tm->map.len, false, NULL);
	if (tm->c->method) {
		s.name = what;
		pin_test_init(&pt, tm, tm->c->method, s);
		pt.as_is = true;
		if (!pin_test_take(&pt, 0))
			return;
	}
	good = by_store ? store_through_small(tm, &s, TAG_WRITTEN) :
			  write_range(tm, s.off, s.len, TAG_WRITTEN);
	good = good && test_map_check_mapped(tm, what, s.off, s.len, TAG_WRITTEN) &&
	       check_read(tm, what, s.off, s.len, TAG_WRITTEN) &&
	       check_read(tm, what, 0, s.off, TAG_ZEROES);
	if (!tm->c->method)
		return;
	if (good)
		check_zeroes_or(&pt, what, TAG_WRITTEN);
	pin_test_close(&pt);
	if (!cell_over(tm->c))
		expect_balance(tm->c, &pt.before, what);
}

/*
 * A load from a hole maps the zero page.  A write to the hole has to unmap it.
 *
 * Guards cd656375f946 ("mm: fix data corruption due to stale mmap reads"); the store
 * through small entries has to unmap a zero page of pmd size.
 */
static void hole_filled(struct cell *c)
{
	struct test_map tm;

	if (test_map_open(&tm, c))
		for (int by_store = 0; by_store < 2 && !cell_over(c); by_store++)
			fill_hole(&tm, by_store);
	test_map_close(&tm);
}

/* a file size inside a page near the middle of the mapping, sectors for O_DIRECT */
static size_t eof_offset(const struct test_map *tm)
{
	return tm->map.len / 2 / tm->entry * tm->entry + 3 * tm->page + SECTOR_BYTES;
}

/**
 * struct tail - a range at the end of a file
 * @what: its name in messages
 * @before: number of pages before the start of the last page; with 0 the range starts one
 *	page after that start
 * @behind: the range ends this many pages after the start of the last page
 */
struct tail {
	const char *what;
	size_t before;
	size_t behind;
};

static const struct tail tails[] = {
	{ "the last page, which ends behind EOF", 1, 1 },
	{ "the last page and one behind it", 1, 2 },
	{ "a page behind the last one", 0, 2 },
};

/*
 * Pin a range at EOF and release it.  @last is the address of the last page, @pos the
 * range's offset in the file.  0 or -errno of the method; the caller closes @pin.
 */
static int pin_tail(struct cell *c, struct pin *pin, char *last, size_t page, size_t pos,
		    const struct tail *t)
{
	char *start = last - t->before * page + (t->before ? 0 : page);
	size_t len = last + t->behind * page - start;
	int ret;

	if (!pin_open_or_skip(c, pin, len, pos))
		return 0;
	set_step("%s", t->what);
	ret = pin_take(pin, start, len);
	return ret ? ret : pin_release(pin);
}

/* the same on a file in the page cache: 0 or -errno */
static int pin_cached_tail(struct cell *c, size_t page, const struct tail *t)
{
	int fd = memfd_create("gup_devdax", MFD_CLOEXEC), ret;
	struct pin pin = { 0 };
	char *p;

	if (!expect(c, VERDICT_FAILED, fd >= 0, "memfd_create: %s", strerror(errno)))
		return 0;
	ret = sys_result(ftruncate(fd, page + SECTOR_BYTES));
	p = mmap(NULL, 4 * page, PROT_RW, MAP_SHARED, fd, 0);
	close(fd);
	if (!expect_ok(c, ret, "setting the size of a file in the page cache", "") ||
	    !expect(c, VERDICT_FAILED, p != MAP_FAILED, "mapping a file in the page cache: %s",
		    strerror(errno)))
		return 0;
	ret = pin_tail(c, &pin, p + page, page, 0, t);
	pin_close(&pin);
	munmap(p, 4 * page);
	return ret;
}

/* the bytes up to EOF, and zeroes behind it */
static void check_tail(struct test_map *tm, const struct pin *pin, const struct tail *t,
		       size_t from, size_t end)
{
	bool sink = cell_is_sink(tm->c);
	char *behind = (char *)pin->peer + end - from;

	if (check_read(tm, t->what, from, end - from, sink ? TAG_SINK : TAG_MEMORY) && !sink &&
	    test_map_check_buf(tm, t->what, pin->peer, from, end - from, TAG_MEMORY))
		test_map_check_buf(tm, t->what, behind, end, tm->page - SECTOR_BYTES, TAG_ZEROES);
}

static void compare_tail(struct test_map *tm, const struct tail *t, bool touched)
{
	size_t end = eof_offset(tm), last = end / tm->page * tm->page;
	struct pin_counters before = { 0 };
	size_t from = last - t->before * tm->page;
	struct pin pin = { 0 };
	int control, ret;

	control = pin_cached_tail(tm->c, tm->page, t);
	if (cell_over(tm->c) || !test_map_remap(tm, PROT_RW))
		return;
	/* from the page before the last one to EOF */
	if (!write_range(tm, last - tm->page, end - last + tm->page, TAG_MEMORY))
		return;
	if (touched)
		daxmap_touch(&tm->map, last - tm->page, 2 * tm->page, false, NULL);
	pin_counters_read(&before);
	ret = pin_tail(tm->c, &pin, test_map_addr(tm, last), tm->page, tm->map.off + from, t);
	expect(tm->c, VERDICT_FAILED, ret == control,
	       "%s: %s; expected %s, as on a file in the page cache", t->what,
	       ret ? strerror(-ret) : "success", control ? strerror(-control) : "success");
	if (!ret && !cell_over(tm->c))
		check_tail(tm, &pin, t, from, end);
	pin_close(&pin);
	expect_balance(tm->c, &before, t->what);
}

static bool set_file_size(struct test_map *tm, off_t size)
{
	set_step("setting the size of the file");
	return expect_ok(tm->c, sys_result(ftruncate(tm->alias.fd, size)),
			 "setting the size of the file", "");
}

static bool expect_file_size(struct test_map *tm, off_t size)
{
	struct stat st;

	return expect_ok(tm->c, sys_result(fstat(tm->alias.fd, &st)),
			 "reading the size of the file", "") &&
	       expect(tm->c, VERDICT_FAILED, st.st_size == size,
		      "the size of the file is %lld bytes; expected %lld",
		      (long long)st.st_size, (long long)size);
}

/*
 * The last page can be pinned as a whole, pages behind it cannot.  The control is a file
 * in the page cache: the method has to return the same there.
 */
static void end_of_file(struct cell *c)
{
	struct test_map tm;
	off_t size;

	if (!test_map_open(&tm, c))
		goto out;
	size = tm.map.off + eof_offset(&tm);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(tails) && !cell_over(c); i++)
		if (set_file_size(&tm, size)) {
			compare_tail(&tm, &tails[i / 2], i % 2);
			expect_file_size(&tm, size);
		}
out:
	test_map_close(&tm);
}

/*
 * Bytes that a pin writes into the last page behind EOF do not become the file's: they
 * read as zeroes when the file is extended.
 *
 * Guards c7fc0366c656 ("ext4: partial zero eof block on unaligned inode size
 * extension").
 */
static void end_extended(struct cell *c)
{
	struct pin_counters before = { 0 };
	struct pin pin = { 0 };
	size_t end, last, from;
	struct test_map tm;
	int ret;

	if (!test_map_open(&tm, c))
		goto out;
	end = eof_offset(&tm);
	last = end / tm.page * tm.page;
	from = last - tm.page;
	if (!set_file_size(&tm, tm.map.off + end) ||
	    !write_range(&tm, from, end - from, TAG_MEMORY))
		goto out;
	pin_counters_read(&before);
	ret = pin_tail(c, &pin, test_map_addr(&tm, last), tm.page, tm.map.off + from, &tails[0]);
	expect_ok(c, ret, tails[0].what, pin.why);
	pin_close(&pin);
	if (!cell_over(c) && expect_balance(c, &before, tails[0].what) &&
	    set_file_size(&tm, c->v.size)) {
		check_read(&tm, "the file before its old EOF", from, end - from, TAG_SINK);
		check_read(&tm, "the bytes behind the old EOF after the file was extended", end,
			   tm.page - SECTOR_BYTES, TAG_ZEROES);
	}
out:
	test_map_close(&tm);
}

static const struct scenario_group holes_eof = {
	.name = "holes_eof",
	.order = 80,
	.common = {
		.on = ON_FILES,
		.sizes = AT_FILE,
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "hole",
			.what = "a hole: a pin that reads gets zeroes, one that writes allocates blocks",
			.pins = PINS_FILE,
			.body = hole,
		}, {
			.name = "hole_filled",
			.what = "a hole that is mapped is written: the mapping shows the new bytes",
			.body = hole_filled,
		}, {
			.name = "hole_filled",
			.what = "the same, with a pin out on the zero page",
			.pins = PINS_FILE_SOURCE,
			.body = hole_filled,
		}, {
			.name = "unwritten",
			.what = "unwritten extents: zeroes, also next to bytes that a pin writes",
			.pins = PINS_FILE,
			.body = unwritten,
		}, {
			.name = "end_of_file",
			.what = "the last page, and beyond EOF: the same result as on the page cache",
			.pins = PINS_FILE,
			.body = end_of_file,
		}, {
			.name = "end_extended",
			.what = "data read beyond EOF does not show up when the file is extended",
			.pins = PINS_FILE_SINK,
			.body = end_extended,
		},
		{ }
	},
};

REGISTER(scenario_groups, &holes_eof);
