// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free a file's blocks while its pages are pinned.
 *
 * The action has to wait for the pins: d2c997c0f145 ("fs, dax: use page->mapping to warn
 * if truncate collides with a busy page") and 5fac7408d828 ("mm, fs, dax: handle layout
 * changes to pinned dax mappings") made that a rule.  Otherwise the pin reads and writes
 * the data of the file that gets the blocks next.
 *
 * An action that frees no block must not wait.  With FREES_MAYBE the file system decides
 * whether the blocks stay with the file.  That is not "anything goes": after the action
 * run_action() looks where the pinned block is, and if the file has lost it the action
 * had to wait (TL_MAY_WAIT becomes TL_MUST_WAIT).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "teardown/teardown.h"

/* An action that need not wait may be slow on a loaded machine: time until it counts. */
#define PASS_NS		(3 * NSEC_PER_SEC)

/* An inode chunk of xfs has 64 inodes: 16 free inodes below ours are unlikely. */
#define SECOND_TRIES	16

/* Extents of a reuser file that are searched for the pinned block. */
#define REUSER_EXTENTS	512

/* Stop making reuser files when less space than this is left, bytes. */
#define REUSER_LEAST	(64u << 10)

/**
 * enum mapping_state - what becomes of the mapping while the pin is out
 * @MAPPING_KEPT: it stays
 * @MAPPING_CLOSED: it is unmapped, and the file closed
 * @MAPPING_TOUCHED: a thread reads and writes all of it
 * @MAPPING_BY_ANOTHER: another process maps the file, the pin process does not
 * @MAPPING_KILLED: it stays, and the pin process is killed while the action waits
 */
enum mapping_state {
	MAPPING_KEPT,
	MAPPING_CLOSED,
	MAPPING_TOUCHED,
	MAPPING_BY_ANOTHER,
	MAPPING_KILLED,
};

static enum timeline_wait expected_wait(const struct action *a, enum mapping_state state)
{
	if (a->frees == FREES_ALL || (a->frees == FREES_CLOSED && state == MAPPING_CLOSED))
		return TL_MUST_WAIT;
	return a->frees == FREES_MAYBE ? TL_MAY_WAIT : TL_MUST_PASS;
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

/*
 * With two files xfs goes by their inode numbers: it waits for pins on the lower one and
 * polls for pins on the higher one.  The second file has the higher number, so that all
 * runs are the same.
 */
static int make_second(const struct cell *c, const char *path, char *why, size_t len)
{
	char empty[SECOND_TRIES][NODE_LEN + 8], name[32];
	ino_t mine = inode_of(c->v.node);
	int nr = 0, ret;

	do {
		snprintf(name, sizeof(name), "empty%d", nr);
		ret = fsdax_file(&c->guard->fs[0], name, 0, empty[nr], sizeof(empty[nr]), why,
				 len);
	} while (!ret && inode_of(empty[nr++]) < mine && nr < SECOND_TRIES);
	if (!ret && rename(empty[--nr], path))
		ret = -errno;
	while (nr--)
		unlink(empty[nr]);
	return ret;
}

static bool setup_second(struct cell *c)
{
	char path[NODE_LEN + 8], why[WHY_LEN] = "";
	int ret;

	if (!c->action->other)
		return true;
	mem_other_path(&c->v, path, sizeof(path));
	ret = make_second(c, path, why, sizeof(why));
	if (!expect_ok(c, ret, "making the second file", why))
		return false;
	ret = bytes_write(path, 0, c->v.size, TAG_OTHER, 0);
	return expect_ok(c, ret, "writing the second file", path);
}

static bool map_in_viewer(struct teardown *s)
{
	struct cell *c = s->c;
	int ret;

	if (!cell_pin_proc(c, &s->viewer))
		return false;
	ret = pin_proc_map(&s->viewer, MAP_MAIN, s->node, c->size, 0, s->map_len,
			   PROT_READ | PROT_WRITE);
	if (!expect_ok(c, ret, "mapping in another process", s->viewer.why))
		return false;
	ret = pin_proc_touch(&s->viewer, MAP_MAIN, s->off[0]);
	return expect_ok(c, ret, "touching the mapping in another process", s->viewer.why);
}

static bool set_mapping_state(struct teardown *s, enum mapping_state state)
{
	struct cell *c = s->c;
	int ret;

	if (state == MAPPING_TOUCHED) {
		ret = pin_proc_store_loop(&s->h, MAP_MAIN);
		return expect_ok(c, ret, "starting a thread that touches the mapping", s->h.why);
	}
	if (state != MAPPING_CLOSED && state != MAPPING_BY_ANOTHER)
		return true;
	ret = pin_proc_close(&s->h, MAP_MAIN);
	if (!expect_ok(c, ret, "closing the file with the pin out", s->h.why))
		return false;
	return state == MAPPING_CLOSED || map_in_viewer(s);
}

static bool setup_file(struct cell *c, struct teardown *s, enum mapping_state state)
{
	if (!teardown_setup(c, s) || !setup_second(c) || !teardown_pin(s, c->method, 0) ||
	    !set_mapping_state(s, state))
		return false;
	s->rule.revoke = false;
	s->rule.wait = expected_wait(c->action, state);
	/* a file system with open or mapped files cannot be unmounted: that is refused */
	s->rule.refusal = state == MAPPING_CLOSED ? 0 : c->action->refusal;
	return true;
}

/* offset in a file of a block of the device; -1 if the file does not have it */
static off_t offset_of_block(const char *path, uint64_t physical)
{
	struct fsdax_extent *e = calloc(REUSER_EXTENTS, sizeof(*e));
	int fd = open(path, O_RDWR | O_CLOEXEC);
	off_t at = -1;
	int n = 0;

	if (fd >= 0 && e)
		n = fsdax_extents(fd, e, REUSER_EXTENTS);
	for (int i = 0; i < n && at < 0; i++)
		if (physical >= e[i].physical && physical < e[i].physical + e[i].len)
			at = e[i].logical + physical - e[i].physical;
	if (fd >= 0)
		close(fd);
	free(e);
	return at;
}

/* freed blocks can be allocated again once the log has been written */
static void sync_log(const struct fsdax *f)
{
	int fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	syncfs(fd);
	close(fd);
}

/*
 * Make new files until no space is left, or one has got the pinned block.  Its path is in
 * @path; a pattern is written to the block.
 *
 * Return: offset of the block in the file, or -1.
 */
static off_t make_reuser(struct teardown *s, uint64_t physical, char *path, size_t path_len)
{
	struct fsdax *f = &s->c->guard->fs[0];
	char name[32], why[WHY_LEN];
	struct statvfs st;
	uint64_t bytes;
	off_t at = -1;

	/* the second file may have got the block already */
	mem_other_path(&s->c->v, path, path_len);
	at = offset_of_block(path, physical);
	sync_log(f);
	if (at < 0 && statvfs(f->dir, &st))
		return -1;
	bytes = at < 0 ? (uint64_t)st.f_bavail * st.f_frsize : 0;
	for (int i = 0; at < 0 && bytes >= REUSER_LEAST; i++) {
		snprintf(name, sizeof(name), "reuser%d", i);
		/* all the space, or else half of it, and so on */
		while (bytes >= REUSER_LEAST &&
		       fsdax_file(f, name, bytes, path, path_len, why, sizeof(why))) {
			unlink(path);
			bytes = bytes / 2 / s->len * s->len;
		}
		at = offset_of_block(path, physical);
	}
	if (at >= 0 && bytes_write(path, at, s->len, TAG_REUSER, at))
		at = -1;
	return at;
}

/*
 * The action has returned early.  A new file gets the blocks if possible; then the pin
 * reads its data, or writes into it.
 */
static void check_reuse(struct teardown *s, uint64_t physical)
{
	struct fsdax *f = &s->c->guard->fs[0];
	bool sink = s->sink[0];
	char path[NODE_LEN + 8], why[160] = "";
	struct cell *c = s->c;
	off_t at;
	int ret;

	guard_needs_mkfs(c->guard);
	if (c->action->unmounts) {
		f->mounted = false;
		if (fsdax_mount(f))
			note("the file system cannot be mounted again");
		/* the block was not freed yet: with the file it is */
		unlink(s->node);
	}
	at = physical && f->mounted ? make_reuser(s, physical, path, sizeof(path)) : -1;
	ret = pin_proc_release(&s->h, 0);
	s->method[0] = NULL;
	if (at < 0) {
		note("the pinned block was not given to the next file");
		return;
	}
	if (sink) {
		ret = bytes_check(path, at, s->len, TAG_REUSER, at, why, sizeof(why));
		expect(c, VERDICT_WRONG_DATA, ret != -EILSEQ,
		       "the pin wrote into another file that has got the block: %s", why);
		return;
	}
	expect(c, VERDICT_WRONG_DATA, ret != -EILSEQ,
	       "the pin reads the bytes of another file that has got the block: %s", s->h.why);
}

/* the process whose mapping can be checked afterwards; NULL for none */
static struct pin_proc *mapping_proc(struct teardown *s, enum mapping_state state)
{
	if (state == MAPPING_CLOSED || state == MAPPING_KILLED)
		return NULL;
	return state == MAPPING_BY_ANOTHER ? &s->viewer : &s->h;
}

/* the bytes of the window are unchanged, apart from those that the pin wrote */
static int check_window(struct teardown *s, struct pin_proc *h)
{
	size_t from = s->off[0], to = from + s->len;
	int ret;

	ret = pin_proc_check(h, MAP_MAIN, 0, from, TAG_MEMORY);
	if (ret)
		return ret;
	ret = pin_proc_check(h, MAP_MAIN, from, s->len, s->sink[0] ? TAG_SINK : TAG_MEMORY);
	if (ret)
		return ret;
	return pin_proc_check(h, MAP_MAIN, to, teardown_window() - to, TAG_MEMORY);
}

static void check_old_mapping(struct teardown *s, struct pin_proc *h)
{
	const struct action *a = s->c->action;
	size_t window = teardown_window();
	struct cell *c = s->c;
	char what[96];
	int ret = 0;

	snprintf(what, sizeof(what), "the old mapping after %s", a->verb);
	if (atomic_load(&c->guard->tl.result)) {
		/* the action was refused: nothing may have changed */
		expect_ok(c, check_window(s, h), what, h->why);
		return;
	}
	switch (a->leaves) {
	case LEAVES_NOTHING:
		ret = pin_proc_touch(h, MAP_MAIN, 0);
		expect(c, VERDICT_NOT_REVOKED, ret == -EFAULT,
		       "%s can be touched; expected SIGBUS", what);
		return;
	case LEAVES_ZEROES:
		ret = pin_proc_zeroes(h, MAP_MAIN, 0, window);
		break;
	case LEAVES_BYTES:
		ret = check_window(s, h);
		break;
	case LEAVES_NEXT:
		ret = pin_proc_check_as(h, MAP_MAIN, 0, window, TAG_MEMORY, ACTION_SHIFT);
		break;
	case LEAVES_OTHER:
		ret = pin_proc_check(h, MAP_MAIN, 0, window, TAG_OTHER);
		break;
	case LEAVES_OPEN:
		return;
	}
	expect_ok(c, ret, what, h->why);
}

/* the bytes by read(2): those that the action moved, or those after its range */
static void check_bytes(struct teardown *s)
{
	const struct action *a = s->c->action;
	char why[160] = "";
	off_t off;
	int ret;

	if (atomic_load(&s->c->guard->tl.result))
		return;
	if (a->leaves == LEAVES_NEXT)
		off = 0;
	else if (a->shifts)
		off = 2 * ACTION_SHIFT;
	else if (a->leaves == LEAVES_ZEROES || a->leaves == LEAVES_OTHER)
		off = ACTION_SHIFT;
	else
		return;
	ret = bytes_check(s->node, off, teardown_window(), TAG_MEMORY, ACTION_SHIFT, why,
			  sizeof(why));
	expect_ok(s->c, ret, "the bytes of the file after the action", why);
}

/* an action that must not wait gets more time to return */
static void watch_action(struct teardown *s)
{
	if (teardown_watch(s) != OP_RETURNED && s->rule.wait == TL_MUST_PASS)
		op_wait(&s->op, PASS_NS);
}

/* release the pin, or kill its process; the action has to return */
static enum verdict_kind release_and_judge(struct teardown *s, enum mapping_state state)
{
	enum verdict_kind kind;

	if (state == MAPPING_KILLED) {
		timeline_mark(&s->c->guard->tl, TL_RELEASING);
		pin_proc_kill(&s->h);
		/* the dying process waits for I/O that only dm-delay can complete */
		pin_targets_flush(&s->c->guard->targets);
	} else {
		teardown_release_all(s);
	}
	op_wait_awake(&s->op, OP_DEADLINE_NS);
	kind = teardown_judge(s);
	if (kind != VERDICT_NEVER_RETURNED)
		guard_set_op(s->c->guard, 0);
	return kind;
}

static void reap_killed(struct teardown *s)
{
	struct cell *c = s->c;
	pid_t pid = s->h.pid;

	if (expect_ok(c, pin_proc_reap(&s->h, OP_DEADLINE_NS), "reaping the pin process", ""))
		guard_drop_proc(c->guard, pid);
}

/* EOPNOTSUPP: this file system has no such action, nothing was done */
static bool skip_unsupported(struct teardown *s)
{
	struct timeline *tl = &s->c->guard->tl;

	if (!timeline_at(tl, TL_RETURNED) || atomic_load(&tl->result) != -EOPNOTSUPP)
		return false;
	skip(s->c, "%s cannot do this to a DAX file here: %s", s->c->memory->name,
	     strerror(EOPNOTSUPP));
	guard_set_op(s->c->guard, 0);
	return true;
}

static void undo_action(struct teardown *s)
{
	struct cell *c = s->c;
	int ret;

	if (!c->action->undo || atomic_load(&c->guard->tl.result))
		return;
	ret = c->action->undo(&c->v);
	expect(c, VERDICT_FAILED, !ret, "undoing %s: %s", c->action->verb, strerror(-ret));
}

static void run_action(struct teardown *s, enum mapping_state state)
{
	struct pin_proc *h = mapping_proc(s, state);
	struct cell *c = s->c;
	uint64_t physical = 0;
	bool returned;

	fsdax_physical(s->node, s->off[0], &physical);
	if (!teardown_start(s))
		return;
	watch_action(s);
	/* it may return with the pin out, unless the file has lost the pinned block */
	if (s->rule.wait == TL_MAY_WAIT && timeline_at(&c->guard->tl, TL_RETURNED) &&
	    physical && offset_of_block(s->node, physical) < 0)
		s->rule.wait = TL_MUST_WAIT;
	if (skip_unsupported(s)) {
		teardown_release_all(s);
		return;
	}
	if (teardown_judge_early(s) == VERDICT_RETURNED_EARLY) {
		guard_set_op(c->guard, 0);
		check_reuse(s, physical);
		return;
	}
	/* before the release: a thread may be blocked in a store by a frozen file system */
	returned = timeline_at(&c->guard->tl, TL_RETURNED);
	if (returned)
		undo_action(s);
	if (release_and_judge(s, state) == VERDICT_NEVER_RETURNED)
		return;
	if (!returned)
		undo_action(s);
	if (c->action->spoils)
		guard_needs_mkfs(c->guard);
	if (state == MAPPING_TOUCHED)
		expect_ok(c, pin_proc_stop_threads(&s->h, NULL), "stopping the thread", s->h.why);
	if (h)
		check_old_mapping(s, h);
	if (c->action->leaves != LEAVES_OPEN)
		check_bytes(s);
	if (state == MAPPING_KILLED)
		reap_killed(s);
}

static void file_pinned(struct cell *c, enum mapping_state state)
{
	struct teardown s;

	if (setup_file(c, &s, state))
		run_action(&s, state);
	if (cell_over(c))
		guard_needs_mkfs(c->guard);
	teardown_cleanup(&s);
	if (c->verdict == VERDICT_RETURNED_EARLY)
		expect_ok(c, guard_fresh_pages(c->guard), "making a new memory map", "");
}

static void file_kept(struct cell *c)
{
	file_pinned(c, MAPPING_KEPT);
}

static void file_unmapped(struct cell *c)
{
	file_pinned(c, MAPPING_CLOSED);
}

static void file_touched(struct cell *c)
{
	file_pinned(c, MAPPING_TOUCHED);
}

static void file_by_another(struct cell *c)
{
	file_pinned(c, MAPPING_BY_ANOTHER);
}

static void file_killed(struct cell *c)
{
	file_pinned(c, MAPPING_KILLED);
}

static const struct scenario_group files = {
	.name = "files",
	.order = 30,
	.common = {
		.on = ON_FILES,
		.sizes = AT_PTE | AT_PMD,
		.actions = EVERY_ACTION,
		.pins = PIN_VMSPLICE,
		.bytes = FILE_BYTES,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "",
			.what = "I/O from or to a file is in flight: an action waits only if it frees blocks",
			.sizes = AT_PMD,
			.pins = PINS_DM_DELAY,
			.run = file_kept,
		}, {
			.name = "unmapped",
			.what = "the same, the file is unmapped and closed",
			.sizes = AT_PMD,
			.pins = PINS_FILE_SINK,
			.run = file_unmapped,
		}, {
			.name = "",
			.what = "a page of a file is in a pipe, the mapping stays",
			.run = file_kept,
		}, {
			.name = "unmapped",
			.what = "the same, the file is unmapped and closed",
			.run = file_unmapped,
		}, {
			.name = "touched",
			.what = "the same, while a thread reads and writes the mapping",
			.run = file_touched,
		}, {
			.name = "by_another",
			.what = "the same, another process maps the file",
			.run = file_by_another,
		}, {
			.name = "map_dev",
			.what = "a page of a file is in a pipe, the memory map lies on the device (altmap)",
			.sizes = AT_PMD,
			.map_dev = true,
			.run = file_kept,
		}, {
			.name = "killed",
			.what = "the same, the pin process is killed while the action waits",
			.run = file_killed,
		},
		{ }
	},
};

REGISTER(scenario_groups, &files);
