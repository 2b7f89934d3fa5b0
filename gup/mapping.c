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

bool test_map_open(struct test_map *tm, struct cell *c)
{
	return test_map_open_as(tm, c, MAP_SHARED);
}

bool test_map_open_as(struct test_map *tm, struct cell *c, int flags)
{
	size_t len = c->v.size;
	off_t off;
	int ret;

	memset(tm, 0, sizeof(*tm));
	tm->c = c;
	tm->page = sysconf(_SC_PAGESIZE);
	tm->entry = daxmap_bytes(c->size);
	tm->map.fd = -1;
	tm->alias.fd = -1;
	if (c->size == DAXMAP_PTE)
		len = PTE_BYTES;
	else if (c->size == DAXMAP_PMD)
		len = PMD_BYTES;
	off = c->v.size - len;
	set_step("mapping %s", c->v.node);
	ret = daxmap_open(&tm->alias, c->v.node, c->size, off, len, rw);
	ret = ret ?: daxmap_open_as(&tm->map, c->v.node, c->size, off, len, rw, flags);
	if (ret == -EOPNOTSUPP && flags & MAP_SYNC) {
		skip(c, "MAP_SYNC is refused: stores to this device are not durable by themselves");
		return false;
	}
	return expect_ok(c, ret, "mapping the memory", "");
}

void test_map_close(struct test_map *tm)
{
	set_step("unmapping %s", tm->c->v.node);
	daxmap_close(&tm->map);
	daxmap_close(&tm->alias);
}

/*
 * No smaller entry maps both ends of a large one, so that these two pages prove
 * its size as well as all the others, which under emulation take a while.
 */
static unsigned long touch_ends(const struct test_map *tm)
{
	unsigned long faults = 0;

	for (size_t off = 0; off < tm->map.len; off += tm->entry) {
		unsigned long first = 0, last = 0;

		daxmap_touch(&tm->map, off, tm->page, true, &first);
		daxmap_touch(&tm->map, off + tm->entry - tm->page, tm->page, true, &last);
		faults += first + last;
	}
	return faults;
}

/* will the kernel itself say how its faults on this file end? */
static bool trace_faults(const struct test_map *tm)
{
	struct ktrace *t = &tm->c->guard->ktrace;

	return tm->c->size == DAXMAP_PMD && tm->c->memory->caps & MEM_MOUNTED && t->group[0] &&
	       !ktrace_faults_on(t) && !ktrace_clear(t);
}

/*
 * Guards 6370740e5f8e ("fs/dax: Fix pmd vs pte conflict detection"): file systems
 * fall back to small entries without a word.
 */
static void check_trace(const struct test_map *tm)
{
	struct ktrace_faults f;

	if (ktrace_faults_read(&tm->c->guard->ktrace, getpid(), &f))
		return;
	note(tm->c, "fs_dax's trace: %u faults by pmd entries, %u fell back", f.done, f.fallback);
	expect(tm->c, VERDICT_FAILED, !f.fallback,
	       "of %u faults by pmd entries %u fell back to smaller ones, says fs_dax's trace",
	       f.done, f.fallback);
}

bool test_map_prove(struct test_map *tm)
{
	size_t entries = tm->map.len / tm->entry;
	bool traced = trace_faults(tm);
	unsigned long faults = 0;

	set_step("touching the mapping");
	if (tm->c->size == DAXMAP_PUD)
		faults = touch_ends(tm);
	else
		daxmap_prove(&tm->map, true, &faults);
	if (traced)
		check_trace(tm);
	return expect(tm->c, VERDICT_FAILED, faults == entries,
		      "touching %zu KiB took %lu faults; expected %zu, one for each %s",
		      tm->map.len >> 10, faults, entries, daxmap_name(tm->c->size));
}

bool test_map_remap(struct test_map *tm, int prot)
{
	void *p;
	int ret;

	set_step("mapping anew");
	if (!tm->map.addr) {
		daxmap_close(&tm->map);
		ret = daxmap_open_as(&tm->map, tm->c->v.node, tm->c->size, tm->alias.off, tm->alias.len,
				     prot, tm->map.flags);
		return expect_ok(tm->c, ret, "mapping the memory anew", "");
	}
	p = mmap(tm->map.addr, tm->map.len, prot, tm->map.flags | MAP_FIXED, tm->map.fd, tm->map.off);
	return expect(tm->c, VERDICT_FAILED, p != MAP_FAILED,
		      "mapping the memory anew in the old place: %s", strerror(errno));
}

/* the span and a page on either side, as far as there is one */
static struct span widened(const struct test_map *tm, const struct span *s)
{
	size_t from = s->off / tm->page * tm->page;
	size_t to = (s->off + s->len + tm->page - 1) / tm->page * tm->page;

	from -= from ? tm->page : 0;
	to += to < tm->map.len ? tm->page : 0;
	return (struct span){ s->name, from, to - from };
}

static char *in_book(const struct test_map *tm, size_t off)
{
	return (char *)tm->alias.addr + off;
}

static void fill(struct test_map *tm, size_t off, size_t len, uint16_t tag)
{
	pattern_fill(in_book(tm, off), len, tag, tm->map.off + off);
}

void test_map_fill(struct test_map *tm, const struct span *s)
{
	struct span w = widened(tm, s);

	set_step("%s: filling", s->name);
	fill(tm, w.off, w.len, TAG_MEMORY);
}

static bool zeroes(struct test_map *tm, const char *what, const char *buf, size_t off, size_t len)
{
	size_t i = 0;

	/* each byte is the one before it: much sooner said than looked for */
	if (!len || (!buf[0] && !memcmp(buf, buf + 1, len - 1)))
		return true;
	while (i < len && !buf[i])
		i++;
	return expect(tm->c, VERDICT_WRONG_DATA, i == len,
		      "%s: byte 0x%zx is 0x%02x; expected zeroes", what,
		      (size_t)tm->map.off + off + i, i < len ? (unsigned char)buf[i] : 0);
}

bool test_map_bytes(struct test_map *tm, const char *what, const void *buf, size_t off, size_t len,
		    uint16_t tag)
{
	struct pattern_error err;
	char text[160] = "";

	set_step("%s: checking", what);
	if (tag == TAG_ZEROES)
		return zeroes(tm, what, buf, off, len);
	if (!pattern_check(buf, len, tag, tm->map.off + off, &err))
		return true;
	pattern_explain(&err, text, sizeof(text));
	return expect(tm->c, VERDICT_WRONG_DATA, false, "%s: %s", what, text);
}

bool test_map_check(struct test_map *tm, const struct span *s, uint16_t tag)
{
	struct span w = widened(tm, s);
	size_t end = s->off + s->len;
	char what[96];

	snprintf(what, sizeof(what), "%s: the memory", s->name);
	if (!test_map_bytes(tm, what, in_book(tm, s->off), s->off, s->len, tag))
		return false;
	snprintf(what, sizeof(what), "%s: the memory before it", s->name);
	if (!test_map_bytes(tm, what, in_book(tm, w.off), w.off, s->off - w.off, TAG_MEMORY))
		return false;
	snprintf(what, sizeof(what), "%s: the memory behind it", s->name);
	return test_map_bytes(tm, what, in_book(tm, end), end, w.off + w.len - end, TAG_MEMORY);
}

/* first boundary of @unit bytes in the address space, from the mapping's start */
static size_t boundary(const struct test_map *tm, size_t unit)
{
	uintptr_t addr = (uintptr_t)tm->map.addr;

	return unit - addr % unit;
}

struct span test_map_pages(const struct test_map *tm)
{
	/* where two entries meet, wherever there are two */
	size_t at = tm->map.len > tm->entry ? boundary(tm, daxmap_bytes(DAXMAP_PUD)) : 8 * tm->page;

	return (struct span){ "two pages", at - tm->page, 2 * tm->page };
}

static struct span whole(const struct test_map *tm, const struct pin_method *m)
{
	bool copies = m->flags & (PIN_SOURCE | PIN_SINK);
	size_t most = tm->map.len, middle = tm->map.len / 2;

	if (copies && most > COPY_BYTES)
		most = COPY_BYTES;
	if (m->max_len && most > m->max_len)
		most = m->max_len;
	if (most == tm->map.len)
		return (struct span){ "span_whole", 0, most };
	note(tm->c, "span_whole: %s %s, so %zu KiB in the middle of %zu KiB", m->name,
	     copies ? "copies" : "takes no more", most >> 10, tm->map.len >> 10);
	return (struct span){ "span_whole", middle - most / 2, most };
}

const struct span *test_map_spans(const struct test_map *tm, const struct pin_method *m)
{
	static struct span spans[8];
	size_t page = tm->page, len = tm->map.len;
	size_t pmd = boundary(tm, daxmap_bytes(DAXMAP_PMD));
	size_t pud = boundary(tm, daxmap_bytes(DAXMAP_PUD));
	struct span *s = spans;

	*s++ = (struct span){ "span_inside_page", 3 * page + 1536, 512 };
	*s++ = (struct span){ "span_page", 5 * page, page };
	*s++ = (struct span){ "span_across_4k", 8 * page - 512, 1024 };
	*s++ = (struct span){ "span_across_2m", pmd - page, 2 * page };
	if (pud < len)
		*s++ = (struct span){ "span_across_1g", pud - page, 2 * page };
	else
		note(tm->c, "span_across_1g left out: the mapping has %zu MiB", len >> 20);
	*s++ = (struct span){ "span_last_page", len - page, page };
	*s++ = whole(tm, m);
	s->name = NULL;
	return spans;
}

bool pin_open_or_skip(struct cell *c, struct pin *pin, size_t len)
{
	int ret;

	memset(pin, 0, sizeof(*pin));
	set_step("opening %s", c->method->name);
	ret = pin_open(pin, c->method, &c->guard->targets, len);
	if (ret == -EOPNOTSUPP) {
		skip_refused(c, c->method, pin->why);
		return false;
	}
	return expect_ok(c, ret, "opening the pin", pin->why);
}

void pin_test_init(struct pin_test *pt, struct test_map *tm, const struct pin_method *m, struct span s)
{
	memset(pt, 0, sizeof(*pt));
	pt->tm = tm;
	pt->method = m;
	pt->span = s;
	pt->tag = TAG_SINK;
	pt->pages = (s.off % tm->page + s.len + tm->page - 1) / tm->page;
}

void pin_test_drop(struct pin_test *pt)
{
	set_step("%s: letting go", pt->span.name);
	pin_close(&pt->pin);
}

static bool moves(const struct pin_test *pt)
{
	return pt->method->flags & (PIN_SOURCE | PIN_SINK);
}

/* entries of the mapping that the range touches */
static uint64_t entries(const struct pin_test *pt)
{
	size_t entry = pt->tm->entry;

	return (pt->span.off + pt->span.len - 1) / entry - pt->span.off / entry + 1;
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
static bool right_count(const struct pin_test *pt, uint64_t acquired, uint64_t out)
{
	bool longterm = pt->method->flags & PIN_LONGTERM;

	if (!acquired && !out)
		return true;
	if (longterm || pt->pages > BIO_PAGES ? acquired < pt->pages : acquired != pt->pages)
		return false;
	/* a clock may have let go of it already */
	if (!out && (!(pt->method->flags & PIN_HELD) || pt->method->flags & PIN_TIMED))
		return true;
	return out == pt->pages || (longterm && out == entries(pt));
}

static bool prove_counted(struct pin_test *pt)
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
		acquired = now.acquired - pt->before.acquired;
		out = acquired - (now.released - pt->before.released);
		right = right_count(pt, acquired, out);
		if (right || late)
			break;
		nanosleep(&poll, NULL);
	}
	pt->counted = acquired;
	if (told != pt->method)
		note(pt->tm->c, "%s: %" PRIu64 " of %zu pages counted, %" PRIu64 " still out",
		     pt->method->name, acquired, pt->pages, out);
	told = pt->method;
	return expect(pt->tm->c, VERDICT_UNHEALTHY, right,
		      "%s: %" PRIu64 " pages counted by nr_foll_pin_acquired, %" PRIu64
		      " of them still out; expected %zu", pt->span.name, acquired, out,
		      pt->pages);
}

static bool prove(struct pin_test *pt)
{
	if (!prove_counted(pt))
		return false;
	if (pt->method->flags & PIN_HELD && !(pt->method->flags & PIN_TIMED))
		return pin_test_live(pt);
	if (pt->counted || moves(pt))
		return true;
	skip(pt->tm->c, "%s is neither counted here nor moves bytes: it cannot be proven",
	     pt->method->name);
	return false;
}

/* the errors of opening and taking: refused by design, or a failure */
static bool taken(struct pin_test *pt, int ret, const char *what)
{
	struct cell *c = pt->tm->c;
	char text[96];

	if (ret == -EOPNOTSUPP) {
		skip_refused(c, pt->method, pt->pin.why);
		return false;
	}
	snprintf(text, sizeof(text), "%s: %s the pin", pt->span.name, what);
	return expect_ok(c, ret, text, pt->pin.why);
}

bool pin_test_take(struct pin_test *pt, uint64_t hold_ns)
{
	struct test_map *tm = pt->tm;
	int ret;

	pt->over = false;
	pt->pin.hold_ns = hold_ns;
	set_step("%s: opening the pin", pt->span.name);
	ret = pin_open(&pt->pin, pt->method, &tm->c->guard->targets, pt->span.len);
	if (!taken(pt, ret, "opening"))
		return false;
	if (moves(pt) && !pt->as_is)
		test_map_fill(tm, &pt->span);
	if (pt->method->flags & PIN_SINK) {
		ret = pin_prepare(&pt->pin);
		if (!ret)
			pattern_fill(pt->pin.peer, pt->span.len, pt->tag, tm->map.off + pt->span.off);
	}
	if (!ret)
		pin_counters_read(&pt->before);
	set_step("%s: taking the pin", pt->span.name);
	ret = ret ?: pin_take(&pt->pin, (char *)tm->map.addr + pt->span.off, pt->span.len);
	/* a loaded machine was slower than the clock: the caller tries again */
	pt->over = hold_ns && ret == -ETIME;
	if (!pt->over && taken(pt, ret, "taking") && prove(pt))
		return true;
	pin_test_drop(pt);
	return false;
}

bool pin_test_live(struct pin_test *pt)
{
	int ret;

	set_step("%s: asking whether the pin is out", pt->span.name);
	ret = pin_live(&pt->pin);
	if (!ret && pt->method->flags & PIN_TIMED)
		return true;
	return expect(pt->tm->c, VERDICT_FAILED, ret == 1,
		      "%s: the pin is not out although nobody let go (%s)", pt->span.name,
		      ret ? strerror(-ret) : "the kernel says so");
}

bool expect_balance(struct cell *c, const struct pin_counters *before, const char *what)
{
	const struct timespec poll = { .tv_nsec = POLL_NS };
	uint64_t end = timeline_now() + HEALTH_SETTLE_NS;
	struct pin_counters now;
	int64_t out;

	set_step("%s: waiting for balanced counters", what);
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
static bool check_bytes(struct pin_test *pt)
{
	bool sink = pt->method->flags & PIN_SINK;
	char what[96];

	if (!moves(pt))
		return true;
	if (!test_map_check(pt->tm, &pt->span, sink ? pt->tag : TAG_MEMORY))
		return false;
	if (sink)
		return true;
	snprintf(what, sizeof(what), "%s: what the kernel read", pt->span.name);
	return test_map_bytes(pt->tm, what, pt->pin.peer, pt->span.off, pt->span.len, TAG_MEMORY);
}

bool pin_test_end(struct pin_test *pt)
{
	char text[96];

	set_step("%s: releasing the pin", pt->span.name);
	snprintf(text, sizeof(text), "%s: releasing the pin", pt->span.name);
	return expect_ok(pt->tm->c, pin_release(&pt->pin), text, pt->pin.why);
}

bool pin_test_release(struct pin_test *pt)
{
	bool good = pin_test_end(pt) && check_bytes(pt);

	pin_test_drop(pt);
	return good && expect_balance(pt->tm->c, &pt->before, pt->span.name);
}

bool pin_test_round(struct test_map *tm, const struct pin_method *m, struct span s)
{
	struct pin_test pt;

	pin_test_init(&pt, tm, m, s);
	return pin_test_take(&pt, 0) && pin_test_release(&pt);
}
