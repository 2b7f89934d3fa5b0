// SPDX-License-Identifier: GPL-2.0
/*
 * Two operations on one device, step by step, in every order that their steps can be
 * in.
 *
 * Each operation is carried out by a process of its own, and a step of one begins when
 * the last step of the other has returned, or has come to rest in the kernel.  So an
 * order is a word of As and Bs, and the same word is the same order again.
 *
 * Left out, and counted, are orders that every kernel here is known to fail, with the
 * machine lost: a device opened while it is being unbound, or away with a descriptor
 * from before still open (open-while-unbinding), and one bound under such a descriptor
 * (bind-under-open-descriptor).  Orders that a kernel does not let happen, such as a
 * bind that would have to come before the unbind has returned, are counted as well.
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

/* Orders of a pair in each run; DAX_TEST_ORDERS= asks for more, "all" for all. */
#define PAIR_ORDERS	8

/* Random orders: so long, or DAX_TEST_TIME. */
#define RANDOM_SECONDS	5.0

/* an order: steps taken from two operations */
struct order {
	const struct operation *op[2];
	bool neighbours;
	unsigned int nr;
	struct { unsigned char who, step; } at[2 * MOST_STEPS];
};

/* how many orders there are, how many of a pair are wanted, and what became of them */
struct tally {
	unsigned int all, most, visited, left_out, not_possible, wrong;
};

static const char *word_of(const struct order *o, char *word)
{
	for (unsigned int i = 0; i < o->nr; i++)
		word[i] = 'A' + o->at[i].who;
	word[o->nr] = '\0';
	return word;
}

/* false when the word is not one of these two */
static bool order_of(struct order *o, const char *word)
{
	unsigned int next[2] = { 0, 0 };

	for (o->nr = 0; word[o->nr]; o->nr++) {
		unsigned int who = word[o->nr] - 'A';

		if (who > 1 || o->nr == 2 * MOST_STEPS || next[who] == steps_of(o->op[who]))
			return false;
		o->at[o->nr].who = who;
		o->at[o->nr].step = next[who]++;
	}
	return true;
}

static enum fate carry_out(struct world *w, const struct order *o)
{
	enum fate fate = DONE;

	for (unsigned int i = 0; i < o->nr && fate == DONE; i++) {
		unsigned int who = o->at[i].who;

		if (w->device == LEAVING && w->leaver == who)
			return NOT_POSSIBLE;
		fate = o->op[who]->step[o->at[i].step].run(w, who);
		if (fate != DONE || w->device != LEAVING)
			continue;
		if (pins_out(w)) {
			fate = world_look(w, timeline_at(&w->c->guard->tl, TL_RETURNED));
		} else if (op_wait(&w->op, OP_DEADLINE_NS) == -ETIMEDOUT) {
			fate = step_wrong(w, VERDICT_NEVER_RETURNED,
					  "it does not return after the release",
					  w->op.wchan);
		} else {
			fate = world_look(w, true);
		}
	}
	return fate;
}

/* how many words there are of @n letters, @a of them As */
static unsigned int words(unsigned int a, unsigned int n)
{
	unsigned int nr = 1;

	for (unsigned int i = 1; i <= a; i++)
		nr = nr * (n - a + i) / i;
	return nr;
}

/* once; the world is as before afterwards, or the cell has failed */
static enum fate try(struct world *w, const struct order *o)
{
	size_t page = sysconf(_SC_PAGESIZE);
	enum fate fate;

	w->kind = VERDICT_PASS;
	w->why[0] = '\0';
	w->early = false;
	w->side[0].off = 3 * page;
	w->side[1].off = (o->neighbours ? 4 : 3) * page;
	fate = carry_out(w, o);
	if (!world_tidy(w))
		world_lost(w);
	return fate;
}

/* the same failure with as few steps as possible */
static void shrink(struct world *w, struct order *o)
{
	enum verdict_kind kind = w->kind;
	struct order less;

	for (unsigned int i = 0; i < o->nr && !cell_over(w->c);) {
		less = *o;
		memmove(&less.at[i], &less.at[i + 1], (less.nr - i - 1) * sizeof(less.at[0]));
		less.nr--;
		if (try(w, &less) == WRONG && w->kind == kind)
			*o = less;
		else
			i++;
	}
}

static void tell(struct world *w, const struct order *o, const char *what)
{
	char text[320] = "";
	size_t n = 0;

	for (unsigned int i = 0; i < o->nr && n < sizeof(text); i++)
		n += snprintf(text + n, sizeof(text) - n, "%s%c %s", i ? ", " : "",
			      'A' + o->at[i].who, o->op[o->at[i].who]->step[o->at[i].step].name);
	note(w->c, "%s: %s", what, text);
}

/* the first failure is the cell's, and is made small; of others the line is told */
static void failed(struct world *w, const struct order *o, struct tally *t)
{
	char word[2 * MOST_STEPS + 1];
	enum verdict_kind kind = w->kind;
	struct order least = *o;
	char why[sizeof(w->why)];

	memcpy(why, w->why, sizeof(why));
	note(w->c, "DAX_TEST_ORDER=%s/%s:%d:%s", o->op[0]->name, o->op[1]->name, o->neighbours,
	     word_of(o, word));
	if (t->wrong++ || cell_over(w->c))
		return;
	tell(w, o, "order");
	shrink(w, &least);
	tell(w, &least, "the fewest steps that fail");
	expect(w->c, kind, false, "%s and %s, order %s: %s", o->op[0]->name, o->op[1]->name,
	       word, why);
}

static bool visit(struct world *w, const struct order *o, struct tally *t)
{
	switch (try(w, o)) {
	case DONE:
		t->visited++;
		break;
	case LEFT_OUT:
		t->left_out++;
		break;
	case NOT_POSSIBLE:
		t->not_possible++;
		break;
	case WRONG:
		t->visited++;
		failed(w, o, t);
		break;
	}
	return !guard_is_wedged(w->c->guard, ns_key(&w->c->v.ns));
}

/* all words of so many As and so many Bs, or as many of them as are wanted */
static bool visit_pair(struct world *w, struct order *o, struct tally *t)
{
	unsigned int a = steps_of(o->op[0]), n = a + steps_of(o->op[1]);
	unsigned int all = words(a, n), nr = 0;
	char word[2 * MOST_STEPS + 1];

	t->all += all;
	for (unsigned int bits = 0; bits < 1u << n; bits++) {
		if (__builtin_popcount(bits) != (int)(n - a))
			continue;
		/* evenly, the first among them */
		if (nr++ * t->most % all >= t->most && t->most < all)
			continue;
		for (unsigned int i = 0; i < n; i++)
			word[i] = bits & (1u << i) ? 'B' : 'A';
		word[n] = '\0';
		order_of(o, word);
		if (!visit(w, o, t))
			return false;
	}
	return true;
}

static void finish(struct world *w, const struct tally *t)
{
	note(w->c, "%u orders, %u visited, %u left out, %u not possible; %u failed", t->all,
	     t->visited, t->left_out, t->not_possible, t->wrong);
	world_end(w);
}

/* DAX_TEST_ORDER=pin/unbind:0:AABAB; true when there is one */
static bool visit_named(struct world *w, struct tally *t)
{
	const char *text = getenv("DAX_TEST_ORDER");
	const char *slash = text ? strchr(text, '/') : NULL;
	const char *colon = slash ? strchr(slash, ':') : NULL;
	struct order o = { 0 };

	if (!text)
		return false;
	if (colon) {
		o.op[0] = operation_find(text, slash - text);
		o.op[1] = operation_find(slash + 1, colon - slash - 1);
		o.neighbours = colon[1] == '1';
	}
	if (!o.op[0] || !o.op[1] || colon[2] != ':' || !order_of(&o, colon + 3))
		skip(w->c, "DAX_TEST_ORDER=%s is no order: as in pin/unbind:0:AABABB", text);
	else
		visit(w, &o, t);
	return true;
}

/* the operation that the cell is named after, with itself and all that come after it */
static void orders(struct cell *c)
{
	const char *name = c->scenario->name;
	const struct operation *first = operation_find(name, strlen(name));
	const char *text = getenv("DAX_TEST_ORDERS");
	struct tally t = { .most = text ? strtoul(text, NULL, 0) ?: UINT_MAX : PAIR_ORDERS };
	struct world w;

	if (world_begin(c, &w) && !visit_named(&w, &t)) {
		for (const struct operation *op = first; op < operations + nr_operations;
		     op++)
			for (int i = 0; i < 2 && (!i || (first->pages && op->pages)); i++) {
				struct order o = { .op = { first, op }, .neighbours = i };

				if (!visit_pair(&w, &o, &t))
					goto out;
			}
	}
out:
	finish(&w, &t);
}

/* any two operations, in any order, again and again */
static void orders_random(struct cell *c)
{
	uint64_t end = timeline_now() + suite_seconds(RANDOM_SECONDS) * NSEC_PER_SEC;
	uint64_t seed = suite_seed();
	uint64_t rnd = seed ?: 1;
	struct tally t = { 0 };
	struct world w;

	if (!world_begin(c, &w))
		goto out;
	note(c, "DAX_TEST_SEED=%llu repeats it", (unsigned long long)seed);
	while (timeline_now() < end) {
		struct order o = { .neighbours = random_next(&rnd) >> 63 };
		unsigned int left[2];

		for (int i = 0; i < 2; i++) {
			o.op[i] = &operations[(random_next(&rnd) >> 32) % nr_operations];
			left[i] = steps_of(o.op[i]);
		}
		for (unsigned int n = left[0] + left[1]; n; n--) {
			unsigned int who = (random_next(&rnd) >> 32) % n < left[0] ? 0 : 1;

			o.at[o.nr].who = who;
			o.at[o.nr++].step = steps_of(o.op[who]) - left[who]--;
		}
		if (!visit(&w, &o, &t))
			break;
	}
out:
	finish(&w, &t);
}

static const struct variable orders_variables[] = {
	{ "DAX_TEST_ORDERS", "interleavings of two operations' steps in a pair; \"all\" for all" },
	{ "DAX_TEST_ORDER", "repeats one of them: pin/unbind:0:AABBAA" },
	{ }
};

REGISTER(variables, orders_variables);

/* A cell of orders takes seconds; one that finds a wait without end, a minute more. */
#define ORDERS_SECONDS	600

static const struct scenario_group orders_group = {
	.name = "orders",
	.order = 70,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_PMD,
		.words = LIST("orders"),
		.what = "in all orders with every operation after it",
		.ignore = HEALTH_NUMBERS,
		.bytes = FILE_BYTES,
		.seconds = ORDERS_SECONDS,
		.run = orders,
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
			.what = "any two operations in any order, for DAX_TEST_TIME, by DAX_TEST_SEED",
			.run = orders_random,
		},
		{ }
	},
};

REGISTER(scenario_groups, &orders_group);
