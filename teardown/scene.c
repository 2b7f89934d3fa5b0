// SPDX-License-Identifier: GPL-2.0
/*
 * What the scenarios of dax_teardown are made of: a holder with a proven mapping
 * and its pins, the action, the judge, and the device as it was.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/variable.h"
#include "teardown/teardown.h"

/* Revocation comes before the wait: if it is not there by now, it is missing. */
#define REVOKE_NS	(2 * NSEC_PER_SEC)

/*
 * What is done to a file without pins takes a few milliseconds, an unmount a grace
 * period or two more, on any machine that is fit for a run.
 */
#define FILE_USUAL_NS	(60 * NSEC_PER_MSEC)

/* Between two words looked at when not every byte is. */
#define SAMPLE_BYTES	(64u << 10)

/*
 * A pin that a clock ends is tried with a short hold and, if that was over before
 * the action came to rest, once more with a long one.
 */
static const uint64_t hold_ns[] = { TEARDOWN_HOLD_NS, 2500 * NSEC_PER_MSEC };

static size_t page(void)
{
	return sysconf(_SC_PAGESIZE);
}

/* guard->filled: devices that hold TAG_MEMORY's pattern wherever a sample is taken */
static uint32_t filled_bit(const struct cell *c)
{
	return 1u << (c->size + (c->v.ns.map_dev ? DAXMAP_NR : 0));
}

/*
 * A file is a new one for each cell, and small, as a dynamic device is; of others what
 * will be looked at.
 */
static bool fill(struct teardown *s)
{
	struct cell *c = s->c;
	bool whole = c->memory->caps & MEM_FRESH;
	int ret;

	if (!whole && c->guard->filled & filled_bit(c))
		return true;
	ret = pin_proc_map(&s->h, MAP_WHOLE, s->node, c->size, 0, 0, PROT_READ | PROT_WRITE);
	ret = ret ?: pin_proc_fill(&s->h, MAP_WHOLE, 0, whole ? c->v.size : WINDOW_BYTES,
				   TAG_MEMORY);
	if (!ret && !whole)
		ret = pin_proc_fill_sampled(&s->h, MAP_WHOLE, WINDOW_BYTES, c->v.size - WINDOW_BYTES,
					    SAMPLE_BYTES, TAG_MEMORY);
	ret = ret ?: pin_proc_close(&s->h, MAP_WHOLE);
	if (!expect_ok(c, ret, "filling the device", s->h.why))
		return false;
	if (!whole)
		c->guard->filled |= filled_bit(c);
	return true;
}

bool teardown_fill_all(struct teardown *s)
{
	int ret = pin_proc_map(&s->h, MAP_WHOLE, s->node, s->c->size, 0, 0,
			       PROT_READ | PROT_WRITE);

	ret = ret ?: pin_proc_fill(&s->h, MAP_WHOLE, 0, s->c->v.size, TAG_MEMORY);
	ret = ret ?: pin_proc_close(&s->h, MAP_WHOLE);
	return expect_ok(s->c, ret, "filling all of the device", s->h.why);
}

/* a holder with one fresh mapping, its page size proven */
bool teardown_setup_node(struct cell *c, struct teardown *s, const char *node)
{
	unsigned long faults = 0;
	int ret;

	memset(s, 0, sizeof(*s));
	s->c = c;
	s->node = node;
	s->len = page();
	s->map_len = c->size == DAXMAP_PUD ? daxmap_bytes(DAXMAP_PUD) :
					     2 * daxmap_bytes(DAXMAP_PMD);
	if (s->map_len > c->v.size)
		s->map_len = c->v.size;
	s->rule = (struct timeline_rule){
		.revoke = true,
		.action = c->action ? c->action->verb : "unbind",
	};
	if (!cell_pin_proc(c, &s->h) || !fill(s))
		return false;
	ret = pin_proc_map(&s->h, MAP_MAIN, node, c->size, 0, s->map_len,
			   PROT_READ | PROT_WRITE);
	if (!expect_ok(c, ret, "mapping the device", ""))
		return false;
	ret = pin_proc_prove(&s->h, MAP_MAIN, &faults);
	return expect(c, VERDICT_FAILED, !ret,
		      "touching %zu KiB took %lu faults; expected %zu, one for each %s",
		      s->map_len >> 10, faults, s->map_len / daxmap_bytes(c->size),
		      daxmap_name(c->size));
}

bool teardown_setup(struct cell *c, struct teardown *s)
{
	return teardown_setup_node(c, s, c->v.node);
}

/* one more pin; pins lie in pages of their own, away from the start */
bool teardown_pin(struct teardown *s, const struct pin_method *m, uint64_t hold)
{
	struct pin_counters before = { 0 }, after = { 0 };
	unsigned int slot = s->nr_pins;
	size_t off = s->base + (3 + 2 * slot) * page();
	bool counted = !pin_counters_read(&before);
	int ret;

	ret = pin_proc_pin(&s->h, slot, m, MAP_MAIN, off, s->len, hold,
			   m->flags & PIN_SINK ? TAG_SINK + slot : TAG_MEMORY);
	if (ret == -EOPNOTSUPP) {
		skip_refused(s->c, m, s->h.why);
		return false;
	}
	if (ret == -ETIME && (m->flags & PIN_TIMED)) {
		/* over before it could be seen: no verdict, the caller tries again */
		note(s->c, "%s: %s", m->name, s->h.why);
		return false;
	}
	if (!expect_ok(s->c, ret, "taking the pin", s->h.why))
		return false;
	s->off[slot] = off;
	s->method[slot] = m;
	s->sink[slot] = m->flags & PIN_SINK;
	s->nr_pins++;
	s->rule.pins = s->nr_pins;
	ret = pin_proc_live(&s->h, slot);
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
	struct teardown *s = arg;

	if (s->heir)
		return !kill(s->heir, 0);
	for (unsigned int i = 0; i < s->nr_pins; i++) {
		int ret;

		if (!s->method[i])
			continue;
		ret = pin_proc_live(&s->h, i);
		if (ret)
			return ret;
	}
	return 0;
}

bool teardown_start(struct teardown *s)
{
	struct cell *c = s->c;
	int ret = op_start(&s->op, &c->guard->tl, c->action->run, &c->v);

	guard_set_op(c->guard, ret ? 0 : s->op.pid);
	return expect_ok(c, ret, "starting the action", "");
}

enum op_state teardown_watch(struct teardown *s)
{
	s->op.usual_ns = s->usual_ns ?: s->c->v.mount[0] ? FILE_USUAL_NS : s->c->guard->usual_ns;
	return op_watch(&s->op, s->rule.pins ? any_live : NULL, s);
}

static void report_order(struct teardown *s)
{
	struct guard *g = s->c->guard;
	char text[1024];

	timeline_text(&g->tl, text, sizeof(text));
	note(s->c, "order: %s", text);
	if (g->ktrace.group[0] &&
	    ktrace_read(&g->ktrace, 0, timeline_at(&g->tl, TL_STARTED), text, sizeof(text)) > 0)
		note_lines(s->c, "inside the kernel", text);
	suite_drain();
}

/* is a pin out that ends by itself, whether its memory map is there or not? */
static bool clock_runs(const struct teardown *s)
{
	for (unsigned int i = 0; i < s->nr_pins; i++)
		if (s->method[i] && s->method[i]->flags & PIN_TIMED)
			return true;
	return false;
}

static void tell(struct teardown *s)
{
	if (s->untold)
		report_order(s);
	s->untold = false;
}

/* judge and, if it is a failure, say so before anything touches the pin */
enum verdict_kind teardown_judge(struct teardown *s)
{
	char text[256];
	enum verdict_kind kind = timeline_judge(&s->c->guard->tl, &s->rule, text, sizeof(text));

	if (kind == VERDICT_PASS || kind == VERDICT_UNPROVEN)
		return kind;
	expect(s->c, kind, false, "%s", text);
	s->untold = kind == VERDICT_RETURNED_EARLY && clock_runs(s);
	if (!s->untold)
		report_order(s);
	if (kind == VERDICT_NEVER_RETURNED) {
		op_look(&s->op);
		note(s->c, "wchan of the stuck task: %s", s->op.wchan);
		note_lines(s->c, "its stack", s->op.stack);
	}
	return kind;
}

/* the same, while the pins are still out: only an early return is a verdict */
enum verdict_kind teardown_judge_early(struct teardown *s)
{
	const struct timeline *tl = &s->c->guard->tl;

	if (!s->rule.pins || s->rule.wait != TL_MUST_WAIT || !timeline_at(tl, TL_RETURNED) ||
	    timeline_at(tl, TL_LIVE) < timeline_at(tl, TL_RETURNED))
		return VERDICT_PASS;
	return teardown_judge(s);
}

/* wait for what must come before the wait for the pin */
void teardown_wait_revoked(struct teardown *s)
{
	if (s->rule.revoke)
		timeline_wait_for(&s->c->guard->tl, TL_REVOKED, REVOKE_NS);
}

bool teardown_release(struct teardown *s, unsigned int slot)
{
	int ret = pin_proc_release(&s->h, slot);

	s->method[slot] = NULL;
	return expect_ok(s->c, ret, "the pin's bytes", s->h.why);
}

void teardown_release_all(struct teardown *s)
{
	for (unsigned int i = 0; i < s->nr_pins; i++)
		if (s->method[i])
			teardown_release(s, i);
}

bool teardown_release_each(struct teardown *s)
{
	unsigned int nr = s->nr_pins;

	for (unsigned int i = 0; i < nr; i++) {
		s->rule.pins = nr - i;
		teardown_watch(s);
		if (s->rule.revoke)
			teardown_wait_revoked(s);
		if (teardown_judge_early(s) == VERDICT_RETURNED_EARLY) {
			teardown_defuse(s);
			return false;
		}
		teardown_release(s, i);
	}
	return true;
}

void teardown_release_late(struct teardown *s)
{
	for (unsigned int i = 0; i < s->nr_pins; i++) {
		if (!s->method[i])
			continue;
		if (pin_proc_release(&s->h, i))
			note(s->c, "release after the early return: %s", s->h.why);
		s->method[i] = NULL;
	}
}

int teardown_undo(struct cell *c)
{
	char why[WHY_LEN] = "";
	int ret = guard_bind_call(c->guard, c->action->undo);

	if (ret || !c->guard->undo)
		return ret;
	ret = guard_again(c->guard, why, sizeof(why));
	if (ret)
		note(c, "what was offered is not all back: %s", why);
	else
		c->v = c->guard->mem;
	return ret;
}

/*
 * No descriptor or mapping from before may be there when the device is bound
 * again: probing initialises the same struct cdev once more, whoever still holds
 * it.  That is the subject of the close_* cells, and must not be the accident of
 * all others.
 */
void teardown_drop_mappings(struct teardown *s)
{
	if (s->h.pid > 0)
		pin_proc_close(&s->h, MAP_MAIN);
	if (s->viewer.pid > 0)
		pin_proc_close(&s->viewer, MAP_MAIN);
}

static const struct variable release_variables[] = {
	{ "DAX_TEST_RELEASE",
	  "after an early return: defuse (bind again, then release), park (keep the pins), raw (release)" },
	{ }
};

REGISTER(variables, release_variables);

/*
 * After an early return the pins lie on a memory map that is gone.  Binding
 * first brings it back under them; guard_settle() then resets the page state.
 */
void teardown_defuse(struct teardown *s)
{
	struct cell *c = s->c;
	const char *how = getenv("DAX_TEST_RELEASE") ?: "defuse";

	if (!strcmp(how, "park")) {
		tell(s);
		guard_drop_proc(c->guard, s->h.pid);
		c->guard->busy = false;
		guard_set_wedged(c->guard);
		note(c, "process %d keeps the pins until reboot; %s stays unbound", s->h.pid,
		     c->v.ns.dax);
		s->h.pid = 0;
		return;
	}
	c->guard->dirty = true;
	teardown_drop_mappings(s);
	if (strcmp(how, "raw"))
		teardown_undo(c);
	/* no time was to be lost before */
	tell(s);
	teardown_release_late(s);
}

/* what pins wrote is where it belongs; then the memory is as before */
static void check_sinks(struct teardown *s)
{
	for (unsigned int i = 0; i < s->nr_pins; i++) {
		int ret;

		if (!s->sink[i])
			continue;
		ret = pin_proc_check(&s->h, MAP_AGAIN, s->off[i], s->len, TAG_SINK + i);
		expect_ok(s->c, ret, "bytes that the pin brought", s->h.why);
		pin_proc_fill(&s->h, MAP_AGAIN, s->off[i], s->len, TAG_MEMORY);
	}
}

/* the window's bytes back to what they are between cells */
void teardown_refill(struct teardown *s)
{
	int ret = pin_proc_map(&s->h, MAP_AGAIN, s->node, s->c->size, 0, 0,
			       PROT_READ | PROT_WRITE);

	ret = ret ?: pin_proc_fill(&s->h, MAP_AGAIN, 0, WINDOW_BYTES, TAG_MEMORY);
	expect_ok(s->c, ret, "refilling the window", "");
}

/* the device is back: the same, with the same bytes but for what pins wrote */
void teardown_check_after_bind(struct teardown *s)
{
	struct cell *c = s->c;
	char why[160] = "";
	int ret;

	if (!expect_ok(c, ns_same(&c->v.ns, why, sizeof(why)), "the device after bind", why))
		return;
	ret = pin_proc_map(&s->h, MAP_AGAIN, s->node, c->size, 0, 0, PROT_READ | PROT_WRITE);
	if (!expect_ok(c, ret, "mapping after bind", ""))
		return;
	check_sinks(s);
	ret = pin_proc_check(&s->h, MAP_AGAIN, 0, WINDOW_BYTES, TAG_MEMORY);
	expect_ok(c, ret, "bytes around the pins after bind", s->h.why);
	ret = pin_proc_check_sampled(&s->h, MAP_AGAIN, WINDOW_BYTES, c->v.size - WINDOW_BYTES,
				     SAMPLE_BYTES, TAG_MEMORY);
	expect_ok(c, ret, "bytes of the device after bind", s->h.why);
}

/* the mapping from before stays dead until the next bind */
void teardown_check_dead(struct teardown *s)
{
	struct pin_proc *h = s->viewer.pid > 0 ? &s->viewer : &s->h;

	if (s->rule.revoke && h->pid > 0)
		expect(s->c, VERDICT_NOT_REVOKED,
		       pin_proc_touch(h, MAP_MAIN, 0) == -EFAULT,
		       "the old mapping can be touched again after %s; expected SIGBUS until the next bind",
		       s->rule.action);
}

/* nothing is left of what was below */
static void check_left(struct teardown *s)
{
	char what[160];

	if (s->c->action->level != LEVEL_NONE &&
	    expect_ok(s->c, level_left(&s->c->v.ns, s->c->action->level, what, sizeof(what)),
		      "looking what is left", ""))
		expect(s->c, VERDICT_FAILED, !what[0], "after %s %s", s->rule.action, what);
}

bool expect_done(struct cell *c, int ret, const char *what)
{
	return expect(c, ret == -ETIMEDOUT || ret == -ECHILD ? VERDICT_NEVER_RETURNED :
		      VERDICT_FAILED, !ret, "%s: %s", what,
		      ret == -ECHILD ? "its task died" : strerror(-ret));
}

bool teardown_bind(struct teardown *s)
{
	int ret = teardown_undo(s->c);

	return expect(s->c, ret == -ETIMEDOUT ? VERDICT_NEVER_RETURNED : VERDICT_FAILED, !ret,
		      "bind: %s", strerror(-ret));
}

bool teardown_rebind(struct teardown *s)
{
	teardown_drop_mappings(s);
	return teardown_bind(s);
}

enum verdict_kind teardown_finish_and_check(struct teardown *s)
{
	enum verdict_kind kind;

	op_wait(&s->op, OP_DEADLINE_NS);
	teardown_wait_revoked(s);
	kind = teardown_judge(s);
	if (kind == VERDICT_NEVER_RETURNED)
		return kind;
	guard_set_op(s->c->guard, 0);
	teardown_check_dead(s);
	check_left(s);
	if (teardown_rebind(s))
		teardown_check_after_bind(s);
	return kind;
}

/*
 * From the start of the action to the device bound again and checked.  Without
 * pins the action just has to return; with pins it has to wait for them.
 */
enum verdict_kind teardown_run(struct teardown *s)
{
	enum verdict_kind kind;
	enum op_state state;

	if (!teardown_start(s))
		return s->c->verdict;
	state = teardown_watch(s);
	if (state != OP_RETURNED)
		teardown_wait_revoked(s);
	kind = teardown_judge_early(s);
	if (kind == VERDICT_RETURNED_EARLY) {
		teardown_wait_revoked(s);
		teardown_defuse(s);
		return kind;
	}
	teardown_release_all(s);
	return teardown_finish_and_check(s);
}

void teardown_cleanup(struct teardown *s)
{
	/* a cell that broke off may have left a pin's bytes behind */
	if (cell_over(s->c))
		s->c->guard->filled &= ~filled_bit(s->c);
	cell_pin_proc_end(s->c, &s->viewer);
	cell_pin_proc_end(s->c, &s->h);
}

bool teardown_watch_mapping(struct teardown *s)
{
	return expect_ok(s->c, pin_proc_watch(&s->h, MAP_MAIN, 0), "watching the mapping", "");
}

void teardown_mapped(struct cell *c)
{
	struct teardown s;

	if (teardown_setup(c, &s) && teardown_watch_mapping(&s))
		teardown_run(&s);
	teardown_cleanup(&s);
}

/*
 * One pin by the cell's method, then the action.  A pin that a clock ends may
 * be over too soon on a loaded machine: once more, with a longer hold.
 */
void teardown_one_pin(struct cell *c, prepare_fn prepare)
{
	enum verdict_kind kind = VERDICT_UNPROVEN;
	struct teardown s;

	for (size_t i = 0; i < ARRAY_SIZE(hold_ns) && kind == VERDICT_UNPROVEN; i++) {
		timeline_reset(&c->guard->tl);
		if (teardown_setup(c, &s) && teardown_pin(&s, c->method, hold_ns[i]) && prepare(&s))
			kind = teardown_run(&s);
		teardown_cleanup(&s);
		if (cell_over(c) || !(c->method->flags & PIN_TIMED))
			break;
	}
	if (kind == VERDICT_UNPROVEN)
		skip(c, "the pin was over before it could be seen to hold up %s",
		     c->action->verb);
}

void teardown_pinned(struct cell *c)
{
	teardown_one_pin(c, teardown_watch_mapping);
}
