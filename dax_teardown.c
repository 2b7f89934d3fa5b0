// SPDX-License-Identifier: GPL-2.0
/*
 * The ground taken away while pins are out: order of teardown.
 *
 * The rule is that of 71389703839e ("mm, zone_device: Replace {get,
 * put}_zone_device_page() with a single reference to fix pmem crash"): a driver
 * may be unbound while page references are out; the kernel revokes the mappings,
 * waits for the last reference, and only then releases the memory map.
 */
#define _GNU_SOURCE
#include <string.h>

#include "suite/harness.h"
#include "teardown/teardown.h"

static bool can_hold(const struct pin_method *m)
{
	return m->flags & PIN_HELD;
}

/* a clock says so; each cell takes that long */
static bool can_hold_a_while(const struct pin_method *m)
{
	return (m->flags & PIN_HELD) && (m->flags & PIN_TIMED);
}

static bool can_be_inherited(const struct pin_method *m)
{
	return can_hold(m) && (m->flags & PIN_OUTLIVES);
}

/* what a file can be pinned by: a pin for good is refused */
static bool can_hold_file(const struct pin_method *m)
{
	return can_hold_on(m) && !(m->flags & PIN_LONGTERM);
}

static bool is_lost(const struct pin_method *m)
{
	return m->flags & PIN_LOST;
}

/* no clock ends it: what is above takes its time to come back */
static bool can_hold_long(const struct pin_method *m)
{
	return can_hold(m) && !(m->flags & PIN_TIMED);
}

static bool is_vmsplice(const struct pin_method *m)
{
	return !strcmp(m->name, "vmsplice");
}

/* not a page in a pipe: of these one method speaks for all */
static bool can_hold_file_io(const struct pin_method *m)
{
	return can_hold_file(m) && !(m->flags & PIN_OUTLIVES);
}

/* I/O that will write into the memory, whoever owns it then; one method's will do */
static bool is_file_sink(const struct pin_method *m)
{
	return !strcmp(m->name, "odirect_read_dmdelay");
}

/* what is done to a file's ground, with one pin by vmsplice */
#define FILE_SCENARIO(word, text, fn)					\
	{								\
		.name = word, .what = text, .on = MEMORY_FILES,		\
		.sizes = AT_PTE | AT_PMD, .actions = EVERY_ACTION,	\
		.wants = is_vmsplice, .bytes = FILE_BYTES, .run = fn,	\
	}

static bool can_hold_dmdelay(const struct pin_method *m)
{
	return can_hold_file_io(m) && !strncmp(m->name, "odirect", 7);
}

/*
 * xfs tells whoever has a page mapped that it is lost, the kernel says so for each,
 * and so it does for each page that the suite cannot save.
 */
#define PMEM_PTE	.act = "unbind_nd_pmem", .bytes = WINDOW_BYTES,		\
			.sizes = AT_PTE, .ignore = HEALTH_POISON
#define PMEM_PMD	.act = "unbind_nd_pmem", .bytes = FILE_BYTES,		\
			.sizes = AT_PMD, .ignore = HEALTH_POISON

/* the block device below a file taken away */
#define PMEM_SCENARIO(where, word, text, pin, fn)				\
	{									\
		.name = word, .what = text, .on = MEMORY_FILES, .wants = pin,	\
		where, .run = fn,						\
	}

/* the same, with what a faulty kernel does not survive */
#define PMEM_LOST(where, word, text, fn)					\
	{									\
		.name = word, .what = text, .on = MEMORY_FILES,			\
		.destructive = true, where, .run = fn,				\
	}

/* the block device itself, under two threads */
#define BLOCK_SCENARIO(word, text, fn)					\
	{								\
		.name = word, .what = text, .on = MEMORY_BLOCKS,	\
		.sizes = AT_PTE, .act = "unbind_nd_pmem",		\
		.bytes = FILE_BYTES, .run = fn,				\
	}

/* a module is removed: nothing is open, or a page is in a pipe */
#define MODULE(module)								\
	{									\
		.name = "", .what = "nothing is open: the module goes, and comes back",	\
		.sizes = AT_PMD, .act = module, .ignore = HEALTH_NUMBERS,	\
		.run = module_removed,						\
	}

/* the same unbinds as libndctl carries them out, mapped and with a page in a pipe */
#define LIBRARY(action, pin, fn)						\
	{									\
		.name = "", .what = "disabled through libndctl: as an unbind is",	\
		.sizes = AT_PMD, .act = action, .wants = pin,			\
		.ignore = HEALTH_NUMBERS, .run = fn,				\
	}

/* one operation beside itself, and beside each that comes after it */
#define ORDERS(operation)							\
	{									\
		.name = operation, .what = "in all orders with every operation after it", \
		.sizes = AT_PMD, .pin_word = "orders", .ignore = HEALTH_NUMBERS,	\
		.bytes = FILE_BYTES, .seconds = ORDERS_SECONDS, .run = orders,	\
	}

#define MODULE_PINNED(module)							\
	{									\
		.name = "", .what = "a page is in a pipe, nothing is open: it waits",	\
		.sizes = AT_PMD, .act = module, .wants = is_vmsplice,		\
		.ignore = HEALTH_NUMBERS, .run = module_pinned,			\
	}

/* not held, and yet it can be reached again: a mapping of another kind */
static bool is_guest(const struct pin_method *m)
{
	return m->reach && !can_hold(m);
}

static bool is_owner_pin(const struct pin_method *m)
{
	return is_vmsplice(m) || is_file_sink(m);
}

/* a page in a pipe, and one that can be reached without letting go of it */
static bool is_ram_pin(const struct pin_method *m)
{
	return can_hold(m) && (is_vmsplice(m) || m->reach);
}

/* what cannot be taken offline again is memory until reboot */
#define RAM(word, text, action, pin, fn)					\
	{									\
		.name = word, .what = text, .sizes = AT_PUD, .act = action,	\
		.wants = pin, .destructive = true, .run = fn,			\
	}

/* a device of a region that can be divided */
#define DYNAMIC(word, text, action, pin, fn)					\
	{									\
		.name = word, .what = text, .on = MEMORY_DYNAMIC, .sizes = AT_PMD, \
		.act = action, .wants = pin, .ignore = HEALTH_NUMBERS, .run = fn, \
	}

/* a namespace destroyed and created again, alone and with a pin from before */
#define OWNER(action)								\
	{									\
		.name = "", .what = "nobody uses it: it changes its owner, and comes back", \
		.sizes = AT_PMD, .act = action, .ignore = HEALTH_NUMBERS,	\
		.run = owner_alone,						\
	}

#define OWNER_PINNED(action)							\
	{									\
		.name = "", .what = "a pin from before is out: the change waits for it",	\
		.sizes = AT_PMD, .act = action, .wants = is_owner_pin,		\
		.ignore = HEALTH_NUMBERS, .run = owner_pinned,			\
	}

/* A cell of orders takes seconds; one that finds a wait without end, a minute more. */
#define ORDERS_SECONDS	600

/* memory that is said to be lost: the kernel says so, too */
#define POISON(word, text, pin, where, fn)					\
	{									\
		.name = word, .what = text, .on = MEMORY_FILES, .sizes = where,	\
		.wants = pin, .bytes = FILE_BYTES, .ignore = HEALTH_POISON,	\
		.run = fn,							\
	}

#define POISON_DEVICE(word, text, pin, fn)					\
	{									\
		.name = word, .what = text, .sizes = AT_ALL, .wants = pin,	\
		.ignore = HEALTH_POISON, .run = fn,				\
	}

static const struct scenario scenarios[] = {
	{
		.name = "",
		.what = "mapped, no pin: returns; touching is SIGBUS until the next bind",
		.sizes = AT_ALL, .actions = EVERY_ACTION, .run = mapping_only,
	}, {
		.name = "",
		.what = "one pin out: the mapping is revoked, the action waits for the pin",
		.sizes = AT_ALL, .actions = EVERY_ACTION, .wants = can_hold_on, .run = pinned,
	}, {
		.name = "",
		.what = "one pin out, which a clock ends: the action waits for it",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .wants = can_hold_a_while,
		.run = pinned,
	}, {
		.name = "unmapped",
		.what = "the pin outlives its mapping: the action waits all the same",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .wants = can_hold,
		.run = pinned_unmapped,
	}, {
		.name = "by_another",
		.what = "one process holds the pin, another the mapping",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .wants = can_hold_on,
		.run = pinned_by_another,
	}, {
		.name = "killed",
		.what = "the pin's holder is killed while the action waits: it returns",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .wants = can_hold_on, .run = killed,
	}, {
		.name = "inherited",
		.what = "the pin is left to a child, its taker is dead: the action waits",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .wants = can_be_inherited,
		.run = inherited,
	}, {
		.name = "let_go_one_by_one",
		.what = "several pins by several methods: the action waits for the last",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .pin_word = "several", .run = several,
	}, {
		.name = "twice",
		.what = "a second unbind while the first waits for a pin: it returns no earlier",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .wants = is_vmsplice, .run = twice,
	}, {
		.name = "",
		.what = "a virtual machine's memory: returns; the guest's CPU stops at it",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .wants = is_guest,
		.run = guest_mapped,
	}, {
		.name = "while_written",
		.what = "a thread writes the mapping all the while",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .run = while_written,
	}, {
		.name = "while_mapped",
		.what = "threads map, fault and unmap an open descriptor all the while",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .run = while_mapped,
	}, {
		.name = "close_after_bind",
		.what = "descriptors and mappings from before are closed after the next bind",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .run = close_after_bind,
	}, {
		.name = "close_before_bind",
		.what = "descriptors and mappings from before are closed before the next bind",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .run = close_before_bind,
	}, {
		.name = "close_mixed",
		.what = "some are closed before the next bind, some after",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .run = close_mixed,
	}, {
		.name = "every_byte",
		.what = "after the next bind every byte of the device is what it was",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .run = every_byte,
	}, {
		.name = "map_dev",
		.what = "mapped, the memory map lies on the device (altmap)",
		.sizes = AT_PMD, .actions = FIRST_ACTION, .map_dev = true, .run = mapping_only,
	}, {
		.name = "map_dev",
		.what = "one pin out, the memory map lies on the device (altmap)",
		.sizes = AT_PMD, .actions = FIRST_ACTION, .map_dev = true,
		.wants = is_vmsplice, .run = pinned,
	}, {
		.name = "seeded",
		.what = "again and again for DAX_TEST_TIME seconds, pins chosen by DAX_TEST_SEED",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .pin_word = "random",
		.run = random_pins,
	}, {
		.name = "",
		.what = "I/O in flight from or to a file: what frees its blocks waits, nothing else",
		.on = MEMORY_FILES, .sizes = AT_PMD, .actions = EVERY_ACTION,
		.wants = can_hold_file_io, .bytes = FILE_BYTES, .run = file_kept,
	},
	{
		.name = "unmapped",
		.what = "the same, the file is unmapped and closed: who gets the bytes?",
		.on = MEMORY_FILES, .sizes = AT_PMD, .actions = EVERY_ACTION,
		.wants = is_file_sink, .bytes = FILE_BYTES, .run = file_unmapped,
	},
	FILE_SCENARIO("", "a page of a file in a pipe, the mapping stays", file_kept),
	FILE_SCENARIO("unmapped", "the same, the file is unmapped and closed", file_unmapped),
	FILE_SCENARIO("touched", "the same, a thread touches all of it all the while",
		      file_touched),
	FILE_SCENARIO("by_another", "the same, another process maps the file", file_by_another),
	{
		.name = "map_dev",
		.what = "a page of a file in a pipe, the memory map lies on the device (altmap)",
		.on = MEMORY_FILES, .sizes = AT_PMD, .actions = EVERY_ACTION,
		.map_dev = true, .wants = is_vmsplice, .bytes = FILE_BYTES, .run = file_kept,
	},
	FILE_SCENARIO("killed", "the same, the holder is killed while the action waits",
		      file_killed),
	PMEM_SCENARIO(PMEM_PTE, "unmounted", "its file system is unmounted: nothing is lost",
		      NULL, pmem_unmounted),
	PMEM_SCENARIO(PMEM_PTE, "idle", "mounted, no file open: reads and writes fail afterwards",
		      NULL, pmem_idle),
	PMEM_SCENARIO(PMEM_PTE, "", "a file is mapped: touching it is SIGBUS afterwards", NULL,
		      pmem_mapped),
	PMEM_SCENARIO(PMEM_PMD, "", "a file is mapped: touching it is SIGBUS afterwards", NULL,
		      pmem_mapped),
	PMEM_SCENARIO(PMEM_PTE, "", "a page of a mapped file is in a pipe: the unbind waits",
		      is_vmsplice, pmem_mapped),
	PMEM_SCENARIO(PMEM_PMD, "", "a page of a mapped file is in a pipe: the unbind waits",
		      is_vmsplice, pmem_mapped),
	PMEM_SCENARIO(PMEM_PMD, "", "I/O from or to a mapped file is in flight: it waits",
		      can_hold_dmdelay, pmem_mapped),
	PMEM_SCENARIO(PMEM_PTE, "unmapped", "a page is in a pipe, the file closed: it waits",
		      is_vmsplice, pmem_unmapped),
	PMEM_SCENARIO(PMEM_PMD, "unmapped", "a page is in a pipe, the file closed: it waits",
		      is_vmsplice, pmem_unmapped),
	PMEM_SCENARIO(PMEM_PTE, "while_touched", "a thread reads a mapping of the file", NULL,
		      pmem_touched),
	PMEM_SCENARIO(PMEM_PMD, "while_touched", "a thread reads a mapping of the file", NULL,
		      pmem_touched),
	PMEM_SCENARIO(PMEM_PTE, "while_faulted", "a thread maps, touches and unmaps the file",
		      NULL, pmem_faulting),
	PMEM_SCENARIO(PMEM_PMD, "while_faulted", "a thread maps, touches and unmaps the file",
		      NULL, pmem_faulting),
	PMEM_SCENARIO(PMEM_PTE, "while_written", "a thread writes the file", NULL, pmem_writing),
	PMEM_SCENARIO(PMEM_PTE, "while_synced", "a thread writes the file and syncs it", NULL,
		      pmem_syncing),
	{
		.name = "first_group", .what = "mounted, no file open but one in the first group",
		.on = MEMORY_XFS, .destructive = true, PMEM_PTE, .run = pmem_first_group,
	},
	PMEM_LOST(PMEM_PTE, "unmount_first", "it is unmounted before the device is back",
		  pmem_unmount_first),
	PMEM_LOST(PMEM_PTE, "unmap_first", "a mapping is dropped before the device is back",
		  pmem_unmap_first),
	PMEM_LOST(PMEM_PMD, "unmap_first", "a mapping is dropped before the device is back",
		  pmem_unmap_first),
	PMEM_LOST(PMEM_PTE, "sync_first", "a mapping's stores are synced before it is back",
		  pmem_sync_first),
	BLOCK_SCENARIO("while_read", "it is read through the page cache", block_read),
	BLOCK_SCENARIO("while_read_direct", "it is read with O_DIRECT", block_read_direct),
	BLOCK_SCENARIO("while_written", "it is written through the page cache", block_written),
	BLOCK_SCENARIO("while_written_direct", "it is written with O_DIRECT",
		       block_written_direct),
	POISON("soft_offline", "a page is to be taken out of use: refused, nothing stays",
	       NULL, AT_PTE | AT_PMD, poison_soft),
	POISON("poison", "a mapped page is lost: who maps it is told, and a new one serves",
	       NULL, AT_PTE | AT_PMD, poison),
	POISON("poison_two", "the same, another process maps it by entries of another size",
	       NULL, AT_PTE | AT_PMD, poison_two),
	POISON("poison_pinned", "the same, the page is in a pipe, which keeps it", is_vmsplice,
	       AT_PTE | AT_PMD, poison_pinned),
	POISON_DEVICE("soft_offline", "a page is to be taken out of use: refused, nothing stays",
		      NULL, poison_soft),
	POISON_DEVICE("poison", "a mapped page is lost: who maps it is told where", NULL, poison),
	POISON_DEVICE("poison_two", "the same, another process maps it, too", NULL, poison_two),
	POISON_DEVICE("poison_pinned", "the same, the page is in a pipe, which keeps it",
		      is_vmsplice, poison_pinned),
	POISON("badblocks", "a block is in the device's list of lost ones: EIO and SIGBUS",
	       NULL, AT_PTE, poison_badblocks),
	{
		.name = "",
		.what = "mapped, a driver further up goes: all below goes first, and comes back",
		.sizes = AT_ALL, .actions = EVERY_LEVEL, .ignore = HEALTH_NUMBERS,
		.run = level_mapped,
	}, {
		.name = "",
		.what = "one pin out, a driver further up goes: it waits for the pin",
		.sizes = AT_PMD, .actions = EVERY_LEVEL, .wants = can_hold_long,
		.ignore = HEALTH_NUMBERS, .run = level_pinned,
	}, {
		.name = "several_devices",
		.what = "pins on several devices of one region: it waits for the last",
		.sizes = AT_PMD, .actions = EVERY_PARENT, .wants = is_vmsplice,
		.ignore = HEALTH_NUMBERS, .run = level_several,
	},
	ORDERS("fault"),
	ORDERS("pin"),
	ORDERS("unpin"),
	ORDERS("fork"),
	ORDERS("munmap"),
	ORDERS("munmap_part"),
	ORDERS("mremap"),
	ORDERS("sysfs"),
	ORDERS("unbind"),
	ORDERS("recreate"),
	ORDERS("reconfigure"),
	{
		.name = "random",
		.what = "any two operations in any order, for DAX_TEST_TIME, by DAX_TEST_SEED",
		.sizes = AT_PMD, .pin_word = "orders", .ignore = HEALTH_NUMBERS,
		.bytes = FILE_BYTES, .seconds = ORDERS_SECONDS, .run = orders_random,
	},
	{
		.name = "at_once",
		.what = "any two operations at the same time, for DAX_TEST_TIME, by DAX_TEST_SEED",
		.sizes = AT_PMD, .pin_word = "orders", .ignore = HEALTH_NUMBERS,
		.bytes = FILE_BYTES, .seconds = ORDERS_SECONDS, .run = at_once,
	},
	LIBRARY("disable_namespace", NULL, level_mapped),
	LIBRARY("disable_namespace", is_vmsplice, level_pinned),
	LIBRARY("disable_region", NULL, level_mapped),
	LIBRARY("disable_region", is_vmsplice, level_pinned),
	OWNER("recreate_same"),
	OWNER_PINNED("recreate_same"),
	OWNER("recreate_fsdax"),
	OWNER_PINNED("recreate_fsdax"),
	OWNER("recreate_raw"),
	OWNER_PINNED("recreate_raw"),
	{
		.name = "in_use",
		.what = "a namespace that is in use is not destroyed",
		.sizes = AT_PMD, .act = "recreate_same", .run = owner_refused,
	},
	{
		.name = "",
		.what = "mapped, no pin: returns; touching is SIGBUS until the next bind",
		.on = MEMORY_DYNAMIC, .sizes = AT_PTE | AT_PMD, .act = "unbind_device_dax",
		.run = mapping_only,
	}, {
		.name = "",
		.what = "one pin out: the mapping is revoked, the action waits for the pin",
		.on = MEMORY_DYNAMIC, .sizes = AT_PTE | AT_PMD, .act = "unbind_device_dax",
		.wants = is_vmsplice, .run = pinned,
	},
	DYNAMIC("", "mapped, no pin: it is destroyed, and made again", "destroy_device", NULL,
		dynamic_mapped),
	DYNAMIC("", "one pin out: destroying the device waits for it", "destroy_device",
		can_hold_long, dynamic_pinned),
	DYNAMIC("", "mapped, the region's driver goes, and comes back", "unbind_dax_region",
		NULL, level_mapped),
	DYNAMIC("", "one pin out, the region's driver goes: it waits", "unbind_dax_region",
		can_hold_long, level_pinned),
	DYNAMIC("", "nobody uses it: the next device is made of its memory", "recreate_device",
		NULL, owner_alone),
	DYNAMIC("", "a pin from before is out: the next device has to wait for it",
		"recreate_device", is_owner_pin, owner_pinned),
	DYNAMIC("two_ranges", "mapped, the device is of two ranges of memory",
		"unbind_device_dax", NULL, dynamic_ranges),
	DYNAMIC("two_ranges", "one pin out, in the second of two ranges of memory",
		"unbind_device_dax", is_vmsplice, dynamic_ranges),
	DYNAMIC("resized", "grown and shrunk between binds: what stays keeps its bytes", NULL,
		NULL, dynamic_resized),
	DYNAMIC("refused", "what is in use, or impossible, is refused, and nothing changes",
		NULL, NULL, dynamic_refused),
	DYNAMIC("again_and_again", "made, bound and destroyed: nothing is left of it", NULL,
		NULL, dynamic_rounds),
	{
		.name = "static", .what = "a namespace's region cannot be divided",
		.sizes = AT_PMD, .run = dynamic_static,
	},
	MODULE("rmmod_device_dax"),
	MODULE_PINNED("rmmod_device_dax"),
	MODULE("rmmod_dax_pmem"),
	MODULE_PINNED("rmmod_dax_pmem"),
	MODULE("rmmod_in_order"),
	MODULE_PINNED("rmmod_in_order"),
	{
		.name = "mapped",
		.what = "the device is mapped: its module is in use, and stays",
		.sizes = AT_PMD, .act = "rmmod_device_dax", .run = module_mapped,
	}, {
		.name = "mapped",
		.what = "the device is mapped: that uses no module but its own",
		.sizes = AT_PMD, .act = "rmmod_dax_pmem", .ignore = HEALTH_NUMBERS,
		.run = level_mapped,
	}, {
		.name = "mapped",
		.what = "the device is mapped: that uses no module but its own",
		.sizes = AT_PMD, .act = "rmmod_in_order", .ignore = HEALTH_NUMBERS,
		.run = level_mapped,
	}, {
		.name = "",
		.what = "devices are bound that use it: it stays",
		.sizes = AT_PMD, .act = "rmmod_nd_bus", .run = module_needed,
	}, {
		.name = "",
		.what = "other modules need it: it stays",
		.sizes = AT_PMD, .act = "rmmod_libnvdimm", .run = module_needed,
	}, {
		.name = "control_log",
		.what = "control: a fault in the kernel's log is found",
		.sizes = AT_PTE, .no_device = true, .ignore = HEALTH_LOG, .run = control_log,
	}, {
		.name = "control_pins",
		.what = "control: a pin held on purpose unbalances the counters",
		.sizes = AT_PTE, .no_device = true, .run = control_pins,
	}, {
		.name = "control_devices",
		.what = "control: an unbound device is missed in /proc/iomem and on its bus",
		.sizes = AT_PMD, .run = control_devices,
	}, {
		.name = "control_thp_split",
		.what = "control: looking at a 1 GiB mapping splits it, and that is seen",
		.sizes = AT_PUD, .ignore = HEALTH_THP_SPLIT, .run = control_thp_split,
	}, {
		.name = "control_wrong_byte",
		.what = "control: one wrong word is found and named",
		.sizes = AT_ALL, .run = control_wrong_byte,
	}, {
		.name = "control_returned_early",
		.what = "control: an action that does nothing while a pin is out is early",
		.sizes = AT_PMD, .run = control_returned_early,
	}, {
		.name = "control_never_returned",
		.what = "control: an action that does not end is never returned",
		.sizes = AT_PMD, .run = control_never_returned,
	}, {
		.name = "control_not_revoked",
		.what = "control: a mapping that can still be touched is not revoked",
		.sizes = AT_PMD, .run = control_not_revoked,
	}, {
		.name = "control_taint",
		.what = "control: a new taint bit is found",
		.sizes = AT_PTE, .no_device = true, .destructive = true, .ignore = HEALTH_TAINT,
		.run = control_taint,
	}, {
		.name = "control_overrun",
		.what = "control: a kernel log that wrapped is found",
		.sizes = AT_PTE, .no_device = true, .destructive = true,
		.ignore = HEALTH_OVERRUN | HEALTH_LOG, .run = control_overrun,
	}, {
		.name = "control_crash",
		.what = "control: a machine that dies costs one cell (DAX_TEST_CRASH)",
		.sizes = AT_PTE, .no_device = true, .destructive = true, .run = control_crash,
	},
	RAM("", "it becomes memory, which a process uses, and a device again", "become_ram",
	    NULL, ram_alone),
	RAM("", "a pin from before is out: becoming memory waits for it", "become_ram",
	    is_ram_pin, ram_pinned),
	RAM("", "a pin in the memory that it has become holds up offlining", "offline_ram",
	    is_vmsplice, ram_offline),
	RAM("again_and_again", "bound to kmem a hundred times: no memory is lost",
	    "become_ram", NULL, ram_again_and_again),
	{
		.name = "given_back",
		.what = "a pin that was let go is out no more",
		.sizes = AT_PMD, .wants = is_lost, .destructive = true, .run = given_back,
	}, {
		.name = "",
		.what = "one pin out: the mapping is revoked, the action waits for the pin",
		.sizes = AT_PTE, .actions = FIRST_ACTION, .wants = is_lost, .destructive = true,
		.run = pinned,
	}, {
		.name = "while_opened",
		.what = "threads open, map, fault, unmap and close all the while",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .destructive = true,
		.run = while_opened,
	},
	{ 0 }
};

static const struct suite suite = {
	.name = "dax_teardown",
	.what = "the ground taken away under DAX mappings and pins: order of teardown",
	.scenarios = scenarios,
	.targets = true,
	.clock = true,
};

int main(int argc, char **argv)
{
	return suite_main(&suite, argc, argv);
}
