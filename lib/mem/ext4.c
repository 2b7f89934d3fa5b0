// SPDX-License-Identifier: GPL-2.0-only
/* A file on ext4. */
#include <stdio.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/mem/memory.h"

/*
 * ext4 refuses DAX where a block is no page.  Stripes of a pmd entry make files of that
 * size mappable by it.
 */
static int make_ext4(struct fsdax *f, const char *dev, char *why, size_t len)
{
	size_t page = sysconf(_SC_PAGESIZE), stripe = daxmap_bytes(DAXMAP_PMD) / page;
	char block[24], layout[80];
	const char *const argv[] = {
		"mkfs.ext4", "-q", "-F", "-b", block, "-m", "0", "-E", layout, dev, NULL
	};

	snprintf(block, sizeof(block), "%zu", page);
	snprintf(layout, sizeof(layout), "stride=%zu,stripe_width=%zu,nodiscard", stripe, stripe);
	return command_run(argv, NULL, why, len);
}

static const struct fsdax_type ext4 = {
	.name = "ext4",
	.least = 32u << 20,
	.check = (const char *const []){ "e2fsck", "-f", "-n", NULL },
	.make = make_ext4,
};

static const struct memory memory[] = {
	{
		.name = "ext4",
		.what = "a file on ext4, mounted with dax",
		.caps = MEM_MOUNTED | MEM_WRITABLE | MEM_FRESH,
		.largest = DAXMAP_PMD,
		.order = 20,
		.fs = &ext4,
		.take = memory_take_file,
	},
	{ }
};

REGISTER(memories, memory);
