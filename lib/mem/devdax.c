// SPDX-License-Identifier: GPL-2.0-only
/* A namespace in device-dax mode. */
#include <errno.h>
#include <string.h>

#include "lib/mem/memory.h"

static int get_devdax(struct guard *g, const struct memory_want *want, struct test_ns *ns,
		      char *why, size_t len)
{
	struct ns_want wanted = {
		.mode = "devdax", .align = daxmap_bytes(want->size),
		.min_size = want->rather, .map_dev = want->map_dev,
	};

	if (want->rather > want->bytes && !ns_choose(&g->set, &wanted, ns, why, len))
		return 0;
	wanted.min_size = want->bytes;
	return ns_choose(&g->set, &wanted, ns, why, len);
}

static int take_devdax(const struct memory *m, struct guard *g, const struct memory_want *want,
		       struct test_mem *mem, char *why, size_t len)
{
	struct test_ns *chosen = guard_chosen(g, want->size, want->map_dev);
	int ret = -ENODEV;

	if (chosen->dax[0] && guard_is_wedged(g, chosen->dax))
		return memory_say_wedged(chosen, why, len);
	if (chosen->dax[0])
		ret = ns_check_same(chosen, why, len);
	if (ret) {
		/* another device, or the same one reconfigured: its bytes are unknown */
		guard_set_filled(g, want->size, want->map_dev, false);
		ret = memory_drop_fs(g, why, len);
		ret = ret ?: get_devdax(g, want, chosen, why, len);
	}
	mem->ns = *chosen;
	memcpy(mem->node, chosen->node, sizeof(mem->node));
	mem->size = chosen->size;
	return ret;
}

static const struct memory devdax[] = {
	{
		.name = "devdax",
		.what = "a device-dax device",
		.caps = MEM_CHARDEV | MEM_WRITABLE | MEM_LONGTERM,
		.largest = DAXMAP_PUD,
		.order = 10,
		.take = take_devdax,
	},
	{ }
};

REGISTER(memories, devdax);
