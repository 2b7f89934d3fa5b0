/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nd_pmem, the driver of the block devices of namespaces.
 */
#ifndef DAX_LIB_NS_PMEM_H
#define DAX_LIB_NS_PMEM_H

#include <stdbool.h>

#include "lib/ns/ns.h"

/**
 * pmem_is_bound() - has the block device a driver?
 * @ns: its namespace
 *
 * Return: true if it has.
 */
bool pmem_is_bound(const struct test_ns *ns);

/**
 * pmem_unbind_driver() - unbind nd_pmem, in the calling task
 * @ns: the namespace
 *
 * Blocks as long as the kernel does.
 *
 * Return: 0 or -errno.
 */
int pmem_unbind_driver(const struct test_ns *ns);

/**
 * pmem_bind_driver() - bind nd_pmem unless it is bound, and wait for the device's node
 * @ns: the namespace
 *
 * Return: 0, -ENXIO when the driver refused the device or its node does not come, or
 * -errno.
 */
int pmem_bind_driver(const struct test_ns *ns);

#endif
