// SPDX-License-Identifier: GPL-2.0
/*
 * nd_pmem is unbound through sysfs from a block device that a file system is on, or a
 * program reads and writes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/action/action.h"
#include "lib/timeline.h"

#define ND_DEVICES	"/sys/bus/nd/devices"
#define ND_PMEM		"/sys/bus/nd/drivers/nd_pmem"

/* The node of a device that has come back is there at once, or udev makes it. */
#define NODE_NS		(2 * NSEC_PER_SEC)

/* the device that libnvdimm has bound: the namespace, or the one that gives it its mode */
static const char *nd_device(const struct test_mem *mem)
{
	return mem->ns.claim_dev[0] ? mem->ns.claim_dev : mem->ns.ndns;
}

bool action_pmem_bound(const struct test_mem *mem)
{
	char path[96];

	snprintf(path, sizeof(path), ND_DEVICES "/%s/driver", nd_device(mem));
	return !access(path, F_OK);
}

static int write_driver(const struct test_mem *mem, const char *file)
{
	const char *name = nd_device(mem);
	char path[64];
	int fd, ret = 0;

	if (!name[0])
		return -ENODEV;
	snprintf(path, sizeof(path), ND_PMEM "/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, name, strlen(name)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int action_unbind_pmem(const struct test_mem *mem)
{
	return write_driver(mem, "unbind");
}

static int await_node(const struct test_mem *mem)
{
	uint64_t end = timeline_now() + NODE_NS;
	struct timespec nap = { .tv_nsec = NSEC_PER_MSEC };
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/dev/%s", mem->ns.block);
	while (stat(path, &st) || !S_ISBLK(st.st_mode)) {
		if (timeline_now() >= end)
			return -ENXIO;
		nanosleep(&nap, NULL);
	}
	return 0;
}

int action_bind_pmem(const struct test_mem *mem)
{
	int ret = 0;

	if (!action_pmem_bound(mem))
		ret = write_driver(mem, "bind");
	/* some kernels report success although the driver refused the device */
	if (!ret && !action_pmem_bound(mem))
		ret = -ENXIO;
	return ret ?: await_node(mem);
}

static const struct action pmem_actions[] = {
	{
		.name = "unbind_nd_pmem",
		.verb = "unbind",
		.what = "the block device below is unbound from nd_pmem through sysfs",
		.on = ON_PMEM, .named = true,
		.run = action_unbind_pmem,
		.undo = action_bind_pmem,
	},
	{ }
};

REGISTER(actions, pmem_actions);
