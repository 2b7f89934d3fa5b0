// SPDX-License-Identifier: GPL-2.0
/*
 * Where a pin may lie, by the fast and by the slow path, and a thousand of them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "gup/gup.h"
#include "lib/random.h"

#define THOUSAND	1000

/*
 * Twice what a thousand take on a slow machine; where it is loaded as well there are
 * fewer, and DAX_TEST_TIME asks for more.  After 30 s dm-delay lets go by itself: long
 * before that all must be out.
 */
#define TAKE_SECONDS	3.0
#define TAKE_MOST	15.0

static uint64_t take_ns(void)
{
	double seconds = suite_seconds(TAKE_SECONDS);

	return (seconds < TAKE_MOST ? seconds : TAKE_MOST) * NSEC_PER_SEC;
}

static const int rw = PROT_READ | PROT_WRITE;

/*
 * The memory is mapped already, so that the walk without locks finds it.
 *
 * Guards against 2947ba054a4d ("x86/mm/gup: Switch GUP to the generic
 * get_user_page_fast() implementation"), which lost device references on the
 * way back, once for each size.
 */
static void spans_fast(struct cell *c)
{
	struct test_map tm;

	if (test_map_open(&tm, c) && test_map_prove(&tm))
		for (const struct span *s = test_map_spans(&tm, c->method); s->name; s++)
			if (!pin_test_round(&tm, c->method, *s) && c->skipped)
				break;
	test_map_close(&tm);
}

/* the pin's own fault has mapped whole entries: touching them takes no more */
static bool expect_mapped(struct test_map *tm, const struct span *s, bool write)
{
	size_t at[2] = { s->off, s->off + s->len - 1 };
	unsigned long faults = 0;

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		size_t first = at[i] / tm->entry * tm->entry;
		size_t last = first + tm->entry - tm->page;
		unsigned long n = 0;

		set_step("%s: touching what the pin has mapped", s->name);
		daxmap_touch(&tm->map, first, tm->page, write, &n);
		faults += n;
		if (last != first)
			daxmap_touch(&tm->map, last, tm->page, write, &n);
		faults += n;
	}
	return expect(tm->c, VERDICT_FAILED, !faults,
		      "%s: touching what the pin has faulted in took %lu faults; expected none",
		      s->name, faults);
}

static void slow_round(struct test_map *tm, const struct span *s)
{
	const struct pin_method *m = tm->c->method;
	struct pin_test pt;

	pin_test_init(&pt, tm, m, *s);
	if (!test_map_remap(tm, rw) || !pin_test_take(&pt, 0))
		return;
	expect_mapped(tm, s, m->flags & PIN_SINK);
	pin_test_release(&pt);
}

/*
 * Nothing is mapped: the pin has to fault it in first.
 *
 * Guards 1501899a898d ("mm: fix device-dax pud write-faults triggered by
 * get_user_pages()").
 */
static void spans_slow(struct cell *c)
{
	struct test_map tm;

	if (test_map_open(&tm, c) && test_map_prove(&tm))
		for (const struct span *s = test_map_spans(&tm, c->method); s->name; s++) {
			slow_round(&tm, s);
			if (c->skipped)
				break;
		}
	test_map_close(&tm);
}

static void both(struct cell *c, int flags)
{
	struct test_map tm;

	if (test_map_open_as(&tm, c, flags) && test_map_prove(&tm))
		for (const struct span *s = test_map_spans(&tm, c->method);
		     s->name && !cell_over(c); s++) {
			slow_round(&tm, s);
			if (!cell_over(c))
				pin_test_round(&tm, c->method, *s);
		}
	test_map_close(&tm);
}

/* the pin faults the memory in, and then another one finds it mapped */
static void spans_both(struct cell *c)
{
	both(c, MAP_SHARED);
}

/* a fault under MAP_SYNC commits the file's metadata before it maps anything */
static void spans_sync(struct cell *c)
{
	both(c, MAP_SHARED_VALIDATE | MAP_SYNC);
}

/*
 * The first pins taken are released forwards, the last ones backwards, and those
 * of the middle shuffled: each third lets go around the others.
 */
static void make_order(unsigned int *order, unsigned int nr, uint64_t seed)
{
	const unsigned int third = nr / 3;
	uint64_t rnd = seed ?: 1;
	unsigned int i, j, swap;

	for (i = 0; i < third; i++) {
		order[3 * i] = i;
		order[3 * i + 1] = nr - 1 - i;
		order[3 * i + 2] = third + i;
	}
	/* what is left of a division by three */
	for (i = 3 * third; i < nr; i++)
		order[i] = 2 * third + i - 3 * third;
	for (i = third; i > 1; i--) {
		j = random_next(&rnd) % i;
		swap = order[3 * i - 1];
		order[3 * i - 1] = order[3 * j + 2];
		order[3 * j + 2] = swap;
	}
}

static int take_one(struct test_map *tm, struct pin *pin, const struct span *s, unsigned int nr)
{
	int ret;

	ret = pin_open(pin, tm->c->method, &tm->c->guard->targets, s->len);
	if (!ret && tm->c->method->flags & PIN_SINK) {
		ret = pin_prepare(pin);
		if (!ret)
			pattern_fill(pin->peer, s->len, TAG_SINK, tm->map.off + s->off);
	}
	ret = ret ?: pin_take(pin, (char *)tm->map.addr + s->off, s->len);
	if (ret == -EOPNOTSUPP)
		skip_refused(tm->c, tm->c->method, pin->why);
	else if (nr == 1 && (ret == -EINVAL || ret == -EBUSY))
		/* GUP_TEST keeps one for the whole machine */
		skip(tm->c, "%s holds one pin at a time", tm->c->method->name);
	else
		expect_ok(tm->c, ret, "taking a thousand pins", pin->why);
	if (ret)
		pin_close(pin);
	return ret;
}

/* a SOURCE's bytes at the other end */
static bool right_peer(struct test_map *tm, const struct pin *pin, const struct span *s)
{
	struct pattern_error err;
	char text[160];

	if (!(pin->method->flags & PIN_SOURCE) ||
	    !pattern_check(pin->peer, s->len, TAG_MEMORY, tm->map.off + s->off, &err))
		return true;
	pattern_explain(&err, text, sizeof(text));
	return expect(tm->c, VERDICT_WRONG_DATA, false, "what one of a thousand pins read: %s",
		      text);
}

static void release_all(struct test_map *tm, struct pin *pins, const unsigned int *order,
			unsigned int nr, const struct span *s)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct pin *pin = &pins[order[i]];

		if (!pin->method)
			continue;
		set_step("%s: releasing number %u, which is pin %u", s->name, i, order[i]);
		if (!cell_over(tm->c) &&
		    expect_ok(tm->c, pin_release(pin), "releasing", pin->why))
			right_peer(tm, pin, s);
		pin_close(pin);
	}
}

/* is the kernel's count of @nr pins on one page what it must be? */
static void prove_thousand(struct test_map *tm, const struct pin_counters *before,
			   unsigned int nr, const char *what)
{
	struct pin_counters now;
	uint64_t out;

	if (pin_counters_read(&now))
		return;
	out = now.acquired - before->acquired - (now.released - before->released);
	expect(tm->c, VERDICT_UNHEALTHY, !out || out == nr,
	       "%s: %" PRIu64 " page references are out by nr_foll_pin_acquired; expected %u",
	       what, out, nr);
}

static void thousand_out(struct test_map *tm, struct pin *pins, uint64_t seed)
{
	struct span s = { "a thousand pins", 8 * tm->page, tm->page };
	uint64_t start = timeline_now(), end = start + take_ns(), out;
	struct pin_counters before = { 0 };
	unsigned int order[THOUSAND], nr;

	test_map_fill(tm, &s);
	pin_counters_read(&before);
	for (nr = 0; nr < THOUSAND && (nr < 3 || timeline_now() < end); nr++) {
		set_step("%s: taking pin %u", s.name, nr);
		if (take_one(tm, &pins[nr], &s, nr))
			break;
	}
	make_order(order, nr, seed);
	out = timeline_now();
	if (!cell_over(tm->c)) {
		prove_thousand(tm, &before, nr, s.name);
		release_all(tm, pins, order, 1, &s);
		if (!cell_over(tm->c) && !pin_live(&pins[order[1]]))
			note(tm->c, "one release lets go of all: their order makes no difference");
	}
	release_all(tm, pins, order, nr, &s);
	note(tm->c, "%u pins taken in %.2f s%s, released in %.2f s", nr,
	     (double)(out - start) / NSEC_PER_SEC,
	     nr < THOUSAND ? " (no more in that time)" : "",
	     (double)(timeline_now() - out) / NSEC_PER_SEC);
	if (!cell_over(tm->c) && expect_balance(tm->c, &before, s.name))
		test_map_check(tm, &s, tm->c->method->flags & PIN_SINK ? TAG_SINK : TAG_MEMORY);
}

/*
 * On one page its reference count goes up and down by each pin.  No order of
 * release may lose one.
 */
static void thousand(struct cell *c)
{
	struct pin *pins = calloc(THOUSAND, sizeof(*pins));
	uint64_t seed = suite_seed();
	struct test_map tm;

	if (test_map_open(&tm, c) && test_map_prove(&tm) &&
	    expect(c, VERDICT_FAILED, pins, "no memory for %u pins", THOUSAND)) {
		note(c, "DAX_TEST_SEED=%" PRIu64, seed);
		thousand_out(&tm, pins, seed);
	}
	test_map_close(&tm);
	free(pins);
}

static const struct scenario_group spans = {
	.name = "spans",
	.order = 10,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_ALL,
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "spans_fast",
			.what = "inside a page to the whole mapping, the memory already mapped",
			.pins = PINS_ANY,
			.body = spans_fast,
		}, {
			.name = "spans_slow",
			.what = "the same, the memory not mapped: the pin faults it in",
			.pins = PINS_ANY,
			.body = spans_slow,
		},
		{ }
	},
};

REGISTER(scenario_groups, &spans);

static const struct scenario_group thousand_pins = {
	.name = "thousand",
	.order = 40,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_ALL,
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "thousand",
			.what = "a thousand pins on one page, released forwards, backwards and shuffled",
			.pins = PINS_UNTIMED_CHEAP,
			.body = thousand,
		}, {
			.name = "thousand",
			.what = "a thousand pins on one page, released forwards, backwards and shuffled",
			.pins = PINS_UNTIMED_COSTLY,
			.sizes = AT_PMD,
			.body = thousand,
		},
		{ }
	},
};

REGISTER(scenario_groups, &thousand_pins);

static const struct scenario_group spans_files = {
	.name = "spans_files",
	.order = 60,
	.common = {
		.on = ON_FILES,
		.sizes = AT_FILE,
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "spans_fast",
			.what = "inside a page to the whole mapping, the memory already mapped",
			.pins = PINS_SHORTTERM,
			.body = spans_fast,
		}, {
			.name = "spans_slow",
			.what = "the same, the memory not mapped: the pin faults it in",
			.pins = PINS_SHORTTERM,
			.body = spans_slow,
		}, {
			.name = "thousand",
			.what = "a thousand pins on one page, released forwards, backwards and shuffled",
			.pins = PIN_VMSPLICE,
			.body = thousand,
		}, {
			.name = "spans_sync",
			.what = "as spans_slow and spans_fast, mapped with MAP_SYNC",
			.pins = PINS_FILE,
			.sizes = AT_PMD,
			.body = spans_sync,
		}, {
			.name = "spans_sync",
			.what = "as spans_slow and spans_fast, mapped with MAP_SYNC",
			.pins = PIN_VMSPLICE,
			.sizes = AT_PTE,
			.body = spans_sync,
		}, {
			.name = "spans_map_dev",
			.what = "as spans_slow and spans_fast, the memory map lies on the device (altmap)",
			.pins = PINS_FILE,
			.map_dev = true,
			.body = spans_both,
		},
		{ }
	},
};

REGISTER(scenario_groups, &spans_files);
