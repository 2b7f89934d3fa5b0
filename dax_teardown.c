// SPDX-License-Identifier: GPL-2.0
/*
 * The ground taken away while pins are out: order of teardown.
 *
 * The rule is that of 71389703839e ("mm, zone_device: Replace {get,
 * put}_zone_device_page() with a single reference to fix pmem crash"): a driver
 * may be unbound while page references are out; the kernel revokes the mappings,
 * waits for the last reference, and only then releases the memory map.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite_harness.h"

#define TAG_SINK	0x5000	/* what a pin brings into the memory, plus its slot */

/* A pin that a clock ends is tried with a short hold and, if that was over
 * before the action came to rest, once more with a long one.
 */
static const uint64_t hold_ns[] = { 250 * NSEC_PER_MSEC, 2500 * NSEC_PER_MSEC };

/* Revocation comes before the wait: if it is not there by now, it is missing. */
#define REVOKE_NS	(2 * NSEC_PER_SEC)

/* Pins lie in this much of the device's start; it is checked word by word. */
#define WINDOW_BYTES	(256u << 10)

/* Between two words looked at when not every byte is. */
#define SAMPLE_BYTES	(64u << 10)

/* Enough for a dozen rounds under TCG; DAX_TEST_TIME asks for more. */
#define RANDOM_SECONDS	2.0

/* Unbind and bind under load, so often in one cell. */
#define USED_ROUNDS	3

/* map slots of a holder */
enum { MAP_MAIN, MAP_AGAIN, MAP_WHOLE };

/**
 * struct scene - what a scenario has set up
 * @c: its cell
 * @h: holder of the pins
 * @viewer: another process that only maps; pid 0 when there is none
 * @node: the device node that is opened
 * @actor: the action
 * @rule: what the order has to be
 * @nr_pins: pins taken
 * @sink: the pin has brought a pattern of its own
 * @off: where each begins, bytes from the device's start
 * @method: how each was taken
 * @heir: process that inherited them, 0 when there is none
 * @len: bytes of one pin
 * @map_len: bytes mapped by h in MAP_MAIN
 */
struct scene {
	struct cell *c;
	struct holder h;
	struct holder viewer;
	const char *node;
	struct actor actor;
	struct timeline_rule rule;
	unsigned int nr_pins;
	size_t off[HOLDER_PINS];
	bool sink[HOLDER_PINS];
	const struct pin_method *method[HOLDER_PINS];
	pid_t heir;
	size_t len;
	size_t map_len;
};

static size_t page(void)
{
	return sysconf(_SC_PAGESIZE);
}

/* guard->filled: devices that hold TAG_MEMORY's pattern from end to end */
static uint32_t filled_bit(const struct cell *c)
{
	return 1u << (c->size + (c->v.map_dev ? DAXMAP_NR : 0));
}

static bool fill_whole(struct scene *s)
{
	struct cell *c = s->c;
	uint32_t bit = filled_bit(c);
	int ret;

	if (c->guard->filled & bit)
		return true;
	ret = holder_map(&s->h, MAP_WHOLE, s->node, c->size, 0, 0, PROT_READ | PROT_WRITE);
	if (!ret)
		ret = holder_fill(&s->h, MAP_WHOLE, 0, c->v.size, TAG_MEMORY);
	if (!ret)
		ret = holder_close(&s->h, MAP_WHOLE);
	if (!expect_ok(c, ret, "filling the device", s->h.why))
		return false;
	c->guard->filled |= bit;
	return true;
}

/* a holder with one fresh mapping, its page size proven */
static bool arrange_node(struct cell *c, struct scene *s, const char *node)
{
	unsigned long faults = 0;
	int ret;

	memset(s, 0, sizeof(*s));
	s->c = c;
	s->node = node;
	s->len = page();
	s->map_len = c->size == DAXMAP_PUD ? daxmap_bytes(DAXMAP_PUD) :
					     2 * daxmap_bytes(DAXMAP_PMD);
	s->rule = (struct timeline_rule){
		.revoke = true,
		.action = c->action ? c->action->verb : "unbind",
	};
	if (!cell_holder(c, &s->h) || !fill_whole(s))
		return false;
	ret = holder_map(&s->h, MAP_MAIN, node, c->size, 0, s->map_len,
			 PROT_READ | PROT_WRITE);
	if (!expect_ok(c, ret, "mapping the device", ""))
		return false;
	ret = holder_prove(&s->h, MAP_MAIN, &faults);
	return expect(c, VERDICT_FAILED, !ret,
		      "touching %zu KiB took %lu faults; expected %zu, one for each %s",
		      s->map_len >> 10, faults, s->map_len / daxmap_bytes(c->size),
		      daxmap_name(c->size));
}

static bool arrange(struct cell *c, struct scene *s)
{
	return arrange_node(c, s, c->v.node);
}

/* one more pin; pins lie in pages of their own, away from the start */
static bool take_pin(struct scene *s, const struct pin_method *m, uint64_t hold)
{
	struct pin_counters before = { 0 }, after = { 0 };
	unsigned int slot = s->nr_pins;
	size_t off = (3 + 2 * slot) * page();
	bool counted = !pin_counters_read(&before);
	int ret;

	ret = holder_pin(&s->h, slot, m, MAP_MAIN, off, s->len, hold,
			 m->flags & PIN_SINK ? TAG_SINK + slot : TAG_MEMORY);
	if (ret == -EOPNOTSUPP) {
		skip(s->c, "%s: %s", m->name, s->h.why[0] ? s->h.why : strerror(-ret));
		return false;
	}
	if (!expect_ok(s->c, ret, "taking the pin", s->h.why))
		return false;
	s->off[slot] = off;
	s->method[slot] = m;
	s->sink[slot] = m->flags & PIN_SINK;
	s->nr_pins++;
	s->rule.pins = s->nr_pins;
	ret = holder_live(&s->h, slot);
	if (ret != 1 && (m->flags & PIN_TIMED))
		return true;
	if (!expect(s->c, VERDICT_FAILED, ret == 1, "the pin is not out right after it was taken"))
		return false;
	timeline_mark(&s->c->guard->tl, TL_PINNED);
	if (counted && !pin_counters_read(&after))
		note(s->c, "%s at %zu KiB, %zu bytes: %llu pages counted by nr_foll_pin_acquired",
		     m->name, off >> 10, s->len,
		     (unsigned long long)(after.acquired - before.acquired));
	return true;
}

/* is any pin still out? asked while the action is watched */
static int any_live(void *arg)
{
	struct scene *s = arg;

	if (s->heir)
		return !kill(s->heir, 0);
	for (unsigned int i = 0; i < s->nr_pins; i++) {
		int ret;

		if (!s->method[i])
			continue;
		ret = holder_live(&s->h, i);
		if (ret)
			return ret;
	}
	return 0;
}

static bool start_action(struct scene *s)
{
	struct cell *c = s->c;
	int ret = actor_start(&s->actor, &c->guard->tl, c->action->run, &c->v);

	guard_set_actor(c->guard, ret ? 0 : s->actor.pid);
	return expect_ok(c, ret, "starting the action", "");
}

static enum actor_state watch_action(struct scene *s)
{
	return actor_watch(&s->actor, s->rule.pins ? any_live : NULL, s);
}

static void report_order(struct scene *s)
{
	struct guard *g = s->c->guard;
	char text[1024];

	timeline_text(&g->tl, text, sizeof(text));
	note(s->c, "order: %s", text);
	if (!g->ktrace.group[0])
		return;
	if (ktrace_read(&g->ktrace, 0, timeline_at(&g->tl, TL_STARTED), text, sizeof(text)) > 0)
		note_lines(s->c, "inside the kernel", text);
}

/* judge and, if it is a failure, say so before anything touches the pin */
static enum verdict_kind judge(struct scene *s)
{
	char text[256];
	enum verdict_kind kind = timeline_judge(&s->c->guard->tl, &s->rule, text, sizeof(text));

	if (kind == VERDICT_PASS || kind == VERDICT_UNPROVEN)
		return kind;
	expect(s->c, kind, false, "%s", text);
	report_order(s);
	if (kind == VERDICT_NEVER_RETURNED) {
		actor_look(&s->actor);
		note(s->c, "wchan of the stuck task: %s", s->actor.wchan);
		note_lines(s->c, "its stack", s->actor.stack);
	}
	return kind;
}

/* the same, while the pins are still out: only an early return is a verdict */
static enum verdict_kind judge_early(struct scene *s)
{
	const struct timeline *tl = &s->c->guard->tl;

	if (!s->rule.pins || !timeline_at(tl, TL_RETURNED) ||
	    timeline_at(tl, TL_LIVE) < timeline_at(tl, TL_RETURNED))
		return VERDICT_PASS;
	return judge(s);
}

/* wait for what must come before the wait for the pin */
static void await_revocation(struct scene *s)
{
	if (s->rule.revoke)
		timeline_wait_for(&s->c->guard->tl, TL_REVOKED, REVOKE_NS);
}

static bool let_go(struct scene *s, unsigned int slot)
{
	int ret = holder_release(&s->h, slot);

	s->method[slot] = NULL;
	return expect_ok(s->c, ret, "the pin's bytes", s->h.why);
}

static void let_go_all(struct scene *s)
{
	for (unsigned int i = 0; i < s->nr_pins; i++)
		if (s->method[i])
			let_go(s, i);
}

/*
 * No descriptor or mapping from before may be there when the device is bound
 * again: probing initialises the same struct cdev once more, whoever still holds
 * it.  That is the subject of the close_* cells, and must not be the accident of
 * all others.
 */
static void drop_mappings(struct scene *s)
{
	if (s->h.pid > 0)
		holder_close(&s->h, MAP_MAIN);
	if (s->viewer.pid > 0)
		holder_close(&s->viewer, MAP_MAIN);
}

/*
 * After an early return the pins lie on a memory map that is gone.  Binding
 * first brings it back under them; guard_settle() then resets the page state.
 */
static void defuse(struct scene *s)
{
	struct cell *c = s->c;
	const char *how = getenv("DAX_TEST_RELEASE") ?: "defuse";

	if (!strcmp(how, "park")) {
		guard_drop_holder(c->guard, s->h.pid);
		c->guard->busy = false;
		guard_set_wedged(c->guard);
		note(c, "process %d keeps the pins until reboot; %s stays unbound", s->h.pid,
		     c->v.dax);
		s->h.pid = 0;
		return;
	}
	c->guard->dirty = true;
	drop_mappings(s);
	if (strcmp(how, "raw"))
		guard_bind_call(c->guard, c->action->undo);
	for (unsigned int i = 0; i < s->nr_pins; i++) {
		if (!s->method[i])
			continue;
		if (holder_release(&s->h, i))
			note(c, "release after the early return: %s", s->h.why);
		s->method[i] = NULL;
	}
}

/* what pins wrote is where it belongs; then the memory is as before */
static void check_sinks(struct scene *s)
{
	for (unsigned int i = 0; i < s->nr_pins; i++) {
		int ret;

		if (!s->sink[i])
			continue;
		ret = holder_check(&s->h, MAP_AGAIN, s->off[i], s->len, TAG_SINK + i);
		expect_ok(s->c, ret, "bytes that the pin brought", s->h.why);
		holder_fill(&s->h, MAP_AGAIN, s->off[i], s->len, TAG_MEMORY);
	}
}

/* the window's bytes back to what they are between cells */
static void refill_window(struct scene *s)
{
	int ret = holder_map(&s->h, MAP_AGAIN, s->node, s->c->size, 0, 0,
			     PROT_READ | PROT_WRITE);

	ret = ret ?: holder_fill(&s->h, MAP_AGAIN, 0, WINDOW_BYTES, TAG_MEMORY);
	expect_ok(s->c, ret, "refilling the window", "");
}

/* the device is back: the same, with the same bytes but for what pins wrote */
static void check_again(struct scene *s)
{
	struct cell *c = s->c;
	char why[160] = "";
	int ret;

	if (!expect_ok(c, victim_same(&c->v, why, sizeof(why)), "the device after bind", why))
		return;
	ret = holder_map(&s->h, MAP_AGAIN, s->node, c->size, 0, 0, PROT_READ | PROT_WRITE);
	if (!expect_ok(c, ret, "mapping after bind", ""))
		return;
	check_sinks(s);
	ret = holder_check(&s->h, MAP_AGAIN, 0, WINDOW_BYTES, TAG_MEMORY);
	expect_ok(c, ret, "bytes around the pins after bind", s->h.why);
	ret = holder_sample(&s->h, MAP_AGAIN, WINDOW_BYTES, c->v.size - WINDOW_BYTES,
			    SAMPLE_BYTES, TAG_MEMORY);
	expect_ok(c, ret, "bytes of the device after bind", s->h.why);
}

/* the mapping from before stays dead until the next bind */
static void check_dead(struct scene *s)
{
	struct holder *h = s->viewer.pid > 0 ? &s->viewer : &s->h;

	if (s->rule.revoke && h->pid > 0)
		expect(s->c, VERDICT_NOT_REVOKED,
		       holder_touch(h, MAP_MAIN, 0) == -EFAULT,
		       "the old mapping can be touched again after %s; expected SIGBUS until the next bind",
		       s->rule.action);
}

static bool bind_only(struct scene *s)
{
	int ret = guard_bind_call(s->c->guard, s->c->action->undo);

	return expect(s->c, ret == -ETIMEDOUT ? VERDICT_NEVER_RETURNED : VERDICT_FAILED, !ret,
		      "bind: %s", strerror(-ret));
}

static bool bind_again(struct scene *s)
{
	drop_mappings(s);
	return bind_only(s);
}

/*
 * From the start of the action to the device bound again and checked.  Without
 * pins the action just has to return; with pins it has to wait for them.
 */
static enum verdict_kind act(struct scene *s)
{
	enum verdict_kind kind;
	enum actor_state state;

	if (!start_action(s))
		return s->c->verdict;
	state = watch_action(s);
	if (state != ACTOR_RETURNED)
		await_revocation(s);
	kind = judge_early(s);
	if (kind == VERDICT_RETURNED_EARLY) {
		await_revocation(s);
		defuse(s);
		return kind;
	}
	let_go_all(s);
	actor_wait(&s->actor, ACTOR_DEADLINE_NS);
	await_revocation(s);
	kind = judge(s);
	if (kind == VERDICT_NEVER_RETURNED)
		return kind;
	guard_set_actor(s->c->guard, 0);
	check_dead(s);
	if (bind_again(s))
		check_again(s);
	return kind;
}

static void finish(struct scene *s)
{
	/* a cell that broke off may have left a pin's bytes behind */
	if (cell_over(s->c))
		s->c->guard->filled &= ~filled_bit(s->c);
	cell_holder_end(s->c, &s->viewer);
	cell_holder_end(s->c, &s->h);
}

/* what a scenario does to the scene between the pin and the action */
typedef bool (*prepare_fn)(struct scene *s);

static bool watch_mapping(struct scene *s)
{
	return expect_ok(s->c, holder_watch(&s->h, MAP_MAIN, 0), "watching the mapping", "");
}

static bool unmap_first(struct scene *s)
{
	s->rule.revoke = false;
	return expect_ok(s->c, holder_unmap(&s->h, MAP_MAIN), "munmap with the pin out", "");
}

/* the holder of the pin keeps nothing of the device; another process maps it */
static bool another_process(struct scene *s)
{
	struct cell *c = s->c;
	int ret;

	if (!expect_ok(c, holder_close(&s->h, MAP_MAIN), "close with the pin out", ""))
		return false;
	if (!cell_holder(c, &s->viewer))
		return false;
	ret = holder_map(&s->viewer, MAP_MAIN, c->v.node, c->size, 0, daxmap_bytes(c->size),
			 PROT_READ | PROT_WRITE);
	ret = ret ?: holder_watch(&s->viewer, MAP_MAIN, 0);
	return expect_ok(c, ret, "mapping in the other process", "");
}

/*
 * One pin by the cell's method, then the action.  A pin that a clock ends may
 * be over too soon on a loaded machine: once more, with a longer hold.
 */
static void one_pin(struct cell *c, prepare_fn prepare)
{
	enum verdict_kind kind = VERDICT_UNPROVEN;
	struct scene s;

	for (size_t i = 0; i < ARRAY_SIZE(hold_ns) && kind == VERDICT_UNPROVEN; i++) {
		timeline_reset(&c->guard->tl);
		if (arrange(c, &s) && take_pin(&s, c->method, hold_ns[i]) && prepare(&s))
			kind = act(&s);
		finish(&s);
		if (cell_over(c) || !(c->method->flags & PIN_TIMED))
			break;
	}
	if (kind == VERDICT_UNPROVEN)
		skip(c, "the pin was over before it could be seen to hold up %s",
		     c->action->verb);
}

static void pinned(struct cell *c)
{
	one_pin(c, watch_mapping);
}

static void pinned_unmapped(struct cell *c)
{
	one_pin(c, unmap_first);
}

static void pinned_by_another(struct cell *c)
{
	one_pin(c, another_process);
}

static void mapping_only(struct cell *c)
{
	struct scene s;

	if (arrange(c, &s) && watch_mapping(&s))
		act(&s);
	finish(&s);
}

/* the pin's holder dies of SIGKILL while the action waits for the pin */
static void killed(struct cell *c)
{
	struct timeline *tl = &c->guard->tl;
	enum actor_state state;
	struct scene s;

	if (!arrange(c, &s) || !take_pin(&s, c->method, hold_ns[0]) || !start_action(&s))
		goto out;
	s.rule.revoke = false;
	state = watch_action(&s);
	if (state == ACTOR_RETURNED && judge_early(&s) == VERDICT_RETURNED_EARLY) {
		defuse(&s);
		goto out;
	}
	timeline_mark(tl, TL_RELEASING);
	holder_kill(&s.h);
	/* the dying process waits for I/O that only dm-delay can hand on */
	pin_targets_flush(&c->guard->targets);
	actor_wait(&s.actor, ACTOR_DEADLINE_NS);
	if (judge(&s) == VERDICT_NEVER_RETURNED)
		return;
	guard_set_actor(c->guard, 0);
	if (expect_ok(c, holder_reap(&s.h, ACTOR_DEADLINE_NS), "the killed holder's end", ""))
		memset(c->guard->holder, 0, sizeof(c->guard->holder));
	memset(s.method, 0, sizeof(s.method));
	memset(s.sink, 0, sizeof(s.sink));
	if (bind_again(&s) && cell_holder(c, &s.h))
		refill_window(&s);
out:
	finish(&s);
}

/* pipes and rings are inherited: the pin outlives the process that took it */
static void inherited(struct cell *c)
{
	struct timeline *tl = &c->guard->tl;
	struct scene s;
	pid_t heir = 0;
	int ret;

	if (!arrange(c, &s) || !take_pin(&s, c->method, 0))
		goto out;
	ret = holder_heir(&s.h, &heir);
	if (!expect_ok(c, ret, "forking the heir", ""))
		goto out;
	guard_add_holder(c->guard, heir);
	s.heir = heir;
	s.rule.revoke = false;
	holder_kill(&s.h);
	holder_reap(&s.h, ACTOR_DEADLINE_NS);
	if (!start_action(&s))
		goto out;
	if (watch_action(&s) == ACTOR_RETURNED && judge_early(&s) == VERDICT_RETURNED_EARLY) {
		/* only the heir's end lets go, and it must not come before bind */
		c->guard->dirty = true;
		goto out;
	}
	timeline_mark(tl, TL_RELEASING);
	kill(heir, SIGKILL);
	actor_wait(&s.actor, ACTOR_DEADLINE_NS);
	if (judge(&s) == VERDICT_NEVER_RETURNED)
		return;
	guard_set_actor(c->guard, 0);
	bind_again(&s);
out:
	finish(&s);
}

/* methods to hold several pins with, of different kinds, let go one by one */
static const char *const several_methods[] = {
	"vmsplice", "uring_fixed", "odirect_write_dmdelay", "vmsplice",
};

static void several(struct cell *c)
{
	struct scene s;
	unsigned int i;

	if (!arrange(c, &s) || !watch_mapping(&s))
		goto out;
	for (i = 0; i < ARRAY_SIZE(several_methods); i++) {
		take_pin(&s, pin_method_find(several_methods[i]), 0);
		/* what this kernel refuses is left out; the others remain */
		c->skipped = false;
		if (cell_over(c))
			goto out;
	}
	if (s.nr_pins < 2) {
		skip(c, "fewer than two methods can hold a pin here");
		goto out;
	}
	if (!start_action(&s))
		goto out;
	/* each time but the last the action has to go on waiting */
	for (i = 0; i < s.nr_pins; i++) {
		s.rule.pins = s.nr_pins - i;
		watch_action(&s);
		await_revocation(&s);
		if (judge_early(&s) == VERDICT_RETURNED_EARLY) {
			defuse(&s);
			goto out;
		}
		let_go(&s, i);
	}
	actor_wait(&s.actor, ACTOR_DEADLINE_NS);
	if (judge(&s) == VERDICT_NEVER_RETURNED)
		return;
	guard_set_actor(c->guard, 0);
	check_dead(&s);
	if (bind_again(&s))
		check_again(&s);
out:
	finish(&s);
}

static bool start_hammer(struct scene *s)
{
	int ret = holder_map(&s->h, MAP_MAIN, s->node, s->c->size, 0, s->map_len,
			     PROT_READ | PROT_WRITE);

	ret = ret ?: holder_hammer(&s->h, MAP_MAIN);
	return expect_ok(s->c, ret, "starting the writer", "");
}

/* the threads' mappings must not be there when the device is bound again */
static bool pause_worker(struct scene *s, unsigned long *rounds)
{
	int ret = holder_calm(&s->h, rounds);

	drop_mappings(s);
	return expect_ok(s->c, ret, "stopping the threads", "");
}

static bool start_mappers(struct scene *s)
{
	int ret = 0;

	s->rule.revoke = false;
	for (int i = 0; !ret && i < 2; i++)
		ret = holder_churn(&s->h, s->node, s->c->size, false);
	/* each has opened before the action begins */
	ret = ret ?: holder_round(&s->h);
	return expect_ok(s->c, ret, "starting the mappers", "");
}

/*
 * dax_open() takes what dax_get_private() gives it, and that is nothing between
 * kill_dax() and cdev_del(): such a descriptor's mmap() is a NULL dereference
 * under dax_read_lock(), after which no unbind ever returns.
 */
static bool start_openers(struct scene *s)
{
	unsigned long none;
	int ret = holder_calm(&s->h, &none);

	/* nothing of the holder's own is mapped: the threads come and go */
	s->rule.revoke = false;
	for (int i = 0; !ret && i < 2; i++)
		ret = holder_churn(&s->h, s->node, s->c->size, true);
	return expect_ok(s->c, ret, "starting the openers", "");
}

/* they go on, but what they had open before the action is closed */
static bool pause_openers(struct scene *s, unsigned long *rounds)
{
	int ret = holder_round(&s->h);

	*rounds = 1;
	if (ret != -ETIMEDOUT)
		return cell_holder_ok(s->c, ret, "waiting for the openers", &s->h);
	return cell_holder_stuck(s->c, "a thread that opens and maps the device during unbind never comes back; expected ENXIO or SIGBUS",
				 &s->h);
}

/* threads use the device all the while: before, during and after the action */
static void while_used(struct cell *c, prepare_fn start,
		       bool (*pause)(struct scene *s, unsigned long *rounds))
{
	unsigned long rounds = 0;
	struct scene s;

	if (!arrange(c, &s))
		goto out;
	drop_mappings(&s);
	for (int i = 0; i < USED_ROUNDS && !cell_over(c); i++) {
		timeline_reset(&c->guard->tl);
		if (!start(&s) || !start_action(&s))
			goto out;
		actor_wait(&s.actor, ACTOR_DEADLINE_NS);
		await_revocation(&s);
		if (judge(&s) == VERDICT_NEVER_RETURNED)
			return;
		guard_set_actor(c->guard, 0);
		if (!pause(&s, &rounds) || !bind_only(&s))
			goto out;
		expect(c, VERDICT_FAILED, rounds, "the threads never got round");
	}
	expect_ok(c, holder_calm(&s.h, &rounds), "ending the threads", s.h.why);
	check_again(&s);
out:
	finish(&s);
}

static void while_written(struct cell *c)
{
	while_used(c, start_hammer, pause_worker);
}

static void while_mapped(struct cell *c)
{
	while_used(c, start_mappers, pause_worker);
}

static void while_opened(struct cell *c)
{
	while_used(c, start_openers, pause_openers);
}

/* when descriptors and mappings from before an unbind are closed */
enum outlive { CLOSE_AFTER_BIND, CLOSE_BEFORE_BIND, CLOSE_MIXED };

/*
 * A bind under an open descriptor initialises a struct cdev that is in use: its
 * list of inodes and its reference count start anew (dev_dax_probe(), cdev_init()).
 * Closing the descriptor then takes the count to zero under the new device,
 * which cannot be opened any more, and the inode is left on a list that has
 * forgotten it.  So that only an inode of our own is lost where that happens, the
 * device is opened through a private node, after a round of unbind and bind has
 * taken all others off the list.
 */
static bool arrange_private(struct cell *c, struct scene *s)
{
	int ret = guard_bind_call(c->guard, victim_unbind);

	memset(s, 0, sizeof(*s));
	s->c = c;
	ret = ret ?: guard_bind_call(c->guard, victim_bind);
	ret = ret ?: guard_make_node(c->guard);
	if (!expect_ok(c, ret, "making a private node", ""))
		return false;
	return arrange_node(c, s, c->guard->node);
}

/* can the device still be opened now that what was there before is closed? */
static bool opens_again(struct scene *s)
{
	struct cell *c = s->c;
	int ret = holder_map(&s->h, MAP_AGAIN, s->node, c->size, 0, 0, PROT_READ);

	if (!expect(c, VERDICT_FAILED, !ret,
		    "opening the device after an old descriptor was closed: %s; expected to open, as after any bind",
		    strerror(-ret)))
		return false;
	ret = holder_check(&s->h, MAP_AGAIN, 0, WINDOW_BYTES, TAG_MEMORY);
	return expect_ok(c, ret, "bytes after the old descriptors are closed", s->h.why);
}

/* through the old mapping nothing but SIGBUS or the device's own bytes */
static void check_old_mapping(struct scene *s)
{
	int ret = holder_touch(&s->viewer, MAP_MAIN, 0);

	note(s->c, "after the next bind the old mapping %s",
	     ret ? "still raises SIGBUS" : "can be touched again");
	if (!ret)
		expect_ok(s->c, holder_check(&s->viewer, MAP_MAIN, 0, WINDOW_BYTES, TAG_MEMORY),
			  "bytes through the old mapping", s->viewer.why);
}

/*
 * Two processes' descriptors and mappings from before the unbind.  Afterwards
 * the device must open, unbind, bind and serve once more.
 */
static void outlive(struct cell *c, enum outlive when)
{
	struct scene s;
	int ret;

	if (!arrange_private(c, &s) || !cell_holder(c, &s.viewer))
		goto out;
	ret = holder_map(&s.viewer, MAP_MAIN, s.node, c->size, 0, s.map_len,
			 PROT_READ | PROT_WRITE);
	ret = ret ?: holder_touch(&s.viewer, MAP_MAIN, 0);
	ret = ret ?: holder_watch(&s.h, MAP_MAIN, 0);
	if (!expect_ok(c, ret, "mapping in two processes", "") || !start_action(&s))
		goto out;
	actor_wait(&s.actor, ACTOR_DEADLINE_NS);
	await_revocation(&s);
	if (judge(&s) == VERDICT_NEVER_RETURNED)
		return;
	guard_set_actor(c->guard, 0);
	check_dead(&s);
	if (when != CLOSE_AFTER_BIND)
		holder_close(&s.h, MAP_MAIN);
	if (when == CLOSE_BEFORE_BIND)
		holder_close(&s.viewer, MAP_MAIN);
	else
		c->guard->node_damaged = true;
	if (!bind_only(&s))
		goto out;
	if (when != CLOSE_BEFORE_BIND)
		check_old_mapping(&s);
	/* one by one: a count that goes below zero does not refuse any more */
	holder_close(&s.h, MAP_MAIN);
	if (opens_again(&s)) {
		holder_close(&s.h, MAP_AGAIN);
		holder_close(&s.viewer, MAP_MAIN);
		opens_again(&s);
	}
	if (cell_over(c)) {
		note(c, "%s stays until reboot: to evict its inode would bring the kernel down",
		     c->guard->node);
		/* another bind starts the count anew, without descriptors */
		c->guard->dirty = true;
		goto out;
	}
	c->guard->node_damaged = false;
	holder_close(&s.h, MAP_AGAIN);
	timeline_reset(&c->guard->tl);
	s.rule.revoke = false;
	act(&s);
out:
	finish(&s);
	guard_drop_node(c->guard);
}

static void close_after_bind(struct cell *c)
{
	outlive(c, CLOSE_AFTER_BIND);
}

static void close_before_bind(struct cell *c)
{
	outlive(c, CLOSE_BEFORE_BIND);
}

static void close_mixed(struct cell *c)
{
	outlive(c, CLOSE_MIXED);
}

/* not a sample: every word of the device, before and after */
static void every_byte(struct cell *c)
{
	struct scene s;
	int ret;

	if (!arrange(c, &s) || !watch_mapping(&s) || act(&s) != VERDICT_PASS)
		goto out;
	holder_close(&s.h, MAP_AGAIN);
	ret = holder_map(&s.h, MAP_WHOLE, c->v.node, c->size, 0, 0, PROT_READ);
	ret = ret ?: holder_check(&s.h, MAP_WHOLE, 0, c->v.size, TAG_MEMORY);
	expect_ok(c, ret, "every byte of the device", s.h.why);
out:
	finish(&s);
}

static bool can_hold(const struct pin_method *m)
{
	return m->flags & PIN_HELD;
}

/* held until it is let go, not until a clock says so */
static bool can_hold_on(const struct pin_method *m)
{
	return (m->flags & (PIN_HELD | PIN_TIMED)) == PIN_HELD;
}

/* a clock says so; each cell takes that long */
static bool can_hold_a_while(const struct pin_method *m)
{
	return (m->flags & PIN_HELD) && (m->flags & PIN_TIMED);
}

static bool can_be_inherited(const struct pin_method *m)
{
	return can_hold(m) && (m->flags & PIN_OUTLIVES);
}

static bool is_vmsplice(const struct pin_method *m)
{
	return !strcmp(m->name, "vmsplice");
}

/* xorshift64*: repeatable everywhere, and good enough to pick scenarios with */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static bool random_round(struct cell *c, uint64_t *rnd)
{
	unsigned int want = next_random(rnd) % 4;
	struct scene s;
	bool go_on;

	timeline_reset(&c->guard->tl);
	if (!arrange(c, &s))
		goto out;
	if (next_random(rnd) % 2) {
		if (!watch_mapping(&s))
			goto out;
	} else {
		s.rule.revoke = false;
	}
	while (want && !cell_over(c)) {
		unsigned int nr = 0, pick;
		const struct pin_method *m;

		for (m = pin_methods; m->name; m++)
			nr += can_hold_on(m);
		pick = next_random(rnd) % nr;
		for (m = pin_methods; !can_hold_on(m) || pick--; m++)
			;
		take_pin(&s, m, 0);
		c->skipped = false;
		want--;
	}
	if (!cell_over(c))
		act(&s);
out:
	go_on = !cell_over(c);
	finish(&s);
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

static const struct scenario scenarios[] = {
	{
		.name = "",
		.what = "mapped, no pin: returns; touching is SIGBUS until the next bind",
		.sizes = AT_ALL, .actions = EVERY_ACTION, .run = mapping_only,
	}, {
		.name = "",
		.what = "one pin out: the mapping is revoked, the action waits for the pin",
		.sizes = AT_ALL, .actions = EVERY_ACTION, .wants = can_hold_on, .run = pinned,
	}, {
		.name = "",
		.what = "one pin out, which a clock ends: the action waits for it",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .wants = can_hold_a_while,
		.run = pinned,
	}, {
		.name = "unmapped",
		.what = "the pin outlives its mapping: the action waits all the same",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .wants = can_hold,
		.run = pinned_unmapped,
	}, {
		.name = "by_another",
		.what = "one process holds the pin, another the mapping",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .wants = can_hold_on,
		.run = pinned_by_another,
	}, {
		.name = "killed",
		.what = "the pin's holder is killed while the action waits: it returns",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .wants = can_hold_on, .run = killed,
	}, {
		.name = "inherited",
		.what = "the pin is left to a child, its taker is dead: the action waits",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .wants = can_be_inherited,
		.run = inherited,
	}, {
		.name = "let_go_one_by_one",
		.what = "several pins by several methods: the action waits for the last",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .pin_word = "several", .run = several,
	}, {
		.name = "while_written",
		.what = "a thread writes the mapping all the while",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .run = while_written,
	}, {
		.name = "while_mapped",
		.what = "threads map, fault and unmap an open descriptor all the while",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .run = while_mapped,
	}, {
		.name = "close_after_bind",
		.what = "descriptors and mappings from before are closed after the next bind",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .run = close_after_bind,
	}, {
		.name = "close_before_bind",
		.what = "descriptors and mappings from before are closed before the next bind",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .run = close_before_bind,
	}, {
		.name = "close_mixed",
		.what = "some are closed before the next bind, some after",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .run = close_mixed,
	}, {
		.name = "every_byte",
		.what = "after the next bind every byte of the device is what it was",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .run = every_byte,
	}, {
		.name = "map_dev",
		.what = "mapped, the memory map lies on the device (altmap)",
		.sizes = AT_PMD, .actions = FIRST_ACTION, .map_dev = true, .run = mapping_only,
	}, {
		.name = "map_dev",
		.what = "one pin out, the memory map lies on the device (altmap)",
		.sizes = AT_PMD, .actions = FIRST_ACTION, .map_dev = true,
		.wants = is_vmsplice, .run = pinned,
	}, {
		.name = "seeded",
		.what = "again and again for DAX_TEST_TIME seconds, pins chosen by DAX_TEST_SEED",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .pin_word = "random",
		.run = random_pins,
	}, {
		.name = "while_opened",
		.what = "threads open, map, fault, unmap and close all the while",
		.sizes = AT_ALL, .actions = FIRST_ACTION, .destructive = true,
		.run = while_opened,
	},
	{ 0 }
};

static const struct suite suite = {
	.name = "dax_teardown",
	.what = "the ground taken away under DAX mappings and pins: order of teardown",
	.memory = "devdax",
	.scenarios = scenarios,
	.targets = true,
	.clock = true,
};

int main(int argc, char **argv)
{
	return suite_main(&suite, argc, argv);
}
