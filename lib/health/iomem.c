// SPDX-License-Identifier: GPL-2.0-only
/*
 * iomem: /proc/iomem is the same.  Its lines change only with what is bound to which
 * driver, unless devices are plugged meanwhile.
 */
#include "lib/health/internal.h"

static int open_iomem(void *state)
{
	return health_snapshot_open(state, "/proc/iomem");
}

static int read_iomem(void *state, void *before)
{
	return health_snapshot_read(state);
}

static bool judge_iomem(const void *before, const void *after, struct health_lines *l)
{
	if (health_snapshot_same(before, after))
		return false;
	health_snapshot_diff(before, after, "iomem", l);
	return true;
}

static void renumber_iomem(void *state)
{
	health_snapshot_anonymous(state, true);
}

static void free_iomem(void *state)
{
	health_snapshot_free(state);
}

static const struct oracle iomem[] = {
	{
		.name = "iomem",
		.size = sizeof(struct health_snapshot),
		.open = open_iomem,
		.read = read_iomem,
		.judge = judge_iomem,
		.renumber = renumber_iomem,
		.free = free_iomem,
	},
	{ }
};

REGISTER(oracles, iomem);
