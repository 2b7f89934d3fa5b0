// SPDX-License-Identifier: GPL-2.0-only
/* A block device of nd_pmem without a file system, by mode of the namespace. */
#include <stdio.h>

#include "lib/mem/memory.h"

static int take_block(const struct memory *m, struct guard *g, const struct memory_want *want,
		      struct test_mem *mem, char *why, size_t len)
{
	struct ns_want wanted = {
		.mode = m->name, .min_size = want->bytes,
		.align = m->aligned ? MEMORY_FILE_ALIGN : 0,
	};
	int ret = memory_drop_fs(g, why, len);

	ret = ret ?: ns_choose(&g->set, &wanted, &mem->ns, why, len);
	if (ret)
		return ret;
	if (guard_is_wedged(g, ns_key(&mem->ns)))
		return memory_say_wedged(&mem->ns, why, len);
	snprintf(mem->node, sizeof(mem->node), "/dev/%s", mem->ns.block);
	mem->size = want->bytes;
	return 0;
}

static const struct memory blocks[] = {
	{
		.name = "raw",
		.what = "a block device, the namespace in raw mode",
		.caps = MEM_BLOCK | MEM_WRITABLE,
		.largest = DAXMAP_PTE,
		.order = 30,
		.take = take_block,
	}, {
		.name = "fsdax",
		.what = "a block device, the namespace in fsdax mode",
		.caps = MEM_BLOCK | MEM_WRITABLE,
		.aligned = true,
		.largest = DAXMAP_PTE,
		.order = 30,
		.take = take_block,
	}, {
		.name = "sector",
		.what = "a block device, the namespace in sector mode (btt)",
		.caps = MEM_BLOCK | MEM_WRITABLE,
		.largest = DAXMAP_PTE,
		.order = 30,
		.take = take_block,
	},
	{ }
};

REGISTER(memories, blocks);
