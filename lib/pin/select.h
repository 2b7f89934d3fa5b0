/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sets of pin methods: what a scenario is run with.
 *
 * A set is chosen by properties (flags), or names one method where the scenario
 * needs only one of a kind, for which that one stands.  The names below are shared
 * by all programs; a scenario with a need of its own writes PINS(...).
 */
#ifndef DAX_LIB_PIN_SELECT_H
#define DAX_LIB_PIN_SELECT_H

#include <stdbool.h>

#include "lib/pin/pin.h"

/**
 * struct pin_select - a set of pin methods
 * @all: PIN_* flags that a method must all have
 * @none: PIN_* flags of which it may have none
 * @only: NULL, or the name of the one method
 * @also: methods of this set belong to it, too; NULL for no others
 */
struct pin_select {
	unsigned int all;
	unsigned int none;
	const char *only;
	const struct pin_select *also;
};

/**
 * pin_selected() - does a method belong to a set?
 * @s: the set; NULL for the empty one
 * @m: the method
 *
 * Return: true if it does.
 */
bool pin_selected(const struct pin_select *s, const struct pin_method *m);

/* a set by the members of struct pin_select; in a function it lasts as long as its block */
#define PINS(...)	(&(const struct pin_select){ __VA_ARGS__ })

/* the one method of this name */
#define PIN_ONE(name)	PINS(.only = (name))

/* one of two methods, by their names */
#define PIN_TWO(name, other) \
	PINS(.only = (name), .also = PIN_ONE(other))

/* every method */
#define PINS_ANY	PINS(.none = 0)

/* FOLL_LONGTERM, which fsdax must refuse; and the methods that it accepts */
#define PINS_LONGTERM	PINS(.all = PIN_LONGTERM)
#define PINS_SHORTTERM	PINS(.none = PIN_LONGTERM)

/* some kernels never drop the references */
#define PINS_LOST	PINS(.all = PIN_LOST)

/* the references stay until they are released, or until a delay is over */
#define PINS_HELD	PINS(.all = PIN_HELD)

/* a delay ends them: each test takes as long */
#define PINS_TIMED	PINS(.all = PIN_HELD | PIN_TIMED)

/* the same, by the plainest system call, in both directions */
#define PINS_TIMED_DIRECT \
	PINS(.all = PIN_HELD | PIN_TIMED | PIN_DIRECT)

/* nothing but pin_release() ends them */
#define PINS_UNTIMED	PINS(.all = PIN_HELD, .none = PIN_TIMED)

/* of these, the methods whose references every kernel then drops */
#define PINS_UNTIMED_SAFE \
	PINS(.all = PIN_HELD, .none = PIN_TIMED | PIN_LOST)

/* PINS_UNTIMED in two parts: a thousand of them are quickly made, or are not */
#define PINS_UNTIMED_CHEAP \
	PINS(.all = PIN_HELD, .none = PIN_TIMED | PIN_DM_DELAY | PIN_ELABORATE)
#define PINS_UNTIMED_COSTLY \
	PINS(.all = PIN_HELD | PIN_DM_DELAY, \
	     .also = PINS(.all = PIN_HELD | PIN_ELABORATE, .none = PIN_TIMED))

/* a child of fork() keeps the references when the process that took them is dead */
#define PINS_INHERITED	PINS(.all = PIN_HELD | PIN_OUTLIVES)

/* I/O in flight until dm-delay gets a command; and only that of pread() and pwrite() */
#define PINS_DM_DELAY	PINS(.all = PIN_HELD | PIN_DM_DELAY)
#define PINS_DM_DELAY_DIRECT \
	PINS(.all = PIN_HELD | PIN_DM_DELAY | PIN_DIRECT)

/*
 * For files, whose pages are counted alike by all methods: one method
 * that lends pages, and direct I/O in both directions.
 */
#define PINS_FILE \
	PINS(.only = "vmsplice", .also = PINS_DM_DELAY_DIRECT)
#define PINS_FILE_SOURCE \
	PINS(.only = "vmsplice", \
	     .also = PINS(.all = PIN_HELD | PIN_DM_DELAY | PIN_DIRECT | PIN_SOURCE))

/* I/O that will write into the memory, no matter who owns it then */
#define PINS_FILE_SINK \
	PINS(.all = PIN_HELD | PIN_DM_DELAY | PIN_DIRECT | PIN_SINK)

/* a page in a pipe: every kernel can, and the pin counters do not see it */
#define PIN_VMSPLICE	PIN_ONE("vmsplice")

/* for memory that gets a new owner: a pin that reads it, and one that will write it */
#define PINS_NEXT_OWNER	PIN_TWO("vmsplice", "odirect_read_dmdelay")

/* not held, and the memory can be reached again: a mapping of another kind */
#define PINS_GUEST	PINS(.all = PIN_REACH, .none = PIN_HELD)

/* held: a page in a pipe, and those by which the memory can be reached again */
#define PINS_VMSPLICE_OR_REACH \
	PINS(.only = "vmsplice", .also = PINS(.all = PIN_HELD | PIN_REACH))

#endif
