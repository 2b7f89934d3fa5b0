// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dynamic dax regions: devices are created in them, resized and destroyed.
 *
 * A bound device is in use and keeps its size.  A device with bytes cannot be deleted.
 * The memory of a destroyed device is available again once its last pin is released
 * (drivers/dax/bus.c: dev_dax_resize(), delete_store(), unregister_dev_dax()).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/ns/dynamic.h"
#include "teardown/teardown.h"

/* a device grows by this much, bytes */
#define MORE_BYTES	(2 * DYNAMIC_UNIT)

/* devices created and destroyed, one after the other */
#define ROUNDS		30

static void dynamic_setup(struct cell *c)
{
	guard_takes_away(c->guard, &c->v, c->action->undo);
}

static void dynamic_mapped(struct cell *c)
{
	dynamic_setup(c);
	teardown_mapped(c);
}

static void dynamic_pinned(struct cell *c)
{
	dynamic_setup(c);
	teardown_pinned(c);
}

/* free bytes of the region */
static unsigned long long available_bytes(const struct cell *c)
{
	unsigned long long bytes = 0;

	dynamic_region_number(c->v.ns.dax, DYNAMIC_AVAILABLE, &bytes);
	return bytes;
}

/* one more device, in the lowest free range of the region */
static bool create_second(struct cell *c, size_t bytes, char *name, size_t len)
{
	char first[32];

	dynamic_first(&c->v.ns, first, sizeof(first));
	return expect_ok(c, dynamic_create(first, bytes, name, len), "creating a device", "");
}

/* unbind, resize and bind the cell's device; its free space has to change as much */
static bool resize_device(struct cell *c, size_t bytes)
{
	unsigned long long before = available_bytes(c);
	struct test_ns now;
	int ret = guard_unbind_dax(c->guard);

	if (!expect_done(c, ret, "unbind without pins"))
		return false;
	ret = dynamic_resize(c->v.ns.dax, bytes);
	if (!expect(c, VERDICT_FAILED, !ret, "resizing %s from %zu to %zu bytes: %s", c->v.ns.dax,
		    c->v.size, bytes, strerror(-ret)))
		return false;
	ret = dynamic_read(c->v.ns.dax, &now);
	if (!expect_ok(c, ret, "reading the resized device's attributes", ""))
		return false;
	expect(c, VERDICT_FAILED, now.size == bytes, "%s has %zu bytes after resizing; expected %zu",
	       c->v.ns.dax, now.size, bytes);
	expect(c, VERDICT_FAILED, available_bytes(c) + bytes == before + c->v.size,
	       "the region has %llu free bytes, and had %llu while %s had %zu; expected %llu",
	       available_bytes(c), before, c->v.ns.dax, c->v.size, before + c->v.size - bytes);
	c->v.size = bytes;
	c->v.ns.size = bytes;
	guard_set_mem(c->guard, &c->v);
	ret = guard_bind_dax(c->guard);
	return expect_done(c, ret, "bind after resizing") && !cell_over(c);
}

static bool map_whole(struct cell *c, struct pin_proc *h)
{
	int ret = pin_proc_map(h, MAP_WHOLE, c->v.node, c->size, 0, c->v.size,
			       PROT_READ | PROT_WRITE);

	return expect_ok(c, ret, "mapping all of the device", h->why);
}

static bool check_whole(struct cell *c, struct pin_proc *h, size_t bytes)
{
	int ret;

	if (!map_whole(c, h))
		return false;
	ret = pin_proc_check(h, MAP_WHOLE, 0, bytes, TAG_MEMORY);
	return expect_ok(c, ret, "the device's bytes", h->why);
}

static bool fill_range(struct cell *c, struct pin_proc *h, size_t off, size_t len,
		       const char *what)
{
	return expect_ok(c, pin_proc_fill(h, MAP_WHOLE, off, len, TAG_MEMORY), what, h->why);
}

/* unmap the device, because a device with open descriptors must not be bound again */
static bool unmap_whole(struct cell *c, struct pin_proc *h)
{
	return expect_ok(c, pin_proc_close(h, MAP_WHOLE), "unmapping the device", h->why);
}

static void grow_and_shrink(struct cell *c, struct pin_proc *h)
{
	size_t before = c->v.size, more = before + MORE_BYTES;
	int ret;

	if (!map_whole(c, h) || !fill_range(c, h, 0, before, "filling the device") ||
	    !unmap_whole(c, h) || !resize_device(c, more))
		return;
	if (!check_whole(c, h, before) ||
	    !fill_range(c, h, before, MORE_BYTES, "filling the added bytes"))
		return;
	ret = pin_proc_check(h, MAP_WHOLE, 0, more, TAG_MEMORY);
	if (!expect_ok(c, ret, "the grown device's bytes", h->why) || !unmap_whole(c, h) ||
	    !resize_device(c, before))
		return;
	if (check_whole(c, h, before))
		pin_proc_close(h, MAP_WHOLE);
}

static void dynamic_resized(struct cell *c)
{
	struct pin_proc h = { 0 };

	if (cell_pin_proc(c, &h))
		grow_and_shrink(c, &h);
	cell_pin_proc_end(c, &h);
}

static void expect_refused_bound(struct cell *c, struct pin_proc *h)
{
	size_t size = c->v.size;

	expect_errno(c, dynamic_resize(c->v.ns.dax, size + MORE_BYTES), EBUSY,
		     "growing a bound device");
	expect_errno(c, dynamic_resize(c->v.ns.dax, size - MORE_BYTES), EBUSY,
		     "shrinking a bound device");
	expect_errno(c, dynamic_align(c->v.ns.dax, daxmap_bytes(DAXMAP_PTE)), EBUSY,
		     "aligning a bound device");
	expect_errno(c, dynamic_region_write(c->v.ns.dax, DYNAMIC_DELETE, c->v.ns.dax), EBUSY,
		     "deleting a bound device");
	expect_ok(c, pin_proc_touch(h, MAP_WHOLE, size - DYNAMIC_UNIT),
		  "touching the mapping after the refusals", h->why);
}

static void expect_refused_unbound(struct cell *c)
{
	unsigned long long room = available_bytes(c);
	char first[32], name[32];

	dynamic_first(&c->v.ns, first, sizeof(first));
	expect_errno(c, dynamic_region_write(c->v.ns.dax, DYNAMIC_DELETE, c->v.ns.dax), EBUSY,
		     "deleting a device with bytes");
	expect_errno(c, dynamic_region_write(c->v.ns.dax, DYNAMIC_DELETE, first), EBUSY,
		     "deleting the region's first device");
	expect_errno(c, dynamic_resize(c->v.ns.dax, c->v.size + room + DYNAMIC_UNIT), ENOSPC,
		     "growing a device beyond the region's free bytes");
	expect_errno(c, dynamic_resize(c->v.ns.dax, c->v.size + 1), EINVAL,
		     "growing a device by one byte");
	expect(c, VERDICT_FAILED, available_bytes(c) == room,
	       "the region has %llu free bytes after the refusals; expected %llu",
	       available_bytes(c), room);
	/* a device without bytes cannot be bound, but deleted */
	if (!create_second(c, 0, name, sizeof(name)))
		return;
	expect(c, VERDICT_FAILED, dynamic_bind(name), "binding %s, which has no bytes, succeeded; expected it to fail",
	       name);
	expect_ok(c, dynamic_destroy(name), "destroying a device without bytes", "");
	expect_errno(c, dynamic_region_write(c->v.ns.dax, DYNAMIC_DELETE, name), ENXIO,
		     "deleting a deleted device");
}

static void dynamic_refused(struct cell *c)
{
	struct pin_proc h = { 0 };
	char why[WHY_LEN];
	int ret;

	if (cell_pin_proc(c, &h) && map_whole(c, &h)) {
		expect_refused_bound(c, &h);
		pin_proc_close(&h, MAP_WHOLE);
		ret = guard_unbind_dax(c->guard);
		if (expect_done(c, ret, "unbind without pins"))
			expect_refused_unbound(c);
		ret = guard_bind_dax(c->guard);
		if (expect_done(c, ret, "bind"))
			expect_ok(c, ns_check_same(&c->v.ns, why, sizeof(why)),
				  "comparing the device", why);
	}
	cell_pin_proc_end(c, &h);
}

/* bind and unbind a second device, which is the guard's memory meanwhile */
static bool bind_and_unbind(struct cell *c, const char *name)
{
	struct test_mem before = c->guard->mem, second = before;
	int ret;

	if (!expect_ok(c, dynamic_bind(name), "binding the new device", ""))
		return false;
	ret = dynamic_read(name, &second.ns);
	if (!expect_ok(c, ret, "reading the new device's attributes", ""))
		return false;
	guard_set_mem(c->guard, &second);
	ret = guard_unbind_dax(c->guard);
	guard_set_mem(c->guard, &before);
	return expect_done(c, ret, "unbinding the new device");
}

static bool one_round(struct cell *c)
{
	char name[32];

	return create_second(c, MORE_BYTES, name, sizeof(name)) && bind_and_unbind(c, name) &&
	       expect_ok(c, dynamic_destroy(name), "destroying the new device", "");
}

/* the frame around each cell checks /sys and /proc/iomem */
static void dynamic_rounds(struct cell *c)
{
	unsigned long long room = available_bytes(c);
	unsigned int i;

	for (i = 0; i < ROUNDS && one_round(c); i++)
		;
	expect(c, VERDICT_FAILED, available_bytes(c) == room,
	       "after %u devices the region has %llu free bytes; expected %llu", i,
	       available_bytes(c), room);
}

/*
 * Give the device a second range: a neighbour takes the memory behind the first range,
 * so that the device grows behind the neighbour.
 */
static bool add_range(struct cell *c, char *name, size_t len)
{
	unsigned long long start, bytes;
	int ret;

	if (!create_second(c, MORE_BYTES, name, len) || !resize_device(c, c->v.size + MORE_BYTES))
		return false;
	ret = dynamic_mapping(c->v.ns.dax, 1, &start, &bytes);
	return expect_ok(c, ret, "reading the device's second range", "") &&
	       expect(c, VERDICT_FAILED, bytes == MORE_BYTES,
		      "%s has a second range of %llu bytes; expected %lu", c->v.ns.dax, bytes,
		      MORE_BYTES);
}

/* map both ranges in place of the device's start; pins go to the second range */
static bool map_ranges(struct teardown *s)
{
	struct cell *c = s->c;
	unsigned long faults = 0;
	int ret = pin_proc_close(&s->h, MAP_MAIN);

	if (!expect_ok(c, ret, "unmapping the device's start", s->h.why))
		return false;
	s->map_len = c->v.size;
	s->base = c->v.size - MORE_BYTES;
	ret = pin_proc_map(&s->h, MAP_MAIN, c->v.node, c->size, 0, s->map_len,
			   PROT_READ | PROT_WRITE);
	if (!expect_ok(c, ret, "mapping both ranges", s->h.why))
		return false;
	ret = pin_proc_prove(&s->h, MAP_MAIN, &faults);
	return expect(c, VERDICT_FAILED, !ret,
		      "touching %zu KiB of two ranges took %lu faults; expected %zu",
		      s->map_len >> 10, faults, s->map_len / daxmap_bytes(c->size));
}

static void dynamic_ranges(struct cell *c)
{
	size_t before = c->v.size;
	char neighbour[32] = "";
	struct teardown s = { .c = c };

	if (add_range(c, neighbour, sizeof(neighbour)) && teardown_setup(c, &s) &&
	    map_ranges(&s) && (!c->method || teardown_pin(&s, c->method, 0)) &&
	    teardown_watch_mapping(&s) && teardown_run(&s) == VERDICT_NEVER_RETURNED)
		return;
	teardown_cleanup(&s);
	if (c->v.size != before)
		resize_device(c, before);
	if (neighbour[0])
		expect_ok(c, dynamic_destroy(neighbour), "destroying the neighbour", "");
}

static void dynamic_static(struct cell *c)
{
	static const char *const absent[] = { DYNAMIC_CREATE, DYNAMIC_DELETE, DYNAMIC_SEED };
	char why[WHY_LEN];

	for (unsigned int i = 0; i < ARRAY_SIZE(absent); i++)
		expect(c, VERDICT_FAILED,
		       dynamic_region_write(c->v.ns.dax, absent[i], "1") == -ENOENT,
		       "the static region of %s has an attribute '%s'; expected none",
		       c->v.ns.dax, absent[i]);
	expect_errno(c, dynamic_resize(c->v.ns.dax, c->v.size / 2), EACCES,
		     "resizing the device of a static region");
	expect_errno(c, dynamic_align(c->v.ns.dax, daxmap_bytes(DAXMAP_PTE)), EACCES,
		     "aligning the device of a static region");
	expect_ok(c, ns_check_same(&c->v.ns, why, sizeof(why)), "comparing the device", why);
}

static const struct scenario_group dynamic_group = {
	.name = "dynamic",
	.order = 90,
	.common = {
		.on = ON_DYNAMIC,
		.sizes = AT_PMD,
		.ignore = HEALTH_NUMBERS,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "",
			.what = "mapped, no pin: the device is destroyed and created again",
			.acts = LIST("destroy_device"),
			.run = dynamic_mapped,
		}, {
			.name = "",
			.what = "one pin out: destroying the device waits for it",
			.acts = LIST("destroy_device"),
			.pins = PINS_UNTIMED,
			.run = dynamic_pinned,
		}, {
			.name = "two_ranges",
			.what = "mapped, no pin: the device has two ranges of memory",
			.acts = LIST("unbind_device_dax"),
			.run = dynamic_ranges,
		}, {
			.name = "two_ranges",
			.what = "one pin out, in the second of the device's two ranges of memory",
			.acts = LIST("unbind_device_dax"),
			.pins = PIN_VMSPLICE,
			.run = dynamic_ranges,
		}, {
			.name = "resized",
			.what = "grown and shrunk between binds: the remaining bytes stay the same",
			.run = dynamic_resized,
		}, {
			.name = "refused",
			.what = "requests on a bound device, and invalid ones, are refused and change nothing",
			.run = dynamic_refused,
		}, {
			.name = "again_and_again",
			.what = "a second device is created, bound and destroyed, again and again: nothing is left",
			.run = dynamic_rounds,
		}, {
			.name = "static",
			.what = "a namespace's region is static: no device is created, deleted or resized",
			.on = ON_DEVDAX,
			.ignore = HEALTH_NONE,
			.run = dynamic_static,
		},
		{ }
	},
};

REGISTER(scenario_groups, &dynamic_group);
