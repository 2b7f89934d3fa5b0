// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver above device_dax is unbound: dax_pmem's, the region's, the bus's.
 *
 * The kernel first removes the children of the device, each by the rules of its own
 * driver (device_unregister(), then device_release_driver() of each child): they wait
 * for pins.  Afterwards no child is left.  After the next bind all are back with their
 * bytes, possibly under other numbers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "teardown/level_setup.h"
#include "teardown/teardown.h"

static void level_mapped(struct cell *c)
{
	if (level_setup(c))
		teardown_mapped(c);
}

static void level_pinned(struct cell *c)
{
	if (level_setup(c))
		teardown_pinned(c);
}

/* one more pin, on another device of the region, which stays pinned but not mapped */
static bool pin_device(struct teardown *s, const struct test_mem *v, enum daxmap_size size)
{
	unsigned int slot = s->nr_pins;
	struct cell *c = s->c;
	int ret;

	ret = pin_proc_map(&s->h, MAP_WHOLE, v->node, size, 0, 0, PROT_READ | PROT_WRITE);
	if (!expect_ok(c, ret, "mapping another device", s->h.why))
		return false;
	ret = pin_proc_fill(&s->h, MAP_WHOLE, 0, s->len, TAG_MEMORY);
	if (!expect_ok(c, ret, "filling a page of another device", s->h.why))
		return false;
	ret = pin_proc_pin(&s->h, slot, c->method, MAP_WHOLE, 0, s->len, 0, TAG_MEMORY);
	if (!expect_ok(c, ret, "pinning another device", s->h.why))
		return false;
	s->method[slot] = c->method;
	s->nr_pins++;
	ret = pin_proc_close(&s->h, MAP_WHOLE);
	return expect_ok(c, ret, "closing another device", s->h.why);
}

static bool pin_other_devices(struct teardown *s)
{
	struct cell *c = s->c;
	char why[WHY_LEN] = "";

	for (int size = 0; size < DAXMAP_NR; size++) {
		struct memory_want want = { .size = size, .bytes = daxmap_bytes(size) };
		struct test_mem v;

		if (size == (int)c->size ||
		    memory_take(c->memory, c->guard, &want, &v, why, sizeof(why)) ||
		    !strcmp(v.ns.ndns, c->v.ns.ndns) || strcmp(v.ns.region, c->v.ns.region))
			continue;
		if (!pin_device(s, &v, size))
			return false;
		note("%s is pinned, too", v.ns.dax);
	}
	s->rule.pins = s->nr_pins;
	if (s->nr_pins > 1)
		return true;
	skip(c, "no other device of %s is opted in: %s", c->v.ns.region, why);
	return false;
}

/* after an early return: guard_settle() would reset the memory map of one device only */
static void reset_memmaps(struct teardown *s)
{
	int ret = guard_bind_call(s->c->guard, s->c->action->run);

	if (expect_ok(s->c, ret, "unbind to reset the memory maps", "") &&
	    teardown_bind(s))
		guard_has_new_memmap(s->c->guard);
}

/* the parent waits for the pins on all its children, in any order of their release */
static void level_several(struct cell *c)
{
	struct teardown s;

	if (!level_setup(c))
		return;
	if (!teardown_setup(c, &s) || !teardown_pin(&s, c->method, 0) || !pin_other_devices(&s) ||
	    !teardown_start(&s))
		goto out;
	/* a device keeps its mapping while the kernel waits for pins on another one */
	s.rule.revoke = false;
	if (!teardown_release_each(&s)) {
		reset_memmaps(&s);
		goto out;
	}
	if (teardown_finish_and_check(&s) == VERDICT_NEVER_RETURNED)
		return;
out:
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
			.what = "mapped, a driver above is unbound: no device is left; bind brings all back",
			.sizes = AT_ALL,
			.actions = EVERY_LEVEL,
			.run = level_mapped,
		}, {
			.name = "",
			.what = "one page pinned, a driver above is unbound: it waits for the pin",
			.actions = EVERY_LEVEL,
			.pins = PINS_UNTIMED,
			.run = level_pinned,
		}, {
			.name = "several_devices",
			.what = "pins on several devices of one region: unbind waits for the last",
			.actions = EVERY_PARENT,
			.pins = PIN_VMSPLICE,
			.run = level_several,
		}, {
			.name = "",
			.what = "mapped, disabled through libndctl: the same as unbind",
			.acts = LIST("disable_namespace", "disable_region"),
			.run = level_mapped,
		}, {
			.name = "",
			.what = "one page pinned, disabled through libndctl: it waits for the pin",
			.acts = LIST("disable_namespace", "disable_region"),
			.pins = PIN_VMSPLICE,
			.run = level_pinned,
		}, {
			.name = "",
			.what = "mapped, the region's driver is unbound and bound again",
			.on = ON_DYNAMIC,
			.acts = LIST("unbind_dax_region"),
			.run = level_mapped,
		}, {
			.name = "",
			.what = "one page pinned, the region's driver is unbound: it waits for the pin",
			.on = ON_DYNAMIC,
			.acts = LIST("unbind_dax_region"),
			.pins = PINS_UNTIMED,
			.run = level_pinned,
		},
		{ }
	},
};

REGISTER(scenario_groups, &levels);
