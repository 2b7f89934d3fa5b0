// SPDX-License-Identifier: GPL-2.0-only
/* A device-dax device loses its driver: through sysfs, or as libdaxctl does it. */
#include "lib/action/action.h"

static int unbind(const struct test_mem *mem)
{
	return ns_unbind(&mem->ns);
}

static int bind(const struct test_mem *mem)
{
	return ns_bind(&mem->ns);
}

static int disable(const struct test_mem *mem)
{
	return ns_disable_dax(&mem->ns);
}

static int enable(const struct test_mem *mem)
{
	return ns_enable_dax(&mem->ns);
}

static const struct action devdax_actions[] = {
	{
		.name = "unbind_device_dax",
		.verb = "unbind",
		.what = "the device is unbound from device_dax through sysfs",
		.on = ON_CHARDEV,
		.run = unbind,
		.undo = bind,
		.first = true,
	}, {
		.name = "disable_libdaxctl",
		.verb = "daxctl_dev_disable",
		.what = "the device is disabled through libdaxctl",
		.lacks = LACKS_LIBNDCTL,
		.on = ON_DEVDAX,
		.run = disable,
		.undo = enable,
	},
	{ }
};

REGISTER(actions, devdax_actions);
