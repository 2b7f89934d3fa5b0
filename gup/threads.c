// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that fault, pin, unpin and unmap the same entry.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gup/gup.h"
#include "lib/random.h"

/* by default; DAX_TEST_TIME changes it */
#define RUN_SECONDS	1.0

#define PINNERS		3
#define METHODS		32

/**
 * struct worker_pool - state that the threads share
 * @tm: the memory
 * @arena: length of the part of the mapping that is unmapped and pinned, bytes, from its
 *	start: an entry, or as many small entries as a pmd entry maps
 * @methods: methods that can pin this memory
 * @nr: number of them
 * @end: time to stop, CLOCK_MONOTONIC
 * @file: an anonymous file; to write it from the mapping, or read it into the mapping,
 *	makes the kernel fault
 * @wrong: a pin read wrong bytes
 */
struct worker_pool {
	struct test_map tm;
	size_t arena;
	const struct pin_method *methods[METHODS];
	unsigned int nr;
	uint64_t end;
	int file;
	atomic_bool wrong;
};

/**
 * struct worker - one thread
 * @thread: the thread
 * @pool: the shared state
 * @id: its number; no other thread pins its page
 * @rnd: state of its random numbers
 * @rounds: number of iterations
 * @hits: number of them that found the memory mapped
 * @error: an error that the race does not explain, -errno; 0 if there was none
 * @failed: the method or call that returned it
 * @why: more about it, a sentence, or ""
 */
struct worker {
	pthread_t thread;
	struct worker_pool *pool;
	unsigned int id;
	uint64_t rnd;
	unsigned long rounds;
	unsigned long hits;
	int error;
	const char *failed;
	char why[WHY_LEN];
};

static bool time_left(const struct worker *w)
{
	return timeline_now() < w->pool->end;
}

/* offset of the page that a thread pins; the first page of the mapping is for no pin */
static size_t own_page(const struct worker_pool *pool, unsigned int id)
{
	size_t page = pool->tm.page;

	return pool->arena / PINNERS * id / page * page + 2 * page;
}

/* errors of a method that finds nothing mapped */
static bool explained_by_race(int err)
{
	return err == -EFAULT || err == -EIO;
}

static int pin_own_page(struct worker *w, struct pin *pin, const struct pin_method *m)
{
	struct test_map *tm = &w->pool->tm;
	size_t off = own_page(w->pool, w->id);
	int ret;

	/* a SINK brings the bytes that are there already: pins of other threads read them */
	ret = pin_open_filled(pin, m, &tm->c->guard->targets, tm->page, TAG_MEMORY,
			      tm->map.off + off);
	if (ret)
		return ret;
	ret = pin_take(pin, test_map_addr(tm, off), tm->page);
	if (ret)
		return ret;
	w->hits++;
	ret = pin_release(pin);
	if (!ret && m->flags & PIN_SOURCE &&
	    pattern_check(pin->peer, tm->page, TAG_MEMORY, tm->map.off + off, NULL))
		w->pool->wrong = true;
	return ret;
}

static void *pin_loop(void *arg)
{
	struct worker *w = arg;

	while (time_left(w) && !w->error) {
		const struct pin_method *m = w->pool->methods[random_next(&w->rnd) % w->pool->nr];
		struct pin pin = { 0 };
		int ret = pin_own_page(w, &pin, m);

		if (ret && !explained_by_race(ret)) {
			w->error = ret;
			w->failed = m->name;
			snprintf(w->why, sizeof(w->why), "%s", pin.why);
		}
		pin_close(&pin);
		w->rounds++;
	}
	return NULL;
}

/* faults by system calls, which return EFAULT where a load would raise a signal */
static void *fault_loop(void *arg)
{
	struct worker *w = arg;
	struct worker_pool *pool = w->pool;
	struct test_map *tm = &pool->tm;
	const size_t word = sizeof(uint64_t);

	while (time_left(w)) {
		size_t off = random_next(&w->rnd) % (pool->arena / tm->page) * tm->page;

		if (random_next(&w->rnd) % 2)
			w->hits += pwrite(pool->file, test_map_addr(tm, off), word, 64) == word;
		else
			/* into the last word of a page that no pin is on */
			w->hits += pread(pool->file, test_map_addr(tm, tm->page - word), word,
					 0) == word;
		w->rounds++;
	}
	return NULL;
}

static void *unmap_loop(void *arg)
{
	struct worker *w = arg;
	struct test_map *tm = &w->pool->tm;
	size_t len = w->pool->arena;

	while (time_left(w)) {
		bool hole = random_next(&w->rnd) % 3;
		int how = hole ? MAP_FIXED_NOREPLACE : MAP_FIXED;

		/*
		 * A hole, not PROT_NONE, which /proc/self/mem ignores.  No other thread's
		 * mmap() gets the address: the kernel goes from the top down, and there
		 * are gigabytes above the mapping.
		 */
		if (hole)
			munmap(tm->map.addr, len);
		else
			madvise(tm->map.addr, len, MADV_DONTNEED);
		if (hole && random_next(&w->rnd) % 2)
			usleep(random_next(&w->rnd) % 500);
		if (mmap(tm->map.addr, len, PROT_RW, MAP_SHARED | how, tm->map.fd,
			 tm->map.off) == MAP_FAILED) {
			w->error = -errno;
			w->failed = "mmap";
			break;
		}
		w->rounds++;
		usleep(random_next(&w->rnd) % 2000);
	}
	return NULL;
}

/* can a thread take this pin, while others take theirs? */
static bool fit_for_threads(const struct pin_method *m)
{
	/*
	 * One command completes all I/O that dm-delay holds, and one thread at a time may
	 * give it.  References that are never dropped need a cell of their own.
	 */
	return !(m->flags & (PIN_DM_DELAY | PIN_LOST));
}

/* take and release a pin: 0 or -errno */
static int try_method(struct test_map *tm, const struct pin_method *m)
{
	struct pin pin = { 0 };
	int ret;

	set_step("trying %s", m->name);
	ret = pin_open(&pin, m, &tm->c->guard->targets, tm->page);
	if (!ret)
		ret = pin_take(&pin, tm->map.addr, tm->page);
	if (!ret)
		ret = pin_release(&pin);
	pin_close(&pin);
	return ret;
}

/* the methods by which this kernel and machine can pin this memory */
static void find_methods(struct worker_pool *pool)
{
	const struct pin_method *m;

	for_each_pin_method(m)
		if (fit_for_threads(m) && !try_method(&pool->tm, m) && pool->nr < METHODS)
			pool->methods[pool->nr++] = m;
}

static void check_worker(struct cell *c, const struct worker *w, size_t nr)
{
	note("thread %zu: %lu rounds, %lu hit mapped memory", nr, w->rounds, w->hits);
	expect(c, VERDICT_FAILED, !w->error, "thread %zu: %s: %s%s%s; expected success or %s", nr,
	       w->failed, strerror(-w->error), w->why[0] ? ": " : "", w->why, strerror(EFAULT));
	expect(c, VERDICT_FAILED, w->rounds, "thread %zu made no progress", nr);
}

static void run_workers(struct worker_pool *pool, uint64_t seed)
{
	static void *(*const loops[])(void *) = {
		pin_loop, pin_loop, pin_loop, fault_loop, unmap_loop,
	};
	struct worker workers[ARRAY_SIZE(loops)] = { 0 };
	struct cell *c = pool->tm.c;
	size_t started = 0;

	set_step("threads fault, pin, unpin and unmap");
	pool->end = timeline_now() + suite_seconds(RUN_SECONDS) * NSEC_PER_SEC;
	for (size_t i = 0; i < ARRAY_SIZE(loops); i++, started++) {
		workers[i].pool = pool;
		workers[i].id = i % PINNERS;
		workers[i].rnd = (seed + i) * 0x9e3779b97f4a7c15ull ?: 1;
		if (!expect_ok(c, -pthread_create(&workers[i].thread, NULL, loops[i], &workers[i]),
			       "starting a thread", ""))
			break;
	}
	for (size_t i = 0; i < started; i++) {
		pthread_join(workers[i].thread, NULL);
		check_worker(c, &workers[i], i);
	}
}

static bool make_file(struct worker_pool *pool)
{
	struct cell *c = pool->tm.c;

	pool->file = memfd_create("gup_devdax", MFD_CLOEXEC);
	return expect(c, VERDICT_FAILED, pool->file >= 0, "memfd_create: %s", strerror(errno)) &&
	       expect_ok(c, sys_result(ftruncate(pool->file, pool->tm.page)),
			 "setting the size of an anonymous file", "");
}

static void set_arena(struct worker_pool *pool)
{
	pool->arena = daxmap_bytes(DAXMAP_PMD);
	if (pool->arena < pool->tm.entry)
		pool->arena = pool->tm.entry;
	if (pool->arena > pool->tm.map.len)
		pool->arena = pool->tm.map.len;
}

/*
 * Guards the fast walk's second look at the page table: the page that it has pinned may
 * have been unmapped meanwhile, and then it has to be unpinned again.
 */
static void threads(struct cell *c)
{
	struct pin_counters before = { 0 };
	struct worker_pool pool = { .file = -1 };
	struct test_map *tm = &pool.tm;
	uint64_t seed = suite_seed();
	struct span own[PINNERS];

	if (!test_map_open(tm, c) || !test_map_prove(tm) || !make_file(&pool))
		goto out;
	note("DAX_TEST_SEED=%" PRIu64, seed);
	/* before the first pin: AF_XDP unpins from a work queue, later */
	pin_counters_read(&before);
	find_methods(&pool);
	note("%u methods", pool.nr);
	if (!expect(c, VERDICT_FAILED, pool.nr, "no method can pin this memory"))
		goto out;
	set_arena(&pool);
	for (unsigned int id = 0; id < PINNERS; id++) {
		own[id] = (struct span){ "a thread's page", own_page(&pool, id), tm->page };
		test_map_fill(tm, &own[id]);
	}
	run_workers(&pool, seed);
	expect(c, VERDICT_WRONG_DATA, !pool.wrong, "a pin read bytes that are not of its page");
	for (unsigned int id = 0; id < PINNERS; id++)
		test_map_check(tm, &own[id], TAG_MEMORY);
	expect_balance(c, &before, "after the end of all threads");
out:
	if (pool.file >= 0)
		close(pool.file);
	test_map_close(tm);
}

static const struct scenario_group threads_group = {
	.name = "threads",
	.order = 50,
	.common = {
		.sizes = AT_FILE,
		.words = LIST("random"),
		.run = run_isolated,
		.body = threads,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "threads",
			.what = "threads fault, pin, unpin and unmap one entry for DAX_TEST_TIME seconds",
			.on = ON_DEVDAX,
			.sizes = AT_ALL,
		}, {
			.name = "threads",
			.what = "threads fault, pin, unpin and unmap one entry for DAX_TEST_TIME seconds",
			.on = ON_FILES,
		},
		{ }
	},
};

REGISTER(scenario_groups, &threads_group);
