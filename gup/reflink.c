// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins on extents that two files share (reflink): a store to one file makes a copy of
 * the blocks while the pin is out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gup/gup.h"

/* Longer than a truncate that does not wait takes on a loaded machine. */
#define EARLY_NS	(3 * NSEC_PER_SEC)

/* Most files that freed blocks are given to. */
#define REUSER_FILES	8

/* Stop when less space than this is left, bytes; reusers are multiples of it long. */
static size_t reuser_unit(void)
{
	return 2 * daxmap_bytes(DAXMAP_PMD);
}

/* the other file: @twin is set to its descriptor, -1 if there is none */
static bool open_twin(struct cell *c, int *twin)
{
	char path[NODE_LEN + 8];

	snprintf(path, sizeof(path), "%s.twin", c->v.node);
	*twin = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return expect(c, VERDICT_FAILED, *twin >= 0, "creating the other file: %s",
		      strerror(errno));
}

static bool share_extents(struct test_map *tm, int twin)
{
	int ret;

	set_step("sharing the extents");
	ret = sys_result(ioctl(twin, FICLONE, tm->alias.fd));
	if (ret == -EOPNOTSUPP || ret == -EINVAL) {
		skip(tm->c, "this kernel shares no extents of DAX files: %s", strerror(-ret));
		return false;
	}
	return expect_ok(tm->c, ret, "sharing the extents", "");
}

/* a file with a pin on an extent that it shares with @twin */
static bool pin_shared(struct test_map *tm, struct pin_test *pt, struct cell *c, int *twin)
{
	*twin = -1;
	if (!test_map_open(tm, c) || !open_twin(c, twin))
		return false;
	pin_test_init(pt, tm, c->method, test_map_pages(tm));
	pt->as_is = true;
	test_map_fill(tm, &pt->span);
	return share_extents(tm, *twin) && pin_test_take(pt, 0);
}

static void close_shared(struct test_map *tm, int twin)
{
	if (twin >= 0)
		close(twin);
	test_map_close(tm);
}

/*
 * A pin that reads is on the extent that both files share: stores to one file go to a
 * copy, and the pin sees none of them.
 */
static void check_source(struct test_map *tm, struct pin_test *pt)
{
	const struct span *s = &pt->span;

	set_step("storing to a shared extent with a pin out");
	test_map_store(tm, s->off, tm->page, TAG_STORE);
	/* and through a mapping that is older than the sharing */
	test_map_store_alias(tm, s->off + tm->page, tm->page, TAG_STORE);
	if (!test_map_check(tm, s, TAG_STORE) ||
	    !test_map_check_mapped(tm, "the mapping after a store to it", s->off, s->len,
				   TAG_STORE) ||
	    !pin_test_release(pt))
		return;
	test_map_check_buf(tm, "the bytes read through the pin on the shared extent",
			   pt->pin.peer, s->off, s->len, TAG_MEMORY);
}

/* a new file, stored to page by page; false when there is no space for one */
static bool write_reuser(struct test_map *tm, int nr)
{
	const struct fsdax *f = &tm->c->guard->fs[0];
	char name[16], path[NODE_LEN], why[WHY_LEN];
	size_t bytes = 0, unit = reuser_unit();
	struct daxmap m;
	struct statvfs st;

	snprintf(name, sizeof(name), "next%d", nr);
	if (!statvfs(f->dir, &st))
		bytes = (size_t)st.f_bavail * st.f_frsize;
	/* all free space, or half of it, and so on: stores need some for themselves */
	for (; bytes > unit; bytes /= 2) {
		bytes = bytes / unit * unit;
		if (!fsdax_file(f, name, bytes, path, sizeof(path), why, sizeof(why)))
			break;
		unlink(path);
	}
	if (bytes <= unit ||
	    !expect_ok(tm->c, daxmap_open(&m, path, DAXMAP_PMD, 0, bytes, PROT_RW),
		       "mapping a file that reuses the blocks", ""))
		return false;
	daxmap_touch(&m, 0, m.len, true, NULL);
	daxmap_close(&m);
	return true;
}

static void remove_reusers(struct test_map *tm)
{
	char path[NODE_LEN + 8];

	set_step("removing the files that reuse the blocks");
	for (int nr = 0; nr < REUSER_FILES; nr++) {
		snprintf(path, sizeof(path), "%s/next%d", tm->c->guard->fs[0].dir, nr);
		unlink(path);
	}
}

static void free_and_reuse(struct test_map *tm, int twin)
{
	struct cell *c = tm->c;

	if (!expect_ok(c, sys_result(ftruncate(twin, 0)), "truncating the other file", "") ||
	    !expect_ok(c, sys_result(ftruncate(tm->map.fd, 0)), "truncating the file", "") ||
	    !expect_ok(c, sys_result(syncfs(twin)), "syncfs() after the truncates", ""))
		return;
	set_step("storing to files that reuse the blocks");
	for (int nr = 0; nr < REUSER_FILES && write_reuser(tm, nr); nr++)
		;
	remove_reusers(tm);
}

/*
 * Blocks that were shared, or that a copy went to, serve the next file like any others.
 * A process of its own uses them: a page with a wrong refcount blocks it for ever.
 *
 * Guards 169004265860 ("fsdax: introduce page->share for fsdax in reflink mode"): pages
 * that a copy went to were taken for the old file's after they had been freed.
 */
static void reuse_blocks(struct test_map *tm, int twin)
{
	pid_t pid;

	set_step("freeing the blocks");
	daxmap_unmap(&tm->map);
	daxmap_unmap(&tm->alias);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		free_and_reuse(tm, twin);
		_exit(0);
	}
	if (!expect(tm->c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno)))
		return;
	guard_add_proc(tm->c->guard, pid);
	if (await_child(tm->c, pid, "freeing and reusing the shared blocks"))
		guard_drop_proc(tm->c->guard, pid);
}

/*
 * Guards f80e1668888f ("fsdax: invalidate pages when CoW"), and the owner that a page
 * records: a page of a shared extent has several.
 */
static void reflink_pinned(struct cell *c)
{
	struct test_map tm;
	struct pin_test pt;
	int twin;

	if (!pin_shared(&tm, &pt, c, &twin))
		goto out;
	if (!cell_is_sink(c))
		check_source(&tm, &pt);
	else if (pin_test_release(&pt))
		test_map_check(&tm, &pt.span, TAG_SINK);
	pin_test_close(&pt);
	if (!cell_over(c) && expect_balance(c, &pt.before, "a shared extent"))
		test_map_check_file(&tm, "the other file", twin, tm.map.off + pt.span.off,
				    pt.span.off, pt.span.len, TAG_MEMORY);
	reuse_blocks(&tm, twin);
out:
	close_shared(&tm, twin);
}

/* a truncate that has to wait for the pin must not return while the pin is out */
static void watch_truncate(struct cell *c, pid_t pid)
{
	const struct timespec poll = { .tv_nsec = 10 * NSEC_PER_MSEC };
	uint64_t end = timeline_now() + EARLY_NS;
	siginfo_t info = { 0 };

	set_step("watching the truncate");
	while (!info.si_pid && timeline_now() < end) {
		if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT))
			break;
		nanosleep(&poll, NULL);
	}
	expect(c, VERDICT_RETURNED_EARLY, !info.si_pid,
	       "truncate returned although the blocks it freed are pinned; expected it to wait");
	if (info.si_pid)
		guard_needs_mkfs(c->guard);
}

/* the pin's file gets a copy first, so that the extent belongs to @twin alone */
static void truncate_twin(struct test_map *tm, struct pin_test *pt, int twin)
{
	pid_t pid;

	set_step("storing to a shared extent with a pin out");
	test_map_store(tm, pt->span.off, pt->span.len, TAG_STORE);
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(ftruncate(twin, 0) ? 1 : 0);
	if (!expect(tm->c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno)))
		return;
	guard_add_proc(tm->c->guard, pid);
	watch_truncate(tm->c, pid);
	pin_test_release(pt);
	await_child(tm->c, pid, "truncate of the other file");
	guard_drop_proc(tm->c->guard, pid);
}

/*
 * Freeing an extent has to wait for all pins on it, also for those that were taken
 * through another file that shared it.
 */
static void reflink_freed(struct cell *c)
{
	struct test_map tm;
	struct pin_test pt;
	int twin;

	if (pin_shared(&tm, &pt, c, &twin)) {
		truncate_twin(&tm, &pt, twin);
		pin_test_close(&pt);
		reuse_blocks(&tm, twin);
	}
	close_shared(&tm, twin);
}

/* share a page of each entry and store to it, so that it becomes a copy */
static bool copy_parts(struct cell *c, struct daxmap *m, int twin)
{
	size_t page = sysconf(_SC_PAGESIZE), entry = daxmap_bytes(c->size);

	for (size_t off = 0; off < m->len; off += entry > page ? entry : m->len / 2) {
		loff_t from = off, to = off;
		volatile char *at = (char *)m->addr + off;
		ssize_t n;

		*at = 'o';
		n = copy_file_range(m->fd, &from, twin, &to, page, 0);
		if (!expect_transfer(c, "sharing a page by copy_file_range()", n, page))
			return false;
		*at = 'n';
	}
	return true;
}

/*
 * A part of an entry becomes a copy, and the file is removed.  The file system keeps a
 * count for a large entry, which has to move to the smaller ones that replace it:
 * clear_inode() has a BUG_ON() for any that is left.
 */
static void copy_removed(struct cell *c)
{
	struct daxmap m;
	bool copied = false;
	int twin;

	if (!cell_fresh_pages(c) || !open_twin(c, &twin))
		return;
	if (expect_ok(c, daxmap_open(&m, c->v.node, c->size, 0, c->v.size, PROT_RW),
		      "mapping the file", ""))
		copied = copy_parts(c, &m, twin);
	daxmap_close(&m);
	close(twin);
	if (copied)
		cell_remove_file(c);
}

/*
 * What a kernel does with a page that was shared may depend on what happened to the page
 * before: these cells get pages that no file has had, and no later cell gets them.
 */
static void run_on_fresh_pages(struct cell *c)
{
	if (!cell_fresh_pages(c))
		return;
	run_isolated(c);
	if (c->verdict != VERDICT_PASS)
		expect_ok(c, guard_fresh_pages(c->guard), "making a new memory map", "");
}

static const struct scenario_group reflink = {
	.name = "reflink",
	.order = 110,
	.common = {
		.on = ON_SHARING,
		.sizes = AT_PTE,
		.run = run_on_fresh_pages,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "reflink_pinned",
			.what = "shared extents: a store makes a copy, the pin stays on the old blocks",
			.pins = PINS_FILE,
			.body = reflink_pinned,
		}, {
			.name = "reflink_pinned",
			.what = "shared extents: a store makes a copy, the pin stays on the old blocks",
			.pins = PINS_FILE_SINK,
			.sizes = AT_PMD,
			.body = reflink_pinned,
		}, {
			.name = "reflink_freed",
			.what = "shared extents: truncate of the other file waits for the pin",
			.pins = PIN_VMSPLICE,
			.body = reflink_freed,
		}, {
			.name = "reflink_split",
			.what = "a large entry on shared extents: a store makes a copy, the pin stays",
			.pins = PIN_VMSPLICE,
			.sizes = AT_PMD,
			.destructive = true,
			.body = reflink_pinned,
		}, {
			.name = "copy_removed",
			.what = "a part of each entry is shared and stored to, and the file is removed",
			.sizes = AT_FILE,
			.destructive = true,
			.run = copy_removed,
		},
		{ }
	},
};

REGISTER(scenario_groups, &reflink);
