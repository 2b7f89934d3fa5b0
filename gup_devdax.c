// SPDX-License-Identifier: GPL-2.0
/*
 * Pins on device-dax memory: taken, counted, carrying the right bytes, given
 * back; at each page size, by each way of pinning.
 *
 * Every scenario runs in a process of its own (run_alone()), on the last bytes
 * of the device.  What a device holds between cells is nobody's concern.
 */
#include "gup.h"
#include "suite_harness.h"

static bool is_any(const struct pin_method *m)
{
	(void)m;
	return true;
}

/* held until it is let go, not until a clock says so */
static bool can_hold_on(const struct pin_method *m)
{
	return (m->flags & (PIN_HELD | PIN_TIMED)) == PIN_HELD;
}

static const struct scenario scenarios[] = {
	{
		.name = "spans_fast",
		.what = "inside a page to the whole mapping, the memory already mapped",
		.sizes = AT_ALL, .wants = is_any, .run = run_alone, .body = spans_fast,
	}, {
		.name = "spans_slow",
		.what = "the same, the memory not mapped: the pin faults it in",
		.sizes = AT_ALL, .wants = is_any, .run = run_alone, .body = spans_slow,
	}, {
		.name = "thousand",
		.what = "a thousand pins on one page, released in three orders",
		.sizes = AT_ALL, .wants = can_hold_on, .run = run_alone, .body = thousand,
	},
	{ 0 }
};

static const struct suite suite = {
	.name = "gup_devdax",
	.what = "pins on device-dax memory: counted, with the right bytes, given back",
	.memory = "devdax",
	.scenarios = scenarios,
	.targets = true,
};

int main(int argc, char **argv)
{
	return suite_main(&suite, argc, argv);
}
