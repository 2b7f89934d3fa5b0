// SPDX-License-Identifier: GPL-2.0
/*
 * The ground of a file taken away while its pages are pinned.
 *
 * What frees blocks has to wait for the pins on them: d2c997c0f145 ("fs, dax: use
 * page->mapping to warn if truncate collides with a busy page") and 5fac7408d828
 * ("mm, fs, dax: handle layout changes to pinned dax mappings") made that a rule.
 * Whoever holds the pin would otherwise read and write what belongs to the next
 * file that gets the blocks.
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


/* What need not wait may be slow on a loaded machine: so long it is left alone. */
#define PASS_NS		(3 * NSEC_PER_SEC)

/* An inode chunk of xfs has 64; so many free ones below ours there are hardly. */
#define OTHER_TRIES	16

/* Extents of the stranger that are looked through for the pinned block. */
#define STRANGER_EXTENTS 512

/* Room that is not worth another file, bytes. */
#define STRANGER_LEAST	(64u << 10)

/**
 * enum use - what becomes of the mapping while the pin is out
 * @KEPT: it stays
 * @CLOSED: it is unmapped, and the file closed
 * @TOUCHED: a thread reads and writes all of it, again and again
 * @BY_ANOTHER: another process has it, the pin's holder has not
 * @KILLED: it stays, and the holder is killed while the action waits
 */
enum use { KEPT, CLOSED, TOUCHED, BY_ANOTHER, KILLED };

static enum timeline_wait wait_of(const struct action *a, enum use use)
{
	if (a->frees == FREES_ALL || (a->frees == FREES_CLOSED && use == CLOSED))
		return TL_MUST_WAIT;
	return a->frees == FREES_MAYBE ? TL_MAY_WAIT : TL_MUST_PASS;
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

/*
 * Where two files take part the kernel goes by the numbers of their inodes: xfs waits
 * for pins on the lower one, and asks again and again for those on the other.  So
 * that it is the same in every run, the second file has the higher one.
 */
static int make_later(const struct cell *c, const char *path, char *why, size_t len)
{
	char empty[OTHER_TRIES][NODE_LEN + 8], name[32];
	ino_t mine = inode_of(c->v.node);
	int nr = 0, ret;

	do {
		snprintf(name, sizeof(name), "empty%d", nr);
		ret = fsdax_file(&c->guard->fs[0], name, 0, empty[nr], sizeof(empty[nr]), why,
				 len);
	} while (!ret && inode_of(empty[nr++]) < mine && nr < OTHER_TRIES);
	if (!ret && rename(empty[--nr], path))
		ret = -errno;
	while (nr--)
		unlink(empty[nr]);
	return ret;
}

static bool make_other(struct cell *c)
{
	char path[NODE_LEN + 8], why[WHY_LEN] = "";
	int ret;

	if (!c->action->other)
		return true;
	action_other(&c->v, path, sizeof(path));
	ret = make_later(c, path, why, sizeof(why));
	ret = ret ?: bytes_write(path, 0, c->v.size, TAG_OTHER, 0);
	return expect_ok(c, ret, "the second file", why);
}

static bool use_it(struct teardown *s, enum use use)
{
	struct cell *c = s->c;
	int ret = 0;

	if (use == CLOSED) {
		ret = pin_proc_close(&s->h, MAP_MAIN);
	} else if (use == TOUCHED) {
		ret = pin_proc_store_loop(&s->h, MAP_MAIN);
	} else if (use == BY_ANOTHER) {
		ret = pin_proc_close(&s->h, MAP_MAIN);
		if (!cell_pin_proc(c, &s->viewer))
			return false;
		ret = ret ?: pin_proc_map(&s->viewer, MAP_MAIN, s->node, c->size, 0, s->map_len,
					  PROT_READ | PROT_WRITE);
		ret = ret ?: pin_proc_touch(&s->viewer, MAP_MAIN, s->off[0]);
	}
	return expect_ok(c, ret, "what is done with the mapping", s->h.why);
}

static bool arrange(struct cell *c, struct teardown *s, enum use use)
{
	if (!teardown_setup(c, s) || !make_other(c) || !teardown_pin(s, c->method, 0) ||
	    !use_it(s, use))
		return false;
	s->rule.revoke = false;
	s->rule.wait = wait_of(c->action, use);
	/* what is open or mapped cannot be unmounted: that is the answer there */
	s->rule.refusal = use == CLOSED ? 0 : c->action->refusal;
	return true;
}

/* where in a file a block of the device lies; -1 if nowhere */
static off_t place_of(const char *path, uint64_t physical)
{
	struct fsdax_extent *e = calloc(STRANGER_EXTENTS, sizeof(*e));
	int fd = open(path, O_RDWR | O_CLOEXEC);
	off_t at = -1;
	int n = 0;

	if (fd >= 0 && e)
		n = fsdax_extents(fd, e, STRANGER_EXTENTS);
	for (int i = 0; i < n && at < 0; i++)
		if (physical >= e[i].physical && physical < e[i].physical + e[i].len)
			at = e[i].logical + physical - e[i].physical;
	if (fd >= 0)
		close(fd);
	free(e);
	return at;
}

/* what was freed can be given away when the log has been written */
static void sync_log(const struct fsdax *f)
{
	int fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	syncfs(fd);
	close(fd);
}

/*
 * New files until no room is left.  The one that has got the pinned block is in
 * @path, with a pattern of its own there.
 *
 * Return: the block's place in it, or -1.
 */
static off_t stranger(struct teardown *s, uint64_t physical, char *path, size_t path_len)
{
	struct fsdax *f = &s->c->guard->fs[0];
	char name[32], why[WHY_LEN];
	struct statvfs st;
	uint64_t bytes;
	off_t at = -1;

	/* it may have one already */
	action_other(&s->c->v, path, path_len);
	at = place_of(path, physical);
	sync_log(f);
	if (at < 0 && statvfs(f->dir, &st))
		return -1;
	bytes = at < 0 ? (uint64_t)st.f_bavail * st.f_frsize : 0;
	for (int i = 0; at < 0 && bytes >= STRANGER_LEAST; i++) {
		snprintf(name, sizeof(name), "stranger%d", i);
		/* all there is, or else half of it, and so on */
		while (bytes >= STRANGER_LEAST &&
		       fsdax_file(f, name, bytes, path, path_len, why, sizeof(why))) {
			unlink(path);
			bytes = bytes / 2 / s->len * s->len;
		}
		at = place_of(path, physical);
	}
	if (at >= 0 && bytes_write(path, at, s->len, TAG_REUSER, at))
		at = -1;
	return at;
}

/*
 * The action has returned under the pin.  The blocks are given to a new file, if
 * they can be, and that is looked at through the pin, or written through it.
 */
static void look_through_pin(struct teardown *s, uint64_t physical)
{
	struct fsdax *f = &s->c->guard->fs[0];
	bool sink = s->sink[0];
	char path[NODE_LEN + 8], why[160] = "";
	struct cell *c = s->c;
	off_t at;
	int ret;

	c->guard->fs_spoiled = true;
	if (c->action->unmounts) {
		f->mounted = false;
		if (fsdax_mount(f))
			note(c, "the file system cannot be mounted again");
		/* it was not freed, but whoever mounts it next may do that */
		unlink(s->node);
	}
	at = physical && f->mounted ? stranger(s, physical, path, sizeof(path)) : -1;
	ret = pin_proc_release(&s->h, 0);
	s->method[0] = NULL;
	if (at < 0) {
		note(c, "the pinned block was not given to the next file");
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

/* may the mapping be looked at afterwards, and by whom? */
static struct pin_proc *viewer(struct teardown *s, enum use use)
{
	if (use == CLOSED || use == KILLED)
		return NULL;
	return use == BY_ANOTHER ? &s->viewer : &s->h;
}

static int check_window(struct teardown *s, struct pin_proc *h)
{
	size_t from = s->off[0], to = from + s->len;
	int ret = pin_proc_check(h, MAP_MAIN, 0, from, TAG_MEMORY);

	ret = ret ?: pin_proc_check(h, MAP_MAIN, from, s->len, s->sink[0] ? TAG_SINK : TAG_MEMORY);
	return ret ?: pin_proc_check(h, MAP_MAIN, to, teardown_window() - to, TAG_MEMORY);
}

/* what the mapping from before shows now */
static void check_mapping(struct teardown *s, struct pin_proc *h)
{
	const struct action *a = s->c->action;
	struct cell *c = s->c;
	char what[96];
	int ret = 0;

	snprintf(what, sizeof(what), "the old mapping after %s", a->verb);
	if (atomic_load(&c->guard->tl.result)) {
		/* refused: nothing has changed */
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
		ret = pin_proc_zeroes(h, MAP_MAIN, 0, teardown_window());
		break;
	case LEAVES_BYTES:
		ret = check_window(s, h);
		break;
	case LEAVES_NEXT:
		ret = pin_proc_check_as(h, MAP_MAIN, 0, teardown_window(), TAG_MEMORY, ACTION_SHIFT);
		break;
	case LEAVES_OTHER:
		ret = pin_proc_check(h, MAP_MAIN, 0, teardown_window(), TAG_OTHER);
		break;
	case LEAVES_OPEN:
		return;
	}
	expect_ok(c, ret, what, h->why);
}

/* the same by read(2), and that nothing else of the file has changed */
static void check_bytes(struct teardown *s)
{
	const struct action *a = s->c->action;
	char why[160] = "";
	int ret = 0;

	if (atomic_load(&s->c->guard->tl.result))
		return;
	if (a->leaves == LEAVES_NEXT)
		ret = bytes_check(s->node, 0, teardown_window(), TAG_MEMORY, ACTION_SHIFT, why,
				  sizeof(why));
	else if (a->shifts)
		ret = bytes_check(s->node, 2 * ACTION_SHIFT, teardown_window(), TAG_MEMORY,
				  ACTION_SHIFT, why, sizeof(why));
	else if (a->leaves == LEAVES_ZEROES || a->leaves == LEAVES_OTHER)
		ret = bytes_check(s->node, ACTION_SHIFT, teardown_window(), TAG_MEMORY, ACTION_SHIFT,
				  why, sizeof(why));
	expect_ok(s->c, ret, "the bytes of the file afterwards", why);
}

/* what need not wait for the pin is given the time to show it */
static enum op_state watch(struct teardown *s)
{
	enum op_state state = teardown_watch(s);

	if (state != OP_RETURNED && s->rule.wait == TL_MUST_PASS &&
	    !op_wait(&s->op, PASS_NS))
		state = OP_RETURNED;
	return state;
}

/* the pin, or its holder, goes; the action has to come back */
static enum verdict_kind let_go(struct teardown *s, enum use use)
{
	struct timeline *tl = &s->c->guard->tl;
	enum verdict_kind kind;

	if (use == KILLED) {
		timeline_mark(tl, TL_RELEASING);
		pin_proc_kill(&s->h);
		/* the dying process waits for I/O that only dm-delay can hand on */
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

static void reap(struct teardown *s)
{
	struct cell *c = s->c;

	if (expect_ok(c, pin_proc_reap(&s->h, OP_DEADLINE_NS), "reaping the holder", ""))
		memset(c->guard->procs, 0, sizeof(c->guard->procs));
}

/* a file system that does not know how: nothing was done */
static bool unknown_here(struct teardown *s)
{
	struct timeline *tl = &s->c->guard->tl;

	if (!timeline_at(tl, TL_RETURNED) || atomic_load(&tl->result) != -EOPNOTSUPP)
		return false;
	skip(s->c, "%s cannot do this to a DAX file here: %s", s->c->memory->name,
	     strerror(EOPNOTSUPP));
	guard_set_op(s->c->guard, 0);
	return true;
}

static void undo(struct teardown *s)
{
	struct cell *c = s->c;
	int ret;

	if (!c->action->undo || atomic_load(&c->guard->tl.result))
		return;
	ret = c->action->undo(&c->v);
	expect(c, VERDICT_FAILED, !ret, "undoing %s: %s", c->action->verb, strerror(-ret));
}

static void act(struct teardown *s, enum use use)
{
	struct cell *c = s->c;
	uint64_t physical = 0;
	struct pin_proc *h = viewer(s, use);
	bool returned;

	fsdax_physical(s->node, s->off[0], &physical);
	if (!teardown_start(s))
		return;
	watch(s);
	/* what may wait has to, where it takes the block from the file */
	if (s->rule.wait == TL_MAY_WAIT && timeline_at(&c->guard->tl, TL_RETURNED) &&
	    physical && place_of(s->node, physical) < 0)
		s->rule.wait = TL_MUST_WAIT;
	if (unknown_here(s)) {
		teardown_release_all(s);
		return;
	}
	if (teardown_judge_early(s) == VERDICT_RETURNED_EARLY) {
		guard_set_op(c->guard, 0);
		look_through_pin(s, physical);
		return;
	}
	returned = timeline_at(&c->guard->tl, TL_RETURNED);
	/* a frozen file system takes no stores, and a thread may be at one */
	if (returned)
		undo(s);
	if (let_go(s, use) == VERDICT_NEVER_RETURNED)
		return;
	if (!returned)
		undo(s);
	if (c->action->spoils)
		c->guard->fs_spoiled = true;
	if (use == TOUCHED)
		expect_ok(c, pin_proc_stop_threads(&s->h, NULL), "ending the thread", s->h.why);
	if (h)
		check_mapping(s, h);
	if (c->action->leaves != LEAVES_OPEN)
		check_bytes(s);
	if (use == KILLED)
		reap(s);
}

static void file(struct cell *c, enum use use)
{
	struct teardown s;

	if (arrange(c, &s, use))
		act(&s, use);
	if (cell_over(c))
		c->guard->fs_spoiled = true;
	teardown_cleanup(&s);
	if (c->verdict == VERDICT_RETURNED_EARLY)
		expect_ok(c, guard_fresh_pages(c->guard), "a fresh memory map", "");
}

static void file_kept(struct cell *c)
{
	file(c, KEPT);
}

static void file_unmapped(struct cell *c)
{
	file(c, CLOSED);
}

static void file_touched(struct cell *c)
{
	file(c, TOUCHED);
}

static void file_by_another(struct cell *c)
{
	file(c, BY_ANOTHER);
}

static void file_killed(struct cell *c)
{
	file(c, KILLED);
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
			.what = "I/O in flight from or to a file: what frees its blocks waits, nothing else",
			.sizes = AT_PMD,
			.pins = PINS_DM_DELAY,
			.run = file_kept,
		}, {
			.name = "unmapped",
			.what = "the same, the file is unmapped and closed: who gets the bytes?",
			.sizes = AT_PMD,
			.pins = PINS_FILE_SINK,
			.run = file_unmapped,
		}, {
			.name = "",
			.what = "a page of a file in a pipe, the mapping stays",
			.run = file_kept,
		}, {
			.name = "unmapped",
			.what = "the same, the file is unmapped and closed",
			.run = file_unmapped,
		}, {
			.name = "touched",
			.what = "the same, a thread touches all of it all the while",
			.run = file_touched,
		}, {
			.name = "by_another",
			.what = "the same, another process maps the file",
			.run = file_by_another,
		}, {
			.name = "map_dev",
			.what = "a page of a file in a pipe, the memory map lies on the device (altmap)",
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
