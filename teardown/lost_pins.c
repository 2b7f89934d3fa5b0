// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins whose references some kernels never drop, although they were released.  The
 * device is lost until reboot then.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <string.h>

#include "lib/pin/counters.h"
#include "teardown/teardown.h"

/* the kernel's counters of pins taken and dropped are balanced after the release */
static void given_back(struct cell *c)
{
	struct pin_counters before, after;
	struct teardown s;
	int64_t out;
	int ret;

	ret = pin_counters_read(&before);
	if (ret) {
		skip(c, "this kernel does not count pins: %s", strerror(-ret));
		return;
	}
	if (!teardown_setup(c, &s) || !teardown_pin(&s, c->method, 0))
		goto out;
	teardown_release_all(&s);
	ret = pin_counters_read(&after);
	if (!expect_ok(c, ret, "reading the counters of pins", ""))
		goto out;
	out = (after.acquired - after.released) - (before.acquired - before.released);
	if (!expect(c, VERDICT_UNHEALTHY, !out,
		    "%" PRId64 " pages are still pinned after the release; expected none", out))
		guard_set_wedged(c->guard);
out:
	teardown_cleanup(&s);
}

static const struct scenario_group lost_pins = {
	.name = "lost_pins",
	.order = 12,
	.common = {
		.on = ON_DEVDAX,
		.pins = PINS_LOST,
		.destructive = true,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "",
			.what = "one page pinned: the mapping is revoked, the action waits for the pin",
			.sizes = AT_PTE,
			.actions = FIRST_ACTION,
			.run = teardown_pinned,
		}, {
			.name = "given_back",
			.what = "no page stays pinned after the release",
			.sizes = AT_PMD,
			.run = given_back,
		},
		{ }
	},
};

REGISTER(scenario_groups, &lost_pins);
