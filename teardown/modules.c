// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module of a driver is removed: all its devices are unbound.
 *
 * The kernel refuses while the module is in use.  An open or mapped device of device_dax
 * uses that module: struct cdev has an owner.  A pin does not use it, so the removal has
 * to wait for the pin.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "teardown/level_setup.h"
#include "teardown/teardown.h"

static void module_removed(struct cell *c)
{
	struct teardown s;

	if (!level_setup(c))
		return;
	if (teardown_setup(c, &s)) {
		teardown_drop_mappings(&s);
		s.rule.revoke = false;
		teardown_run(&s);
	}
	teardown_cleanup(&s);
}

/* the mapping is gone, the descriptor closed, the page still pinned */
static void module_pinned(struct cell *c)
{
	struct teardown s;

	if (!level_setup(c))
		return;
	if (teardown_setup(c, &s) && teardown_pin(&s, c->method, 0)) {
		teardown_drop_mappings(&s);
		s.rule.revoke = false;
		teardown_run(&s);
	}
	teardown_cleanup(&s);
}

/* a mapping does not use the modules above device_dax */
static void module_removed_under_mapping(struct cell *c)
{
	if (level_setup(c))
		teardown_mapped(c);
}

/* the removal is refused; the mapping stays */
static void expect_module_stays(struct cell *c, const char *because)
{
	struct teardown s;
	int ret;

	if (!level_setup(c))
		return;
	if (!teardown_setup(c, &s))
		goto out;
	ret = guard_bind_call(c->guard, c->action->run);
	if (expect(c, ret == -ETIMEDOUT ? VERDICT_NEVER_RETURNED : VERDICT_FAILED, ret == -EAGAIN,
		   "rmmod %s: %s; expected %s, %s", c->v.ns.above.module,
		   ret ? strerror(-ret) : "done", strerror(EAGAIN), because))
		expect(c, VERDICT_FAILED, !pin_proc_touch(&s.h, MAP_MAIN, 0),
		       "the mapping raises SIGBUS although the module stayed");
out:
	teardown_cleanup(&s);
}

static void module_mapped(struct cell *c)
{
	expect_module_stays(c, "the device is mapped");
}

static void module_needed(struct cell *c)
{
	expect_module_stays(c, "it is in use");
}

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
			.what = "no device is open: the module is removed and loaded again",
			.acts = LIST("rmmod_device_dax", "rmmod_dax_pmem", "rmmod_in_order"),
			.ignore = HEALTH_NUMBERS,
			.run = module_removed,
		}, {
			.name = "",
			.what = "a page is in a pipe, no device is open: it waits for the pin",
			.acts = LIST("rmmod_device_dax", "rmmod_dax_pmem", "rmmod_in_order"),
			.pins = PIN_VMSPLICE,
			.ignore = HEALTH_NUMBERS,
			.run = module_pinned,
		}, {
			.name = "mapped",
			.what = "the device is mapped: its module is in use and stays",
			.acts = LIST("rmmod_device_dax"),
			.run = module_mapped,
		}, {
			.name = "mapped",
			.what = "the device is mapped: that uses only the module device_dax",
			.acts = LIST("rmmod_dax_pmem", "rmmod_in_order"),
			.ignore = HEALTH_NUMBERS,
			.run = module_removed_under_mapping,
		}, {
			.name = "",
			.what = "bound devices use the module: it stays",
			.acts = LIST("rmmod_nd_bus"),
			.run = module_needed,
		}, {
			.name = "",
			.what = "other modules need the module: it stays",
			.acts = LIST("rmmod_libnvdimm"),
			.run = module_needed,
		},
		{ }
	},
};

REGISTER(scenario_groups, &modules);
