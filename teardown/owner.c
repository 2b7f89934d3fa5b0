// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory gets a new owner while an old pin is out.
 *
 * The change has to wait for the pin, as any unbind has to.  After an early return the
 * scenarios also find out whether the pin reads or overwrites the next owner's memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "teardown/teardown.h"

/* duration of the change without pins, under emulation */
#define OWNER_USUAL_NS	(300 * NSEC_PER_MSEC)

static bool owner_setup(struct cell *c, struct teardown *s)
{
	char why[WHY_LEN] = "";
	int ret = 0;

	memset(s, 0, sizeof(*s));
	s->c = c;
	if (c->v.ns.ndns[0])
		ret = level_find(&c->v.ns, LEVEL_DAX_PMEM, why, sizeof(why));
	if (ret) {
		skip(c, "%s", why);
		return false;
	}
	guard_takes_away(c->guard, &c->v, c->action->undo);
	if (!teardown_setup(c, s))
		return false;
	s->usual_ns = OWNER_USUAL_NS;
	return true;
}

/* close the device, so that it can be destroyed */
static void owner_close(struct teardown *s)
{
	teardown_drop_mappings(s);
	s->rule.revoke = false;
}

static void owner_unpinned(struct cell *c)
{
	struct teardown s;

	if (owner_setup(c, &s)) {
		owner_close(&s);
		teardown_run(&s);
	}
	teardown_cleanup(&s);
}

/* the block device of the namespace, and the offset of the pinned bytes in it */
static int find_pinned_block(struct teardown *s, char *path, size_t len, off_t *off)
{
	unsigned long long start = s->c->v.ns.start;
	struct test_ns now;
	int ret = ns_read_again(&s->c->v.ns, &now);

	if (ret)
		return ret;
	snprintf(path, len, "/dev/%s", now.block);
	/* fsdax: its block device begins with the data; raw: with the namespace */
	*off = s->off[0] + (now.claim_dev[0] ? 0 : s->data - start);
	return now.block[0] ? 0 : -ENODEV;
}

/* the next owner writes its data to the pinned bytes of its block device */
static bool write_next_owner(struct teardown *s)
{
	char path[NODE_LEN];
	const char *step;
	off_t off;
	int ret;

	step = "finding its block device";
	ret = find_pinned_block(s, path, sizeof(path), &off);
	if (!ret) {
		step = "write()";
		ret = bytes_write(path, off, s->len, TAG_OWNER, s->off[0]);
	}
	if (!ret) {
		step = "fsync()";
		ret = bytes_sync(path);
	}
	if (ret)
		note("cannot write the next owner's data: %s: %s", step, strerror(-ret));
	return !ret;
}

/* another process maps the memory; on a device-dax device it also writes the data */
static bool map_next_owner(struct teardown *s)
{
	struct cell *c = s->c;
	const char *step;
	int ret;

	if (!cell_pin_proc(c, &s->viewer))
		return false;
	step = "mmap()";
	ret = pin_proc_map(&s->viewer, MAP_MAIN, c->v.node, c->size, 0, 0,
			   PROT_READ | PROT_WRITE);
	if (!ret && c->action->dax_again) {
		step = "filling the mapping";
		ret = pin_proc_fill(&s->viewer, MAP_MAIN, s->off[0], s->len, TAG_OWNER);
	}
	if (ret)
		note("cannot map the next owner's memory: %s: %s", step, strerror(-ret));
	return !ret;
}

/* a pin that reads: @ret of its release says what it has read */
static void judge_reader(struct teardown *s, int ret)
{
	struct cell *c = s->c;

	if (!ret) {
		cell_adds(c, "the old pin did not read the next owner's memory");
	} else if (ret != -EILSEQ) {
		note("release after the early return: %s: %s", strerror(-ret), s->h.why);
	} else if (s->h.seen != TAG_OWNER) {
		cell_adds(c, "wrong bytes read through the old pin: %s", s->h.why);
	} else {
		cell_adds(c, "the old pin reads the next owner's memory");
		note("seen: %s", s->h.why);
	}
}

/* a pin that writes: the memory says whether it has been overwritten */
static void judge_writer(struct teardown *s)
{
	struct pin_proc *h = &s->viewer;
	struct cell *c = s->c;
	char why[sizeof(h->why)];
	int ret = pin_proc_check(h, MAP_MAIN, s->off[0], s->len, TAG_OWNER);

	memcpy(why, h->why, sizeof(why));
	if (!ret) {
		cell_adds(c, "the old pin did not overwrite the next owner's memory");
	} else if (ret != -EILSEQ) {
		note("reading the next owner's memory: %s: %s", strerror(-ret), why);
	} else if (pin_proc_check(h, MAP_MAIN, s->off[0], s->len, TAG_SINK)) {
		cell_adds(c, "wrong bytes in the next owner's memory: %s", why);
	} else {
		cell_adds(c, "the old pin overwrites the next owner's memory");
		note("seen: %s", why);
	}
}

/*
 * After an early return the memory has its next owner, who fills it.  Does the old pin
 * reach the data?  The device is bound before the pin is released, so that its pages
 * have a memory map again.
 */
static void owner_check_reach(struct teardown *s)
{
	struct cell *c = s->c;
	bool written = c->action->dax_again || write_next_owner(s);
	int ret;

	guard_needs_new_memmap(c->guard);
	if (!written) {
		teardown_release_late(s);
		return;
	}
	ret = teardown_undo(c);
	if (ret)
		note("bringing the device back: %s", strerror(-ret));
	if (ret || !map_next_owner(s)) {
		teardown_release_late(s);
		return;
	}
	ret = pin_proc_release(&s->h, 0);
	s->method[0] = NULL;
	if (s->sink[0])
		judge_writer(s);
	else
		judge_reader(s, ret);
	ret = pin_proc_fill(&s->viewer, MAP_MAIN, s->off[0], s->len, TAG_MEMORY);
	if (ret)
		note("filling the memory again: %s", strerror(-ret));
	pin_proc_close(&s->viewer, MAP_MAIN);
}

static void owner_pinned(struct cell *c)
{
	struct teardown s;

	if (!owner_setup(c, &s) || !teardown_pin(&s, c->method, 0))
		goto out;
	owner_close(&s);
	s.data = level_data_start(&c->v.ns);
	if (!teardown_start(&s))
		goto out;
	teardown_watch(&s);
	if (teardown_judge_early(&s) == VERDICT_RETURNED_EARLY) {
		owner_check_reach(&s);
		goto out;
	}
	teardown_release_all(&s);
	if (teardown_finish_and_check(&s) == VERDICT_NEVER_RETURNED)
		return;
out:
	teardown_cleanup(&s);
}

static int destroy_enabled(const struct test_mem *mem)
{
	return ns_destroy_enabled(&mem->ns);
}

static void owner_refused(struct cell *c)
{
	struct teardown s;
	int ret;

	if (owner_setup(c, &s)) {
		ret = guard_bind_call(c->guard, destroy_enabled);
		expect_errno(c, ret, EBUSY, "destroying an enabled namespace");
		ret = pin_proc_touch(&s.h, MAP_MAIN, 0);
		expect_ok(c, ret, "touching the mapping after the refusal", s.h.why);
	}
	teardown_cleanup(&s);
}

static const struct scenario_group owner = {
	.name = "owner",
	.order = 80,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_PMD,
		.acts = LIST("recreate_same", "recreate_fsdax", "recreate_raw"),
		.ignore = HEALTH_NUMBERS,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "",
			.what = "no pin: the namespace is destroyed and created again",
			.run = owner_unpinned,
		}, {
			.name = "",
			.what = "an old pin is out: destroying the namespace waits for it",
			.pins = PINS_NEXT_OWNER,
			.run = owner_pinned,
		}, {
			.name = "in_use",
			.what = "an enabled namespace cannot be destroyed",
			.acts = LIST("recreate_same"),
			.ignore = HEALTH_NONE,
			.run = owner_refused,
		}, {
			.name = "",
			.what = "no pin: the device is destroyed, and another one created in its memory",
			.on = ON_DYNAMIC,
			.acts = LIST("recreate_device"),
			.run = owner_unpinned,
		}, {
			.name = "",
			.what = "an old pin is out: destroying the device waits for it",
			.on = ON_DYNAMIC,
			.acts = LIST("recreate_device"),
			.pins = PINS_NEXT_OWNER,
			.run = owner_pinned,
		},
		{ }
	},
};

REGISTER(scenario_groups, &owner);
