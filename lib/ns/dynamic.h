/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dynamic dax regions, whose devices can be created, resized and destroyed through sysfs:
 * those of hmem and CXL.  A region of libnvdimm is static, with one device.
 *
 * Documentation/ABI/testing/sysfs-bus-dax; drivers/dax/bus.c.
 */
#ifndef DAX_LIB_NS_DYNAMIC_H
#define DAX_LIB_NS_DYNAMIC_H

#include <stddef.h>

#include "lib/ns/ns.h"

/* Sizes are multiples of this, bytes: SUBSECTION_SIZE, at any page size. */
#define DYNAMIC_UNIT	(2UL << 20)

/* files of a region, for dynamic_region_number() and dynamic_region_write() */
#define DYNAMIC_AVAILABLE	"available_size"
#define DYNAMIC_CREATE		"create"
#define DYNAMIC_DELETE		"delete"
#define DYNAMIC_SEED		"seed"

/**
 * dynamic_find() - find the region that was offered
 * @set: @set->dynamic is filled
 * @id: value of DAX_TEST_REGION, the "id" of one of 'daxctl list -R'; NULL or "" for
 *	none
 * @why: set to a sentence when it fails: what is wrong and what to do
 * @len: bytes in @why
 *
 * The whole region is offered.  Only its first device may have bytes, must not be in use,
 * and must be bound to device_dax or to no driver.
 *
 * Return: 0 (also where none is offered), -EINVAL when it is no such region, -EBUSY
 * when it is in use.
 */
int dynamic_find(struct ns_set *set, const char *id, char *why, size_t len);

/**
 * dynamic_make() - make one device, the only one of the region with bytes
 * @d: the region; marked as changed first
 * @bytes: a multiple of DYNAMIC_UNIT
 * @align: bytes
 * @v: filled; bound to device_dax
 * @why: set to a sentence when it fails: the step
 * @len: bytes in @why
 *
 * All other devices of the region are destroyed.
 *
 * Return: 0 or -errno.
 */
int dynamic_make(struct dynamic *d, size_t bytes, size_t align, struct test_ns *v, char *why,
		 size_t len);

/**
 * dynamic_create() - create one more device, not bound to a driver
 * @first: name of the region's first device
 * @bytes: a multiple of DYNAMIC_UNIT; 0 for a device without bytes
 * @name: set to the name of the new device
 * @len: bytes in @name
 *
 * The kernel takes the lowest free range of the region.
 *
 * Return: 0, -ENOSPC when the region has no room, or another -errno.
 */
int dynamic_create(const char *first, size_t bytes, char *name, size_t len);

/**
 * dynamic_destroy() - unbind a device, set its size to 0 and delete it
 * @name: name of the device
 *
 * The first device of a region is not deleted.
 *
 * Return: 0, -ENODEV when there is no such device, or another -errno.
 */
int dynamic_destroy(const char *name);

/**
 * dynamic_resize() - set the size of a device
 * @name: name of the device, which is not bound
 * @bytes: a multiple of DYNAMIC_UNIT
 *
 * Return: 0, or -errno of write(2).
 */
int dynamic_resize(const char *name, size_t bytes);

/**
 * dynamic_align() - set the alignment of a device
 * @name: name of the device, which is not bound
 * @bytes: bytes mapped by an entry of a page table level
 *
 * Return: 0, or -errno of write(2).
 */
int dynamic_align(const char *name, size_t bytes);

/**
 * dynamic_bind() - bind a device to device_dax
 * @name: name of the device
 *
 * Through "new_id": other drivers may match the device by its type.
 *
 * Return: 0 (also when it is bound already), -EBUSY when another driver is bound, or
 * another -errno.
 */
int dynamic_bind(const char *name);

/**
 * dynamic_read() - read a device from sysfs
 * @name: name of the device
 * @v: filled
 *
 * Return: 0, -ENODEV when there is no such device, or another -errno.
 */
int dynamic_read(const char *name, struct test_ns *v);

/**
 * dynamic_first() - name of the first device of a region, which always exists
 * @v: a device of the region
 * @name: set
 * @len: bytes in @name
 */
void dynamic_first(const struct test_ns *v, char *name, size_t len);

/**
 * dynamic_region_number() - read a number from an attribute of a region
 * @first: name of a device of the region
 * @file: DYNAMIC_AVAILABLE or another attribute
 * @number: set
 *
 * Return: 0, or -errno of open(2) or read(2).
 */
int dynamic_region_number(const char *first, const char *file, unsigned long long *number);

/**
 * dynamic_region_write() - write to an attribute of a region
 * @device: name of a device of the region
 * @file: DYNAMIC_CREATE or another attribute
 * @text: written in one write(2)
 *
 * Return: 0, or -errno of open(2) or write(2).
 */
int dynamic_region_write(const char *device, const char *file, const char *text);

/**
 * dynamic_mapping() - read one of the ranges that a device consists of
 * @name: name of the device
 * @n: number of the range, from 0
 * @start: set to its physical address
 * @bytes: set to its length
 *
 * Return: 0, -ENODEV when it has no such range, or -errno.
 */
int dynamic_mapping(const char *name, unsigned int n, unsigned long long *start,
		    unsigned long long *bytes);

/**
 * dynamic_restore() - restore the region to the state that it was found in
 * @set: from dynamic_find()
 *
 * A second call is harmless, and so is one after a test was killed at any point.
 *
 * Return: 0, -EBUSY when the region is excluded by ns_avoid(), or another -errno.
 */
int dynamic_restore(struct ns_set *set);

#endif
