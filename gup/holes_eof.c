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

bool test_map_punch(struct test_map *g)
{
	doing("punching a hole");
	return expect(g->c, VERDICT_FAILED,
		      !fallocate(g->alias.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, g->map.off,
				 g->map.len), "punching a hole: %s", strerror(errno));
}

/* the file's bytes as read(2) gives them */
static bool file_bytes(struct test_map *g, const char *what, size_t off, size_t len, uint16_t tag)
{
	void *buf = malloc(len);
	bool good;
	ssize_t n;

	if (!len)
		return true;
	doing("%s: reading the file", what);
	n = buf ? pread(g->alias.fd, buf, len, g->map.off + off) : -1;
	good = expect(g->c, VERDICT_FAILED, n == (ssize_t)len,
		      "%s: read() gave %zd of %zu bytes: %s", what, n, len,
		      n < 0 ? strerror(errno) : "short") &&
	       test_map_bytes(g, what, buf, off, len, tag);
	free(buf);
	return good;
}

static bool write_file(struct test_map *g, size_t off, size_t len, uint16_t tag)
{
	void *buf = malloc(len);
	ssize_t n = -1;

	doing("writing the file");
	if (buf) {
		pattern_fill(buf, len, tag, g->map.off + off);
		n = pwrite(g->alias.fd, buf, len, g->map.off + off);
	}
	free(buf);
	return expect(g->c, VERDICT_FAILED, n == (ssize_t)len, "write() took %zd of %zu bytes: %s",
		      n, len, n < 0 ? strerror(errno) : "short");
}

/* a pin that brings its own bytes, or finds zeroes; around it nothing changes */
static bool pin_zeroes(struct test_map *g, const char *what)
{
	struct span s = test_map_pages(g);
	size_t end = s.off + s.len;
	struct pin_test h;
	bool good;

	s.name = what;
	pin_test_init(&h, g, g->c->method, s);
	h.as_is = true;
	if (!pin_test_take(&h, 0))
		return false;
	good = pin_test_end(&h) &&
	       (is_sink(g->c) || test_map_bytes(g, what, h.pin.peer, s.off, s.len, TAG_ZEROES));
	pin_test_drop(&h);
	return good && expect_balance(g->c, &h.before, what) &&
	       file_bytes(g, what, 0, s.off, TAG_ZEROES) &&
	       file_bytes(g, what, s.off, s.len, is_sink(g->c) ? h.tag : TAG_ZEROES) &&
	       file_bytes(g, what, end, g->map.len - end, TAG_ZEROES);
}

/* the pin finds nothing mapped; or, by a load before, the page of zeroes */
static void hole(struct cell *c)
{
	static const char *const what[] = {
		"a hole, not mapped", "a hole, mapped by a load",
	};
	struct test_map g;

	if (test_map_open(&g, c))
		for (int loaded = 0; loaded < 2 && !cell_over(c); loaded++) {
			if (!test_map_punch(&g) || !test_map_remap(&g, rw))
				break;
			if (loaded)
				daxmap_touch(&g.map, 0, g.map.len, false, NULL);
			pin_zeroes(&g, what[loaded]);
		}
	test_map_close(&g);
}

/* the blocks get bytes that nobody may see once they belong to a new file */
static bool make_stale(struct test_map *g)
{
	uint64_t before = 0, after = 1;
	int fd = g->alias.fd;

	if (!write_file(g, 0, g->map.len, TAG_STALE))
		return false;
	fsdax_physical(g->c->v.node, g->map.off, &before);
	doing("giving the blocks back");
	if (!expect(g->c, VERDICT_FAILED, !ftruncate(fd, 0) && !syncfs(fd) &&
		    !fallocate(fd, 0, 0, g->c->v.size), "blocks given back and taken anew: %s",
		    strerror(errno)))
		return false;
	fsdax_physical(g->c->v.node, g->map.off, &after);
	if (before != after)
		note(g->c, "the file may have got other blocks than those with old bytes");
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
	struct test_map g;

	if (test_map_open(&g, c))
		for (int loaded = 0; loaded < 2 && !cell_over(c); loaded++) {
			if (!make_stale(&g) || !test_map_remap(&g, rw))
				break;
			if (loaded)
				daxmap_touch(&g.map, 0, g.map.len, false, NULL);
			pin_zeroes(&g, what[loaded]);
		}
	test_map_close(&g);
}

/* what is mapped shows what was written, though zeroes were seen there before */
static bool seen_through(struct test_map *g, const char *what, const struct span *s, uint16_t tag)
{
	return test_map_bytes(g, what, (char *)g->map.addr + s->off, s->off, s->len, tag);
}

/* a pin on the page of zeroes: its bytes are those, or the new ones; no others */
static bool zeroes_or(struct pin_test *h, const char *what, uint16_t tag)
{
	const char *peer = h->pin.peer;
	uint64_t first;

	if (!pin_test_end(h))
		return false;
	memcpy(&first, peer, sizeof(first));
	note(h->g->c, "%s: the pin saw %s", what, first ? "what was written" : "zeroes");
	return test_map_bytes(h->g, what, peer, h->span.off, h->span.len, first ? tag : TAG_ZEROES);
}

/* a store through a mapping of small entries into a hole that is mapped already */
static bool store_small(struct test_map *g, const struct span *s, uint16_t tag)
{
	struct daxmap small;
	int ret;

	ret = daxmap_open(&small, g->c->v.node, DAXMAP_PTE, g->map.off, g->map.len, rw);
	if (!expect_ok(g->c, ret, "mapping by small entries", ""))
		return false;
	doing("storing through small entries");
	pattern_fill((char *)small.addr + s->off, s->len, tag, g->map.off + s->off);
	daxmap_close(&small);
	return true;
}

static void fill_hole(struct test_map *g, bool by_store)
{
	const char *what = by_store ? "a hole that was stored to" : "a hole that was written";
	struct span s = test_map_pages(g);
	struct pin_test h;
	bool good;

	if (!test_map_punch(g) || !test_map_remap(g, rw))
		return;
	daxmap_touch(&g->map, 0, g->map.len, false, NULL);
	if (g->c->method) {
		s.name = what;
		pin_test_init(&h, g, g->c->method, s);
		h.as_is = true;
		if (!pin_test_take(&h, 0))
			return;
	}
	good = by_store ? store_small(g, &s, TAG_WRITTEN) :
			  write_file(g, s.off, s.len, TAG_WRITTEN);
	good = good && seen_through(g, what, &s, TAG_WRITTEN) &&
	       file_bytes(g, what, s.off, s.len, TAG_WRITTEN) &&
	       file_bytes(g, what, 0, s.off, TAG_ZEROES);
	if (!g->c->method)
		return;
	if (good)
		zeroes_or(&h, what, TAG_WRITTEN);
	pin_test_drop(&h);
	if (!cell_over(g->c))
		expect_balance(g->c, &h.before, what);
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
	struct test_map g;

	if (test_map_open(&g, c))
		for (int by_store = 0; by_store < 2 && !cell_over(c); by_store++)
			fill_hole(&g, by_store);
	test_map_close(&g);
}

/* inside the last page, in the middle of the mapping; a sector's, for O_DIRECT */
static size_t last_byte(const struct test_map *g)
{
	return g->map.len / 2 / g->entry * g->entry + 3 * g->page + 512;
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

	if (!plain_open(c, pin, len))
		return 0;
	ret = is_sink(c) ? pin_prepare(pin) : 0;
	if (!ret && is_sink(c))
		pattern_fill(pin->peer, len, TAG_SINK, from);
	doing("%s", t->what);
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

static void tail(struct test_map *g, const struct tail *t, bool touched)
{
	size_t end = last_byte(g), last = end / g->page * g->page;
	struct pin_counters before = { 0 };
	size_t from = last - t->before * g->page;
	int control, ret;
	struct pin pin;

	control = tail_control(g->c, g->page, t);
	if (cell_over(g->c) || !test_map_remap(g, rw))
		return;
	/* a page on either side of the last one's start, by the file's own length */
	if (!write_file(g, last - g->page, end - last + g->page, TAG_MEMORY))
		return;
	if (touched)
		daxmap_touch(&g->map, last - g->page, 2 * g->page, false, NULL);
	pin_counters_read(&before);
	ret = try_tail(g->c, &pin, (char *)g->map.addr + last, g->page, g->map.off + from, t);
	expect(g->c, VERDICT_FAILED, ret == control, "%s: %s; expected %s, as in cached memory",
	       t->what, ret ? strerror(-ret) : "success", control ? strerror(-control) : "success");
	if (!ret && !cell_over(g->c)) {
		file_bytes(g, t->what, from, end - from, is_sink(g->c) ? TAG_SINK : TAG_MEMORY);
		if (!is_sink(g->c) &&
		    test_map_bytes(g, t->what, pin.peer, from, end - from, TAG_MEMORY))
			test_map_bytes(g, t->what, (char *)pin.peer + end - from, end,
				       g->page - 512, TAG_ZEROES);
	}
	pin_close(&pin);
	expect_balance(g->c, &before, t->what);
}

static bool cut(struct test_map *g, off_t size)
{
	doing("setting the file's length");
	return expect(g->c, VERDICT_FAILED, !ftruncate(g->alias.fd, size),
		      "setting the file's length: %s", strerror(errno));
}

static bool has_length(struct test_map *g, off_t size)
{
	struct stat st = { 0 };

	fstat(g->alias.fd, &st);
	return expect(g->c, VERDICT_FAILED, st.st_size == size,
		      "the file has %lld bytes; expected %lld", (long long)st.st_size,
		      (long long)size);
}

/*
 * The last page belongs to the file as a whole, what lies behind it does not;
 * what a method answers there, cached memory answers as well.
 */
static void end_of_file(struct cell *c)
{
	struct test_map g;
	off_t size;

	if (!test_map_open(&g, c))
		goto out;
	size = g.map.off + last_byte(&g);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(tails) && !cell_over(c); i++)
		if (cut(&g, size)) {
			tail(&g, &tails[i / 2], i % 2);
			has_length(&g, size);
		}
out:
	test_map_close(&g);
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
	struct test_map g;
	size_t end, last;
	struct pin pin;

	if (!test_map_open(&g, c))
		goto out;
	end = last_byte(&g);
	last = end / g.page * g.page;
	if (!cut(&g, g.map.off + end) ||
	    !write_file(&g, last - g.page, end - last + g.page, TAG_MEMORY))
		goto out;
	pin_counters_read(&before);
	expect_ok(c, try_tail(c, &pin, (char *)g.map.addr + last, g.page,
			      g.map.off + last - g.page, &tails[0]), tails[0].what, pin.why);
	pin_close(&pin);
	if (!cell_over(c) && expect_balance(c, &before, tails[0].what) &&
	    cut(&g, c->v.size)) {
		file_bytes(&g, "the file before its old end", last - g.page, g.page + 512,
			   TAG_SINK);
		file_bytes(&g, "what lay behind the end when the file grew", end, g.page - 512,
			   TAG_ZEROES);
	}
out:
	test_map_close(&g);
}

static const struct scenario_group holes_eof = {
	.name = "holes_eof",
	.order = 80,
	.common = {
		.on = ON_FILES,
		.sizes = AT_FILE,
		.run = run_alone,
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
