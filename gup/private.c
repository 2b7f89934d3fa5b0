// SPDX-License-Identifier: GPL-2.0
/*
 * Who sees which bytes: private mappings and shared extents, of which a store makes
 * a copy while a pin is out; and files that are read into, and written from, the
 * mapping of a file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gup/gup.h"


/* As long as two threads need to meet a few hundred times. */
#define RACE_NS		(NSEC_PER_SEC / 3)

/* What does not wait may be slow on a loaded machine, but not so slow. */
#define EARLY_NS	(3 * NSEC_PER_SEC)

/* Room that is left alone, and the most files that the rest is given to. */
#define REUSE_LEAST	(4u << 20)
#define REUSE_FILES	8

static const int rw = PROT_READ | PROT_WRITE;

static bool is_sink(const struct cell *c)
{
	return c->method->flags & PIN_SINK;
}

static bool mapped_bytes(struct test_map *tm, const char *what, size_t off, size_t len,
			 uint16_t tag)
{
	return test_map_bytes(tm, what, (char *)tm->map.addr + off, off, len, tag);
}

/* a page in each mapping: the private one gets a copy, the file the other store */
static void store_both(struct test_map *tm, const struct span *s)
{
	set_step("storing to a private page with a pin out");
	pattern_fill((char *)tm->map.addr + s->off, tm->page, TAG_STORE, tm->map.off + s->off);
	pattern_fill((char *)tm->alias.addr + s->off, s->len, TAG_LATER, tm->map.off + s->off);
}

/* a child sees the private copy, and what it stores stays its own */
static bool child_sees(struct test_map *tm, const struct span *s)
{
	size_t apart = s->off > 4 * tm->page ? s->off - 4 * tm->page : s->off + 8 * tm->page;
	pid_t pid;

	set_step("fork with a pin out");
	pid = fork();
	if (!pid) {
		if (!is_sink(tm->c))
			mapped_bytes(tm, "in a child, the private page", s->off, tm->page,
				     TAG_STORE);
		pattern_fill((char *)tm->map.addr + apart, tm->page, TAG_STORE, tm->map.off + apart);
		_exit(0);
	}
	if (!expect(tm->c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno)))
		return false;
	return await_child(tm->c, pid, "a child of a private mapping") &&
	       mapped_bytes(tm, "what a child stored to its own copy", apart, tm->page, TAG_MEMORY);
}

/*
 * The kernel reads: the pin is on the file's page.  A store to the private mapping
 * makes a copy that the pin knows nothing of; stores to the file it sees.
 */
static void private_source(struct test_map *tm, struct pin_test *pt)
{
	const struct span *s = &pt->span;

	store_both(tm, s);
	if (!mapped_bytes(tm, "the private page after its store", s->off, tm->page, TAG_STORE) ||
	    !child_sees(tm, s) || !pin_test_end(pt))
		return;
	test_map_bytes(tm, "what the pin on the file's pages read", pt->pin.peer, s->off, s->len,
		       TAG_LATER);
	test_map_check(tm, s, TAG_LATER);
	set_step("madvise(MADV_DONTNEED) of the private mapping");
	madvise(tm->map.addr, tm->map.len, MADV_DONTNEED);
	mapped_bytes(tm, "the private mapping without its copy", s->off, s->len, TAG_LATER);
}

/* the kernel writes: into copies of its own, never into the file */
static void private_sink(struct test_map *tm, struct pin_test *pt)
{
	const struct span *s = &pt->span;

	if (!child_sees(tm, s) || !pin_test_end(pt))
		return;
	mapped_bytes(tm, "the private pages that the kernel wrote", s->off, s->len, TAG_SINK);
	test_map_check(tm, s, TAG_MEMORY);
}

static void private_once(struct test_map *tm, const char *what, bool touched)
{
	struct span s = test_map_pages(tm), around = test_map_pages(tm);
	struct pin_test pt;

	s.name = what;
	around.off -= 6 * tm->page;
	around.len += 16 * tm->page;
	test_map_fill(tm, &around);
	if (!test_map_remap(tm, rw))
		return;
	if (touched)
		daxmap_touch(&tm->map, s.off, s.len, false, NULL);
	pin_test_init(&pt, tm, tm->c->method, s);
	if (!pin_test_take(&pt, 0))
		return;
	if (is_sink(tm->c))
		private_sink(tm, &pt);
	else
		private_source(tm, &pt);
	pin_test_drop(&pt);
	if (!cell_over(tm->c))
		expect_balance(tm->c, &pt.before, what);
}

static void private_pinned(struct cell *c)
{
	struct test_map tm;

	if (test_map_open_as(&tm, c, MAP_PRIVATE)) {
		private_once(&tm, "a private mapping, not touched", false);
		if (!cell_over(c))
			private_once(&tm, "a private mapping that was loaded from", true);
	}
	test_map_close(&tm);
}

/**
 * struct race - two threads on one private page
 * @tm: memory
 * @end: when they stop, CLOCK_MONOTONIC
 */
struct race {
	struct test_map *tm;
	uint64_t end;
};

static void *forget(void *arg)
{
	struct race *r = arg;

	while (timeline_now() < r->end)
		madvise(r->tm->map.addr, r->tm->page, MADV_DONTNEED);
	return NULL;
}

/*
 * A store to a private page makes a copy of it, and all the other words of that are
 * the file's, also when the page is taken out of the mapping meanwhile.
 *
 * Guards c3e5ea6ee574 ("mm: avoid data corruption on CoW fault into PFN-mapped
 * VMA").
 */
static void private_race(struct cell *c)
{
	struct span s = { "a private page", 0, 0 };
	struct race r = { .end = timeline_now() + RACE_NS };
	unsigned long rounds = 0;
	struct test_map tm;
	pthread_t thread;

	if (!test_map_open_as(&tm, c, MAP_PRIVATE))
		goto out;
	s.len = tm.page;
	test_map_fill(&tm, &s);
	r.tm = &tm;
	if (!expect_ok(c, -pthread_create(&thread, NULL, forget, &r), "starting a thread", ""))
		goto out;
	set_step("storing to a private page that another thread forgets");
	while (timeline_now() < r.end && !cell_over(c)) {
		/* the first word gets its own value: only copying can go wrong */
		*(volatile uint64_t *)tm.map.addr = pattern_word(TAG_MEMORY, tm.map.off);
		mapped_bytes(&tm, s.name, 0, tm.page, TAG_MEMORY);
		rounds++;
	}
	pthread_join(thread, NULL);
	note(c, "%lu rounds", rounds);
	test_map_check(&tm, &s, TAG_MEMORY);
out:
	test_map_close(&tm);
}

static bool make_twin(struct test_map *tm, int *twin)
{
	char path[NODE_LEN + 8];

	snprintf(path, sizeof(path), "%s.twin", tm->c->v.node);
	*twin = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return expect(tm->c, VERDICT_FAILED, *twin >= 0, "a twin file: %s", strerror(errno));
}

static bool clone_file(struct test_map *tm, int twin)
{
	set_step("sharing the extents");
	if (!ioctl(twin, FICLONE, tm->alias.fd))
		return true;
	if (errno == EOPNOTSUPP || errno == EINVAL)
		skip(tm->c, "no shared extents with DAX here: %s", strerror(errno));
	else
		expect(tm->c, VERDICT_FAILED, false, "sharing the extents: %s", strerror(errno));
	return false;
}

/* a file with a pin on an extent that it shares with its twin */
static bool shared_open(struct test_map *tm, struct pin_test *pt, struct cell *c, int *twin)
{
	*twin = -1;
	if (!test_map_open(tm, c) || !make_twin(tm, twin))
		return false;
	pin_test_init(pt, tm, c->method, test_map_pages(tm));
	pt->as_is = true;
	test_map_fill(tm, &pt->span);
	return clone_file(tm, *twin) && pin_test_take(pt, 0);
}

static void shared_close(struct test_map *tm, int twin)
{
	if (twin >= 0)
		close(twin);
	test_map_close(tm);
}

static bool twin_bytes(struct test_map *tm, int twin, const struct span *s)
{
	char *buf = malloc(s->len);
	bool good;

	set_step("reading the twin");
	good = expect(tm->c, VERDICT_FAILED,
		      buf && pread(twin, buf, s->len, tm->map.off + s->off) == (ssize_t)s->len,
		      "reading the twin: %s", strerror(errno)) &&
	       test_map_bytes(tm, "the twin file", buf, s->off, s->len, TAG_MEMORY);
	free(buf);
	return good;
}

/*
 * A pin that reads is on the extent that both files share: stores to one file go to
 * a copy, and the pin sees none of them.
 */
static void reflink_source(struct test_map *tm, struct pin_test *pt)
{
	const struct span *s = &pt->span;
	struct span first = { s->name, s->off, tm->page };

	set_step("storing to a shared extent with a pin out");
	pattern_fill((char *)tm->map.addr + s->off, tm->page, TAG_STORE, tm->map.off + s->off);
	/* through a mapping from before the extents were shared, too */
	pattern_fill((char *)tm->alias.addr + s->off + tm->page, tm->page, TAG_STORE,
		     tm->map.off + s->off + tm->page);
	if (!test_map_check(tm, s, TAG_STORE) ||
	    !mapped_bytes(tm, "the mapping after its store", first.off, s->len, TAG_STORE) ||
	    !pin_test_end(pt))
		return;
	test_map_bytes(tm, "what the pin on the shared extent read", pt->pin.peer, s->off, s->len,
		       TAG_MEMORY);
}

/* a new file that is stored to page by page; false when there is no room for one */
static bool reuse_once(struct test_map *tm, int nr)
{
	const struct fsdax *f = &tm->c->guard->fs[0];
	char name[16], path[NODE_LEN], why[WHY_LEN];
	struct daxmap m;
	struct statvfs st;
	size_t bytes = 0;

	snprintf(name, sizeof(name), "next%d", nr);
	if (!statvfs(f->dir, &st))
		bytes = (size_t)st.f_bavail * st.f_frsize;
	/* all there is, or half of it, and so on; stores need some room besides */
	for (; bytes > REUSE_LEAST; bytes /= 2) {
		bytes = bytes / REUSE_LEAST * REUSE_LEAST;
		if (!fsdax_file(f, name, bytes, path, sizeof(path), why, sizeof(why)))
			break;
		unlink(path);
	}
	if (bytes <= REUSE_LEAST ||
	    !expect_ok(tm->c, daxmap_open(&m, path, DAXMAP_PMD, 0, bytes, rw),
		       "mapping the next file", ""))
		return false;
	daxmap_touch(&m, 0, m.len, true, NULL);
	daxmap_close(&m);
	return true;
}

static void give_back(struct test_map *tm, int twin)
{
	char path[NODE_LEN + 8];

	if (!expect(tm->c, VERDICT_FAILED, !ftruncate(twin, 0) && !ftruncate(tm->map.fd, 0) &&
		    !syncfs(twin), "giving the blocks back: %s", strerror(errno)))
		return;
	set_step("storing to the files that get the blocks");
	for (int nr = 0; nr < REUSE_FILES && reuse_once(tm, nr); nr++)
		;
	set_step("giving those back as well");
	for (int nr = 0; nr < REUSE_FILES; nr++) {
		snprintf(path, sizeof(path), "%s/next%d", tm->c->guard->fs[0].dir, nr);
		unlink(path);
	}
}

/*
 * What was shared, or made a copy of, serves the next file as if nothing had been.  A
 * process of its own does it: for a page whose count is wrong it waits for ever.
 *
 * Guards 169004265860 ("fsdax: introduce page->share for fsdax in reflink mode"): pages
 * that a copy went to were taken for the old file's when they had long been freed.
 */
static void reuse_blocks(struct test_map *tm, int twin)
{
	pid_t pid;

	set_step("giving the blocks back");
	daxmap_unmap(&tm->map);
	daxmap_unmap(&tm->alias);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		give_back(tm, twin);
		_exit(0);
	}
	if (!expect(tm->c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno)))
		return;
	guard_add_proc(tm->c->guard, pid);
	if (await_child(tm->c, pid, "giving back what was shared"))
		guard_drop_proc(tm->c->guard, pid);
}

/*
 * Guards f80e1668888f ("fsdax: invalidate pages when CoW") and the pages' owner, of
 * which a shared extent has several.
 */
static void reflink_pinned(struct cell *c)
{
	struct test_map tm;
	struct pin_test pt;
	int twin;

	if (!shared_open(&tm, &pt, c, &twin))
		goto out;
	if (!is_sink(c))
		reflink_source(&tm, &pt);
	else if (pin_test_end(&pt))
		test_map_check(&tm, &pt.span, TAG_SINK);
	pin_test_drop(&pt);
	if (!cell_over(c) && expect_balance(c, &pt.before, "a shared extent"))
		twin_bytes(&tm, twin, &pt.span);
	reuse_blocks(&tm, twin);
out:
	shared_close(&tm, twin);
}

/* a process that has to wait for the pin must not have ended */
static void watch_truncate(struct cell *c, pid_t pid)
{
	const struct timespec poll = { .tv_nsec = 10 * NSEC_PER_MSEC };
	uint64_t end = timeline_now() + EARLY_NS;
	siginfo_t info = { 0 };

	set_step("watching truncate");
	while (!info.si_pid && timeline_now() < end) {
		if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT))
			break;
		nanosleep(&poll, NULL);
	}
	if (!expect(c, VERDICT_RETURNED_EARLY, !info.si_pid,
		    "truncate returned although what it freed is pinned; expected to wait"))
		c->guard->fs_spoiled = true;
}

/* the pin's file has a copy by now, and the extent belongs to the twin alone */
static void free_twin(struct test_map *tm, struct pin_test *pt, int twin)
{
	pid_t pid;

	set_step("storing to a shared extent with a pin out");
	pattern_fill((char *)tm->map.addr + pt->span.off, pt->span.len, TAG_STORE,
		     tm->map.off + pt->span.off);
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(ftruncate(twin, 0) ? 1 : 0);
	if (!expect(tm->c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno)))
		return;
	guard_add_proc(tm->c->guard, pid);
	watch_truncate(tm->c, pid);
	pin_test_end(pt);
	await_child(tm->c, pid, "truncate of the other file");
	guard_drop_proc(tm->c->guard, pid);
}

/*
 * Who frees an extent has to wait for pins on it, also for those that were taken by
 * way of another file with which it was shared.
 */
static void reflink_freed(struct cell *c)
{
	struct test_map tm;
	struct pin_test pt;
	int twin;

	if (shared_open(&tm, &pt, c, &twin)) {
		free_twin(&tm, &pt, twin);
		pin_test_drop(&pt);
		reuse_blocks(&tm, twin);
	}
	shared_close(&tm, twin);
}

static bool move(struct test_map *tm, const char *what, ssize_t n, size_t len)
{
	return expect(tm->c, VERDICT_FAILED, n == (ssize_t)len, "%s: %zd of %zu bytes: %s", what, n,
		      len, n < 0 ? strerror(errno) : "short");
}

/* the bytes at @at of a file, which are those of @off of the mapping */
static bool other_bytes(struct test_map *tm, const char *what, int fd, off_t at, size_t off,
			size_t len)
{
	void *buf = malloc(len);
	bool good;

	good = move(tm, what, buf ? pread(fd, buf, len, at) : -1, len) &&
	       test_map_bytes(tm, what, buf, off, len, TAG_MEMORY);
	free(buf);
	return good;
}

/**
 * struct transfer - one write from the mapping, and one read into it
 * @tm: memory
 * @fd: the other file, or the same
 * @at: offset in that file
 * @to: what is read comes to this offset of the mapping
 */
struct transfer {
	struct test_map *tm;
	int fd;
	off_t at;
	size_t to;
};

static bool to_and_fro(const struct transfer *t, const struct span *s, bool touched)
{
	struct test_map *tm = t->tm;
	char *base;

	test_map_fill(tm, s);
	if (!test_map_remap(tm, rw))
		return false;
	base = tm->map.addr;
	if (touched)
		daxmap_touch(&tm->map, 0, tm->map.len, true, NULL);
	set_step("%s: writing a file from the mapping of a file", s->name);
	if (!move(tm, "writing from the mapping", pwrite(t->fd, base + s->off, s->len, t->at),
		  s->len) ||
	    !other_bytes(tm, "what was written from the mapping", t->fd, t->at, s->off, s->len))
		return false;
	if (!touched && !test_map_remap(tm, rw))
		return false;
	set_step("%s: reading a file into the mapping of a file", s->name);
	return move(tm, "reading into the mapping", pread(t->fd, base + t->to, s->len, t->at),
		    s->len) &&
	       test_map_bytes(tm, "what was read into the mapping", base + t->to, s->off, s->len,
			      TAG_MEMORY) &&
	       test_map_bytes(tm, "what was read, seen elsewhere", (char *)tm->alias.addr + t->to,
			      s->off, s->len, TAG_MEMORY);
}

/*
 * Guards 17d9c15c9b9e ("fsdax: Fix infinite loop in dax_iomap_rw()") by reading
 * nothing.  Of what overlaps nothing but its end is promised.
 */
static bool odd_ones(const struct transfer *t, bool self)
{
	struct test_map *tm = t->tm;
	char *base = tm->map.addr;

	set_step("reading and writing nothing");
	if (!move(tm, "reading nothing", pread(t->fd, base, 0, t->at), 0) ||
	    !move(tm, "writing nothing", pwrite(t->fd, base, 0, t->at), 0))
		return false;
	if (!self)
		return true;
	set_step("writing a file from the very same bytes");
	test_map_fill(tm, &(struct span){ "the very same bytes", 0, 2 * tm->page });
	return test_map_remap(tm, rw) &&
	       move(tm, "writing the very same bytes",
		    pwrite(t->fd, tm->map.addr, 2 * tm->page, tm->map.off), 2 * tm->page) &&
	       mapped_bytes(tm, "bytes written from themselves", 0, 2 * tm->page, TAG_MEMORY) &&
	       move(tm, "writing bytes a page further",
		    pwrite(t->fd, tm->map.addr, 2 * tm->page, tm->map.off + tm->page), 2 * tm->page);
}

/*
 * To and from a DAX file the kernel copies, with locks of that file held, and meets
 * faults on the mapping: they may want the same locks.
 */
static void odirect(struct cell *c, const char *path, bool self)
{
	struct transfer t = { .fd = -1 };
	struct span spans[3];
	struct test_map tm;

	if (!test_map_open(&tm, c))
		goto out;
	t.tm = &tm;
	t.fd = open(path, O_RDWR | O_DIRECT | O_CREAT | O_CLOEXEC, 0600);
	if (!expect(c, VERDICT_FAILED, t.fd >= 0, "opening %s: %s", path, strerror(errno)))
		goto out;
	spans[0] = (struct span){ "a page", 2 * tm.page, tm.page };
	spans[1] = test_map_pages(&tm);
	spans[2] = (struct span){ "a large entry's length", tm.page, 512 * tm.page };
	for (size_t i = 0; i < 2 * ARRAY_SIZE(spans) && !cell_over(c); i++) {
		const struct span *s = &spans[i / 2];

		/* all apart; in the same file before the mapping, if it has room there */
		t.to = s->off + s->len + 4 * tm.page;
		t.at = i * tm.page;
		if (self && !tm.map.off)
			t.at = t.to + s->len + 4 * tm.page;
		fallocate(t.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, t.at, s->len);
		to_and_fro(&t, s, i % 2);
	}
	if (!cell_over(c))
		odd_ones(&t, self);
out:
	if (t.fd >= 0)
		close(t.fd);
	test_map_close(&tm);
}

static void odirect_self(struct cell *c)
{
	odirect(c, c->v.node, true);
}

static void odirect_same_fs(struct cell *c)
{
	char path[NODE_LEN + 8];

	snprintf(path, sizeof(path), "%s.too", c->v.node);
	odirect(c, path, false);
}

/* made before the body's process is: only the program itself asks for namespaces */
static char other_path[NODE_LEN];

/* a page in each entry is shared, stored to, and so a copy */
static bool copy_parts(struct cell *c, struct daxmap *m, int twin)
{
	size_t page = sysconf(_SC_PAGESIZE), entry = daxmap_bytes(c->size);

	for (size_t off = 0; off < m->len; off += entry > page ? entry : m->len / 2) {
		loff_t from = off, to = off;
		volatile char *at = (char *)m->addr + off;

		*at = 'o';
		if (copy_file_range(m->fd, &from, twin, &to, page, 0) != (ssize_t)page) {
			expect(c, VERDICT_FAILED, false, "copy_file_range(): %s", strerror(errno));
			return false;
		}
		*at = 'n';
	}
	return true;
}

/*
 * A part of an entry becomes a copy, and the file is removed.  Whatever the file system
 * counts for a large entry it has to count for what takes its place: clear_inode() is
 * sure that nothing is left, with BUG_ON().
 */
static void copy_removed(struct cell *c)
{
	struct test_map tm = { .c = c };
	struct daxmap m;
	int twin = -1, ret;

	if (!cell_fresh_pages(c) || !make_twin(&tm, &twin))
		return;
	ret = daxmap_open(&m, c->v.node, c->size, 0, c->v.size, rw);
	if (expect_ok(c, ret, "mapping the file", "") && copy_parts(c, &m, twin)) {
		daxmap_close(&m);
		close(twin);
		cell_remove_file(c);
		return;
	}
	daxmap_close(&m);
	close(twin);
}

/*
 * What becomes of a page that was shared depends on the kernel, and on what became of
 * it before: nobody has had these, and nobody gets them.
 */
static void with_fresh_pages(struct cell *c)
{
	if (!cell_fresh_pages(c))
		return;
	run_isolated(c);
	if (c->verdict != VERDICT_PASS)
		expect_ok(c, guard_fresh_pages(c->guard), "a fresh memory map", "");
}

static void with_other_fs(struct cell *c)
{
	char why[WHY_LEN] = "";
	int ret = memory_other(c->guard, 0, other_path, sizeof(other_path), why, sizeof(why));

	if (ret)
		skip(c, "no second DAX file system: %s", why[0] ? why : strerror(-ret));
	else
		run_isolated(c);
}

static void odirect_other_fs(struct cell *c)
{
	odirect(c, other_path, false);
}

static const struct scenario_group private = {
	.name = "private",
	.order = 100,
	.common = {
		.on = ON_FILES,
		.sizes = AT_FILE,
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "private_pinned",
			.what = "MAP_PRIVATE: a pin that reads is on the file, one that writes on a copy",
			.pins = PINS_FILE,
			.body = private_pinned,
		}, {
			.name = "private_race",
			.what = "MAP_PRIVATE: a page copied while another thread forgets it",
			.body = private_race,
		},
		{ }
	},
};

REGISTER(scenario_groups, &private);

static const struct scenario_group reflink = {
	.name = "reflink",
	.order = 110,
	.common = {
		.on = ON_SHARING,
		.sizes = AT_PTE,
		.run = with_fresh_pages,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "reflink_pinned",
			.what = "extents shared with another file: a store makes a copy, a pin stays",
			.pins = PINS_FILE,
			.body = reflink_pinned,
		}, {
			.name = "reflink_pinned",
			.what = "extents shared with another file: a store makes a copy, a pin stays",
			.pins = PINS_FILE_SINK,
			.sizes = AT_PMD,
			.body = reflink_pinned,
		}, {
			.name = "reflink_freed",
			.what = "likewise, and then the other file gives its extents back: it waits",
			.pins = PIN_VMSPLICE,
			.body = reflink_freed,
		}, {
			.name = "reflink_split",
			.what = "a large entry shared with another file: a store makes a copy, a pin stays",
			.pins = PIN_VMSPLICE,
			.sizes = AT_PMD,
			.destructive = true,
			.body = reflink_pinned,
		}, {
			.name = "copy_removed",
			.what = "a part of an entry is shared, stored to, and the file removed",
			.sizes = AT_FILE,
			.destructive = true,
			.run = copy_removed,
		},
		{ }
	},
};

REGISTER(scenario_groups, &reflink);

static const struct scenario_group self_io = {
	.name = "self_io",
	.order = 120,
	.common = {
		.on = ON_FILES,
		.sizes = AT_FILE,
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "odirect_self",
			.what = "O_DIRECT from and to the mapping of the very same file",
			.body = odirect_self,
		}, {
			.name = "odirect_same_fs",
			.what = "the same, of another file of this file system",
			.body = odirect_same_fs,
		}, {
			.name = "odirect_other_fs",
			.what = "the same, of a file on another DAX file system",
			.run = with_other_fs,
			.body = odirect_other_fs,
		},
		{ }
	},
};

REGISTER(scenario_groups, &self_io);
