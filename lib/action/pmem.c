// SPDX-License-Identifier: GPL-2.0-only
/*
 * nd_pmem is unbound from a block device that a file system is on, or a program reads
 * and writes.
 */
#include "lib/action/action.h"
#include "lib/ns/pmem.h"

static int unbind(const struct test_mem *mem)
{
	return pmem_unbind_driver(&mem->ns);
}

static int bind(const struct test_mem *mem)
{
	return pmem_bind_driver(&mem->ns);
}

static const struct action pmem_actions[] = {
	{
		.name = "unbind_nd_pmem",
		.verb = "unbind",
		.what = "the block device below is unbound from nd_pmem through sysfs",
		.on = ON_PMEM, .named = true,
		.run = unbind,
		.undo = bind,
	},
	{ }
};

REGISTER(actions, pmem_actions);
