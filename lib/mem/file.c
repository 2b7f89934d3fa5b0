// SPDX-License-Identifier: GPL-2.0-only
/* Files on file systems that the suite makes and mounts with DAX. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/mem/memory.h"

/* Smallest file system: no larger files are asked for; logs and metadata need room. */
#define FILE_SYSTEM_BYTES	(96u << 20)

static int make(struct guard *g, struct fsdax *f, const struct fsdax_type *type, bool map_dev,
		char *why, size_t len)
{
	struct ns_want wanted = {
		.mode = "fsdax", .align = MEMORY_FILE_ALIGN, .map_dev = map_dev,
		.min_size = type->least > FILE_SYSTEM_BYTES ? type->least : FILE_SYSTEM_BYTES,
	};
	struct test_ns ns;
	int ret = ns_choose(&g->set, &wanted, &ns, why, len);

	if (ret)
		return ret;
	if (guard_is_wedged(g, ns_key(&ns)))
		return memory_say_wedged(&ns, why, len);
	return fsdax_make(f, type, &ns, why, len);
}

int memory_mount(struct guard *g, struct fsdax *f, const struct memory *m, bool map_dev,
		 char *why, size_t len)
{
	int ret;

	if (f->mounted && f->type == m->fs && f->ns.map_dev == map_dev && !g->fs_spoiled) {
		if (guard_is_wedged(g, ns_key(&f->ns)))
			return memory_say_wedged(&f->ns, why, len);
		if (!(m->caps & MEM_WRITABLE) || !fsdax_empty(f))
			return 0;
	}
	ret = memory_drop_fs(g, why, len);
	if (ret)
		return ret;
	guard_has_clean_fs(g);
	return make(g, f, m->fs, map_dev, why, len);
}

static int allocate(const struct test_mem *mem)
{
	int fd = open(mem->node, O_RDWR | O_CLOEXEC);
	int ret = fd < 0 ? -errno : fsdax_allocate(fd, 0, mem->size);

	if (fd >= 0)
		close(fd);
	return ret;
}

static int try_file(const struct memory *m, struct guard *g, const struct memory_want *want,
		    struct test_mem *mem, char *why, size_t len)
{
	struct fsdax *f = &g->fs[0];
	int ret = memory_mount(g, f, m, want->map_dev, why, len);
	bool whole;

	mem->ns = f->ns;
	memcpy(mem->mount, f->dir, sizeof(mem->mount));
	/* a file smaller than a pmd entry needs no alignment */
	whole = want->bytes % MEMORY_FILE_ALIGN == 0;
	ret = ret ?: fsdax_file(f, "cell", whole ? 0 : want->bytes, mem->node, sizeof(mem->node),
				why, len);
	mem->size = want->bytes;
	if (ret || !whole)
		return ret;
	ret = allocate(mem);
	if (ret)
		snprintf(why, len, "%s: no room for %zu bytes%s: %s", mem->node, mem->size,
			 ret == -EXDEV ? " on boundaries of pmd entries" : "", strerror(-ret));
	return ret;
}

int memory_take_file(const struct memory *m, struct guard *g, const struct memory_want *want,
		     struct test_mem *mem, char *why, size_t len)
{
	int ret = try_file(m, g, want, mem, why, len);

	if (!ret || ret == -EBUSY || ret == -EOPNOTSUPP)
		return ret;
	/* blocks may still belong to a file of an earlier cell: with a new file system */
	guard_needs_mkfs(g);
	return try_file(m, g, want, mem, why, len);
}

/* a file system whose files share no blocks: the smallest */
static const struct fsdax_type *plain_type(void)
{
	static const struct mem_select plain = ON_NOT_SHARING;
	const struct memory *m;

	for_each_memory(m)
		if (memory_selected(&plain, m))
			return m->fs;
	return NULL;
}

int memory_other(struct guard *g, size_t bytes, char *path, size_t path_len, char *why,
		 size_t len)
{
	const struct fsdax_type *type = plain_type();
	bool avoid[NS_MAX];
	int ret = 0;

	if (!type) {
		snprintf(why, len, "this build has no file system for a second one");
		return -EOPNOTSUPP;
	}
	if (!g->fs[1].mounted) {
		/* any namespace but the first one's */
		memcpy(avoid, g->set.avoid, sizeof(avoid));
		ns_avoid(&g->set, &g->fs[0].ns);
		for (int map_dev = 0; map_dev <= 1; map_dev++) {
			ret = make(g, &g->fs[1], type, map_dev, why, len);
			if (!ret)
				break;
		}
		memcpy(g->set.avoid, avoid, sizeof(avoid));
	}
	ret = ret ?: fsdax_empty(&g->fs[1]);
	return ret ?: fsdax_file(&g->fs[1], "other", bytes, path, path_len, why, len);
}
