// SPDX-License-Identifier: GPL-2.0-only
/* A device made in a region that can be divided: hmem, CXL. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/mem/memory.h"
#include "lib/ns/dynamic.h"

/* a new device for each cell, of the lowest free bytes of the region */
static int take_dynamic(const struct memory *m, struct guard *g, const struct memory_want *want,
			struct test_mem *mem, char *why, size_t len)
{
	struct dynamic *d = &g->set.dynamic;
	int ret;

	if (!d->first[0]) {
		snprintf(why, len,
			 "no dynamic dax region is offered: give the id of one of 'daxctl list -R' in DAX_TEST_REGION (its data will be lost)");
		return -ENODEV;
	}
	if (d->avoid)
		return memory_say_wedged(&d->was, why, len);
	ret = dynamic_make(d, want->bytes, daxmap_bytes(want->size), &mem->ns, why, len);
	memcpy(mem->node, mem->ns.node, sizeof(mem->node));
	mem->size = mem->ns.size;
	return ret;
}

static const struct memory dynamic[] = {
	{
		.name = "dynamic",
		.what = "a device made in a dynamic dax region",
		.caps = MEM_CHARDEV | MEM_WRITABLE | MEM_LONGTERM | MEM_FRESH | MEM_DIVIDED,
		.largest = DAXMAP_PMD,
		.order = 40,
		.take = take_dynamic,
	},
	{ }
};

REGISTER(memories, dynamic);
