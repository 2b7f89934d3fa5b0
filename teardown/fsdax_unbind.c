// SPDX-License-Identifier: GPL-2.0-only
/*
 * nd_pmem is unbound from the block device below a file system.
 *
 * The rule for pages is the same as for device-dax, see dax_teardown.c: mappings are
 * revoked, and the memory map stays until the last page reference is dropped.  In
 * addition, no call on the file system may access the device afterwards, and after bind
 * the device holds all that was synced.
 *
 * After an early return the struct pages are gone; munmap(), fsync() or umount may oops.
 * So the driver is bound first, mappings and pins are released then, and one more unbind
 * and bind resets the memory map.  Scenarios that do not bind first are destructive.
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

#include "teardown/pmem_unbind.h"
#include "teardown/teardown.h"

/* Exit of a process that only has a mapping takes milliseconds. */
#define EXIT_NS		(5 * NSEC_PER_SEC)

/* Directories made until one is in the second half of the device. */
#define GROUPS_TRIED	4

/* Size of a second file, mapped by small pages: milliseconds to unmap. */
#define SECOND_BYTES	(4ul << 20)

/* Size of a file that is mapped by small pages. */
#define SMALL_FILE_BYTES	(256u << 10)

/**
 * enum file_use - how the file is used while its device is unbound
 * @FILE_IDLE: not at all; it was mapped once, its inode is in memory
 * @FILE_MAPPED: it is mapped, and touched afterwards
 * @FILE_TOUCHED: it is mapped, and a thread reads it
 * @FILE_CLOSED: it was mapped and is closed; a pin may be out
 * @FILE_FAULTED: a thread maps, touches and unmaps it
 * @FILE_WRITTEN: a thread writes it
 * @FILE_SYNCED: a thread writes it and calls fsync()
 */
enum file_use {
	FILE_IDLE,
	FILE_MAPPED,
	FILE_TOUCHED,
	FILE_CLOSED,
	FILE_FAULTED,
	FILE_WRITTEN,
	FILE_SYNCED,
};

static struct fsdax *cell_fs(const struct cell *c)
{
	return &c->guard->fs[0];
}

/* Calls on the file while its device is unbound, for a task that may get stuck. */

static int read_file(const struct test_mem *v)
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

static int write_file(const struct test_mem *v)
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

/* path of a second file, in the directory of the cell's own */
static void second_path(const struct test_mem *v, char path[NODE_LEN])
{
	static const char suffix[] = ".second";

	snprintf(path, NODE_LEN, "%.*s%s", (int)(NODE_LEN - sizeof(suffix)), v->node, suffix);
}

static int write_second(const struct test_mem *v)
{
	struct test_mem other = *v;

	second_path(v, other.node);
	return write_file(&other);
}

static int sync_file(const struct test_mem *v)
{
	return bytes_sync(v->node);
}

static bool runs_thread(enum file_use use)
{
	return use == FILE_FAULTED || use == FILE_WRITTEN || use == FILE_SYNCED;
}

static bool start_use(struct teardown *s, enum file_use use)
{
	struct pin_proc *h = &s->h;
	struct cell *c = s->c;
	int ret;

	s->rule.revoke = use == FILE_MAPPED || use == FILE_TOUCHED;
	if (use == FILE_MAPPED)
		return true;
	if (use == FILE_TOUCHED) {
		ret = pin_proc_watch_busy(h, MAP_MAIN, 0);
		return expect_ok(c, ret, "starting a thread that reads the mapping", h->why);
	}
	ret = pin_proc_close(h, MAP_MAIN);
	if (!expect_ok(c, ret, "closing the file", h->why))
		return false;
	if (!runs_thread(use))
		return true;
	if (use == FILE_FAULTED)
		ret = pin_proc_remap_loop(h, s->node, c->size, false);
	else
		ret = pin_proc_io(h, s->node, c->v.size, TAG_MEMORY,
				  PIN_PROC_WRITE | (use == FILE_SYNCED ? PIN_PROC_SYNC : 0));
	if (!expect_ok(c, ret, "starting a thread that uses the file", h->why))
		return false;
	ret = pin_proc_wait_iteration(h);
	return expect_ok(c, ret, "first iteration of the thread", h->why);
}

static int free_file(const char *path)
{
	return truncate(path, 0) || unlink(path) ? -errno : 0;
}

/* make the cell's file in a new directory; @at: physical address of its first block */
static bool make_in_directory(struct cell *c, int i, uint64_t *at)
{
	const struct fsdax *f = cell_fs(c);
	char path[NODE_LEN], name[32], why[WHY_LEN] = "";
	int ret = 0;

	snprintf(path, sizeof(path), "%s/group%d", f->dir, i);
	if (mkdir(path, 0700) && errno != EEXIST)
		ret = -errno;
	if (!expect_ok(c, ret, "making a directory", path))
		return false;
	snprintf(name, sizeof(name), "group%d/cell", i);
	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	unlink(path);
	ret = fsdax_file(f, name, c->v.size, c->v.node, sizeof(c->v.node), why, sizeof(why));
	if (!expect_ok(c, ret, "making the file in the directory", why))
		return false;
	ret = fsdax_physical(c->v.node, 0, at);
	return expect_ok(c, ret, "looking up the file's first block", path);
}

/*
 * xfs goes through its files by allocation group.  A kernel that gets the end of a group
 * wrong loops forever in every group but the last: the scenario first_group tests that.
 * For the others the file is moved to the last group.  xfs takes the groups in turn for
 * new directories, and the group of its directory for a file.
 */
static bool move_to_last_group(struct cell *c)
{
	uint64_t at = 0, half = cell_fs(c)->ns.capacity / 2;
	bool made = true;

	if (!(c->memory->caps & MEM_SHARES))
		return true;
	for (int i = 0; i < GROUPS_TRIED && made && at < half; i++) {
		int ret = free_file(c->v.node);

		made = expect_ok(c, ret, "removing the file from its group", c->v.node) &&
		       make_in_directory(c, i, &at);
	}
	guard_set_mem(c->guard, &c->v);
	return made && expect(c, VERDICT_FAILED, at >= half,
			      "no directory of %d lies in the last allocation group",
			      GROUPS_TRIED);
}

/* a second file, whose mapping keeps its inode in memory */
static bool map_second(struct teardown *s, size_t len, char path[NODE_LEN])
{
	struct cell *c = s->c;
	const struct fsdax *f = cell_fs(c);
	char why[WHY_LEN] = "";
	int ret;

	second_path(&c->v, path);
	unlink(path);
	ret = fsdax_file(f, path + strlen(f->dir) + 1, len, path, NODE_LEN, why, sizeof(why));
	if (!expect_ok(c, ret, "making a second file", why))
		return false;
	ret = pin_proc_map(&s->h, MAP_WHOLE, path, DAXMAP_PTE, 0, len, PROT_READ | PROT_WRITE);
	return expect_ok(c, ret, "mapping a second file", s->h.why);
}

/*
 * What a kernel does when an inode gets dirty on a dead device, it does only if the
 * inode was clean before.  The file that a thread uses may be clean or dirty, so a second
 * one is kept open and clean; it is written when the device is gone.
 */
static bool keep_clean_file(struct teardown *s)
{
	char path[NODE_LEN];

	return map_second(s, daxmap_bytes(DAXMAP_PTE), path);
}

/*
 * xfs unmaps one file after the other, in the order of their blocks, and refuses new
 * faults when it has finished with all.  A second file with many pages after the first
 * one gives the thread time to fault in the first one again.
 */
static bool keep_large_file(struct teardown *s)
{
	uint64_t at = 0, second = 0;
	struct cell *c = s->c;
	char path[NODE_LEN];
	int ret;

	if (!map_second(s, SECOND_BYTES, path))
		return false;
	ret = pin_proc_fill(&s->h, MAP_WHOLE, 0, SECOND_BYTES, TAG_MEMORY);
	if (!expect_ok(c, ret, "filling the second file", s->h.why) ||
	    !expect_ok(c, bytes_sync(path), "fsync of the second file", path) ||
	    !expect_ok(c, fsdax_physical(s->node, 0, &at), "looking up blocks", s->node) ||
	    !expect_ok(c, fsdax_physical(path, 0, &second), "looking up blocks", path))
		return false;
	if (second < at)
		note("the second file lies before the first");
	return true;
}

static bool setup_file(struct cell *c, struct teardown *s, enum file_use use)
{
	/* cleared once the file system has been checked */
	guard_needs_mkfs(c->guard);
	/* a WARN_ONCE of an earlier cell must not hide this one's */
	if (getenv("DAX_TEST_CLEAR_WARN_ONCE"))
		health_clear_warn_once();
	if (!teardown_setup(c, s))
		return false;
	s->usual_ns = PMEM_USUAL_NS;
	if (runs_thread(use) && !keep_clean_file(s))
		return false;
	if (use == FILE_TOUCHED && !keep_large_file(s))
		return false;
	if (!expect_ok(c, bytes_sync(s->node), "fsync before the unbind", ""))
		return false;
	if (c->method && !teardown_pin(s, c->method, 0))
		return false;
	return start_use(s, use);
}

static bool setup_file_in_last_group(struct cell *c, struct teardown *s, enum file_use use)
{
	/* teardown_cleanup() follows in any case */
	memset(s, 0, sizeof(*s));
	s->c = c;
	return move_to_last_group(c) && setup_file(c, s, use);
}

/* a call on a file whose device is unbound has to fail, with any error */
static void expect_fails(struct cell *c, int (*call)(const struct test_mem *v), const char *what)
{
	int ret = guard_bind_call(c->guard, call);

	expect(c, ret == -ETIMEDOUT || ret == -ECHILD ? VERDICT_NEVER_RETURNED : VERDICT_FAILED,
	       ret && ret != -ETIMEDOUT && ret != -ECHILD,
	       "%s while the device is unbound: %s; expected an error", what,
	       ret == -ECHILD ? "the task died" : strerror(-ret));
	if (ret)
		note("%s while the device is unbound: %s", what, strerror(-ret));
}

static void check_unbound(struct teardown *s, enum file_use use)
{
	struct cell *c = s->c;
	struct pin_proc *h = &s->h;
	int ret;

	if (cell_over(c) && c->verdict == VERDICT_NEVER_RETURNED)
		return;
	if (runs_thread(use))
		expect_fails(c, write_second, "write() to a clean file");
	expect_fails(c, read_file, "read()");
	expect_fails(c, write_file, "write()");
	if (!s->rule.revoke)
		return;
	ret = pin_proc_map(h, MAP_AGAIN, s->node, c->size, 0, s->map_len, PROT_READ | PROT_WRITE);
	if (ret) {
		note("mapping the file while the device is unbound: %s", strerror(-ret));
		return;
	}
	ret = pin_proc_touch(h, MAP_AGAIN, 0);
	expect(c, VERDICT_NOT_REVOKED, ret == -EFAULT,
	       "a mapping made after the unbind: %s; expected SIGBUS",
	       ret ? strerror(-ret) : "it can be touched");
}

static bool unmount(struct cell *c, const char *what)
{
	return pmem_expect_done(c, guard_unmount(c->guard), what);
}

/*
 * The file system is unmounted, its device is bound again.  It is mounted before it is
 * checked, which replays the log: a checker that only reads cannot.
 */
static void check_synced(struct teardown *s, enum file_use use, uint16_t tag)
{
	struct cell *c = s->c;
	struct fsdax *f = cell_fs(c);
	char why[WHY_LEN] = "";
	int ret = fsdax_mount(f);

	if (!expect_ok(c, ret, "mounting the file system again", ""))
		return;
	ret = bytes_check(s->node, 0, c->v.size, tag, 0, why, sizeof(why));
	expect(c, VERDICT_WRONG_DATA, !ret, "what was synced before the unbind: %s",
	       why[0] ? why : strerror(-ret));
	if (cell_over(c))
		return;
	/* the check takes long: only where metadata may have been written */
	if (use != FILE_IDLE && use != FILE_WRITTEN && use != FILE_SYNCED) {
		guard_has_clean_fs(c->guard);
		return;
	}
	ret = fsdax_unmount(f);
	if (!expect_ok(c, ret, "unmounting the file system", ""))
		return;
	why[0] = '\0';
	ret = fsdax_check(f, why, sizeof(why));
	if (ret == -ENOENT)
		note("the file system cannot be checked here: %s", why);
	else if (ret)
		expect_ok(c, ret, "checking the file system", why);
	else
		guard_has_clean_fs(c->guard);
	expect_ok(c, fsdax_mount(f), "mounting the file system after the check", "");
}

/* were pages of the file in use when the memory map was released? */
static bool holds_pages(const struct teardown *s, enum file_use use)
{
	return use == FILE_MAPPED || use == FILE_TOUCHED || s->nr_pins;
}

/* release pins and mappings from before the unbind while the memory map is there */
static bool release_bound(struct teardown *s, enum file_use use)
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
		note("the kernel has killed the process that had the file mapped");
	else
		expect_ok(c, ret, "stopping the threads and closing the file", s->h.why);
	if (!held)
		return true;
	return pmem_call(c, c->action->run, "unbind to reset the memory map") &&
	       pmem_call(c, c->action->undo, "bind after it");
}

/* bind first: then no kernel has to survive users of a device that is gone */
static void bind_and_check(struct teardown *s, enum file_use use, uint16_t tag)
{
	struct cell *c = s->c;

	if (holds_pages(s, use))
		guard_needs_new_memmap(c->guard);
	if (!pmem_call(c, c->action->undo, "bind"))
		return;
	if (!release_bound(s, use))
		return;
	guard_has_new_memmap(c->guard);
	if (unmount(c, "unmount"))
		check_synced(s, use, tag);
}

static void unbind_used(struct cell *c, enum file_use use)
{
	struct teardown s;
	int ret;

	if (setup_file_in_last_group(c, &s, use) && pmem_unbind(&s)) {
		if (runs_thread(use)) {
			ret = pin_proc_wait_iteration(&s.h);
			cell_pin_proc_ok(c, ret, "next iteration of the thread", &s.h);
		}
		check_unbound(&s, use);
		bind_and_check(&s, use, TAG_MEMORY);
	}
	teardown_cleanup(&s);
}

static void mapped(struct cell *c)
{
	unbind_used(c, FILE_MAPPED);
}

static void while_touched(struct cell *c)
{
	unbind_used(c, FILE_TOUCHED);
}

static void unmapped(struct cell *c)
{
	unbind_used(c, FILE_CLOSED);
}

static void idle(struct cell *c)
{
	unbind_used(c, FILE_IDLE);
}

static void while_faulted(struct cell *c)
{
	unbind_used(c, FILE_FAULTED);
}

static void while_written(struct cell *c)
{
	unbind_used(c, FILE_WRITTEN);
}

static void while_synced(struct cell *c)
{
	unbind_used(c, FILE_SYNCED);
}

static void first_group(struct cell *c)
{
	struct teardown s;

	if (setup_file(c, &s, FILE_IDLE) && pmem_unbind(&s))
		bind_and_check(&s, FILE_IDLE, TAG_MEMORY);
	teardown_cleanup(&s);
}

/* unmounted and idle: the data must survive */
static void unmounted(struct cell *c)
{
	struct teardown s;

	if (setup_file_in_last_group(c, &s, FILE_IDLE) &&
	    unmount(c, "unmount before the unbind") && pmem_unbind(&s) &&
	    pmem_call(c, c->action->undo, "bind"))
		check_synced(&s, FILE_IDLE, TAG_MEMORY);
	teardown_cleanup(&s);
}

/*
 * Mappings and mount go while the device is unbound, as after a surprise removal.  The
 * verdict so far has been printed: the kernel may crash.
 */
static void drop_users_first(struct cell *c, enum file_use use)
{
	struct teardown s;
	int ret;

	if (!setup_file_in_last_group(c, &s, use))
		goto out;
	s.rule.revoke = false;
	if (!pmem_unbind(&s))
		goto out;
	pin_proc_kill(&s.h);
	ret = pin_proc_reap(&s.h, EXIT_NS);
	if (ret) {
		s.h.stuck = true;
		guard_set_wedged(c->guard);
	}
	if (expect(c, VERDICT_NEVER_RETURNED, !ret,
		   "a process with the file mapped does not exit after the unbind") &&
	    unmount(c, "unmount after the unbind") && pmem_call(c, c->action->undo, "bind"))
		check_synced(&s, use, TAG_MEMORY);
out:
	teardown_cleanup(&s);
}

static void unmap_first(struct cell *c)
{
	drop_users_first(c, FILE_MAPPED);
}

static void unmount_first(struct cell *c)
{
	drop_users_first(c, FILE_IDLE);
}

/*
 * Stores through a mapping reach the device's memory without the driver's help, so
 * fsync() may succeed; if it does, the data must be there.
 */
static void sync_first(struct cell *c)
{
	struct teardown s;
	int ret;

	if (!setup_file_in_last_group(c, &s, FILE_MAPPED))
		goto out;
	s.rule.revoke = false;
	ret = pin_proc_fill(&s.h, MAP_MAIN, 0, s.map_len, TAG_SINK);
	if (!expect_ok(c, ret, "filling the mapping", s.h.why) || !pmem_unbind(&s))
		goto out;
	ret = guard_bind_call(c->guard, sync_file);
	note("fsync() while the device is unbound: %s", strerror(-ret));
	if (expect(c, VERDICT_NEVER_RETURNED, ret != -ETIMEDOUT && ret != -ECHILD,
		   "fsync() of a mapping's stores never returned while the device is unbound"))
		bind_and_check(&s, FILE_MAPPED, ret ? TAG_ANY : TAG_SINK);
	else
		guard_set_wedged(c->guard);
out:
	teardown_cleanup(&s);
}

/*
 * On unbind xfs handles each mapped page as a memory failure, and the kernel logs it for
 * each process: hence HEALTH_POISON.
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
			.what = "the file system is unmounted: no data is lost",
			.run = unmounted,
		}, {
			.name = "idle",
			.what = "mounted, no file open: read() and write() fail afterwards",
			.run = idle,
		}, {
			.name = "",
			.what = "a file is mapped: touching it raises SIGBUS afterwards",
			.run = mapped,
		}, {
			.name = "",
			.what = "a page of a mapped file is in a pipe: the unbind waits for it",
			.pins = PIN_VMSPLICE,
			.run = mapped,
		}, {
			.name = "unmapped",
			.what = "a page is in a pipe, the file is closed: the unbind waits for it",
			.pins = PIN_VMSPLICE,
			.run = unmapped,
		}, {
			.name = "while_touched",
			.what = "while a thread reads a mapping of the file",
			.run = while_touched,
		}, {
			.name = "while_faulted",
			.what = "while a thread maps, touches and unmaps the file",
			.run = while_faulted,
		}, {
			.name = "while_written",
			.what = "while a thread writes the file",
			.run = while_written,
		}, {
			.name = "while_synced",
			.what = "while a thread writes the file and syncs it",
			.run = while_synced,
		}, {
			.name = "first_group",
			.what = "mounted, no file open; one lies in the first allocation group",
			.on = ON_SHARING,
			.destructive = true,
			.run = first_group,
		}, {
			.name = "unmount_first",
			.what = "the file system is unmounted before the device is bound again",
			.destructive = true,
			.run = unmount_first,
		}, {
			.name = "unmap_first",
			.what = "a mapping is dropped before the device is bound again",
			.destructive = true,
			.run = unmap_first,
		}, {
			.name = "sync_first",
			.what = "a mapping's stores are synced before the device is bound again",
			.destructive = true,
			.run = sync_first,
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
			.what = "a file is mapped: touching it raises SIGBUS afterwards",
			.run = mapped,
		}, {
			.name = "",
			.what = "a page of a mapped file is in a pipe: the unbind waits for it",
			.pins = PIN_VMSPLICE,
			.run = mapped,
		}, {
			.name = "",
			.what = "I/O from or to a mapped file is in flight: the unbind waits for it",
			.pins = PINS_DM_DELAY_DIRECT,
			.run = mapped,
		}, {
			.name = "unmapped",
			.what = "a page is in a pipe, the file is closed: the unbind waits for it",
			.pins = PIN_VMSPLICE,
			.run = unmapped,
		}, {
			.name = "while_touched",
			.what = "while a thread reads a mapping of the file",
			.run = while_touched,
		}, {
			.name = "while_faulted",
			.what = "while a thread maps, touches and unmaps the file",
			.run = while_faulted,
		}, {
			.name = "unmap_first",
			.what = "a mapping is dropped before the device is bound again",
			.destructive = true,
			.run = unmap_first,
		},
		{ }
	},
};

REGISTER(scenario_groups, &fsdax_unbind_pmd);
