// SPDX-License-Identifier: GPL-2.0
/*
 * I/O through persistent memory: what one way wrote, every other way reads.
 */
#include <string.h>

#include "io/io.h"
#include "bench/bench.h"
#include "suite/harness.h"

static const struct suite suite = {
	.name = "pmem_io",
	.what = "I/O through persistent memory: what one way wrote, another reads",
	.targets = true,
};

int main(int argc, char **argv)
{
	if (argc > 1 && (!strcmp(argv[1], "append") || !strcmp(argv[1], "verify")))
		return io_log(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "-b"))
		return io_bench(argc, argv);
	return suite_main(&suite, argc, argv);
}
