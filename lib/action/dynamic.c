// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of a dynamic dax region: destroyed, made again, their region's driver
 * unbound.
 */
#include <errno.h>
#include <string.h>

#include "lib/action/action.h"
#include "lib/ns/dynamic.h"

static int make(const struct test_ns *v)
{
	char first[32], name[32] = "";
	int ret;

	dynamic_first(v, first, sizeof(first));
	/* the whole region may be one device again */
	ret = dynamic_destroy(first);
	ret = ret ?: dynamic_create(first, v->size, name, sizeof(name));
	ret = ret ?: dynamic_align(name, v->align);
	ret = ret ?: dynamic_bind(name);
	if (ret)
		return ret;
	return strcmp(name, v->dax) ? -ESTALE : 0;
}

static int destroy(const struct test_mem *mem)
{
	return dynamic_destroy(mem->ns.dax);
}

static int recreate(const struct test_mem *mem)
{
	return dynamic_destroy(mem->ns.dax) ?: make(&mem->ns);
}

static int bring_back(const struct test_mem *mem)
{
	const struct test_ns *ns = &mem->ns;
	struct test_ns now;
	int ret = dynamic_read(ns->dax, &now);

	if (ret == -ENODEV)
		return make(ns);
	if (!ret && now.size != ns->size)
		ret = dynamic_destroy(ns->dax) ?: make(ns);
	return ret ?: dynamic_bind(ns->dax);
}

static int rebind_parent(const struct test_mem *mem)
{
	return level_rebind(&mem->ns) ?: bring_back(mem);
}

static int unbind_parent(const struct test_mem *mem)
{
	return level_unbind(&mem->ns);
}

static const struct action dynamic_actions[] = {
	{
		.name = "destroy_device",
		.verb = "destroying the device",
		.what = "the device is unbound and destroyed, its bytes go back to the region",
		.on = ON_DYNAMIC, .named = true,
		.run = destroy,
		.undo = bring_back,
	}, {
		.name = "recreate_device",
		.verb = "destroying the device",
		.what = "the device is destroyed, and the next one is made of the same memory",
		.on = ON_DYNAMIC, .named = true,
		.run = recreate,
		.undo = bring_back,
		.dax_again = true,
	}, {
		.name = "unbind_dax_region",
		.verb = "unbind",
		.what = "the device that provides the dax region is unbound from its driver",
		.level = LEVEL_DAX_REGION,
		.on = ON_DYNAMIC, .named = true,
		.run = unbind_parent,
		.undo = rebind_parent,
	},
	{ }
};

REGISTER(actions, dynamic_actions);
