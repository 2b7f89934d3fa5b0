// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "lib/module.h"
#include "lib/ns/kmem.h"
#include "lib/sysfs.h"

size_t kmem_block_bytes(void)
{
	char text[32];

	if (sysfs_read_line("/sys/devices/system/memory/block_size_bytes", text, sizeof(text)))
		return 0;
	return strtoull(text, NULL, 16);
}

int kmem_bind_driver(const struct test_ns *ns)
{
	/* an error is that of libdaxctl, which names the driver that is missing */
	if (access("/sys/bus/dax/drivers/kmem", F_OK))
		module_load("kmem", NULL);
	return ns_bind_kmem(ns);
}
