// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two operations at the same time.
 *
 * Each is run by a process of its own, driven by a thread of its own, with random
 * pauses from a seed.  So the steps of the two really overlap, where orders.c runs them
 * one after the other, and a step next to an unbind may succeed or fail.  What has to
 * hold: all operations return; no page that was pinned before the unbind began is still
 * pinned when it returns; the pinned bytes are right; the kernel does not complain; the
 * device can be bound and used again.
 *
 * Both actors map the device before they start, because every kernel tested so far
 * loses a device that is opened while it is being unbound (open-while-unbinding).  A
 * kernel that does not wait for pins is found out once, and its pairs of a pin and an
 * unbind are left out: releasing a page whose memory map is gone loses the device, too
 * (unbind-returns-early).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/random.h"
#include "lib/variable.h"
#include "teardown/interleave.h"

/* Duration, unless DAX_TEST_TIME is set. */
#define RACE_SECONDS	8.0

/* Longest pause before an operation, and before each of its steps, nanoseconds. */
#define BEGIN_NS	(4 * NSEC_PER_MSEC)
#define STEP_NS		(NSEC_PER_MSEC / 2)

/* A failure may depend on chance: a smaller race is tried with this many seeds. */
#define TRIES		12

/**
 * struct race - two operations to be run at the same time
 * @op: the operations of actor 0 (A) and actor 1 (B)
 * @neighbours: they work on two pages next to each other, not on the same page
 * @seed: of the pauses
 * @steps: for each operation the steps that are run, a bit each
 */
struct race {
	const struct operation *op[2];
	bool neighbours;
	uint64_t seed;
	unsigned int steps[2];
};

/**
 * struct racer - one of the two threads
 * @il: the interleaving
 * @who: actor 0 or 1
 * @race: what both run
 * @rnd: state of the random pauses
 * @ret: result of the action that takes the device away, 0 or -errno
 * @pinned: time since which the actor's page is pinned; 0 while it is not
 * @other: the other racer
 * @result: result of its steps
 */
struct racer {
	struct interleave *il;
	unsigned int who;
	const struct race *race;
	uint64_t rnd;
	int ret;
	atomic_ullong pinned;
	struct racer *other;
	enum step_result result;
};

static void pause_up_to(uint64_t *rnd, uint64_t most)
{
	struct timespec ts = { 0 };

	ts.tv_nsec = (random_next(rnd) >> 32) % most;
	nanosleep(&ts, NULL);
}

/* the action runs in a process of its own, because it may never return */
static void racer_take_away(struct racer *r)
{
	const struct action *a = action_find(r->race->op[r->who]->away);
	struct guard *g = r->il->c->guard;
	struct timeline *tl = r->who ? &g->bind_tl : &g->tl;
	uint64_t before, pinned;
	struct op_task task;

	timeline_reset(tl);
	before = timeline_now();
	r->ret = op_start(&task, tl, a->run, &r->il->c->v);
	if (!r->ret) {
		guard_set_op(g, task.pid);
		r->ret = op_wait(&task, OP_DEADLINE_NS);
	}
	if (r->ret == -ETIMEDOUT) {
		r->result = step_wrong(r->il, VERDICT_NEVER_RETURNED,
				       "the action does not return", task.wchan);
		return;
	}
	guard_set_op(g, 0);
	pinned = r->other->pinned;
	if (!r->ret && pinned && pinned < before) {
		r->il->early = true;
		r->result = step_wrong(r->il, VERDICT_RETURNED_EARLY,
				       "the action returned with a page pinned; expected it to wait",
				       "");
	}
}

/* after an early return the page stays pinned until interleave_restore() */
static void racer_release_pin(struct racer *r)
{
	struct actor *a = &r->il->actor[r->who];

	if (!a->pinned || r->il->early)
		return;
	if (r->result == STEP_DONE) {
		r->result = step_unpin(r->il, r->who);
	} else {
		a->pinned = false;
		pin_proc_release(&a->proc, 0);
	}
	r->pinned = 0;
}

/* always releases the pin in the end: the other racer's unbind waits for it */
static void racer_use_page(struct racer *r)
{
	const struct operation *op = r->race->op[r->who];
	struct actor *a = &r->il->actor[r->who];

	for (unsigned int i = 1; i < operation_steps(op) && r->result == STEP_DONE; i++) {
		const struct step *step = op->step[i];

		pause_up_to(&r->rnd, STEP_NS);
		if (!(r->race->steps[r->who] & (1u << i)) || step->maps)
			continue;
		if (step->unpins) {
			racer_release_pin(r);
			continue;
		}
		r->result = step->run(r->il, r->who);
		if (a->pinned && !r->pinned)
			r->pinned = timeline_now();
	}
	racer_release_pin(r);
	step_reap(r->il, r->who);
}

static void *racer_thread(void *arg)
{
	struct racer *r = arg;
	const struct operation *op = r->race->op[r->who];

	pause_up_to(&r->rnd, BEGIN_NS);
	if (op->away)
		racer_take_away(r);
	else if (op->pages)
		racer_use_page(r);
	else
		for (unsigned int i = 0; i < operation_steps(op); i++)
			op->step[i]->run(r->il, r->who);
	return NULL;
}

static bool takes_away(const struct race *race, unsigned int who)
{
	return race->op[who]->away;
}

/* of two actions the undo of the one that does more than a plain unbind */
static void set_undo(struct interleave *il, const struct race *race)
{
	for (unsigned int i = 0; i < 2; i++) {
		const struct action *a = takes_away(race, i) ? action_find(race->op[i]->away) :
							       NULL;

		if (a && (!a->first || !il->undo))
			il->undo = a->undo;
	}
	guard_takes_away(il->c->guard, &il->c->v, il->undo);
}

static enum step_result race_run_threads(struct interleave *il, const struct race *race)
{
	enum step_result result = STEP_DONE;
	struct racer r[2] = { 0 };
	pthread_t thread[2];
	int ret = 0, begun = 0;

	for (unsigned int i = 0; i < 2; i++) {
		il->actor[i].op = race->op[i];
		r[i].il = il;
		r[i].who = i;
		r[i].race = race;
		r[i].rnd = (race->seed ^ (i ? 0x9e3779b97f4a7c15 : 0)) ?: 1;
		r[i].other = &r[!i];
		if (race->op[i]->pages && step_map(il, i) != STEP_DONE)
			return STEP_WRONG;
	}
	set_undo(il, race);
	il->at_once = takes_away(race, 0) || takes_away(race, 1);
	for (; begun < 2 && !ret; begun += !ret)
		ret = pthread_create(&thread[begun], NULL, racer_thread, &r[begun]);
	for (int i = 0; i < begun; i++)
		pthread_join(thread[i], NULL);
	il->at_once = false;
	if (ret)
		return step_wrong(il, VERDICT_FAILED, "starting a thread", strerror(ret));
	for (unsigned int i = 0; i < 2; i++) {
		if (r[i].result != STEP_DONE)
			result = r[i].result;
		if (!takes_away(race, i))
			continue;
		interleave_set_away(il);
		/* of two actions one may find the device gone, and fail */
		if (result == STEP_DONE && !takes_away(race, !i) && r[i].ret)
			result = step_wrong(il, VERDICT_FAILED, "taking the device away",
					    strerror(-r[i].ret));
	}
	return result;
}

static enum step_result race_run(struct interleave *il, const struct race *race)
{
	size_t page = sysconf(_SC_PAGESIZE);
	enum step_result result;

	il->kind = VERDICT_PASS;
	il->why[0] = '\0';
	il->early = false;
	il->undo = NULL;
	il->actor[0].off = 3 * page;
	il->actor[1].off = (race->neighbours ? 4 : 3) * page;
	result = race_run_threads(il, race);
	interleave_restore(il);
	return result;
}

static void report_race(struct interleave *il, const struct race *race, const char *what)
{
	char text[320] = "";
	size_t n = 0;

	for (unsigned int who = 0; who < 2; who++) {
		const struct operation *op = race->op[who];
		/* the second step of such an operation is interleave_restore()'s */
		unsigned int nr = op->away ? 1 : operation_steps(op);

		for (unsigned int i = 0; i < nr && n < sizeof(text); i++)
			if (race->steps[who] & (1u << i))
				n += snprintf(text + n, sizeof(text) - n, "%s%c %s", n ? ", " : "",
					      'A' + who, op->step[i]->name);
	}
	note("%s: %s", what, text);
}

/* does it fail the same way with one of a few other seeds? */
static bool race_fails_again(struct interleave *il, struct race *race, enum verdict_kind kind)
{
	struct race other = *race;

	for (unsigned int i = 0; i < TRIES && !cell_over(il->c); i++) {
		if (race_run(il, &other) == STEP_WRONG && il->kind == kind) {
			*race = other;
			return true;
		}
		random_next(&other.seed);
	}
	return false;
}

/* leave out one step after the other, as long as the race fails the same way */
static void race_shrink(struct interleave *il, struct race *race, enum verdict_kind kind)
{
	for (unsigned int who = 0; who < 2; who++) {
		const struct operation *op = race->op[who];

		/* not the first one, which maps the device */
		for (unsigned int i = 1; op->pages && i < operation_steps(op); i++) {
			struct race less = *race;

			less.steps[who] &= ~(1u << i);
			if (race_fails_again(il, &less, kind))
				*race = less;
		}
	}
}

static void race_failed(struct interleave *il, struct race race)
{
	enum verdict_kind kind = il->kind;
	char why[sizeof(il->why)];

	memcpy(why, il->why, sizeof(why));
	note("DAX_TEST_RACE=%s/%s:%d:%llu", race.op[0]->name, race.op[1]->name,
	     race.neighbours, (unsigned long long)race.seed);
	if (cell_over(il->c))
		return;
	report_race(il, &race, "at the same time");
	race_shrink(il, &race, kind);
	report_race(il, &race, "the fewest steps that fail");
	expect(il->c, kind, false, "%s and %s at the same time: %s", race.op[0]->name,
	       race.op[1]->name, why);
}

/* the first operation that takes the device away; NULL if this build has none */
static const struct operation *first_away(const struct interleave *il)
{
	for (unsigned int i = 0; i < il->nr_ops; i++)
		if (il->ops[i]->away)
			return il->ops[i];
	return NULL;
}

/*
 * Does the kernel wait for a pin?  One step after the other, so that a kernel that does
 * not can be restored.
 */
static bool waits_for_pins(struct interleave *il)
{
	bool waits;

	il->kind = VERDICT_PASS;
	il->early = false;
	il->actor[0].off = 3 * sysconf(_SC_PAGESIZE);
	il->actor[1].op = first_away(il);
	if (step_map(il, 0) == STEP_DONE && step_pin(il, 0) == STEP_DONE)
		step_take_away(il, 1);
	else
		expect(il->c, il->kind, false, "%s", il->why);
	waits = !il->early;
	interleave_restore(il);
	return waits;
}

/* race number @pair: all pairs come in turn; the rest is random */
static struct race draw_race(const struct interleave *il, uint64_t *rnd, unsigned int pair)
{
	struct race race = { .neighbours = random_next(rnd) >> 63, .seed = random_next(rnd) >> 32 };
	unsigned int a = 0;

	while (pair >= il->nr_ops - a)
		pair -= il->nr_ops - a++;
	race.op[0] = il->ops[a];
	race.op[1] = il->ops[a + pair];
	for (unsigned int i = 0; i < 2; i++)
		race.steps[i] = (1u << operation_steps(race.op[i])) - 1;
	if (!race.op[0]->pages || !race.op[1]->pages)
		race.neighbours = false;
	return race;
}

/* DAX_TEST_RACE=pin/unbind:0:4711; false when it is not of this form */
static bool parse_race(const char *text, struct race *race)
{
	const char *slash = strchr(text, '/');
	const char *colon = slash ? strchr(slash, ':') : NULL;

	if (!colon || !colon[1] || colon[2] != ':')
		return false;
	race->op[0] = operation_find(text, slash - text);
	race->op[1] = operation_find(slash + 1, colon - slash - 1);
	race->neighbours = colon[1] == '1';
	race->seed = strtoull(colon + 3, NULL, 0);
	for (unsigned int i = 0; i < 2 && race->op[0] && race->op[1]; i++)
		race->steps[i] = (1u << operation_steps(race->op[i])) - 1;
	return race->op[0] && race->op[1];
}

/* the line of counts is for programs: its format stays */
static void run_all_pairs(struct interleave *il, bool waits)
{
	uint64_t end = timeline_now() + suite_seconds(RACE_SECONDS) * NSEC_PER_SEC;
	unsigned int pairs = il->nr_ops * (il->nr_ops + 1) / 2;
	unsigned int visited = 0, left_out = 0, wrong = 0;
	uint64_t seed = suite_seed(), rnd = seed ?: 1;

	note("DAX_TEST_SEED=%llu repeats the draws", (unsigned long long)seed);
	/* each pair at least once, even if that takes longer */
	for (unsigned int i = 0; (i < pairs || timeline_now() < end) &&
	     !guard_is_wedged(il->c->guard, ns_key(&il->c->v.ns)); i++) {
		struct race race = draw_race(il, &rnd, i % pairs);
		bool away = takes_away(&race, 0) || takes_away(&race, 1);

		if (away && !waits && (race.op[0]->pins || race.op[1]->pins)) {
			left_out++;
			continue;
		}
		visited++;
		if (race_run(il, &race) != STEP_WRONG)
			continue;
		wrong++;
		race_failed(il, race);
	}
	note("%u orders, %u visited, %u left out, 0 not possible; %u failed",
	     visited + left_out, visited, left_out, wrong);
}

static bool can_pin(const struct interleave *il)
{
	for (unsigned int i = 0; i < il->nr_ops; i++)
		if (il->ops[i]->pins)
			return true;
	return false;
}

static void race_all_pairs(struct interleave *il)
{
	bool waits;

	if (!first_away(il) || !can_pin(il)) {
		/* no pair to leave out */
		run_all_pairs(il, true);
		return;
	}
	waits = waits_for_pins(il);
	if (cell_over(il->c))
		return;
	run_all_pairs(il, waits);
	expect(il->c, VERDICT_RETURNED_EARLY, waits,
	       "unbind returned with a page pinned; expected it to wait; pairs of a pin and an unbind were left out");
}

static void races_at_once(struct cell *c)
{
	const char *text = getenv("DAX_TEST_RACE");
	struct interleave il;
	struct race race = { 0 };

	if (!interleave_setup(c, &il))
		goto out;
	if (!text)
		race_all_pairs(&il);
	else if (!parse_race(text, &race))
		skip(c, "invalid DAX_TEST_RACE=%s; expected as in pin/unbind:0:4711", text);
	else if (operation_present(c, race.op[0]) && operation_present(c, race.op[1]) &&
		 race_run(&il, &race) == STEP_WRONG)
		race_failed(&il, race);
out:
	interleave_cleanup(&il);
}

static const struct variable races_variables[] = {
	{ "DAX_TEST_RACE", "repeats two operations at once: pin/unbind:0:4711" },
	{ }
};

REGISTER(variables, races_variables);

/* One action that never returns takes a minute more than all the rest. */
#define RACES_SECONDS	600

static const struct scenario_group races = {
	.name = "races",
	.order = 75,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_PMD,
		.words = LIST("orders"),
		.ignore = HEALTH_NUMBERS,
		.bytes = FILE_BYTES,
		.seconds = RACES_SECONDS,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "at_once",
			.what = "any two operations at the same time; see DAX_TEST_TIME, DAX_TEST_SEED",
			.run = races_at_once,
		},
		{ }
	},
};

REGISTER(scenario_groups, &races);
