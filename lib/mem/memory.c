// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/mem/memory.h"
#include "lib/ns/dynamic.h"

/* Files larger than this are not asked for; logs and metadata want room beside. */
#define FILE_SYSTEM_BYTES	(96u << 20)

/* The only alignment at which files can be mapped by pmd entries. */
#define FILE_ALIGN		(2u << 20)

static int say_wedged(const struct test_ns *v, char *why, size_t len)
{
	snprintf(why, len, "%s is wedged by an earlier cell, see its report", ns_key(v));
	return -EBUSY;
}

static int get_devdax(struct guard *g, const struct memory_want *want, struct test_ns *v,
		      char *why, size_t len)
{
	struct ns_want wanted = {
		.mode = "devdax", .align = daxmap_bytes(want->size),
		.min_size = want->rather, .map_dev = want->map_dev,
	};

	if (want->rather > want->bytes && !ns_get(&g->set, &wanted, v, why, len))
		return 0;
	wanted.min_size = want->bytes;
	return ns_get(&g->set, &wanted, v, why, len);
}

/* whoever still has a file of it open will not let go any more: -EBUSY */
static int drop_fs(struct guard *g, char *why, size_t len)
{
	int ret = guard_drop_fs(g);

	if (!ret)
		return 0;
	g->mem = g->fs[0].mounted ? g->fs[0].v : g->fs[1].v;
	guard_set_wedged(g);
	snprintf(why, len, "%s is wedged by an earlier cell: giving its file system back: %s",
		 ns_key(&g->mem), strerror(-ret));
	return -EBUSY;
}

static int take_devdax(const struct memory *m, struct guard *g, const struct memory_want *want,
		       struct test_ns *v, char *why, size_t len)
{
	unsigned int which = want->size + (want->map_dev ? DAXMAP_NR : 0);
	struct test_ns *chosen = &g->chosen[which];
	int ret = -ENODEV;

	(void)m;
	if (chosen->dax[0] && guard_is_wedged(g, chosen->dax))
		return say_wedged(chosen, why, len);
	if (chosen->dax[0])
		ret = ns_same(chosen, why, len);
	if (ret) {
		/* chosen anew, perhaps reconfigured: nobody knows what it holds */
		g->filled &= ~(1u << which);
		ret = drop_fs(g, why, len);
		ret = ret ?: get_devdax(g, want, chosen, why, len);
	}
	*v = *chosen;
	return ret;
}

static int make(struct guard *g, struct fsdax *f, const struct fsdax_type *type, bool map_dev,
		char *why, size_t len)
{
	struct ns_want wanted = {
		.mode = "fsdax", .align = FILE_ALIGN, .map_dev = map_dev,
		.min_size = type->least > FILE_SYSTEM_BYTES ? type->least : FILE_SYSTEM_BYTES,
	};
	struct test_ns v;
	int ret = ns_get(&g->set, &wanted, &v, why, len);

	if (ret)
		return ret;
	if (guard_is_wedged(g, ns_key(&v)))
		return say_wedged(&v, why, len);
	return fsdax_make(f, type->name, &v, why, len);
}

/* whatever the cell before did to it: without its files, or made anew */
static int ready(struct guard *g, struct fsdax *f, const struct memory *m, bool map_dev,
		 char *why, size_t len)
{
	const struct fsdax_type *type = fsdax_type_find(m->name);
	int ret;

	if (f->mounted && !strcmp(f->type, type->name) && f->v.map_dev == map_dev &&
	    !g->fs_spoiled) {
		if (guard_is_wedged(g, ns_key(&f->v)))
			return say_wedged(&f->v, why, len);
		if (!fsdax_empty(f))
			return 0;
	}
	ret = drop_fs(g, why, len);
	if (ret)
		return ret;
	g->fs_spoiled = false;
	return make(g, f, type, map_dev, why, len);
}

static int allocate(const struct test_ns *v)
{
	int fd = open(v->node, O_RDWR | O_CLOEXEC);
	int ret = fd < 0 ? -errno : fsdax_allocate(fd, 0, v->size);

	if (fd >= 0)
		close(fd);
	return ret;
}

static int try_file(const struct memory *m, struct guard *g, const struct memory_want *want,
		    struct test_ns *v, char *why, size_t len)
{
	struct fsdax *f = &g->fs[0];
	int ret = ready(g, f, m, want->map_dev, why, len);
	bool whole;

	*v = f->v;
	/* a file smaller than a pmd entry may lie anywhere */
	whole = want->bytes % FILE_ALIGN == 0;
	ret = ret ?: fsdax_file(f, "cell", whole ? 0 : want->bytes, v->node, sizeof(v->node),
				why, len);
	v->size = want->bytes;
	if (ret || !whole)
		return ret;
	ret = allocate(v);
	if (ret)
		snprintf(why, len, "%s: no room for %zu bytes%s: %s", v->node, v->size,
			 ret == -EXDEV ? " on boundaries of pmd entries" : "", strerror(-ret));
	return ret;
}

static int take_file(const struct memory *m, struct guard *g, const struct memory_want *want,
		     struct test_ns *v, char *why, size_t len)
{
	int ret = try_file(m, g, want, v, why, len);

	if (!ret || ret == -EBUSY || ret == -EOPNOTSUPP)
		return ret;
	/* blocks may still belong to a file of an earlier cell: with a new file system */
	g->fs_spoiled = true;
	return try_file(m, g, want, v, why, len);
}

static int take_block(const struct memory *m, struct guard *g, const struct memory_want *want,
		      struct test_ns *v, char *why, size_t len)
{
	struct ns_want wanted = {
		.mode = m->name, .min_size = want->bytes,
		.align = m->bit == MEMORY_FSDAX ? FILE_ALIGN : 0,
	};
	int ret = drop_fs(g, why, len);

	ret = ret ?: ns_get(&g->set, &wanted, v, why, len);
	if (ret)
		return ret;
	if (guard_is_wedged(g, ns_key(v)))
		return say_wedged(v, why, len);
	snprintf(v->node, sizeof(v->node), "/dev/%s", v->block);
	v->size = want->bytes;
	return 0;
}

int memory_other(struct guard *g, size_t bytes, char *path, size_t path_len, char *why,
		 size_t len)
{
	bool avoid[NS_MAX];
	int ret = 0;

	if (!g->fs[1].mounted) {
		/* any but the first one's */
		memcpy(avoid, g->set.avoid, sizeof(avoid));
		ns_avoid(&g->set, &g->fs[0].v);
		for (int map_dev = 0; map_dev <= 1; map_dev++) {
			ret = make(g, &g->fs[1], fsdax_type_find("ext4"), map_dev, why, len);
			if (!ret)
				break;
		}
		memcpy(g->set.avoid, avoid, sizeof(avoid));
	}
	ret = ret ?: fsdax_empty(&g->fs[1]);
	return ret ?: fsdax_file(&g->fs[1], "other", bytes, path, path_len, why, len);
}

/* a new one for each cell, of the region's lowest bytes */
static int take_dynamic(const struct memory *m, struct guard *g, const struct memory_want *want,
			struct test_ns *v, char *why, size_t len)
{
	struct dynamic *d = &g->set.dynamic;

	(void)m;
	if (!d->first[0]) {
		snprintf(why, len,
			 "no dynamic dax region is offered: give the id of one of 'daxctl list -R' in DAX_TEST_REGION (its data will be lost)");
		return -ENODEV;
	}
	if (d->avoid)
		return say_wedged(&d->was, why, len);
	return dynamic_make(d, want->bytes, daxmap_bytes(want->size), v, why, len);
}

const struct memory memories[] = {
	{
		.name = "devdax",
		.what = "a device-dax device",
		.bit = MEMORY_DEVDAX,
		.largest = DAXMAP_PUD,
		.take = take_devdax,
	}, {
		.name = "ext4",
		.what = "a file on ext4, mounted with dax",
		.bit = MEMORY_EXT4,
		.largest = DAXMAP_PMD,
		.take = take_file,
	}, {
		.name = "xfs",
		.what = "a file on xfs, mounted with dax",
		.bit = MEMORY_XFS,
		.largest = DAXMAP_PMD,
		.take = take_file,
	}, {
		.name = "raw",
		.what = "a block device, the namespace in raw mode",
		.bit = MEMORY_RAW,
		.largest = DAXMAP_PTE,
		.take = take_block,
	}, {
		.name = "fsdax",
		.what = "a block device, the namespace in fsdax mode",
		.bit = MEMORY_FSDAX,
		.largest = DAXMAP_PTE,
		.take = take_block,
	}, {
		.name = "sector",
		.what = "a block device, the namespace in sector mode (btt)",
		.bit = MEMORY_SECTOR,
		.largest = DAXMAP_PTE,
		.take = take_block,
	}, {
		.name = "dynamic",
		.what = "a device made in a dynamic dax region",
		.bit = MEMORY_DYNAMIC,
		.largest = DAXMAP_PMD,
		.take = take_dynamic,
	},
	{ 0 }
};
