// SPDX-License-Identifier: GPL-2.0-only
/*
 * DAX memory is removed while it is mapped and pinned: is the order of teardown right?
 *
 * A page reference counts for its page map (71389703839e, "mm, zone_device: Replace {get,
 * put}_zone_device_page() with a single reference to fix pmem crash"), and the wait for
 * the last one comes before the memory map is released (50f44ee7248a,
 * "mm/devm_memremap_pages: fix final page put race"):
 *
 *	no new users, mappings revoked  ->  wait until the last pin is released  ->
 *	release the memory map  ->  unbind returns
 */
#include "suite/harness.h"
#include "teardown/teardown.h"

static const struct suite suite = {
	.name = "dax_teardown",
	.what = "DAX memory removed while it is mapped and pinned: order of teardown",
	.targets = true,
	.clock = true,
};

int main(int argc, char **argv)
{
	return suite_main(&suite, argc, argv);
}
