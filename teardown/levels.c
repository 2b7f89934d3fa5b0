// SPDX-License-Identifier: GPL-2.0
/*
 * A driver above device_dax taken away: dax_pmem, the region's, the bus's.
 *
 * Whoever unbinds a parent takes its children away first, each by its own driver's
 * rules, so that the wait for pins is theirs (device_unregister(), then
 * device_release_driver() of each child).  Afterwards nothing that was below is left,
 * and after the next bind all of it is there again, with its bytes, though perhaps
 * under another number.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "teardown/teardown.h"

/* Of another device of the region as much as a pin lies in. */
#define OTHER_BYTES	(64u << 10)

static bool begin(struct cell *c)
{
	enum level level = c->action->level;
	char why[WHY_LEN] = "";
	int ret = level_find(&c->v.ns, level, why, sizeof(why));

	ret = ret ?: level_offered(&c->guard->set, &c->v.ns, level, why, sizeof(why));
	if (!ret && c->action->module)
		ret = level_module_offered(&c->guard->set, &c->v.ns, level, why, sizeof(why));
	if (ret) {
		skip(c, "%s", why[0] ? why : strerror(-ret));
		return false;
	}
	/* file systems lie on namespaces that would go, too */
	if (c->action->takes_region &&
	    !expect_ok(c, guard_drop_fs(c->guard), "unmounting what is mounted", ""))
		return false;
	note(c, "%s: %s of %s %s", c->action->verb, c->v.ns.above.name,
	     strrchr(c->v.ns.above.driver, '/') + 1, c->v.ns.above.module);
	c->guard->mem = c->v;
	c->guard->undo = c->action->undo;
	return true;
}

static void level_mapped(struct cell *c)
{
	if (begin(c))
		teardown_mapped(c);
}

static void level_pinned(struct cell *c)
{
	if (begin(c))
		teardown_pinned(c);
}

/* one more pin, on another device of the region; its mapping goes at once */
static int pin_on(struct teardown *s, const struct test_mem *v, enum daxmap_size size)
{
	unsigned int slot = s->nr_pins;
	int ret;

	ret = pin_proc_map(&s->h, MAP_WHOLE, v->node, size, 0, 0, PROT_READ | PROT_WRITE);
	ret = ret ?: pin_proc_fill(&s->h, MAP_WHOLE, 0, OTHER_BYTES, TAG_MEMORY);
	ret = ret ?: pin_proc_pin(&s->h, slot, s->c->method, MAP_WHOLE, 0, s->len, 0, TAG_MEMORY);
	if (ret)
		return ret;
	s->method[slot] = s->c->method;
	s->nr_pins++;
	return pin_proc_close(&s->h, MAP_WHOLE);
}

static bool pin_others(struct teardown *s)
{
	struct cell *c = s->c;
	char why[WHY_LEN] = "";

	for (int size = 0; size < DAXMAP_NR; size++) {
		struct memory_want want = { .size = size, .bytes = daxmap_bytes(size) };
		struct test_mem v;

		if (size == (int)c->size ||
		    c->memory->take(c->memory, c->guard, &want, &v, why, sizeof(why)) ||
		    !strcmp(v.ns.ndns, c->v.ns.ndns) || strcmp(v.ns.region, c->v.ns.region))
			continue;
		if (!expect_ok(c, pin_on(s, &v, size), "pinning another device", s->h.why))
			return false;
		note(c, "%s is pinned, too", v.ns.dax);
	}
	s->rule.pins = s->nr_pins;
	if (s->nr_pins > 1)
		return true;
	skip(c, "no other device of %s is offered: %s", c->v.ns.region, why);
	return false;
}

/* guard_settle() gives the cell's own device a new memory map; others want one, too */
static void renew(struct teardown *s)
{
	int ret = guard_bind_call(s->c->guard, s->c->action->run);

	if (expect_ok(s->c, ret, "one more unbind", "") && teardown_bind(s))
		s->c->guard->dirty = false;
}

/* the parent has to wait for each of its children's pins, in whatever order they end */
static void level_several(struct cell *c)
{
	struct teardown s;

	if (!begin(c))
		return;
	if (!teardown_setup(c, &s) || !teardown_pin(&s, c->method, 0) || !pin_others(&s) ||
	    !teardown_start(&s))
		goto out;
	/* a device that has to wait for another's turn keeps its mapping until then */
	s.rule.revoke = false;
	if (!teardown_release_each(&s)) {
		renew(&s);
		goto out;
	}
	if (teardown_finish_and_check(&s) == VERDICT_NEVER_RETURNED)
		return;
out:
	teardown_cleanup(&s);
}

/*
 * A module goes when nobody uses it, and takes its driver along, which is unbound from
 * all its devices.  Whoever has a device of device_dax open or mapped uses its module:
 * that is what struct cdev's owner is for.  A pin uses none.
 */
static void module_removed(struct cell *c)
{
	struct teardown s;

	if (!begin(c))
		return;
	if (teardown_setup(c, &s)) {
		teardown_drop_mappings(&s);
		s.rule.revoke = false;
		teardown_run(&s);
	}
	teardown_cleanup(&s);
}

/* refused, with nothing changed */
static void refused(struct teardown *s, const char *because)
{
	struct cell *c = s->c;
	int ret = guard_bind_call(c->guard, c->action->run);

	if (!expect(c, ret == -ETIMEDOUT ? VERDICT_NEVER_RETURNED : VERDICT_FAILED,
		    ret == -EAGAIN, "rmmod %s: %s; expected %s, %s", c->v.ns.above.module,
		    ret ? strerror(-ret) : "done", strerror(EAGAIN), because))
		return;
	expect(c, VERDICT_FAILED, !pin_proc_touch(&s->h, MAP_MAIN, 0),
	       "the mapping is gone although the module stayed");
}

static void module_mapped(struct cell *c)
{
	struct teardown s;

	if (!begin(c))
		return;
	if (teardown_setup(c, &s))
		refused(&s, "the device is mapped");
	teardown_cleanup(&s);
}

static void module_needed(struct cell *c)
{
	struct teardown s;

	if (!begin(c))
		return;
	if (teardown_setup(c, &s))
		refused(&s, "it is in use");
	teardown_cleanup(&s);
}

/* neither a descriptor nor a mapping is left, but a pin is */
static void module_pinned(struct cell *c)
{
	struct teardown s;

	if (!begin(c))
		return;
	if (teardown_setup(c, &s) && teardown_pin(&s, c->method, 0)) {
		teardown_drop_mappings(&s);
		s.rule.revoke = false;
		teardown_run(&s);
	}
	teardown_cleanup(&s);
}

static const struct scenario_group levels = {
	.name = "levels",
	.order = 60,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_PMD,
		.ignore = HEALTH_NUMBERS,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "",
			.what = "mapped, a driver further up is unbound: all below goes first, and comes back",
			.sizes = AT_ALL,
			.actions = EVERY_LEVEL,
			.run = level_mapped,
		}, {
			.name = "",
			.what = "one pin out, a driver further up is unbound: it waits for the pin",
			.actions = EVERY_LEVEL,
			.pins = PINS_UNTIMED,
			.run = level_pinned,
		}, {
			.name = "several_devices",
			.what = "pins on several devices of one region: it waits for the last",
			.actions = EVERY_PARENT,
			.pins = PIN_VMSPLICE,
			.run = level_several,
		}, {
			.name = "",
			.what = "disabled through libndctl: as an unbind is",
			.acts = LIST("disable_namespace", "disable_region"),
			.run = level_mapped,
		}, {
			.name = "",
			.what = "disabled through libndctl with a pin out: it waits for the pin",
			.acts = LIST("disable_namespace", "disable_region"),
			.pins = PIN_VMSPLICE,
			.run = level_pinned,
		}, {
			.name = "",
			.what = "mapped, the region's driver is unbound, and bound again",
			.on = ON_DYNAMIC,
			.acts = LIST("unbind_dax_region"),
			.run = level_mapped,
		}, {
			.name = "",
			.what = "one pin out, the region's driver is unbound: it waits",
			.on = ON_DYNAMIC,
			.acts = LIST("unbind_dax_region"),
			.pins = PINS_UNTIMED,
			.run = level_pinned,
		},
		{ }
	},
};

REGISTER(scenario_groups, &levels);

static const struct scenario_group modules = {
	.name = "modules",
	.order = 100,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_PMD,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "",
			.what = "nothing is open: the module is removed, and loaded again",
			.acts = LIST("rmmod_device_dax", "rmmod_dax_pmem", "rmmod_in_order"),
			.ignore = HEALTH_NUMBERS,
			.run = module_removed,
		}, {
			.name = "",
			.what = "a page is in a pipe, nothing is open: it waits",
			.acts = LIST("rmmod_device_dax", "rmmod_dax_pmem", "rmmod_in_order"),
			.pins = PIN_VMSPLICE,
			.ignore = HEALTH_NUMBERS,
			.run = module_pinned,
		}, {
			.name = "mapped",
			.what = "the device is mapped: its module is in use, and stays",
			.acts = LIST("rmmod_device_dax"),
			.run = module_mapped,
		}, {
			.name = "mapped",
			.what = "the device is mapped: that uses no module but its own",
			.acts = LIST("rmmod_dax_pmem", "rmmod_in_order"),
			.ignore = HEALTH_NUMBERS,
			.run = level_mapped,
		}, {
			.name = "",
			.what = "devices are bound that use it: it stays",
			.acts = LIST("rmmod_nd_bus"),
			.run = module_needed,
		}, {
			.name = "",
			.what = "other modules need it: it stays",
			.acts = LIST("rmmod_libnvdimm"),
			.run = module_needed,
		},
		{ }
	},
};

REGISTER(scenario_groups, &modules);
