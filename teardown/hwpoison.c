// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory failure in a page of a file or of a device-dax device: injected by madvise(2),
 * and by the badblocks attribute of a file's block device.
 *
 * Each process that maps the page gets SIGBUS with the address and the size of its own
 * mapping: 6100e34b2526 ("mm, memory_failure: Teach memory_failure() about dev_pagemap
 * pages").  With device-dax the address was that of another page if the mapping began
 * inside a huge page, before 7fcbd9785d4c ("device-dax: correct pgoff align in
 * dax_set_mapping()"), and a pagemap without operations was a NULL pointer dereference
 * before 65d3440e8d2e ("mm/memory-failure: fix detection of memory_failure()
 * handlers").  A pin stays valid.  The hwpoison flag of the struct page is cleared with
 * a new memory map, so each cell ends with an unbind and a bind.
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

#include "lib/sysfs.h"
#include "teardown/teardown.h"

/* asm-generic/mman-common.h; not in the C library's headers */
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

/* longest wait for a process to answer a request */
#define ANSWER_NS	(5 * NSEC_PER_SEC)

/* interval at which requests and answers are polled */
#define POLL_NS		(NSEC_PER_MSEC / 5)

/**
 * enum poison_request - request to a process that maps the page
 * @REQUEST_OPEN: map the memory
 * @REQUEST_PROVE: touch it, and check that it is mapped by entries of the right size
 * @REQUEST_HWPOISON: madvise(MADV_HWPOISON) of the page
 * @REQUEST_SOFT_OFFLINE: madvise(MADV_SOFT_OFFLINE) of the page
 * @REQUEST_TOUCH: load from the page: -EFAULT when that raises SIGBUS
 * @REQUEST_PING: only answer
 * @REQUEST_EXIT: exit
 */
enum poison_request {
	REQUEST_OPEN,
	REQUEST_PROVE,
	REQUEST_HWPOISON,
	REQUEST_SOFT_OFFLINE,
	REQUEST_TOUCH,
	REQUEST_PING,
	REQUEST_EXIT,
};

/**
 * struct poisoned_proc - a process that maps the page, and the SIGBUS that it gets
 * @pid: the process; 0 when there is none
 * @size: entries that it maps the memory by
 * @off: the page, bytes from the start of file or device
 * @addr: address at which it maps the page
 * @request: an enum poison_request to carry out
 * @done: the last request that has been carried out; -1 for none
 * @ret: its result, 0 or -errno
 * @signals: number of SIGBUS received
 * @code: si_code of the first
 * @lsb: si_addr_lsb of the first
 * @reported: si_addr of the first
 *
 * In shared memory, which survives the process.
 */
struct poisoned_proc {
	pid_t pid;
	enum daxmap_size size;
	size_t off;
	char *addr;
	atomic_int request;
	atomic_int done;
	int ret;
	atomic_int signals;
	int code;
	int lsb;
	char *reported;
};

/**
 * struct poison - state of one scenario
 * @c: its cell
 * @off: the page that is poisoned, bytes from the start of file or device
 * @proc: up to two processes that map it; in shared memory
 * @punch_hole: frees the page of a file; unset for a device
 * @truncate: frees all pages of a file; unset for a device
 */
struct poison {
	struct cell *c;
	size_t off;
	struct poisoned_proc *proc;
	const struct action *punch_hole;
	const struct action *truncate;
};

static struct poisoned_proc *self;
static sigjmp_buf touch_env;
static volatile sig_atomic_t touching;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	if (!atomic_load(&self->signals)) {
		self->code = info->si_code;
		self->lsb = info->si_addr_lsb;
		self->reported = info->si_addr;
	}
	atomic_fetch_add(&self->signals, 1);
	if (touching)
		siglongjmp(touch_env, 1);
}

static int touch_page(volatile char *p)
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

static int carry_out_request(enum poison_request request, struct daxmap *m, const char *path)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int ret;

	switch (request) {
	case REQUEST_OPEN:
		ret = daxmap_open(m, path, self->size, 0, 0, PROT_READ | PROT_WRITE);
		self->addr = (char *)m->addr + self->off;
		return ret;
	case REQUEST_PROVE:
		return daxmap_prove(m, true, NULL);
	case REQUEST_HWPOISON:
		return madvise(self->addr, page, MADV_HWPOISON) ? -errno : 0;
	case REQUEST_SOFT_OFFLINE:
		return madvise(self->addr, page, MADV_SOFT_OFFLINE) ? -errno : 0;
	case REQUEST_TOUCH:
		return touch_page(self->addr);
	default:
		return 0;
	}
}

static void __attribute__((noreturn)) serve_requests(struct poisoned_proc *p, const char *path)
{
	struct sigaction sa = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	const struct timespec nap = { .tv_nsec = POLL_NS };
	struct daxmap m = { .fd = -1 };
	int done = -1;

	self = p;
	setsid();
	/* without a touch of the page SIGBUS is sent only to a process that asks for it */
	prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
	sigaction(SIGBUS, &sa, NULL);
	while (done != REQUEST_EXIT) {
		int request = atomic_load(&p->request);

		if (request == done) {
			nanosleep(&nap, NULL);
			continue;
		}
		p->ret = carry_out_request(request, &m, path);
		done = request;
		atomic_store(&p->done, done);
	}
	_exit(0);
}

/* result of the request; -ETIMEDOUT without an answer */
static int poisoned_proc_ask(struct poisoned_proc *p, enum poison_request request)
{
	const struct timespec nap = { .tv_nsec = POLL_NS };
	uint64_t end = timeline_now() + ANSWER_NS;

	atomic_store(&p->request, request);
	while (atomic_load(&p->done) != (int)request) {
		if (timeline_now() >= end)
			return -ETIMEDOUT;
		nanosleep(&nap, NULL);
	}
	return p->ret;
}

static bool poisoned_proc_start(struct poison *ps, struct poisoned_proc *p, enum daxmap_size size)
{
	struct cell *c = ps->c;
	pid_t pid;
	int ret;

	memset(p, 0, sizeof(*p));
	p->size = size;
	p->off = ps->off;
	atomic_store(&p->done, -1);
	pid = fork();
	if (!pid)
		serve_requests(p, c->v.node);
	p->pid = pid;
	ret = pid < 0 ? -errno : guard_add_proc(c->guard, pid);
	if (!expect_ok(c, ret, "starting a process", ""))
		return false;
	ret = poisoned_proc_ask(p, REQUEST_OPEN);
	return expect(c, VERDICT_FAILED, !ret, "mapping the memory by %s in a process: %s",
		      daxmap_name(size), strerror(-ret));
}

static bool poisoned_proc_prove(struct poison *ps, struct poisoned_proc *p)
{
	int ret = poisoned_proc_ask(p, REQUEST_PROVE);

	return expect(ps->c, VERDICT_FAILED, !ret, "touching the memory mapped by %s: %s",
		      daxmap_name(p->size),
		      ret == -ERANGE ? "it is mapped by entries of another size" : strerror(-ret));
}

static bool poisoned_proc_start_mapped(struct poison *ps, struct poisoned_proc *p,
				       enum daxmap_size size)
{
	return poisoned_proc_start(ps, p, size) && poisoned_proc_prove(ps, p);
}

static void poisoned_proc_end(struct poison *ps, struct poisoned_proc *p)
{
	if (p->pid <= 0)
		return;
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	guard_drop_proc(ps->c->guard, p->pid);
	p->pid = 0;
}

static size_t choose_page(const struct cell *c)
{
	size_t pmd = daxmap_bytes(DAXMAP_PMD);

	/* neither at the start nor in the middle of a pmd or pud entry */
	switch (c->size) {
	case DAXMAP_PUD:
		return 350 * pmd + pmd / 4 * 3;
	case DAXMAP_PMD:
		return pmd / 4 * 3;
	default:
		return 3 * (size_t)sysconf(_SC_PAGESIZE);
	}
}

static bool poison_setup(struct cell *c, struct poison *ps)
{
	memset(ps, 0, sizeof(*ps));
	ps->c = c;
	ps->off = choose_page(c);
	ps->proc = mmap(NULL, 2 * sizeof(*ps->proc), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ps->proc == MAP_FAILED)
		ps->proc = NULL;
	return expect(c, VERDICT_FAILED, ps->proc, "allocating shared memory");
}

static void poison_cleanup(struct poison *ps)
{
	if (!ps->proc)
		return;
	for (int i = 0; i < 2; i++)
		poisoned_proc_end(ps, &ps->proc[i]);
	munmap(ps->proc, 2 * sizeof(*ps->proc));
}

/* the actions that poison_recover() needs, before there is something to recover */
static bool require_recovery(struct poison *ps)
{
	if (!(ps->c->memory->caps & MEM_MOUNTED))
		return true;
	ps->punch_hole = require_action(ps->c, "punch_hole");
	ps->truncate = require_action(ps->c, "truncate");
	return ps->punch_hole && ps->truncate;
}

/*
 * Check the SIGBUS that a process got for its own mapping.  The kernel sends it before
 * madvise() returns, so a process that answers a request after that has got it already,
 * or never will.
 */
static void check_sigbus(struct poison *ps, struct poisoned_proc *p, const char *who)
{
	size_t entry = daxmap_bytes(p->size);
	int lsb = __builtin_ctzll(entry);
	uintptr_t at = (uintptr_t)p->addr;
	struct cell *c = ps->c;
	int ret = poisoned_proc_ask(p, REQUEST_PING);

	if (!expect(c, VERDICT_FAILED, !ret, "waiting for an answer of %s: %s", who,
		    strerror(-ret)) ||
	    !expect(c, VERDICT_FAILED, atomic_load(&p->signals),
		    "%s got no SIGBUS; expected one for the poisoned page", who))
		return;
	note("%s: si_code %d, si_addr_lsb %d, si_addr %+td bytes from the page", who, p->code,
	     p->lsb, p->reported - p->addr);
	expect(c, VERDICT_FAILED, p->code == BUS_MCEERR_AR || p->code == BUS_MCEERR_AO,
	       "%s: si_code is %d; expected BUS_MCEERR_AR or BUS_MCEERR_AO", who, p->code);
	expect(c, VERDICT_FAILED, p->lsb == lsb, "%s: si_addr_lsb is %d; expected %d for a %s", who,
	       p->lsb, lsb, daxmap_name(p->size));
	expect(c, VERDICT_FAILED, (uintptr_t)p->reported / entry == at / entry,
	       "%s: si_addr is %td bytes from the page; expected the same %s", who,
	       p->reported - p->addr, daxmap_name(p->size));
}

static bool expect_call(struct cell *c, int (*run)(const struct test_mem *mem), const char *what)
{
	return expect_done(c, guard_bind_call(c->guard, run), what);
}

static bool write_file(struct cell *c, const char *what)
{
	char text[64];
	int ret = bytes_write(c->v.node, 0, c->v.size, TAG_MEMORY, 0);

	snprintf(text, sizeof(text), "%s: write()", what);
	if (!expect_ok(c, ret, text, ""))
		return false;
	ret = bytes_sync(c->v.node);
	snprintf(text, sizeof(text), "%s: fsync()", what);
	return expect_ok(c, ret, text, "");
}

/* a file has no pages before it is written */
static bool fill_memory(struct cell *c)
{
	return !(c->memory->caps & MEM_MOUNTED) || write_file(c, "filling the file");
}

/* compare a page with the pattern */
static int check_page(const char *path, size_t off)
{
	return bytes_check(path, off, sysconf(_SC_PAGESIZE), TAG_MEMORY, off, NULL, 0);
}

/* 0 when the page can be read, -errno, or -ENODATA after a short read */
static int read_page(const char *path, size_t off)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *buf = malloc(page);
	ssize_t n;
	int fd, ret;

	if (!buf)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ret = fd < 0 ? -errno : 0;
	if (!ret) {
		n = pread(fd, buf, page, off);
		ret = n < 0 ? -errno : n == (ssize_t)page ? 0 : -ENODATA;
		close(fd);
	}
	free(buf);
	return ret;
}

/* with a new memory map the device can be used again */
static void recover_device(struct poison *ps)
{
	struct poisoned_proc *p = &ps->proc[0];
	struct cell *c = ps->c;

	if (!expect_done(c, guard_unbind_dax(c->guard), "unbinding the device after hwpoison") ||
	    !expect_done(c, guard_bind_dax(c->guard), "binding the device after hwpoison") ||
	    !poisoned_proc_start_mapped(ps, p, c->size))
		return;
	expect_ok(c, poisoned_proc_ask(p, REQUEST_TOUCH), "touching the page after the bind", "");
	poisoned_proc_end(ps, p);
}

/* with other blocks the file can be used again */
static void recover_file(struct poison *ps)
{
	struct cell *c = ps->c;
	int ret = check_page(c->v.node, ps->off);

	note("reading the poisoned page: %s", ret ? strerror(-ret) : "it has the old bytes");
	if (!expect_call(c, ps->punch_hole->run, "punching a hole at the poisoned page"))
		return;
	if (write_file(c, "filling the hole"))
		expect_ok(c, check_page(c->v.node, ps->off), "reading the new page", "");
	expect_call(c, ps->truncate->run, "truncating the file");
	/* the file system and the memory map are made again */
	expect_done(c, guard_fresh_pages(c->guard), "making a new memory map");
}

static void poison_recover(struct poison *ps)
{
	if (ps->c->memory->caps & MEM_MOUNTED)
		recover_file(ps);
	else
		recover_device(ps);
}

/* a file can be mapped by entries of another size at the same time, a device cannot */
static enum daxmap_size second_size(const struct cell *c)
{
	if (c->memory->caps & MEM_CHARDEV)
		return c->size;
	return c->size == DAXMAP_PMD ? DAXMAP_PTE : DAXMAP_PMD;
}

/* one or two processes map the page; the larger entry first: small ones would be in its way */
static bool map_page(struct poison *ps, bool two)
{
	struct cell *c = ps->c;
	enum daxmap_size other = second_size(c);
	bool other_first = two && other > c->size;

	if (other_first && !poisoned_proc_start_mapped(ps, &ps->proc[1], other))
		return false;
	if (!poisoned_proc_start_mapped(ps, &ps->proc[0], c->size))
		return false;
	if (two && !other_first && !poisoned_proc_start_mapped(ps, &ps->proc[1], other))
		return false;
	/* both have to map the page when it is poisoned */
	if (two)
		expect_ok(c, poisoned_proc_ask(&ps->proc[1], REQUEST_TOUCH),
			  "touching the page in the other process", "");
	return true;
}

/* the page is poisoned by a process that maps it; with @two, another one maps it, too */
static void poison_mapped(struct poison *ps, bool two)
{
	struct cell *c = ps->c;
	int ret;

	if (!require_recovery(ps) || !fill_memory(c) || !map_page(ps, two))
		return;
	ret = poisoned_proc_ask(&ps->proc[0], REQUEST_HWPOISON);
	if (ret == -EINVAL || ret == -EPERM) {
		skip(c, "madvise(MADV_HWPOISON): %s: not supported by this kernel",
		     strerror(-ret));
		return;
	}
	expect_ok(c, ret, "madvise(MADV_HWPOISON)", "");
	check_sigbus(ps, &ps->proc[0], "the process that called madvise()");
	if (two)
		check_sigbus(ps, &ps->proc[1], "the other process");
	ret = poisoned_proc_ask(&ps->proc[0], REQUEST_TOUCH);
	note("touching the poisoned page again: %s", ret ? strerror(-ret) : "no SIGBUS");
	for (int i = 0; i < 2; i++)
		poisoned_proc_end(ps, &ps->proc[i]);
	poison_recover(ps);
}

static void hwpoison_one(struct cell *c)
{
	struct poison ps;

	if (poison_setup(c, &ps))
		poison_mapped(&ps, false);
	poison_cleanup(&ps);
}

static void hwpoison_two(struct cell *c)
{
	struct poison ps;

	if (poison_setup(c, &ps))
		poison_mapped(&ps, true);
	poison_cleanup(&ps);
}

/* a pipe holds the page: the pin stays, and gives the right bytes */
static void poison_pinned(struct poison *ps, struct teardown *s)
{
	struct poisoned_proc *p = &ps->proc[0];
	struct cell *c = ps->c;
	int ret;

	if (!teardown_pin(s, c->method, 0))
		return;
	ps->off = s->off[0];
	if (!poisoned_proc_start_mapped(ps, p, c->size))
		return;
	ret = poisoned_proc_ask(p, REQUEST_HWPOISON);
	expect_ok(c, ret, "madvise(MADV_HWPOISON)", "");
	check_sigbus(ps, p, "the process that called madvise()");
	expect(c, VERDICT_FAILED, pin_proc_live(&s->h, 0) == 1,
	       "memory failure has dropped the pin; expected it to stay");
	teardown_release_all(s);
	poisoned_proc_end(ps, p);
	ret = pin_proc_close(&s->h, MAP_MAIN);
	expect_ok(c, ret, "unmapping the poisoned page", s->h.why);
	poison_recover(ps);
}

static void hwpoison_pinned(struct cell *c)
{
	struct teardown s;
	struct poison ps;

	if (poison_setup(c, &ps) && require_recovery(&ps)) {
		if (teardown_setup(c, &s))
			poison_pinned(&ps, &s);
		teardown_cleanup(&s);
	}
	poison_cleanup(&ps);
}

static void soft_offline_mapped(struct poison *ps)
{
	struct poisoned_proc *p = &ps->proc[0];
	struct cell *c = ps->c;
	int ret;

	if (!require_recovery(ps) || !fill_memory(c) ||
	    !poisoned_proc_start_mapped(ps, p, c->size))
		return;
	ret = poisoned_proc_ask(p, REQUEST_SOFT_OFFLINE);
	if (ret == -EINVAL) {
		skip(c, "madvise(MADV_SOFT_OFFLINE): %s: not supported by this kernel",
		     strerror(-ret));
		return;
	}
	expect(c, VERDICT_FAILED, ret == -EIO || ret == -EOPNOTSUPP,
	       "madvise(MADV_SOFT_OFFLINE): %s; expected EIO or EOPNOTSUPP",
	       ret ? strerror(-ret) : "done");
	expect(c, VERDICT_FAILED, !atomic_load(&p->signals),
	       "a refused soft offline raised SIGBUS");
	expect_ok(c, poisoned_proc_ask(p, REQUEST_TOUCH), "touching the page afterwards", "");
	/* an extra reference to the page would block either */
	if (c->memory->caps & MEM_MOUNTED) {
		expect_call(c, ps->punch_hole->run, "punching a hole at the page");
	} else {
		poisoned_proc_end(ps, p);
		recover_device(ps);
	}
}

static void hwpoison_soft_offline(struct cell *c)
{
	struct poison ps;

	if (poison_setup(c, &ps))
		soft_offline_mapped(&ps);
	poison_cleanup(&ps);
}

/* make the poisoned page a bad block of the block device; false with the cell skipped */
static bool add_badblock(struct poison *ps)
{
	struct cell *c = ps->c;
	char path[96], text[64];
	uint64_t at;
	int ret = fsdax_physical(c->v.node, ps->off, &at);

	if (!expect_ok(c, ret, "finding the page's block", ""))
		return false;
	snprintf(path, sizeof(path), "/sys/block/%s/badblocks", c->v.ns.block);
	/* in sectors of 512 bytes */
	snprintf(text, sizeof(text), "%llu %ld", (unsigned long long)at / 512,
		 sysconf(_SC_PAGESIZE) / 512);
	ret = sysfs_write(path, text);
	if (ret)
		skip(c, "adding a bad block to %s: %s", path, strerror(-ret));
	return !ret;
}

static void check_badblock(struct poison *ps)
{
	struct poisoned_proc *p = &ps->proc[0];
	struct cell *c = ps->c;
	int ret;

	expect_errno(c, read_page(c->v.node, ps->off), EIO, "reading the bad block");
	expect_ok(c, check_page(c->v.node, 0), "reading the file's first page", "");
	if (!poisoned_proc_start(ps, p, DAXMAP_PTE))
		return;
	ret = poisoned_proc_ask(p, REQUEST_TOUCH);
	expect(c, VERDICT_NOT_REVOKED, ret == -EFAULT,
	       "touching the bad block: %s; expected SIGBUS", ret ? strerror(-ret) : "done");
	if (ret == -EFAULT)
		note("touching the bad block: si_code %d", p->code);
	poisoned_proc_end(ps, p);
	expect_done(c, guard_fresh_pages(c->guard), "making a new memory map");
	expect_ok(c, fsdax_mount(&c->guard->fs[0]), "mounting the file system again", "");
	expect_ok(c, check_page(c->v.node, ps->off), "reading the page after the bind", "");
}

/* nd_pmem has a list of bad blocks of its own, and returns EIO for them */
static void hwpoison_badblocks(struct cell *c)
{
	struct poison ps;

	if (poison_setup(c, &ps) && write_file(c, "filling the file") && add_badblock(&ps))
		check_badblock(&ps);
	poison_cleanup(&ps);
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
			.what = "soft offline of a page is refused, and takes no reference",
			.run = hwpoison_soft_offline,
		}, {
			.name = "poison",
			.what = "hwpoison on a mapped page: SIGBUS is delivered, a new page can be allocated",
			.run = hwpoison_one,
		}, {
			.name = "poison_two",
			.what = "the same, another process maps it by entries of another size",
			.run = hwpoison_two,
		}, {
			.name = "poison_pinned",
			.what = "the same, a pipe holds the page: the pin stays valid",
			.pins = PIN_VMSPLICE,
			.run = hwpoison_pinned,
		}, {
			.name = "badblocks",
			.what = "a bad block of the block device: read() fails with EIO, a load raises SIGBUS",
			.sizes = AT_PTE,
			.run = hwpoison_badblocks,
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
			.what = "soft offline of a page is refused, and takes no reference",
			.run = hwpoison_soft_offline,
		}, {
			.name = "poison",
			.what = "hwpoison on a mapped page: SIGBUS is delivered with its address",
			.run = hwpoison_one,
		}, {
			.name = "poison_two",
			.what = "the same, another process maps it, too",
			.run = hwpoison_two,
		}, {
			.name = "poison_pinned",
			.what = "the same, a pipe holds the page: the pin stays valid",
			.pins = PIN_VMSPLICE,
			.run = hwpoison_pinned,
		},
		{ }
	},
};

REGISTER(scenario_groups, &hwpoison_devdax);
