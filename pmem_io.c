// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O through persistent memory: data written through one interface is read back
 * through all the others.  The scenarios are in io/.
 */
#include "io/io.h"
#include "suite/harness.h"

static const struct suite suite = {
	.name = "pmem_io",
	.what = "data written through one interface is read back through all the others",
	.targets = true,
	.usage = io_usage,
};

int main(int argc, char **argv)
{
	return suite_main(&suite, argc, argv);
}
