// SPDX-License-Identifier: GPL-2.0-only
/*
 * thp_split: no PUD mapping was split.  thp_split_pud of /proc/vmstat counts splits by
 * page table walkers and by partial unmaps, which scenarios avoid; a scenario that
 * splits a mapping on purpose ignores HEALTH_THP_SPLIT.
 */
#include "lib/health/internal.h"

struct thp_split {
	struct health_snapshot vmstat;
	uint64_t count;
};

static int open_thp_split(void *state)
{
	struct thp_split *t = state;

	return health_snapshot_open(&t->vmstat, "/proc/vmstat");
}

static int read_thp_split(void *state, void *before)
{
	struct thp_split *t = state;
	int err = health_snapshot_read(&t->vmstat);

	/* only where the kernel has PUD mappings */
	return err ? err : health_vmstat_find(t->vmstat.text, "thp_split_pud", &t->count);
}

static bool judge_thp_split(const void *before, const void *after, struct health_lines *l)
{
	const struct thp_split *was = before, *now = after;

	if (now->count == was->count)
		return false;
	health_lines_add(l, "thp_split_pud: went from %llu to %llu",
			 (unsigned long long)was->count, (unsigned long long)now->count);
	return true;
}

static void free_thp_split(void *state)
{
	struct thp_split *t = state;

	health_snapshot_free(&t->vmstat);
}

static const struct oracle thp_split[] = {
	{
		.name = "thp_split",
		.bit = HEALTH_THP_SPLIT,
		.size = sizeof(struct thp_split),
		.open = open_thp_split,
		.read = read_thp_split,
		.judge = judge_thp_split,
		.free = free_thp_split,
	},
	{ }
};

REGISTER(oracles, thp_split);
