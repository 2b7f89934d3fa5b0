// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that changes its owner while a pin from before is out.
 *
 * Judged twice.  The change has to wait for the pin, as any unbind has to.  Where it
 * does not, what matters next is whether the pin now reaches what is not its
 * holder's: then the failure is a hole, and else a crash to come.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "teardown/teardown.h"

/* What the change takes under emulation when nothing is in its way. */
#define OWNER_USUAL_NS	(300 * NSEC_PER_MSEC)

static bool begin(struct cell *c, struct teardown *s)
{
	char why[WHY_LEN] = "";
	int ret = 0;

	if (c->v.ns.ndns[0])
		ret = level_find(&c->v.ns, LEVEL_DAX_PMEM, why, sizeof(why));
	if (ret) {
		skip(c, "%s", why);
		return false;
	}
	c->guard->mem = c->v;
	c->guard->undo = c->action->undo;
	memset(s, 0, sizeof(*s));
	if (!teardown_setup(c, s))
		return false;
	s->usual_ns = OWNER_USUAL_NS;
	return true;
}

/* nobody has the device open: it is free to be given to somebody else */
static void leave(struct teardown *s)
{
	teardown_drop_mappings(s);
	s->rule.revoke = false;
}

static void owner_alone(struct cell *c)
{
	struct teardown s;

	if (begin(c, &s)) {
		leave(&s);
		teardown_run(&s);
	}
	teardown_cleanup(&s);
}

/* where the pinned bytes lie for whoever opens the namespace's block device */
static int block_of(struct teardown *s, char *path, size_t len, off_t *off)
{
	unsigned long long data = s->c->v.ns.start;
	struct test_ns now;
	int ret = ns_present(&s->c->v.ns, &now);

	if (ret)
		return ret;
	snprintf(path, len, "/dev/%s", now.block);
	*off = s->data - (now.claim_dev[0] ? s->data : data) + s->off[0];
	return now.block[0] ? 0 : -ENODEV;
}

/* is what comes next a device that is mapped, too? */
static bool is_device_again(const struct cell *c)
{
	return c->action->dax_again;
}

/* the next owner's bytes, where the pin is */
static int settle_in(struct teardown *s)
{
	char path[NODE_LEN];
	off_t off;
	int ret;

	if (is_device_again(s->c))
		return 0;
	ret = block_of(s, path, sizeof(path), &off);
	ret = ret ?: bytes_write(path, off, s->len, TAG_OWNER, s->off[0]);
	return ret ?: bytes_sync(path);
}

/* the same by a mapping, where it is device-dax again; what is there stays */
static int settle_in_dax(struct teardown *s)
{
	int ret = cell_pin_proc(s->c, &s->viewer) ? 0 : -ECHILD;

	ret = ret ?: pin_proc_map(&s->viewer, MAP_MAIN, s->c->v.node, s->c->size, 0, 0,
				  PROT_READ | PROT_WRITE);
	if (!is_device_again(s->c))
		return ret;
	return ret ?: pin_proc_fill(&s->viewer, MAP_MAIN, s->off[0], s->len, TAG_OWNER);
}

/* does what the pin's holder got, or left there, belong to the next owner? */
static void judge_reach(struct teardown *s)
{
	struct cell *c = s->c;
	bool sink = s->sink[0];
	int ret = pin_proc_release(&s->h, 0);

	s->method[0] = NULL;
	if (sink)
		ret = pin_proc_check(&s->viewer, MAP_MAIN, s->off[0], s->len, TAG_OWNER);
	/* wrong bytes of any other kind are told, and are not called a hole */
	if (ret == -EILSEQ && (sink ? !!pin_proc_check(&s->viewer, MAP_MAIN, s->off[0], s->len,
						       TAG_SINK) : s->h.seen != TAG_OWNER)) {
		cell_adds(c, "wrong bytes by the old pin: %s",
			  sink ? s->viewer.why : s->h.why);
		return;
	}
	if (!ret || ret == -EILSEQ)
		cell_adds(c, ret ? "a hole: the old pin %s the next owner's bytes" :
				   "the old pin never %s the next owner's bytes",
			  sink ? (ret ? "overwrites" : "overwrote") : (ret ? "reads" : "read"));
	if (ret == -EILSEQ)
		note(c, "seen: %s", sink ? s->viewer.why : s->h.why);
	else if (ret)
		note(c, "release after the early return: %s: %s", strerror(-ret), s->h.why);
}

/*
 * The pin is out and the memory is another's.  The next owner puts bytes there.  The
 * pages have a memory map again, whatever the use was, before the pin goes.
 */
static void reach(struct teardown *s)
{
	struct cell *c = s->c;
	int ret = settle_in(s);

	c->guard->dirty = true;
	ret = ret ?: teardown_undo(c);
	ret = ret ?: settle_in_dax(s);
	if (ret) {
		note(c, "the next owner could not settle in: %s", strerror(-ret));
		teardown_release_late(s);
		return;
	}
	judge_reach(s);
	pin_proc_fill(&s->viewer, MAP_MAIN, s->off[0], s->len, TAG_MEMORY);
	pin_proc_close(&s->viewer, MAP_MAIN);
}

static void owner_pinned(struct cell *c)
{
	struct teardown s;

	if (!begin(c, &s) || !teardown_pin(&s, c->method, 0))
		goto out;
	leave(&s);
	s.data = level_data(&c->v.ns);
	if (!teardown_start(&s))
		goto out;
	teardown_watch(&s);
	if (teardown_judge_early(&s) == VERDICT_RETURNED_EARLY) {
		reach(&s);
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

/* what is in use is not destroyed */
static void owner_refused(struct cell *c)
{
	struct teardown s;
	int ret;

	if (begin(c, &s)) {
		ret = guard_bind_call(c->guard, destroy_enabled);
		expect(c, VERDICT_FAILED, ret == -EBUSY,
		       "destroying an enabled namespace: %s; expected %s",
		       ret ? strerror(-ret) : "done", strerror(EBUSY));
		expect(c, VERDICT_FAILED, !pin_proc_touch(&s.h, MAP_MAIN, 0),
		       "the mapping is gone although the namespace stayed");
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
			.what = "nobody uses it: it is destroyed, and the next owner's bytes are right",
			.run = owner_alone,
		}, {
			.name = "",
			.what = "a pin from before is out: destroying it waits for the pin",
			.pins = PINS_NEXT_OWNER,
			.run = owner_pinned,
		}, {
			.name = "in_use",
			.what = "a namespace that is in use is not destroyed",
			.acts = LIST("recreate_same"),
			.ignore = HEALTH_NONE,
			.run = owner_refused,
		}, {
			.name = "",
			.what = "nobody uses it: the next device is made of its memory",
			.on = ON_DYNAMIC,
			.acts = LIST("recreate_device"),
			.run = owner_alone,
		}, {
			.name = "",
			.what = "a pin from before is out: the next device has to wait for it",
			.on = ON_DYNAMIC,
			.acts = LIST("recreate_device"),
			.pins = PINS_NEXT_OWNER,
			.run = owner_pinned,
		},
		{ }
	},
};

REGISTER(scenario_groups, &owner);
