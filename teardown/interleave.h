/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Operations of a few steps each, for the engines that carry out two of them in every
 * order, or at once.
 */
#ifndef DAX_TEARDOWN_ORDERS_H
#define DAX_TEARDOWN_ORDERS_H

#include "teardown/teardown.h"

#define MOST_STEPS	5

/* what became of a step, or of an order */
enum fate { DONE, LEFT_OUT, NOT_POSSIBLE, WRONG };

/* BOUND, an unbind under way that waits, or not there */
enum device { BOUND, LEAVING, AWAY };

/**
 * struct side - who carries out one of the two operations
 * @h: its process
 * @off: of the page it works on, bytes
 * @mapped: it has a mapping
 * @stale: the device has gone since
 * @pinned: it has a page in a pipe
 * @child: its child, which has the pins and not the mapping; 0 for none
 */
struct side {
	struct pin_proc h;
	size_t off;
	bool mapped;
	bool stale;
	bool pinned;
	pid_t child;
};

/**
 * struct world - the device and both sides
 * @c: the cell
 * @side: both
 * @device: where it is
 * @leaver: whose step the unbind is that is under way
 * @op: which carries it out
 * @undo: brings the device back
 * @early: gone with a pin out
 * @at_once: the other side may be taking the device away at this moment: neither
 *	success nor failure of a step is wrong
 * @kind: verdict of a step that came out WRONG
 * @why: its sentence
 */
struct world {
	struct cell *c;
	struct side side[2];
	enum device device;
	unsigned int leaver;
	struct op_task op;
	int (*undo)(const struct test_mem *v);
	bool early;
	bool at_once;
	enum verdict_kind kind;
	char why[160];
};

typedef enum fate (*step_fn)(struct world *w, unsigned int who);

/**
 * struct operation - what is carried out beside another one
 * @name: as in cells and in DAX_TEST_ORDER
 * @pages: works on one, so that the neighbour is another case
 * @away: name of the action that takes the device away; NULL for what works on memory
 * @step: in their order; ends with one without a name
 */
struct operation {
	const char *name;
	bool pages;
	const char *away;
	struct {
		const char *name;
		step_fn run;
	} step[MOST_STEPS];
};

/* teardown_steps.c */

extern const struct operation operations[];
extern const unsigned int nr_operations;

/** operation_find() - by the first @len bytes of @name; NULL if there is none */
const struct operation *operation_find(const char *name, size_t len);

/** steps_of() - how many */
unsigned int steps_of(const struct operation *op);

/** step_wrong() - note the verdict and the sentence; WRONG */
enum fate step_wrong(struct world *w, enum verdict_kind kind, const char *what,
		     const char *why);

/* what both sides begin with, and end with */
enum fate step_map(struct world *w, unsigned int who);
enum fate step_unmap(struct world *w, unsigned int who);
enum fate step_reap(struct world *w, unsigned int who);

/** pins_out() - has either side one? */
bool pins_out(const struct world *w);

/** world_look() - has what was under way returned?  With a pin out it must not */
enum fate world_look(struct world *w, bool returned);

/** world_gone() - the device is away */
void world_gone(struct world *w);

/** world_begin() - both sides, and pages that are known; false with the cell over */
bool world_begin(struct cell *c, struct world *w);

/** world_tidy() - the device bound, nobody near it; false when it is lost */
bool world_tidy(struct world *w);

/** world_lost() - say so after a world_tidy() that returned false */
void world_lost(struct world *w);

/** world_end() - end both sides */
void world_end(struct world *w);

#endif
