// SPDX-License-Identifier: GPL-2.0
/*
 * The block device taken from under a file system, or from a program that reads
 * and writes it: nd_pmem is unbound.
 *
 * The rule for pages is that of device-dax, see dax_teardown.c: mappings are
 * revoked, and the memory map stays until the last reference to its pages is gone.
 * Besides, nothing that is asked of the file system afterwards may touch the device
 * any more, and once the device is back it holds what had been synced.
 *
 * Whoever looks at a page of the device after an early return finds no struct page:
 * a munmap(), an fsync(), an unmount, each on some kernels.  So the driver is bound
 * again first, the users go then, and one more round renews the memory map.  The
 * scenarios that leave that out are for a machine that may be lost.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "teardown/teardown.h"

/*
 * What an unbind of nd_pmem takes under emulation on a busy machine when nothing is in
 * its way: 100 ms, but a freeze of xfs is asleep in one wait for longer than that.
 */
#define PMEM_USUAL_NS	(300 * NSEC_PER_MSEC)

/* A process whose mapping is all that it has to drop: ms. */
#define EXIT_NS		(5 * NSEC_PER_SEC)

/* Directories made until one is in the last of two allocation groups. */
#define GROUPS_TRIED	4

/* Of a second file, mapped by small pages: some milliseconds' work to take away. */
#define BESIDE_BYTES	(4UL << 20)

/* Size of a file mapped by small pages. */
#define SMALL_FILE_BYTES	(256u << 10)

/* times OP_WATCH_NS */
#define WATCH_TIMES	3

/**
 * enum usage - what is done with the file while its device goes
 * @IDLE: nothing; its inode is in memory, its pages were mapped once
 * @MAPPED: it is mapped, and looked at afterwards
 * @TOUCHED: it is mapped, and a thread reads it all the while
 * @CLOSED: it was mapped, closed since; a pin may be out
 * @FAULTING: a thread maps, touches and unmaps it
 * @WRITING: a thread writes it
 * @SYNCING: a thread writes it and calls fsync()
 */
enum usage { IDLE, MAPPED, TOUCHED, CLOSED, FAULTING, WRITING, SYNCING };

static struct fsdax *fs_of(const struct cell *c)
{
	return &c->guard->fs[0];
}

/*
 * What is asked of the file afterwards, each in a task that may get stuck.
 */
static int read_it(const struct test_mem *v)
{
	int fd = open(v->node, O_RDONLY | O_CLOEXEC);
	char buf[512];
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (pread(fd, buf, sizeof(buf), 0) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int write_it(const struct test_mem *v)
{
	int fd = open(v->node, O_RDWR | O_CLOEXEC);
	char buf[512];
	int ret = 0;

	if (fd < 0)
		return -errno;
	pattern_fill(buf, sizeof(buf), TAG_MEMORY, 0);
	if (pwrite(fd, buf, sizeof(buf), 0) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* a file that nobody has written since it was made, beside the cell's own */
static void beside(const struct test_mem *v, char path[NODE_LEN])
{
	static const char name[] = ".beside";

	snprintf(path, NODE_LEN, "%.*s%s", (int)(NODE_LEN - sizeof(name)), v->node, name);
}

static int write_beside(const struct test_mem *v)
{
	struct test_mem other = *v;

	beside(v, other.node);
	return write_it(&other);
}

static int sync_it(const struct test_mem *v)
{
	return bytes_sync(v->node);
}

static bool use_it(struct teardown *s, enum usage use)
{
	struct pin_proc *h = &s->h;
	int ret = 0;

	s->rule.revoke = use == MAPPED || use == TOUCHED;
	switch (use) {
	case MAPPED:
		break;
	case TOUCHED:
		ret = pin_proc_watch_busy(h, MAP_MAIN, 0);
		break;
	case IDLE:
	case CLOSED:
		ret = pin_proc_close(h, MAP_MAIN);
		break;
	case FAULTING:
		ret = pin_proc_close(h, MAP_MAIN);
		ret = ret ?: pin_proc_remap_loop(h, s->node, s->c->size, false);
		break;
	case WRITING:
	case SYNCING:
		ret = pin_proc_close(h, MAP_MAIN);
		ret = ret ?: pin_proc_io(h, s->node, s->c->v.size, TAG_MEMORY,
					 PIN_PROC_WRITE | (use == SYNCING ? PIN_PROC_SYNC : 0));
		break;
	}
	return expect_ok(s->c, ret, "what is done with the file", h->why);
}

static bool runs_thread(enum usage use)
{
	return use == FAULTING || use == WRITING || use == SYNCING;
}

/*
 * xfs goes through its files by allocation group, and a kernel that gets the end of
 * all groups but the last wrong never comes to an end: a cell of its own shows that
 * (pmem_first_group()).  For the others the file is moved to the last group: new
 * directories are dealt out to the groups in turn, and files go where theirs is.
 */
static bool place(struct cell *c)
{
	const struct fsdax *f = fs_of(c);
	char path[NODE_LEN], name[32], why[WHY_LEN] = "";
	uint64_t at = 0;
	int ret;

	if (!(c->memory->caps & MEM_SHARES))
		return true;
	ret = truncate(c->v.node, 0) || unlink(c->v.node) ? -errno : 0;
	for (int i = 0; i < GROUPS_TRIED && !ret && at < f->ns.capacity / 2; i++) {
		snprintf(path, sizeof(path), "%s/group%d", f->dir, i);
		if (mkdir(path, 0700) && errno != EEXIST)
			ret = -errno;
		snprintf(name, sizeof(name), "group%d/cell", i);
		snprintf(path, sizeof(path), "%s/%s", f->dir, name);
		unlink(path);
		ret = ret ?: fsdax_file(f, name, c->v.size, c->v.node, sizeof(c->v.node), why,
					sizeof(why));
		ret = ret ?: fsdax_physical(c->v.node, 0, &at);
		if (!ret && at < f->ns.capacity / 2)
			ret = truncate(c->v.node, 0) || unlink(c->v.node) ? -errno : 0;
	}
	c->guard->mem = c->v;
	return expect_ok(c, ret ?: at ? 0 : -ENOSPC, "a file in the last allocation group", why);
}

/* a second file, whose mapping keeps its inode in memory */
static int map_beside(struct teardown *s, size_t len, char path[NODE_LEN], char *why)
{
	struct cell *c = s->c;
	const struct fsdax *f = fs_of(c);
	int ret;

	beside(&c->v, path);
	unlink(path);
	ret = fsdax_file(f, path + strlen(f->dir) + 1, len, path, NODE_LEN, why, WHY_LEN);
	return ret ?: pin_proc_map(&s->h, MAP_WHOLE, path, DAXMAP_PTE, 0, len,
				   PROT_READ | PROT_WRITE);
}

/*
 * What a kernel does to an inode that gets dirty on a dead device it does only if the
 * inode was clean.  That of a file under a thread may be either, so another one is
 * kept open, and clean, and written when the device is gone.
 */
static bool keep_clean(struct teardown *s)
{
	char path[NODE_LEN], why[WHY_LEN] = "";
	int ret = map_beside(s, daxmap_bytes(DAXMAP_PTE), path, why);

	return expect_ok(s->c, ret, "a file that stays clean", why);
}

/*
 * xfs takes the mappings of one file away after those of the other, in the order of
 * their blocks, and refuses to fault them in again when it has done with all.  With
 * much to do after the file that a thread touches, the thread gets there in between.
 */
static bool keep_busy(struct teardown *s)
{
	char path[NODE_LEN], why[WHY_LEN] = "";
	int ret = map_beside(s, BESIDE_BYTES, path, why);
	uint64_t at = 0, other = 0;

	ret = ret ?: pin_proc_fill(&s->h, MAP_WHOLE, 0, BESIDE_BYTES, TAG_MEMORY);
	ret = ret ?: bytes_sync(path);
	ret = ret ?: fsdax_physical(s->node, 0, &at);
	ret = ret ?: fsdax_physical(path, 0, &other);
	if (!expect_ok(s->c, ret, "a second file that is mapped", why))
		return false;
	if (other < at)
		note(s->c, "the second file lies before the first");
	return true;
}

static bool arrange_there(struct cell *c, struct teardown *s, enum usage use)
{
	/* until the checker has said that it is as it should be */
	c->guard->fs_spoiled = true;
	/* each cell is told by the kernel what it says once, whatever ran before */
	if (getenv("DAX_TEST_CLEAR_WARN_ONCE"))
		health_clear_warn_once();
	if (!teardown_setup(c, s))
		return false;
	s->usual_ns = PMEM_USUAL_NS;
	if ((runs_thread(use) && !keep_clean(s)) || (use == TOUCHED && !keep_busy(s)))
		return false;
	if (!expect_ok(c, bytes_sync(s->node), "fsync before the unbind", ""))
		return false;
	if (c->method && !teardown_pin(s, c->method, 0))
		return false;
	if (!use_it(s, use))
		return false;
	return !runs_thread(use) ||
	       expect_ok(c, pin_proc_wait_iteration(&s->h), "the thread's first rounds", s->h.why);
}

static bool arrange(struct cell *c, struct teardown *s, enum usage use)
{
	return place(c) && arrange_there(c, s, use);
}

/* a call on a file whose device is gone has to say so; what it says is its own choice */
static void must_fail(struct cell *c, int (*call)(const struct test_mem *v), const char *what)
{
	int ret = guard_bind_call(c->guard, call);

	expect(c, ret == -ETIMEDOUT || ret == -ECHILD ? VERDICT_NEVER_RETURNED : VERDICT_FAILED,
	       ret && ret != -ETIMEDOUT && ret != -ECHILD,
	       "%s while the device is unbound: %s; expected an error", what,
	       ret == -ECHILD ? "the task died" : strerror(-ret));
	if (ret)
		note(c, "%s while the device is unbound: %s", what, strerror(-ret));
}

static void look_at_dead(struct teardown *s, enum usage use)
{
	struct cell *c = s->c;
	struct pin_proc *h = &s->h;
	int ret;

	if (cell_over(c) && c->verdict == VERDICT_NEVER_RETURNED)
		return;
	if (runs_thread(use))
		must_fail(c, write_beside, "write() to a clean file");
	must_fail(c, read_it, "read()");
	must_fail(c, write_it, "write()");
	if (!s->rule.revoke)
		return;
	ret = pin_proc_map(h, MAP_AGAIN, s->node, c->size, 0, s->map_len, PROT_READ | PROT_WRITE);
	if (!ret) {
		ret = pin_proc_touch(h, MAP_AGAIN, 0);
		expect(c, VERDICT_NOT_REVOKED, ret == -EFAULT,
		       "a mapping made after the unbind: %s; expected SIGBUS",
		       ret ? strerror(-ret) : "it can be touched");
	} else {
		note(c, "mapping the file while the device is unbound: %s", strerror(-ret));
	}
}

/* as the guardian would do it, but with what it returns told */
static bool came_back(struct cell *c, int ret, const char *what)
{
	if (ret == -ETIMEDOUT || ret == -ECHILD)
		guard_set_wedged(c->guard);
	return expect_done(c, ret, what);
}

static bool call(struct cell *c, int (*run)(const struct test_mem *v), const char *what)
{
	return came_back(c, guard_bind_call(c->guard, run), what);
}

static bool unmount(struct cell *c, const char *what)
{
	return came_back(c, guard_unmount(c->guard), what);
}

/*
 * The file system is unmounted and its device is back.  Mounting comes first: it
 * brings in the log, and a checker that may not write knows the file system only
 * without one.
 */
static void check_synced(struct teardown *s, enum usage use, uint16_t tag)
{
	struct cell *c = s->c;
	struct fsdax *f = fs_of(c);
	char why[WHY_LEN] = "";
	int ret = fsdax_mount(f);

	if (!expect_ok(c, ret, "mounting the file system again", ""))
		return;
	ret = bytes_check(s->node, 0, c->v.size, tag, 0, why, sizeof(why));
	expect(c, VERDICT_WRONG_DATA, !ret, "what was synced before the unbind: %s",
	       why[0] ? why : strerror(-ret));
	if (cell_over(c))
		return;
	/* where nothing was written nothing can be out of order, and it takes long */
	if (use != IDLE && use != WRITING && use != SYNCING) {
		c->guard->fs_spoiled = false;
		return;
	}
	ret = fsdax_unmount(f);
	if (!expect_ok(c, ret, "unmounting it", ""))
		return;
	why[0] = '\0';
	ret = fsdax_check(f, why, sizeof(why));
	if (ret == -ENOENT)
		note(c, "the file system is not checked: %s", why);
	else if (ret)
		expect_ok(c, ret, "checking the file system", why);
	else
		c->guard->fs_spoiled = false;
	expect_ok(c, fsdax_mount(f), "mounting it once more", "");
}

/* was any of it looked at by the kernel as somebody's when the memory map went? */
static bool holds_pages(const struct teardown *s, enum usage use)
{
	return use == MAPPED || use == TOUCHED || s->nr_pins;
}

/* pins and mappings are from before: they go while the memory map is there */
static bool let_go_bound(struct teardown *s, enum usage use)
{
	struct cell *c = s->c;
	bool held = holds_pages(s, use);
	int ret;

	teardown_release_late(s);
	ret = pin_proc_stop_threads(&s->h, NULL);
	pin_proc_close(&s->h, MAP_AGAIN);
	pin_proc_close(&s->h, MAP_WHOLE);
	ret = ret ?: pin_proc_close(&s->h, MAP_MAIN);
	if (ret == -EPIPE)
		note(c, "the kernel has killed the process that had the file mapped");
	else
		expect_ok(c, ret, "the holder lets go", s->h.why);
	if (!held)
		return true;
	return call(c, c->action->run, "unbind once more, to renew the memory map") &&
	       call(c, c->action->undo, "bind after it");
}

/* the order that no kernel needs to survive the users of a device that is gone */
static void put_right(struct teardown *s, enum usage use, uint16_t tag)
{
	struct cell *c = s->c;

	c->guard->dirty = holds_pages(s, use);
	if (!call(c, c->action->undo, "bind"))
		return;
	if (!let_go_bound(s, use))
		return;
	c->guard->dirty = false;
	if (unmount(c, "unmount"))
		check_synced(s, use, tag);
}

/*
 * A mapping that can be touched by now stays, and need not be waited for.  It is not
 * looked at earlier: a fault in the middle of the revocation is a subject of its own
 * (pmem_touched()).
 */
static void await_revocation(struct teardown *s)
{
	if (s->rule.revoke && pin_proc_touch(&s->h, MAP_MAIN, 0) == -EFAULT)
		timeline_mark(&s->c->guard->tl, TL_REVOKED);
}

/* the unbind itself, up to its verdict; false where nothing can follow */
static bool take_away(struct teardown *s)
{
	enum op_state state = OP_RUNNING;
	enum verdict_kind kind;

	if (!teardown_start(s))
		return false;
	/* going through every page of every file may take a while */
	for (int i = 0; i < WATCH_TIMES && state == OP_RUNNING; i++)
		state = teardown_watch(s);
	if (state != OP_RETURNED)
		await_revocation(s);
	kind = teardown_judge_early(s);
	if (kind != VERDICT_RETURNED_EARLY) {
		teardown_release_all(s);
		op_wait(&s->op, OP_DEADLINE_NS);
		await_revocation(s);
		kind = teardown_judge(s);
	}
	if (kind == VERDICT_NEVER_RETURNED)
		return false;
	guard_set_op(s->c->guard, 0);
	return true;
}

static void pmem(struct cell *c, enum usage use)
{
	struct teardown s;

	if (arrange(c, &s, use) && take_away(&s)) {
		if (runs_thread(use))
			cell_pin_proc_ok(c, pin_proc_wait_iteration(&s.h), "the thread goes on", &s.h);
		look_at_dead(&s, use);
		put_right(&s, use, TAG_MEMORY);
	}
	teardown_cleanup(&s);
}

static void pmem_mapped(struct cell *c)
{
	pmem(c, MAPPED);
}

static void pmem_touched(struct cell *c)
{
	pmem(c, TOUCHED);
}

static void pmem_unmapped(struct cell *c)
{
	pmem(c, CLOSED);
}

static void pmem_idle(struct cell *c)
{
	pmem(c, IDLE);
}

static void pmem_faulting(struct cell *c)
{
	pmem(c, FAULTING);
}

static void pmem_writing(struct cell *c)
{
	pmem(c, WRITING);
}

static void pmem_syncing(struct cell *c)
{
	pmem(c, SYNCING);
}

static void pmem_first_group(struct cell *c)
{
	struct teardown s;

	if (arrange_there(c, &s, IDLE) && take_away(&s))
		put_right(&s, IDLE, TAG_MEMORY);
	teardown_cleanup(&s);
}

/* nobody has anything of it: what a file system's bytes outlive in any case */
static void pmem_unmounted(struct cell *c)
{
	struct teardown s;

	if (arrange(c, &s, IDLE) && unmount(c, "unmount before the unbind") && take_away(&s) &&
	    call(c, c->action->undo, "bind"))
		check_synced(&s, IDLE, TAG_MEMORY);
	teardown_cleanup(&s);
}

/*
 * The users go while the device is away, as they do where it was pulled out.  What
 * has been seen so far is out before anything here is tried.
 */
static void gone_first(struct cell *c, enum usage use)
{
	struct teardown s;
	int ret;

	if (!arrange(c, &s, use))
		goto out;
	s.rule.revoke = false;
	if (!take_away(&s))
		goto out;
	pin_proc_kill(&s.h);
	ret = pin_proc_reap(&s.h, EXIT_NS);
	if (ret) {
		s.h.stuck = true;
		guard_set_wedged(c->guard);
	}
	if (expect(c, VERDICT_NEVER_RETURNED, !ret,
		   "a process that has the file mapped does not end after the unbind") &&
	    unmount(c, "unmount after the unbind") && call(c, c->action->undo, "bind"))
		check_synced(&s, use, TAG_MEMORY);
out:
	teardown_cleanup(&s);
}

static void pmem_unmap_first(struct cell *c)
{
	gone_first(c, MAPPED);
}

static void pmem_unmount_first(struct cell *c)
{
	gone_first(c, IDLE);
}

/*
 * A mapping's stores lie in the device's memory although nobody has been there to
 * see to it.  So fsync() may say that they are safe; but then they are there.
 */
static void pmem_sync_first(struct cell *c)
{
	struct teardown s;
	int ret;

	if (!arrange(c, &s, MAPPED))
		goto out;
	s.rule.revoke = false;
	ret = pin_proc_fill(&s.h, MAP_MAIN, 0, s.map_len, TAG_SINK);
	if (!expect_ok(c, ret, "filling the mapping", s.h.why) || !take_away(&s))
		goto out;
	ret = guard_bind_call(c->guard, sync_it);
	note(c, "fsync() while the device is unbound: %s", strerror(-ret));
	if (expect(c, VERDICT_NEVER_RETURNED, ret != -ETIMEDOUT && ret != -ECHILD,
		   "fsync() of a mapping's stores while the device is unbound does not return"))
		put_right(&s, MAPPED, ret ? TAG_ANY : TAG_SINK);
	else
		guard_set_wedged(c->guard);
out:
	teardown_cleanup(&s);
}

/* the block device itself, under reads and writes of two threads */
static void block(struct cell *c, unsigned int how)
{
	struct teardown s = { .c = c, .node = c->v.node, .usual_ns = PMEM_USUAL_NS };
	char why[160] = "";
	int ret;

	s.rule.action = c->action->verb;
	ret = bytes_write(c->v.node, 0, c->v.size, TAG_MEMORY, 0);
	ret = ret ?: bytes_sync(c->v.node);
	if (!expect_ok(c, ret, "filling the device", "") || !cell_pin_proc(c, &s.h))
		return;
	for (int i = 0; i < 2; i++)
		ret = ret ?: pin_proc_io(&s.h, c->v.node, c->v.size, TAG_MEMORY, how);
	ret = ret ?: pin_proc_wait_iteration(&s.h);
	if (expect_ok(c, ret, "the threads' first rounds", s.h.why) && take_away(&s)) {
		unsigned long rounds = 0;

		cell_pin_proc_ok(c, pin_proc_wait_iteration(&s.h), "the threads go on", &s.h);
		ret = pin_proc_stop_threads(&s.h, &rounds);
		expect(c, VERDICT_WRONG_DATA, ret != -EILSEQ, "%s", s.h.why);
		if (ret != -EILSEQ)
			cell_pin_proc_ok(c, ret, "the threads end", &s.h);
		if (call(c, c->action->undo, "bind")) {
			ret = bytes_check(c->v.node, 0, c->v.size, TAG_MEMORY, 0, why,
					  sizeof(why));
			expect(c, VERDICT_WRONG_DATA, !ret, "what was written: %s",
			       why[0] ? why : strerror(-ret));
		}
		note(c, "%lu transfers", rounds);
	}
	cell_pin_proc_end(c, &s.h);
}

static void block_read(struct cell *c)
{
	block(c, 0);
}

static void block_read_direct(struct cell *c)
{
	block(c, PIN_PROC_DIRECT);
}

static void block_written(struct cell *c)
{
	block(c, PIN_PROC_WRITE);
}

static void block_written_direct(struct cell *c)
{
	block(c, PIN_PROC_WRITE | PIN_PROC_DIRECT);
}

/*
 * xfs tells each process that has a page mapped that it is lost, the kernel logs it for
 * each, and so it does for each page that the suite cannot save: hence HEALTH_POISON.
 */
static const struct scenario_group fsdax_unbind_pte = {
	.name = "fsdax_unbind_pte",
	.order = 40,
	.common = {
		.on = ON_FILES,
		.sizes = AT_PTE,
		.acts = LIST("unbind_nd_pmem"),
		.bytes = SMALL_FILE_BYTES,
		.ignore = HEALTH_POISON,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "unmounted",
			.what = "its file system is unmounted: nothing is lost",
			.run = pmem_unmounted,
		}, {
			.name = "idle",
			.what = "mounted, no file open: reads and writes fail afterwards",
			.run = pmem_idle,
		}, {
			.name = "",
			.what = "a file is mapped: touching it is SIGBUS afterwards",
			.run = pmem_mapped,
		}, {
			.name = "",
			.what = "a page of a mapped file is in a pipe: the unbind waits",
			.pins = PIN_VMSPLICE,
			.run = pmem_mapped,
		}, {
			.name = "unmapped",
			.what = "a page is in a pipe, the file closed: it waits",
			.pins = PIN_VMSPLICE,
			.run = pmem_unmapped,
		}, {
			.name = "while_touched",
			.what = "a thread reads a mapping of the file",
			.run = pmem_touched,
		}, {
			.name = "while_faulted",
			.what = "a thread maps, touches and unmaps the file",
			.run = pmem_faulting,
		}, {
			.name = "while_written",
			.what = "a thread writes the file",
			.run = pmem_writing,
		}, {
			.name = "while_synced",
			.what = "a thread writes the file and syncs it",
			.run = pmem_syncing,
		}, {
			.name = "first_group",
			.what = "mounted, no file open but one in the first group",
			.on = ON_SHARING,
			.destructive = true,
			.run = pmem_first_group,
		}, {
			.name = "unmount_first",
			.what = "it is unmounted before the device is back",
			.destructive = true,
			.run = pmem_unmount_first,
		}, {
			.name = "unmap_first",
			.what = "a mapping is dropped before the device is back",
			.destructive = true,
			.run = pmem_unmap_first,
		}, {
			.name = "sync_first",
			.what = "a mapping's stores are synced before it is back",
			.destructive = true,
			.run = pmem_sync_first,
		},
		{ }
	},
};

REGISTER(scenario_groups, &fsdax_unbind_pte);

static const struct scenario_group fsdax_unbind_pmd = {
	.name = "fsdax_unbind_pmd",
	.order = 41,
	.common = {
		.on = ON_FILES,
		.sizes = AT_PMD,
		.acts = LIST("unbind_nd_pmem"),
		.bytes = FILE_BYTES,
		.ignore = HEALTH_POISON,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "",
			.what = "a file is mapped: touching it is SIGBUS afterwards",
			.run = pmem_mapped,
		}, {
			.name = "",
			.what = "a page of a mapped file is in a pipe: the unbind waits",
			.pins = PIN_VMSPLICE,
			.run = pmem_mapped,
		}, {
			.name = "",
			.what = "I/O from or to a mapped file is in flight: it waits",
			.pins = PINS_DM_DELAY_DIRECT,
			.run = pmem_mapped,
		}, {
			.name = "unmapped",
			.what = "a page is in a pipe, the file closed: it waits",
			.pins = PIN_VMSPLICE,
			.run = pmem_unmapped,
		}, {
			.name = "while_touched",
			.what = "a thread reads a mapping of the file",
			.run = pmem_touched,
		}, {
			.name = "while_faulted",
			.what = "a thread maps, touches and unmaps the file",
			.run = pmem_faulting,
		}, {
			.name = "unmap_first",
			.what = "a mapping is dropped before the device is back",
			.destructive = true,
			.run = pmem_unmap_first,
		},
		{ }
	},
};

REGISTER(scenario_groups, &fsdax_unbind_pmd);

static const struct scenario_group block_unbind = {
	.name = "block_unbind",
	.order = 45,
	.common = {
		.on = ON_BLOCKS,
		.sizes = AT_PTE,
		.acts = LIST("unbind_nd_pmem"),
		.bytes = FILE_BYTES,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "while_read",
			.what = "it is read through the page cache",
			.run = block_read,
		}, {
			.name = "while_read_direct",
			.what = "it is read with O_DIRECT",
			.run = block_read_direct,
		}, {
			.name = "while_written",
			.what = "it is written through the page cache",
			.run = block_written,
		}, {
			.name = "while_written_direct",
			.what = "it is written with O_DIRECT",
			.run = block_written_direct,
		},
		{ }
	},
};

REGISTER(scenario_groups, &block_unbind);
