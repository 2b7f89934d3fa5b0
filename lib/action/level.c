// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver above device_dax is unbound, or its module removed: everything below it
 * on the bus goes first.
 */
#include "lib/action/action.h"

static int unbind_parent(const struct test_mem *mem)
{
	return level_unbind(&mem->ns);
}

static int bind_parent(const struct test_mem *mem)
{
	return level_bind(&mem->ns);
}

static int rmmod(const struct test_mem *mem)
{
	return level_rmmod(&mem->ns);
}

static int rmmod_in_order(const struct test_mem *mem)
{
	return level_rmmod_in_order(&mem->ns);
}

static int modprobe(const struct test_mem *mem)
{
	return level_modprobe(&mem->ns);
}

static int disable_namespace(const struct test_mem *mem)
{
	return ns_disable_namespace(&mem->ns);
}

static int enable_namespace(const struct test_mem *mem)
{
	return level_enable_namespace(&mem->ns);
}

static int disable_region(const struct test_mem *mem)
{
	return ns_disable_region(&mem->ns);
}

static int enable_region(const struct test_mem *mem)
{
	return level_enable_region(&mem->ns);
}

static const struct action level_actions[] = {
	{
		.name = "unbind_dax_pmem",
		.verb = "unbind",
		.what = "the namespace's dax device is unbound from dax_pmem through sysfs",
		.level = LEVEL_DAX_PMEM,
		.on = ON_DEVDAX,
		.run = unbind_parent,
		.undo = bind_parent,
	}, {
		.name = "unbind_nd_region",
		.verb = "unbind",
		.what = "the region with all its namespaces is unbound from nd_region",
		.level = LEVEL_ND_REGION,
		.on = ON_DEVDAX,
		.run = unbind_parent,
		.undo = bind_parent,
		.takes_region = true,
	}, {
		.name = "unbind_nd_bus",
		.verb = "unbind",
		.what = "the bus is unbound from what provides it: nfit, e820_pmem, virtio_pmem",
		.level = LEVEL_ND_BUS,
		.on = ON_DEVDAX,
		.run = unbind_parent,
		.undo = bind_parent,
		.takes_region = true,
	}, {
		.name = "rmmod_device_dax",
		.verb = "rmmod",
		.what = "the module device_dax is removed",
		.level = LEVEL_DEVICE_DAX,
		.on = ON_DEVDAX, .named = true,
		.run = rmmod,
		.undo = modprobe,
		.module = true,
	}, {
		.name = "rmmod_dax_pmem",
		.verb = "rmmod",
		.what = "the module dax_pmem is removed",
		.level = LEVEL_DAX_PMEM,
		.on = ON_DEVDAX, .named = true,
		.run = rmmod,
		.undo = modprobe,
		.module = true,
	}, {
		.name = "rmmod_libnvdimm",
		.verb = "rmmod",
		.what = "the module libnvdimm, which others need, is removed",
		.level = LEVEL_ND_REGION,
		.on = ON_DEVDAX, .named = true,
		.run = rmmod,
		.undo = modprobe,
		.module = true, .takes_region = true,
	}, {
		.name = "rmmod_nd_bus",
		.verb = "rmmod",
		.what = "the module of what provides the bus, which all on it uses, is removed",
		.level = LEVEL_ND_BUS,
		.on = ON_DEVDAX, .named = true,
		.run = rmmod,
		.undo = modprobe,
		.module = true, .takes_region = true,
	}, {
		.name = "rmmod_in_order",
		.verb = "rmmod",
		.what = "all on the bus is unbound, and its module removed then",
		.level = LEVEL_ND_BUS,
		.on = ON_DEVDAX, .named = true,
		.run = rmmod_in_order,
		.undo = modprobe,
		.module = true, .takes_region = true,
	}, {
		.name = "disable_namespace",
		.verb = "ndctl_namespace_disable_safe",
		.what = "the namespace is disabled through libndctl",
		.lacks = LACKS_LIBNDCTL,
		.level = LEVEL_DAX_PMEM,
		.on = ON_DEVDAX, .named = true,
		.run = disable_namespace,
		.undo = enable_namespace,
	}, {
		.name = "disable_region",
		.verb = "ndctl_region_disable_preserve",
		.what = "the region is disabled through libndctl",
		.lacks = LACKS_LIBNDCTL,
		.level = LEVEL_ND_REGION,
		.on = ON_DEVDAX, .named = true,
		.run = disable_region,
		.undo = enable_region,
		.takes_region = true,
	},
	{ }
};

REGISTER(actions, level_actions);
