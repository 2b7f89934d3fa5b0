// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins on private mappings of a file: a store makes a copy of the page.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gup/gup.h"

/* Two threads meet a few hundred times in this time. */
#define RACE_NS		(NSEC_PER_SEC / 3)

/* a page in each mapping: the private one becomes a copy, the file gets other bytes */
static void store_both(struct test_map *tm, const struct span *s)
{
	set_step("storing to a pinned private page, and to the file");
	test_map_store(tm, s->off, tm->page, TAG_STORE);
	test_map_store_alias(tm, s->off, s->len, TAG_LATER);
}

/* a child sees its parent's copy, and its own stores do not reach the parent */
static bool check_child(struct test_map *tm, const struct span *s)
{
	size_t apart = s->off > 4 * tm->page ? s->off - 4 * tm->page : s->off + 8 * tm->page;
	pid_t pid;

	set_step("fork() with a pin out");
	pid = fork();
	if (!pid) {
		if (!cell_is_sink(tm->c))
			test_map_check_mapped(tm, "the private page in a child", s->off, tm->page,
					      TAG_STORE);
		test_map_store(tm, apart, tm->page, TAG_STORE);
		_exit(0);
	}
	if (!expect(tm->c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno)))
		return false;
	return await_child(tm->c, pid, "a child with a private mapping") &&
	       test_map_check_mapped(tm, "the page of which a child stored to its copy", apart,
				     tm->page, TAG_MEMORY);
}

/*
 * The kernel reads: the pin is on the file's page.  A store to the private mapping makes
 * a copy, which the pin does not see; it does see stores to the file.
 */
static void check_source(struct test_map *tm, struct pin_test *pt)
{
	const struct span *s = &pt->span;

	store_both(tm, s);
	if (!test_map_check_mapped(tm, "the private page after a store", s->off, tm->page,
				   TAG_STORE) ||
	    !check_child(tm, s) || !pin_test_release(pt))
		return;
	test_map_check_buf(tm, "the bytes read through the pin on the file's pages", pt->pin.peer,
			   s->off, s->len, TAG_LATER);
	test_map_check(tm, s, TAG_LATER);
	set_step("madvise(MADV_DONTNEED) of the private mapping");
	if (expect_ok(tm->c, sys_result(madvise(tm->map.addr, tm->map.len, MADV_DONTNEED)),
		      "madvise(MADV_DONTNEED) of the private mapping", ""))
		test_map_check_mapped(tm, "the private mapping without its copy", s->off, s->len,
				      TAG_LATER);
}

/* the kernel writes: into copies, never into the file */
static void check_sink(struct test_map *tm, struct pin_test *pt)
{
	const struct span *s = &pt->span;

	if (!check_child(tm, s) || !pin_test_release(pt))
		return;
	test_map_check_mapped(tm, "the private pages that the kernel wrote", s->off, s->len,
			      TAG_SINK);
	test_map_check(tm, s, TAG_MEMORY);
}

static void pin_private(struct test_map *tm, const char *what, bool touched)
{
	struct span s = test_map_pages(tm), around = test_map_pages(tm);
	struct pin_test pt;

	s.name = what;
	around.off -= 6 * tm->page;
	around.len += 16 * tm->page;
	test_map_fill(tm, &around);
	if (!test_map_remap(tm, PROT_RW))
		return;
	if (touched)
		daxmap_touch(&tm->map, s.off, s.len, false, NULL);
	pin_test_init(&pt, tm, tm->c->method, s);
	if (!pin_test_take(&pt, 0))
		return;
	if (cell_is_sink(tm->c))
		check_sink(tm, &pt);
	else
		check_source(tm, &pt);
	pin_test_close(&pt);
	if (!cell_over(tm->c))
		expect_balance(tm->c, &pt.before, what);
}

static void private_pinned(struct cell *c)
{
	struct test_map tm;

	if (test_map_open_as(&tm, c, MAP_PRIVATE)) {
		pin_private(&tm, "a private mapping, not touched", false);
		if (!cell_over(c))
			pin_private(&tm, "a private mapping that was loaded from", true);
	}
	test_map_close(&tm);
}

/**
 * struct private_race - two threads on one private page
 * @tm: the memory
 * @end: time to stop, CLOCK_MONOTONIC
 */
struct private_race {
	struct test_map *tm;
	uint64_t end;
};

static void *drop_page_loop(void *arg)
{
	struct private_race *r = arg;

	while (timeline_now() < r->end)
		madvise(r->tm->map.addr, r->tm->page, MADV_DONTNEED);
	return NULL;
}

/*
 * A store to a private page makes a copy of it.  All other words of the copy have to be
 * the file's, also if another thread drops the page from the mapping meanwhile.
 *
 * Guards c3e5ea6ee574 ("mm: avoid data corruption on CoW fault into PFN-mapped
 * VMA").
 */
static void private_race(struct cell *c)
{
	struct span s = { "a private page", 0, 0 };
	struct private_race r = { .end = timeline_now() + RACE_NS };
	unsigned long rounds = 0;
	struct test_map tm;
	pthread_t thread;

	if (!test_map_open_as(&tm, c, MAP_PRIVATE))
		goto out;
	s.len = tm.page;
	test_map_fill(&tm, &s);
	r.tm = &tm;
	if (!expect_ok(c, -pthread_create(&thread, NULL, drop_page_loop, &r),
		       "starting a thread", ""))
		goto out;
	set_step("storing to a private page that another thread drops");
	while (timeline_now() < r.end && !cell_over(c)) {
		/* the first word gets the value that it has: only copying can go wrong */
		*(volatile uint64_t *)tm.map.addr = pattern_word(TAG_MEMORY, tm.map.off);
		test_map_check_mapped(&tm, s.name, 0, tm.page, TAG_MEMORY);
		rounds++;
	}
	pthread_join(thread, NULL);
	note("%lu rounds", rounds);
	test_map_check(&tm, &s, TAG_MEMORY);
out:
	test_map_close(&tm);
}

static const struct scenario_group private = {
	.name = "private",
	.order = 100,
	.common = {
		.on = ON_FILES,
		.sizes = AT_FILE,
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "private_pinned",
			.what = "MAP_PRIVATE: a pin that reads is on the file's page, one that writes on a copy",
			.pins = PINS_FILE,
			.body = private_pinned,
		}, {
			.name = "private_race",
			.what = "MAP_PRIVATE: a page is copied while another thread drops it",
			.body = private_race,
		},
		{ }
	},
};

REGISTER(scenario_groups, &private);
