// SPDX-License-Identifier: GPL-2.0-only
/*
 * The steps that operations consist of, and the operations.
 */
#define _GNU_SOURCE
#include <assert.h>
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

/* the pin of all operations: any kernel can take it, and a child inherits it */
#define STEP_PIN_METHOD	"vmsplice"

/* races.c runs both actors in threads: for the guard's list of processes */
static pthread_mutex_t procs_lock = PTHREAD_MUTEX_INITIALIZER;

enum step_result step_wrong(struct interleave *il, enum verdict_kind kind, const char *what,
			    const char *why)
{
	il->kind = kind;
	snprintf(il->why, sizeof(il->why), "%s%s%s", what, why[0] ? ": " : "", why);
	return STEP_WRONG;
}

static enum step_result step_failed(struct interleave *il, const char *what, int ret)
{
	return step_wrong(il, VERDICT_FAILED, what, strerror(-ret));
}

bool interleave_pinned(const struct interleave *il)
{
	return il->actor[0].pinned || il->actor[1].pinned;
}

static bool is_mapped(const struct interleave *il)
{
	return il->actor[0].mapped || il->actor[1].mapped;
}

enum step_result step_map(struct interleave *il, unsigned int who)
{
	struct actor *a = &il->actor[who];
	int ret;

	if (il->device == DEVICE_LEAVING || (il->device == DEVICE_AWAY && is_mapped(il)))
		return STEP_LEFT_OUT;
	ret = pin_proc_map(&a->proc, MAP_MAIN, il->c->v.node, il->c->size, 0, MAP_BYTES,
			   PROT_READ | PROT_WRITE);
	if (il->device == DEVICE_AWAY)
		return ret ? STEP_DONE :
		       step_wrong(il, VERDICT_FAILED,
				  "mapping the device succeeded while it was away", "");
	if (ret)
		return step_failed(il, "mapping the device", ret);
	a->mapped = true;
	a->stale = false;
	return STEP_DONE;
}

static enum step_result step_fault(struct interleave *il, unsigned int who)
{
	struct actor *a = &il->actor[who];
	bool dead = a->stale || il->device != DEVICE_BOUND;
	int ret;

	if (!a->mapped)
		return STEP_DONE;
	ret = pin_proc_touch(&a->proc, MAP_MAIN, a->off);
	if (il->at_once)
		return STEP_DONE;
	if (dead && !ret)
		return step_wrong(il, VERDICT_NOT_REVOKED,
				  "touching the mapping of a device that is away succeeded; expected SIGBUS",
				  "");
	if (dead || !ret)
		return STEP_DONE;
	return step_wrong(il, VERDICT_FAILED, "touching the mapping raised SIGBUS", "");
}

enum step_result step_pin(struct interleave *il, unsigned int who)
{
	struct actor *a = &il->actor[who];
	bool dead = a->stale || il->device != DEVICE_BOUND;
	int ret;

	if (!a->mapped)
		return STEP_DONE;
	ret = pin_proc_pin(&a->proc, 0, pin_method_find(STEP_PIN_METHOD), MAP_MAIN, a->off,
			   sysconf(_SC_PAGESIZE), 0, TAG_MEMORY);
	if (il->at_once) {
		a->pinned = !ret;
		return STEP_DONE;
	}
	if (dead)
		return ret ? STEP_DONE :
		       step_wrong(il, VERDICT_NOT_REVOKED,
				  "pinning a page of a device that is away succeeded", "");
	if (ret)
		return step_wrong(il, VERDICT_FAILED, "pinning a page",
				  a->proc.why[0] ? a->proc.why : strerror(-ret));
	a->pinned = true;
	return STEP_DONE;
}

enum step_result step_unpin(struct interleave *il, unsigned int who)
{
	struct actor *a = &il->actor[who];
	int ret;

	if (!a->pinned)
		return STEP_DONE;
	a->pinned = false;
	ret = pin_proc_release(&a->proc, 0);
	if (ret == -EILSEQ)
		return step_wrong(il, VERDICT_WRONG_DATA, "the pinned bytes", a->proc.why);
	if (ret)
		return step_wrong(il, VERDICT_FAILED, "releasing the pin",
				  a->proc.why[0] ? a->proc.why : strerror(-ret));
	return STEP_DONE;
}

static enum step_result step_unmap(struct interleave *il, unsigned int who)
{
	struct actor *a = &il->actor[who];
	int ret;

	if (!a->mapped)
		return STEP_DONE;
	a->mapped = false;
	ret = pin_proc_close(&a->proc, MAP_MAIN);
	return ret ? step_failed(il, "munmap()", ret) : STEP_DONE;
}

/* the second half: the page that the actor works on stays mapped */
static enum step_result step_unmap_part(struct interleave *il, unsigned int who)
{
	struct actor *a = &il->actor[who];
	int ret;

	if (!a->mapped)
		return STEP_DONE;
	ret = pin_proc_unmap_part(&a->proc, MAP_MAIN, MAP_BYTES / 2, MAP_BYTES / 2);
	return ret ? step_failed(il, "munmap() of a part", ret) : STEP_DONE;
}

static enum step_result step_move(struct interleave *il, unsigned int who)
{
	struct actor *a = &il->actor[who];
	int ret;

	if (!a->mapped)
		return STEP_DONE;
	ret = pin_proc_move(&a->proc, MAP_MAIN);
	return ret ? step_failed(il, "mremap()", ret) : STEP_DONE;
}

/* the child inherits the pins and drops the mapping */
static enum step_result step_fork(struct interleave *il, unsigned int who)
{
	struct actor *a = &il->actor[who];
	int ret = pin_proc_fork_child(&a->proc, &a->child);

	if (ret)
		return step_failed(il, "fork()", ret);
	pthread_mutex_lock(&procs_lock);
	ret = guard_add_proc(il->c->guard, a->child);
	pthread_mutex_unlock(&procs_lock);
	return ret ? step_failed(il, "recording the child for the guardian", ret) : STEP_DONE;
}

enum step_result step_reap(struct interleave *il, unsigned int who)
{
	struct actor *a = &il->actor[who];

	if (!a->child)
		return STEP_DONE;
	kill(a->child, SIGKILL);
	pthread_mutex_lock(&procs_lock);
	guard_drop_proc(il->c->guard, a->child);
	pthread_mutex_unlock(&procs_lock);
	a->child = 0;
	return STEP_DONE;
}

void interleave_set_away(struct interleave *il)
{
	il->device = DEVICE_AWAY;
	for (int i = 0; i < 2; i++)
		il->actor[i].stale = il->actor[i].mapped;
}

enum step_result interleave_returned(struct interleave *il)
{
	guard_set_op(il->c->guard, 0);
	interleave_set_away(il);
	if (!interleave_pinned(il))
		return STEP_DONE;
	il->early = true;
	return step_wrong(il, VERDICT_RETURNED_EARLY,
			  "the action returned with a page pinned; expected it to wait", "");
}

static int is_pinned(void *arg)
{
	return interleave_pinned(arg);
}

/*
 * On a device that is away already the action may fail or succeed.  It may also remove
 * more than the first one did: then its own undo is needed.
 */
static enum step_result take_away_again(struct interleave *il, const struct action *a)
{
	struct guard *g = il->c->guard;

	if (!a->first) {
		il->undo = a->undo;
		guard_takes_away(g, &il->c->v, a->undo);
	}
	guard_bind_call(g, a->run);
	return STEP_DONE;
}

enum step_result step_take_away(struct interleave *il, unsigned int who)
{
	const struct action *a = action_find(il->actor[who].op->away);
	struct guard *g = il->c->guard;
	int ret;

	if (il->device == DEVICE_LEAVING)
		return STEP_LEFT_OUT;
	if (il->device == DEVICE_AWAY)
		return take_away_again(il, a);
	il->undo = a->undo;
	guard_takes_away(g, &il->c->v, a->undo);
	timeline_reset(&g->tl);
	ret = op_start(&il->task, &g->tl, a->run, &il->c->v);
	if (ret)
		return step_failed(il, "starting a process for the action", ret);
	guard_set_op(g, il->task.pid);
	il->device = DEVICE_LEAVING;
	il->unbinder = who;
	/* an action that is not a plain unbind does an unbind and more */
	il->task.usual_ns = a->first ? g->usual_ns : 2 * g->usual_ns;
	if (interleave_pinned(il))
		return op_watch(&il->task, is_pinned, il) == OP_RETURNED ?
		       interleave_returned(il) : STEP_DONE;
	ret = op_wait(&il->task, OP_DEADLINE_NS);
	if (ret == -ETIMEDOUT)
		return step_wrong(il, VERDICT_NEVER_RETURNED, "the action does not return",
				  il->task.wchan);
	interleave_returned(il);
	return ret ? step_failed(il, a->verb, ret) : STEP_DONE;
}

static enum step_result bring_back(struct interleave *il)
{
	struct guard *g = il->c->guard;
	char why[WHY_LEN] = "";
	int ret;

	if (il->device == DEVICE_BOUND)
		return STEP_DONE;
	if (is_mapped(il))
		return STEP_LEFT_OUT;
	ret = il->undo ? guard_bind_call(g, il->undo) : guard_bind_dax(g);
	if (ret)
		return step_wrong(il, ret == -ETIMEDOUT ? VERDICT_NEVER_RETURNED : VERDICT_FAILED,
				  "bringing the device back", strerror(-ret));
	ret = guard_find_again(g, why, sizeof(why));
	if (ret)
		return step_wrong(il, VERDICT_FAILED, "finding the device again",
				  why[0] ? why : strerror(-ret));
	il->c->v = g->mem;
	il->device = DEVICE_BOUND;
	return STEP_DONE;
}

static enum step_result step_bring_back(struct interleave *il, unsigned int who)
{
	if (il->device == DEVICE_LEAVING)
		return il->unbinder == who ? STEP_NOT_POSSIBLE : STEP_LEFT_OUT;
	return bring_back(il);
}

/* all attributes of a device; an attribute may refuse to be read */
static void read_attributes(const char *bus, const char *name)
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

static enum step_result step_read_dax(struct interleave *il, unsigned int who)
{
	read_attributes("dax", il->c->v.ns.dax);
	return STEP_DONE;
}

static enum step_result step_read_nd(struct interleave *il, unsigned int who)
{
	read_attributes("nd", il->c->v.ns.claim_dev);
	read_attributes("nd", il->c->v.ns.ndns);
	return STEP_DONE;
}

static const struct step map_step = { .name = "map", .run = step_map, .maps = true };
static const struct step fault_step = { .name = "fault", .run = step_fault };
static const struct step pin_step = { .name = "pin", .run = step_pin };
static const struct step unpin_step = { .name = "unpin", .run = step_unpin, .unpins = true };
static const struct step unmap_step = { .name = "unmap", .run = step_unmap };
static const struct step unmap_part_step = { .name = "unmap part", .run = step_unmap_part };
static const struct step move_step = { .name = "mremap", .run = step_move };
static const struct step fork_child_step = { .name = "fork", .run = step_fork };
static const struct step reap_child_step = { .name = "reap", .run = step_reap };
static const struct step read_dax_step = { .name = "read dax", .run = step_read_dax };
static const struct step read_nd_step = { .name = "read nd", .run = step_read_nd };
static const struct step unbind_step = { .name = "unbind", .run = step_take_away };
static const struct step bind_step = { .name = "bind", .run = step_bring_back };
static const struct step destroy_step = { .name = "destroy", .run = step_take_away };
static const struct step create_step = { .name = "create", .run = step_bring_back };
static const struct step to_fsdax_step = { .name = "to fsdax", .run = step_take_away };
static const struct step to_devdax_step = { .name = "to devdax", .run = step_bring_back };

static const struct operation operations[] = {
	{
		.name = "fault",
		.pages = true,
		.step = { &map_step, &fault_step, &unmap_step },
	}, {
		.name = "pin",
		.pages = true,
		.pins = true,
		.step = { &map_step, &pin_step, &unpin_step, &unmap_step },
	}, {
		.name = "unpin",
		.pages = true,
		.pins = true,
		.step = { &map_step, &pin_step, &unmap_step, &unpin_step },
	}, {
		.name = "fork",
		.pages = true,
		.step = {
			&map_step, &fork_child_step, &fault_step, &reap_child_step, &unmap_step
		},
	}, {
		.name = "munmap",
		.pages = true,
		.step = { &map_step, &unmap_step, &map_step, &fault_step, &unmap_step },
	}, {
		.name = "munmap_part",
		.pages = true,
		.step = {
			&map_step, &fault_step, &unmap_part_step, &fault_step, &unmap_step
		},
	}, {
		.name = "mremap",
		.pages = true,
		.step = { &map_step, &fault_step, &move_step, &fault_step, &unmap_step },
	}, {
		.name = "sysfs",
		.step = { &read_dax_step, &read_nd_step },
	}, {
		.name = "unbind",
		.away = "unbind_device_dax",
		.step = { &unbind_step, &bind_step },
	}, {
		.name = "recreate",
		.away = "recreate_raw",
		.step = { &destroy_step, &create_step },
	}, {
		.name = "reconfigure",
		.away = "recreate_fsdax",
		.step = { &to_fsdax_step, &to_devdax_step },
	},
};

static_assert(ARRAY_SIZE(operations) <= OPERATIONS, "OPERATIONS is too small");

unsigned int operation_steps(const struct operation *op)
{
	unsigned int n = 0;

	while (n < OPERATION_STEPS && op->step[n])
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

/* a reason, or NULL when this build has the action and the pin that @op needs */
static const char *operation_lacks(const struct operation *op)
{
	static const char absent[] = "not in this build";

	if (op->away) {
		const struct action *a = action_find(op->away);

		return a ? a->lacks : absent;
	}
	if (op->pins) {
		const struct pin_method *m = pin_method_find(STEP_PIN_METHOD);

		return m ? m->lacks : absent;
	}
	return NULL;
}

bool operation_present(struct cell *c, const struct operation *op)
{
	const char *lacks = operation_lacks(op);

	if (lacks)
		skip(c, "operation %s: %s", op->name, lacks);
	return !lacks;
}

/* drop all mappings and pins and bind the device; false when that fails */
static bool restore_device(struct interleave *il)
{
	struct guard *g = il->c->guard;
	bool early = il->early;

	if (il->kind == VERDICT_NEVER_RETURNED)
		return false;
	for (unsigned int i = 0; i < 2; i++)
		step_unmap(il, i);
	/* after an early return the pages need a memory map before they are unpinned */
	if (early && bring_back(il) != STEP_DONE)
		return false;
	for (unsigned int i = 0; i < 2; i++) {
		if (il->actor[i].pinned)
			pin_proc_release(&il->actor[i].proc, 0);
		il->actor[i].pinned = false;
		step_reap(il, i);
	}
	if (il->device == DEVICE_LEAVING) {
		if (op_wait(&il->task, OP_DEADLINE_NS) == -ETIMEDOUT)
			return false;
		guard_set_op(g, 0);
		interleave_set_away(il);
	}
	if (bring_back(il) != STEP_DONE)
		return false;
	if (!early)
		return true;
	return !guard_unbind_dax(g) && !guard_bind_dax(g);
}

void interleave_restore(struct interleave *il)
{
	if (restore_device(il))
		return;
	expect(il->c, il->kind == VERDICT_PASS ? VERDICT_FAILED : il->kind, false,
	       "%s: the device is lost", il->why[0] ? il->why : "restoring the device");
	guard_set_wedged(il->c->guard);
}

static void collect_operations(struct interleave *il)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		if (!operation_lacks(&operations[i]))
			il->ops[il->nr_ops++] = &operations[i];
}

static bool fill_pages(struct cell *c, struct pin_proc *h)
{
	int ret = pin_proc_map(h, MAP_MAIN, c->v.node, c->size, 0, MAP_BYTES,
			       PROT_READ | PROT_WRITE);

	if (!expect_ok(c, ret, "mapping the device", h->why))
		return false;
	ret = pin_proc_fill(h, MAP_MAIN, 0, teardown_window(), TAG_MEMORY);
	if (!expect_ok(c, ret, "filling the pages", h->why))
		return false;
	return expect_ok(c, pin_proc_close(h, MAP_MAIN), "unmapping the device", h->why);
}

bool interleave_setup(struct cell *c, struct interleave *il)
{
	char why[WHY_LEN] = "";

	memset(il, 0, sizeof(*il));
	il->c = c;
	collect_operations(il);
	if (level_find(&c->v.ns, LEVEL_DAX_PMEM, why, sizeof(why))) {
		skip(c, "%s", why);
		return false;
	}
	for (int i = 0; i < 2; i++)
		if (!cell_pin_proc(c, &il->actor[i].proc))
			return false;
	return fill_pages(c, &il->actor[0].proc);
}

void interleave_cleanup(struct interleave *il)
{
	for (int i = 0; i < 2; i++)
		cell_pin_proc_end(il->c, &il->actor[i].proc);
}
