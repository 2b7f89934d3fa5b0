// SPDX-License-Identifier: GPL-2.0
#include <errno.h>

#include "lib/action/action.h"
#include "lib/mem/memory.h"

const struct action actions[] = {
	{
		.name = "unbind_device_dax",
		.verb = "unbind",
		.what = "the device is unbound from device_dax through sysfs",
		.on = MEMORY_DEVDAX | MEMORY_DYNAMIC,
		.run = ns_unbind,
		.undo = ns_bind,
	}, {
		.name = "disable_libdaxctl",
		.verb = "daxctl_dev_disable",
		.what = "the device is disabled through libdaxctl",
#ifndef HAVE_LIBNDCTL
		.lacks = "built without libdaxctl",
#endif
		.on = MEMORY_DEVDAX,
		.run = ns_disable,
		.undo = ns_enable,
	}, {
		.name = "truncate",
		.verb = "truncate",
		.what = "the file is truncated to nothing",
		.on = MEMORY_FILES,
		.frees = FREES_ALL, .leaves = LEAVES_NOTHING,
		.run = action_truncate,
	}, {
		.name = "open_trunc",
		.verb = "open(O_TRUNC)",
		.what = "the file is opened with O_TRUNC",
		.on = MEMORY_FILES,
		.frees = FREES_ALL, .leaves = LEAVES_NOTHING,
		.run = action_open_trunc,
	}, {
		.name = "punch_hole",
		.verb = "fallocate(PUNCH_HOLE)",
		.what = "a hole is punched where the pin is",
		.on = MEMORY_FILES,
		.frees = FREES_ALL, .leaves = LEAVES_ZEROES,
		.run = action_punch_hole,
	}, {
		.name = "zero_range",
		.verb = "fallocate(ZERO_RANGE)",
		.what = "the range of the pin is made zeroes",
		.on = MEMORY_FILES,
		.frees = FREES_MAYBE, .leaves = LEAVES_ZEROES,
		.run = action_zero_range,
	}, {
		.name = "collapse_range",
		.verb = "fallocate(COLLAPSE_RANGE)",
		.what = "the range of the pin is taken out of the file",
		.on = MEMORY_FILES,
		.frees = FREES_ALL, .leaves = LEAVES_NEXT,
		.run = action_collapse_range,
	}, {
		.name = "insert_range",
		.verb = "fallocate(INSERT_RANGE)",
		.what = "a hole is inserted before the pin, which moves its memory",
		.on = MEMORY_FILES,
		.frees = FREES_MAYBE, .leaves = LEAVES_ZEROES,
		.run = action_insert_range,
	}, {
		.name = "unlink",
		.verb = "unlink",
		.what = "the last name of the file is removed",
		.on = MEMORY_FILES,
		.frees = FREES_CLOSED, .leaves = LEAVES_BYTES,
		.run = action_unlink,
	}, {
		.name = "rename_over",
		.verb = "rename",
		.what = "another file takes the name of this one",
		.on = MEMORY_FILES, .other = true,
		.frees = FREES_CLOSED, .leaves = LEAVES_BYTES,
		.run = action_rename_over,
	}, {
		.name = "reflink_over",
		.verb = "ioctl(FICLONERANGE)",
		.what = "the range of the pin is made to share another file's extents",
		.on = MEMORY_FILES, .other = true,
		.frees = FREES_ALL, .leaves = LEAVES_OTHER,
		.run = action_reflink_over,
	}, {
		.name = "swap_extents",
		.verb = "swap of extents",
		.what = "the file's extents are swapped with another file's",
		.on = MEMORY_FILES, .other = true,
		.frees = FREES_ALL, .leaves = LEAVES_OPEN,
		.run = action_swap_extents,
	}, {
		.name = "fsync",
		.verb = "fsync",
		.what = "the file is written back",
		.on = MEMORY_FILES,
		.frees = FREES_NONE, .leaves = LEAVES_BYTES,
		.run = action_fsync,
	}, {
		.name = "freeze",
		.verb = "ioctl(FIFREEZE)",
		.what = "the file system is frozen",
		.on = MEMORY_FILES,
		.frees = FREES_NONE, .leaves = LEAVES_OPEN,
		.run = action_freeze,
		.undo = action_thaw,
	}, {
		.name = "remount_ro",
		.verb = "remount",
		.what = "the file system is made read-only",
		.on = MEMORY_FILES,
		.frees = FREES_NONE, .leaves = LEAVES_BYTES, .refusal = -EBUSY,
		.run = action_remount_ro,
		.undo = action_remount_rw,
	}, {
		.name = "unmount",
		.verb = "umount",
		.what = "the file system is unmounted",
		.on = MEMORY_FILES, .spoils = true,
		.frees = FREES_CLOSED, .leaves = LEAVES_BYTES, .refusal = -EBUSY,
		.run = action_unmount,
	}, {
		.name = "shutdown",
		.verb = "shutdown",
		.what = "the file system is shut down by force, its log not written",
		.on = MEMORY_FILES, .spoils = true,
		.frees = FREES_NONE, .leaves = LEAVES_OPEN,
		.run = action_shutdown,
	}, {
		.name = "unbind_nd_pmem",
		.verb = "unbind",
		.what = "the block device below is unbound from nd_pmem through sysfs",
		.on = MEMORY_FILES | MEMORY_BLOCKS, .named = true,
		.run = action_unbind_pmem,
		.undo = action_bind_pmem,
	}, {
		.name = "unbind_dax_pmem",
		.verb = "unbind",
		.what = "the namespace's dax device is unbound from dax_pmem through sysfs",
		.level = LEVEL_DAX_PMEM,
		.on = MEMORY_DEVDAX,
		.run = level_unbind,
		.undo = level_bind,
	}, {
		.name = "unbind_nd_region",
		.verb = "unbind",
		.what = "the region with all its namespaces is unbound from nd_region",
		.level = LEVEL_ND_REGION,
		.on = MEMORY_DEVDAX,
		.run = level_unbind,
		.undo = level_bind,
	}, {
		.name = "unbind_nd_bus",
		.verb = "unbind",
		.what = "the bus is unbound from what provides it: nfit, e820_pmem, virtio_pmem",
		.level = LEVEL_ND_BUS,
		.on = MEMORY_DEVDAX,
		.run = level_unbind,
		.undo = level_bind,
	}, {
		.name = "rmmod_device_dax",
		.verb = "rmmod",
		.what = "the module device_dax is removed",
		.level = LEVEL_DEVICE_DAX,
		.on = MEMORY_DEVDAX, .named = true,
		.run = level_rmmod,
		.undo = level_modprobe,
	}, {
		.name = "rmmod_dax_pmem",
		.verb = "rmmod",
		.what = "the module dax_pmem is removed",
		.level = LEVEL_DAX_PMEM,
		.on = MEMORY_DEVDAX, .named = true,
		.run = level_rmmod,
		.undo = level_modprobe,
	}, {
		.name = "rmmod_libnvdimm",
		.verb = "rmmod",
		.what = "the module libnvdimm, which others need, is removed",
		.level = LEVEL_ND_REGION,
		.on = MEMORY_DEVDAX, .named = true,
		.run = level_rmmod,
		.undo = level_modprobe,
	}, {
		.name = "rmmod_nd_bus",
		.verb = "rmmod",
		.what = "the module of what provides the bus, which all on it uses, is removed",
		.level = LEVEL_ND_BUS,
		.on = MEMORY_DEVDAX, .named = true,
		.run = level_rmmod,
		.undo = level_modprobe,
	}, {
		.name = "rmmod_in_order",
		.verb = "rmmod",
		.what = "all on the bus is unbound, and its module removed then",
		.level = LEVEL_ND_BUS,
		.on = MEMORY_DEVDAX, .named = true,
		.run = level_rmmod_in_order,
		.undo = level_modprobe,
	}, {
		.name = "recreate_same",
		.verb = "destroying the namespace",
		.what = "the namespace is destroyed, and created again as it was",
#ifndef HAVE_LIBNDCTL
		.lacks = "built without libndctl",
#endif
		.on = MEMORY_DEVDAX, .named = true,
		.run = action_recreate_same,
		.undo = action_recreate_back,
	}, {
		.name = "recreate_fsdax",
		.verb = "destroying the namespace",
		.what = "the namespace is destroyed, and created again for files with DAX",
#ifndef HAVE_LIBNDCTL
		.lacks = "built without libndctl",
#endif
		.on = MEMORY_DEVDAX, .named = true,
		.run = action_recreate_fsdax,
		.undo = action_recreate_back,
	}, {
		.name = "recreate_raw",
		.verb = "destroying the namespace",
		.what = "the namespace is destroyed, and created again as a bare block device",
#ifndef HAVE_LIBNDCTL
		.lacks = "built without libndctl",
#endif
		.on = MEMORY_DEVDAX, .named = true,
		.run = action_recreate_raw,
		.undo = action_recreate_back,
	}, {
		.name = "become_ram",
		.verb = "becoming memory",
		.what = "the device is bound to kmem, and a block of it onlined",
#ifndef HAVE_LIBNDCTL
		.lacks = "built without libdaxctl",
#endif
		.on = MEMORY_DEVDAX, .named = true,
		.run = action_ram_become,
		.undo = action_ram_back,
	}, {
		.name = "offline_ram",
		.verb = "offlining",
		.what = "the device's memory, which is online, is offlined",
#ifndef HAVE_LIBNDCTL
		.lacks = "built without libdaxctl",
#endif
		.on = MEMORY_DEVDAX, .named = true,
		.run = action_ram_offline,
		.undo = action_ram_back,
	}, {
		.name = "disable_namespace",
		.verb = "ndctl_namespace_disable_safe",
		.what = "the namespace is disabled through libndctl",
#ifndef HAVE_LIBNDCTL
		.lacks = "built without libndctl",
#endif
		.level = LEVEL_DAX_PMEM,
		.on = MEMORY_DEVDAX, .named = true,
		.run = ns_disable_namespace,
		.undo = level_enable_namespace,
	}, {
		.name = "disable_region",
		.verb = "ndctl_region_disable_preserve",
		.what = "the region is disabled through libndctl",
#ifndef HAVE_LIBNDCTL
		.lacks = "built without libndctl",
#endif
		.level = LEVEL_ND_REGION,
		.on = MEMORY_DEVDAX, .named = true,
		.run = ns_disable_region,
		.undo = level_enable_region,
	}, {
		.name = "unbind_dax_region",
		.verb = "unbind",
		.what = "the device that provides the dax region is unbound from its driver",
		.level = LEVEL_DAX_REGION,
		.on = MEMORY_DYNAMIC, .named = true,
		.run = level_unbind,
		.undo = action_dynamic_rebind,
	}, {
		.name = "destroy_device",
		.verb = "destroying the device",
		.what = "the device is unbound and destroyed, its bytes go back to the region",
		.on = MEMORY_DYNAMIC, .named = true,
		.run = action_dynamic_destroy,
		.undo = action_dynamic_back,
	}, {
		.name = "recreate_device",
		.verb = "destroying the device",
		.what = "the device is destroyed, and the next one is made of the same memory",
		.on = MEMORY_DYNAMIC, .named = true,
		.run = action_dynamic_recreate,
		.undo = action_dynamic_back,
	},
	{ 0 }
};
