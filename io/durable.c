// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data reported durable must survive unbind and bind.  bench/pmem_log.c is the same for
 * power cuts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/io.h"
#include "lib/io/durability.h"
#include "lib/ns/level.h"

/* records in a log */
#define RECORDS		200u

static bool write_log(struct cell *c, const struct durability *d, void *slot)
{
	int ret = durability_create(d, c->v.node);
	struct io_path p;

	if (!expect_ok(c, ret, "making the log", ""))
		return false;
	ret = durability_open(&p, d, c->v.node);
	if (ret == -EOPNOTSUPP) {
		skip(c, "%s: %s", d->name, p.why);
		return false;
	}
	if (!expect_ok(c, ret, "opening the log", p.why))
		return false;
	for (uint64_t seq = 1; seq <= RECORDS && !ret; seq++)
		ret = durability_write(&p, d, slot, seq);
	io_path_close(&p);
	return expect_ok(c, ret, "writing a record", "");
}

static void check_log(struct cell *c, void *slot)
{
	struct io_path p;
	int ret = durability_open_read(&p, c->v.node), state = 0;
	unsigned int lost = 0;
	uint64_t first = 0;

	if (!expect_ok(c, ret, "opening the log again", p.why))
		return;
	for (uint64_t seq = 1; seq <= RECORDS; seq++) {
		ret = durability_check(&p, slot, seq);
		if (ret && !lost++) {
			first = seq;
			state = ret;
		}
	}
	io_path_close(&p);
	expect(c, VERDICT_WRONG_DATA, !lost,
	       "%u of %u durable records are missing after %s; the first, %u: %s", lost,
	       RECORDS, c->action->verb, (unsigned int)first, durability_strerror(state));
}

/* a driver above takes other devices along: all of them must have been offered */
static bool prepare_unbind(struct cell *c)
{
	char why[WHY_LEN] = "";
	int ret;

	if (c->action->level == LEVEL_NONE)
		return true;
	ret = level_find(&c->v.ns, c->action->level, why, sizeof(why));
	if (!ret)
		ret = level_offered(&c->guard->set, &c->v.ns, c->action->level, why,
				    sizeof(why));
	if (ret) {
		skip(c, "%s", why[0] ? why : strerror(-ret));
		return false;
	}
	guard_takes_away(c->guard, &c->v, c->action->undo);
	return expect_ok(c, guard_drop_fs(c->guard), "unmounting the file systems", "");
}

static bool unmount_and_check(struct cell *c, struct fsdax *f)
{
	char why[WHY_LEN] = "";
	int ret;

	if (!expect_ok(c, fsdax_unmount(f), "unmounting the file system", ""))
		return false;
	ret = fsdax_check(f, why, sizeof(why));
	/* without a checker on this machine, the records are still read */
	return expect_ok(c, ret == -ENOENT ? 0 : ret, "checking the file system", why);
}

static bool unbind_and_bind(struct cell *c)
{
	struct guard *g = c->guard;
	bool file = c->memory->caps & MEM_MOUNTED;
	char why[WHY_LEN] = "";

	if (file && !unmount_and_check(c, &g->fs[0]))
		return false;
	if (!expect_ok(c, guard_bind_call(g, c->action->run), c->action->verb, "") ||
	    !expect_ok(c, guard_bind_call(g, c->action->undo), "binding the driver again", ""))
		return false;
	if (g->undo && !expect_ok(c, guard_find_again(g, why, sizeof(why)),
				  "finding the devices again", why))
		return false;
	c->v = g->mem;
	return !file || expect_ok(c, fsdax_mount(&g->fs[0]), "mounting the file system again", "");
}

static const char *next_durability(const struct memory *m, enum daxmap_size size,
				   const char *word)
{
	const struct durability *d = word ? durability_find(word) : NULL;

	while ((d = durability_next(d)))
		if (d->unbind_on && memory_selected(d->unbind_on, m) && io_method_find(d->path))
			return d->name;
	return NULL;
}

static void durable(struct cell *c)
{
	const struct durability *d = durability_find(c->word);
	void *slot = io_buffer(c, RECORD_SLOT);
	uint64_t seq;

	if (!slot)
		return;
	record_make(slot, 1);
	if (record_check(slot, &seq) == -EOPNOTSUPP)
		skip(c, "built without zlib: no checksums");
	else if (prepare_unbind(c) && write_log(c, d, slot) && unbind_and_bind(c))
		check_log(c, slot);
	free(slot);
}

static const struct scenario_group durable_group = {
	.name = "durable",
	.order = 60,
	.common = {
		.what = "data reported durable survives unbind and bind",
		.bytes = LOG_BYTES,
		.next_word = next_durability,
		.ignore = HEALTH_NUMBERS,
		.run = durable,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "durable",
			.on = ON_DEVDAX,
			.sizes = AT_PMD,
			.acts = LIST("unbind_device_dax", "disable_region"),
		}, {
			.name = "durable",
			.on = ON_FILES,
			.sizes = AT_PTE,
			.acts = LIST("unbind_nd_pmem"),
		}, {
			.name = "durable",
			.on = ON_BLOCKS,
			.sizes = AT_PTE,
			.acts = LIST("unbind_nd_pmem"),
		},
		{ }
	},
};

REGISTER(scenario_groups, &durable_group);
