// SPDX-License-Identifier: GPL-2.0
#include "action.h"

const struct action actions[] = {
	{
		.name = "unbind_device_dax",
		.verb = "unbind",
		.what = "the device is unbound from device_dax through sysfs",
		.run = victim_unbind,
		.undo = victim_bind,
	},
	{
		.name = "disable_libdaxctl",
		.verb = "daxctl_dev_disable",
		.what = "the device is disabled through libdaxctl",
#ifndef HAVE_LIBNDCTL
		.lacks = "built without libdaxctl",
#endif
		.run = victim_disable,
		.undo = victim_enable,
	},
	{ 0 }
};
