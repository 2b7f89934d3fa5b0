// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dax device as ordinary memory: bound to kmem, which hot-adds it, a part of it
 * online, for movable pages only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/action/action.h"
#include "lib/clock.h"
#include "lib/ns/kmem.h"
#include "lib/sysfs.h"

/* Offlining migrates pages, and fails while one is under I/O or on its way elsewhere. */
#define OFFLINE_NS	(10 * NSEC_PER_SEC)
#define OFFLINE_NAP_NS	(20 * NSEC_PER_MSEC)

static void state_path(char *path, size_t len, unsigned long long block)
{
	snprintf(path, len, "/sys/devices/system/memory/memory%llu/state", block);
}

static int write_state(unsigned long long block, const char *state)
{
	char path[80];

	state_path(path, sizeof(path), block);
	return sysfs_write(path, state);
}

static bool is_online(unsigned long long block)
{
	char path[80], state[16];

	state_path(path, sizeof(path), block);
	return !sysfs_read_line(path, state, sizeof(state)) && !strcmp(state, "online");
}

/* the first whole block of the device: pins are in it */
static unsigned long long first_block(const struct test_mem *mem, size_t block)
{
	return (level_data_start(&mem->ns) + block - 1) / block;
}

static int online(const struct test_mem *mem)
{
	size_t block = kmem_block_bytes();

	if (!block)
		return -EOPNOTSUPP;
	return write_state(first_block(mem, block), "online_movable");
}

static int offline(const struct test_mem *mem)
{
	size_t block = kmem_block_bytes();
	unsigned long long first, last;
	int ret = 0;

	if (!block)
		return -EOPNOTSUPP;
	first = first_block(mem, block);
	last = (level_data_start(&mem->ns) + mem->size) / block;
	for (unsigned long long i = first; i < last && !ret; i++)
		if (is_online(i))
			ret = write_state(i, "offline");
	return ret;
}

/*
 * A machine that onlines new memory by itself may do so for pages of any kind: the block
 * is still empty, so it is offlined and onlined again as movable.
 */
static int become(const struct test_mem *mem)
{
	return kmem_bind_driver(&mem->ns) ?: offline(mem) ?: online(mem);
}

static int bring_back(const struct test_mem *mem)
{
	uint64_t end = clock_now_ns() + OFFLINE_NS;
	char driver[32];
	int ret = ns_driver(&mem->ns, driver, sizeof(driver));

	if (ret)
		return ret;
	if (!strcmp(driver, "device_dax"))
		return 0;
	while (!strcmp(driver, "kmem") && (ret = offline(mem)) == -EBUSY &&
	       clock_now_ns() < end)
		clock_sleep_ns(OFFLINE_NAP_NS);
	/* unbound with a block online, kmem loses the device until reboot */
	if (ret)
		return ret;
	if (driver[0])
		ret = ns_disable_dax(&mem->ns);
	return ret ?: ns_enable_dax(&mem->ns);
}

static const struct action kmem_actions[] = {
	{
		.name = "become_ram",
		.verb = "becoming memory",
		.what = "the device is bound to kmem, and a block of it onlined",
		.lacks = LACKS_LIBNDCTL,
		.on = ON_DEVDAX, .named = true,
		.run = become,
		.undo = bring_back,
	}, {
		.name = "offline_ram",
		.verb = "offlining",
		.what = "the device's memory, which is online, is offlined",
		.lacks = LACKS_LIBNDCTL,
		.on = ON_DEVDAX, .named = true,
		.run = offline,
		.undo = bring_back,
	},
	{ }
};

REGISTER(actions, kmem_actions);
