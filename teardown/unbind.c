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

/* Enough for a dozen rounds under TCG; DAX_TEST_TIME asks for more. */
#define RANDOM_SECONDS	2.0

static bool unmap_first(struct teardown *s)
{
	s->rule.revoke = false;
	return expect_ok(s->c, pin_proc_unmap(&s->h, MAP_MAIN), "munmap with the pin out", "");
}

/* the holder of the pin keeps nothing of the device; another process maps it */
static bool another_process(struct teardown *s)
{
	struct cell *c = s->c;
	int ret;

	if (!expect_ok(c, pin_proc_close(&s->h, MAP_MAIN), "close with the pin out", ""))
		return false;
	if (!cell_pin_proc(c, &s->viewer))
		return false;
	ret = pin_proc_map(&s->viewer, MAP_MAIN, c->v.node, c->size, 0, daxmap_bytes(c->size),
			   PROT_READ | PROT_WRITE);
	ret = ret ?: pin_proc_watch(&s->viewer, MAP_MAIN, 0);
	return expect_ok(c, ret, "mapping in the other process", "");
}

static void pinned_unmapped(struct cell *c)
{
	teardown_one_pin(c, unmap_first);
}

static void pinned_by_another(struct cell *c)
{
	teardown_one_pin(c, another_process);
}

/* the pin's holder dies of SIGKILL while the action waits for the pin */
static void killed(struct cell *c)
{
	struct timeline *tl = &c->guard->tl;
	enum op_state state;
	struct teardown s;

	if (!teardown_setup(c, &s) || !teardown_pin(&s, c->method, TEARDOWN_HOLD_NS) || !teardown_start(&s))
		goto out;
	s.rule.revoke = false;
	state = teardown_watch(&s);
	if (state == OP_RETURNED && teardown_judge_early(&s) == VERDICT_RETURNED_EARLY) {
		teardown_defuse(&s);
		goto out;
	}
	timeline_mark(tl, TL_RELEASING);
	pin_proc_kill(&s.h);
	/* the dying process waits for I/O that only dm-delay can hand on */
	pin_targets_flush(&c->guard->targets);
	op_wait(&s.op, OP_DEADLINE_NS);
	if (teardown_judge(&s) == VERDICT_NEVER_RETURNED)
		return;
	guard_set_op(c->guard, 0);
	if (expect_ok(c, pin_proc_reap(&s.h, OP_DEADLINE_NS), "reaping the holder", ""))
		memset(c->guard->procs, 0, sizeof(c->guard->procs));
	memset(s.method, 0, sizeof(s.method));
	memset(s.sink, 0, sizeof(s.sink));
	if (teardown_rebind(&s) && cell_pin_proc(c, &s.h))
		teardown_refill(&s);
out:
	teardown_cleanup(&s);
}

/* pipes and rings are inherited: the pin outlives the process that took it */
static void inherited(struct cell *c)
{
	struct timeline *tl = &c->guard->tl;
	struct teardown s;
	pid_t heir = 0;
	int ret;

	if (!teardown_setup(c, &s) || !teardown_pin(&s, c->method, 0))
		goto out;
	ret = pin_proc_fork_child(&s.h, &heir);
	if (!expect_ok(c, ret, "forking the heir", ""))
		goto out;
	guard_add_proc(c->guard, heir);
	s.heir = heir;
	s.rule.revoke = false;
	pin_proc_kill(&s.h);
	pin_proc_reap(&s.h, OP_DEADLINE_NS);
	if (!teardown_start(&s))
		goto out;
	if (teardown_watch(&s) == OP_RETURNED && teardown_judge_early(&s) == VERDICT_RETURNED_EARLY) {
		/* only the heir's end lets go, and it must not come before bind */
		c->guard->dirty = true;
		goto out;
	}
	timeline_mark(tl, TL_RELEASING);
	kill(heir, SIGKILL);
	op_wait(&s.op, OP_DEADLINE_NS);
	if (teardown_judge(&s) == VERDICT_NEVER_RETURNED)
		return;
	guard_set_op(c->guard, 0);
	teardown_rebind(&s);
out:
	teardown_cleanup(&s);
}

/* methods to hold several pins with, of different kinds, let go one by one */
static const char *const several_methods[] = {
	"vmsplice", "uring_fixed", "odirect_write_dmdelay", "vmsplice",
};

static void several(struct cell *c)
{
	struct teardown s;
	unsigned int i;

	if (!teardown_setup(c, &s) || !teardown_watch_mapping(&s))
		goto out;
	for (i = 0; i < ARRAY_SIZE(several_methods); i++) {
		teardown_pin(&s, pin_method_find(several_methods[i]), 0);
		/* what this kernel refuses is left out; the others remain */
		c->skipped = false;
		if (cell_over(c))
			goto out;
	}
	if (s.nr_pins < 2) {
		skip(c, "fewer than two methods can hold a pin here");
		goto out;
	}
	if (!teardown_start(&s))
		goto out;
	if (!teardown_release_each(&s))
		goto out;
	if (teardown_finish_and_check(&s) == VERDICT_NEVER_RETURNED)
		return;
out:
	teardown_cleanup(&s);
}

/*
 * The driver is looked up before the device's lock is taken, and the second one waits
 * for that lock: it may find nothing to do when its turn comes, but not before.
 */
static bool second_waits(struct teardown *s, struct op_task *second)
{
	struct timeline *tl = &s->c->guard->bind_tl;
	int ret;

	timeline_reset(tl);
	ret = op_start(second, tl, s->c->action->run, &s->c->v);
	if (!expect_ok(s->c, ret, "starting a second one", ""))
		return false;
	second->usual_ns = s->c->guard->usual_ns;
	if (op_watch(second, NULL, NULL) != OP_RETURNED)
		return true;
	ret = atomic_load(&tl->result);
	return expect(s->c, VERDICT_RETURNED_EARLY, ret,
		      "a second unbind returned with success while the first one waits for a pin");
}

static void second_ends(struct teardown *s, struct op_task *second)
{
	int ret = op_wait(second, OP_DEADLINE_NS);

	/* whoever came first has taken the driver away */
	if (!expect(s->c, VERDICT_NEVER_RETURNED, ret != -ETIMEDOUT,
		    "the second unbind never returned: it sleeps in %s", second->wchan))
		guard_set_wedged(s->c->guard);
	else
		expect(s->c, VERDICT_FAILED, !ret || ret == -ENODEV,
		       "the second unbind: %s; expected success or ENODEV", strerror(-ret));
}

static void twice(struct cell *c)
{
	struct op_task second = { .pid = 0 };
	struct teardown s;
	bool good;

	if (!teardown_setup(c, &s) || !teardown_watch_mapping(&s) || !teardown_pin(&s, c->method, 0) ||
	    !teardown_start(&s))
		goto out;
	if (teardown_watch(&s) == OP_RETURNED && teardown_judge_early(&s) == VERDICT_RETURNED_EARLY) {
		teardown_defuse(&s);
		goto out;
	}
	good = second_waits(&s, &second);
	teardown_wait_revoked(&s);
	teardown_release_all(&s);
	op_wait(&s.op, OP_DEADLINE_NS);
	if (teardown_judge(&s) == VERDICT_NEVER_RETURNED)
		return;
	guard_set_op(c->guard, 0);
	if (second.pid)
		second_ends(&s, &second);
	teardown_drop_mappings(&s);
	if (good && !cell_over(c) && teardown_rebind(&s))
		teardown_check_after_bind(&s);
out:
	teardown_cleanup(&s);
}

/* what some kernels never give back makes the device unfit for anything to come */
static void given_back(struct cell *c)
{
	struct pin_counters before, after;
	struct teardown s;
	int64_t out;
	int ret;

	ret = pin_counters_read(&before);
	if (ret) {
		skip(c, "this kernel does not count pins: %s", strerror(-ret));
		return;
	}
	if (!teardown_setup(c, &s) || !teardown_pin(&s, c->method, 0))
		goto out;
	teardown_release_all(&s);
	ret = pin_counters_read(&after);
	if (!expect_ok(c, ret, "reading the counters", ""))
		goto out;
	out = (after.acquired - after.released) - (before.acquired - before.released);
	if (!expect(c, VERDICT_UNHEALTHY, !out,
		    "%lld pages are still pinned after the release; expected none",
		    (long long)out))
		guard_set_wedged(c->guard);
out:
	teardown_cleanup(&s);
}

static bool random_round(struct cell *c, uint64_t *rnd)
{
	unsigned int want = random_next(rnd) % 4;
	struct teardown s;
	bool go_on;

	timeline_reset(&c->guard->tl);
	if (!teardown_setup(c, &s))
		goto out;
	if (random_next(rnd) % 2) {
		if (!teardown_watch_mapping(&s))
			goto out;
	} else {
		s.rule.revoke = false;
	}
	while (want && !cell_over(c)) {
		unsigned int nr = 0, pick;
		const struct pin_method *m;

		for_each_pin_method(m)
			nr += pin_selected(PINS_UNTIMED_SAFE, m);
		pick = random_next(rnd) % nr;
		for_each_pin_method(m)
			if (pin_selected(PINS_UNTIMED_SAFE, m) && !pick--)
				break;
		teardown_pin(&s, m, 0);
		c->skipped = false;
		want--;
	}
	if (!cell_over(c))
		teardown_run(&s);
out:
	go_on = !cell_over(c);
	teardown_cleanup(&s);
	return go_on;
}

/* bind and unbind with pins chosen by a seed that is printed and repeats */
static void random_pins(struct cell *c)
{
	uint64_t end = timeline_now() + suite_seconds(RANDOM_SECONDS) * NSEC_PER_SEC;
	uint64_t seed = suite_seed(), rnd = seed ?: 1;
	unsigned int rounds = 0;

	note(c, "DAX_TEST_SEED=%llu", (unsigned long long)seed);
	while (timeline_now() < end && random_round(c, &rnd))
		rounds++;
	note(c, "%u rounds", rounds);
}

static const struct scenario_group unbind = {
	.name = "unbind",
	.order = 10,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_ALL,
		.actions = FIRST_ACTION,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "",
			.what = "mapped, no pin: returns; touching is SIGBUS until the next bind",
			.actions = EVERY_ACTION,
			.run = teardown_mapped,
		}, {
			.name = "",
			.what = "one pin out: the mapping is revoked, the action waits for the pin",
			.actions = EVERY_ACTION,
			.pins = PINS_UNTIMED_SAFE,
			.run = teardown_pinned,
		}, {
			.name = "",
			.what = "one pin out, which a clock ends: the action waits for it",
			.pins = PINS_TIMED,
			.run = teardown_pinned,
		}, {
			.name = "unmapped",
			.what = "the pin outlives its mapping: the action waits all the same",
			.pins = PINS_HELD,
			.run = pinned_unmapped,
		}, {
			.name = "by_another",
			.what = "one process holds the pin, another the mapping",
			.pins = PINS_UNTIMED_SAFE,
			.run = pinned_by_another,
		}, {
			.name = "killed",
			.what = "the pin process is killed while the action waits: it returns",
			.pins = PINS_UNTIMED_SAFE,
			.run = killed,
		}, {
			.name = "inherited",
			.what = "a child inherits the pin, its taker is dead: the action waits",
			.pins = PINS_INHERITED,
			.run = inherited,
		}, {
			.name = "let_go_one_by_one",
			.what = "several pins by several methods: the action waits for the last",
			.words = LIST("several"),
			.run = several,
		}, {
			.name = "twice",
			.what = "a second unbind while the first waits for a pin: it returns no earlier",
			.pins = PIN_VMSPLICE,
			.run = twice,
		}, {
			.name = "map_dev",
			.what = "mapped, the memory map lies on the device (altmap)",
			.sizes = AT_PMD,
			.map_dev = true,
			.run = teardown_mapped,
		}, {
			.name = "map_dev",
			.what = "one pin out, the memory map lies on the device (altmap)",
			.sizes = AT_PMD,
			.map_dev = true,
			.pins = PIN_VMSPLICE,
			.run = teardown_pinned,
		}, {
			.name = "seeded",
			.what = "again and again for DAX_TEST_TIME seconds, pins chosen by DAX_TEST_SEED",
			.words = LIST("random"),
			.run = random_pins,
		}, {
			.name = "",
			.what = "mapped, no pin: returns; touching is SIGBUS until the next bind",
			.on = ON_DYNAMIC,
			.sizes = AT_PTE | AT_PMD,
			.run = teardown_mapped,
		}, {
			.name = "",
			.what = "one pin out: the mapping is revoked, the action waits for the pin",
			.on = ON_DYNAMIC,
			.sizes = AT_PTE | AT_PMD,
			.pins = PIN_VMSPLICE,
			.run = teardown_pinned,
		}, {
			.name = "",
			.what = "one pin out: the mapping is revoked, the action waits for the pin",
			.sizes = AT_PTE,
			.pins = PINS_LOST,
			.destructive = true,
			.run = teardown_pinned,
		}, {
			.name = "given_back",
			.what = "a pin that was released is out no more",
			.sizes = AT_PMD,
			.actions = NO_ACTION,
			.pins = PINS_LOST,
			.destructive = true,
			.run = given_back,
		},
		{ }
	},
};

REGISTER(scenario_groups, &unbind);
