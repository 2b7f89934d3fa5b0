// SPDX-License-Identifier: GPL-2.0
/*
 * What a process does to its mapping, or to itself, while pins are out: nothing
 * leaks, and the bytes still arrive.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gup/gup.h"

/*
 * A pin that a clock ends is tried with the same hold again, and if that was over
 * too soon as well, the clock goes slower from then on, for the cells to come, too.
 */
#define HOLD_TRIES	4
#define HOLD_SAME	2
#define HOLD_SLOWER	4

static const int rw = PROT_READ | PROT_WRITE;

/* what is done while the pin is out; false with the cell failed */
typedef bool (*disturb_fn)(struct pin_test *pt);

static bool munmap_it(struct pin_test *pt)
{
	set_step("munmap with a pin out");
	return expect_ok(pt->tm->c, daxmap_unmap(&pt->tm->map), "munmap with a pin out", "");
}

/* one touch for each entry, at one page size: no more faults than entries */
static bool still_mapped(struct pin_test *pt, const char *after, bool write)
{
	struct test_map *tm = pt->tm;
	unsigned long faults = 0, want = tm->map.len / tm->entry;

	set_step("touching all after %s", after);
	for (size_t off = 0; off < tm->map.len; off += tm->entry) {
		unsigned long n = 0;

		daxmap_touch(&tm->map, off, tm->page, write, &n);
		faults += n;
		if (tm->entry == tm->page)
			continue;
		daxmap_touch(&tm->map, off + tm->entry - tm->page, tm->page, write, &n);
		faults += n;
	}
	return expect(tm->c, VERDICT_FAILED, faults <= want,
		      "touching all after %s took %lu faults; expected at most %lu, one for each %s",
		      after, faults, want, daxmap_name(tm->c->size));
}

/* addresses may differ, but not what of the memory is seen in the mapping */
static bool same_memory(struct pin_test *pt, const char *after)
{
	struct test_map *tm = pt->tm;

	/* the middle of each entry: the pin and its neighbours lie at a boundary */
	for (size_t off = tm->entry / 2; off < tm->map.len; off += tm->entry) {
		uint64_t word = pattern_word(TAG_STORE, tm->map.off + off);
		uint64_t *here = (uint64_t *)((char *)tm->map.addr + off);
		uint64_t *there = (uint64_t *)((char *)tm->alias.addr + off);

		if (off + 2 * tm->page > pt->span.off &&
		    off < pt->span.off + pt->span.len + 2 * tm->page)
			continue;
		__atomic_store_n(there, word, __ATOMIC_RELAXED);
		if (!expect(tm->c, VERDICT_WRONG_DATA,
			    __atomic_load_n(here, __ATOMIC_RELAXED) == word,
			    "after %s the mapping at 0x%zx is not the memory's 0x%zx",
			    after, off, (size_t)tm->map.off + off))
			return false;
	}
	return true;
}

/* room for the mapping elsewhere, at an address of the same alignment */
static char *other_place(const struct test_map *tm)
{
	size_t pud = daxmap_bytes(DAXMAP_PUD), room = tm->map.len + 2 * pud;
	uintptr_t base, want = (uintptr_t)tm->map.addr % pud;
	void *p;

	p = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	munmap(p, room);
	base = (uintptr_t)p / pud * pud + want;
	return (char *)(base < (uintptr_t)p ? base + pud : base);
}

/*
 * Guards 73d5e0629919 ("mremap: check if it's possible to split original vma")
 * by its other side: what is aligned moves as a whole.
 */
static bool mremap_it(struct pin_test *pt)
{
	struct test_map *tm = pt->tm;
	char *to = other_place(tm);
	void *p;

	if (!expect(tm->c, VERDICT_FAILED, to, "no room to move to: %s", strerror(errno)))
		return false;
	set_step("mremap with a pin out");
	p = mremap(tm->map.addr, tm->map.len, tm->map.len, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (!expect(tm->c, VERDICT_FAILED, p != MAP_FAILED, "mremap with a pin out: %s",
		    strerror(errno)))
		return false;
	tm->map.addr = p;
	return still_mapped(pt, "mremap", true) && same_memory(pt, "mremap");
}

/* by the kernel's own store, which says EFAULT where ours would be a signal */
static int store_by_kernel(int zero, void *to)
{
	return read(zero, to, sizeof(uint64_t)) < 0 ? -errno : 0;
}

static bool protect(struct test_map *tm, int prot)
{
	set_step("mprotect with a pin out");
	return expect(tm->c, VERDICT_FAILED, !mprotect(tm->map.addr, tm->map.len, prot),
		      "mprotect with a pin out: %s", strerror(errno));
}

static bool mprotect_it(struct pin_test *pt)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct test_map *tm = pt->tm;
	int ret;

	if (!protect(tm, PROT_READ))
		return false;
	/* at once: nothing else may have made the processor forget the old entry */
	set_step("storing to what is read-only");
	ret = store_by_kernel(zero, tm->map.addr);
	close(zero);
	if (!expect(tm->c, VERDICT_FAILED, ret == -EFAULT,
		    "a store after mprotect(PROT_READ): %s; expected %s",
		    ret ? strerror(-ret) : "success", strerror(EFAULT)))
		return false;
	if (!still_mapped(pt, "mprotect(PROT_READ)", false) ||
	    !same_memory(pt, "mprotect(PROT_READ)"))
		return false;
	return protect(tm, rw) && still_mapped(pt, "mprotect(PROT_WRITE)", true) &&
	       same_memory(pt, "mprotect(PROT_WRITE)");
}

static bool dontneed_it(struct pin_test *pt)
{
	struct test_map *tm = pt->tm;

	set_step("madvise(MADV_DONTNEED) with a pin out");
	if (!expect(tm->c, VERDICT_FAILED, !madvise(tm->map.addr, tm->map.len, MADV_DONTNEED),
		    "madvise(MADV_DONTNEED) with a pin out: %s", strerror(errno)))
		return false;
	return still_mapped(pt, "MADV_DONTNEED", true) && same_memory(pt, "MADV_DONTNEED");
}

/* a child touches all of the mapping, and exits */
static bool fork_it(struct pin_test *pt)
{
	struct test_map *tm = pt->tm;
	pid_t pid;

	set_step("fork with a pin out");
	pid = fork();
	if (!pid) {
		bool good = still_mapped(pt, "fork, by the child,", true) &&
			    same_memory(pt, "fork, by the child,");

		_exit(!good);
	}
	if (!expect(tm->c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno)))
		return false;
	if (!expect(tm->c, VERDICT_FAILED, waitpid(pid, NULL, 0) == pid && !cell_over(tm->c),
		    "the child did not end well"))
		return false;
	return still_mapped(pt, "fork", true);
}

/* everything in the time that a clock gives, the mapping's end last */
static bool all_of_it(struct pin_test *pt)
{
	return fork_it(pt) && mprotect_it(pt) && dontneed_it(pt) && mremap_it(pt) &&
	       munmap_it(pt);
}

/*
 * One pin, the disturbance while it is out, and its end.  A pin that a clock
 * ends may have been over before: then nothing is shown.
 *
 * Return: true when it was out all the while.
 */
static bool held_once(struct cell *c, disturb_fn disturb, uint64_t ns)
{
	struct test_map tm;
	struct pin_test pt;
	bool out = true;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm))
		goto out;
	pin_test_init(&pt, &tm, c->method, test_map_pages(&tm));
	if (!pin_test_take(&pt, ns)) {
		out = !pt.over;
		goto out;
	}
	if (disturb(&pt) && pin_test_live(&pt)) {
		out = pin_live(&pt.pin) == 1;
		pin_test_release(&pt);
	} else {
		pin_test_drop(&pt);
	}
	/* the memory serves the next pin */
	if (!cell_over(c) && test_map_remap(&tm, rw))
		pin_test_round(&tm, c->method, test_map_pages(&tm));
out:
	test_map_close(&tm);
	return out;
}

/* 0 for a pin that no clock ends */
static uint64_t clock_ns(const struct cell *c)
{
	return c->method->flags & PIN_TIMED ? c->guard->targets.slow_ns : 0;
}

/* after so many tries of which each was over too soon: is there to be another? */
static bool try_again(const struct cell *c, int tries)
{
	struct pin_targets *t = &c->guard->targets;

	if (tries >= HOLD_SAME && tries < HOLD_TRIES)
		pin_targets_retime(t, HOLD_SLOWER * t->slow_ns);
	return tries < HOLD_TRIES;
}

static void held(struct cell *c, disturb_fn disturb)
{
	bool out;
	int tries = 0;

	do {
		out = held_once(c, disturb, clock_ns(c));
	} while (!out && !cell_over(c) && try_again(c, ++tries));
	if (!out)
		skip(c, "the pin was over before it could be disturbed");
}

static void munmap_held(struct cell *c)
{
	held(c, munmap_it);
}

static void mremap_held(struct cell *c)
{
	held(c, mremap_it);
}

/*
 * A mapping may be protected as a whole at every page size; 1 GiB entries need
 * a function of their own for it (change_huge_pud()).
 */
static void mprotect_held(struct cell *c)
{
	held(c, mprotect_it);
}

static void dontneed_held(struct cell *c)
{
	held(c, dontneed_it);
}

static void fork_held(struct cell *c)
{
	held(c, fork_it);
}

static void all_held(struct cell *c)
{
	held(c, all_of_it);
}

/* how a process with a pin out ends */
typedef void (*end_fn)(void);

static void end_exit(void)
{
	_exit(0);
}

/* itself, listing its cells to nobody: ends soon and holds nothing */
static void end_exec(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDOUT_FILENO);
	execl("/proc/self/exe", "gup_devdax", "-l", NULL);
	_exit(127);
}

/* the process: takes the pin, says so, ends in its way */
static void __attribute__((noreturn)) die_with_pin(struct pin_test *pt, int said, end_fn end)
{
	struct cell *c = pt->tm->c;
	int tries = 0;
	char byte = 0;

	while (!pin_test_take(pt, clock_ns(c))) {
		if (pt->over && try_again(c, ++tries))
			continue;
		if (pt->over)
			skip(c, "the pin was over before it could be seen");
		_exit(1);
	}
	if (write(said, &byte, 1) != 1)
		_exit(2);
	close(said);
	set_step("ending with a pin out");
	end();
	_exit(3);
}

/* bytes that are still on their way get here, and then no others */
static bool bytes_arrive(struct pin_test *pt)
{
	uint16_t tag = pt->method->flags & PIN_SINK ? pt->tag : TAG_MEMORY;
	const struct timespec poll = { .tv_nsec = NSEC_PER_MSEC };
	char *at = (char *)pt->tm->alias.addr + pt->span.off;
	uint64_t end = timeline_now() + HEALTH_SETTLE_NS;

	if (!(pt->method->flags & (PIN_SINK | PIN_SOURCE)))
		return true;
	set_step("waiting for the bytes of a process that is gone");
	while (pattern_check(at, pt->span.len, tag, pt->tm->map.off + pt->span.off, NULL) &&
	       timeline_now() < end)
		nanosleep(&poll, NULL);
	return test_map_check(pt->tm, &pt->span, tag);
}

static void ended_with_pin(struct cell *c, end_fn end, const char *what)
{
	struct pin_counters before = { 0 };
	struct test_map tm;
	struct pin_test pt;
	int said[2];
	char byte;
	pid_t pid;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm))
		goto out;
	pin_test_init(&pt, &tm, c->method, test_map_pages(&tm));
	if (!expect(c, VERDICT_FAILED, !pipe2(said, O_CLOEXEC), "pipe: %s", strerror(errno)))
		goto out;
	pin_counters_read(&before);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(said[0]);
		die_with_pin(&pt, said[1], end);
	}
	close(said[1]);
	if (expect(c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno))) {
		bool took;

		guard_add_proc(c->guard, pid);
		set_step("%s: waiting for the process to take its pin", what);
		took = read(said[0], &byte, 1) == 1;
		if (took || !cell_over(c))
			await_child(c, pid, what);
		else
			waitpid(pid, NULL, 0);
		guard_drop_proc(c->guard, pid);
	}
	close(said[0]);
	/* io_uring's I/O outlives its process */
	if (c->guard->targets.delay[0])
		pin_targets_flush(&c->guard->targets);
	if (!cell_over(c) && bytes_arrive(&pt) && expect_balance(c, &before, what))
		pin_test_round(&tm, c->method, test_map_pages(&tm));
out:
	test_map_close(&tm);
}

static void exit_held(struct cell *c)
{
	ended_with_pin(c, end_exit, "exit with a pin out");
}

static void exec_held(struct cell *c)
{
	ended_with_pin(c, end_exec, "exec with a pin out");
}

static const struct scenario_group vma = {
	.name = "vma",
	.order = 30,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_ALL,
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "munmap_held",
			.what = "munmap() with a pin out",
			.pins = PINS_UNTIMED,
			.body = munmap_held,
		}, {
			.name = "mremap_held",
			.what = "mremap() to another address with a pin out",
			.pins = PINS_UNTIMED,
			.body = mremap_held,
		}, {
			.name = "mprotect_held",
			.what = "mprotect() to read-only and back with a pin out",
			.pins = PINS_UNTIMED,
			.body = mprotect_held,
		}, {
			.name = "dontneed_held",
			.what = "MADV_DONTNEED with a pin out",
			.pins = PINS_UNTIMED,
			.body = dontneed_held,
		}, {
			.name = "fork_held",
			.what = "fork() with a pin out; the child touches all and exits",
			.pins = PINS_UNTIMED,
			.body = fork_held,
		}, {
			.name = "all_held",
			.what = "fork(), mprotect(), MADV_DONTNEED, mremap(), munmap() while a clock runs",
			.pins = PINS_TIMED,
			.body = all_held,
		}, {
			.name = "exec_held",
			.what = "exec() with a pin out",
			.pins = PINS_HELD,
			.body = exec_held,
		}, {
			.name = "exit_held",
			.what = "exit() with a pin out",
			.pins = PINS_HELD,
			.body = exit_held,
		},
		{ }
	},
};

REGISTER(scenario_groups, &vma);

static const struct scenario_group vma_files = {
	.name = "vma_files",
	.order = 70,
	.common = {
		.on = ON_FILES,
		.sizes = AT_FILE,
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "munmap_held",
			.what = "munmap() with a pin out",
			.pins = PINS_FILE,
			.body = munmap_held,
		}, {
			.name = "mremap_held",
			.what = "mremap() to another address with a pin out",
			.pins = PINS_FILE,
			.body = mremap_held,
		}, {
			.name = "mprotect_held",
			.what = "mprotect() to read-only and back with a pin out",
			.pins = PINS_FILE,
			.body = mprotect_held,
		}, {
			.name = "dontneed_held",
			.what = "MADV_DONTNEED with a pin out",
			.pins = PINS_FILE,
			.body = dontneed_held,
		}, {
			.name = "fork_held",
			.what = "fork() with a pin out; the child touches all and exits",
			.pins = PINS_FILE,
			.body = fork_held,
		}, {
			.name = "all_held",
			.what = "fork(), mprotect(), MADV_DONTNEED, mremap(), munmap() while a clock runs",
			.pins = PINS_TIMED_DIRECT,
			.body = all_held,
		}, {
			.name = "exec_held",
			.what = "exec() with a pin out",
			.pins = PINS_FILE,
			.body = exec_held,
		}, {
			.name = "exit_held",
			.what = "exit() with a pin out",
			.pins = PINS_FILE,
			.body = exit_held,
		},
		{ }
	},
};

REGISTER(scenario_groups, &vma_files);
