// SPDX-License-Identifier: GPL-2.0
/*
 * What was called durable is there after the driver was away: what power cuts are to a
 * machine (io_append.c), an unbind is to a running one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/io.h"
#include "lib/ns/level.h"

/* Records of a cell. */
#define RECORDS		200u

static bool write_log(struct cell *c, const struct durability *m, void *slot)
{
	bool mapped = io_method_find(m->path)->flags & IO_PATH_MAPS;
	struct io_path p;
	int ret = durability_ready(c->v.node, mapped);

	if (!expect_ok(c, ret, "making the log", ""))
		return false;
	ret = durability_open(&p, m, c->v.node);
	if (ret == -EOPNOTSUPP) {
		skip(c, "%s: %s", m->name, p.why);
		return false;
	}
	if (!expect_ok(c, ret, "opening the log", p.why))
		return false;
	for (uint64_t seq = 1; seq <= RECORDS && !ret; seq++)
		ret = durability_write(&p, m, slot, seq);
	io_path_close(&p);
	return expect_ok(c, ret, "writing a record", "");
}

static void read_log(struct cell *c, void *slot)
{
	const struct durability way = {
		.path = c->memory->caps & MEM_CHARDEV ? "mmap" : "buffered",
	};
	unsigned int lost = 0;
	struct io_path p;
	uint64_t first = 0;
	int ret = durability_open(&p, &way, c->v.node), fate = 0;

	if (!expect_ok(c, ret, "opening the log again", p.why))
		return;
	for (uint64_t seq = 1; seq <= RECORDS; seq++) {
		ret = durability_look(&p, slot, seq);
		if (ret && !lost++) {
			first = seq;
			fate = ret;
		}
	}
	io_path_close(&p);
	expect(c, VERDICT_WRONG_DATA, !lost,
	       "%u of %u durable records are not there after %s; the first, %u: %s", lost,
	       RECORDS, c->action->verb, (unsigned int)first, durability_fate(fate));
}

/* a driver above takes others along: only where all of them were offered */
static bool may_take_away(struct cell *c)
{
	char why[WHY_LEN] = "";
	int ret;

	if (c->action->level == LEVEL_NONE)
		return true;
	ret = level_find(&c->v.ns, c->action->level, why, sizeof(why));
	ret = ret ?: level_offered(&c->guard->set, &c->v.ns, c->action->level, why, sizeof(why));
	if (ret) {
		skip(c, "%s", why[0] ? why : strerror(-ret));
		return false;
	}
	c->guard->mem = c->v;
	c->guard->undo = c->action->undo;
	return expect_ok(c, guard_drop_fs(c->guard), "unmounting what is mounted", "");
}

static bool away_and_back(struct cell *c)
{
	struct fsdax *f = &c->guard->fs[0];
	bool file = c->memory->caps & MEM_MOUNTED;
	char why[WHY_LEN] = "";
	int ret = file ? fsdax_unmount(f) : 0;

	if (file && !ret)
		ret = fsdax_check(f, why, sizeof(why));
	if (!expect_ok(c, ret == -ENOENT ? 0 : ret, "the file system", why))
		return false;
	ret = guard_bind_call(c->guard, c->action->run);
	ret = ret ?: guard_bind_call(c->guard, c->action->undo);
	if (!ret && c->guard->undo)
		ret = guard_again(c->guard, why, sizeof(why));
	if (!expect_ok(c, ret, c->action->name, why))
		return false;
	c->v = c->guard->mem;
	return !file || expect_ok(c, fsdax_mount(f), "mounting it again", "");
}

static void kept(struct cell *c)
{
	const struct durability *m = durability_find(c->word);
	void *slot = io_buffer(c, RECORD_SLOT);
	uint64_t seq;

	if (!slot)
		return;
	record_make(slot, 1);
	if (record_check(slot, &seq) == -EOPNOTSUPP)
		skip(c, "built without zlib: no checksums");
	else if (may_take_away(c) && write_log(c, m, slot) && away_and_back(c))
		read_log(c, slot);
	free(slot);
}

static const struct scenario_group durable = {
	.name = "durable",
	.order = 60,
	.common = {
		.what = "data reported durable survives unbind and bind",
		.bytes = LOG_BYTES,
		.ignore = HEALTH_NUMBERS,
		.run = kept,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "kept",
			.on = ON_DEVDAX,
			.sizes = AT_PMD,
			.acts = LIST("unbind_device_dax", "disable_region"),
			.words = LIST("mmap_flush"),
		}, {
			.name = "kept",
			.on = ON_FILES,
			.sizes = AT_PTE,
			.acts = LIST("unbind_nd_pmem"),
			.words = LIST("mmap_sync_flush", "mmap_msync", "buffered_fsync",
				      "vectored_dsync", "direct_fsync"),
		}, {
			.name = "kept",
			.on = ON_BLOCKS,
			.sizes = AT_PTE,
			.acts = LIST("unbind_nd_pmem"),
			.words = LIST("buffered_fsync", "direct_fsync"),
		},
		{ }
	},
};

REGISTER(scenario_groups, &durable);
