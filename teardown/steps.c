// SPDX-License-Identifier: GPL-2.0
/*
 * The steps that operations are made of, and the operations.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "teardown/interleave.h"

#define MAP_BYTES	(4u << 20)

/* the guard's list of processes, where both sides are threads */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

enum fate step_wrong(struct world *w, enum verdict_kind kind, const char *what,
		     const char *why)
{
	w->kind = kind;
	snprintf(w->why, sizeof(w->why), "%s%s%s", what, why[0] ? ": " : "", why);
	return WRONG;
}

bool pins_out(const struct world *w)
{
	return w->side[0].pinned || w->side[1].pinned;
}

static bool maps_open(const struct world *w)
{
	return w->side[0].mapped || w->side[1].mapped;
}

enum fate step_map(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];
	int ret;

	if (w->device == LEAVING || (w->device == AWAY && maps_open(w)))
		return LEFT_OUT;
	ret = pin_proc_map(&s->h, MAP_MAIN, w->c->v.node, w->c->size, 0, MAP_BYTES,
			   PROT_READ | PROT_WRITE);
	if (w->device == AWAY)
		return ret ? DONE : step_wrong(w, VERDICT_FAILED,
					       "a device that is away is mapped", "");
	if (ret)
		return step_wrong(w, VERDICT_FAILED, "mapping the device", strerror(-ret));
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
	ret = pin_proc_touch(&s->h, MAP_MAIN, s->off);
	if (w->at_once)
		return DONE;
	if (dead && !ret)
		return step_wrong(w, VERDICT_NOT_REVOKED,
				  "a mapping can be touched with its device gone", "");
	if (dead || !ret)
		return DONE;
	return step_wrong(w, VERDICT_FAILED, "touching the mapping: SIGBUS", "");
}

static enum fate step_pin(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];
	bool dead = s->stale || w->device != BOUND;
	int ret;

	if (!s->mapped)
		return DONE;
	ret = pin_proc_pin(&s->h, 0, pin_method_find("vmsplice"), MAP_MAIN, s->off,
			   sysconf(_SC_PAGESIZE), 0, TAG_MEMORY);
	if (w->at_once) {
		s->pinned = !ret;
		return DONE;
	}
	if (dead)
		return ret ? DONE : step_wrong(w, VERDICT_NOT_REVOKED,
					       "a page of a device that is gone is pinned", "");
	if (ret)
		return step_wrong(w, VERDICT_FAILED, "pinning a page", s->h.why);
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
	ret = pin_proc_release(&s->h, 0);
	if (!ret)
		return DONE;
	return step_wrong(w, ret == -EILSEQ ? VERDICT_WRONG_DATA : VERDICT_FAILED,
			  "the pin's bytes", s->h.why[0] ? s->h.why : strerror(-ret));
}

enum fate step_unmap(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];

	if (!s->mapped)
		return DONE;
	s->mapped = false;
	return pin_proc_close(&s->h, MAP_MAIN) ? step_wrong(w, VERDICT_FAILED, "munmap()", "") : DONE;
}

/* the other half: the page that is worked on stays mapped */
static enum fate step_unmap_part(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];
	int ret = s->mapped ? pin_proc_unmap_part(&s->h, MAP_MAIN, MAP_BYTES / 2, MAP_BYTES / 2) : 0;

	return ret ? step_wrong(w, VERDICT_FAILED, "munmap() of a part", strerror(-ret)) : DONE;
}

static enum fate step_move(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];
	int ret = s->mapped ? pin_proc_move(&s->h, MAP_MAIN) : 0;

	return ret ? step_wrong(w, VERDICT_FAILED, "mremap()", strerror(-ret)) : DONE;
}

/* a child that has the pins and not the mapping */
static enum fate step_fork(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];
	int ret = pin_proc_fork_child(&s->h, &s->child);

	if (ret)
		return step_wrong(w, VERDICT_FAILED, "fork()", strerror(-ret));
	pthread_mutex_lock(&list_lock);
	guard_add_proc(w->c->guard, s->child);
	pthread_mutex_unlock(&list_lock);
	return DONE;
}

enum fate step_reap(struct world *w, unsigned int who)
{
	struct side *s = &w->side[who];

	if (!s->child)
		return DONE;
	kill(s->child, SIGKILL);
	pthread_mutex_lock(&list_lock);
	guard_drop_proc(w->c->guard, s->child);
	pthread_mutex_unlock(&list_lock);
	s->child = 0;
	return DONE;
}

void world_gone(struct world *w)
{
	w->device = AWAY;
	for (int i = 0; i < 2; i++)
		w->side[i].stale = w->side[i].mapped;
}

/* has what was under way returned?  With a pin out it must not. */
enum fate world_look(struct world *w, bool returned)
{
	if (!returned)
		return DONE;
	guard_set_op(w->c->guard, 0);
	world_gone(w);
	if (!pins_out(w))
		return DONE;
	w->early = true;
	return step_wrong(w, VERDICT_RETURNED_EARLY,
			  "it returned with a page pinned; expected to wait", "");
}

static int is_pinned(void *arg)
{
	return pins_out(arg);
}

static enum fate take_away(struct world *w, unsigned int who, const char *name, uint64_t usual)
{
	const struct action *a = action_find(name);
	struct guard *g = w->c->guard;
	int ret;

	if (w->device == LEAVING)
		return LEFT_OUT;
	if (w->device == AWAY) {
		/* whatever it says of what is not there, it may have gone further away */
		if (!a->first) {
			w->undo = a->undo;
			g->undo = a->undo;
		}
		guard_bind_call(g, a->run);
		return DONE;
	}
	g->mem = w->c->v;
	g->undo = a->undo;
	w->undo = a->undo;
	timeline_reset(&g->tl);
	ret = op_start(&w->op, &g->tl, a->run, &w->c->v);
	if (ret)
		return step_wrong(w, VERDICT_FAILED, "starting a process", strerror(-ret));
	guard_set_op(g, w->op.pid);
	w->device = LEAVING;
	w->leaver = who;
	w->op.usual_ns = usual;
	if (!pins_out(w)) {
		ret = op_wait(&w->op, OP_DEADLINE_NS);
		if (ret == -ETIMEDOUT)
			return step_wrong(w, VERDICT_NEVER_RETURNED, "it does not return",
				     w->op.wchan);
		world_look(w, true);
		return ret ? step_wrong(w, VERDICT_FAILED, "taking it away", strerror(-ret)) : DONE;
	}
	return world_look(w, op_watch(&w->op, is_pinned, w) == OP_RETURNED);
}

static enum fate bring_back(struct world *w)
{
	char why[WHY_LEN] = "";
	int ret;

	if (w->device == BOUND)
		return DONE;
	if (maps_open(w))
		return LEFT_OUT;
	ret = guard_bind_call(w->c->guard, w->undo);
	ret = ret ?: guard_again(w->c->guard, why, sizeof(why));
	if (ret)
		return step_wrong(w, ret == -ETIMEDOUT ? VERDICT_NEVER_RETURNED : VERDICT_FAILED,
			     "bringing it back", why[0] ? why : strerror(-ret));
	w->c->v = w->c->guard->mem;
	w->device = BOUND;
	return DONE;
}

static enum fate step_unbind(struct world *w, unsigned int who)
{
	return take_away(w, who, "unbind_device_dax", w->c->guard->usual_ns);
}

static enum fate step_destroy(struct world *w, unsigned int who)
{
	return take_away(w, who, "recreate_raw", 2 * w->c->guard->usual_ns);
}

static enum fate step_reconfigure(struct world *w, unsigned int who)
{
	return take_away(w, who, "recreate_fsdax", 2 * w->c->guard->usual_ns);
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
	read_all("dax", w->c->v.ns.dax);
	return DONE;
}

static enum fate step_read_nd(struct world *w, unsigned int who)
{
	(void)who;
	read_all("nd", w->c->v.ns.claim_dev);
	read_all("nd", w->c->v.ns.ndns);
	return DONE;
}

/* an operation that works on a page */
#define OF_PAGES(word, ...)							\
	{ .name = word, .pages = true, .step = { __VA_ARGS__ } }

/* one that takes the device away, and brings it back */
#define OF_DEVICE(word, action, ...)						\
	{ .name = word, .away = action, .step = { __VA_ARGS__ } }

const struct operation operations[] = {
	OF_PAGES("fault", { "map", step_map }, { "fault", step_fault }, { "unmap", step_unmap }),
	OF_PAGES("pin", { "map", step_map }, { "pin", step_pin }, { "unpin", step_unpin },
		 { "unmap", step_unmap }),
	OF_PAGES("unpin", { "map", step_map }, { "pin", step_pin }, { "unmap", step_unmap },
		 { "unpin", step_unpin }),
	OF_PAGES("fork", { "map", step_map }, { "fork", step_fork }, { "fault", step_fault },
		 { "reap", step_reap }, { "unmap", step_unmap }),
	OF_PAGES("munmap", { "map", step_map }, { "unmap", step_unmap }, { "map", step_map },
		 { "fault", step_fault }, { "unmap", step_unmap }),
	OF_PAGES("munmap_part", { "map", step_map }, { "fault", step_fault },
		 { "unmap part", step_unmap_part }, { "fault", step_fault },
		 { "unmap", step_unmap }),
	OF_PAGES("mremap", { "map", step_map }, { "fault", step_fault }, { "mremap", step_move },
		 { "fault", step_fault }, { "unmap", step_unmap }),
	{ .name = "sysfs", .step = { { "read dax", step_read_dax }, { "read nd", step_read_nd } } },
	OF_DEVICE("unbind", "unbind_device_dax", { "unbind", step_unbind },
		  { "bind", step_back }),
	OF_DEVICE("recreate", "recreate_raw",
		  { "destroy", step_destroy }, { "create", step_back }),
	OF_DEVICE("reconfigure", "recreate_fsdax",
		  { "to fsdax", step_reconfigure }, { "to devdax", step_back }),
};

const unsigned int nr_operations = ARRAY_SIZE(operations);

unsigned int steps_of(const struct operation *op)
{
	unsigned int n = 0;

	while (n < MOST_STEPS && op->step[n].name)
		n++;
	return n;
}

const struct operation *operation_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		if (strlen(operations[i].name) == len && !strncmp(operations[i].name, name, len))
			return &operations[i];
	return NULL;
}

/* the device bound and nobody near it, whatever the order was; false when it is lost */
bool world_tidy(struct world *w)
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
			pin_proc_release(&w->side[i].h, 0);
		w->side[i].pinned = false;
		step_reap(w, i);
	}
	if (w->device == LEAVING) {
		if (op_wait(&w->op, OP_DEADLINE_NS) == -ETIMEDOUT)
			return false;
		guard_set_op(g, 0);
		world_gone(w);
	}
	if (bring_back(w) != DONE)
		return false;
	if (!early)
		return true;
	return !guard_unbind_dax(g) && !guard_bind_dax(g);
}

bool world_begin(struct cell *c, struct world *w)
{
	char why[WHY_LEN] = "";
	int ret = level_find(&c->v.ns, LEVEL_DAX_PMEM, why, sizeof(why));
	struct side *s = &w->side[0];

	memset(w, 0, sizeof(*w));
	w->c = c;
	if (ret) {
		skip(c, "%s", why);
		return false;
	}
	for (int i = 0; i < 2; i++)
		if (!cell_pin_proc(c, &w->side[i].h))
			return false;
	ret = pin_proc_map(&s->h, MAP_MAIN, c->v.node, c->size, 0, MAP_BYTES,
			   PROT_READ | PROT_WRITE);
	ret = ret ?: pin_proc_fill(&s->h, MAP_MAIN, 0, WINDOW_BYTES, TAG_MEMORY);
	ret = ret ?: pin_proc_close(&s->h, MAP_MAIN);
	return expect_ok(c, ret, "filling the pages", s->h.why);
}

void world_lost(struct world *w)
{
	expect(w->c, w->kind == VERDICT_PASS ? VERDICT_FAILED : w->kind, false,
	       "%s: the device is lost", w->why[0] ? w->why : "putting things right");
	guard_set_wedged(w->c->guard);
}

void world_end(struct world *w)
{
	for (int i = 0; i < 2; i++)
		cell_pin_proc_end(w->c, &w->side[i].h);
}
