/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The drivers above device_dax: dax_pmem, nd_region, the driver of the bus.
 *
 * Each is bound to a parent of the device of the next one: unbinding it removes all devices
 * below.  So a level may only be unbound when everything below it was offered.
 */
#ifndef DAX_LIB_NS_LEVEL_H
#define DAX_LIB_NS_LEVEL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/ns/ns.h"

/**
 * enum level - a driver, by the device that it is bound to
 * @LEVEL_NONE: none
 * @LEVEL_DEVICE_DAX: the dax device: device_dax
 * @LEVEL_DAX_REGION: the device that provides a dynamic dax region: hmem
 * @LEVEL_DAX_PMEM: the device of one namespace on the nd bus, "dax0.1": dax_pmem
 * @LEVEL_ND_REGION: a region with all its namespaces: nd_region
 * @LEVEL_ND_BUS: the device that provides the bus: nfit, e820_pmem, virtio_pmem
 */
enum level {
	LEVEL_NONE,
	LEVEL_DEVICE_DAX,
	LEVEL_DAX_REGION,
	LEVEL_DAX_PMEM,
	LEVEL_ND_REGION,
	LEVEL_ND_BUS,
};

/**
 * level_find() - find the device of a level and its driver in sysfs
 * @v: a device with a namespace, or a dynamic one; @v->above is filled
 * @which: level
 * @why: set to a sentence when it fails
 * @len: bytes in @why
 *
 * Return: 0, or -ENODEV when there is no such device or it is not bound.
 */
int level_find(struct test_ns *v, enum level which, char *why, size_t len);

/**
 * level_offered() - was every namespace below a level offered?
 * @set: the namespaces that were offered
 * @v: with @v->above from level_find()
 * @which: level
 * @why: set to a sentence when it fails: the namespace that was not
 * @len: bytes in @why
 *
 * Zero-size seeds are ignored.
 *
 * Return: 0, -EPERM when one was not, or another -errno.
 */
int level_offered(const struct ns_set *set, const struct test_ns *v, enum level which,
		  char *why, size_t len);

/**
 * level_module_offered() - was every device that a level's driver is bound to offered?
 * @set: the namespaces that were offered
 * @v: with @v->above from level_find()
 * @which: level
 * @why: set to a sentence when it fails: the device that was not, or that there is no
 *	module
 * @len: bytes in @why
 *
 * Return: 0, -EPERM when one was not, -EOPNOTSUPP when the driver is built into the
 * kernel, or another -errno.
 */
int level_module_offered(const struct ns_set *set, const struct test_ns *v,
			 enum level which, char *why, size_t len);

/**
 * level_left() - what remains of a device although a level is unbound?
 * @v: as it was before
 * @which: level
 * @what: set to a sentence: a device on its bus, or a range of /proc/iomem; "" for nothing
 * @len: bytes in @what
 *
 * Return: 0, or -errno of opening /proc/iomem.
 */
int level_left(const struct test_ns *v, enum level which, char *what, size_t len);

/**
 * level_data_start() - physical address of the first byte of a device-dax namespace's memory
 * @v: the namespace
 *
 * Return: the address; 0 when the kernel does not show it.
 */
unsigned long long level_data_start(const struct test_ns *v);

/**
 * level_unbind() - unbind the device of a level from its driver, in the calling task
 * @v: with @v->above from level_find()
 *
 * Blocks as long as the kernel does.
 *
 * Return: 0, or -errno of write(2).
 */
int level_unbind(const struct test_ns *v);

/**
 * level_rebind() - bind the device of a level unless it is bound
 * @v: with @v->above from level_find()
 *
 * Does not wait for the devices below, which libnvdimm probes in work items.
 *
 * Return: 0, or -errno of write(2).
 */
int level_rebind(const struct test_ns *v);

/**
 * level_bind() - level_rebind(), and wait until the dax device is there
 * @v: as it was before; its names may have changed afterwards, see ns_find_again()
 *
 * Return: 0, -ENXIO when the device is not there within ten seconds, or another -errno.
 */
int level_bind(const struct test_ns *v);

/**
 * level_enable_namespace() - ns_enable_namespace(), and wait until the dax device is there
 * @v: as it was before
 *
 * Return: as level_bind(), or as ns_enable_namespace().
 */
int level_enable_namespace(const struct test_ns *v);

/**
 * level_enable_region() - ns_enable_region(), and wait until the dax device is there
 * @v: as it was before
 *
 * Return: as level_bind(), or as ns_enable_region().
 */
int level_enable_region(const struct test_ns *v);

/**
 * level_rmmod() - remove the module of a level's driver, which unbinds its devices
 * @v: with @v->above from level_find()
 *
 * A module in use is not removed.
 *
 * Return: 0, -EOPNOTSUPP when the driver is built into the kernel, or as module_unload().
 */
int level_rmmod(const struct test_ns *v);

/**
 * level_rmmod_in_order() - unbind all devices of the bus, then level_rmmod()
 * @v: with @v->above of LEVEL_ND_BUS
 *
 * libnvdimm holds a reference to the module of the bus for each device that it has bound
 * (nvdimm_bus_probe()).  Blocks as long as the kernel does.
 *
 * Return: as level_rmmod(), or -errno of write(2).
 */
int level_rmmod_in_order(const struct test_ns *v);

/**
 * level_modprobe() - load the module again, and wait until the dax device is there
 * @v: with @v->above from level_find(), as it was before
 *
 * Return: as level_bind(), or as module_load().
 */
int level_modprobe(const struct test_ns *v);

#endif
