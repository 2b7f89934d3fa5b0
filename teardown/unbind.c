// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of the memory is unbound while pins are out.  pinned_once() is the test
 * that this program is about; the others vary who holds the pin, how many there are, and
 * how they end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "teardown/teardown.h"

/*
 * While a page is pinned, unbind revokes the mapping and then waits.  It returns after
 * the release.  The old mapping raises SIGBUS until the device is bound again, with the
 * same bytes in it.
 */
static enum verdict_kind pinned_once(struct cell *c, uint64_t hold_ns)
{
	enum verdict_kind kind = VERDICT_UNPROVEN;
	struct teardown s;

	/* arrange: a mapping and a pin, both proven, and a thread that touches the mapping */
	if (!teardown_setup(c, &s) || !teardown_pin(&s, c->method, hold_ns) ||
	    !teardown_watch_mapping(&s))
		goto out;

	/* act: unbind in another process */
	if (!teardown_start(&s))
		goto out;
	teardown_wait_blocked(&s);

	/* expect: it has not returned; after the release it does */
	if (!teardown_expect_waiting(&s))
		goto out;
	teardown_release_all(&s);
	kind = teardown_expect_return(&s);
	if (kind == VERDICT_NEVER_RETURNED)
		goto out;

	/* expect: SIGBUS, until the device is bound again; the bytes are the same */
	teardown_check_sigbus(&s);
	if (teardown_rebind(&s))
		teardown_check_after_bind(&s);
out:
	teardown_cleanup(&s);
	return kind;
}

static void pinned(struct cell *c)
{
	teardown_hold(c, pinned_once);
}

/* no mapping is left that could be revoked: only the pin is */
static enum verdict_kind unmapped_once(struct cell *c, uint64_t hold_ns)
{
	enum verdict_kind kind = VERDICT_UNPROVEN;
	struct teardown s;

	if (!teardown_setup(c, &s) || !teardown_pin(&s, c->method, hold_ns))
		goto out;
	s.rule.revoke = false;
	if (expect_ok(c, pin_proc_unmap(&s.h, MAP_MAIN), "munmap() with the pin out", s.h.why))
		kind = teardown_run(&s);
out:
	teardown_cleanup(&s);
	return kind;
}

static void unmapped(struct cell *c)
{
	teardown_hold(c, unmapped_once);
}

static bool map_in_viewer(struct teardown *s)
{
	struct cell *c = s->c;
	int ret;

	if (!cell_pin_proc(c, &s->viewer))
		return false;
	ret = pin_proc_map(&s->viewer, MAP_MAIN, s->node, c->size, 0, daxmap_bytes(c->size),
			   PROT_READ | PROT_WRITE);
	if (!expect_ok(c, ret, "mapping in the other process", s->viewer.why))
		return false;
	ret = pin_proc_watch(&s->viewer, MAP_MAIN, 0);
	return expect_ok(c, ret, "touching in the other process", s->viewer.why);
}

/* the process with the pin has the device not even open; another one maps it */
static enum verdict_kind by_another_once(struct cell *c, uint64_t hold_ns)
{
	enum verdict_kind kind = VERDICT_UNPROVEN;
	struct teardown s;
	int ret;

	if (!teardown_setup(c, &s) || !teardown_pin(&s, c->method, hold_ns))
		goto out;
	ret = pin_proc_close(&s.h, MAP_MAIN);
	if (expect_ok(c, ret, "closing the device with the pin out", s.h.why) && map_in_viewer(&s))
		kind = teardown_run(&s);
out:
	teardown_cleanup(&s);
	return kind;
}

static void by_another(struct cell *c)
{
	teardown_hold(c, by_another_once);
}

/* the pin is not released: its process dies of SIGKILL while the unbind waits */
static void killed(struct cell *c)
{
	struct teardown s;
	pid_t pid;

	if (!teardown_setup(c, &s) || !teardown_pin(&s, c->method, TEARDOWN_HOLD_NS) ||
	    !teardown_start(&s))
		goto out;
	s.rule.revoke = false;
	teardown_wait_blocked(&s);
	if (!teardown_expect_waiting(&s))
		goto out;
	pid = s.h.pid;
	timeline_mark(&c->guard->tl, TL_RELEASING);
	pin_proc_kill(&s.h);
	/* the dying process waits for I/O that only dm-delay can complete */
	pin_targets_flush(&c->guard->targets);
	if (teardown_expect_return(&s) == VERDICT_NEVER_RETURNED)
		return;
	if (expect_ok(c, pin_proc_reap(&s.h, OP_DEADLINE_NS), "reaping the pin process", ""))
		guard_drop_proc(c->guard, pid);
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
	struct teardown s;
	int ret;

	if (!teardown_setup(c, &s) || !teardown_pin(&s, c->method, 0))
		goto out;
	ret = pin_proc_fork_child(&s.h, &s.child);
	if (!expect_ok(c, ret, "forking a child that holds the pin", s.h.why))
		goto out;
	guard_add_proc(c->guard, s.child);
	s.rule.revoke = false;
	pin_proc_kill(&s.h);
	pin_proc_reap(&s.h, OP_DEADLINE_NS);
	if (!teardown_start(&s))
		goto out;
	teardown_wait_blocked(&s);
	if (teardown_judge_early(&s) == VERDICT_RETURNED_EARLY) {
		/* only the child's exit releases the pin: guard_settle() binds first */
		guard_needs_new_memmap(c->guard);
		goto out;
	}
	timeline_mark(&c->guard->tl, TL_RELEASING);
	kill(s.child, SIGKILL);
	if (teardown_expect_return(&s) == VERDICT_NEVER_RETURNED)
		return;
	teardown_rebind(&s);
out:
	teardown_cleanup(&s);
}

/* methods of different kinds, which can hold pins at the same time */
static const char *const several_methods[] = {
	"vmsplice", "uring_fixed", "odirect_write_dmdelay", "vmsplice",
};

static void several(struct cell *c)
{
	struct teardown s;

	if (!teardown_setup(c, &s) || !teardown_watch_mapping(&s))
		goto out;
	for (size_t i = 0; i < ARRAY_SIZE(several_methods); i++) {
		const struct pin_method *m = pin_method_find(several_methods[i]);

		if (!m)
			continue;
		teardown_pin(&s, m, 0);
		/* without the methods that this kernel refuses */
		c->skipped = false;
		if (cell_over(c))
			goto out;
	}
	if (s.nr_pins < 2) {
		skip(c, "fewer than two methods can hold a pin here");
		goto out;
	}
	if (!teardown_start(&s) || !teardown_release_each(&s))
		goto out;
	if (teardown_finish_and_check(&s) == VERDICT_NEVER_RETURNED)
		return;
out:
	teardown_cleanup(&s);
}

/*
 * The driver is looked up before the device's lock is taken, and the second unbind waits
 * for that lock: it may find no driver when its turn comes, but not before.
 */
static bool start_second(struct teardown *s, struct op_task *second)
{
	struct timeline *tl = &s->c->guard->bind_tl;
	int ret;

	timeline_reset(tl);
	ret = op_start(second, tl, s->c->action->run, &s->c->v);
	if (!expect_ok(s->c, ret, "starting a second unbind", ""))
		return false;
	second->usual_ns = s->c->guard->usual_ns;
	if (op_watch(second, NULL, NULL) != OP_RETURNED)
		return true;
	ret = atomic_load(&tl->result);
	return expect(s->c, VERDICT_RETURNED_EARLY, ret,
		      "a second unbind returned with success while the first one waits for a pin");
}

static void expect_second_returns(struct teardown *s, struct op_task *second)
{
	int ret = op_wait(second, OP_DEADLINE_NS);

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

	if (!teardown_setup(c, &s) || !teardown_watch_mapping(&s) ||
	    !teardown_pin(&s, c->method, 0) || !teardown_start(&s))
		goto out;
	teardown_wait_blocked(&s);
	if (!teardown_expect_waiting(&s))
		goto out;
	good = start_second(&s, &second);
	teardown_release_all(&s);
	if (teardown_expect_return(&s) == VERDICT_NEVER_RETURNED)
		return;
	if (second.pid)
		expect_second_returns(&s, &second);
	teardown_drop_mappings(&s);
	if (good && !cell_over(c) && teardown_rebind(&s))
		teardown_check_after_bind(&s);
out:
	teardown_cleanup(&s);
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
			.what = "mapped, no pin: returns; touching raises SIGBUS until the next bind",
			.actions = EVERY_ACTION,
			.run = teardown_mapped,
		}, {
			.name = "",
			.what = "one page pinned: the mapping is revoked, the action waits for the pin",
			.actions = EVERY_ACTION,
			.pins = PINS_UNTIMED_SAFE,
			.run = pinned,
		}, {
			.name = "",
			.what = "one page pinned for a limited time: the action waits until it is over",
			.pins = PINS_TIMED,
			.run = pinned,
		}, {
			.name = "unmapped",
			.what = "the page is pinned, but no longer mapped: the action waits",
			.pins = PINS_HELD,
			.run = unmapped,
		}, {
			.name = "by_another",
			.what = "one process holds the pin, another the mapping",
			.pins = PINS_UNTIMED_SAFE,
			.run = by_another,
		}, {
			.name = "killed",
			.what = "the pin process is killed while the action waits: it returns",
			.pins = PINS_UNTIMED_SAFE,
			.run = killed,
		}, {
			.name = "inherited",
			.what = "a child inherits the pin, its parent is dead: the action waits",
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
			.what = "mapped, no pin; the memory map lies on the device (altmap)",
			.sizes = AT_PMD,
			.map_dev = true,
			.run = teardown_mapped,
		}, {
			.name = "map_dev",
			.what = "one page pinned; the memory map lies on the device (altmap)",
			.sizes = AT_PMD,
			.map_dev = true,
			.pins = PIN_VMSPLICE,
			.run = pinned,
		}, {
			.name = "",
			.what = "mapped, no pin: returns; touching raises SIGBUS until the next bind",
			.on = ON_DYNAMIC,
			.sizes = AT_PTE | AT_PMD,
			.run = teardown_mapped,
		}, {
			.name = "",
			.what = "one page pinned: the mapping is revoked, the action waits for the pin",
			.on = ON_DYNAMIC,
			.sizes = AT_PTE | AT_PMD,
			.pins = PIN_VMSPLICE,
			.run = pinned,
		},
		{ }
	},
};

REGISTER(scenario_groups, &unbind);
