// SPDX-License-Identifier: GPL-2.0
/*
 * A dax device as ordinary memory: bound to kmem, which hot-adds it, a part of it
 * online, for movable pages only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/action/action.h"
#include "lib/module.h"
#include "lib/timeline.h"
#include "lib/ns/internal.h"

#define MEMORY		"devices/system/memory"

/* Offlining migrates pages, and fails while one is under I/O or on its way elsewhere. */
#define OFFLINE_NS	(10 * NSEC_PER_SEC)
#define OFFLINE_NAP_NS	(20 * NSEC_PER_MSEC)

size_t action_ram_block(void)
{
	char text[32];

	if (ns_attr(&ns_machine, text, sizeof(text), MEMORY "/block_size_bytes"))
		return 0;
	return strtoull(text, NULL, 16);
}

static int write_state(unsigned long long block, const char *state)
{
	char path[80];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/sys/" MEMORY "/memory%llu/state", block);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, state, strlen(state)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static bool is_online(unsigned long long block)
{
	char text[16];

	return !ns_attr(&ns_machine, text, sizeof(text), MEMORY "/memory%llu/state",
			block) && !strcmp(text, "online");
}

/* the first whole block of the device: pins are in it */
static unsigned long long first_block(const struct test_mem *mem, size_t block)
{
	return (level_data(&mem->ns) + block - 1) / block;
}

static int ram_online(const struct test_mem *mem)
{
	size_t block = action_ram_block();

	if (!block)
		return -EOPNOTSUPP;
	return write_state(first_block(mem, block), "online_movable");
}

static int ram_offline(const struct test_mem *mem)
{
	size_t block = action_ram_block();
	unsigned long long first, last;
	int ret = 0;

	if (!block)
		return -EOPNOTSUPP;
	first = first_block(mem, block);
	last = (level_data(&mem->ns) + mem->size) / block;
	for (unsigned long long i = first; i < last && !ret; i++)
		if (is_online(i))
			ret = write_state(i, "offline");
	return ret;
}

int action_ram_bind(const struct test_mem *mem)
{
	/* an error is that of libdaxctl, which names the driver that is missing */
	if (access("/sys/bus/dax/drivers/kmem", F_OK))
		module_load("kmem", NULL);
	return ns_to_ram(&mem->ns);
}

/*
 * A machine that onlines new memory by itself may do so for pages of any kind: the block
 * is still empty, so it is offlined and onlined again as movable.
 */
static int ram_become(const struct test_mem *mem)
{
	return action_ram_bind(mem) ?: ram_offline(mem) ?: ram_online(mem);
}

static int ram_back(const struct test_mem *mem)
{
	const struct timespec nap = { .tv_nsec = OFFLINE_NAP_NS };
	uint64_t end = timeline_now() + OFFLINE_NS;
	char driver[32];
	int ret = ns_driver(&mem->ns, driver, sizeof(driver));

	if (ret)
		return ret;
	if (!strcmp(driver, "device_dax"))
		return 0;
	while (!strcmp(driver, "kmem") && (ret = ram_offline(mem)) == -EBUSY &&
	       timeline_now() < end)
		nanosleep(&nap, NULL);
	/* unbound with a block online, kmem loses the device until reboot */
	if (ret)
		return ret;
	if (driver[0])
		ret = ns_disable(&mem->ns);
	return ret ?: ns_enable(&mem->ns);
}

static const struct action ram_actions[] = {
	{
		.name = "become_ram",
		.verb = "becoming memory",
		.what = "the device is bound to kmem, and a block of it onlined",
		.lacks = LACKS_LIBNDCTL,
		.on = ON_DEVDAX, .named = true,
		.run = ram_become,
		.undo = ram_back,
	}, {
		.name = "offline_ram",
		.verb = "offlining",
		.what = "the device's memory, which is online, is offlined",
		.lacks = LACKS_LIBNDCTL,
		.on = ON_DEVDAX, .named = true,
		.run = ram_offline,
		.undo = ram_back,
	},
	{ }
};

REGISTER(actions, ram_actions);
