/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dax_teardown: DAX memory is removed while it is mapped and pinned.
 *
 * Each file of this folder holds the scenarios of one subject.  A scenario is made of
 * the steps declared here, in this order: set up, pin, start the action, wait until it
 * blocks, judge, release the pins, judge again, check, bind, check, clean up.
 * unbind.c shows them one by one; scene.c implements them.
 */
#ifndef DAX_TEARDOWN_H
#define DAX_TEARDOWN_H

#include "suite/suite.h"
#include "teardown/bytes.h"

/* How long a timed pin is held at the first attempt. */
#define TEARDOWN_HOLD_NS	(250 * NSEC_PER_MSEC)

#define FILE_BYTES	(4u << 20)	/* size of a file whose blocks are removed */

/* map slots of a pin process */
enum { MAP_MAIN, MAP_AGAIN, MAP_WHOLE };

/**
 * struct teardown - state of one scenario
 * @c: its cell
 * @h: the pin process: maps the memory and holds the pins
 * @viewer: another process that only maps; its pid is 0 when there is none
 * @node: the device node or file that is opened
 * @op: the action, in a task of its own
 * @rule: the order of events that is expected
 * @nr_pins: pins taken so far
 * @base: start of the range that pins lie in, bytes from the device's start
 * @off: start of each pin, bytes from the device's start
 * @sink: the pin writes a pattern of its own into the memory
 * @method: how each pin was taken; NULL once it is released
 * @report_due: the verdict has been printed, the order of events not yet
 * @child: process that inherited the pins; 0 when there is none
 * @len: bytes of one pin
 * @map_len: bytes that @h has mapped in MAP_MAIN
 * @usual_ns: duration of the action without pins, nanoseconds; 0 for the default
 *	of the kind of memory
 * @data: physical address of the device's memory, in scenarios that set it
 */
struct teardown {
	struct cell *c;
	struct pin_proc h;
	struct pin_proc viewer;
	const char *node;
	struct op_task op;
	struct timeline_rule rule;
	unsigned int nr_pins;
	size_t base;
	size_t off[PIN_PROC_PINS];
	bool sink[PIN_PROC_PINS];
	const struct pin_method *method[PIN_PROC_PINS];
	bool report_due;
	pid_t child;
	size_t len;
	size_t map_len;
	uint64_t usual_ns;
	unsigned long long data;
};

/*
 * The steps.  One that returns false has failed or skipped the cell, unless it says
 * otherwise.
 */

/**
 * teardown_setup() - start a pin process with one fresh mapping, prove its page size
 * @c: the cell
 * @s: filled
 *
 * Return: true if the memory is mapped.
 */
bool teardown_setup(struct cell *c, struct teardown *s);

/**
 * teardown_pin() - take one more pin and prove it
 * @s: set up
 * @m: method
 * @hold_ns: how long a timed method holds it, nanoseconds
 *
 * Return: true if the pin is out.  false without a verdict if a timed pin ended before
 * it could be seen.
 */
bool teardown_pin(struct teardown *s, const struct pin_method *m, uint64_t hold_ns);

/**
 * teardown_watch_mapping() - touch the mapping in a thread until it gets SIGBUS
 * @s: set up
 *
 * Return: true if the thread runs.
 */
bool teardown_watch_mapping(struct teardown *s);

/**
 * teardown_start() - start the cell's action in a task of its own
 * @s: set up
 *
 * Return: true if it has been started.
 */
bool teardown_start(struct teardown *s);

/**
 * teardown_wait_blocked() - wait until the action has revoked the mapping and blocks
 * @s: started
 *
 * It also ends when the action has returned, or does neither for OP_WATCH_NS.
 */
void teardown_wait_blocked(struct teardown *s);

/**
 * teardown_expect_waiting() - expect that the action has not returned
 * @s: watched, with pins out
 *
 * After an early return the pins are released as DAX_TEST_RELEASE says, by default
 * with the device bound first (defuse).  Then only teardown_cleanup() may follow.
 *
 * Return: true if it has not returned early.
 */
bool teardown_expect_waiting(struct teardown *s);

/**
 * teardown_release_all() - teardown_release() each pin that is still out
 * @s: set up
 */
void teardown_release_all(struct teardown *s);

/**
 * teardown_expect_return() - expect that the action returns now, in the right order
 * @s: its pins are released
 *
 * Return: the verdict.  After VERDICT_NEVER_RETURNED the device is not to be touched.
 */
enum verdict_kind teardown_expect_return(struct teardown *s);

/**
 * teardown_check_sigbus() - expect SIGBUS from the mapping made before the action
 * @s: its action has returned
 */
void teardown_check_sigbus(struct teardown *s);

/**
 * teardown_drop_mappings() - unmap and close MAP_MAIN in both processes
 * @s: set up
 */
void teardown_drop_mappings(struct teardown *s);

/**
 * teardown_bind() - teardown_undo(), and expect success
 * @s: its action has returned
 *
 * Return: true if the device is back.
 */
bool teardown_bind(struct teardown *s);

/**
 * teardown_rebind() - teardown_drop_mappings(), then teardown_bind()
 * @s: its action has returned
 *
 * Return: true if the device is back.
 */
bool teardown_rebind(struct teardown *s);

/**
 * teardown_check_after_bind() - expect the same device with the same bytes
 * @s: bound again
 */
void teardown_check_after_bind(struct teardown *s);

/**
 * teardown_run() - the steps from teardown_start() to teardown_check_after_bind()
 * @s: set up, with or without pins
 *
 * These are the same steps as in unbind.c's pinned_once().  Without pins the action
 * only has to return.
 *
 * Return: the verdict on the order of events.
 */
enum verdict_kind teardown_run(struct teardown *s);

/**
 * teardown_cleanup() - end the processes, whichever step came last
 * @s: given to teardown_setup(), or zeroed with @c set
 */
void teardown_cleanup(struct teardown *s);

/**
 * teardown_hold() - attempt a scenario; again with a longer hold if the pin was too short
 * @c: the cell
 * @attempt: the scenario; returns VERDICT_UNPROVEN if the pin ended too early
 *
 * A timed pin may end too early on a loaded machine.
 */
void teardown_hold(struct cell *c, enum verdict_kind (*attempt)(struct cell *c, uint64_t hold_ns));

/**
 * teardown_mapped() - scenario: a mapping without a pin; the action returns
 * @c: the cell
 */
void teardown_mapped(struct cell *c);

/**
 * teardown_pinned() - scenario: a mapping and one pin; the action waits for the pin
 * @c: the cell
 */
void teardown_pinned(struct cell *c);

/* what scenarios with an order of their own need besides */
#include "teardown/parts.h"

#endif
