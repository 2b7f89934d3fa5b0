// SPDX-License-Identifier: GPL-2.0
/* Scenarios without pins: mappings and descriptors before, during and after. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "teardown/teardown.h"

/* Unbind and bind under load, so often in one cell. */
#define USED_ROUNDS	3

/* Between two looks whether the kernel has given up a thread of the holder's. */
#define DOUBT_NS	(200 * NSEC_PER_MSEC)

/* the guest reads and writes a page, which it has from here on; nothing is held */
static bool let_guest_in(struct teardown *s, size_t off)
{
	const struct pin_method *m = s->c->method;
	bool sink = m->flags & PIN_SINK;
	int ret = pin_proc_pin(&s->h, 0, m, MAP_MAIN, off, s->len, 0, sink ? TAG_SINK : TAG_MEMORY);

	if (ret == -EOPNOTSUPP) {
		skip_refused(s->c, m, s->h.why);
		return false;
	}
	ret = ret ?: pin_proc_reach(&s->h, 0, sink ? TAG_SINK : 0, NULL);
	ret = ret ?: pin_proc_check(&s->h, MAP_MAIN, off, s->len, sink ? TAG_SINK : TAG_MEMORY);
	ret = ret ?: pin_proc_fill(&s->h, MAP_MAIN, off, s->len, TAG_MEMORY);
	return expect_ok(s->c, ret, "the guest's bytes", s->h.why);
}

/*
 * A guest's mapping follows its host's: the unbind does not wait for it, and after it
 * the guest's CPU stops at the page with EFAULT, as a load or store there would.
 */
static void guest_mapped(struct cell *c)
{
	bool sink = c->method->flags & PIN_SINK;
	struct teardown s;
	int ret;

	if (!teardown_setup(c, &s) || !let_guest_in(&s, 3 * s.len))
		goto out;
	ret = guard_bind_call(c->guard, c->action->run);
	if (!expect_done(c, ret, "unbind with a guest's mapping"))
		goto out;
	ret = pin_proc_reach(&s.h, 0, sink ? TAG_SINK : 0, NULL);
	expect(c, VERDICT_NOT_REVOKED, ret == -EFAULT,
	       "the guest's CPU can still %s the page: %s; expected %s",
	       sink ? "write" : "read", ret ? strerror(-ret) : "done", strerror(EFAULT));
	if (teardown_rebind(&s))
		teardown_check_after_bind(&s);
out:
	teardown_cleanup(&s);
}

static bool start_hammer(struct teardown *s)
{
	int ret = pin_proc_map(&s->h, MAP_MAIN, s->node, s->c->size, 0, s->map_len,
			       PROT_READ | PROT_WRITE);

	ret = ret ?: pin_proc_store_loop(&s->h, MAP_MAIN);
	return expect_ok(s->c, ret, "starting the writer", "");
}

/* the threads' mappings must not be there when the device is bound again */
static bool pause_worker(struct teardown *s, unsigned long *rounds)
{
	int ret = pin_proc_stop_threads(&s->h, rounds);

	teardown_drop_mappings(s);
	return expect_ok(s->c, ret, "stopping the threads", "");
}

static bool start_mappers(struct teardown *s)
{
	int ret = 0;

	s->rule.revoke = false;
	for (int i = 0; !ret && i < 2; i++)
		ret = pin_proc_remap_loop(&s->h, s->node, s->c->size, false);
	/* each has opened before the action begins */
	ret = ret ?: pin_proc_wait_iteration(&s->h);
	return expect_ok(s->c, ret, "starting the mappers", "");
}

/*
 * dax_open() takes what dax_get_private() gives it, and that is nothing after
 * kill_dax(): such a descriptor's mmap() is a NULL dereference under
 * dax_read_lock(), after which no unbind ever returns.  A descriptor from before
 * keeps the cdev, and with it open(), alive while the device is away.
 */
static bool start_openers(struct teardown *s)
{
	unsigned long none;
	int ret = pin_proc_stop_threads(&s->h, &none);

	s->rule.revoke = false;
	ret = ret ?: pin_proc_map(&s->h, MAP_MAIN, s->node, s->c->size, 0, s->map_len, PROT_READ);
	for (int i = 0; !ret && i < 2; i++)
		ret = pin_proc_remap_loop(&s->h, s->node, s->c->size, true);
	return expect_ok(s->c, ret, "starting the openers", "");
}

static bool opener_stuck(struct teardown *s)
{
	return cell_pin_proc_stuck(s->c,
				   "a thread that opens and maps the device while it is unbound never comes back",
				   &s->h);
}

static bool openers_alive(struct teardown *s)
{
	int ret = pin_proc_wait_iteration(&s->h);

	if (ret != -ETIMEDOUT)
		return cell_pin_proc_ok(s->c, ret, "waiting for the openers", &s->h);
	return opener_stuck(s);
}

/*
 * A thread that the kernel has given up died of what is looked for, and what it
 * held then is held for ever: nothing is learnt by waiting for the action.
 *
 * Return: false when a thread is lost.
 */
static bool wait_with_openers(struct teardown *s)
{
	uint64_t end = timeline_now() + OP_DEADLINE_NS;

	if (!openers_alive(s))
		return false;
	while (op_wait(&s->op, DOUBT_NS) == -ETIMEDOUT && timeline_now() < end) {
		if (!op_given_up(s->h.pid))
			continue;
		opener_stuck(s);
		note(s->c, "wchan of the action's task: %s", s->op.wchan);
		note_lines(s->c, "its stack", s->op.stack);
		return false;
	}
	return true;
}

/* they go on, but what was open before the action is closed */
static bool pause_openers(struct teardown *s, unsigned long *rounds)
{
	*rounds = 1;
	if (!openers_alive(s))
		return false;
	teardown_drop_mappings(s);
	return openers_alive(s);
}

static bool wait_for_action(struct teardown *s)
{
	op_wait(&s->op, OP_DEADLINE_NS);
	return true;
}

/* threads use the device all the while: before, during and after the action */
static void while_used(struct cell *c, prepare_fn start, prepare_fn wait,
		       bool (*pause)(struct teardown *s, unsigned long *rounds))
{
	unsigned long rounds = 0;
	struct teardown s;

	if (!teardown_setup(c, &s))
		goto out;
	teardown_drop_mappings(&s);
	for (int i = 0; i < USED_ROUNDS && !cell_over(c); i++) {
		timeline_reset(&c->guard->tl);
		if (!start(&s) || !teardown_start(&s))
			goto out;
		if (!wait(&s))
			goto out;
		teardown_wait_revoked(&s);
		if (teardown_judge(&s) == VERDICT_NEVER_RETURNED)
			return;
		guard_set_op(c->guard, 0);
		if (!pause(&s, &rounds) || !teardown_bind(&s))
			goto out;
		expect(c, VERDICT_FAILED, rounds, "the threads never got round");
	}
	expect_ok(c, pin_proc_stop_threads(&s.h, &rounds), "ending the threads", s.h.why);
	teardown_check_after_bind(&s);
out:
	teardown_cleanup(&s);
}

static void while_written(struct cell *c)
{
	while_used(c, start_hammer, wait_for_action, pause_worker);
}

static void while_mapped(struct cell *c)
{
	while_used(c, start_mappers, wait_for_action, pause_worker);
}

static void while_opened(struct cell *c)
{
	while_used(c, start_openers, wait_with_openers, pause_openers);
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
static bool arrange_private(struct cell *c, struct teardown *s)
{
	int ret = guard_unbind_dax(c->guard);

	memset(s, 0, sizeof(*s));
	s->c = c;
	ret = ret ?: guard_bind_dax(c->guard);
	ret = ret ?: guard_make_node(c->guard);
	if (!expect_ok(c, ret, "making a private node", ""))
		return false;
	return teardown_setup_node(c, s, c->guard->node);
}

/* can the device still be opened now that what was there before is closed? */
static bool opens_again(struct teardown *s)
{
	struct cell *c = s->c;
	int ret = pin_proc_map(&s->h, MAP_AGAIN, s->node, c->size, 0, 0, PROT_READ);

	if (!expect(c, VERDICT_FAILED, !ret,
		    "opening the device after an old descriptor was closed: %s; expected to open, as after any bind",
		    strerror(-ret)))
		return false;
	ret = pin_proc_check(&s->h, MAP_AGAIN, 0, WINDOW_BYTES, TAG_MEMORY);
	return expect_ok(c, ret, "bytes after the old descriptors are closed", s->h.why);
}

/* through the old mapping nothing but SIGBUS or the device's own bytes */
static void check_old_mapping(struct teardown *s)
{
	int ret = pin_proc_touch(&s->viewer, MAP_MAIN, 0);

	note(s->c, "after the next bind the old mapping %s",
	     ret ? "still raises SIGBUS" : "can be touched again");
	if (!ret)
		expect_ok(s->c, pin_proc_check(&s->viewer, MAP_MAIN, 0, WINDOW_BYTES, TAG_MEMORY),
			  "bytes through the old mapping", s->viewer.why);
}

/*
 * Two processes' descriptors and mappings from before the unbind.  Afterwards
 * the device must open, unbind, bind and serve once more.
 */
static void outlive(struct cell *c, enum outlive when)
{
	struct teardown s;
	int ret;

	if (!arrange_private(c, &s) || !cell_pin_proc(c, &s.viewer))
		goto out;
	ret = pin_proc_map(&s.viewer, MAP_MAIN, s.node, c->size, 0, s.map_len,
			   PROT_READ | PROT_WRITE);
	ret = ret ?: pin_proc_touch(&s.viewer, MAP_MAIN, 0);
	ret = ret ?: pin_proc_watch(&s.h, MAP_MAIN, 0);
	if (!expect_ok(c, ret, "mapping in two processes", "") || !teardown_start(&s))
		goto out;
	op_wait(&s.op, OP_DEADLINE_NS);
	teardown_wait_revoked(&s);
	if (teardown_judge(&s) == VERDICT_NEVER_RETURNED)
		return;
	guard_set_op(c->guard, 0);
	teardown_check_dead(&s);
	if (when != CLOSE_AFTER_BIND)
		pin_proc_close(&s.h, MAP_MAIN);
	if (when == CLOSE_BEFORE_BIND)
		pin_proc_close(&s.viewer, MAP_MAIN);
	else
		c->guard->node_damaged = true;
	if (!teardown_bind(&s))
		goto out;
	if (when != CLOSE_BEFORE_BIND)
		check_old_mapping(&s);
	/* one by one: a count that goes below zero does not refuse any more */
	pin_proc_close(&s.h, MAP_MAIN);
	if (opens_again(&s)) {
		pin_proc_close(&s.h, MAP_AGAIN);
		pin_proc_close(&s.viewer, MAP_MAIN);
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
	pin_proc_close(&s.h, MAP_AGAIN);
	timeline_reset(&c->guard->tl);
	s.rule.revoke = false;
	teardown_run(&s);
out:
	teardown_cleanup(&s);
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
	struct teardown s;
	int ret;

	if (!teardown_setup(c, &s) || !teardown_fill_all(&s) || !teardown_watch_mapping(&s) ||
	    teardown_run(&s) != VERDICT_PASS)
		goto out;
	pin_proc_close(&s.h, MAP_AGAIN);
	ret = pin_proc_map(&s.h, MAP_WHOLE, c->v.node, c->size, 0, 0, PROT_READ);
	ret = ret ?: pin_proc_check(&s.h, MAP_WHOLE, 0, c->v.size, TAG_MEMORY);
	expect_ok(c, ret, "every byte of the device", s.h.why);
out:
	teardown_cleanup(&s);
}

static const struct scenario_group users = {
	.name = "users",
	.order = 20,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_ALL,
		.actions = FIRST_ACTION,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "",
			.what = "a virtual machine's memory: returns; the guest's CPU stops at it",
			.pins = PINS_GUEST,
			.run = guest_mapped,
		}, {
			.name = "while_written",
			.what = "a thread writes the mapping all the while",
			.run = while_written,
		}, {
			.name = "while_mapped",
			.what = "threads map, fault and unmap an open descriptor all the while",
			.run = while_mapped,
		}, {
			.name = "close_after_bind",
			.what = "descriptors and mappings from before are closed after the next bind",
			.run = close_after_bind,
		}, {
			.name = "close_before_bind",
			.what = "descriptors and mappings from before are closed before the next bind",
			.run = close_before_bind,
		}, {
			.name = "close_mixed",
			.what = "some are closed before the next bind, some after",
			.run = close_mixed,
		}, {
			.name = "every_byte",
			.what = "after the next bind every byte of the device is what it was",
			.run = every_byte,
		}, {
			.name = "while_opened",
			.what = "threads open, map, fault, unmap and close all the while",
			.destructive = true,
			.run = while_opened,
		},
		{ }
	},
};

REGISTER(scenario_groups, &users);
