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
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/random.h"
#include "teardown.h"

#define MOST_STEPS	5
#define MAP_BYTES	(4u << 20)

/* Orders of a pair in each run; DAX_TEST_ORDERS= asks for more, "all" for all. */
#define PAIR_ORDERS	8

/* Random orders: so long, or DAX_TEST_TIME. */
#define RANDOM_SECONDS	5.0

/* what became of a step, or of an order */
enum fate { DONE, LEFT_OUT, NOT_POSSIBLE, WRONG };

/* BOUND, an unbind under way that waits, or not there */
enum device { BOUND, LEAVING, AWAY };

struct side {
	struct holder h;
	size_t off;		/* of the page it works on */
	bool mapped;
	bool stale;		/* the device has gone since */
	bool pinned;
	pid_t child;
};

struct world {
	struct cell *c;
	struct side side[2];
	enum device device;
	unsigned int leaver;	/* whose step the unbind is */
	struct actor actor;
	int (*undo)(const struct victim *v);
	bool early;		/* gone with a pin out */
	enum verdict_kind kind;
	char why[160];
};

typedef enum fate (*step_fn)(struct world *w, unsigned int who);

struct step {
	const char *name;
	step_fn run;
};

struct operation {
	const char *name;
	bool pages;		/* works on one, so that the neighbour is another case */
	struct step step[MOST_STEPS];
};

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

static enum fate wrong(struct world *w, enum verdict_kind kind, const char *what, const char *why)
{
	w->kind = kind;
	snprintf(w->why, sizeof(w->why), "%s%s%s", what, why[0] ? ": " : "", why);
	return WRONG;
}

static bool pins_out(const struct world *w)
{
	return w->side[0].pinned || w->side[1].pinned;
}

static bool maps_open(const struct world *w)
{
	return w->side[0].mapped || w->side[1].mapped;
}

static enum fate step_map(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];
	int ret;

	if (w->device == LEAVING || (w->device == AWAY && maps_open(w)))
		return LEFT_OUT;
	ret = holder_map(&s->h, MAP_MAIN, w->c->v.node, w->c->size, 0, MAP_BYTES,
			 PROT_READ | PROT_WRITE);
	if (w->device == AWAY)
		return ret ? DONE : wrong(w, VERDICT_FAILED, "a device that is away is mapped", "");
	if (ret)
		return wrong(w, VERDICT_FAILED, "mapping the device", strerror(-ret));
	s->mapped = true;
	s->stale = false;
	return DONE;
}

static enum fate step_fault(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];
	bool dead = s->stale || w->device != BOUND;
	int ret;

	if (!s->mapped)
		return DONE;
	ret = holder_touch(&s->h, MAP_MAIN, s->off);
	if (dead && !ret)
		return wrong(w, VERDICT_NOT_REVOKED, "a mapping can be touched with its device gone",
			     "");
	return dead || !ret ? DONE : wrong(w, VERDICT_FAILED, "touching the mapping: SIGBUS", "");
}

static enum fate step_pin(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];
	bool dead = s->stale || w->device != BOUND;
	int ret;

	if (!s->mapped)
		return DONE;
	ret = holder_pin(&s->h, 0, pin_method_find("vmsplice"), MAP_MAIN, s->off,
			 sysconf(_SC_PAGESIZE), 0, TAG_MEMORY);
	if (dead)
		return ret ? DONE : wrong(w, VERDICT_NOT_REVOKED,
					  "a page of a device that is gone is pinned", "");
	if (ret)
		return wrong(w, VERDICT_FAILED, "pinning a page", s->h.why);
	s->pinned = true;
	return DONE;
}

static enum fate step_unpin(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];
	int ret;

	if (!s->pinned)
		return DONE;
	s->pinned = false;
	ret = holder_release(&s->h, 0);
	return ret ? wrong(w, ret == -EILSEQ ? VERDICT_WRONG_DATA : VERDICT_FAILED,
			   "the pin's bytes", s->h.why[0] ? s->h.why : strerror(-ret)) : DONE;
}

static enum fate step_unmap(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];

	if (!s->mapped)
		return DONE;
	s->mapped = false;
	return holder_close(&s->h, MAP_MAIN) ? wrong(w, VERDICT_FAILED, "munmap()", "") : DONE;
}

static enum fate step_move(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];
	int ret = s->mapped ? holder_move(&s->h, MAP_MAIN) : 0;

	return ret ? wrong(w, VERDICT_FAILED, "mremap()", strerror(-ret)) : DONE;
}

/* a child that has the pins and not the mapping */
static enum fate step_fork(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];
	int ret = holder_heir(&s->h, &s->child);

	if (ret)
		return wrong(w, VERDICT_FAILED, "fork()", strerror(-ret));
	guard_add_holder(w->c->guard, s->child);
	return DONE;
}

static enum fate step_reap(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];

	if (!s->child)
		return DONE;
	kill(s->child, SIGKILL);
	guard_drop_holder(w->c->guard, s->child);
	s->child = 0;
	return DONE;
}

static void gone(struct world *w)
{
	w->device = AWAY;
	for (int i = 0; i < 2; i++)
		w->side[i].stale = w->side[i].mapped;
}

/* has what was under way returned?  With a pin out it must not. */
static enum fate look(struct world *w, bool returned)
{
	if (!returned)
		return DONE;
	guard_set_actor(w->c->guard, 0);
	gone(w);
	if (!pins_out(w))
		return DONE;
	w->early = true;
	return wrong(w, VERDICT_RETURNED_EARLY, "it returned with a page pinned; expected to wait", "");
}

static int is_pinned(void *arg)
{
	return pins_out(arg);
}

static enum fate take_away(struct world *w, unsigned int who, int (*run)(const struct victim *v),
			   int (*undo)(const struct victim *v), uint64_t usual)
{
	struct guard *g = w->c->guard;
	int ret;

	if (w->device == LEAVING)
		return LEFT_OUT;
	if (w->device == AWAY) {
		/* whatever it says of what is not there, it may have gone further away */
		if (undo != victim_bind) {
			w->undo = undo;
			g->undo = undo;
		}
		guard_bind_call(g, run);
		return DONE;
	}
	g->victim = w->c->v;
	g->undo = undo;
	w->undo = undo;
	timeline_reset(&g->tl);
	ret = actor_start(&w->actor, &g->tl, run, &w->c->v);
	if (ret)
		return wrong(w, VERDICT_FAILED, "starting a process", strerror(-ret));
	guard_set_actor(g, w->actor.pid);
	w->device = LEAVING;
	w->leaver = who;
	w->actor.usual_ns = usual;
	if (!pins_out(w)) {
		ret = actor_wait(&w->actor, ACTOR_DEADLINE_NS);
		if (ret == -ETIMEDOUT)
			return wrong(w, VERDICT_NEVER_RETURNED, "it does not return",
				     w->actor.wchan);
		look(w, true);
		return ret ? wrong(w, VERDICT_FAILED, "taking it away", strerror(-ret)) : DONE;
	}
	return look(w, actor_watch(&w->actor, is_pinned, w) == ACTOR_RETURNED);
}

static enum fate bring_back(struct world *w)
{
	char why[VICTIM_WHY] = "";
	int ret;

	if (w->device == BOUND)
		return DONE;
	if (maps_open(w))
		return LEFT_OUT;
	ret = guard_bind_call(w->c->guard, w->undo);
	ret = ret ?: guard_again(w->c->guard, why, sizeof(why));
	if (ret)
		return wrong(w, ret == -ETIMEDOUT ? VERDICT_NEVER_RETURNED : VERDICT_FAILED,
			     "bringing it back", why[0] ? why : strerror(-ret));
	w->c->v = w->c->guard->victim;
	w->device = BOUND;
	return DONE;
}

static enum fate step_unbind(struct world *w, unsigned int who)
{
	return take_away(w, who, victim_unbind, victim_bind, w->c->guard->usual_ns);
}

static enum fate step_destroy(struct world *w, unsigned int who)
{
	return take_away(w, who, action_recreate_raw, action_recreate_back,
			 2 * w->c->guard->usual_ns);
}

static enum fate step_reconfigure(struct world *w, unsigned int who)
{
	return take_away(w, who, action_recreate_fsdax, action_recreate_back,
			 2 * w->c->guard->usual_ns);
}

/* the other operation may have taken it away by other means */
static enum fate step_back(struct world *w, unsigned int who)
{
	if (w->device == LEAVING)
		return w->leaver == who ? NOT_POSSIBLE : LEFT_OUT;
	return bring_back(w);
}

/* each attribute of a device, whatever it says */
static void read_all(const char *bus, const char *name)
{
	char path[320], text[4096];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s", bus, name);
	dir = name[0] ? opendir(path) : NULL;
	while (dir && (d = readdir(dir))) {
		int fd = d->d_type == DT_REG ? openat(dirfd(dir), d->d_name, O_RDONLY) : -1;

		if (fd < 0)
			continue;
		while (read(fd, text, sizeof(text)) > 0)
			;
		close(fd);
	}
	if (dir)
		closedir(dir);
}

static enum fate step_read_dax(struct world *w, unsigned int who)
{
	(void)who;
	read_all("dax", w->c->v.dax);
	return DONE;
}

static enum fate step_read_nd(struct world *w, unsigned int who)
{
	(void)who;
	read_all("nd", w->c->v.holder);
	read_all("nd", w->c->v.ndns);
	return DONE;
}

static const struct operation operations[] = {
	{ "fault", true, { { "map", step_map }, { "fault", step_fault },
			   { "unmap", step_unmap } } },
	{ "pin", true, { { "map", step_map }, { "pin", step_pin }, { "unpin", step_unpin },
		   { "unmap", step_unmap } } },
	{ "unpin", true, { { "map", step_map }, { "pin", step_pin }, { "unmap", step_unmap },
		     { "unpin", step_unpin } } },
	{ "fork", true, { { "map", step_map }, { "fork", step_fork }, { "fault", step_fault },
		    { "reap", step_reap }, { "unmap", step_unmap } } },
	{ "munmap", true, { { "map", step_map }, { "unmap", step_unmap }, { "map", step_map },
		      { "fault", step_fault }, { "unmap", step_unmap } } },
	{ "mremap", true, { { "map", step_map }, { "fault", step_fault }, { "mremap", step_move },
		      { "fault", step_fault }, { "unmap", step_unmap } } },
	{ "sysfs", false, { { "read dax", step_read_dax }, { "read nd", step_read_nd } } },
	{ "unbind", false, { { "unbind", step_unbind }, { "bind", step_back } } },
	{ "recreate", false, { { "destroy", step_destroy }, { "create", step_back } } },
	{ "reconfigure", false, { { "to fsdax", step_reconfigure }, { "to devdax", step_back } } },
};

static unsigned int steps_of(const struct operation *op)
{
	unsigned int n = 0;

	while (n < MOST_STEPS && op->step[n].name)
		n++;
	return n;
}

static const struct operation *find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		if (strlen(operations[i].name) == len && !strncmp(operations[i].name, name, len))
			return &operations[i];
	return NULL;
}

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
			fate = look(w, timeline_at(&w->c->guard->tl, TL_RETURNED));
		} else if (actor_wait(&w->actor, ACTOR_DEADLINE_NS) == -ETIMEDOUT) {
			fate = wrong(w, VERDICT_NEVER_RETURNED,
				     "it does not return after the release",
				     w->actor.wchan);
		} else {
			fate = look(w, true);
		}
	}
	return fate;
}

/* the device bound and nobody near it, whatever the order was; false when it is lost */
static bool tidy(struct world *w)
{
	struct guard *g = w->c->guard;
	bool early = w->early;

	if (w->kind == VERDICT_NEVER_RETURNED)
		return false;
	for (unsigned int i = 0; i < 2; i++)
		step_unmap(w, i);
	/* pins on a memory map that is gone want one under them first */
	if (early && bring_back(w) != DONE)
		return false;
	for (unsigned int i = 0; i < 2; i++) {
		if (w->side[i].pinned)
			holder_release(&w->side[i].h, 0);
		w->side[i].pinned = false;
		step_reap(w, i);
	}
	if (w->device == LEAVING) {
		if (actor_wait(&w->actor, ACTOR_DEADLINE_NS) == -ETIMEDOUT)
			return false;
		guard_set_actor(g, 0);
		gone(w);
	}
	if (bring_back(w) != DONE)
		return false;
	if (!early)
		return true;
	return !guard_bind_call(g, victim_unbind) && !guard_bind_call(g, victim_bind);
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
	if (!tidy(w)) {
		expect(w->c, w->kind == VERDICT_PASS ? VERDICT_FAILED : w->kind, false,
		       "%s: the device is lost", w->why[0] ? w->why : "putting things right");
		guard_set_wedged(w->c->guard);
	}
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
	return !guard_is_wedged(w->c->guard, victim_key(&w->c->v));
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

static bool begin(struct cell *c, struct world *w)
{
	char why[VICTIM_WHY] = "";
	int ret = level_find(&c->v, LEVEL_DAX_PMEM, why, sizeof(why));
	struct side *s = &w->side[0];

	memset(w, 0, sizeof(*w));
	w->c = c;
	if (ret) {
		skip(c, "%s", why);
		return false;
	}
	for (int i = 0; i < 2; i++)
		if (!cell_holder(c, &w->side[i].h))
			return false;
	ret = holder_map(&s->h, MAP_MAIN, c->v.node, c->size, 0, MAP_BYTES,
			 PROT_READ | PROT_WRITE);
	ret = ret ?: holder_fill(&s->h, MAP_MAIN, 0, WINDOW_BYTES, TAG_MEMORY);
	ret = ret ?: holder_close(&s->h, MAP_MAIN);
	return expect_ok(c, ret, "filling the pages", s->h.why);
}

static void finish(struct world *w, const struct tally *t)
{
	note(w->c, "%u orders, %u visited, %u left out, %u not possible; %u failed", t->all,
	     t->visited, t->left_out, t->not_possible, t->wrong);
	for (int i = 0; i < 2; i++)
		cell_holder_end(w->c, &w->side[i].h);
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
		o.op[0] = find(text, slash - text);
		o.op[1] = find(slash + 1, colon - slash - 1);
		o.neighbours = colon[1] == '1';
	}
	if (!o.op[0] || !o.op[1] || colon[2] != ':' || !order_of(&o, colon + 3))
		skip(w->c, "DAX_TEST_ORDER=%s is no order: as in pin/unbind:0:AABABB", text);
	else
		visit(w, &o, t);
	return true;
}

/* the operation that the cell is named after, with itself and all that come after it */
void orders(struct cell *c)
{
	const char *name = c->scenario->name;
	const struct operation *first = find(name, strlen(name));
	const char *text = getenv("DAX_TEST_ORDERS");
	struct tally t = { .most = text ? strtoul(text, NULL, 0) ?: UINT_MAX : PAIR_ORDERS };
	struct world w;

	if (begin(c, &w) && !visit_named(&w, &t)) {
		for (const struct operation *op = first; op < operations + ARRAY_SIZE(operations);
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
void orders_random(struct cell *c)
{
	uint64_t end = timeline_now() + suite_seconds(RANDOM_SECONDS) * NSEC_PER_SEC;
	uint64_t seed = suite_seed();
	uint64_t rnd = seed ?: 1;
	struct tally t = { 0 };
	struct world w;

	if (!begin(c, &w))
		goto out;
	note(c, "DAX_TEST_SEED=%llu repeats it", (unsigned long long)seed);
	while (timeline_now() < end) {
		struct order o = { .neighbours = random_next(&rnd) >> 63 };
		unsigned int left[2];

		for (int i = 0; i < 2; i++) {
			o.op[i] = &operations[(random_next(&rnd) >> 32) % ARRAY_SIZE(operations)];
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
