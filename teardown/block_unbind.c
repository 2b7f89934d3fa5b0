// SPDX-License-Identifier: GPL-2.0-only
/*
 * nd_pmem is unbound from a block device that two threads read or write.  They may get
 * errors, but no wrong data, and what was written is there after bind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "teardown/pmem_unbind.h"
#include "teardown/teardown.h"

#define IO_THREADS	2

static bool start_io(struct teardown *s, unsigned int how)
{
	struct cell *c = s->c;
	int ret;

	ret = bytes_write(s->node, 0, c->v.size, TAG_MEMORY, 0);
	if (!expect_ok(c, ret, "filling the device", s->node) ||
	    !expect_ok(c, bytes_sync(s->node), "fsync of the device", s->node) ||
	    !cell_pin_proc(c, &s->h))
		return false;
	for (int i = 0; i < IO_THREADS; i++) {
		ret = pin_proc_io(&s->h, s->node, c->v.size, TAG_MEMORY, how);
		if (!expect_ok(c, ret, "starting a thread", s->h.why))
			return false;
	}
	ret = pin_proc_wait_iteration(&s->h);
	return expect_ok(c, ret, "first iteration of the threads", s->h.why);
}

static void stop_io(struct teardown *s)
{
	unsigned long transfers = 0;
	struct cell *c = s->c;
	int ret;

	ret = pin_proc_wait_iteration(&s->h);
	cell_pin_proc_ok(c, ret, "next iteration of the threads", &s->h);
	ret = pin_proc_stop_threads(&s->h, &transfers);
	if (expect(c, VERDICT_WRONG_DATA, ret != -EILSEQ, "%s", s->h.why))
		cell_pin_proc_ok(c, ret, "stopping the threads", &s->h);
	note("%lu transfers", transfers);
}

static void unbind_under_io(struct cell *c, unsigned int how)
{
	struct teardown s = { .c = c, .node = c->v.node, .usual_ns = PMEM_USUAL_NS };
	char why[160] = "";
	int ret;

	s.rule.action = c->action->verb;
	if (!start_io(&s, how) || !pmem_unbind(&s))
		goto out;
	stop_io(&s);
	if (pmem_call(c, c->action->undo, "bind")) {
		ret = bytes_check(s.node, 0, c->v.size, TAG_MEMORY, 0, why, sizeof(why));
		expect(c, VERDICT_WRONG_DATA, !ret, "what was written: %s",
		       why[0] ? why : strerror(-ret));
	}
out:
	cell_pin_proc_end(c, &s.h);
}

static void while_read(struct cell *c)
{
	unbind_under_io(c, 0);
}

static void while_read_direct(struct cell *c)
{
	unbind_under_io(c, PIN_PROC_DIRECT);
}

static void while_written(struct cell *c)
{
	unbind_under_io(c, PIN_PROC_WRITE);
}

static void while_written_direct(struct cell *c)
{
	unbind_under_io(c, PIN_PROC_WRITE | PIN_PROC_DIRECT);
}

static const struct scenario_group block_unbind = {
	.name = "block_unbind",
	.order = 45,
	.common = {
		.on = ON_BLOCKS,
		.sizes = AT_PTE,
		.acts = LIST("unbind_nd_pmem"),
		.bytes = FILE_BYTES,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "while_read",
			.what = "while it is read through the page cache",
			.run = while_read,
		}, {
			.name = "while_read_direct",
			.what = "while it is read with O_DIRECT",
			.run = while_read_direct,
		}, {
			.name = "while_written",
			.what = "while it is written through the page cache",
			.run = while_written,
		}, {
			.name = "while_written_direct",
			.what = "while it is written with O_DIRECT",
			.run = while_written_direct,
		},
		{ }
	},
};

REGISTER(scenario_groups, &block_unbind);
