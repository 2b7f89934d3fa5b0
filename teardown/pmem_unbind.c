// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>

#include "teardown/pmem_unbind.h"
#include "teardown/teardown.h"

/* times OP_WATCH_NS: the unbind may have to go through every page of every file */
#define WATCH_TIMES	3

/*
 * One touch now, instead of a thread that touches from the start: a fault during the
 * revocation is tested by a scenario of its own (while_touched).
 */
static void mark_if_revoked(struct teardown *s)
{
	if (s->rule.revoke && pin_proc_touch(&s->h, MAP_MAIN, 0) == -EFAULT)
		timeline_mark(&s->c->guard->tl, TL_REVOKED);
}

bool pmem_unbind(struct teardown *s)
{
	enum op_state state = OP_RUNNING;
	enum verdict_kind kind;

	if (!teardown_start(s))
		return false;
	for (int i = 0; i < WATCH_TIMES && state == OP_RUNNING; i++)
		state = teardown_watch(s);
	if (state != OP_RETURNED)
		mark_if_revoked(s);
	kind = teardown_judge_early(s);
	if (kind != VERDICT_RETURNED_EARLY) {
		teardown_release_all(s);
		op_wait(&s->op, OP_DEADLINE_NS);
		mark_if_revoked(s);
		kind = teardown_judge(s);
	}
	if (kind == VERDICT_NEVER_RETURNED)
		return false;
	guard_set_op(s->c->guard, 0);
	return true;
}

bool pmem_expect_done(struct cell *c, int ret, const char *what)
{
	if (ret == -ETIMEDOUT || ret == -ECHILD)
		guard_set_wedged(c->guard);
	return expect_done(c, ret, what);
}

bool pmem_call(struct cell *c, int (*run)(const struct test_mem *mem), const char *what)
{
	return pmem_expect_done(c, guard_bind_call(c->guard, run), what);
}
