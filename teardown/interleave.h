/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two operations on one device, each a list of a few steps.
 *
 * steps.c has the steps and the operations.  orders.c runs two of them step by step,
 * in every order; races.c runs two of them at the same time.
 */
#ifndef DAX_TEARDOWN_INTERLEAVE_H
#define DAX_TEARDOWN_INTERLEAVE_H

#include "teardown/teardown.h"

#define OPERATION_STEPS	5	/* an operation has at most this many */
#define OPERATIONS	16	/* upper limit of their number */

/**
 * enum step_result - result of one step, or of a whole interleaving
 * @STEP_DONE: the kernel did what it had to do
 * @STEP_LEFT_OUT: not run, because every kernel is known to fail here
 * @STEP_NOT_POSSIBLE: not run, because the steps cannot come in this order
 * @STEP_WRONG: failed, see @kind and @why of struct interleave
 */
enum step_result { STEP_DONE, STEP_LEFT_OUT, STEP_NOT_POSSIBLE, STEP_WRONG };

/**
 * enum device_state - state of the device
 * @DEVICE_BOUND: bound to device_dax
 * @DEVICE_LEAVING: an action that takes it away has started and has not returned
 * @DEVICE_AWAY: the action has returned
 */
enum device_state { DEVICE_BOUND, DEVICE_LEAVING, DEVICE_AWAY };

struct interleave;

/**
 * struct step - one step of an operation
 * @name: as printed
 * @run: runs it for actor 0 or 1
 * @maps: it maps the device
 * @unpins: it releases the actor's pin
 */
struct step {
	const char *name;
	enum step_result (*run)(struct interleave *il, unsigned int who);
	bool maps;
	bool unpins;
};

/**
 * struct operation - a list of steps that one actor runs
 * @name: the word in cell names, in DAX_TEST_ORDER and in DAX_TEST_RACE
 * @pages: it works on a page, so the other operation may use the same page or its
 *	neighbour
 * @pins: it pins that page
 * @away: name of the action by which it takes the device away; NULL for none
 * @step: the steps; a shorter list ends with NULL
 */
struct operation {
	const char *name;
	bool pages;
	bool pins;
	const char *away;
	const struct step *step[OPERATION_STEPS];
};

/**
 * struct actor - runs one of the two operations
 * @proc: its process
 * @op: its operation
 * @off: page that it works on, bytes from the device's start
 * @mapped: it has a mapping
 * @stale: the device has been taken away since it was mapped
 * @pinned: it has a page in a pipe
 * @child: its child, which has inherited the pins but no mapping; 0 for none
 */
struct actor {
	struct pin_proc proc;
	const struct operation *op;
	size_t off;
	bool mapped;
	bool stale;
	bool pinned;
	pid_t child;
};

/**
 * struct interleave - the device and the two actors
 * @c: the cell
 * @actor: the two
 * @ops: operations that this build can run, in the order of the table
 * @nr_ops: number of @ops
 * @device: state of the device
 * @unbinder: the actor that started the action, while the device is DEVICE_LEAVING
 * @task: task of that action
 * @undo: brings the device back; NULL to bind device_dax
 * @early: the action returned with a page pinned
 * @at_once: the other actor may be taking the device away at this moment: a step
 *	may succeed or fail
 * @kind: verdict of the last STEP_WRONG
 * @why: sentence of the last STEP_WRONG
 */
struct interleave {
	struct cell *c;
	struct actor actor[2];
	const struct operation *ops[OPERATIONS];
	unsigned int nr_ops;
	enum device_state device;
	unsigned int unbinder;
	struct op_task task;
	int (*undo)(const struct test_mem *mem);
	bool early;
	bool at_once;
	enum verdict_kind kind;
	char why[160];
};

/**
 * operation_find() - look an operation up
 * @name: its name, not terminated
 * @len: bytes of @name
 *
 * Return: the operation, or NULL if there is none of that name.
 */
const struct operation *operation_find(const char *name, size_t len);

/**
 * operation_present() - can this build run an operation?
 * @c: the cell; skipped, with the reason, when it cannot
 * @op: the operation
 *
 * Return: true when it has the action and the pin that the operation needs.
 */
bool operation_present(struct cell *c, const struct operation *op);

/**
 * operation_steps() - number of steps
 * @op: the operation
 *
 * Return: 1 to OPERATION_STEPS.
 */
unsigned int operation_steps(const struct operation *op);

/**
 * step_wrong() - record a failure
 * @il: the interleaving
 * @kind: its verdict
 * @what: the step and what was seen
 * @why: more about it, or ""
 *
 * Return: STEP_WRONG.
 */
enum step_result step_wrong(struct interleave *il, enum verdict_kind kind, const char *what,
			    const char *why);

/* steps that the engines also run by themselves */
enum step_result step_map(struct interleave *il, unsigned int who);
enum step_result step_pin(struct interleave *il, unsigned int who);
enum step_result step_unpin(struct interleave *il, unsigned int who);
enum step_result step_reap(struct interleave *il, unsigned int who);
enum step_result step_take_away(struct interleave *il, unsigned int who);

/**
 * interleave_pinned() - is a page pinned by either actor?
 * @il: the interleaving
 *
 * Return: true if it is.
 */
bool interleave_pinned(const struct interleave *il);

/**
 * interleave_set_away() - note that the device is away and all mappings are stale
 * @il: the interleaving
 */
void interleave_set_away(struct interleave *il);

/**
 * interleave_returned() - judge an action that has returned
 * @il: the interleaving, with an action under way
 *
 * Return: STEP_DONE, or STEP_WRONG when a page is still pinned.
 */
enum step_result interleave_returned(struct interleave *il);

/**
 * interleave_setup() - collect the operations, start both actors, fill their pages
 * @c: the cell
 * @il: filled; interleave_cleanup() is due in any case
 *
 * Return: true, or false with the cell failed or skipped.
 */
bool interleave_setup(struct cell *c, struct interleave *il);

/**
 * interleave_restore() - drop all mappings and pins, and bind the device again
 * @il: the interleaving, at any step
 *
 * When that fails the cell fails and the device is marked wedged.
 */
void interleave_restore(struct interleave *il);

/**
 * interleave_cleanup() - end both actors
 * @il: from interleave_setup()
 */
void interleave_cleanup(struct interleave *il);

#endif
