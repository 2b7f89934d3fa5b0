// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that fault, pin, unpin and unmap the same entry.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gup/gup.h"
#include "lib/random.h"

/* DAX_TEST_TIME asks for more */
#define SECONDS		1.0

/* what small entries are unmapped by: half of their mapping */
#define ARENA_BYTES	(2u << 20)

#define PINNERS		3
#define METHODS		32

/**
 * struct crowd - what the threads share
 * @tm: memory
 * @arena: bytes of its mapping that they fight over: an entry, 2 MiB of small ones
 * @methods: methods that work here
 * @nr: number of them
 * @end: when they stop, CLOCK_MONOTONIC
 * @file: an anonymous file: the kernel faults by reading from and writing to it
 * @wrong: a pin got wrong bytes
 */
struct crowd {
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
 * @crowd: all of them
 * @id: number; its page of the entry, which only its pins write
 * @rnd: its own random numbers
 * @rounds: how often it got round
 * @pins: pins that were taken
 * @strange: an error that no race explains; 0 if there was none
 * @method: what gave it
 */
struct worker {
	pthread_t thread;
	struct crowd *crowd;
	unsigned int id;
	uint64_t rnd;
	unsigned long rounds;
	unsigned long pins;
	int strange;
	const char *method;
};

static bool go_on(const struct worker *w)
{
	return timeline_now() < w->crowd->end;
}

/* the page that one thread pins; the mapping's first page belongs to nobody */
static size_t own_page(const struct crowd *crowd, unsigned int id)
{
	size_t page = crowd->tm.page;

	return crowd->arena / PINNERS * id / page * page + 2 * page;
}

/* what a hole in the mapping may be answered by */
static bool by_race(int err)
{
	return err == -EFAULT || err == -EIO;
}

static void pin_once(struct worker *w, const struct pin_method *m)
{
	struct test_map *tm = &w->crowd->tm;
	size_t off = own_page(w->crowd, w->id);
	struct pin pin;
	int ret;

	memset(&pin, 0, sizeof(pin));
	ret = pin_open(&pin, m, &tm->c->guard->targets, tm->page);
	if (ret)
		goto out;
	if (m->flags & PIN_SINK) {
		ret = pin_prepare(&pin);
		/* the word that is there already: others' pins read this page */
		if (!ret)
			pattern_fill(pin.peer, tm->page, TAG_MEMORY, tm->map.off + off);
	}
	ret = ret ?: pin_take(&pin, (char *)tm->map.addr + off, tm->page);
	if (!ret) {
		w->pins++;
		ret = pin_release(&pin);
	}
	if (!ret && m->flags & PIN_SOURCE &&
	    pattern_check(pin.peer, tm->page, TAG_MEMORY, tm->map.off + off, NULL))
		w->crowd->wrong = true;
out:
	pin_close(&pin);
	if (ret && !by_race(ret)) {
		w->strange = ret;
		w->method = m->name;
	}
}

static void *pinner(void *arg)
{
	struct worker *w = arg;

	while (go_on(w) && !w->strange) {
		pin_once(w, w->crowd->methods[random_next(&w->rnd) % w->crowd->nr]);
		w->rounds++;
	}
	return NULL;
}

/* faults by the kernel's copies, which say EFAULT where a touch would be a signal */
static void *faulter(void *arg)
{
	struct worker *w = arg;
	struct crowd *crowd = w->crowd;
	struct test_map *tm = &crowd->tm;

	while (go_on(w)) {
		size_t off = random_next(&w->rnd) % (crowd->arena / tm->page) * tm->page;
		uint64_t *at = (uint64_t *)((char *)tm->map.addr + off);

		if (random_next(&w->rnd) % 2)
			w->pins += pwrite(crowd->file, at, sizeof(*at), 64) == sizeof(*at);
		else
			/* into the last word of a page that no pin lies on */
			w->pins += pread(crowd->file, (char *)tm->map.addr + tm->page - 8, 8, 0) == 8;
		w->rounds++;
	}
	return NULL;
}

static void *unmapper(void *arg)
{
	struct worker *w = arg;
	struct test_map *tm = &w->crowd->tm;
	size_t len = w->crowd->arena;

	while (go_on(w)) {
		bool hole = random_next(&w->rnd) % 3;
		int how = hole ? MAP_FIXED_NOREPLACE : MAP_FIXED;

		/*
		 * A hole, not PROT_NONE, which /proc/self/mem disregards.  Nobody
		 * else's memory comes there: the kernel goes from the top down,
		 * and above the mapping there are gigabytes.
		 */
		if (hole)
			munmap(tm->map.addr, len);
		else
			madvise(tm->map.addr, len, MADV_DONTNEED);
		if (hole && random_next(&w->rnd) % 2)
			usleep(random_next(&w->rnd) % 500);
		if (mmap(tm->map.addr, len, PROT_READ | PROT_WRITE, MAP_SHARED | how, tm->map.fd,
			 tm->map.off) == MAP_FAILED) {
			w->strange = -errno;
			w->method = "mmap";
			break;
		}
		w->rounds++;
		usleep(random_next(&w->rnd) % 2000);
	}
	return NULL;
}

/*
 * The methods that can pin this memory here.  Not by dm-delay: a command, which only
 * one thread at a time may give, completes the I/O of all pins.  And not those that
 * some kernels never unpin, which have tests of their own.
 */
static void find_methods(struct crowd *crowd)
{
	struct test_map *tm = &crowd->tm;
	const struct pin_method *m;

	for_each_pin_method(m) {
		struct pin pin;
		int ret;

		if (m->flags & (PIN_DM_DELAY | PIN_LOST))
			continue;
		memset(&pin, 0, sizeof(pin));
		set_step("trying %s", m->name);
		ret = pin_open(&pin, m, &tm->c->guard->targets, tm->page);
		ret = ret ?: pin_take(&pin, tm->map.addr, tm->page);
		ret = ret ?: pin_release(&pin);
		pin_close(&pin);
		if (!ret && crowd->nr < METHODS)
			crowd->methods[crowd->nr++] = m;
	}
}

static void run_crowd(struct crowd *crowd, uint64_t seed)
{
	static void *(*const roles[])(void *) = { pinner, pinner, pinner, faulter, unmapper };
	struct worker workers[ARRAY_SIZE(roles)] = { 0 };
	struct cell *c = crowd->tm.c;
	size_t started = 0;

	set_step("fault, pin, unpin and unmap in many places");
	crowd->end = timeline_now() + suite_seconds(SECONDS) * NSEC_PER_SEC;
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++, started++) {
		workers[i].crowd = crowd;
		workers[i].id = i % PINNERS;
		workers[i].rnd = (seed + i) * 0x9e3779b97f4a7c15ull ?: 1;
		if (!expect_ok(c, -pthread_create(&workers[i].thread, NULL, roles[i], &workers[i]),
			       "starting a thread", ""))
			break;
	}
	for (size_t i = 0; i < started; i++) {
		struct worker *w = &workers[i];

		pthread_join(w->thread, NULL);
		note(c, "thread %zu: %lu rounds, %lu of them met memory", i, w->rounds, w->pins);
		expect(c, VERDICT_FAILED, !w->strange, "%s: %s; expected success or %s",
		       w->method, strerror(-w->strange), strerror(EFAULT));
		expect(c, VERDICT_FAILED, w->rounds, "thread %zu never got round", i);
	}
}

/*
 * Guards the fast walk's second look: what it pinned may have been unmapped
 * meanwhile, and then has to be let go again.
 */
static void threads(struct cell *c)
{
	struct pin_counters before = { 0 };
	struct crowd crowd = { .file = -1 };
	struct test_map *tm = &crowd.tm;
	uint64_t seed = suite_seed();
	struct span own[PINNERS];

	if (!test_map_open(tm, c) || !test_map_prove(tm))
		goto out;
	crowd.file = memfd_create("gup_devdax", MFD_CLOEXEC);
	if (!expect(c, VERDICT_FAILED, crowd.file >= 0 && !ftruncate(crowd.file, 4096),
		    "an anonymous file: %s", strerror(errno)))
		goto out;
	note(c, "DAX_TEST_SEED=%" PRIu64, seed);
	/* before any: what AF_XDP lets go is unpinned by a work queue, later */
	pin_counters_read(&before);
	find_methods(&crowd);
	note(c, "%u methods", crowd.nr);
	if (!expect(c, VERDICT_FAILED, crowd.nr, "no method can pin this memory"))
		goto out;
	crowd.arena = tm->entry < ARENA_BYTES ? ARENA_BYTES : tm->entry;
	for (unsigned int id = 0; id < PINNERS; id++) {
		own[id] = (struct span){ "a thread's page", own_page(&crowd, id), tm->page };
		test_map_fill(tm, &own[id]);
	}
	run_crowd(&crowd, seed);
	expect(c, VERDICT_WRONG_DATA, !crowd.wrong, "a pin got bytes of another place");
	for (unsigned int id = 0; id < PINNERS; id++)
		test_map_check(tm, &own[id], TAG_MEMORY);
	expect_balance(c, &before, "when all have ended");
out:
	if (crowd.file >= 0)
		close(crowd.file);
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
			.what = "threads fault, pin, unpin and unmap the same for DAX_TEST_TIME seconds",
			.on = ON_DEVDAX,
			.sizes = AT_ALL,
		}, {
			.name = "threads",
			.what = "threads fault, pin, unpin and unmap the same for DAX_TEST_TIME seconds",
			.on = ON_FILES,
		},
		{ }
	},
};

REGISTER(scenario_groups, &threads_group);
