// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pin processes of a cell: known to the guardian, their stacks shown when stuck.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>

#include "suite/internal.h"

bool cell_pin_proc(struct cell *c, struct pin_proc *h)
{
	int ret = pin_proc_start(h, &c->guard->tl, &c->guard->targets);

	if (!ret)
		ret = guard_add_proc(c->guard, h->pid);
	return expect_ok(c, ret, "starting the pin process", "");
}

bool cell_pin_proc_stuck(struct cell *c, const char *what, const struct pin_proc *h)
{
	static char stacks[4096];

	expect(c, VERDICT_NEVER_RETURNED, false, "%s", what);
	op_stacks(h->pid, stacks, sizeof(stacks));
	note_lines("the pin process is stuck", stacks);
	return false;
}

bool cell_pin_proc_ok(struct cell *c, int ret, const char *what, const struct pin_proc *h)
{
	char text[128];

	if (ret != -ETIMEDOUT)
		return expect_ok(c, ret, what, h->why);
	snprintf(text, sizeof(text), "%s: process %d does not answer", what, h->pid);
	return cell_pin_proc_stuck(c, text, h);
}

void cell_pin_proc_end(struct cell *c, struct pin_proc *h)
{
	pid_t pid = h->pid;

	if (pid <= 0)
		return;
	if (cell_pin_proc_ok(c, pin_proc_end(h), "ending the pin process", h))
		guard_drop_proc(c->guard, pid);
}
