// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins on ranges inside and across pages and entries, by the fast and by the slow path of
 * GUP, and a thousand pins on one page.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "gup/gup.h"
#include "lib/random.h"

#define THOUSAND	1000

/*
 * Twice as long as a thousand pins take on a slow machine.  On a loaded one there are
 * fewer pins; DAX_TEST_TIME allows for more.  dm-delay completes its I/O by itself after
 * 30 s: all pins have to be taken well before that.
 */
#define TAKE_SECONDS	3.0
#define TAKE_MOST	15.0

static uint64_t take_ns(void)
{
	double seconds = suite_seconds(TAKE_SECONDS);

	return (seconds < TAKE_MOST ? seconds : TAKE_MOST) * NSEC_PER_SEC;
}

/*
 * The memory is mapped already, so that the walk without locks finds it.
 *
 * Guards against 2947ba054a4d ("x86/mm/gup: Switch GUP to the generic
 * get_user_page_fast() implementation"), which leaked device references when it backed
 * out, at each page size.
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

/* the fault of the pin has mapped whole entries: touching them takes no other one */
static bool expect_mapped(struct test_map *tm, const struct span *s, bool write)
{
	unsigned long faults;

	set_step("%s: touching the entries that the pin has mapped", s->name);
	faults = test_map_touch_entry(tm, s->off, write);
	faults += test_map_touch_entry(tm, s->off + s->len - 1, write);
	return expect(tm->c, VERDICT_FAILED, !faults,
		      "%s: touching the entries that the pin has mapped took %lu faults; expected none",
		      s->name, faults);
}

static void fault_and_pin(struct test_map *tm, const struct span *s)
{
	const struct pin_method *m = tm->c->method;
	struct pin_test pt;

	pin_test_init(&pt, tm, m, *s);
	if (!test_map_remap(tm, PROT_RW) || !pin_test_take(&pt, 0))
		return;
	expect_mapped(tm, s, m->flags & PIN_SINK);
	pin_test_finish(&pt);
}

/*
 * Nothing is mapped: the pin has to fault the memory in first.
 *
 * Guards 1501899a898d ("mm: fix device-dax pud write-faults triggered by
 * get_user_pages()").
 */
static void spans_slow(struct cell *c)
{
	struct test_map tm;

	if (test_map_open(&tm, c) && test_map_prove(&tm))
		for (const struct span *s = test_map_spans(&tm, c->method); s->name; s++) {
			fault_and_pin(&tm, s);
			if (c->skipped)
				break;
		}
	test_map_close(&tm);
}

static void pin_twice(struct cell *c, int flags)
{
	struct test_map tm;

	if (test_map_open_as(&tm, c, flags) && test_map_prove(&tm))
		for (const struct span *s = test_map_spans(&tm, c->method);
		     s->name && !cell_over(c); s++) {
			fault_and_pin(&tm, s);
			if (!cell_over(c))
				pin_test_round(&tm, c->method, *s);
		}
	test_map_close(&tm);
}

/* one pin faults the memory in, the next one finds it mapped */
static void spans_both(struct cell *c)
{
	pin_twice(c, MAP_SHARED);
}

/* with MAP_SYNC a fault commits the metadata of the file before it maps the page */
static void spans_sync(struct cell *c)
{
	pin_twice(c, MAP_SHARED_VALIDATE | MAP_SYNC);
}

/*
 * The first third of the pins is released forwards, the last one backwards, the middle
 * one shuffled; releases of the three alternate.
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
	/* the remainder of the division by three */
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
	struct cell *c = tm->c;
	const char *step = "opening";
	char text[64];
	int ret;

	ret = pin_open_filled(pin, c->method, &c->guard->targets, s->len, TAG_SINK,
			      tm->map.off + s->off);
	if (!ret) {
		step = "taking";
		ret = pin_take(pin, test_map_addr(tm, s->off), s->len);
	}
	if (!ret)
		return 0;
	snprintf(text, sizeof(text), "%s: %s pin %u", s->name, step, nr);
	if (ret == -EOPNOTSUPP)
		skip_refused(c, c->method, pin->why);
	else if (nr == 1 && (ret == -EINVAL || ret == -EBUSY))
		/* GUP_TEST has room for one pin on the whole machine */
		skip(c, "%s holds one pin at a time", c->method->name);
	else
		expect_ok(c, ret, text, pin->why);
	pin_close(pin);
	return ret;
}

/* the bytes at the other end of a SOURCE method */
static bool check_peer(struct test_map *tm, const struct pin *pin, const struct span *s)
{
	if (!(pin->method->flags & PIN_SOURCE))
		return true;
	return test_map_check_buf(tm, "the bytes read through one of a thousand pins", pin->peer,
				  s->off, s->len, TAG_MEMORY);
}

static void release_all(struct test_map *tm, struct pin *pins, const unsigned int *order,
			unsigned int nr, const struct span *s)
{
	char text[64];

	for (unsigned int i = 0; i < nr; i++) {
		struct pin *pin = &pins[order[i]];

		if (!pin->method)
			continue;
		snprintf(text, sizeof(text), "%s: release %u, of pin %u", s->name, i, order[i]);
		set_step("%s", text);
		if (!cell_over(tm->c) && expect_ok(tm->c, pin_release(pin), text, pin->why))
			check_peer(tm, pin, s);
		pin_close(pin);
	}
}

/* the kernel counts @nr references to the page, or none by this method */
static void prove_count(struct test_map *tm, const struct pin_counters *before,
			unsigned int nr, const char *what)
{
	struct pin_counters now;
	uint64_t out;

	if (pin_counters_read(&now))
		return;
	out = now.acquired - before->acquired - (now.released - before->released);
	expect(tm->c, VERDICT_UNHEALTHY, !out || out == nr,
	       "%s: nr_foll_pin_acquired counts %" PRIu64 " references that are out; expected %u",
	       what, out, nr);
}

static void hold_thousand(struct test_map *tm, struct pin *pins, uint64_t seed)
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
		prove_count(tm, &before, nr, s.name);
		release_all(tm, pins, order, 1, &s);
		if (!cell_over(tm->c) && !pin_live(&pins[order[1]]))
			note("the first release ends all pins: their order makes no difference");
	}
	release_all(tm, pins, order, nr, &s);
	note("%u pins taken in %.2f s%s, released in %.2f s", nr,
	     (double)(out - start) / NSEC_PER_SEC,
	     nr < THOUSAND ? " (the time was up)" : "",
	     (double)(timeline_now() - out) / NSEC_PER_SEC);
	if (!cell_over(tm->c) && expect_balance(tm->c, &before, s.name))
		test_map_check(tm, &s, tm->c->method->flags & PIN_SINK ? TAG_SINK : TAG_MEMORY);
}

/*
 * Each pin raises the refcount of one page, each release lowers it.  No order of the
 * releases may lose a reference.
 */
static void thousand(struct cell *c)
{
	struct pin *pins = calloc(THOUSAND, sizeof(*pins));
	uint64_t seed = suite_seed();
	struct test_map tm;

	if (test_map_open(&tm, c) && test_map_prove(&tm) &&
	    expect(c, VERDICT_FAILED, pins, "no memory for %u pins", THOUSAND)) {
		note("DAX_TEST_SEED=%" PRIu64, seed);
		hold_thousand(&tm, pins, seed);
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
			.what = "pins inside a page up to the whole mapping, the memory already mapped",
			.pins = PINS_ANY,
			.body = spans_fast,
		}, {
			.name = "spans_slow",
			.what = "the same on memory that is not mapped: the pin faults it in",
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
			.what = "a thousand pins on one page, released in different orders",
			.pins = PINS_UNTIMED_CHEAP,
			.body = thousand,
		}, {
			.name = "thousand",
			.what = "a thousand pins on one page, released in different orders",
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
			.what = "pins inside a page up to the whole mapping, the memory already mapped",
			.pins = PINS_SHORTTERM,
			.body = spans_fast,
		}, {
			.name = "spans_slow",
			.what = "the same on memory that is not mapped: the pin faults it in",
			.pins = PINS_SHORTTERM,
			.body = spans_slow,
		}, {
			.name = "thousand",
			.what = "a thousand pins on one page, released in different orders",
			.pins = PIN_VMSPLICE,
			.body = thousand,
		}, {
			.name = "spans_sync",
			.what = "spans_slow and spans_fast on a mapping with MAP_SYNC",
			.pins = PINS_FILE,
			.sizes = AT_PMD,
			.body = spans_sync,
		}, {
			.name = "spans_sync",
			.what = "spans_slow and spans_fast on a mapping with MAP_SYNC",
			.pins = PIN_VMSPLICE,
			.sizes = AT_PTE,
			.body = spans_sync,
		}, {
			.name = "spans_map_dev",
			.what = "spans_slow and spans_fast with the memory map on the device (altmap)",
			.pins = PINS_FILE,
			.map_dev = true,
			.body = spans_both,
		},
		{ }
	},
};

REGISTER(scenario_groups, &spans_files);
