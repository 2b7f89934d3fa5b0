// SPDX-License-Identifier: GPL-2.0-only
/* No pins: mappings and descriptors from before, during and after an unbind. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "teardown/teardown.h"

/* Unbinds under load in one cell. */
#define USED_ROUNDS	3

/* How often to check whether a thread of the pin process has died in the kernel. */
#define DEAD_CHECK_NS	(200 * NSEC_PER_MSEC)

/* the guest reads or writes a page: it has it mapped from then on, but not pinned */
static bool map_in_guest(struct teardown *s, size_t off)
{
	const struct pin_method *m = s->c->method;
	bool sink = m->flags & PIN_SINK;
	uint16_t tag = sink ? TAG_SINK : TAG_MEMORY;
	int ret = pin_proc_pin(&s->h, 0, m, MAP_MAIN, off, s->len, 0, tag);

	if (ret == -EOPNOTSUPP) {
		skip_refused(s->c, m, s->h.why);
		return false;
	}
	if (!expect_ok(s->c, ret, "giving the page to the guest", s->h.why))
		return false;
	ret = pin_proc_reach(&s->h, 0, sink ? TAG_SINK : 0, NULL);
	if (!expect_ok(s->c, ret, "access by the guest", s->h.why))
		return false;
	ret = pin_proc_check(&s->h, MAP_MAIN, off, s->len, tag);
	if (!expect_ok(s->c, ret, "the bytes after the guest's access", s->h.why))
		return false;
	ret = pin_proc_fill(&s->h, MAP_MAIN, off, s->len, TAG_MEMORY);
	return expect_ok(s->c, ret, "refilling the guest's page", s->h.why);
}

/*
 * A guest's mapping follows the host's: unbind revokes it and does not wait.  The next
 * access by the guest then fails with EFAULT.
 */
static void mapped_in_guest(struct cell *c)
{
	bool sink = c->method->flags & PIN_SINK;
	struct teardown s;
	int ret;

	if (!teardown_setup(c, &s) || !map_in_guest(&s, 3 * s.len))
		goto out;
	ret = guard_bind_call(c->guard, c->action->run);
	if (!expect_done(c, ret, "unbind with a guest's mapping"))
		goto out;
	ret = pin_proc_reach(&s.h, 0, sink ? TAG_SINK : 0, NULL);
	expect(c, VERDICT_NOT_REVOKED, ret == -EFAULT,
	       "the guest %s the page after the unbind: %s; expected %s",
	       sink ? "writes" : "reads", ret ? strerror(-ret) : "done", strerror(EFAULT));
	if (teardown_rebind(&s))
		teardown_check_after_bind(&s);
out:
	teardown_cleanup(&s);
}

static bool start_writer(struct teardown *s)
{
	int ret = pin_proc_map(&s->h, MAP_MAIN, s->node, s->c->size, 0, s->map_len,
			       PROT_READ | PROT_WRITE);

	if (!expect_ok(s->c, ret, "mapping the device", s->h.why))
		return false;
	ret = pin_proc_store_loop(&s->h, MAP_MAIN);
	return expect_ok(s->c, ret, "starting a thread that writes the mapping", s->h.why);
}

/* no mapping may be there when the device is bound again */
static bool stop_threads(struct teardown *s, unsigned long *rounds)
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
	if (!expect_ok(s->c, ret, "starting the threads that map the device", s->h.why))
		return false;
	/* each has opened the device before the action begins */
	ret = pin_proc_wait_iteration(&s->h);
	return expect_ok(s->c, ret, "first iteration of the threads", s->h.why);
}

/*
 * dax_open() uses the result of dax_get_private(), which is NULL after kill_dax().
 * mmap() of such a descriptor is a NULL dereference under dax_read_lock(); after that no
 * unbind ever returns.  A descriptor from before the unbind keeps the cdev alive, so
 * that open() reaches this code while the device is unbound.
 */
static bool start_openers(struct teardown *s)
{
	unsigned long none;
	int ret = pin_proc_stop_threads(&s->h, &none);

	s->rule.revoke = false;
	if (!expect_ok(s->c, ret, "stopping the threads of the last round", s->h.why))
		return false;
	ret = pin_proc_map(&s->h, MAP_MAIN, s->node, s->c->size, 0, s->map_len, PROT_READ);
	if (!expect_ok(s->c, ret, "mapping the device", s->h.why))
		return false;
	for (int i = 0; !ret && i < 2; i++)
		ret = pin_proc_remap_loop(&s->h, s->node, s->c->size, true);
	return expect_ok(s->c, ret, "starting the threads that open the device", s->h.why);
}

static bool opener_stuck(struct teardown *s)
{
	return cell_pin_proc_stuck(s->c,
				   "a thread never returns from opening and mapping the unbound device",
				   &s->h);
}

static bool openers_alive(struct teardown *s)
{
	int ret = pin_proc_wait_iteration(&s->h);

	if (ret != -ETIMEDOUT)
		return cell_pin_proc_ok(s->c, ret, "iteration of the opening threads",
					&s->h);
	return opener_stuck(s);
}

/*
 * A thread that died in the kernel holds its locks forever, and the action waits for
 * them: there is no use in waiting for the action then.
 *
 * Return: false with the cell failed if a thread died.
 */
static bool wait_with_openers(struct teardown *s)
{
	uint64_t end = timeline_now() + OP_DEADLINE_NS;

	if (!openers_alive(s))
		return false;
	while (op_wait(&s->op, DEAD_CHECK_NS) == -ETIMEDOUT && timeline_now() < end) {
		if (!op_given_up(s->h.pid))
			continue;
		opener_stuck(s);
		note("wchan of the action's task: %s", s->op.wchan);
		note_lines("its stack", s->op.stack);
		return false;
	}
	return true;
}

/* the threads go on; descriptors from before the action are closed */
static bool close_old_descriptors(struct teardown *s, unsigned long *rounds)
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

/**
 * struct load - threads that use the device before, during and after the unbind
 * @start: starts the threads
 * @wait: waits for the action
 * @end_round: makes the device ready for bind; counts how often the threads got round
 *
 * Each returns false with the cell failed.
 */
struct load {
	bool (*start)(struct teardown *s);
	bool (*wait)(struct teardown *s);
	bool (*end_round)(struct teardown *s, unsigned long *iterations);
};

static void unbind_under_load(struct cell *c, const struct load *load)
{
	unsigned long iterations = 0;
	struct teardown s;

	if (!teardown_setup(c, &s))
		goto out;
	teardown_drop_mappings(&s);
	for (int i = 0; i < USED_ROUNDS && !cell_over(c); i++) {
		timeline_reset(&c->guard->tl);
		if (!load->start(&s) || !teardown_start(&s) || !load->wait(&s))
			goto out;
		teardown_wait_revoked(&s);
		if (teardown_judge(&s) == VERDICT_NEVER_RETURNED)
			return;
		guard_set_op(c->guard, 0);
		if (!load->end_round(&s, &iterations) || !teardown_bind(&s))
			goto out;
		expect(c, VERDICT_FAILED, iterations, "the threads made no progress");
	}
	expect_ok(c, pin_proc_stop_threads(&s.h, &iterations), "stopping the threads", s.h.why);
	teardown_check_after_bind(&s);
out:
	teardown_cleanup(&s);
}

static void while_written(struct cell *c)
{
	static const struct load load = { start_writer, wait_for_action, stop_threads };

	unbind_under_load(c, &load);
}

static void while_mapped(struct cell *c)
{
	static const struct load load = { start_mappers, wait_for_action, stop_threads };

	unbind_under_load(c, &load);
}

static void while_opened(struct cell *c)
{
	static const struct load load = {
		start_openers, wait_with_openers, close_old_descriptors,
	};

	unbind_under_load(c, &load);
}

/* when descriptors and mappings from before an unbind are closed */
enum close_when { CLOSE_AFTER_BIND, CLOSE_BEFORE_BIND, CLOSE_MIXED };

/*
 * Bind under an open descriptor initialises a struct cdev that is in use: its list of
 * inodes is emptied, its reference count starts again (dev_dax_probe(), cdev_init()).
 * Closing the descriptor then drops the count to zero under the new device, which cannot
 * be opened any more, and the inode stays linked into a list that no longer knows it.
 *
 * So that only an inode of the suite is damaged, the device is opened through a private
 * node, after one unbind and bind that takes all other inodes off the list.
 */
static bool setup_private_node(struct cell *c, struct teardown *s)
{
	memset(s, 0, sizeof(*s));
	s->c = c;
	if (!expect_ok(c, guard_unbind_dax(c->guard), "unbind before the test", "") ||
	    !expect_ok(c, guard_bind_dax(c->guard), "bind before the test", "") ||
	    !expect_ok(c, guard_make_node(c->guard), "making a private node", ""))
		return false;
	return teardown_setup_node(c, s, c->guard->node);
}

/* the device can still be opened after old descriptors were closed */
static bool expect_opens(struct teardown *s)
{
	struct cell *c = s->c;
	int ret = pin_proc_map(&s->h, MAP_AGAIN, s->node, c->size, 0, 0, PROT_READ);

	if (!expect(c, VERDICT_FAILED, !ret,
		    "opening the device after an old descriptor was closed: %s; expected to open, as after any bind",
		    strerror(-ret)))
		return false;
	ret = pin_proc_check(&s->h, MAP_AGAIN, 0, teardown_window(), TAG_MEMORY);
	return expect_ok(c, ret, "bytes after the old descriptors were closed", s->h.why);
}

/* the old mapping raises SIGBUS, or shows the device's own bytes */
static void check_old_mapping(struct teardown *s)
{
	struct pin_proc *h = &s->viewer;
	int ret = pin_proc_touch(h, MAP_MAIN, 0);

	note("after the next bind the old mapping %s",
	     ret ? "still raises SIGBUS" : "can be touched again");
	if (ret)
		return;
	ret = pin_proc_check(h, MAP_MAIN, 0, teardown_window(), TAG_MEMORY);
	expect_ok(s->c, ret, "bytes through the old mapping", h->why);
}

static bool map_in_two_processes(struct teardown *s)
{
	int ret;

	if (!cell_pin_proc(s->c, &s->viewer))
		return false;
	ret = pin_proc_map(&s->viewer, MAP_MAIN, s->node, s->c->size, 0, s->map_len,
			   PROT_READ | PROT_WRITE);
	if (!expect_ok(s->c, ret, "mapping in a second process", s->viewer.why))
		return false;
	ret = pin_proc_touch(&s->viewer, MAP_MAIN, 0);
	if (!expect_ok(s->c, ret, "touching in a second process", s->viewer.why))
		return false;
	return teardown_watch_mapping(s);
}

/*
 * Two processes have descriptors and mappings from before the unbind.  When they are
 * closed, the device must still open, unbind and bind.
 */
static void test_close(struct cell *c, enum close_when when)
{
	struct teardown s;

	if (!setup_private_node(c, &s) || !map_in_two_processes(&s) || !teardown_start(&s))
		goto out;
	if (teardown_expect_return(&s) == VERDICT_NEVER_RETURNED)
		return;
	teardown_check_sigbus(&s);
	if (when != CLOSE_AFTER_BIND)
		pin_proc_close(&s.h, MAP_MAIN);
	if (when == CLOSE_BEFORE_BIND)
		pin_proc_close(&s.viewer, MAP_MAIN);
	else
		guard_keep_node(c->guard, true);
	if (!teardown_bind(&s))
		goto out;
	if (when != CLOSE_BEFORE_BIND)
		check_old_mapping(&s);
	/* check after each close: a count below zero allows opening again */
	pin_proc_close(&s.h, MAP_MAIN);
	if (expect_opens(&s)) {
		pin_proc_close(&s.h, MAP_AGAIN);
		pin_proc_close(&s.viewer, MAP_MAIN);
		expect_opens(&s);
	}
	if (cell_over(c)) {
		note("%s stays until reboot: evicting its inode would crash the kernel",
		     c->guard->node);
		/* one more bind, without descriptors, makes the reference count right */
		guard_needs_new_memmap(c->guard);
		goto out;
	}
	guard_keep_node(c->guard, false);
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
	test_close(c, CLOSE_AFTER_BIND);
}

static void close_before_bind(struct cell *c)
{
	test_close(c, CLOSE_BEFORE_BIND);
}

static void close_mixed(struct cell *c)
{
	test_close(c, CLOSE_MIXED);
}

static bool fill_whole_device(struct teardown *s)
{
	struct cell *c = s->c;
	int ret = pin_proc_map(&s->h, MAP_WHOLE, s->node, c->size, 0, 0, PROT_READ | PROT_WRITE);

	if (!expect_ok(c, ret, "mapping the whole device", s->h.why))
		return false;
	ret = pin_proc_fill(&s->h, MAP_WHOLE, 0, c->v.size, TAG_MEMORY);
	if (!expect_ok(c, ret, "filling the whole device", s->h.why))
		return false;
	ret = pin_proc_close(&s->h, MAP_WHOLE);
	return expect_ok(c, ret, "closing the whole device", s->h.why);
}

/* every word of the device is checked, not only samples */
static void every_byte(struct cell *c)
{
	struct teardown s;
	int ret;

	if (!teardown_setup(c, &s) || !fill_whole_device(&s) || !teardown_watch_mapping(&s) ||
	    teardown_run(&s) != VERDICT_PASS)
		goto out;
	pin_proc_close(&s.h, MAP_AGAIN);
	ret = pin_proc_map(&s.h, MAP_WHOLE, c->v.node, c->size, 0, 0, PROT_READ);
	if (!expect_ok(c, ret, "mapping the whole device after bind", s.h.why))
		goto out;
	ret = pin_proc_check(&s.h, MAP_WHOLE, 0, c->v.size, TAG_MEMORY);
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
			.what = "memory of a virtual machine: unbind returns; the guest's access fails",
			.pins = PINS_GUEST,
			.run = mapped_in_guest,
		}, {
			.name = "while_written",
			.what = "while a thread writes the mapping",
			.run = while_written,
		}, {
			.name = "while_mapped",
			.what = "while threads map, fault and unmap an open descriptor",
			.run = while_mapped,
		}, {
			.name = "close_after_bind",
			.what = "descriptors and mappings are closed after the next bind",
			.run = close_after_bind,
		}, {
			.name = "close_before_bind",
			.what = "descriptors and mappings are closed between unbind and bind",
			.run = close_before_bind,
		}, {
			.name = "close_mixed",
			.what = "some are closed between unbind and bind, some after",
			.run = close_mixed,
		}, {
			.name = "every_byte",
			.what = "every byte of the device is the same after the next bind",
			.run = every_byte,
		}, {
			.name = "while_opened",
			.what = "while threads open, map, fault, unmap and close the device",
			.destructive = true,
			.run = while_opened,
		},
		{ }
	},
};

REGISTER(scenario_groups, &users);
