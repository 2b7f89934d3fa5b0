// SPDX-License-Identifier: GPL-2.0
/*
 * Dax regions that can be divided: devices are made in them, resized and destroyed.
 *
 * What is bound is in use and keeps its size; what has bytes is not deleted; what is
 * given back is there for the next device, and no sooner than its last pin is gone
 * (drivers/dax/bus.c: dev_dax_resize(), delete_store(), unregister_dev_dax()).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/ns/dynamic.h"
#include "teardown/teardown.h"

/* What a device grows by, bytes: two entries of a pmd. */
#define MORE_BYTES	(2 * DYNAMIC_UNIT)

/* Devices that are made and thrown away, one after the other. */
#define ROUNDS		30

static void remember(struct cell *c)
{
	c->guard->mem = c->v;
	c->guard->undo = c->action->undo;
}

static void dynamic_mapped(struct cell *c)
{
	remember(c);
	teardown_mapped(c);
}

static void dynamic_pinned(struct cell *c)
{
	remember(c);
	teardown_pinned(c);
}

static bool expect_refused(struct cell *c, int ret, int want, const char *what)
{
	return expect(c, VERDICT_FAILED, ret == want, "%s: %s; expected %s", what,
		      ret ? strerror(-ret) : "done", strerror(-want));
}

static unsigned long long available(const struct cell *c)
{
	unsigned long long bytes = 0;

	dynamic_region_number(c->v.ns.dax, DYNAMIC_AVAILABLE, &bytes);
	return bytes;
}

/* a device beside the cell's own, of what is lowest of the rest */
static bool make_beside(struct cell *c, size_t bytes, char *name, size_t len)
{
	char first[32];

	dynamic_first(&c->v.ns, first, sizeof(first));
	return expect_ok(c, dynamic_create(first, bytes, name, len), "creating a device", "");
}

static bool set_size(struct cell *c, size_t bytes)
{
	unsigned long long before = available(c);
	struct test_ns now;
	int ret = guard_unbind_dax(c->guard);

	if (!expect_done(c, ret, "unbind without pins"))
		return false;
	ret = dynamic_resize(c->v.ns.dax, bytes);
	ret = ret ?: dynamic_read(c->v.ns.dax, &now);
	if (!expect(c, VERDICT_FAILED, !ret, "resizing %s from %zu to %zu bytes: %s", c->v.ns.dax,
		    c->v.size, bytes, strerror(-ret)))
		return false;
	expect(c, VERDICT_FAILED, now.size == bytes, "%s has %zu bytes; expected %zu",
	       c->v.ns.dax, now.size, bytes);
	expect(c, VERDICT_FAILED, available(c) + bytes == before + c->v.size,
	       "the region has %llu bytes left, and had %llu while %s had %zu; expected %llu",
	       available(c), before, c->v.ns.dax, c->v.size, before + c->v.size - bytes);
	c->v.size = bytes;
	c->v.ns.size = bytes;
	c->guard->mem = c->v;
	ret = guard_bind_dax(c->guard);
	return expect_done(c, ret, "bind with another size") && !cell_over(c);
}

/* all of the device, mapped anew */
static bool map_all(struct cell *c, struct pin_proc *h)
{
	int ret = pin_proc_map(h, MAP_WHOLE, c->v.node, c->size, 0, c->v.size,
			       PROT_READ | PROT_WRITE);

	return expect_ok(c, ret, "mapping all of the device", h->why);
}

static bool check_all(struct cell *c, struct pin_proc *h, size_t bytes)
{
	int ret;

	if (!map_all(c, h))
		return false;
	ret = pin_proc_check(h, MAP_WHOLE, 0, bytes, TAG_MEMORY);
	return expect_ok(c, ret, "bytes of the device", h->why);
}

static void grow_and_shrink(struct cell *c, struct pin_proc *h)
{
	size_t before = c->v.size, more = before + MORE_BYTES;
	int ret;

	if (!map_all(c, h))
		return;
	ret = pin_proc_fill(h, MAP_WHOLE, 0, before, TAG_MEMORY);
	ret = ret ?: pin_proc_close(h, MAP_WHOLE);
	if (!expect_ok(c, ret, "filling the device", h->why) || !set_size(c, more) ||
	    !check_all(c, h, before))
		return;
	ret = pin_proc_fill(h, MAP_WHOLE, before, MORE_BYTES, TAG_MEMORY);
	ret = ret ?: pin_proc_check(h, MAP_WHOLE, 0, more, TAG_MEMORY);
	ret = ret ?: pin_proc_close(h, MAP_WHOLE);
	if (!expect_ok(c, ret, "the bytes that were added", h->why) || !set_size(c, before))
		return;
	if (check_all(c, h, before))
		pin_proc_close(h, MAP_WHOLE);
}

static void dynamic_resized(struct cell *c)
{
	struct pin_proc h = { 0 };

	if (cell_pin_proc(c, &h))
		grow_and_shrink(c, &h);
	cell_pin_proc_end(c, &h);
}

static void refused_in_use(struct cell *c, struct pin_proc *h)
{
	size_t size = c->v.size;

	expect_refused(c, dynamic_resize(c->v.ns.dax, size + MORE_BYTES), -EBUSY,
		       "growing a device that is bound");
	expect_refused(c, dynamic_resize(c->v.ns.dax, size - MORE_BYTES), -EBUSY,
		       "shrinking a device that is bound");
	expect_refused(c, dynamic_align(c->v.ns.dax, daxmap_bytes(DAXMAP_PTE)), -EBUSY,
		       "aligning a device that is bound");
	expect_refused(c, dynamic_region_write(c->v.ns.dax, DYNAMIC_DELETE, c->v.ns.dax), -EBUSY,
		       "deleting a device that is bound");
	expect(c, VERDICT_FAILED, !pin_proc_touch(h, MAP_WHOLE, size - DYNAMIC_UNIT),
	       "the mapping is gone although everything was refused");
}

static void refused_unbound(struct cell *c)
{
	unsigned long long room = available(c);
	char first[32], name[32];

	dynamic_first(&c->v.ns, first, sizeof(first));
	expect_refused(c, dynamic_region_write(c->v.ns.dax, DYNAMIC_DELETE, c->v.ns.dax), -EBUSY,
		       "deleting a device that has bytes");
	expect_refused(c, dynamic_region_write(c->v.ns.dax, DYNAMIC_DELETE, first), -EBUSY,
		       "deleting the region's first device");
	expect_refused(c, dynamic_resize(c->v.ns.dax, c->v.size + room + DYNAMIC_UNIT), -ENOSPC,
		       "growing a device to more than there is");
	expect_refused(c, dynamic_resize(c->v.ns.dax, c->v.size + 1), -EINVAL,
		       "growing a device by one byte");
	expect(c, VERDICT_FAILED, available(c) == room,
	       "the region has %llu bytes left; expected %llu, for all was refused",
	       available(c), room);
	/* one without bytes is nothing that could be bound, and goes */
	if (!make_beside(c, 0, name, sizeof(name)))
		return;
	expect(c, VERDICT_FAILED, dynamic_bind(name), "%s has no bytes and can be bound", name);
	expect_ok(c, dynamic_destroy(name), "destroying a device without bytes", "");
	expect_refused(c, dynamic_region_write(c->v.ns.dax, DYNAMIC_DELETE, name), -ENXIO,
		       "deleting a device that is gone");
}

static void dynamic_refused(struct cell *c)
{
	struct pin_proc h = { 0 };
	char why[WHY_LEN];
	int ret;

	if (cell_pin_proc(c, &h) && map_all(c, &h)) {
		refused_in_use(c, &h);
		pin_proc_close(&h, MAP_WHOLE);
		ret = guard_unbind_dax(c->guard);
		if (expect_done(c, ret, "unbind without pins"))
			refused_unbound(c);
		ret = guard_bind_dax(c->guard);
		if (expect_done(c, ret, "bind"))
			expect_ok(c, ns_same(&c->v.ns, why, sizeof(why)), "the device", why);
	}
	cell_pin_proc_end(c, &h);
}

/* one more device in the same region: all steps, and back */
static bool one_round(struct cell *c)
{
	struct test_mem before = c->guard->mem;
	char name[32];
	int ret;

	if (!make_beside(c, MORE_BYTES, name, sizeof(name)))
		return false;
	ret = dynamic_bind(name);
	if (expect_ok(c, ret, "binding the new device", "")) {
		ret = dynamic_read(name, &c->guard->mem.ns);
		ret = ret ?: guard_unbind_dax(c->guard);
	}
	c->guard->mem = before;
	return expect_done(c, ret, "unbinding the new device") &&
	       expect_ok(c, dynamic_destroy(name), "destroying the new device", "");
}

/* /sys and /proc/iomem are looked at by the cell's own oracle */
static void dynamic_rounds(struct cell *c)
{
	unsigned long long room = available(c);
	unsigned int i;

	for (i = 0; i < ROUNDS && one_round(c); i++)
		;
	expect(c, VERDICT_FAILED, available(c) == room,
	       "after %u devices the region has %llu bytes left; expected %llu", i,
	       available(c), room);
}

/*
 * The device gets a second range: a neighbour takes what comes after the first one,
 * and what comes after the neighbour is the device's.
 */
static bool second_range(struct cell *c, char *name, size_t len)
{
	unsigned long long start, bytes;
	int ret;

	if (!make_beside(c, MORE_BYTES, name, len) || !set_size(c, c->v.size + MORE_BYTES))
		return false;
	ret = dynamic_mapping(c->v.ns.dax, 1, &start, &bytes);
	return expect(c, VERDICT_FAILED, !ret && bytes == MORE_BYTES,
		      "%s has no second range of %lu bytes: %s", c->v.ns.dax, MORE_BYTES,
		      strerror(-ret));
}

/* in place of the mapping of the start: one that reaches into the second range */
static bool map_ranges(struct teardown *s)
{
	struct cell *c = s->c;
	unsigned long faults = 0;
	int ret = pin_proc_close(&s->h, MAP_MAIN);

	s->map_len = c->v.size;
	s->base = c->v.size - MORE_BYTES;
	ret = ret ?: pin_proc_map(&s->h, MAP_MAIN, c->v.node, c->size, 0, s->map_len,
				  PROT_READ | PROT_WRITE);
	ret = ret ?: pin_proc_prove(&s->h, MAP_MAIN, &faults);
	return expect(c, VERDICT_FAILED, !ret,
		      "touching %zu KiB of two ranges took %lu faults; expected %zu",
		      s->map_len >> 10, faults, s->map_len / daxmap_bytes(c->size));
}

static void dynamic_ranges(struct cell *c)
{
	size_t before = c->v.size;
	char neighbour[32] = "";
	struct teardown s = { 0 };

	if (second_range(c, neighbour, sizeof(neighbour)) && teardown_setup(c, &s) &&
	    map_ranges(&s) && (!c->method || teardown_pin(&s, c->method, 0)) &&
	    teardown_watch_mapping(&s) && teardown_run(&s) == VERDICT_NEVER_RETURNED)
		return;
	teardown_cleanup(&s);
	if (c->v.size != before)
		set_size(c, before);
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
		       "the region of %s, a namespace's, has a file '%s'; expected none",
		       c->v.ns.dax, absent[i]);
	expect_refused(c, dynamic_resize(c->v.ns.dax, c->v.size / 2), -EACCES,
		       "resizing a namespace's device");
	expect_refused(c, dynamic_align(c->v.ns.dax, daxmap_bytes(DAXMAP_PTE)), -EACCES,
		       "aligning a namespace's device");
	expect_ok(c, ns_same(&c->v.ns, why, sizeof(why)), "the device", why);
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
			.what = "mapped, no pin: it is destroyed, and made again",
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
			.what = "mapped, the device is of two ranges of memory",
			.acts = LIST("unbind_device_dax"),
			.run = dynamic_ranges,
		}, {
			.name = "two_ranges",
			.what = "one pin out, in the second of two ranges of memory",
			.acts = LIST("unbind_device_dax"),
			.pins = PIN_VMSPLICE,
			.run = dynamic_ranges,
		}, {
			.name = "resized",
			.what = "grown and shrunk between binds: what stays keeps its bytes",
			.run = dynamic_resized,
		}, {
			.name = "refused",
			.what = "requests on a device in use, and impossible ones, are refused; nothing changes",
			.run = dynamic_refused,
		}, {
			.name = "again_and_again",
			.what = "made, bound and destroyed: nothing is left of it",
			.run = dynamic_rounds,
		}, {
			.name = "static",
			.what = "a namespace's region cannot be divided",
			.on = ON_DEVDAX,
			.ignore = HEALTH_NONE,
			.run = dynamic_static,
		},
		{ }
	},
};

REGISTER(scenario_groups, &dynamic_group);
