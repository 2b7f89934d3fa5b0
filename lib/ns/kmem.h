/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmem, the driver that hot-adds a device-dax device as ordinary memory.
 */
#ifndef DAX_LIB_NS_KMEM_H
#define DAX_LIB_NS_KMEM_H

#include <stddef.h>

#include "lib/ns/ns.h"

/**
 * kmem_block_bytes() - size of the blocks that memory goes online in
 *
 * Return: bytes; 0 where memory cannot be hot-added.
 */
size_t kmem_block_bytes(void);

/**
 * kmem_bind_driver() - unbind device_dax and bind kmem, with no block online
 * @ns: the namespace
 *
 * Blocks as long as unbinding device_dax does.
 *
 * Return: 0 or -errno.
 */
int kmem_bind_driver(const struct test_ns *ns);

#endif
