// SPDX-License-Identifier: GPL-2.0
/*
 * One file that is mapped by large and by small entries, one after the other or both
 * at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gup/gup.h"

/* in each entry: far from where pins lie, which is where entries meet */
#define SMALL_AT	(256u << 10)
#define LARGE_AT	(512u << 10)

/* As long as four threads need to meet a few hundred times. */
#define STORM_NS	(NSEC_PER_SEC / 2)

/* the entries that they fight over */
#define STORM_ENTRIES	2

static const int rw = PROT_READ | PROT_WRITE;

/* faults that touching one large entry takes, page by page */
static unsigned long entry_faults(struct test_map *tm, size_t nr)
{
	unsigned long n = 0;

	set_step("touching entry %zu", nr);
	daxmap_touch(&tm->map, nr * tm->entry, tm->entry, true, &n);
	return n;
}

/*
 * Of a file that was touched here and there by small entries, the same places
 * can only be mapped by small ones, and every other one by a large one.  Pins lie
 * across both.
 *
 * Guards 6370740e5f8e ("fs/dax: Fix pmd vs pte conflict detection").
 */
static void mixed_entries(struct cell *c)
{
	size_t small_at[] = { 1, 4 }, nr;
	unsigned long faults, want;
	struct daxmap small = { .fd = -1 };
	struct test_map tm;
	struct span s;

	if (!test_map_open(&tm, c) ||
	    !expect_ok(c, daxmap_open(&small, c->v.node, DAXMAP_PTE, tm.map.off, tm.map.len, rw),
		       "mapping by small entries", ""))
		goto out;
	for (size_t i = 0; i < ARRAY_SIZE(small_at); i++)
		daxmap_touch(&small, small_at[i] * tm.entry + 5 * tm.page, tm.page, true, NULL);
	for (nr = 0; nr < tm.map.len / tm.entry; nr++) {
		want = nr == small_at[0] || nr == small_at[1] ? tm.entry / tm.page : 1;
		faults = entry_faults(&tm, nr);
		expect(c, VERDICT_FAILED, faults == want,
		       "touching entry %zu took %lu faults; expected %lu", nr, faults, want);
	}
	/* both ends of a small stretch, and all of it with its neighbours' parts */
	for (size_t i = 0; i < 2 && !cell_over(c); i++) {
		s = (struct span){ "between large and small entries",
				   (small_at[0] + i) * tm.entry - tm.page, 2 * tm.page };
		pin_test_round(&tm, c->method, s);
	}
	s = (struct span){ "across small entries", small_at[0] * tm.entry - tm.page,
			   tm.entry + 2 * tm.page };
	if (!cell_over(c) && test_map_remap(&tm, rw))
		pin_test_round(&tm, c->method, s);
out:
	daxmap_close(&small);
	test_map_close(&tm);
}

/* a word in each entry, by one process; @at keeps their places apart */
static void store_words(struct test_map *tm, size_t at)
{
	set_step("storing a word in each entry");
	for (size_t off = at; off < tm->map.len; off += tm->entry)
		__atomic_store_n((uint64_t *)((char *)tm->map.addr + off),
				 pattern_word(TAG_STORE, tm->map.off + off), __ATOMIC_RELAXED);
}

/* and the other process sees them */
static bool see_words(struct test_map *tm, const char *what, size_t at)
{
	for (size_t off = at; off < tm->map.len; off += tm->entry) {
		uint64_t word = pattern_word(TAG_STORE, tm->map.off + off);

		if (!expect(tm->c, VERDICT_WRONG_DATA,
			    __atomic_load_n((uint64_t *)((char *)tm->map.addr + off),
					    __ATOMIC_RELAXED) == word,
			    "a store %s at 0x%zx is not seen by the other process", what, off))
			return false;
	}
	return true;
}

/* the process that maps by small entries: says when it is done, stays mapped */
static void __attribute__((noreturn)) small_process(struct test_map *tm, int said, int end)
{
	char byte = 0;
	int ret;

	daxmap_close(&tm->map);
	ret = daxmap_open(&tm->map, tm->c->v.node, DAXMAP_PTE, tm->alias.off, tm->alias.len, rw);
	if (!expect_ok(tm->c, ret, "mapping by small entries", ""))
		_exit(0);
	daxmap_touch(&tm->map, 0, tm->map.len, true, NULL);
	store_words(tm, SMALL_AT);
	/* stays mapped until the other one has had its pin, too */
	if (pin_test_round(tm, tm->c->method, test_map_pages(tm)) && write(said, &byte, 1) == 1 &&
	    !read(end, &byte, 1))
		see_words(tm, "through a large entry", LARGE_AT);
	_exit(0);
}

/*
 * One process maps by large entries, another the same file by small ones.  Guards
 * 1571c029a2ff ("dax: Fix xarray entry association for mixed mappings").
 */
static void two_sizes(struct cell *c)
{
	int said[2] = { -1, -1 }, end[2] = { -1, -1 };
	struct test_map tm;
	char byte;
	pid_t pid;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm) ||
	    !expect(c, VERDICT_FAILED, !pipe2(said, O_CLOEXEC) && !pipe2(end, O_CLOEXEC),
		    "pipe: %s", strerror(errno)))
		goto out;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(said[0]);
		close(end[1]);
		small_process(&tm, said[1], end[0]);
	}
	close(said[1]);
	close(end[0]);
	said[1] = -1;
	end[0] = -1;
	if (!expect(c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno)))
		goto out;
	guard_add_proc(c->guard, pid);
	set_step("waiting for the process that maps by small entries");
	if (read(said[0], &byte, 1) == 1) {
		see_words(&tm, "through a small entry", SMALL_AT);
		store_words(&tm, LARGE_AT);
		pin_test_round(&tm, c->method, test_map_pages(&tm));
	}
	close(end[1]);
	end[1] = -1;
	await_child(c, pid, "the process that maps by small entries");
	guard_drop_proc(c->guard, pid);
out:
	for (int i = 0; i < 2; i++) {
		if (said[i] >= 0)
			close(said[i]);
		if (end[i] >= 0)
			close(end[i]);
	}
	test_map_close(&tm);
}

static bool refill(struct test_map *tm)
{
	if (!test_map_punch(tm))
		return false;
	set_step("blocks for the hole");
	return expect_ok(tm->c, fsdax_allocate(tm->alias.fd, tm->map.off, tm->map.len),
			 "blocks for the hole, on boundaries of large entries", "");
}

/*
 * What was mapped by large entries is freed, and comes back mapped by small ones;
 * and then the other way round.
 *
 * Guards the end of what 38607c62b34b ("fs/dax: properly refcount fs dax pages")
 * keeps in the pages of a large entry.
 */
static void smaller_again(struct cell *c)
{
	struct daxmap large;
	struct test_map tm;
	int ret;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm) ||
	    !pin_test_round(&tm, c->method, test_map_pages(&tm)) || !refill(&tm))
		goto out;
	large = tm.map;
	ret = daxmap_open(&tm.map, c->v.node, DAXMAP_PTE, tm.alias.off, tm.alias.len, rw);
	if (expect_ok(c, ret, "mapping by small entries", "")) {
		unsigned long faults = 0;

		set_step("touching by small entries");
		daxmap_prove(&tm.map, true, &faults);
		expect(c, VERDICT_FAILED, faults == tm.map.len / tm.page,
		       "touching by small entries took %lu faults; expected %zu", faults,
		       tm.map.len / tm.page);
		pin_test_round(&tm, c->method, test_map_pages(&tm));
	}
	daxmap_close(&tm.map);
	tm.map = large;
	if (!cell_over(c) && refill(&tm) && test_map_remap(&tm, rw) && test_map_prove(&tm))
		pin_test_round(&tm, c->method, test_map_pages(&tm));
out:
	test_map_close(&tm);
}

/* what fsync() has written back, the next store must announce again: by a fault */
static void store_after_fsync(struct test_map *tm, const char *what, const struct daxmap *m,
			      size_t off)
{
	unsigned long faults = 0;

	set_step("storing after fsync(), %s", what);
	daxmap_touch(m, off, tm->page, true, &faults);
	expect(tm->c, VERDICT_FAILED, faults == 1,
	       "a store %s after fsync() took %lu faults; expected 1: it is still writable, and the next fsync() does not know of it",
	       what, faults);
}

/*
 * A page that one mapping has in a large entry and another in a small one is
 * written back once, and has to be made read-only in both.
 *
 * Guards 06083a0921fd ("dax: fix missing writeprotect the pte entry").
 */
static void fsync_two_sizes(struct cell *c)
{
	struct daxmap small = { .fd = -1 };
	struct test_map tm;
	size_t off;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm) ||
	    !expect_ok(c, daxmap_open(&small, c->v.node, DAXMAP_PTE, tm.map.off, tm.map.len, rw),
		       "mapping by small entries", ""))
		goto out;
	off = tm.entry + 7 * tm.page;
	daxmap_touch(&small, off, tm.page, true, NULL);
	set_step("fsync()");
	if (!expect(c, VERDICT_FAILED, !fsync(tm.map.fd), "fsync(): %s", strerror(errno)))
		goto out;
	store_after_fsync(&tm, "through a small entry", &small, off);
	store_after_fsync(&tm, "through a large entry", &tm.map, off);
out:
	daxmap_close(&small);
	test_map_close(&tm);
}

/**
 * struct storm - threads that fault the same, and one that takes it away
 * @tm: memory; tm->map by large entries
 * @small: the same by small ones
 * @end: when they stop, CLOCK_MONOTONIC
 * @wrong: a word that nobody stored was seen; 0 if there was none
 * @rounds: of all
 */
struct storm {
	struct test_map tm;
	struct daxmap small;
	uint64_t end;
	atomic_uint_fast64_t wrong;
	atomic_ulong rounds;
};

/* a word is what is stored there by all, or was taken away */
static void storm_word(struct storm *s, const struct daxmap *m, size_t off)
{
	uint64_t *at = (uint64_t *)((char *)m->addr + off);
	uint64_t word = pattern_word(TAG_STORE, m->off + off), seen;

	seen = __atomic_load_n(at, __ATOMIC_RELAXED);
	if (seen && seen != word)
		atomic_store(&s->wrong, seen);
	__atomic_store_n(at, word, __ATOMIC_RELAXED);
}

static void storm_through(struct storm *s, const struct daxmap *m)
{
	const struct test_map *tm = &s->tm;

	while (timeline_now() < s->end) {
		for (size_t off = 0; off < STORM_ENTRIES * tm->entry; off += 61 * tm->page)
			storm_word(s, m, off);
		atomic_fetch_add(&s->rounds, 1);
	}
}

static void *storm_large(void *arg)
{
	struct storm *s = arg;

	storm_through(s, &s->tm.map);
	return NULL;
}

static void *storm_small(void *arg)
{
	struct storm *s = arg;

	storm_through(s, &s->small);
	return NULL;
}

static void *storm_punch(void *arg)
{
	const int how = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	const struct timespec rest = { .tv_nsec = NSEC_PER_MSEC };
	struct storm *s = arg;

	while (timeline_now() < s->end) {
		fallocate(s->tm.alias.fd, how, s->tm.map.off, STORM_ENTRIES * s->tm.entry);
		nanosleep(&rest, NULL);
		atomic_fetch_add(&s->rounds, 1);
	}
	return NULL;
}

/*
 * Who faults waits for who faults the same, by an entry of either size, and for who
 * takes it away; and each of them is woken.
 *
 * Guards 23c84eb78375 ("dax: Fix missed wakeup with PMD faults") and 237388320deb
 * ("dax: Wake up all waiters after invalidating dax entry").
 */
static void fault_storm(struct cell *c)
{
	void *(*const roles[])(void *) = { storm_large, storm_small, storm_small, storm_punch };
	struct storm s = { .small = { .fd = -1 } };
	pthread_t threads[ARRAY_SIZE(roles)];
	struct test_map *tm = &s.tm;
	size_t nr = 0;

	if (!test_map_open(tm, c) ||
	    !expect_ok(c, daxmap_open(&s.small, c->v.node, DAXMAP_PTE, tm->map.off, tm->map.len, rw),
		       "mapping by small entries", ""))
		goto out;
	s.end = timeline_now() + STORM_NS;
	set_step("faults by large and small entries, and holes, all at once");
	while (nr < ARRAY_SIZE(roles) &&
	       expect_ok(c, -pthread_create(&threads[nr], NULL, roles[nr], &s),
			 "starting a thread", ""))
		nr++;
	for (size_t i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	note(c, "%lu rounds", atomic_load(&s.rounds));
	expect(c, VERDICT_WRONG_DATA, !atomic_load(&s.wrong),
	       "a word was 0x%llx, which nobody has stored there",
	       (unsigned long long)atomic_load(&s.wrong));
out:
	daxmap_close(&s.small);
	test_map_close(tm);
}

static const struct scenario_group entry_sizes = {
	.name = "entry_sizes",
	.order = 90,
	.common = {
		.on = ON_FILES,
		.sizes = AT_PMD,
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "mixed_entries",
			.what = "large entries beside places that were mapped by small ones before",
			.pins = PINS_FILE,
			.body = mixed_entries,
		}, {
			.name = "two_sizes",
			.what = "one process maps by large entries, another by small ones",
			.pins = PINS_FILE,
			.body = two_sizes,
		}, {
			.name = "smaller_again",
			.what = "freed under large entries, mapped again by small ones, and back",
			.pins = PINS_FILE,
			.body = smaller_again,
		}, {
			.name = "fsync_two_sizes",
			.what = "fsync() makes a large and a small entry of the same page read-only",
			.body = fsync_two_sizes,
		}, {
			.name = "fault_storm",
			.what = "threads fault the same by large and small entries, one takes it away",
			.body = fault_storm,
		},
		{ }
	},
};

REGISTER(scenario_groups, &entry_sizes);
