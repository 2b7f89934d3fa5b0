// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of a file or of a device-dax device that is said to be lost, by madvise(2),
 * and by the badblocks file of a file's block device.
 *
 * Whoever has the page mapped is told by SIGBUS, with the address and the size of
 * its own mapping: 6100e34b2526 ("mm, memory_failure: Teach memory_failure() about
 * dev_pagemap pages").  With device-dax the address was that of another page where
 * the mapping began inside a huge page, before 7fcbd9785d4c ("device-dax: correct
 * pgoff align in dax_set_mapping()"), and the kernel fell over a pagemap without
 * operations before 65d3440e8d2e ("mm/memory-failure: fix detection of
 * memory_failure() handlers").  A pin stays what it is.  The mark on the struct page
 * goes with the memory map, so each cell ends with one round of unbind and bind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "teardown/teardown.h"

/* asm-generic/mman-common.h; not in the C library's headers */
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

/* Longest wait for an answer of a witness. */
#define TOLD_NS		(5 * NSEC_PER_SEC)

/* Away from the start of a pmd or pud entry, and not in the middle of it. */
#define POISON_PMD_OFF	(1536u << 10)
#define POISON_PUD_OFF	((700u << 20) + POISON_PMD_OFF)

enum step { STEP_OPEN, STEP_MAP, STEP_POISON, STEP_SOFT, STEP_TOUCH, STEP_ANSWER, STEP_END };

/**
 * struct witness - a process that has the file mapped, and what it was told
 * @pid: the process
 * @size: level it maps the file by
 * @off: the page in question, bytes from the file's start
 * @addr: where it is mapped
 * @step: what it is to do next
 * @done: the last step that is over
 * @ret: what that returned, -errno
 * @signals: SIGBUS received
 * @code: si_code of the first
 * @lsb: si_addr_lsb of the first
 * @told: si_addr of the first
 *
 * In shared memory, so that a killed one's words are there still.
 */
struct witness {
	pid_t pid;
	enum daxmap_size size;
	size_t off;
	char *addr;
	atomic_int step;
	atomic_int done;
	int ret;
	atomic_int signals;
	int code;
	int lsb;
	char *told;
};

static struct witness *me;
static sigjmp_buf touch_env;
static volatile sig_atomic_t touching;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (!atomic_load(&me->signals)) {
		me->code = info->si_code;
		me->lsb = info->si_addr_lsb;
		me->told = info->si_addr;
	}
	atomic_fetch_add(&me->signals, 1);
	if (touching)
		siglongjmp(touch_env, 1);
}

static int touch(volatile char *p)
{
	if (sigsetjmp(touch_env, 1)) {
		touching = 0;
		return -EFAULT;
	}
	touching = 1;
	(void)*p;
	touching = 0;
	return 0;
}

static int do_step(enum step step, struct daxmap *m, const char *path)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int ret;

	switch (step) {
	case STEP_OPEN:
		ret = daxmap_open(m, path, me->size, 0, 0, PROT_READ | PROT_WRITE);
		me->addr = (char *)m->addr + me->off;
		return ret;
	case STEP_MAP:
		return daxmap_prove(m, true, NULL);
	case STEP_POISON:
		return madvise(me->addr, page, MADV_HWPOISON) ? -errno : 0;
	case STEP_SOFT:
		return madvise(me->addr, page, MADV_SOFT_OFFLINE) ? -errno : 0;
	case STEP_TOUCH:
		return touch(me->addr);
	default:
		return 0;
	}
}

static void __attribute__((noreturn)) witness(struct witness *w, const char *path)
{
	struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };
	const struct timespec nap = { .tv_nsec = NSEC_PER_MSEC / 5 };
	struct daxmap m = { .fd = -1 };
	int done = -1;

	me = w;
	setsid();
	/* whoever did not touch the page is told only where it has asked for that */
	prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
	sigaction(SIGBUS, &sa, NULL);
	while (done != STEP_END) {
		int step = atomic_load(&w->step);

		if (step == done) {
			nanosleep(&nap, NULL);
			continue;
		}
		w->ret = do_step(step, &m, path);
		done = step;
		atomic_store(&w->done, done);
	}
	_exit(0);
}

static int tell(struct witness *w, enum step step)
{
	const struct timespec nap = { .tv_nsec = NSEC_PER_MSEC / 5 };
	uint64_t end = timeline_now() + TOLD_NS;

	atomic_store(&w->step, step);
	while (atomic_load(&w->done) != (int)step) {
		if (timeline_now() >= end)
			return -ETIMEDOUT;
		nanosleep(&nap, NULL);
	}
	return w->ret;
}

static bool start_witness(struct cell *c, struct witness *w, enum daxmap_size size, size_t off,
			  bool prove)
{
	pid_t pid;
	int ret;

	memset(w, 0, sizeof(*w));
	w->size = size;
	w->off = off;
	atomic_store(&w->done, -1);
	pid = fork();
	if (!pid)
		witness(w, c->v.node);
	w->pid = pid;
	ret = pid < 0 ? -errno : guard_add_proc(c->guard, pid);
	ret = ret ?: tell(w, STEP_OPEN);
	if (prove)
		ret = ret ?: tell(w, STEP_MAP);
	return expect(c, VERDICT_FAILED, !ret, "a process maps the memory by %s: %s",
		      daxmap_name(size),
		      ret == -ERANGE ? "it is mapped otherwise" : strerror(-ret));
}

static void end_witness(struct cell *c, struct witness *w)
{
	if (w->pid <= 0)
		return;
	kill(w->pid, SIGKILL);
	waitpid(w->pid, NULL, 0);
	guard_drop_proc(c->guard, w->pid);
	w->pid = 0;
}

/*
 * What the signal has to say of this process's own mapping.  The kernel sends it
 * before madvise() returns, so who answers after that has been told or never will be.
 */
static void check_told(struct cell *c, struct witness *w, const char *who)
{
	size_t entry = daxmap_bytes(w->size);
	int lsb = __builtin_ctzll(entry);
	uintptr_t at = (uintptr_t)w->addr;

	if (!expect_ok(c, tell(w, STEP_ANSWER), "an answer of a process that is told", "") ||
	    !expect(c, VERDICT_FAILED, atomic_load(&w->signals),
		    "%s was not told that its page is lost; expected SIGBUS", who))
		return;
	note(c, "%s: si_code %d, si_addr_lsb %d, si_addr %+td bytes from the page", who, w->code,
	     w->lsb, w->told - w->addr);
	expect(c, VERDICT_FAILED, w->code == BUS_MCEERR_AR || w->code == BUS_MCEERR_AO,
	       "%s: si_code is %d; expected BUS_MCEERR_AR or BUS_MCEERR_AO", who, w->code);
	expect(c, VERDICT_FAILED, w->lsb == lsb, "%s: si_addr_lsb is %d; expected %d for a %s", who,
	       w->lsb, lsb, daxmap_name(w->size));
	expect(c, VERDICT_FAILED, (uintptr_t)w->told / entry == at / entry,
	       "%s: si_addr is %td bytes from the page; expected the same %s", who,
	       w->told - w->addr, daxmap_name(w->size));
}

static bool call(struct cell *c, int (*run)(const struct test_mem *v), const char *what)
{
	return expect_done(c, guard_bind_call(c->guard, run), what);
}

/* file system and memory map as they were: what is marked is marked no more */
static void renew(struct cell *c)
{
	expect_done(c, guard_fresh_pages(c->guard), "a fresh memory map");
}

static struct witness *witnesses(void)
{
	struct witness *w = mmap(NULL, 2 * sizeof(*w), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return w == MAP_FAILED ? NULL : w;
}

static size_t poison_off(const struct cell *c)
{
	switch (c->size) {
	case DAXMAP_PUD:
		return POISON_PUD_OFF;
	case DAXMAP_PMD:
		return POISON_PMD_OFF;
	default:
		return 3 * (size_t)sysconf(_SC_PAGESIZE);
	}
}

static bool is_device(const struct cell *c)
{
	return c->memory->caps & MEM_CHARDEV;
}

/* a device's pages are there whatever has been written */
static bool fill_memory(struct cell *c)
{
	int ret = is_device(c) ? 0 : bytes_write(c->v.node, 0, c->v.size, TAG_MEMORY, 0);

	ret = ret ?: is_device(c) ? ret : bytes_sync(c->v.node);
	return expect_ok(c, ret, "filling the file", "");
}

static int fill_file(const char *path, size_t len)
{
	return bytes_write(path, 0, len, TAG_MEMORY, 0) ?: bytes_sync(path);
}

/* is the page what it has to be? */
static int read_page(const char *path, size_t off, uint16_t tag)
{
	return bytes_check(path, off, sysconf(_SC_PAGESIZE), tag, off, NULL, 0);
}

/* afterwards the device can be given a new memory map, and be used again */
static void device_way_back(struct cell *c, struct witness *w, size_t off)
{
	const struct action *unbind = action_find("unbind_device_dax");

	if (!call(c, unbind->run, "unbind of a device with a lost page") ||
	    !call(c, unbind->undo, "bind after it") || !start_witness(c, w, c->size, off, true))
		return;
	expect_ok(c, tell(w, STEP_TOUCH), "touching the page once the device has come back", "");
	end_witness(c, w);
}

/* afterwards the file can be given other memory, and is what it was */
static void file_way_back(struct cell *c, size_t off)
{
	int ret = read_page(c->v.node, off, TAG_MEMORY);

	note(c, "reading the lost page: %s", ret ? strerror(-ret) : "the bytes that were there");
	if (!call(c, action_find("punch_hole")->run, "punching out the lost page"))
		return;
	expect_ok(c, fill_file(c->v.node, c->v.size), "writing the file anew", "");
	expect_ok(c, read_page(c->v.node, off, TAG_MEMORY), "reading it back", "");
	call(c, action_find("truncate")->run, "truncating the file");
	renew(c);
}

static void way_back(struct cell *c, struct witness *w, size_t off)
{
	if (is_device(c))
		device_way_back(c, w, off);
	else
		file_way_back(c, off);
}

/* a device is mapped by one size, a file by either */
static enum daxmap_size other_size(const struct cell *c)
{
	if (is_device(c))
		return c->size;
	return c->size == DAXMAP_PMD ? DAXMAP_PTE : DAXMAP_PMD;
}

/**
 * hard() - one page is said to be lost by the process that has it mapped
 * @c: the cell
 * @two: another process has it mapped, a file's at the other level
 */
static void hard(struct cell *c, bool two)
{
	/* the larger entry first: where there are small ones it does not fit any more */
	enum daxmap_size other = other_size(c);
	bool first = other > c->size;
	struct witness *w = witnesses();
	size_t off = poison_off(c);
	int ret;

	if (!expect(c, VERDICT_FAILED, w, "no shared memory") ||
	    !fill_memory(c) ||
	    (two && first && !start_witness(c, &w[1], other, off, true)) ||
	    !start_witness(c, &w[0], c->size, off, true) ||
	    (two && !first && !start_witness(c, &w[1], other, off, true)))
		goto out;
	/* whoever came second has not taken it from the first */
	if (two)
		expect_ok(c, tell(&w[1], STEP_TOUCH), "touching it in the other process", "");
	ret = tell(&w[0], STEP_POISON);
	if (ret == -EINVAL || ret == -EPERM) {
		skip(c, "madvise(MADV_HWPOISON): %s: no memory failure handling here",
		     strerror(-ret));
		goto out;
	}
	expect_ok(c, ret, "madvise(MADV_HWPOISON)", "");
	check_told(c, &w[0], "the process that said so");
	if (two)
		check_told(c, &w[1], "the other process");
	ret = tell(&w[0], STEP_TOUCH);
	note(c, "touching the lost page again: %s", ret ? "SIGBUS" : "it can be touched");
	end_witness(c, &w[0]);
	end_witness(c, &w[1]);
	way_back(c, &w[0], off);
out:
	if (w) {
		end_witness(c, &w[0]);
		end_witness(c, &w[1]);
		munmap(w, 2 * sizeof(*w));
	}
}

static void poison(struct cell *c)
{
	hard(c, false);
}

static void poison_two(struct cell *c)
{
	hard(c, true);
}

/* a page in a pipe is lost, and the pipe gives what it has all the same */
static void poison_pinned(struct cell *c)
{
	struct witness *w = witnesses();
	struct teardown s;
	int ret;

	if (!expect(c, VERDICT_FAILED, w, "no shared memory"))
		return;
	if (!teardown_setup(c, &s) || !teardown_pin(&s, c->method, 0) ||
	    !start_witness(c, &w[0], c->size, s.off[0], true))
		goto out;
	ret = tell(&w[0], STEP_POISON);
	expect_ok(c, ret, "madvise(MADV_HWPOISON)", "");
	check_told(c, &w[0], "the process that said so");
	expect(c, VERDICT_FAILED, pin_proc_live(&s.h, 0) == 1,
	       "the pin is gone with the page; expected it to stay");
	teardown_release_all(&s);
	end_witness(c, &w[0]);
	expect_ok(c, pin_proc_close(&s.h, MAP_MAIN), "unmapping the lost page", s.h.why);
	way_back(c, &w[0], s.off[0]);
out:
	end_witness(c, &w[0]);
	munmap(w, 2 * sizeof(*w));
	teardown_cleanup(&s);
}

/* a page that cannot be moved is not taken out of use, and no reference stays */
static void poison_soft(struct cell *c)
{
	struct witness *w = witnesses();
	size_t off = poison_off(c);
	int ret;

	if (!expect(c, VERDICT_FAILED, w, "no shared memory") ||
	    !fill_memory(c) || !start_witness(c, &w[0], c->size, off, true))
		goto out;
	ret = tell(&w[0], STEP_SOFT);
	if (ret == -EINVAL) {
		skip(c, "madvise(MADV_SOFT_OFFLINE): %s: no memory failure handling here",
		     strerror(-ret));
		goto out;
	}
	expect(c, VERDICT_FAILED, ret == -EIO || ret == -EOPNOTSUPP,
	       "madvise(MADV_SOFT_OFFLINE): %s; expected EIO or EOPNOTSUPP", strerror(-ret));
	expect(c, VERDICT_FAILED, !atomic_load(&w->signals),
	       "a refused soft offline raised SIGBUS");
	expect_ok(c, tell(&w[0], STEP_TOUCH), "touching the page afterwards", "");
	if (is_device(c)) {
		end_witness(c, &w[0]);
		device_way_back(c, &w[0], off);
	} else {
		call(c, action_find("punch_hole")->run, "punching it out, which waits for references");
	}
out:
	if (w) {
		end_witness(c, &w[0]);
		munmap(w, 2 * sizeof(*w));
	}
}

/* the block device's own list of what is lost: it is what promises EIO */
static void poison_badblocks(struct cell *c)
{
	struct witness *w = witnesses();
	size_t off = poison_off(c);
	char path[96], text[64];
	uint64_t at;
	int ret, fd;

	if (!expect(c, VERDICT_FAILED, w, "no shared memory"))
		return;
	ret = fill_file(c->v.node, c->v.size);
	ret = ret ?: fsdax_physical(c->v.node, off, &at);
	if (!expect_ok(c, ret, "filling the file", ""))
		goto out;
	snprintf(path, sizeof(path), "/sys/block/%s/badblocks", c->v.ns.block);
	snprintf(text, sizeof(text), "%llu 8", (unsigned long long)at / 512);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		skip(c, "%s takes no block: %s", path, strerror(errno));
		goto out;
	}
	close(fd);
	ret = read_page(c->v.node, off, TAG_ANY);
	expect(c, VERDICT_FAILED, ret == -EIO, "reading a lost page: %s; expected EIO",
	       ret ? strerror(-ret) : "it can be read");
	ret = read_page(c->v.node, 0, TAG_MEMORY);
	expect_ok(c, ret, "reading the page before it", "");
	if (!start_witness(c, w, DAXMAP_PTE, off, false))
		goto out;
	ret = tell(w, STEP_TOUCH);
	expect(c, VERDICT_NOT_REVOKED, ret == -EFAULT,
	       "touching a lost page: %s; expected SIGBUS", ret ? strerror(-ret) : "it is there");
	if (ret == -EFAULT)
		note(c, "touching a lost page: si_code %d", w->code);
	end_witness(c, w);
	renew(c);
	ret = fsdax_mount(&c->guard->fs[0]);
	expect_ok(c, ret, "mounting the file system again", "");
	ret = read_page(c->v.node, off, TAG_MEMORY);
	expect_ok(c, ret, "reading the page once the device has come back", "");
out:
	end_witness(c, w);
	munmap(w, 2 * sizeof(*w));
}

static const struct scenario_group hwpoison_files = {
	.name = "hwpoison_files",
	.order = 50,
	.common = {
		.on = ON_FILES,
		.sizes = AT_PTE | AT_PMD,
		.bytes = FILE_BYTES,
		.ignore = HEALTH_POISON,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "soft_offline",
			.what = "soft offline of a page: refused, nothing stays",
			.run = poison_soft,
		}, {
			.name = "poison",
			.what = "hwpoison on a mapped page: SIGBUS is delivered, a new page can be allocated",
			.run = poison,
		}, {
			.name = "poison_two",
			.what = "the same, another process maps it by entries of another size",
			.run = poison_two,
		}, {
			.name = "poison_pinned",
			.what = "the same, the page is in a pipe, which keeps it",
			.pins = PIN_VMSPLICE,
			.run = poison_pinned,
		}, {
			.name = "badblocks",
			.what = "a block is in the device's list of bad blocks: EIO and SIGBUS",
			.sizes = AT_PTE,
			.run = poison_badblocks,
		},
		{ }
	},
};

REGISTER(scenario_groups, &hwpoison_files);

static const struct scenario_group hwpoison_devdax = {
	.name = "hwpoison_devdax",
	.order = 51,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_ALL,
		.ignore = HEALTH_POISON,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "soft_offline",
			.what = "soft offline of a page: refused, nothing stays",
			.run = poison_soft,
		}, {
			.name = "poison",
			.what = "hwpoison on a mapped page: SIGBUS with its address",
			.run = poison,
		}, {
			.name = "poison_two",
			.what = "the same, another process maps it, too",
			.run = poison_two,
		}, {
			.name = "poison_pinned",
			.what = "the same, the page is in a pipe, which keeps it",
			.pins = PIN_VMSPLICE,
			.run = poison_pinned,
		},
		{ }
	},
};

REGISTER(scenario_groups, &hwpoison_devdax);
