// SPDX-License-Identifier: GPL-2.0-only
/*
 * One pin with everything that has to be true of it: it is counted, it is held until it
 * is released, the bytes are right at both ends, and the counters balance afterwards.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gup/gup.h"

#define POLL_NS		2000000

/* Pages of one bio: a larger range is pinned in several steps. */
#define BIO_PAGES	256

/* Long enough for io_uring's thread to submit 16 MiB on a loaded machine. */
#define SUBMIT_NS	(2 * NSEC_PER_SEC)

bool pin_open_or_skip(struct cell *c, struct pin *pin, size_t len, uint64_t pos)
{
	int ret;

	memset(pin, 0, sizeof(*pin));
	set_step("opening %s", c->method->name);
	ret = pin_open_filled(pin, c->method, &c->guard->targets, len, TAG_SINK, pos);
	if (ret == -EOPNOTSUPP) {
		skip_refused(c, c->method, pin->why);
		return false;
	}
	return expect_ok(c, ret, "opening the pin", pin->why);
}

void pin_test_init(struct pin_test *pt, struct test_map *tm, const struct pin_method *m,
		   struct span s)
{
	memset(pt, 0, sizeof(*pt));
	pt->tm = tm;
	pt->method = m;
	pt->span = s;
	pt->tag = TAG_SINK;
	pt->pages = (s.off % tm->page + s.len + tm->page - 1) / tm->page;
}

void pin_test_close(struct pin_test *pt)
{
	set_step("%s: closing the pin", pt->span.name);
	pin_close(&pt->pin);
}

static bool moves_bytes(const struct pin_test *pt)
{
	return pt->method->flags & (PIN_SOURCE | PIN_SINK);
}

/* number of entries of the mapping that the range touches */
static uint64_t entries_touched(const struct pin_test *pt)
{
	size_t entry = pt->tm->entry;

	return (pt->span.off + pt->span.len - 1) / entry - pt->span.off / entry + 1;
}

/*
 * Either every base page is counted, or none: then the kernel takes plain references
 * by this method, and the pin has to be proven in another way.
 *
 * The number of pages still out is exact.  More pages may have been acquired: io_uring
 * releases what does not fit into one bio, and pins it again from a thread that may
 * sleep; and for a long-term pin the fast walk pins pages that it then leaves to the
 * slow path.  Of a registered buffer io_uring keeps one reference for each huge page.
 */
static bool count_is_right(const struct pin_test *pt, uint64_t acquired, uint64_t out)
{
	bool longterm = pt->method->flags & PIN_LONGTERM;

	if (!acquired && !out)
		return true;
	if (longterm || pt->pages > BIO_PAGES ? acquired < pt->pages : acquired != pt->pages)
		return false;
	/* a TIMED pin may have completed already */
	if (!out && (!(pt->method->flags & PIN_HELD) || pt->method->flags & PIN_TIMED))
		return true;
	return out == pt->pages || (longterm && out == entries_touched(pt));
}

static bool prove_by_counters(struct pin_test *pt)
{
	static const struct pin_method *reported;
	const struct timespec poll = { .tv_nsec = POLL_NS };
	uint64_t end = timeline_now() + SUBMIT_NS;
	uint64_t acquired, out;
	struct pin_counters now;
	bool late, right;

	/* the last pages of a large range may be pinned a moment later */
	for (;;) {
		late = timeline_now() >= end;
		if (pin_counters_read(&now))
			return true;
		acquired = now.acquired - pt->before.acquired;
		out = acquired - (now.released - pt->before.released);
		right = count_is_right(pt, acquired, out);
		if (right || late)
			break;
		nanosleep(&poll, NULL);
	}
	pt->counted = acquired;
	if (reported != pt->method)
		note("%s: %" PRIu64 " of %zu pages counted, %" PRIu64 " still out",
		     pt->method->name, acquired, pt->pages, out);
	reported = pt->method;
	return expect(pt->tm->c, VERDICT_UNHEALTHY, right,
		      "%s: nr_foll_pin_acquired counted %" PRIu64 " pages, of which %" PRIu64
		      " are still out; expected %zu", pt->span.name, acquired, out,
		      pt->pages);
}

static bool prove_pin(struct pin_test *pt)
{
	if (!prove_by_counters(pt))
		return false;
	if (pt->method->flags & PIN_HELD && !(pt->method->flags & PIN_TIMED))
		return pin_test_expect_live(pt);
	if (pt->counted || moves_bytes(pt))
		return true;
	skip(pt->tm->c, "%s is not counted by this kernel and moves no bytes: it cannot be proven",
	     pt->method->name);
	return false;
}

/* the result of opening or taking: 0, a refusal, or a failure */
static bool step_succeeded(struct pin_test *pt, int ret, const char *step)
{
	struct cell *c = pt->tm->c;
	char text[96];

	if (ret == -EOPNOTSUPP) {
		skip_refused(c, pt->method, pt->pin.why);
		return false;
	}
	snprintf(text, sizeof(text), "%s: %s the pin", pt->span.name, step);
	return expect_ok(c, ret, text, pt->pin.why);
}

static bool take_pin(struct pin_test *pt, uint64_t hold_ns)
{
	int ret;

	pin_counters_read(&pt->before);
	set_step("%s: taking the pin", pt->span.name);
	ret = pin_take(&pt->pin, test_map_addr(pt->tm, pt->span.off), pt->span.len);
	/* the machine was slower than the delay: the caller tries again */
	pt->over = hold_ns && ret == -ETIME;
	return !pt->over && step_succeeded(pt, ret, "taking");
}

bool pin_test_take(struct pin_test *pt, uint64_t hold_ns)
{
	struct test_map *tm = pt->tm;
	int ret;

	pt->over = false;
	pt->pin.hold_ns = hold_ns;
	set_step("%s: opening the pin", pt->span.name);
	ret = pin_open_filled(&pt->pin, pt->method, &tm->c->guard->targets, pt->span.len, pt->tag,
			      tm->map.off + pt->span.off);
	if (!step_succeeded(pt, ret, "opening")) {
		pin_close(&pt->pin);
		return false;
	}
	if (moves_bytes(pt) && !pt->as_is)
		test_map_fill(tm, &pt->span);
	if (take_pin(pt, hold_ns) && prove_pin(pt))
		return true;
	pin_test_close(pt);
	return false;
}

bool pin_test_expect_live(struct pin_test *pt)
{
	int ret;

	set_step("%s: asking the kernel whether it holds the pin", pt->span.name);
	ret = pin_live(&pt->pin);
	if (!ret && pt->method->flags & PIN_TIMED)
		return true;
	return expect(pt->tm->c, VERDICT_FAILED, ret == 1,
		      "%s: the pin was not released, but the kernel %s%s", pt->span.name,
		      ret ? "does not say that it holds it: " : "does not hold it",
		      ret ? strerror(-ret) : "");
}

bool expect_balance(struct cell *c, const struct pin_counters *before, const char *what)
{
	const struct timespec poll = { .tv_nsec = POLL_NS };
	uint64_t end = timeline_now() + HEALTH_SETTLE_NS;
	struct pin_counters now;
	int64_t out;

	set_step("%s: waiting for balanced pin counters", what);
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
		      out < 0 ? "were released but not acquired" : "were not released");
}

/* the bytes in memory and, of a SOURCE method, at the other end */
static bool check_both_ends(struct pin_test *pt)
{
	bool sink = pt->method->flags & PIN_SINK;
	char what[96];

	if (!moves_bytes(pt))
		return true;
	if (!test_map_check(pt->tm, &pt->span, sink ? pt->tag : TAG_MEMORY))
		return false;
	if (sink)
		return true;
	snprintf(what, sizeof(what), "%s: the bytes that the kernel read", pt->span.name);
	return test_map_check_buf(pt->tm, what, pt->pin.peer, pt->span.off, pt->span.len,
				  TAG_MEMORY);
}

bool pin_test_release(struct pin_test *pt)
{
	char text[96];

	snprintf(text, sizeof(text), "%s: releasing the pin", pt->span.name);
	set_step("%s", text);
	return expect_ok(pt->tm->c, pin_release(&pt->pin), text, pt->pin.why);
}

bool pin_test_finish(struct pin_test *pt)
{
	bool good = pin_test_release(pt) && check_both_ends(pt);

	pin_test_close(pt);
	return good && expect_balance(pt->tm->c, &pt->before, pt->span.name);
}

bool pin_test_round(struct test_map *tm, const struct pin_method *m, struct span s)
{
	struct pin_test pt;

	pin_test_init(&pt, tm, m, s);
	return pin_test_take(&pt, 0) && pin_test_finish(&pt);
}
