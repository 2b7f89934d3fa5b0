// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/mem/memory.h"

const struct memory *memory_next(const struct memory *m)
{
	const struct memory *next = NULL, *e;

	/* the next by order, and within one order as linked */
	for (e = REGISTRY_NEXT(memories, NULL); e; e = REGISTRY_NEXT(memories, e)) {
		if (m && (e->order < m->order || (e->order == m->order && e <= m)))
			continue;
		if (!next || e->order < next->order)
			next = e;
	}
	return next;
}

bool memory_selected(const struct mem_select *s, const struct memory *m)
{
	return (m->caps & s->all) == s->all && !(m->caps & s->none) &&
	       (!s->only || !strcmp(s->only, m->name));
}

int memory_take(const struct memory *m, struct guard *g, const struct memory_want *want,
		struct test_mem *mem, char *why, size_t len)
{
	memset(mem, 0, sizeof(*mem));
	mem->kind = m;
	mem->caps = m->caps;
	return m->take(m, g, want, mem, why, len);
}

int memory_say_wedged(const struct test_ns *ns, char *why, size_t len)
{
	snprintf(why, len, "%s is wedged by an earlier cell, see its report", ns_key(ns));
	return -EBUSY;
}

int memory_drop_fs(struct guard *g, char *why, size_t len)
{
	int ret = guard_drop_fs(g);

	if (!ret)
		return 0;
	g->mem.ns = g->fs[0].mounted ? g->fs[0].ns : g->fs[1].ns;
	guard_set_wedged(g);
	snprintf(why, len, "%s is wedged by an earlier cell: giving its file system back: %s",
		 ns_key(&g->mem.ns), strerror(-ret));
	return -EBUSY;
}

void mem_other_path(const struct test_mem *mem, char *path, size_t len)
{
	snprintf(path, len, "%s.other", mem->node);
}
