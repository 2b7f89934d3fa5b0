/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Dax regions whose devices are made, resized and destroyed through sysfs: those of
 * hmem and CXL.  Those of libnvdimm are static: one device, for ever.
 *
 * Documentation/ABI/testing/sysfs-bus-dax; drivers/dax/bus.c.
 */
#ifndef DAX_LIB_NS_DYNAMIC_H
#define DAX_LIB_NS_DYNAMIC_H

#include <stddef.h>

#include "lib/ns/ns.h"

/* The kernel cuts devices by the smallest part of a memory map, bytes. */
#define DYNAMIC_UNIT	(2UL << 20)

/* files of a region, for dynamic_region_number() and dynamic_region_write() */
#define DYNAMIC_AVAILABLE	"available_size"
#define DYNAMIC_CREATE		"create"
#define DYNAMIC_DELETE		"delete"
#define DYNAMIC_SEED		"seed"

/**
 * dynamic_find() - the region that was offered
 * @set: @set->dynamic is filled
 * @id: value of DAX_TEST_REGION, the "id" of one of 'daxctl list -R'; NULL or "" for
 *	none
 * @why: a sentence: what is wrong and what to do
 * @len: bytes in @why
 *
 * All of it is offered.  It has one device with bytes, the first, which is not in use
 * and bound to device_dax or to no driver.
 *
 * Return: 0 (also where none is offered), -EINVAL when it is no such region, -EBUSY
 * when it is in use.
 */
int dynamic_find(struct ns_set *set, const char *id, char *why, size_t len);

/**
 * dynamic_make() - the region's one device with bytes
 * @d: the region; recorded as changed before it is
 * @bytes: a multiple of DYNAMIC_UNIT
 * @align: bytes
 * @v: filled; bound to device_dax
 * @why: a sentence when it fails: the step
 * @len: bytes in @why
 *
 * Whatever else is in the region is destroyed.
 *
 * Return: 0 or -errno.
 */
int dynamic_make(struct dynamic *d, size_t bytes, size_t align, struct test_ns *v, char *why,
		 size_t len);

/**
 * dynamic_create() - one more device, not bound to a driver
 * @first: name of the region's first device
 * @bytes: a multiple of DYNAMIC_UNIT; 0 for a device without bytes
 * @name: set
 * @len: bytes in @name
 *
 * The region gives what lies lowest.
 *
 * Return: 0, -ENOSPC when the region has no room, or another -errno.
 */
int dynamic_create(const char *first, size_t bytes, char *name, size_t len);

/** dynamic_destroy() - by its name; unbinds, takes its bytes, deletes it; 0 or -errno */
int dynamic_destroy(const char *name);

/** dynamic_resize() - write(2) to the device's "size"; 0 or -errno */
int dynamic_resize(const char *name, size_t bytes);

/** dynamic_align() - write(2) to the device's "align"; 0 or -errno */
int dynamic_align(const char *name, size_t bytes);

/** dynamic_bind() - bind to device_dax by "new_id", whatever its type; 0 or -errno */
int dynamic_bind(const char *name);

/** dynamic_read() - a device as it is; 0, -ENODEV or -errno */
int dynamic_read(const char *name, struct test_ns *v);

/** dynamic_first() - name of the first device of @v's region, which is always there */
void dynamic_first(const struct test_ns *v, char *name, size_t len);

/** dynamic_region_number() - a number in a file of a region; 0 or -errno */
int dynamic_region_number(const char *first, const char *file, unsigned long long *number);

/** dynamic_region_write() - write(2) to a file of a region, which may refuse: -errno */
int dynamic_region_write(const char *device, const char *file, const char *text);

/**
 * dynamic_mapping() - one of the ranges that a device is made of
 * @name: its name
 * @n: which, from 0
 * @start: physical address
 * @bytes: of the range
 *
 * Return: 0, -ENODEV when it has no such range, or -errno.
 */
int dynamic_mapping(const char *name, unsigned int n, unsigned long long *start,
		    unsigned long long *bytes);

/**
 * dynamic_restore() - the region as it was found; idempotent
 * @set: as found by dynamic_find(), and as a killed program left it
 *
 * Return: 0, -EBUSY when it is to be avoided, or -errno.
 */
int dynamic_restore(struct ns_set *set);

#endif
