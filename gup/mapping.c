// SPDX-License-Identifier: GPL-2.0
/*
 * Memory for one cell, and one pin with everything that has to be true of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "gup/gup.h"

/*
 * Bytes mapped: enough for every boundary and few enough to be checked word by
 * word.  The middle is a 1 GiB boundary, so that of 2 MiB there is another one.
 * At pud the whole device: its 1 GiB boundary is the one that counts.
 */
#define PTE_BYTES	((4u << 20) + (128u << 10))
#define PMD_BYTES	(16u << 20)

/*
 * What copies takes this much at a time.  Of a larger mapping its "whole" is
 * the stretch of this length around the 1 GiB boundary.
 */
#define COPY_BYTES	(16u << 20)

#define POLL_NS		2000000

/* Pages of one bio: a larger range is pinned in several steps. */
#define BIO_PAGES	256

/* Long enough for io_uring's thread to submit 16 MiB on a loaded machine. */
#define SUBMIT_NS	(2 * NSEC_PER_SEC)

static const int rw = PROT_READ | PROT_WRITE;

bool test_map_open(struct test_map *g, struct cell *c)
{
	return test_map_open_as(g, c, MAP_SHARED);
}

bool test_map_open_as(struct test_map *g, struct cell *c, int flags)
{
	size_t len = c->v.size;
	off_t off;
	int ret;

	memset(g, 0, sizeof(*g));
	g->c = c;
	g->page = sysconf(_SC_PAGESIZE);
	g->entry = daxmap_bytes(c->size);
	g->map.fd = -1;
	g->alias.fd = -1;
	if (c->size == DAXMAP_PTE)
		len = PTE_BYTES;
	else if (c->size == DAXMAP_PMD)
		len = PMD_BYTES;
	off = c->v.size - len;
	doing("mapping %s", c->v.node);
	ret = daxmap_open(&g->alias, c->v.node, c->size, off, len, rw);
	ret = ret ?: daxmap_open_as(&g->map, c->v.node, c->size, off, len, rw, flags);
	if (ret == -EOPNOTSUPP && flags & MAP_SYNC) {
		skip(c, "MAP_SYNC is refused: stores to this device are not durable by themselves");
		return false;
	}
	return expect_ok(c, ret, "mapping the memory", "");
}

void test_map_close(struct test_map *g)
{
	doing("unmapping %s", g->c->v.node);
	daxmap_close(&g->map);
	daxmap_close(&g->alias);
}

/*
 * No smaller entry maps both ends of a large one, so that these two pages prove
 * its size as well as all the others, which under emulation take a while.
 */
static unsigned long touch_ends(const struct test_map *g)
{
	unsigned long faults = 0;

	for (size_t off = 0; off < g->map.len; off += g->entry) {
		unsigned long first = 0, last = 0;

		daxmap_touch(&g->map, off, g->page, true, &first);
		daxmap_touch(&g->map, off + g->entry - g->page, g->page, true, &last);
		faults += first + last;
	}
	return faults;
}

/* will the kernel itself say how its faults on this file end? */
static bool trace_faults(const struct test_map *g)
{
	struct ktrace *t = &g->c->guard->ktrace;

	return g->c->size == DAXMAP_PMD && g->c->memory->caps & MEM_MOUNTED && t->group[0] &&
	       !ktrace_faults_on(t) && !ktrace_clear(t);
}

/*
 * Guards 6370740e5f8e ("fs/dax: Fix pmd vs pte conflict detection"): file systems
 * fall back to small entries without a word.
 */
static void check_trace(const struct test_map *g)
{
	struct ktrace_faults f;

	if (ktrace_faults_read(&g->c->guard->ktrace, getpid(), &f))
		return;
	note(g->c, "fs_dax's trace: %u faults by pmd entries, %u fell back", f.done, f.fallback);
	expect(g->c, VERDICT_FAILED, !f.fallback,
	       "of %u faults by pmd entries %u fell back to smaller ones, says fs_dax's trace",
	       f.done, f.fallback);
}

bool test_map_prove(struct test_map *g)
{
	size_t entries = g->map.len / g->entry;
	bool traced = trace_faults(g);
	unsigned long faults = 0;

	doing("touching the mapping");
	if (g->c->size == DAXMAP_PUD)
		faults = touch_ends(g);
	else
		daxmap_prove(&g->map, true, &faults);
	if (traced)
		check_trace(g);
	return expect(g->c, VERDICT_FAILED, faults == entries,
		      "touching %zu KiB took %lu faults; expected %zu, one for each %s",
		      g->map.len >> 10, faults, entries, daxmap_name(g->c->size));
}

bool test_map_remap(struct test_map *g, int prot)
{
	void *p;
	int ret;

	doing("mapping anew");
	if (!g->map.addr) {
		daxmap_close(&g->map);
		ret = daxmap_open_as(&g->map, g->c->v.node, g->c->size, g->alias.off, g->alias.len,
				     prot, g->map.flags);
		return expect_ok(g->c, ret, "mapping the memory anew", "");
	}
	p = mmap(g->map.addr, g->map.len, prot, g->map.flags | MAP_FIXED, g->map.fd, g->map.off);
	return expect(g->c, VERDICT_FAILED, p != MAP_FAILED,
		      "mapping the memory anew in the old place: %s", strerror(errno));
}

/* the span and a page on either side, as far as there is one */
static struct span widened(const struct test_map *g, const struct span *s)
{
	size_t from = s->off / g->page * g->page;
	size_t to = (s->off + s->len + g->page - 1) / g->page * g->page;

	from -= from ? g->page : 0;
	to += to < g->map.len ? g->page : 0;
	return (struct span){ s->name, from, to - from };
}

static char *in_book(const struct test_map *g, size_t off)
{
	return (char *)g->alias.addr + off;
}

static void fill(struct test_map *g, size_t off, size_t len, uint16_t tag)
{
	pattern_fill(in_book(g, off), len, tag, g->map.off + off);
}

void test_map_fill(struct test_map *g, const struct span *s)
{
	struct span w = widened(g, s);

	doing("%s: filling", s->name);
	fill(g, w.off, w.len, TAG_MEMORY);
}

static bool zeroes(struct test_map *g, const char *what, const char *buf, size_t off, size_t len)
{
	size_t i = 0;

	/* each byte is the one before it: much sooner said than looked for */
	if (!len || (!buf[0] && !memcmp(buf, buf + 1, len - 1)))
		return true;
	while (i < len && !buf[i])
		i++;
	return expect(g->c, VERDICT_WRONG_DATA, i == len,
		      "%s: byte 0x%zx is 0x%02x; expected zeroes", what,
		      (size_t)g->map.off + off + i, i < len ? (unsigned char)buf[i] : 0);
}

bool test_map_bytes(struct test_map *g, const char *what, const void *buf, size_t off, size_t len,
		    uint16_t tag)
{
	struct pattern_error err;
	char text[160] = "";

	doing("%s: checking", what);
	if (tag == TAG_ZEROES)
		return zeroes(g, what, buf, off, len);
	if (!pattern_check(buf, len, tag, g->map.off + off, &err))
		return true;
	pattern_explain(&err, text, sizeof(text));
	return expect(g->c, VERDICT_WRONG_DATA, false, "%s: %s", what, text);
}

bool test_map_check(struct test_map *g, const struct span *s, uint16_t tag)
{
	struct span w = widened(g, s);
	size_t end = s->off + s->len;
	char what[96];

	snprintf(what, sizeof(what), "%s: the memory", s->name);
	if (!test_map_bytes(g, what, in_book(g, s->off), s->off, s->len, tag))
		return false;
	snprintf(what, sizeof(what), "%s: the memory before it", s->name);
	if (!test_map_bytes(g, what, in_book(g, w.off), w.off, s->off - w.off, TAG_MEMORY))
		return false;
	snprintf(what, sizeof(what), "%s: the memory behind it", s->name);
	return test_map_bytes(g, what, in_book(g, end), end, w.off + w.len - end, TAG_MEMORY);
}

/* first boundary of @unit bytes in the address space, from the mapping's start */
static size_t boundary(const struct test_map *g, size_t unit)
{
	uintptr_t addr = (uintptr_t)g->map.addr;

	return unit - addr % unit;
}

struct span test_map_pages(const struct test_map *g)
{
	/* where two entries meet, wherever there are two */
	size_t at = g->map.len > g->entry ? boundary(g, daxmap_bytes(DAXMAP_PUD)) : 8 * g->page;

	return (struct span){ "two pages", at - g->page, 2 * g->page };
}

static struct span whole(const struct test_map *g, const struct pin_method *m)
{
	bool copies = m->flags & (PIN_SOURCE | PIN_SINK);
	size_t most = g->map.len, middle = g->map.len / 2;

	if (copies && most > COPY_BYTES)
		most = COPY_BYTES;
	if (m->max_len && most > m->max_len)
		most = m->max_len;
	if (most == g->map.len)
		return (struct span){ "span_whole", 0, most };
	note(g->c, "span_whole: %s %s, so %zu KiB in the middle of %zu KiB", m->name,
	     copies ? "copies" : "takes no more", most >> 10, g->map.len >> 10);
	return (struct span){ "span_whole", middle - most / 2, most };
}

const struct span *test_map_spans(const struct test_map *g, const struct pin_method *m)
{
	static struct span spans[8];
	size_t page = g->page, len = g->map.len;
	size_t pmd = boundary(g, daxmap_bytes(DAXMAP_PMD));
	size_t pud = boundary(g, daxmap_bytes(DAXMAP_PUD));
	struct span *s = spans;

	*s++ = (struct span){ "span_inside_page", 3 * page + 1536, 512 };
	*s++ = (struct span){ "span_page", 5 * page, page };
	*s++ = (struct span){ "span_across_4k", 8 * page - 512, 1024 };
	*s++ = (struct span){ "span_across_2m", pmd - page, 2 * page };
	if (pud < len)
		*s++ = (struct span){ "span_across_1g", pud - page, 2 * page };
	else
		note(g->c, "span_across_1g left out: the mapping has %zu MiB", len >> 20);
	*s++ = (struct span){ "span_last_page", len - page, page };
	*s++ = whole(g, m);
	s->name = NULL;
	return spans;
}

bool plain_open(struct cell *c, struct pin *pin, size_t len)
{
	int ret;

	memset(pin, 0, sizeof(*pin));
	doing("opening %s", c->method->name);
	ret = pin_open(pin, c->method, &c->guard->targets, len);
	if (ret == -EOPNOTSUPP) {
		skip_refused(c, c->method, pin->why);
		return false;
	}
	return expect_ok(c, ret, "opening the pin", pin->why);
}

void pin_test_init(struct pin_test *h, struct test_map *g, const struct pin_method *m, struct span s)
{
	memset(h, 0, sizeof(*h));
	h->g = g;
	h->method = m;
	h->span = s;
	h->tag = TAG_SINK;
	h->pages = (s.off % g->page + s.len + g->page - 1) / g->page;
}

void pin_test_drop(struct pin_test *h)
{
	doing("%s: letting go", h->span.name);
	pin_close(&h->pin);
}

static bool moves(const struct pin_test *h)
{
	return h->method->flags & (PIN_SOURCE | PIN_SINK);
}

/* entries of the mapping that the range touches */
static uint64_t entries(const struct pin_test *h)
{
	size_t entry = h->g->entry;

	return (h->span.off + h->span.len - 1) / entry - h->span.off / entry + 1;
}

/*
 * Every base page has to be counted, or none: then the kernel takes plain
 * references by this method, and something else must prove the pin.
 *
 * What is out is exact.  What was acquired may be more: io_uring gives back what
 * is too much for one bio and asks again from a thread that may sleep, and for a
 * long-term pin the fast walk takes what it then leaves to the slow one.  Of a
 * buffer io_uring keeps one reference for each huge page.
 */
static bool right_count(const struct pin_test *h, uint64_t acquired, uint64_t out)
{
	bool longterm = h->method->flags & PIN_LONGTERM;

	if (!acquired && !out)
		return true;
	if (longterm || h->pages > BIO_PAGES ? acquired < h->pages : acquired != h->pages)
		return false;
	/* a clock may have let go of it already */
	if (!out && (!(h->method->flags & PIN_HELD) || h->method->flags & PIN_TIMED))
		return true;
	return out == h->pages || (longterm && out == entries(h));
}

static bool prove_counted(struct pin_test *h)
{
	static const struct pin_method *told;
	const struct timespec poll = { .tv_nsec = POLL_NS };
	uint64_t end = timeline_now() + SUBMIT_NS;
	uint64_t acquired, out;
	struct pin_counters now;
	bool late, right;

	/* the last pages of a large range may still be on their way */
	for (;;) {
		late = timeline_now() >= end;
		if (pin_counters_read(&now))
			return true;
		acquired = now.acquired - h->before.acquired;
		out = acquired - (now.released - h->before.released);
		right = right_count(h, acquired, out);
		if (right || late)
			break;
		nanosleep(&poll, NULL);
	}
	h->counted = acquired;
	if (told != h->method)
		note(h->g->c, "%s: %" PRIu64 " of %zu pages counted, %" PRIu64 " still out",
		     h->method->name, acquired, h->pages, out);
	told = h->method;
	return expect(h->g->c, VERDICT_UNHEALTHY, right,
		      "%s: %" PRIu64 " pages counted by nr_foll_pin_acquired, %" PRIu64
		      " of them still out; expected %zu", h->span.name, acquired, out,
		      h->pages);
}

static bool prove(struct pin_test *h)
{
	if (!prove_counted(h))
		return false;
	if (h->method->flags & PIN_HELD && !(h->method->flags & PIN_TIMED))
		return pin_test_live(h);
	if (h->counted || moves(h))
		return true;
	skip(h->g->c, "%s is neither counted here nor moves bytes: it cannot be proven",
	     h->method->name);
	return false;
}

/* the errors of opening and taking: refused by design, or a failure */
static bool taken(struct pin_test *h, int ret, const char *what)
{
	struct cell *c = h->g->c;
	char text[96];

	if (ret == -EOPNOTSUPP) {
		skip_refused(c, h->method, h->pin.why);
		return false;
	}
	snprintf(text, sizeof(text), "%s: %s the pin", h->span.name, what);
	return expect_ok(c, ret, text, h->pin.why);
}

bool pin_test_take(struct pin_test *h, uint64_t hold_ns)
{
	struct test_map *g = h->g;
	int ret;

	h->over = false;
	h->pin.hold_ns = hold_ns;
	doing("%s: opening the pin", h->span.name);
	ret = pin_open(&h->pin, h->method, &g->c->guard->targets, h->span.len);
	if (!taken(h, ret, "opening"))
		return false;
	if (moves(h) && !h->as_is)
		test_map_fill(g, &h->span);
	if (h->method->flags & PIN_SINK) {
		ret = pin_prepare(&h->pin);
		if (!ret)
			pattern_fill(h->pin.peer, h->span.len, h->tag, g->map.off + h->span.off);
	}
	if (!ret)
		pin_counters_read(&h->before);
	doing("%s: taking the pin", h->span.name);
	ret = ret ?: pin_take(&h->pin, (char *)g->map.addr + h->span.off, h->span.len);
	/* a loaded machine was slower than the clock: the caller tries again */
	h->over = hold_ns && ret == -ETIME;
	if (!h->over && taken(h, ret, "taking") && prove(h))
		return true;
	pin_test_drop(h);
	return false;
}

bool pin_test_live(struct pin_test *h)
{
	int ret;

	doing("%s: asking whether the pin is out", h->span.name);
	ret = pin_live(&h->pin);
	if (!ret && h->method->flags & PIN_TIMED)
		return true;
	return expect(h->g->c, VERDICT_FAILED, ret == 1,
		      "%s: the pin is not out although nobody let go (%s)", h->span.name,
		      ret ? strerror(-ret) : "the kernel says so");
}

bool expect_balance(struct cell *c, const struct pin_counters *before, const char *what)
{
	const struct timespec poll = { .tv_nsec = POLL_NS };
	uint64_t end = timeline_now() + HEALTH_SETTLE_NS;
	struct pin_counters now;
	int64_t out;

	doing("%s: waiting for balanced counters", what);
	for (;;) {
		bool late = timeline_now() >= end;

		if (pin_counters_read(&now))
			return true;
		out = now.acquired - now.released - (before->acquired - before->released);
		if (!out || late)
			break;
		nanosleep(&poll, NULL);
	}
	return expect(c, VERDICT_UNHEALTHY, !out, "%s: %" PRId64 " page references %s", what,
		      out < 0 ? -out : out,
		      out < 0 ? "given back that were not taken" : "never given back");
}

/* right bytes in memory and, for a SOURCE, at the other end */
static bool check_bytes(struct pin_test *h)
{
	bool sink = h->method->flags & PIN_SINK;
	char what[96];

	if (!moves(h))
		return true;
	if (!test_map_check(h->g, &h->span, sink ? h->tag : TAG_MEMORY))
		return false;
	if (sink)
		return true;
	snprintf(what, sizeof(what), "%s: what the kernel read", h->span.name);
	return test_map_bytes(h->g, what, h->pin.peer, h->span.off, h->span.len, TAG_MEMORY);
}

bool pin_test_end(struct pin_test *h)
{
	char text[96];

	doing("%s: releasing the pin", h->span.name);
	snprintf(text, sizeof(text), "%s: releasing the pin", h->span.name);
	return expect_ok(h->g->c, pin_release(&h->pin), text, h->pin.why);
}

bool pin_test_release(struct pin_test *h)
{
	bool good = pin_test_end(h) && check_bytes(h);

	pin_test_drop(h);
	return good && expect_balance(h->g->c, &h->before, h->span.name);
}

bool pin_test_round(struct test_map *g, const struct pin_method *m, struct span s)
{
	struct pin_test h;

	pin_test_init(&h, g, m, s);
	return pin_test_take(&h, 0) && pin_test_release(&h);
}
