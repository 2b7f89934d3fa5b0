// SPDX-License-Identifier: GPL-2.0-only
/*
 * System calls on a mapping, or by its process, while pins are out: no reference leaks,
 * and the bytes still arrive.
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
 * A TIMED pin that completed too soon is tried again with the same delay; if that is too
 * short again, the delay is made longer, for the cells to come as well.
 */
#define HOLD_TRIES	4
#define HOLD_SAME	2
#define HOLD_SLOWER	4

/* a system call made while the pin is out, and its checks; false with the cell failed */
typedef bool (*disturb_fn)(struct pin_test *pt);

static bool disturb_munmap(struct pin_test *pt)
{
	set_step("munmap() with a pin out");
	return expect_ok(pt->tm->c, daxmap_unmap(&pt->tm->map), "munmap() with a pin out", "");
}

/* touching the mapping takes no more faults than it has entries */
static bool check_entry_size(struct pin_test *pt, const char *after, bool write)
{
	struct test_map *tm = pt->tm;
	unsigned long faults, want = tm->map.len / tm->entry;

	set_step("touching the mapping after %s", after);
	faults = test_map_touch_all(tm, write);
	return expect(tm->c, VERDICT_FAILED, faults <= want,
		      "touching the mapping after %s took %lu faults; expected at most %lu, one for each %s",
		      after, faults, want, daxmap_name(tm->c->size));
}

/* the mapping, perhaps at another address, shows the same memory */
static bool check_same_memory(struct pin_test *pt, const char *after)
{
	struct test_map *tm = pt->tm;

	/* the middle of each entry: the pin and its neighbours are at a boundary */
	for (size_t off = tm->entry / 2; off < tm->map.len; off += tm->entry) {
		uint64_t word = pattern_word(TAG_STORE, tm->map.off + off);
		uint64_t *here = test_map_addr(tm, off);
		uint64_t *there = test_map_alias_addr(tm, off);

		if (off + 2 * tm->page > pt->span.off &&
		    off < pt->span.off + pt->span.len + 2 * tm->page)
			continue;
		__atomic_store_n(there, word, __ATOMIC_RELAXED);
		if (!expect(tm->c, VERDICT_WRONG_DATA,
			    __atomic_load_n(here, __ATOMIC_RELAXED) == word,
			    "after %s offset 0x%zx of the mapping is not offset 0x%zx of the memory",
			    after, off, (size_t)tm->map.off + off))
			return false;
	}
	return true;
}

static bool check_mapping(struct pin_test *pt, const char *after, bool write)
{
	return check_entry_size(pt, after, write) && check_same_memory(pt, after);
}

/* another address for the mapping, with the same alignment */
static char *find_other_place(const struct test_map *tm)
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
 * Guards the other side of 73d5e0629919 ("mremap: check if it's possible to split
 * original vma"): a mapping that is not split has to move.
 */
static bool disturb_mremap(struct pin_test *pt)
{
	struct test_map *tm = pt->tm;
	char *to = find_other_place(tm);
	void *p;

	if (!expect(tm->c, VERDICT_FAILED, to, "reserving address space for mremap(): %s",
		    strerror(errno)))
		return false;
	set_step("mremap() with a pin out");
	p = mremap(tm->map.addr, tm->map.len, tm->map.len, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (!expect(tm->c, VERDICT_FAILED, p != MAP_FAILED, "mremap() with a pin out: %s",
		    strerror(errno)))
		return false;
	tm->map.addr = p;
	return check_mapping(pt, "mremap()", true);
}

static bool protect_mapping(struct test_map *tm, int prot)
{
	set_step("mprotect() with a pin out");
	return expect_ok(tm->c, sys_result(mprotect(tm->map.addr, tm->map.len, prot)),
			 "mprotect() with a pin out", "");
}

/* a store by a system call, which returns EFAULT where our own would raise a signal */
static bool expect_store_refused(struct test_map *tm, int zero)
{
	int ret;

	/* at once: nothing else may have flushed the old entry from the TLB */
	set_step("storing to the read-only mapping");
	ret = sys_result(read(zero, tm->map.addr, sizeof(uint64_t)));
	return expect_errno(tm->c, ret, EFAULT, "a store after mprotect(PROT_READ)");
}

static bool disturb_mprotect(struct pin_test *pt)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct test_map *tm = pt->tm;
	bool good;

	if (!expect(tm->c, VERDICT_FAILED, zero >= 0, "opening /dev/zero: %s", strerror(errno)))
		return false;
	good = protect_mapping(tm, PROT_READ) && expect_store_refused(tm, zero);
	close(zero);
	return good && check_mapping(pt, "mprotect(PROT_READ)", false) &&
	       protect_mapping(tm, PROT_RW) &&
	       check_mapping(pt, "mprotect(PROT_READ | PROT_WRITE)", true);
}

static bool disturb_dontneed(struct pin_test *pt)
{
	struct test_map *tm = pt->tm;

	set_step("madvise(MADV_DONTNEED) with a pin out");
	return expect_ok(tm->c, sys_result(madvise(tm->map.addr, tm->map.len, MADV_DONTNEED)),
			 "madvise(MADV_DONTNEED) with a pin out", "") &&
	       check_mapping(pt, "madvise(MADV_DONTNEED)", true);
}

/* the child touches all of the mapping and exits */
static bool disturb_fork(struct pin_test *pt)
{
	struct test_map *tm = pt->tm;
	int status = 0;
	pid_t pid;

	set_step("fork() with a pin out");
	pid = fork();
	if (!pid)
		_exit(!check_mapping(pt, "fork(), in the child,", true));
	if (!expect(tm->c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno)))
		return false;
	if (waitpid(pid, &status, 0) != pid)
		status = -1;
	if (!expect(tm->c, VERDICT_FAILED, !status,
		    "the child of fork() with a pin out ended with wait status 0x%x; expected 0",
		    status))
		return false;
	return check_entry_size(pt, "fork()", true);
}

/* all of them before the delay is over; munmap() last */
static bool disturb_all(struct pin_test *pt)
{
	return disturb_fork(pt) && disturb_mprotect(pt) && disturb_dontneed(pt) &&
	       disturb_mremap(pt) && disturb_munmap(pt);
}

/*
 * Take a pin, disturb it, finish it.
 *
 * Return: true if the pin was out all the time.  A TIMED pin may have completed before:
 * then the cell has shown nothing.
 */
static bool disturb_once(struct cell *c, disturb_fn disturb, uint64_t ns)
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
	if (disturb(&pt) && pin_test_expect_live(&pt)) {
		out = pin_live(&pt.pin) == 1;
		pin_test_finish(&pt);
	} else {
		pin_test_close(&pt);
	}
	/* the memory can be pinned again */
	if (!cell_over(c) && test_map_remap(&tm, PROT_RW))
		pin_test_round(&tm, c->method, test_map_pages(&tm));
out:
	test_map_close(&tm);
	return out;
}

/* how long a pin has to be held, nanoseconds; 0 if it is not TIMED */
static uint64_t hold_ns(const struct cell *c)
{
	return c->method->flags & PIN_TIMED ? c->guard->targets.slow_ns : 0;
}

/* all of @tries were over too soon: true to try once more, if need be with a longer delay */
static bool try_again(const struct cell *c, int tries)
{
	struct pin_targets *t = &c->guard->targets;

	if (tries >= HOLD_SAME && tries < HOLD_TRIES)
		pin_targets_retime(t, HOLD_SLOWER * t->slow_ns);
	return tries < HOLD_TRIES;
}

static void disturb_pin(struct cell *c, disturb_fn disturb)
{
	bool out;
	int tries = 0;

	do {
		out = disturb_once(c, disturb, hold_ns(c));
	} while (!out && !cell_over(c) && try_again(c, ++tries));
	if (!out)
		skip(c, "the pin's delay was over before the end of the test");
}

static void munmap_held(struct cell *c)
{
	disturb_pin(c, disturb_munmap);
}

static void mremap_held(struct cell *c)
{
	disturb_pin(c, disturb_mremap);
}

/*
 * All of a mapping can be protected, at every page size; 1 GiB entries have a function of
 * their own for it in the kernel (change_huge_pud()).
 */
static void mprotect_held(struct cell *c)
{
	disturb_pin(c, disturb_mprotect);
}

static void dontneed_held(struct cell *c)
{
	disturb_pin(c, disturb_dontneed);
}

static void fork_held(struct cell *c)
{
	disturb_pin(c, disturb_fork);
}

static void all_held(struct cell *c)
{
	disturb_pin(c, disturb_all);
}

/* how a process with a pin out ends; does not return */
typedef void (*end_fn)(void);

static void end_by_exit(void)
{
	_exit(0);
}

/* this program, which lists its cells into /dev/null: it exits soon and pins nothing */
static void end_by_exec(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDOUT_FILENO);
	execl("/proc/self/exe", "gup_devdax", "-l", NULL);
	_exit(127);
}

/* the child: takes the pin, reports that, and ends */
static void __attribute__((noreturn)) take_and_end(struct pin_test *pt, int ready, end_fn end)
{
	struct cell *c = pt->tm->c;
	int tries = 0;
	char byte = 0;

	while (!pin_test_take(pt, hold_ns(c))) {
		if (pt->over && try_again(c, ++tries))
			continue;
		if (pt->over)
			skip(c, "the pin's delay was over before the pin was proven");
		_exit(1);
	}
	if (write(ready, &byte, 1) != 1)
		_exit(2);
	close(ready);
	set_step("ending with a pin out");
	end();
	_exit(3);
}

/* the bytes of I/O that was in flight when the process ended arrive, and no others */
static bool check_arrival(struct pin_test *pt)
{
	uint16_t tag = pt->method->flags & PIN_SINK ? pt->tag : TAG_MEMORY;
	const struct timespec poll = { .tv_nsec = NSEC_PER_MSEC };
	char *at = test_map_alias_addr(pt->tm, pt->span.off);
	uint64_t end = timeline_now() + HEALTH_SETTLE_NS;

	if (!(pt->method->flags & (PIN_SINK | PIN_SOURCE)))
		return true;
	set_step("waiting for the bytes of a process that has ended");
	while (pattern_check(at, pt->span.len, tag, pt->tm->map.off + pt->span.off, NULL) &&
	       timeline_now() < end)
		nanosleep(&poll, NULL);
	return test_map_check(pt->tm, &pt->span, tag);
}

/* wait until the child has taken its pin, and until it has ended */
static void wait_taken_and_ended(struct cell *c, pid_t pid, int ready, const char *what)
{
	bool taken;
	char byte;

	guard_add_proc(c->guard, pid);
	set_step("%s: waiting for the process to take its pin", what);
	taken = read(ready, &byte, 1) == 1;
	if (taken || !cell_over(c))
		await_child(c, pid, what);
	else
		waitpid(pid, NULL, 0);
	guard_drop_proc(c->guard, pid);
}

static void end_with_pin(struct cell *c, end_fn end, const char *what)
{
	struct pin_counters before = { 0 };
	struct test_map tm;
	struct pin_test pt;
	int ready[2];
	pid_t pid;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm))
		goto out;
	pin_test_init(&pt, &tm, c->method, test_map_pages(&tm));
	if (!expect_ok(c, sys_result(pipe2(ready, O_CLOEXEC)), "making a pipe", ""))
		goto out;
	pin_counters_read(&before);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(ready[0]);
		take_and_end(&pt, ready[1], end);
	}
	close(ready[1]);
	if (expect(c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno)))
		wait_taken_and_ended(c, pid, ready[0], what);
	close(ready[0]);
	/* io_uring's I/O outlives its process */
	flush_delayed_io(c);
	if (!cell_over(c) && check_arrival(&pt) && expect_balance(c, &before, what))
		pin_test_round(&tm, c->method, test_map_pages(&tm));
out:
	test_map_close(&tm);
}

static void exit_held(struct cell *c)
{
	end_with_pin(c, end_by_exit, "exit with a pin out");
}

static void exec_held(struct cell *c)
{
	end_with_pin(c, end_by_exec, "exec with a pin out");
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
			.what = "fork() with a pin out; the child touches all of the mapping and exits",
			.pins = PINS_UNTIMED,
			.body = fork_held,
		}, {
			.name = "all_held",
			.what = "fork(), mprotect(), MADV_DONTNEED, mremap(), munmap() before I/O in flight completes",
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
			.what = "fork() with a pin out; the child touches all of the mapping and exits",
			.pins = PINS_FILE,
			.body = fork_held,
		}, {
			.name = "all_held",
			.what = "fork(), mprotect(), MADV_DONTNEED, mremap(), munmap() before I/O in flight completes",
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
