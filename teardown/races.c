// SPDX-License-Identifier: GPL-2.0
/*
 * Two operations at once.
 *
 * Each is carried out by a process of its own, driven by a thread of its own, after
 * pauses drawn from a seed: steps of the two really overlap, where the orders of
 * teardown_orders.c come one after the other.  So a step next to an unbind may succeed
 * or fail.  What must hold: everything comes back, nothing that was pinned before the
 * unbind began is still pinned after it, no byte of a pin is wrong, the kernel does not
 * complain, and the device is as it was.
 *
 * Mapped is before both begin: a device that is opened while it is being unbound loses
 * every kernel here (open-while-unbinding).  A kernel that does not wait for pins is
 * asked once, and spared those pairs: letting go of a page whose memory map is gone
 * loses it, too (unbind-returns-early).
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

/* Pairs go round for so long, or DAX_TEST_TIME. */
#define RACE_SECONDS	8.0

/* Of two operations begun together, the later one by up to this; steps by less. */
#define BEGIN_NS	(4 * NSEC_PER_MSEC)
#define STEP_NS		(500 * 1000)

/* A failure of chance is given so many chances to come again when it is made small. */
#define TRIES		12

/**
 * struct race - a pair
 * @op: both
 * @neighbours: they work on pages beside each other, not on the same one
 * @seed: of the pauses
 * @steps: a bit for each step of each that is carried out
 */
struct race {
	const struct operation *op[2];
	bool neighbours;
	uint64_t seed;
	unsigned int steps[2];
};

/**
 * struct racer - one of the two threads
 * @w: the world
 * @who: which
 * @race: the pair
 * @rnd: its pauses
 * @ret: of the operation that takes the device away
 * @pinned: when its page was pinned; 0 while none is
 * @other: the other racer
 * @fate: what became of its steps
 */
struct racer {
	struct world *w;
	unsigned int who;
	const struct race *race;
	uint64_t rnd;
	int ret;
	atomic_ullong pinned;
	struct racer *other;
	enum fate fate;
};

static void pause_for(uint64_t *rnd, uint64_t most)
{
	struct timespec ts = { 0 };

	ts.tv_nsec = (random_next(rnd) >> 32) % most;
	nanosleep(&ts, NULL);
}

/* what takes the device away runs in a process: it may never come back */
static void take_away(struct racer *r)
{
	struct guard *g = r->w->c->guard;
	struct timeline *tl = r->who ? &g->bind_tl : &g->tl;
	struct op_task a;
	uint64_t before, pinned;

	timeline_reset(tl);
	before = timeline_now();
	r->ret = op_start(&a, tl, action_find(r->race->op[r->who]->away)->run, &r->w->c->v);
	if (!r->ret) {
		guard_set_op(g, a.pid);
		r->ret = op_wait(&a, OP_DEADLINE_NS);
	}
	if (r->ret == -ETIMEDOUT) {
		r->fate = step_wrong(r->w, VERDICT_NEVER_RETURNED, "it does not return",
				     a.wchan);
		return;
	}
	guard_set_op(g, 0);
	pinned = r->other->pinned;
	if (!r->ret && pinned && pinned < before) {
		r->w->early = true;
		r->fate = step_wrong(r->w, VERDICT_RETURNED_EARLY,
				     "it returned with a page pinned; expected to wait", "");
	}
}

/* a page that the device went away under stays pinned until there is a map again */
static bool may_let_go(const struct racer *r)
{
	return !r->w->early;
}

static void let_go(struct racer *r)
{
	struct side *s = &r->w->side[r->who];
	int ret;

	if (!s->pinned || !may_let_go(r))
		return;
	s->pinned = false;
	ret = pin_proc_release(&s->h, 0);
	r->pinned = 0;
	if (ret && r->fate == DONE)
		r->fate = step_wrong(r->w, ret == -EILSEQ ? VERDICT_WRONG_DATA : VERDICT_FAILED,
				     "the pin's bytes", s->h.why[0] ? s->h.why : strerror(-ret));
}

/* whoever pins lets go in the end, or an unbind that waits would wait for ever */
static void use_page(struct racer *r)
{
	const struct operation *op = r->race->op[r->who];
	struct side *s = &r->w->side[r->who];

	for (unsigned int i = 1; i < steps_of(op) && r->fate == DONE; i++) {
		pause_for(&r->rnd, STEP_NS);
		if (!(r->race->steps[r->who] & (1u << i)) || op->step[i].run == step_map)
			continue;
		if (!strcmp(op->step[i].name, "unpin")) {
			let_go(r);
			continue;
		}
		r->fate = op->step[i].run(r->w, r->who);
		if (s->pinned && !r->pinned)
			r->pinned = timeline_now();
	}
	let_go(r);
	step_reap(r->w, r->who);
}

static void *run(void *arg)
{
	struct racer *r = arg;
	const struct operation *op = r->race->op[r->who];

	pause_for(&r->rnd, BEGIN_NS);
	if (op->away)
		take_away(r);
	else if (op->pages)
		use_page(r);
	else
		for (unsigned int i = 0; i < steps_of(op); i++)
			op->step[i].run(r->w, r->who);
	return NULL;
}

static bool is_away(const struct race *race, unsigned int who)
{
	return race->op[who]->away;
}

/* both at once, mapped from before */
static enum fate carry_out(struct world *w, const struct race *race)
{
	struct racer r[2] = { 0 };
	enum fate fate = DONE;
	pthread_t thread[2];
	int ret = 0, begun = 0;

	for (unsigned int i = 0; i < 2; i++) {
		r[i].w = w;
		r[i].who = i;
		r[i].race = race;
		r[i].rnd = (race->seed ^ (i ? 0x9e3779b97f4a7c15 : 0)) ?: 1;
		r[i].other = &r[!i];
		if (race->op[i]->pages && step_map(w, i) != DONE)
			return WRONG;
	}
	w->at_once = is_away(race, 0) || is_away(race, 1);
	w->c->guard->mem = w->c->v;
	/* what brings the device back after the one that does more to it */
	for (unsigned int i = 0; i < 2; i++) {
		const struct action *a = is_away(race, i) ? action_find(race->op[i]->away) : NULL;

		if (a && (!a->first || !w->undo))
			w->undo = a->undo;
	}
	if (!w->undo)
		w->undo = action_find("unbind_device_dax")->undo;
	w->c->guard->undo = w->undo;
	for (; begun < 2 && !ret; begun += !ret)
		ret = pthread_create(&thread[begun], NULL, run, &r[begun]);
	for (int i = 0; i < begun; i++)
		pthread_join(thread[i], NULL);
	w->at_once = false;
	if (ret)
		return step_wrong(w, VERDICT_FAILED, "starting a thread", strerror(ret));
	for (unsigned int i = 0; i < 2; i++) {
		if (r[i].fate != DONE)
			fate = r[i].fate;
		if (is_away(race, i))
			world_gone(w);
		/* one of two may find the device gone */
		if (fate == DONE && is_away(race, i) && !is_away(race, !i) && r[i].ret)
			fate = step_wrong(w, VERDICT_FAILED, "taking it away",
					  strerror(-r[i].ret));
	}
	return fate;
}

static enum fate try(struct world *w, const struct race *race)
{
	size_t page = sysconf(_SC_PAGESIZE);
	enum fate fate;

	w->kind = VERDICT_PASS;
	w->why[0] = '\0';
	w->early = false;
	w->undo = NULL;
	w->side[0].off = 3 * page;
	w->side[1].off = (race->neighbours ? 4 : 3) * page;
	fate = carry_out(w, race);
	if (!world_tidy(w))
		world_lost(w);
	return fate;
}

static void tell(struct world *w, const struct race *race, const char *what)
{
	char text[320] = "";
	size_t n = 0;

	for (unsigned int who = 0; who < 2; who++)
		for (unsigned int i = 0; i < steps_of(race->op[who]) && n < sizeof(text); i++)
			if (race->steps[who] & (1u << i) && (!is_away(race, who) || !i))
				n += snprintf(text + n, sizeof(text) - n, "%s%c %s", n ? ", " : "",
					      'A' + who, race->op[who]->step[i].name);
	note(w->c, "%s: %s", what, text);
}

/* does it fail the same way, by one of a few other seeds? */
static bool again(struct world *w, struct race *race, enum verdict_kind kind)
{
	struct race other = *race;

	for (unsigned int i = 0; i < TRIES && !cell_over(w->c); i++) {
		if (try(w, &other) == WRONG && w->kind == kind) {
			*race = other;
			return true;
		}
		random_next(&other.seed);
	}
	return false;
}

/* the same failure with as few steps as possible; mapping, and what takes away, stay */
static void shrink(struct world *w, struct race *race, enum verdict_kind kind)
{
	for (unsigned int who = 0; who < 2; who++)
		for (unsigned int i = 1; race->op[who]->pages && i < steps_of(race->op[who]); i++) {
			struct race less = *race;

			less.steps[who] &= ~(1u << i);
			if (again(w, &less, kind))
				*race = less;
		}
}

static void failed(struct world *w, struct race race)
{
	enum verdict_kind kind = w->kind;
	char why[sizeof(w->why)];

	memcpy(why, w->why, sizeof(why));
	note(w->c, "DAX_TEST_RACE=%s/%s:%d:%llu", race.op[0]->name, race.op[1]->name,
	     race.neighbours, (unsigned long long)race.seed);
	if (cell_over(w->c))
		return;
	tell(w, &race, "at once");
	shrink(w, &race, kind);
	tell(w, &race, "the fewest steps that fail");
	expect(w->c, kind, false, "%s and %s at once: %s", race.op[0]->name, race.op[1]->name,
	       why);
}

static bool pins(const struct operation *op)
{
	return !strcmp(op->name, "pin") || !strcmp(op->name, "unpin");
}

/* one after the other, where nothing can go wrong that is not put right */
static bool waits_for_pins(struct world *w)
{
	const struct operation *unbind = operation_find("unbind", 6);
	const struct operation *pin = operation_find("pin", 3);
	bool waits;

	w->kind = VERDICT_PASS;
	w->early = false;
	w->side[0].off = 3 * sysconf(_SC_PAGESIZE);
	for (unsigned int i = 0; i < 2; i++)
		if (pin->step[i].run(w, 0) != DONE)
			return false;
	unbind->step[0].run(w, 1);
	waits = !w->early;
	if (!world_tidy(w))
		world_lost(w);
	return waits;
}

static struct race draw(uint64_t *rnd, unsigned int pair)
{
	struct race race = { .neighbours = random_next(rnd) >> 63, .seed = random_next(rnd) >> 32 };
	unsigned int a = 0;

	/* all pairs in turn */
	while (pair >= nr_operations - a)
		pair -= nr_operations - a++;
	race.op[0] = &operations[a];
	race.op[1] = &operations[a + pair];
	for (unsigned int i = 0; i < 2; i++)
		race.steps[i] = (1u << steps_of(race.op[i])) - 1;
	if (!race.op[0]->pages || !race.op[1]->pages)
		race.neighbours = false;
	return race;
}

/* DAX_TEST_RACE=pin/unbind:0:4711; false when it is none */
static bool parse(const char *text, struct race *race)
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
		race->steps[i] = (1u << steps_of(race->op[i])) - 1;
	return race->op[0] && race->op[1];
}

static void all_pairs(struct world *w)
{
	uint64_t end = timeline_now() + suite_seconds(RACE_SECONDS) * NSEC_PER_SEC;
	unsigned int pairs = nr_operations * (nr_operations + 1) / 2;
	unsigned int visited = 0, left_out = 0, wrong = 0;
	uint64_t seed = suite_seed(), rnd = seed ?: 1;
	bool waits = waits_for_pins(w);

	note(w->c, "DAX_TEST_SEED=%llu repeats the draws", (unsigned long long)seed);
	/* each pair once, whatever the time */
	for (unsigned int i = 0; (i < pairs || timeline_now() < end) &&
	     !guard_is_wedged(w->c->guard, ns_key(&w->c->v.ns)); i++) {
		struct race race = draw(&rnd, i % pairs);
		bool away = is_away(&race, 0) || is_away(&race, 1);

		if (away && !waits && (pins(race.op[0]) || pins(race.op[1]))) {
			left_out++;
			continue;
		}
		visited++;
		if (try(w, &race) != WRONG)
			continue;
		wrong++;
		failed(w, race);
	}
	note(w->c, "%u orders, %u visited, %u left out, 0 not possible; %u failed",
	     visited + left_out, visited, left_out, wrong);
	expect(w->c, VERDICT_RETURNED_EARLY, waits,
	       "unbind returned with a page pinned; expected to wait; pairs of the two were left out");
}

static void at_once(struct cell *c)
{
	const char *text = getenv("DAX_TEST_RACE");
	struct race race = { 0 };
	struct world w;

	if (!world_begin(c, &w))
		goto out;
	if (!text)
		all_pairs(&w);
	else if (!parse(text, &race))
		skip(c, "DAX_TEST_RACE=%s is no race: as in pin/unbind:0:4711", text);
	else if (try(&w, &race) == WRONG)
		failed(&w, race);
out:
	world_end(&w);
}

static const struct variable races_variables[] = {
	{ "DAX_TEST_RACE", "repeats two operations at once: pin/unbind:0:4711" },
	{ }
};

REGISTER(variables, races_variables);

/* A wait without end takes a minute more than the rest. */
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
			.what = "any two operations at the same time, for DAX_TEST_TIME, by DAX_TEST_SEED",
			.run = at_once,
		},
		{ }
	},
};

REGISTER(scenario_groups, &races);
