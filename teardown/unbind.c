// SPDX-License-Identifier: GPL-2.0
/* Scenarios with pins out: who holds them, how many, and how they end. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/random.h"
#include "teardown/teardown.h"

/*
 * A pin that a clock ends is tried with a short hold and, if that was over before
 * the action came to rest, once more with a long one.
 */
static const uint64_t hold_ns[] = { 250 * NSEC_PER_MSEC, 2500 * NSEC_PER_MSEC };

/* Enough for a dozen rounds under TCG; DAX_TEST_TIME asks for more. */
#define RANDOM_SECONDS	2.0

static bool unmap_first(struct scene *s)
{
	s->rule.revoke = false;
	return expect_ok(s->c, holder_unmap(&s->h, MAP_MAIN), "munmap with the pin out", "");
}

/* the holder of the pin keeps nothing of the device; another process maps it */
static bool another_process(struct scene *s)
{
	struct cell *c = s->c;
	int ret;

	if (!expect_ok(c, holder_close(&s->h, MAP_MAIN), "close with the pin out", ""))
		return false;
	if (!cell_holder(c, &s->viewer))
		return false;
	ret = holder_map(&s->viewer, MAP_MAIN, c->v.node, c->size, 0, daxmap_bytes(c->size),
			 PROT_READ | PROT_WRITE);
	ret = ret ?: holder_watch(&s->viewer, MAP_MAIN, 0);
	return expect_ok(c, ret, "mapping in the other process", "");
}

/*
 * One pin by the cell's method, then the action.  A pin that a clock ends may
 * be over too soon on a loaded machine: once more, with a longer hold.
 */
static void one_pin(struct cell *c, prepare_fn prepare)
{
	enum verdict_kind kind = VERDICT_UNPROVEN;
	struct scene s;

	for (size_t i = 0; i < ARRAY_SIZE(hold_ns) && kind == VERDICT_UNPROVEN; i++) {
		timeline_reset(&c->guard->tl);
		if (scene_arrange(c, &s) && scene_pin(&s, c->method, hold_ns[i]) && prepare(&s))
			kind = scene_act(&s);
		scene_finish(&s);
		if (cell_over(c) || !(c->method->flags & PIN_TIMED))
			break;
	}
	if (kind == VERDICT_UNPROVEN)
		skip(c, "the pin was over before it could be seen to hold up %s",
		     c->action->verb);
}

void pinned(struct cell *c)
{
	one_pin(c, scene_watch_mapping);
}

void pinned_unmapped(struct cell *c)
{
	one_pin(c, unmap_first);
}

void pinned_by_another(struct cell *c)
{
	one_pin(c, another_process);
}

/* the pin's holder dies of SIGKILL while the action waits for the pin */
void killed(struct cell *c)
{
	struct timeline *tl = &c->guard->tl;
	enum actor_state state;
	struct scene s;

	if (!scene_arrange(c, &s) || !scene_pin(&s, c->method, hold_ns[0]) || !scene_start(&s))
		goto out;
	s.rule.revoke = false;
	state = scene_watch(&s);
	if (state == ACTOR_RETURNED && scene_judge_early(&s) == VERDICT_RETURNED_EARLY) {
		scene_defuse(&s);
		goto out;
	}
	timeline_mark(tl, TL_RELEASING);
	holder_kill(&s.h);
	/* the dying process waits for I/O that only dm-delay can hand on */
	pin_targets_flush(&c->guard->targets);
	actor_wait(&s.actor, ACTOR_DEADLINE_NS);
	if (scene_judge(&s) == VERDICT_NEVER_RETURNED)
		return;
	guard_set_actor(c->guard, 0);
	if (expect_ok(c, holder_reap(&s.h, ACTOR_DEADLINE_NS), "reaping the holder", ""))
		memset(c->guard->holder, 0, sizeof(c->guard->holder));
	memset(s.method, 0, sizeof(s.method));
	memset(s.sink, 0, sizeof(s.sink));
	if (scene_bind_again(&s) && cell_holder(c, &s.h))
		scene_refill(&s);
out:
	scene_finish(&s);
}

/* pipes and rings are inherited: the pin outlives the process that took it */
void inherited(struct cell *c)
{
	struct timeline *tl = &c->guard->tl;
	struct scene s;
	pid_t heir = 0;
	int ret;

	if (!scene_arrange(c, &s) || !scene_pin(&s, c->method, 0))
		goto out;
	ret = holder_heir(&s.h, &heir);
	if (!expect_ok(c, ret, "forking the heir", ""))
		goto out;
	guard_add_holder(c->guard, heir);
	s.heir = heir;
	s.rule.revoke = false;
	holder_kill(&s.h);
	holder_reap(&s.h, ACTOR_DEADLINE_NS);
	if (!scene_start(&s))
		goto out;
	if (scene_watch(&s) == ACTOR_RETURNED && scene_judge_early(&s) == VERDICT_RETURNED_EARLY) {
		/* only the heir's end lets go, and it must not come before bind */
		c->guard->dirty = true;
		goto out;
	}
	timeline_mark(tl, TL_RELEASING);
	kill(heir, SIGKILL);
	actor_wait(&s.actor, ACTOR_DEADLINE_NS);
	if (scene_judge(&s) == VERDICT_NEVER_RETURNED)
		return;
	guard_set_actor(c->guard, 0);
	scene_bind_again(&s);
out:
	scene_finish(&s);
}

/* methods to hold several pins with, of different kinds, let go one by one */
static const char *const several_methods[] = {
	"vmsplice", "uring_fixed", "odirect_write_dmdelay", "vmsplice",
};

void several(struct cell *c)
{
	struct scene s;
	unsigned int i;

	if (!scene_arrange(c, &s) || !scene_watch_mapping(&s))
		goto out;
	for (i = 0; i < ARRAY_SIZE(several_methods); i++) {
		scene_pin(&s, pin_method_find(several_methods[i]), 0);
		/* what this kernel refuses is left out; the others remain */
		c->skipped = false;
		if (cell_over(c))
			goto out;
	}
	if (s.nr_pins < 2) {
		skip(c, "fewer than two methods can hold a pin here");
		goto out;
	}
	if (!scene_start(&s))
		goto out;
	if (!scene_let_go_each(&s))
		goto out;
	if (scene_act_on(&s) == VERDICT_NEVER_RETURNED)
		return;
out:
	scene_finish(&s);
}

/*
 * The driver is looked up before the device's lock is taken, and the second one waits
 * for that lock: it may find nothing to do when its turn comes, but not before.
 */
static bool second_waits(struct scene *s, struct actor *second)
{
	struct timeline *tl = &s->c->guard->bind_tl;
	int ret;

	timeline_reset(tl);
	ret = actor_start(second, tl, s->c->action->run, &s->c->v);
	if (!expect_ok(s->c, ret, "starting a second one", ""))
		return false;
	second->usual_ns = s->c->guard->usual_ns;
	if (actor_watch(second, NULL, NULL) != ACTOR_RETURNED)
		return true;
	ret = atomic_load(&tl->result);
	return expect(s->c, VERDICT_RETURNED_EARLY, ret,
		      "a second unbind returned with success while the first one waits for a pin");
}

static void second_ends(struct scene *s, struct actor *second)
{
	int ret = actor_wait(second, ACTOR_DEADLINE_NS);

	/* whoever came first has taken the driver away */
	if (!expect(s->c, VERDICT_NEVER_RETURNED, ret != -ETIMEDOUT,
		    "the second unbind never returned: it sleeps in %s", second->wchan))
		guard_set_wedged(s->c->guard);
	else
		expect(s->c, VERDICT_FAILED, !ret || ret == -ENODEV,
		       "the second unbind: %s; expected success or ENODEV", strerror(-ret));
}

void twice(struct cell *c)
{
	struct actor second = { .pid = 0 };
	struct scene s;
	bool good;

	if (!scene_arrange(c, &s) || !scene_watch_mapping(&s) || !scene_pin(&s, c->method, 0) ||
	    !scene_start(&s))
		goto out;
	if (scene_watch(&s) == ACTOR_RETURNED && scene_judge_early(&s) == VERDICT_RETURNED_EARLY) {
		scene_defuse(&s);
		goto out;
	}
	good = second_waits(&s, &second);
	scene_await_revocation(&s);
	scene_let_go_all(&s);
	actor_wait(&s.actor, ACTOR_DEADLINE_NS);
	if (scene_judge(&s) == VERDICT_NEVER_RETURNED)
		return;
	guard_set_actor(c->guard, 0);
	if (second.pid)
		second_ends(&s, &second);
	scene_drop_mappings(&s);
	if (good && !cell_over(c) && scene_bind_again(&s))
		scene_check_again(&s);
out:
	scene_finish(&s);
}

bool can_hold_on(const struct pin_method *m)
{
	return (m->flags & (PIN_HELD | PIN_TIMED | PIN_LOST)) == PIN_HELD;
}

/* what some kernels never give back makes the device unfit for anything to come */
void given_back(struct cell *c)
{
	struct pin_counters before, after;
	struct scene s;
	int64_t out;
	int ret;

	ret = pin_counters_read(&before);
	if (ret) {
		skip(c, "this kernel does not count pins: %s", strerror(-ret));
		return;
	}
	if (!scene_arrange(c, &s) || !scene_pin(&s, c->method, 0))
		goto out;
	scene_let_go_all(&s);
	ret = pin_counters_read(&after);
	if (!expect_ok(c, ret, "reading the counters", ""))
		goto out;
	out = (after.acquired - after.released) - (before.acquired - before.released);
	if (!expect(c, VERDICT_UNHEALTHY, !out,
		    "%lld pages are still pinned after the release; expected none",
		    (long long)out))
		guard_set_wedged(c->guard);
out:
	scene_finish(&s);
}

static bool random_round(struct cell *c, uint64_t *rnd)
{
	unsigned int want = random_next(rnd) % 4;
	struct scene s;
	bool go_on;

	timeline_reset(&c->guard->tl);
	if (!scene_arrange(c, &s))
		goto out;
	if (random_next(rnd) % 2) {
		if (!scene_watch_mapping(&s))
			goto out;
	} else {
		s.rule.revoke = false;
	}
	while (want && !cell_over(c)) {
		unsigned int nr = 0, pick;
		const struct pin_method *m;

		for (m = pin_methods; m->name; m++)
			nr += can_hold_on(m);
		pick = random_next(rnd) % nr;
		for (m = pin_methods; !can_hold_on(m) || pick--; m++)
			;
		scene_pin(&s, m, 0);
		c->skipped = false;
		want--;
	}
	if (!cell_over(c))
		scene_act(&s);
out:
	go_on = !cell_over(c);
	scene_finish(&s);
	return go_on;
}

/* bind and unbind with pins chosen by a seed that is printed and repeats */
void random_pins(struct cell *c)
{
	uint64_t end = timeline_now() + suite_seconds(RANDOM_SECONDS) * NSEC_PER_SEC;
	uint64_t seed = suite_seed(), rnd = seed ?: 1;
	unsigned int rounds = 0;

	note(c, "DAX_TEST_SEED=%llu", (unsigned long long)seed);
	while (timeline_now() < end && random_round(c, &rnd))
		rounds++;
	note(c, "%u rounds", rounds);
}
