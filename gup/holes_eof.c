// SPDX-License-Identifier: GPL-2.0
/*
 * Pins where only files have something special: holes, blocks never written, and
 * the end of the file.
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


static const int rw = PROT_READ | PROT_WRITE;

static bool is_sink(const struct cell *c)
{
	return c->method && c->method->flags & PIN_SINK;
}

bool test_map_punch(struct test_map *tm)
{
	set_step("punching a hole");
	return expect(tm->c, VERDICT_FAILED,
		      !fallocate(tm->alias.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, tm->map.off,
				 tm->map.len), "punching a hole: %s", strerror(errno));
}

/* the file's bytes as read(2) gives them */
static bool file_bytes(struct test_map *tm, const char *what, size_t off, size_t len, uint16_t tag)
{
	void *buf = malloc(len);
	bool good;
	ssize_t n;

	if (!len)
		return true;
	set_step("%s: reading the file", what);
	n = buf ? pread(tm->alias.fd, buf, len, tm->map.off + off) : -1;
	good = expect(tm->c, VERDICT_FAILED, n == (ssize_t)len,
		      "%s: read() gave %zd of %zu bytes: %s", what, n, len,
		      n < 0 ? strerror(errno) : "short") &&
	       test_map_bytes(tm, what, buf, off, len, tag);
	free(buf);
	return good;
}

static bool write_file(struct test_map *tm, size_t off, size_t len, uint16_t tag)
{
	void *buf = malloc(len);
	ssize_t n = -1;

	set_step("writing the file");
	if (buf) {
		pattern_fill(buf, len, tag, tm->map.off + off);
		n = pwrite(tm->alias.fd, buf, len, tm->map.off + off);
	}
	free(buf);
	return expect(tm->c, VERDICT_FAILED, n == (ssize_t)len, "write() took %zd of %zu bytes: %s",
		      n, len, n < 0 ? strerror(errno) : "short");
}

/* a pin that brings its own bytes, or finds zeroes; around it nothing changes */
static bool pin_zeroes(struct test_map *tm, const char *what)
{
	struct span s = test_map_pages(tm);
	size_t end = s.off + s.len;
	struct pin_test pt;
	bool good;

	s.name = what;
	pin_test_init(&pt, tm, tm->c->method, s);
	pt.as_is = true;
	if (!pin_test_take(&pt, 0))
		return false;
	good = pin_test_end(&pt) &&
	       (is_sink(tm->c) || test_map_bytes(tm, what, pt.pin.peer, s.off, s.len, TAG_ZEROES));
	pin_test_drop(&pt);
	return good && expect_balance(tm->c, &pt.before, what) &&
	       file_bytes(tm, what, 0, s.off, TAG_ZEROES) &&
	       file_bytes(tm, what, s.off, s.len, is_sink(tm->c) ? pt.tag : TAG_ZEROES) &&
	       file_bytes(tm, what, end, tm->map.len - end, TAG_ZEROES);
}

/* the pin finds nothing mapped; or, by a load before, the page of zeroes */
static void hole(struct cell *c)
{
	static const char *const what[] = {
		"a hole, not mapped", "a hole, mapped by a load",
	};
	struct test_map tm;

	if (test_map_open(&tm, c))
		for (int loaded = 0; loaded < 2 && !cell_over(c); loaded++) {
			if (!test_map_punch(&tm) || !test_map_remap(&tm, rw))
				break;
			if (loaded)
				daxmap_touch(&tm.map, 0, tm.map.len, false, NULL);
			pin_zeroes(&tm, what[loaded]);
		}
	test_map_close(&tm);
}

/* the blocks get bytes that nobody may see once they belong to a new file */
static bool make_stale(struct test_map *tm)
{
	uint64_t before = 0, after = 1;
	int fd = tm->alias.fd;

	if (!write_file(tm, 0, tm->map.len, TAG_STALE))
		return false;
	fsdax_physical(tm->c->v.node, tm->map.off, &before);
	set_step("giving the blocks back");
	if (!expect(tm->c, VERDICT_FAILED, !ftruncate(fd, 0) && !syncfs(fd) &&
		    !fallocate(fd, 0, 0, tm->c->v.size), "blocks given back and taken anew: %s",
		    strerror(errno)))
		return false;
	fsdax_physical(tm->c->v.node, tm->map.off, &after);
	if (before != after)
		note(tm->c, "the file may have got other blocks than those with old bytes");
	return true;
}

/*
 * Allocated and never written reads as zeroes, whatever lies in the blocks; and
 * the first who stores to a page must not bring to light what lies beside it.
 */
static void unwritten(struct cell *c)
{
	static const char *const what[] = {
		"never written, not mapped", "never written, mapped by a load",
	};
	struct test_map tm;

	if (test_map_open(&tm, c))
		for (int loaded = 0; loaded < 2 && !cell_over(c); loaded++) {
			if (!make_stale(&tm) || !test_map_remap(&tm, rw))
				break;
			if (loaded)
				daxmap_touch(&tm.map, 0, tm.map.len, false, NULL);
			pin_zeroes(&tm, what[loaded]);
		}
	test_map_close(&tm);
}

/* what is mapped shows what was written, though zeroes were seen there before */
static bool seen_through(struct test_map *tm, const char *what, const struct span *s, uint16_t tag)
{
	return test_map_bytes(tm, what, (char *)tm->map.addr + s->off, s->off, s->len, tag);
}

/* a pin on the page of zeroes: its bytes are those, or the new ones; no others */
static bool zeroes_or(struct pin_test *pt, const char *what, uint16_t tag)
{
	const char *peer = pt->pin.peer;
	uint64_t first;

	if (!pin_test_end(pt))
		return false;
	memcpy(&first, peer, sizeof(first));
	note(pt->tm->c, "%s: the pin saw %s", what, first ? "what was written" : "zeroes");
	return test_map_bytes(pt->tm, what, peer, pt->span.off, pt->span.len, first ? tag : TAG_ZEROES);
}

/* a store through a mapping of small entries into a hole that is mapped already */
static bool store_small(struct test_map *tm, const struct span *s, uint16_t tag)
{
	struct daxmap small;
	int ret;

	ret = daxmap_open(&small, tm->c->v.node, DAXMAP_PTE, tm->map.off, tm->map.len, rw);
	if (!expect_ok(tm->c, ret, "mapping by small entries", ""))
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

	if (!test_map_punch(tm) || !test_map_remap(tm, rw))
		return;
	daxmap_touch(&tm->map, 0, tm->map.len, false, NULL);
	if (tm->c->method) {
		s.name = what;
		pin_test_init(&pt, tm, tm->c->method, s);
		pt.as_is = true;
		if (!pin_test_take(&pt, 0))
			return;
	}
	good = by_store ? store_small(tm, &s, TAG_WRITTEN) :
			  write_file(tm, s.off, s.len, TAG_WRITTEN);
	good = good && seen_through(tm, what, &s, TAG_WRITTEN) &&
	       file_bytes(tm, what, s.off, s.len, TAG_WRITTEN) &&
	       file_bytes(tm, what, 0, s.off, TAG_ZEROES);
	if (!tm->c->method)
		return;
	if (good)
		zeroes_or(&pt, what, TAG_WRITTEN);
	pin_test_drop(&pt);
	if (!cell_over(tm->c))
		expect_balance(tm->c, &pt.before, what);
}

/*
 * A hole that is read through a mapping maps zeroes; who writes there must take
 * them away.
 *
 * Guards cd656375f946 ("mm: fix data corruption due to stale mmap reads"), and by
 * the store through small entries the way back from a zero page of a large one.
 */
static void hole_filled(struct cell *c)
{
	struct test_map tm;

	if (test_map_open(&tm, c))
		for (int by_store = 0; by_store < 2 && !cell_over(c); by_store++)
			fill_hole(&tm, by_store);
	test_map_close(&tm);
}

/* inside the last page, in the middle of the mapping; a sector's, for O_DIRECT */
static size_t last_byte(const struct test_map *tm)
{
	return tm->map.len / 2 / tm->entry * tm->entry + 3 * tm->page + 512;
}

/**
 * struct tail - what is asked for at the end of a file
 * @what: for sentences
 * @pages: from the last page's start: pages before it, and behind it
 */
struct tail {
	const char *what;
	size_t before;
	size_t behind;
};

static const struct tail tails[] = {
	{ "the last page, half of it behind the end", 1, 1 },
	{ "the last page and one behind it", 1, 2 },
	{ "a page behind the last one", 0, 2 },
};

/* one pin at the end of a file; 0 or -errno; @pin is closed by the caller */
static int try_tail(struct cell *c, struct pin *pin, char *last, size_t page, size_t from,
		    const struct tail *t)
{
	char *start = last - t->before * page + (t->before ? 0 : page);
	size_t len = last + t->behind * page - start;
	int ret;

	if (!pin_open_or_skip(c, pin, len))
		return 0;
	ret = is_sink(c) ? pin_prepare(pin) : 0;
	if (!ret && is_sink(c))
		pattern_fill(pin->peer, len, TAG_SINK, from);
	set_step("%s", t->what);
	ret = ret ?: pin_take(pin, start, len);
	return ret ?: pin_release(pin);
}

/* the same on an anonymous file that is cached in memory */
static int tail_control(struct cell *c, size_t page, const struct tail *t)
{
	int fd = memfd_create("gup_devdax", MFD_CLOEXEC), ret = -ENOMEM;
	struct pin pin = { 0 };
	char *p;

	if (!expect(c, VERDICT_FAILED, fd >= 0 && !ftruncate(fd, page + 512),
		    "an anonymous file: %s", strerror(errno)))
		return 0;
	p = mmap(NULL, 4 * page, rw, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return ret;
	ret = try_tail(c, &pin, p + page, page, 0, t);
	pin_close(&pin);
	munmap(p, 4 * page);
	return ret;
}

static void tail(struct test_map *tm, const struct tail *t, bool touched)
{
	size_t end = last_byte(tm), last = end / tm->page * tm->page;
	struct pin_counters before = { 0 };
	size_t from = last - t->before * tm->page;
	int control, ret;
	struct pin pin;

	control = tail_control(tm->c, tm->page, t);
	if (cell_over(tm->c) || !test_map_remap(tm, rw))
		return;
	/* a page on either side of the last one's start, by the file's own length */
	if (!write_file(tm, last - tm->page, end - last + tm->page, TAG_MEMORY))
		return;
	if (touched)
		daxmap_touch(&tm->map, last - tm->page, 2 * tm->page, false, NULL);
	pin_counters_read(&before);
	ret = try_tail(tm->c, &pin, (char *)tm->map.addr + last, tm->page, tm->map.off + from, t);
	expect(tm->c, VERDICT_FAILED, ret == control, "%s: %s; expected %s, as in cached memory",
	       t->what, ret ? strerror(-ret) : "success", control ? strerror(-control) : "success");
	if (!ret && !cell_over(tm->c)) {
		file_bytes(tm, t->what, from, end - from, is_sink(tm->c) ? TAG_SINK : TAG_MEMORY);
		if (!is_sink(tm->c) &&
		    test_map_bytes(tm, t->what, pin.peer, from, end - from, TAG_MEMORY))
			test_map_bytes(tm, t->what, (char *)pin.peer + end - from, end,
				       tm->page - 512, TAG_ZEROES);
	}
	pin_close(&pin);
	expect_balance(tm->c, &before, t->what);
}

static bool cut(struct test_map *tm, off_t size)
{
	set_step("setting the file's length");
	return expect(tm->c, VERDICT_FAILED, !ftruncate(tm->alias.fd, size),
		      "setting the file's length: %s", strerror(errno));
}

static bool has_length(struct test_map *tm, off_t size)
{
	struct stat st = { 0 };

	fstat(tm->alias.fd, &st);
	return expect(tm->c, VERDICT_FAILED, st.st_size == size,
		      "the file has %lld bytes; expected %lld", (long long)st.st_size,
		      (long long)size);
}

/*
 * The last page belongs to the file as a whole, what lies behind it does not;
 * what a method answers there, cached memory answers as well.
 */
static void end_of_file(struct cell *c)
{
	struct test_map tm;
	off_t size;

	if (!test_map_open(&tm, c))
		goto out;
	size = tm.map.off + last_byte(&tm);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(tails) && !cell_over(c); i++)
		if (cut(&tm, size)) {
			tail(&tm, &tails[i / 2], i % 2);
			has_length(&tm, size);
		}
out:
	test_map_close(&tm);
}

/*
 * What is brought into the last page behind the file's end is never the file's:
 * it reads as zeroes when the file grows.
 *
 * Guards c7fc0366c656 ("ext4: partial zero eof block on unaligned inode size
 * extension").
 */
static void end_extended(struct cell *c)
{
	struct pin_counters before = { 0 };
	struct test_map tm;
	size_t end, last;
	struct pin pin;

	if (!test_map_open(&tm, c))
		goto out;
	end = last_byte(&tm);
	last = end / tm.page * tm.page;
	if (!cut(&tm, tm.map.off + end) ||
	    !write_file(&tm, last - tm.page, end - last + tm.page, TAG_MEMORY))
		goto out;
	pin_counters_read(&before);
	expect_ok(c, try_tail(c, &pin, (char *)tm.map.addr + last, tm.page,
			      tm.map.off + last - tm.page, &tails[0]), tails[0].what, pin.why);
	pin_close(&pin);
	if (!cell_over(c) && expect_balance(c, &before, tails[0].what) &&
	    cut(&tm, c->v.size)) {
		file_bytes(&tm, "the file before its old end", last - tm.page, tm.page + 512,
			   TAG_SINK);
		file_bytes(&tm, "what lay behind the end when the file grew", end, tm.page - 512,
			   TAG_ZEROES);
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
			.what = "a hole: a load finds zeroes, a store gets blocks",
			.pins = PINS_FILE,
			.body = hole,
		}, {
			.name = "hole_filled",
			.what = "a hole that is mapped is written: the mapping shows it",
			.body = hole_filled,
		}, {
			.name = "hole_filled",
			.what = "the same, a pin on the zeroes is out",
			.pins = PINS_FILE_SOURCE,
			.body = hole_filled,
		}, {
			.name = "unwritten",
			.what = "blocks never written: zeroes, also beside what a pin brings",
			.pins = PINS_FILE,
			.body = unwritten,
		}, {
			.name = "end_of_file",
			.what = "the last page, and beyond EOF: answered as on cached memory",
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
