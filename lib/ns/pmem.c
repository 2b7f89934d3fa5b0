// SPDX-License-Identifier: GPL-2.0-only
/* Unbinding and binding nd_pmem, the driver of block devices, through sysfs. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/ns/pmem.h"
#include "lib/sysfs.h"

#define ND_DEVICES	"/sys/bus/nd/devices"
#define ND_PMEM		"/sys/bus/nd/drivers/nd_pmem"

/* After bind the node of the device is there at once, or udev makes it. */
#define NODE_NS		(2 * NSEC_PER_SEC)

/* the device that libnvdimm has bound: the namespace, or the one that gives it its mode */
static const char *nd_device(const struct test_ns *ns)
{
	return ns->claim_dev[0] ? ns->claim_dev : ns->ndns;
}

bool pmem_is_bound(const struct test_ns *ns)
{
	char path[96];

	snprintf(path, sizeof(path), ND_DEVICES "/%s/driver", nd_device(ns));
	return !access(path, F_OK);
}

int pmem_unbind_driver(const struct test_ns *ns)
{
	const char *name = nd_device(ns);

	return name[0] ? sysfs_write(ND_PMEM "/unbind", name) : -ENODEV;
}

static int wait_for_node(const struct test_ns *ns)
{
	uint64_t end = clock_now_ns() + NODE_NS;
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/dev/%s", ns->block);
	while (stat(path, &st) || !S_ISBLK(st.st_mode)) {
		if (clock_now_ns() >= end)
			return -ENXIO;
		clock_sleep_ns(NSEC_PER_MSEC);
	}
	return 0;
}

int pmem_bind_driver(const struct test_ns *ns)
{
	const char *name = nd_device(ns);
	int ret = 0;

	if (!name[0])
		return -ENODEV;
	if (!pmem_is_bound(ns))
		ret = sysfs_write(ND_PMEM "/bind", name);
	/* some kernels report success although the driver refused the device */
	if (!ret && !pmem_is_bound(ns))
		ret = -ENXIO;
	return ret ?: wait_for_node(ns);
}
