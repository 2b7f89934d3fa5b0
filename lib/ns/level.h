/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The drivers above device_dax, each on a device that is the parent of the one
 * below: whoever unbinds one takes all that is below with it.
 */
#ifndef DAX_LIB_NS_LEVEL_H
#define DAX_LIB_NS_LEVEL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/ns/ns.h"

/**
 * enum level - which of them
 * @LEVEL_NONE: none
 * @LEVEL_DEVICE_DAX: device_dax itself
 * @LEVEL_DAX_REGION: of the device that provides a dynamic dax region: hmem
 * @LEVEL_DAX_PMEM: dax_pmem, of the namespace's own device ("dax0.1" on the nd bus)
 * @LEVEL_ND_REGION: nd_region, of all namespaces of a region
 * @LEVEL_ND_BUS: what provides the bus: nfit, e820_pmem, virtio_pmem
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
 * level_find() - the device of a level and its driver
 * @v: a device with a namespace, or a dynamic one; @v->above is filled
 * @which: which
 * @why: a sentence when it fails
 * @len: bytes in @why
 *
 * From sysfs: a bound device is a directory with a link "driver".
 *
 * Return: 0, or -ENODEV where there is none or it is not bound.
 */
int level_find(struct test_ns *v, enum level which, char *why, size_t len);

/**
 * level_offered() - does everything below a level belong to what was offered?
 * @set: what was offered
 * @v: with @v->above from level_find()
 * @which: which
 * @why: says which namespace does not
 * @len: bytes in @why
 *
 * A namespace without bytes is a seed, and nobody's.
 *
 * Return: 0, -EPERM when something does not belong to it, or -errno.
 */
int level_offered(const struct ns_set *set, const struct test_ns *v, enum level which,
		  char *why, size_t len);

/**
 * level_module_offered() - is everything that a driver is bound to ours to unbind?
 * @set: what was offered
 * @v: with @v->above from level_find()
 * @which: which
 * @why: says which device is not, or that there is no module
 * @len: bytes in @why
 *
 * Return: 0, -EPERM when something is not, -EOPNOTSUPP when the driver is built into
 * the kernel, or -errno.
 */
int level_module_offered(const struct ns_set *set, const struct test_ns *v,
			 enum level which, char *why, size_t len);

/**
 * level_left() - what is still there of a device although a level is unbound
 * @v: as it was before
 * @which: which
 * @what: a sentence: a device on its bus, or a range of /proc/iomem; "" for nothing
 * @len: bytes in @what
 *
 * Return: 0, or -errno.
 */
int level_left(const struct test_ns *v, enum level which, char *what, size_t len);

/** level_data() - physical address at which a device-dax namespace's memory starts; 0 */
unsigned long long level_data(const struct test_ns *v);

/** level_unbind() - unbind @v->above; 0 or -errno; blocks as long as the kernel does */
int level_unbind(const struct test_ns *v);

/** level_rebind() - bind @v->above unless it is bound, and wait for nothing; 0 or -errno */
int level_rebind(const struct test_ns *v);

/**
 * level_bind() - bind @v->above, and wait until the dax device is back
 * @v: as it was before; its names may have changed afterwards, see ns_again()
 *
 * libnvdimm probes in work items of its own: the device comes some time after the
 * write(2) has returned.
 *
 * Return: 0, -ENXIO when no device comes within ten seconds, or another -errno.
 */
int level_bind(const struct test_ns *v);

/** level_enable_namespace() - ns_enable_namespace(), and wait as level_bind() does */
int level_enable_namespace(const struct test_ns *v);

/** level_enable_region() - ns_enable_region(), and wait as level_bind() does */
int level_enable_region(const struct test_ns *v);

/**
 * level_rmmod() - remove the module of @v->above's driver, delete_module(2)
 * @v: with @v->above from level_find()
 *
 * Its devices are unbound.  Without O_TRUNC: a module in use stays.
 *
 * Return: 0; -EAGAIN while somebody uses the module; -EWOULDBLOCK likewise while
 * another module needs it; or another -errno.
 */
int level_rmmod(const struct test_ns *v);

/**
 * level_rmmod_in_order() - first unbind all that is on the bus, then level_rmmod()
 * @v: with @v->above of LEVEL_ND_BUS
 *
 * libnvdimm takes a reference to the module of the bus for each device that it binds
 * (nvdimm_bus_probe()).
 *
 * Return: 0 or -errno; blocks as long as the kernel does.
 */
int level_rmmod_in_order(const struct test_ns *v);

/** level_modprobe() - load it again and wait, as level_bind() does */
int level_modprobe(const struct test_ns *v);

#endif
