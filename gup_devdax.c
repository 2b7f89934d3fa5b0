// SPDX-License-Identifier: GPL-2.0
/*
 * Pins on DAX memory, device-dax and files: taken, counted, carrying the right
 * bytes, given back; at each page size, by each way of pinning.
 *
 * Every scenario runs in a process of its own (run_isolated()), on the last bytes
 * of the device or file.  What a device holds between cells is nobody's concern.
 */
#include "gup/gup.h"
#include "suite/harness.h"

static const struct suite suite = {
	.name = "gup_devdax",
	.what = "pins on DAX memory: counted, with the right bytes, given back",
	.targets = true,
	/* what is done meanwhile takes some tens of milliseconds */
	.hold_ns = 150 * NSEC_PER_MSEC,
	.entries = 2,
};

int main(int argc, char **argv)
{
	return suite_main(&suite, argc, argv);
}
