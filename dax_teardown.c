// SPDX-License-Identifier: GPL-2.0
/*
 * The ground taken away while pins are out: order of teardown.
 *
 * The rule is that of 71389703839e ("mm, zone_device: Replace {get,
 * put}_zone_device_page() with a single reference to fix pmem crash"): a driver
 * may be unbound while page references are out; the kernel revokes the mappings,
 * waits for the last reference, and only then releases the memory map.
 */
#include "suite/harness.h"
#include "teardown/teardown.h"

static const struct suite suite = {
	.name = "dax_teardown",
	.what = "the ground taken away under DAX mappings and pins: order of teardown",
	.targets = true,
	.clock = true,
};

int main(int argc, char **argv)
{
	return suite_main(&suite, argc, argv);
}
