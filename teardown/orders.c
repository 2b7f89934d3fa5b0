// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two operations on one device, step by step, in every order of their steps.
 *
 * Each operation is run by a process of its own.  A step of one begins when the last
 * step of the other has returned, or is blocked in the kernel.  An order is written as
 * a word of As and Bs, and running the word again repeats the order.
 *
 * Some orders make every kernel tested so far lose the machine: opening a device while
 * it is being unbound, or while it is away and an old descriptor is still open
 * (open-while-unbinding), and binding a device under an old descriptor
 * (bind-under-open-descriptor).  These are left out and counted.  Orders that cannot
 * happen, such as a bind before the unbind has returned, are counted as well.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/random.h"
#include "lib/variable.h"
#include "teardown/interleave.h"

/* Orders of each pair in one run; DAX_TEST_ORDERS=N runs N, "all" runs all. */
#define PAIR_ORDERS	8

/* Duration of the random orders, unless DAX_TEST_TIME is set. */
#define RANDOM_SECONDS	5.0

/**
 * struct order - an order of the steps of two operations
 * @op: the operations of actor 0 (A) and actor 1 (B)
 * @neighbours: they work on two pages next to each other, not on the same page
 * @nr: number of steps in @at
 * @at: for each step the actor that runs it, and which step of its operation it is
 */
struct order {
	const struct operation *op[2];
	bool neighbours;
	unsigned int nr;
	struct { unsigned char who, step; } at[2 * OPERATION_STEPS];
};

/**
 * struct tally - counts of orders
 * @all: orders that the pairs have
 * @most: orders of each pair to run
 * @visited: orders run to their end, or to their failure
 * @left_out: orders with a STEP_LEFT_OUT
 * @not_possible: orders with a STEP_NOT_POSSIBLE
 * @wrong: orders that failed
 */
struct tally {
	unsigned int all, most, visited, left_out, not_possible, wrong;
};

static const struct step *order_step(const struct order *o, unsigned int i)
{
	return o->op[o->at[i].who]->step[o->at[i].step];
}

static const char *order_to_word(const struct order *o, char *word)
{
	for (unsigned int i = 0; i < o->nr; i++)
		word[i] = 'A' + o->at[i].who;
	word[o->nr] = '\0';
	return word;
}

/* false when the word has other letters, or too many of one */
static bool order_from_word(struct order *o, const char *word)
{
	unsigned int next[2] = { 0, 0 };

	for (o->nr = 0; word[o->nr]; o->nr++) {
		unsigned int who = word[o->nr] - 'A';

		if (who > 1 || o->nr == ARRAY_SIZE(o->at) ||
		    next[who] == operation_steps(o->op[who]))
			return false;
		o->at[o->nr].who = who;
		o->at[o->nr].step = next[who]++;
	}
	return true;
}

/* a blocked action that no pin holds up any more has to return */
static enum step_result check_action(struct interleave *il)
{
	if (interleave_pinned(il))
		return timeline_at(&il->c->guard->tl, TL_RETURNED) ? interleave_returned(il) :
								     STEP_DONE;
	if (op_wait(&il->task, OP_DEADLINE_NS) == -ETIMEDOUT)
		return step_wrong(il, VERDICT_NEVER_RETURNED,
				  "the action does not return after the release", il->task.wchan);
	return interleave_returned(il);
}

static enum step_result order_run_steps(struct interleave *il, const struct order *o)
{
	enum step_result result = STEP_DONE;

	for (unsigned int i = 0; i < o->nr && result == STEP_DONE; i++) {
		unsigned int who = o->at[i].who;

		if (il->device == DEVICE_LEAVING && il->unbinder == who)
			return STEP_NOT_POSSIBLE;
		result = order_step(o, i)->run(il, who);
		if (result == STEP_DONE && il->device == DEVICE_LEAVING)
			result = check_action(il);
	}
	return result;
}

/* number of words of @n letters with @a As: a binomial coefficient */
static unsigned int count_words(unsigned int a, unsigned int n)
{
	unsigned int nr = 1;

	for (unsigned int i = 1; i <= a; i++)
		nr = nr * (n - a + i) / i;
	return nr;
}

/* leaves the device as it was, or the cell has failed */
static enum step_result order_run(struct interleave *il, const struct order *o)
{
	size_t page = sysconf(_SC_PAGESIZE);
	enum step_result result;

	il->kind = VERDICT_PASS;
	il->why[0] = '\0';
	il->early = false;
	for (unsigned int i = 0; i < 2; i++)
		il->actor[i].op = o->op[i];
	il->actor[0].off = 3 * page;
	il->actor[1].off = (o->neighbours ? 4 : 3) * page;
	result = order_run_steps(il, o);
	interleave_restore(il);
	return result;
}

/* leave out one step after the other, as long as the order fails the same way */
static void order_shrink(struct interleave *il, struct order *o)
{
	enum verdict_kind kind = il->kind;
	struct order less;

	for (unsigned int i = 0; i < o->nr && !cell_over(il->c);) {
		less = *o;
		memmove(&less.at[i], &less.at[i + 1], (less.nr - i - 1) * sizeof(less.at[0]));
		less.nr--;
		if (order_run(il, &less) == STEP_WRONG && il->kind == kind)
			*o = less;
		else
			i++;
	}
}

static void report_order(struct interleave *il, const struct order *o, const char *what)
{
	char text[320] = "";
	size_t n = 0;

	for (unsigned int i = 0; i < o->nr && n < sizeof(text); i++)
		n += snprintf(text + n, sizeof(text) - n, "%s%c %s", i ? ", " : "",
			      'A' + o->at[i].who, order_step(o, i)->name);
	note("%s: %s", what, text);
}

/* The first failure fails the cell and is made small; of the next only the word is printed. */
static void order_failed(struct interleave *il, const struct order *o, struct tally *t)
{
	char word[2 * OPERATION_STEPS + 1];
	enum verdict_kind kind = il->kind;
	struct order least = *o;
	char why[sizeof(il->why)];

	memcpy(why, il->why, sizeof(why));
	note("DAX_TEST_ORDER=%s/%s:%d:%s", o->op[0]->name, o->op[1]->name, o->neighbours,
	     order_to_word(o, word));
	if (t->wrong++ || cell_over(il->c))
		return;
	report_order(il, o, "order");
	order_shrink(il, &least);
	report_order(il, &least, "the fewest steps that fail");
	expect(il->c, kind, false, "%s and %s, order %s: %s", o->op[0]->name, o->op[1]->name,
	       word, why);
}

/* false when the device is lost */
static bool visit_order(struct interleave *il, const struct order *o, struct tally *t)
{
	switch (order_run(il, o)) {
	case STEP_DONE:
		t->visited++;
		break;
	case STEP_LEFT_OUT:
		t->left_out++;
		break;
	case STEP_NOT_POSSIBLE:
		t->not_possible++;
		break;
	case STEP_WRONG:
		t->visited++;
		order_failed(il, o, t);
		break;
	}
	return !guard_is_wedged(il->c->guard, ns_key(&il->c->v.ns));
}

/* all orders of two operations, or t->most of them */
static bool visit_pair(struct interleave *il, struct order *o, struct tally *t)
{
	unsigned int a = operation_steps(o->op[0]), n = a + operation_steps(o->op[1]);
	unsigned int all = count_words(a, n), nr = 0;
	char word[2 * OPERATION_STEPS + 1];

	t->all += all;
	for (unsigned int bits = 0; bits < 1u << n; bits++) {
		if (__builtin_popcount(bits) != (int)(n - a))
			continue;
		/* evenly spread, beginning with the first */
		if (nr++ * t->most % all >= t->most && t->most < all)
			continue;
		for (unsigned int i = 0; i < n; i++)
			word[i] = bits & (1u << i) ? 'B' : 'A';
		word[n] = '\0';
		order_from_word(o, word);
		if (!visit_order(il, o, t))
			return false;
	}
	return true;
}

/* with itself and each operation after it in the table */
static void visit_pairs_of(struct interleave *il, const struct operation *first, struct tally *t)
{
	for (unsigned int n = 0; n < il->nr_ops; n++) {
		const struct operation *op = il->ops[n];

		if (op < first)
			continue;
		for (int i = 0; i < 2 && (!i || (first->pages && op->pages)); i++) {
			struct order o = { .op = { first, op }, .neighbours = i };

			if (!visit_pair(il, &o, t))
				return;
		}
	}
}

/* a line for programs: its format stays */
static void orders_finish(struct interleave *il, const struct tally *t)
{
	note("%u orders, %u visited, %u left out, %u not possible; %u failed", t->all,
	     t->visited, t->left_out, t->not_possible, t->wrong);
	interleave_cleanup(il);
}

/* the order that DAX_TEST_ORDER names, as in pin/unbind:0:AABAB */
static void visit_named(struct interleave *il, const char *text, struct tally *t)
{
	const char *slash = strchr(text, '/');
	const char *colon = slash ? strchr(slash, ':') : NULL;
	struct order o = { 0 };

	if (colon) {
		o.op[0] = operation_find(text, slash - text);
		o.op[1] = operation_find(slash + 1, colon - slash - 1);
		o.neighbours = colon[1] == '1';
	}
	if (!o.op[0] || !o.op[1] || !colon[1] || colon[2] != ':' ||
	    !order_from_word(&o, colon + 3))
		skip(il->c, "invalid DAX_TEST_ORDER=%s; expected as in pin/unbind:0:AABABB", text);
	else if (operation_present(il->c, o.op[0]) && operation_present(il->c, o.op[1]))
		visit_order(il, &o, t);
}

/* the operation of the cell's name, paired with itself and with all after it */
static void orders_of_operation(struct cell *c)
{
	const char *name = c->scenario->name;
	const struct operation *first = operation_find(name, strlen(name));
	const char *most = getenv("DAX_TEST_ORDERS"), *named = getenv("DAX_TEST_ORDER");
	struct tally t = { .most = most ? strtoul(most, NULL, 0) ?: UINT_MAX : PAIR_ORDERS };
	struct interleave il;

	if (!operation_present(c, first))
		return;
	if (interleave_setup(c, &il)) {
		if (named)
			visit_named(&il, named, &t);
		else
			visit_pairs_of(&il, first, &t);
	}
	orders_finish(&il, &t);
}

static struct order draw_order(const struct interleave *il, uint64_t *rnd)
{
	struct order o = { .neighbours = random_next(rnd) >> 63 };
	unsigned int left[2];

	for (int i = 0; i < 2; i++) {
		o.op[i] = il->ops[(random_next(rnd) >> 32) % il->nr_ops];
		left[i] = operation_steps(o.op[i]);
	}
	for (unsigned int n = left[0] + left[1]; n; n--) {
		unsigned int who = (random_next(rnd) >> 32) % n < left[0] ? 0 : 1;

		o.at[o.nr].who = who;
		o.at[o.nr++].step = operation_steps(o.op[who]) - left[who]--;
	}
	return o;
}

static void orders_random(struct cell *c)
{
	uint64_t end = timeline_now() + suite_seconds(RANDOM_SECONDS) * NSEC_PER_SEC;
	uint64_t seed = suite_seed();
	uint64_t rnd = seed ?: 1;
	struct interleave il;
	struct tally t = { 0 };

	if (interleave_setup(c, &il)) {
		note("DAX_TEST_SEED=%llu repeats it", (unsigned long long)seed);
		while (timeline_now() < end) {
			struct order o = draw_order(&il, &rnd);

			if (!visit_order(&il, &o, &t))
				break;
		}
	}
	orders_finish(&il, &t);
}

static const struct variable orders_variables[] = {
	{ "DAX_TEST_ORDERS", "interleavings of two operations' steps in a pair; \"all\" for all" },
	{ "DAX_TEST_ORDER", "repeats one of them: pin/unbind:0:AABBAA" },
	{ }
};

REGISTER(variables, orders_variables);

/* A cell takes seconds; one that finds an action that never returns, a minute more. */
#define ORDERS_SECONDS	600

static const struct scenario_group orders_group = {
	.name = "orders",
	.order = 70,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_PMD,
		.words = LIST("orders"),
		.what = "paired with itself and each operation after it, in many orders of their steps",
		.ignore = HEALTH_NUMBERS,
		.bytes = FILE_BYTES,
		.seconds = ORDERS_SECONDS,
		.run = orders_of_operation,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "fault",
		}, {
			.name = "pin",
		}, {
			.name = "unpin",
		}, {
			.name = "fork",
		}, {
			.name = "munmap",
		}, {
			.name = "munmap_part",
		}, {
			.name = "mremap",
		}, {
			.name = "sysfs",
		}, {
			.name = "unbind",
		}, {
			.name = "recreate",
		}, {
			.name = "reconfigure",
		}, {
			.name = "random",
			.what = "random pairs of operations in random orders; see DAX_TEST_TIME, DAX_TEST_SEED",
			.run = orders_random,
		},
		{ }
	},
};

REGISTER(scenario_groups, &orders_group);
