// SPDX-License-Identifier: GPL-2.0-only
/* The steps that the scenarios of dax_teardown are made of. */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/variable.h"
#include "teardown/teardown.h"

/*
 * The mapping is revoked before the action waits for pins.  A thread that touches it
 * gets SIGBUS within this time, or not at all.
 */
#define REVOKE_NS	(2 * NSEC_PER_SEC)

/*
 * An action on a file without pins takes a few milliseconds, an unmount one or two
 * grace periods more.
 */
#define FILE_USUAL_NS	(60 * NSEC_PER_MSEC)

/* Distance of two sampled words, outside the window. */
#define SAMPLE_BYTES	(64u << 10)

/* The window: at least so many bytes and so many pages, see pin_offset(). */
#define WINDOW_LEAST	(256ul << 10)
#define WINDOW_PAGES	32

/*
 * A timed pin is tried with a short hold.  If it ends before the action blocks, it is
 * tried once more with a long one.
 */
static const uint64_t holds[] = { TEARDOWN_HOLD_NS, 2500 * NSEC_PER_MSEC };

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

size_t teardown_window(void)
{
	size_t pages = WINDOW_PAGES * page_size();

	return pages > WINDOW_LEAST ? pages : WINDOW_LEAST;
}

/* each pin in a page of its own, with unpinned pages around it */
static size_t pin_offset(const struct teardown *s, unsigned int slot)
{
	static_assert(3 + 2 * PIN_PROC_PINS <= WINDOW_PAGES, "all pins lie in the window");

	return s->base + (3 + 2 * slot) * page_size();
}

/*
 * Files and dynamic devices are small and new for each cell: they are filled whole.
 * Other devices are filled once, in the window and in the samples.
 */
static bool fill_memory(struct teardown *s)
{
	struct cell *c = s->c;
	bool whole = c->memory->caps & MEM_FRESH;
	size_t dense = whole ? c->v.size : teardown_window();
	int ret;

	/* memory that cannot be written comes with the pattern in it */
	if (!(c->memory->caps & MEM_WRITABLE))
		return true;
	if (!whole && guard_filled(c->guard, c->size, c->v.ns.map_dev))
		return true;
	ret = pin_proc_map(&s->h, MAP_WHOLE, s->node, c->size, 0, 0, PROT_READ | PROT_WRITE);
	if (!expect_ok(c, ret, "mapping the memory to fill it", s->h.why))
		return false;
	ret = pin_proc_fill(&s->h, MAP_WHOLE, 0, dense, TAG_MEMORY);
	if (!expect_ok(c, ret, "filling the memory", s->h.why))
		return false;
	if (!whole)
		ret = pin_proc_fill_sampled(&s->h, MAP_WHOLE, dense, c->v.size - dense,
					    SAMPLE_BYTES, TAG_MEMORY);
	if (!expect_ok(c, ret, "filling samples of the memory", s->h.why))
		return false;
	ret = pin_proc_close(&s->h, MAP_WHOLE);
	if (!expect_ok(c, ret, "closing the filled memory", s->h.why))
		return false;
	if (!whole)
		guard_set_filled(c->guard, c->size, c->v.ns.map_dev, true);
	return true;
}

bool teardown_setup_node(struct cell *c, struct teardown *s, const char *node)
{
	unsigned long faults = 0;
	int ret;

	memset(s, 0, sizeof(*s));
	s->c = c;
	s->node = node;
	s->len = page_size();
	s->map_len = c->size == DAXMAP_PUD ? daxmap_bytes(DAXMAP_PUD) :
					     2 * daxmap_bytes(DAXMAP_PMD);
	if (s->map_len > c->v.size)
		s->map_len = c->v.size;
	s->rule = (struct timeline_rule){
		.revoke = true,
		.action = c->action ? c->action->verb : "unbind",
	};
	if (!cell_pin_proc(c, &s->h) || !fill_memory(s))
		return false;
	ret = pin_proc_map(&s->h, MAP_MAIN, node, c->size, 0, s->map_len,
			   c->memory->caps & MEM_WRITABLE ? PROT_READ | PROT_WRITE : PROT_READ);
	if (!expect_ok(c, ret, "mapping the memory", s->h.why))
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

bool teardown_pin(struct teardown *s, const struct pin_method *m, uint64_t hold_ns)
{
	struct pin_counters before = { 0 }, after = { 0 };
	unsigned int slot = s->nr_pins;
	size_t off = pin_offset(s, slot);
	bool counted = !pin_counters_read(&before);
	int ret;

	ret = pin_proc_pin(&s->h, slot, m, MAP_MAIN, off, s->len, hold_ns,
			   m->flags & PIN_SINK ? TAG_SINK + slot : TAG_MEMORY);
	if (ret == -EOPNOTSUPP) {
		skip_refused(s->c, m, s->h.why);
		return false;
	}
	if (ret == -ETIME && (m->flags & PIN_TIMED)) {
		/* over before it could be seen: teardown_hold() tries again */
		note("%s: %s", m->name, s->h.why);
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
	if (!expect(s->c, VERDICT_FAILED, ret == 1, "the pin is gone right after it was taken"))
		return false;
	timeline_mark(&s->c->guard->tl, TL_PINNED);
	if (counted && !pin_counters_read(&after))
		note("%s at %zu KiB, %zu bytes: %llu pages counted by nr_foll_pin_acquired",
		     m->name, off >> 10, s->len,
		     (unsigned long long)(after.acquired - before.acquired));
	return true;
}

/* is any pin still out?  1, 0 or -errno; asked by op_watch() */
static int any_pin_live(void *arg)
{
	struct teardown *s = arg;

	if (s->child)
		return !kill(s->child, 0);
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
	return op_watch(&s->op, s->rule.pins ? any_pin_live : NULL, s);
}

static void report_order(struct teardown *s)
{
	struct guard *g = s->c->guard;
	char text[1024];

	timeline_text(&g->tl, text, sizeof(text));
	note("order: %s", text);
	if (g->ktrace.group[0] &&
	    ktrace_read(&g->ktrace, 0, timeline_at(&g->tl, TL_STARTED), text, sizeof(text)) > 0)
		note_lines("inside the kernel", text);
	suite_drain();
}

/* is a timed pin out?  It ends by itself, with or without its memory map. */
static bool timed_pin_out(const struct teardown *s)
{
	for (unsigned int i = 0; i < s->nr_pins; i++)
		if (s->method[i] && s->method[i]->flags & PIN_TIMED)
			return true;
	return false;
}

static void report_if_due(struct teardown *s)
{
	if (s->report_due)
		report_order(s);
	s->report_due = false;
}

enum verdict_kind teardown_judge(struct teardown *s)
{
	char text[256];
	enum verdict_kind kind = timeline_judge(&s->c->guard->tl, &s->rule, text, sizeof(text));

	if (kind == VERDICT_PASS || kind == VERDICT_UNPROVEN)
		return kind;
	expect(s->c, kind, false, "%s", text);
	/* a timed pin must find its memory map bound again when it ends: report later */
	s->report_due = kind == VERDICT_RETURNED_EARLY && timed_pin_out(s);
	if (!s->report_due)
		report_order(s);
	if (kind == VERDICT_NEVER_RETURNED) {
		op_look(&s->op);
		note("wchan of the stuck task: %s", s->op.wchan);
		note_lines("its stack", s->op.stack);
	}
	return kind;
}

enum verdict_kind teardown_judge_early(struct teardown *s)
{
	const struct timeline *tl = &s->c->guard->tl;

	if (!s->rule.pins || s->rule.wait != TL_MUST_WAIT || !timeline_at(tl, TL_RETURNED) ||
	    timeline_at(tl, TL_LIVE) < timeline_at(tl, TL_RETURNED))
		return VERDICT_PASS;
	return teardown_judge(s);
}

void teardown_wait_revoked(struct teardown *s)
{
	if (s->rule.revoke)
		timeline_wait_for(&s->c->guard->tl, TL_REVOKED, REVOKE_NS);
}

void teardown_wait_blocked(struct teardown *s)
{
	if (teardown_watch(s) != OP_RETURNED)
		teardown_wait_revoked(s);
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

void teardown_release_late(struct teardown *s)
{
	for (unsigned int i = 0; i < s->nr_pins; i++) {
		if (!s->method[i])
			continue;
		if (pin_proc_release(&s->h, i))
			note("release after the early return: %s", s->h.why);
		s->method[i] = NULL;
	}
}

int teardown_undo(struct cell *c)
{
	char why[WHY_LEN] = "";
	int ret = guard_bind_call(c->guard, c->action->undo);

	if (ret || !c->guard->undo)
		return ret;
	ret = guard_find_again(c->guard, why, sizeof(why));
	if (ret)
		note("not every device is back: %s", why);
	else
		c->v = c->guard->mem;
	return ret;
}

/*
 * Probing the device initialises its struct cdev again, even if it is still in use.  So
 * no descriptor or mapping may be open then, except in the close_* scenarios, which
 * test that.
 */
void teardown_drop_mappings(struct teardown *s)
{
	if (s->h.pid > 0)
		pin_proc_close(&s->h, MAP_MAIN);
	if (s->viewer.pid > 0)
		pin_proc_close(&s->viewer, MAP_MAIN);
}

static bool is_release(const char *value)
{
	return !strcmp(value, "defuse") || !strcmp(value, "park") || !strcmp(value, "raw");
}

static const struct variable release_variables[] = {
	{ "DAX_TEST_RELEASE",
	  "after an early return: defuse (bind first), park (keep the pins), raw (release)",
	  is_release },
	{ }
};

REGISTER(variables, release_variables);

/*
 * After an early return the pins' struct pages are gone.  Binding first brings them
 * back; guard_settle() resets their state later, see guard_needs_new_memmap().
 */
static void defuse(struct teardown *s)
{
	struct cell *c = s->c;
	const char *how = getenv("DAX_TEST_RELEASE") ?: "defuse";

	if (!strcmp(how, "park")) {
		report_if_due(s);
		guard_drop_proc(c->guard, s->h.pid);
		guard_abandon(c->guard);
		note("process %d keeps the pins until reboot; %s stays unbound", s->h.pid,
		     c->v.ns.dax);
		s->h.pid = 0;
		return;
	}
	guard_needs_new_memmap(c->guard);
	teardown_drop_mappings(s);
	if (strcmp(how, "raw"))
		teardown_undo(c);
	/* not earlier: a timed pin may have ended meanwhile */
	report_if_due(s);
	teardown_release_late(s);
}

bool teardown_expect_waiting(struct teardown *s)
{
	if (teardown_judge_early(s) != VERDICT_RETURNED_EARLY)
		return true;
	teardown_wait_revoked(s);
	defuse(s);
	return false;
}

bool teardown_release_each(struct teardown *s)
{
	unsigned int nr = s->nr_pins;

	for (unsigned int i = 0; i < nr; i++) {
		s->rule.pins = nr - i;
		teardown_watch(s);
		teardown_wait_revoked(s);
		if (!teardown_expect_waiting(s))
			return false;
		teardown_release(s, i);
	}
	return true;
}

/* what the pins wrote is there; then the memory is filled as before */
static void check_pins_bytes(struct teardown *s)
{
	for (unsigned int i = 0; i < s->nr_pins; i++) {
		int ret;

		if (!s->sink[i])
			continue;
		ret = pin_proc_check(&s->h, MAP_AGAIN, s->off[i], s->len, TAG_SINK + i);
		expect_ok(s->c, ret, "bytes that the pin wrote", s->h.why);
		pin_proc_fill(&s->h, MAP_AGAIN, s->off[i], s->len, TAG_MEMORY);
	}
}

void teardown_refill(struct teardown *s)
{
	int ret = pin_proc_map(&s->h, MAP_AGAIN, s->node, s->c->size, 0, 0,
			       PROT_READ | PROT_WRITE);

	if (!expect_ok(s->c, ret, "mapping the window to refill it", s->h.why))
		return;
	ret = pin_proc_fill(&s->h, MAP_AGAIN, 0, teardown_window(), TAG_MEMORY);
	expect_ok(s->c, ret, "refilling the window", s->h.why);
}

void teardown_check_after_bind(struct teardown *s)
{
	size_t window = teardown_window();
	struct cell *c = s->c;
	char why[160] = "";
	int ret;

	if (!expect_ok(c, ns_check_same(&c->v.ns, why, sizeof(why)), "the device after bind", why))
		return;
	ret = pin_proc_map(&s->h, MAP_AGAIN, s->node, c->size, 0, 0, PROT_READ | PROT_WRITE);
	if (!expect_ok(c, ret, "mapping after bind", s->h.why))
		return;
	check_pins_bytes(s);
	ret = pin_proc_check(&s->h, MAP_AGAIN, 0, window, TAG_MEMORY);
	expect_ok(c, ret, "bytes around the pins after bind", s->h.why);
	ret = pin_proc_check_sampled(&s->h, MAP_AGAIN, window, c->v.size - window, SAMPLE_BYTES,
				     TAG_MEMORY);
	expect_ok(c, ret, "bytes of the device after bind", s->h.why);
}

void teardown_check_sigbus(struct teardown *s)
{
	struct pin_proc *h = s->viewer.pid > 0 ? &s->viewer : &s->h;

	if (s->rule.revoke && h->pid > 0)
		expect(s->c, VERDICT_NOT_REVOKED, pin_proc_touch(h, MAP_MAIN, 0) == -EFAULT,
		       "the old mapping can be touched again after %s; expected SIGBUS until the next bind",
		       s->rule.action);
}

/* no device below the driver that was unbound is left */
static void check_nothing_left(struct teardown *s)
{
	enum level level = s->c->action->level;
	char what[160];
	int ret;

	if (level == LEVEL_NONE)
		return;
	ret = level_left(&s->c->v.ns, level, what, sizeof(what));
	if (expect_ok(s->c, ret, "looking for devices that are left", ""))
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

enum verdict_kind teardown_expect_return(struct teardown *s)
{
	enum verdict_kind kind;

	op_wait(&s->op, OP_DEADLINE_NS);
	teardown_wait_revoked(s);
	kind = teardown_judge(s);
	if (kind != VERDICT_NEVER_RETURNED)
		guard_set_op(s->c->guard, 0);
	return kind;
}

enum verdict_kind teardown_finish_and_check(struct teardown *s)
{
	enum verdict_kind kind = teardown_expect_return(s);

	if (kind == VERDICT_NEVER_RETURNED)
		return kind;
	teardown_check_sigbus(s);
	check_nothing_left(s);
	if (teardown_rebind(s))
		teardown_check_after_bind(s);
	return kind;
}

enum verdict_kind teardown_run(struct teardown *s)
{
	if (!teardown_start(s))
		return s->c->verdict;
	teardown_wait_blocked(s);
	if (!teardown_expect_waiting(s))
		return VERDICT_RETURNED_EARLY;
	teardown_release_all(s);
	return teardown_finish_and_check(s);
}

void teardown_cleanup(struct teardown *s)
{
	struct cell *c = s->c;

	/* a failed or skipped cell may have left a pin's bytes in the memory */
	if (cell_over(c))
		guard_set_filled(c->guard, c->size, c->v.ns.map_dev, false);
	cell_pin_proc_end(c, &s->viewer);
	cell_pin_proc_end(c, &s->h);
}

bool teardown_watch_mapping(struct teardown *s)
{
	int ret = pin_proc_watch(&s->h, MAP_MAIN, 0);

	return expect_ok(s->c, ret, "starting a thread that touches the mapping", s->h.why);
}

void teardown_hold(struct cell *c, enum verdict_kind (*attempt)(struct cell *c, uint64_t hold_ns))
{
	enum verdict_kind kind = VERDICT_UNPROVEN;

	for (size_t i = 0; i < ARRAY_SIZE(holds) && kind == VERDICT_UNPROVEN; i++) {
		timeline_reset(&c->guard->tl);
		kind = attempt(c, holds[i]);
		if (cell_over(c) || !(c->method->flags & PIN_TIMED))
			break;
	}
	if (kind == VERDICT_UNPROVEN)
		skip(c, "the pin ended before %s was seen to wait for it", c->action->verb);
}

void teardown_mapped(struct cell *c)
{
	struct teardown s;

	if (teardown_setup(c, &s) && teardown_watch_mapping(&s))
		teardown_run(&s);
	teardown_cleanup(&s);
}

static enum verdict_kind run_pinned(struct cell *c, uint64_t hold_ns)
{
	enum verdict_kind kind = VERDICT_UNPROVEN;
	struct teardown s;

	if (teardown_setup(c, &s) && teardown_pin(&s, c->method, hold_ns) &&
	    teardown_watch_mapping(&s))
		kind = teardown_run(&s);
	teardown_cleanup(&s);
	return kind;
}

void teardown_pinned(struct cell *c)
{
	teardown_hold(c, run_pinned);
}
