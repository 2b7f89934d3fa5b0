// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frame around a run and around each cell: what is made ready before it, and what is
 * restored and judged after it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "suite/internal.h"

/*
 * How long a TIMED pin is held, in rounds of unbind and bind; after two rounds its end
 * is safe.  The time is set again when it is less than HOLD_LEAST or more than HOLD_MOST
 * of the longest recent round, then to HOLD_ANEW of them.
 */
#define HOLD_ROUNDS	6
#define HOLD_LEAST	3
#define HOLD_ANEW	4
#define HOLD_MOST	9

/* the smallest devices that scenarios work on: eight entries of a pmd, or one of a pud */
static size_t least_bytes(enum daxmap_size size)
{
	return size == DAXMAP_PUD ? daxmap_bytes(DAXMAP_PUD) : 8 * daxmap_bytes(DAXMAP_PMD);
}

static struct guard *guard;
static struct health *health;

/**
 * struct run_state - what one cell leaves to the next ones
 * @provider: bus that the last cell's memory is on
 * @hold_measured: the time that TIMED pins are held fits this machine's speed
 */
struct run_state {
	char provider[64];
	bool hold_measured;
};

/* shared: each cell is a process of its own */
static struct run_state *state;

static int create_state(void)
{
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	return state == MAP_FAILED ? -errno : 0;
}

int suite_prepare(char *why, size_t len)
{
	int ret;

	if (geteuid()) {
		snprintf(why, len, "%s binds and unbinds drivers: run it as root", suite->name);
		return -EPERM;
	}
	ret = refusals_create();
	ret = ret ?: probes_create();
	ret = ret ?: create_state();
	if (ret) {
		snprintf(why, len, "no shared memory: %s", strerror(-ret));
		return ret;
	}
	ret = guard_create(&guard);
	if (ret) {
		snprintf(why, len, "cannot start the guardian process: %s", strerror(-ret));
		return ret;
	}
	ret = ns_set_find(&guard->set, why, len);
	if (ret)
		return ret;
	/* some of the namespaces may have been refused */
	if (why[0])
		printf("# %s\n", why);
	if (getenv("DAX_TEST_CLEAR_WARN_ONCE"))
		health_clear_warn_once();
	ret = health_open(&health);
	if (ret) {
		snprintf(why, len, "cannot open the kernel log and counters: %s", strerror(-ret));
		return ret;
	}
	if (suite->targets && pin_targets_create(&guard->targets, getpid()))
		printf("# %s\n", guard->targets.why);
	if (suite->hold_ns)
		guard->targets.slow_ns = suite->hold_ns;
	if (suite->targets)
		ktrace_create(&guard->ktrace, getpid());
	fflush(stdout);
	return 0;
}

void suite_finish(void)
{
	int ret;

	if (!guard)
		return;
	ret = guard_finish(guard);
	if (ret)
		suite_say("# %s: not everything could be restored: %s\n", suite->name,
			  strerror(-ret));
	health_close(health);
}

uint64_t suite_seed(void)
{
	const char *env = getenv("DAX_TEST_SEED");
	uint64_t seed = 0;

	if (env && env[0])
		return strtoull(env, NULL, 0);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = timeline_now();
	/* short enough to be typed again */
	return seed & 0xffffffff;
}

double suite_seconds(double by_default)
{
	const char *env = getenv("DAX_TEST_TIME");
	double s = env ? strtod(env, NULL) : 0;

	return s > 0 ? s : by_default;
}

/* the bus that memory comes from is no part of a cell's name: say when it changes */
static void note_provider(const struct cell *c)
{
	if (!strcmp(state->provider, c->v.ns.provider))
		return;
	memcpy(state->provider, c->v.ns.provider, sizeof(state->provider));
	note("memory from here on: %s of bus %s", ns_key(&c->v.ns), c->v.ns.provider);
}

static bool take_memory(struct cell *c)
{
	struct memory_want want = {
		.size = c->size,
		.bytes = c->scenario->bytes ?: least_bytes(c->size),
		.rather = suite->entries * daxmap_bytes(c->size),
		.map_dev = c->scenario->map_dev,
	};
	char why[WHY_LEN] = "";
	int ret = memory_take(c->memory, guard, &want, &c->v, why, sizeof(why));

	if (ret) {
		skip(c, "no %s %s for this cell: %s", daxmap_name(c->size), c->memory->name, why);
		/* a runner that may reboot the machine acts on this word */
		if (ret == -EBUSY)
			suite_say("# REBOOT %s\n", why);
		return false;
	}
	guard_takes_away(guard, &c->v, NULL);
	note_provider(c);
	return true;
}

bool cell_fresh_pages(struct cell *c)
{
	return expect_ok(c, guard_fresh_pages(guard), "a fresh memory map", "") && take_memory(c);
}

bool cell_remove_file(struct cell *c)
{
	const struct action *removal = require_action(c, "unlink");
	bool lost;
	int ret;

	if (!removal)
		return false;
	ret = guard_bind_call(guard, removal->run);
	lost = ret == -ECHILD || ret == -ETIMEDOUT;
	if (lost)
		guard_set_wedged(guard);
	return expect(c, lost ? VERDICT_NEVER_RETURNED : VERDICT_FAILED, !ret,
		      "removing the file: %s", ret == -ECHILD ? "its task died" : strerror(-ret));
}

static void set_hold(uint64_t wanted)
{
	struct pin_targets *t = &guard->targets;

	if (wanted > t->slower_ns / 2)
		wanted = t->slower_ns / 2;
	if (wanted < PIN_TARGETS_SLOW_NS)
		wanted = PIN_TARGETS_SLOW_NS;
	if (wanted != t->slow_ns)
		pin_targets_retime(t, wanted);
}

/* the load of the machine may have changed since the time was set */
static void adjust_hold(void)
{
	uint64_t now = guard->targets.slow_ns, round = 2 * guard->usual_ns;

	if (now < HOLD_LEAST * round || now > HOLD_MOST * round)
		set_hold(HOLD_ANEW * round);
}

/*
 * A TIMED pin must outlast an unbind that does not wait, and the bind after it: its end
 * in between brings the kernel down.  So the time is measured: that of a round on this
 * machine under its load.  The guard keeps the time of later unbinds without pins; a
 * bind takes about as long.
 */
static bool measure_hold(struct cell *c)
{
	uint64_t start = timeline_now();
	int ret;

	if (state->hold_measured) {
		if (c->method && c->method->flags & PIN_TIMED)
			adjust_hold();
		return true;
	}
	ret = guard_unbind_dax(guard);
	ret = ret ?: guard_bind_dax(guard);
	if (!expect_ok(c, ret, "unbind and bind without pins", ""))
		return false;
	set_hold(HOLD_ROUNDS * (timeline_now() - start));
	state->hold_measured = true;
	return true;
}

static void judge_health(struct cell *c)
{
	unsigned int oracles = ~(c->scenario->ignore);
	unsigned int found = 0;
	const char *text;
	int ret;

	if (c->scenario->ignore & HEALTH_NUMBERS)
		health_renumbered(health);
	ret = health_end(health, oracles, &found);
	expect_ok(c, ret, "reading the kernel's health", "");
	if (!found)
		return;
	text = health_text(health);
	expect(c, VERDICT_UNHEALTHY, false, "the kernel complained: %.*s",
	       (int)strcspn(text, "\n"), text);
	note_lines("health", text);
}

void suite_run(struct cell *c)
{
	int ret;

	c->guard = guard;
	guard_set_cell(guard);
	if (c->scenario->destructive && !getenv("DAX_TEST_DESTRUCTIVE")) {
		skip(c, "leaves a buggy kernel unusable: DAX_TEST_DESTRUCTIVE=1 to run it");
		return;
	}
	if (c->action && c->action->lacks) {
		skip(c, "%s: %s", c->action->name, c->action->lacks);
		return;
	}
	if (skip_known_refusal(c))
		return;
	/* a cell that was killed has left its device behind */
	ret = guard_settle(guard);
	if (ret)
		note("an earlier cell left %s behind: %s", ns_key(&guard->mem.ns),
		     strerror(-ret));
	guard_has_new_memmap(guard);
	timeline_reset(&guard->tl);
	if (!c->scenario->no_device && !take_memory(c))
		return;
	if (!expect_ok(c, health_begin(health), "reading the kernel's health", ""))
		return;
	if (suite->clock && c->v.ns.dax[0] && !measure_hold(c))
		return;
	note_lines("kernel log between tests", health_stray(health));
	c->scenario->run(c);
	ret = guard_settle(guard);
	if (ret == -EBUSY) {
		note("%s stays wedged; cells that need it are skipped", ns_key(&c->v.ns));
		/* a runner that may reboot the machine acts on this word */
		suite_say("# REBOOT %s is wedged\n", ns_key(&c->v.ns));
	}
	if (ret != -EBUSY)
		expect_ok(c, ret, "restoring the device", "");
	if (ret != -EBUSY && !c->skipped)
		judge_health(c);
}
