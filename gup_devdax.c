// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins on DAX memory, device-dax and files, at each page size and by each method: they
 * are counted, transfer the right bytes, and are released.
 *
 * Every scenario runs in a process of its own, see run_isolated(), on the last bytes of
 * the device or file.  The bytes of a device need not stay from cell to cell.
 */
#include "gup/gup.h"
#include "suite/harness.h"

static const struct suite suite = {
	.name = "gup_devdax",
	.what = "pins on DAX memory: counted, with the right bytes, and released",
	.targets = true,
	/* the system calls made meanwhile take some tens of milliseconds */
	.hold_ns = 150 * NSEC_PER_MSEC,
	.entries = 2,
};

int main(int argc, char **argv)
{
	return suite_main(&suite, argc, argv);
}
