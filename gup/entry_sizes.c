// SPDX-License-Identifier: GPL-2.0-only
/*
 * One file that is mapped by large (pmd) and by small (pte) entries, one after the other
 * or at the same time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gup/gup.h"

/* Four threads meet a few hundred times in this time. */
#define RACE_NS		(NSEC_PER_SEC / 2)

/* the entries that the threads of a race use */
#define RACE_ENTRIES	2

/*
 * Where in each entry the process with small entries stores its word, and the one with
 * large entries: far from the pins, which are where entries meet.
 */
static size_t small_word(const struct test_map *tm)
{
	return tm->entry / 8;
}

static size_t large_word(const struct test_map *tm)
{
	return tm->entry / 4;
}

/* touch an entry page by page, expect the number of faults */
static void expect_entry_faults(struct test_map *tm, size_t nr, unsigned long want)
{
	unsigned long faults = 0;

	set_step("touching entry %zu", nr);
	daxmap_touch(&tm->map, nr * tm->entry, tm->entry, true, &faults);
	expect(tm->c, VERDICT_FAILED, faults == want,
	       "touching entry %zu took %lu faults; expected %lu", nr, faults, want);
}

/*
 * Where a file was touched through small entries before, it can only be mapped by small
 * ones, and everywhere else by large ones.  The pins are across both.
 *
 * Guards 6370740e5f8e ("fs/dax: Fix pmd vs pte conflict detection").
 */
static void mixed_entries(struct cell *c)
{
	size_t small_at[] = { 1, 4 }, nr;
	struct daxmap small = { .fd = -1 };
	struct test_map tm;
	struct span s;

	if (!test_map_open(&tm, c) || !test_map_open_small(&tm, &small))
		goto out;
	for (size_t i = 0; i < ARRAY_SIZE(small_at); i++)
		daxmap_touch(&small, small_at[i] * tm.entry + 5 * tm.page, tm.page, true, NULL);
	for (nr = 0; nr < tm.map.len / tm.entry; nr++)
		expect_entry_faults(&tm, nr, nr == small_at[0] || nr == small_at[1] ?
				    tm.entry / tm.page : 1);
	/* both ends of the small entries, then all of them with a part of each neighbour */
	for (size_t i = 0; i < 2 && !cell_over(c); i++) {
		s = (struct span){ "between large and small entries",
				   (small_at[0] + i) * tm.entry - tm.page, 2 * tm.page };
		pin_test_round(&tm, c->method, s);
	}
	s = (struct span){ "across small entries", small_at[0] * tm.entry - tm.page,
			   tm.entry + 2 * tm.page };
	if (!cell_over(c) && test_map_remap(&tm, PROT_RW))
		pin_test_round(&tm, c->method, s);
out:
	daxmap_close(&small);
	test_map_close(&tm);
}

/* one process stores a word in each entry, @at bytes from its start */
static void store_words(struct test_map *tm, size_t at)
{
	set_step("storing a word in each entry");
	for (size_t off = at; off < tm->map.len; off += tm->entry)
		__atomic_store_n((uint64_t *)test_map_addr(tm, off),
				 pattern_word(TAG_STORE, tm->map.off + off), __ATOMIC_RELAXED);
}

/* the other process sees them */
static bool check_words(struct test_map *tm, const char *what, size_t at)
{
	for (size_t off = at; off < tm->map.len; off += tm->entry) {
		uint64_t word = pattern_word(TAG_STORE, tm->map.off + off);

		if (!expect(tm->c, VERDICT_WRONG_DATA,
			    __atomic_load_n((uint64_t *)test_map_addr(tm, off),
					    __ATOMIC_RELAXED) == word,
			    "the other process does not see a store %s at 0x%zx", what, off))
			return false;
	}
	return true;
}

/* maps by small entries, says when its pin is done, stays mapped until @end is closed */
static void __attribute__((noreturn)) run_small_process(struct test_map *tm, int ready, int end)
{
	char byte = 0;

	daxmap_close(&tm->map);
	if (!test_map_open_small(tm, &tm->map))
		_exit(0);
	daxmap_touch(&tm->map, 0, tm->map.len, true, NULL);
	store_words(tm, small_word(tm));
	if (pin_test_round(tm, tm->c->method, test_map_pages(tm)) &&
	    write(ready, &byte, 1) == 1 && !read(end, &byte, 1))
		check_words(tm, "through a large entry", large_word(tm));
	_exit(0);
}

static void close_pipe(const int *fds)
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/*
 * One process maps by large entries, another the same file by small ones.  Guards
 * 1571c029a2ff ("dax: Fix xarray entry association for mixed mappings").
 */
static void two_sizes(struct cell *c)
{
	int ready[2] = { -1, -1 }, end[2] = { -1, -1 };
	struct test_map tm;
	char byte;
	pid_t pid;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm) ||
	    !expect_ok(c, sys_result(pipe2(ready, O_CLOEXEC)), "making a pipe", "") ||
	    !expect_ok(c, sys_result(pipe2(end, O_CLOEXEC)), "making a pipe", ""))
		goto out;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(ready[0]);
		close(end[1]);
		run_small_process(&tm, ready[1], end[0]);
	}
	close(ready[1]);
	close(end[0]);
	ready[1] = -1;
	end[0] = -1;
	if (!expect(c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno)))
		goto out;
	guard_add_proc(c->guard, pid);
	set_step("waiting for the process that maps by small entries");
	if (read(ready[0], &byte, 1) == 1) {
		check_words(&tm, "through a small entry", small_word(&tm));
		store_words(&tm, large_word(&tm));
		pin_test_round(&tm, c->method, test_map_pages(&tm));
	}
	close(end[1]);
	end[1] = -1;
	await_child(c, pid, "the process that maps by small entries");
	guard_drop_proc(c->guard, pid);
out:
	close_pipe(ready);
	close_pipe(end);
	test_map_close(&tm);
}

/* free the blocks, and allocate new ones that large entries can map */
static bool replace_blocks(struct test_map *tm)
{
	if (!test_map_punch(tm))
		return false;
	set_step("allocating blocks for the hole");
	return expect_ok(tm->c, fsdax_allocate(tm->alias.fd, tm->map.off, tm->map.len),
			 "allocating blocks at pmd boundaries for the hole", "");
}

static void pin_through_small(struct test_map *tm)
{
	unsigned long faults = 0, want = tm->map.len / tm->page;

	set_step("touching the mapping by small entries");
	daxmap_prove(&tm->map, true, &faults);
	expect(tm->c, VERDICT_FAILED, faults == want,
	       "touching the mapping by small entries took %lu faults; expected %lu", faults,
	       want);
	pin_test_round(tm, tm->c->method, test_map_pages(tm));
}

/*
 * Blocks mapped by large entries are freed and mapped again by small ones; then the
 * other way round.
 *
 * Guards the last part of 38607c62b34b ("fs/dax: properly refcount fs dax pages"): the
 * state that it keeps in the pages of a large entry has to be reset.
 */
static void smaller_again(struct cell *c)
{
	struct daxmap large;
	struct test_map tm;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm) ||
	    !pin_test_round(&tm, c->method, test_map_pages(&tm)) || !replace_blocks(&tm))
		goto out;
	large = tm.map;
	if (test_map_open_small(&tm, &tm.map))
		pin_through_small(&tm);
	daxmap_close(&tm.map);
	tm.map = large;
	if (!cell_over(c) && replace_blocks(&tm) && test_map_remap(&tm, PROT_RW) &&
	    test_map_prove(&tm))
		pin_test_round(&tm, c->method, test_map_pages(&tm));
out:
	test_map_close(&tm);
}

/* fsync() has cleaned the page: the next store has to take a fault, to make it dirty */
static void store_after_fsync(struct test_map *tm, const char *what, const struct daxmap *m,
			      size_t off)
{
	unsigned long faults = 0;

	set_step("storing after fsync(), %s", what);
	daxmap_touch(m, off, tm->page, true, &faults);
	expect(tm->c, VERDICT_FAILED, faults == 1,
	       "a store %s after fsync() took %lu faults; expected 1: the entry is still writable, and the next fsync() will miss the store",
	       what, faults);
}

/*
 * A page that one mapping has in a large entry and another in a small one is written
 * back once, and has to become read-only in both.
 *
 * Guards 06083a0921fd ("dax: fix missing writeprotect the pte entry").
 */
static void fsync_two_sizes(struct cell *c)
{
	struct daxmap small = { .fd = -1 };
	struct test_map tm;
	size_t off;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm) || !test_map_open_small(&tm, &small))
		goto out;
	off = tm.entry + 7 * tm.page;
	daxmap_touch(&small, off, tm.page, true, NULL);
	set_step("fsync()");
	if (!expect_ok(c, sys_result(fsync(tm.map.fd)), "fsync()", ""))
		goto out;
	store_after_fsync(&tm, "through a small entry", &small, off);
	store_after_fsync(&tm, "through a large entry", &tm.map, off);
out:
	daxmap_close(&small);
	test_map_close(&tm);
}

/**
 * struct fault_race - threads that fault on the same blocks, and one that frees them
 * @tm: the memory; its mapping under test has large entries
 * @small: the same bytes mapped by small entries
 * @end: time to stop, CLOCK_MONOTONIC
 * @wrong: a word that no thread has stored; 0 if none was seen
 * @rounds: number of iterations of all threads
 */
struct fault_race {
	struct test_map tm;
	struct daxmap small;
	uint64_t end;
	atomic_uint_fast64_t wrong;
	atomic_ulong rounds;
};

/* a word is the one that all threads store there, or 0 after a hole was punched */
static void load_and_store(struct fault_race *r, const struct daxmap *m, size_t off)
{
	uint64_t *at = (uint64_t *)((char *)m->addr + off);
	uint64_t word = pattern_word(TAG_STORE, m->off + off), seen;

	seen = __atomic_load_n(at, __ATOMIC_RELAXED);
	if (seen && seen != word)
		atomic_store(&r->wrong, seen);
	__atomic_store_n(at, word, __ATOMIC_RELAXED);
}

static void fault_loop(struct fault_race *r, const struct daxmap *m)
{
	const struct test_map *tm = &r->tm;

	while (timeline_now() < r->end) {
		for (size_t off = 0; off < RACE_ENTRIES * tm->entry; off += 61 * tm->page)
			load_and_store(r, m, off);
		atomic_fetch_add(&r->rounds, 1);
	}
}

static void *fault_large_loop(void *arg)
{
	struct fault_race *r = arg;

	fault_loop(r, &r->tm.map);
	return NULL;
}

static void *fault_small_loop(void *arg)
{
	struct fault_race *r = arg;

	fault_loop(r, &r->small);
	return NULL;
}

static void *punch_loop(void *arg)
{
	const int how = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	const struct timespec rest = { .tv_nsec = NSEC_PER_MSEC };
	struct fault_race *r = arg;

	while (timeline_now() < r->end) {
		fallocate(r->tm.alias.fd, how, r->tm.map.off, RACE_ENTRIES * r->tm.entry);
		nanosleep(&rest, NULL);
		atomic_fetch_add(&r->rounds, 1);
	}
	return NULL;
}

/*
 * A fault waits for other faults on the same blocks, by entries of either size, and for
 * the thread that frees the blocks; each waiter has to be woken.
 *
 * Guards 23c84eb78375 ("dax: Fix missed wakeup with PMD faults") and 237388320deb
 * ("dax: Wake up all waiters after invalidating dax entry").
 */
static void fault_storm(struct cell *c)
{
	void *(*const loops[])(void *) = {
		fault_large_loop, fault_small_loop, fault_small_loop, punch_loop,
	};
	struct fault_race r = { .small = { .fd = -1 } };
	pthread_t threads[ARRAY_SIZE(loops)];
	struct test_map *tm = &r.tm;
	size_t nr = 0;

	if (!test_map_open(tm, c) || !test_map_open_small(tm, &r.small))
		goto out;
	r.end = timeline_now() + RACE_NS;
	set_step("faults by large and small entries while holes are punched");
	while (nr < ARRAY_SIZE(loops) &&
	       expect_ok(c, -pthread_create(&threads[nr], NULL, loops[nr], &r),
			 "starting a thread", ""))
		nr++;
	for (size_t i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	note("%lu rounds", atomic_load(&r.rounds));
	expect(c, VERDICT_WRONG_DATA, !atomic_load(&r.wrong),
	       "a word was 0x%llx, which no thread has stored there; expected the stored word or 0",
	       (unsigned long long)atomic_load(&r.wrong));
out:
	daxmap_close(&r.small);
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
			.what = "large entries next to blocks that were mapped by small ones before",
			.pins = PINS_FILE,
			.body = mixed_entries,
		}, {
			.name = "two_sizes",
			.what = "one process maps by large entries, another by small ones",
			.pins = PINS_FILE,
			.body = two_sizes,
		}, {
			.name = "smaller_again",
			.what = "blocks freed under large entries are mapped again by small ones, and back",
			.pins = PINS_FILE,
			.body = smaller_again,
		}, {
			.name = "fsync_two_sizes",
			.what = "fsync() makes a large and a small entry of one page read-only",
			.body = fsync_two_sizes,
		}, {
			.name = "fault_storm",
			.what = "threads fault on the same blocks by large and small entries, one frees them",
			.body = fault_storm,
		},
		{ }
	},
};

REGISTER(scenario_groups, &entry_sizes);
