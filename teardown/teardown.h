/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The parts of dax_teardown: the scene, and the scenarios by file.
 */
#ifndef DAX_TEARDOWN_H
#define DAX_TEARDOWN_H

#include "suite/suite.h"

#define TAG_ANY		0	/* for bytes_check(): whatever it is */

/* A clock holds a pin for so long at first. */
#define TEARDOWN_HOLD_NS	(250 * NSEC_PER_MSEC)

#define FILE_BYTES	(4u << 20)	/* of a file whose ground is taken away */

/* Pins lie in this much of the device's start; it is checked word by word. */
#define WINDOW_BYTES	(256u << 10)

/* map slots of a holder */
enum { MAP_MAIN, MAP_AGAIN, MAP_WHOLE };

/**
 * struct teardown - what a scenario has set up
 * @c: its cell
 * @h: holder of the pins
 * @viewer: another process that only maps; pid 0 when there is none
 * @node: the device node that is opened
 * @op: the action
 * @rule: what the order has to be
 * @nr_pins: pins taken
 * @sink: the pin has brought a pattern of its own
 * @base: where the first begins at the earliest, bytes from the device's start
 * @off: where each begins, bytes from the device's start
 * @method: how each was taken
 * @undone: the action has been undone
 * @untold: the verdict has been printed, the order of events has not
 * @heir: process that inherited them, 0 when there is none
 * @len: bytes of one pin
 * @map_len: bytes mapped by h in MAP_MAIN
 * @data: physical address of the device's memory, where a scenario asks for it
 * @usual_ns: what the action takes when nothing is in its way; 0 where the kind of
 *	memory says it
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
	bool undone;
	bool untold;
	pid_t heir;
	size_t len;
	size_t map_len;
	uint64_t usual_ns;
	unsigned long long data;
};

/* what a scenario does to the scene between the pin and the action */
typedef bool (*prepare_fn)(struct teardown *s);

/*
 * teardown_scene.c.  What returns bool has failed or skipped the cell when it
 * returns false.
 */

/** teardown_setup() - a holder with one fresh mapping, its page size proven */
bool teardown_setup(struct cell *c, struct teardown *s);

/** teardown_setup_node() - the same through another node of the device */
bool teardown_setup_node(struct cell *c, struct teardown *s, const char *node);

/** teardown_watch_mapping() - a thread of the holder touches the mapping until SIGBUS */
bool teardown_watch_mapping(struct teardown *s);

/** teardown_fill_all() - the pattern in every word of the device, not only in samples */
bool teardown_fill_all(struct teardown *s);

/** teardown_pin() - one more pin, proven; @hold in nanoseconds where a clock ends it */
bool teardown_pin(struct teardown *s, const struct pin_method *m, uint64_t hold);

/** teardown_start() - start the action in a process of its own */
bool teardown_start(struct teardown *s);

/** teardown_watch() - op_watch() with the pins' proof of life */
enum op_state teardown_watch(struct teardown *s);

/** teardown_wait_revoked() - give the mapping time to be revoked, bounded */
void teardown_wait_revoked(struct teardown *s);

/** teardown_judge_early() - while pins are out: only an early return is a verdict */
enum verdict_kind teardown_judge_early(struct teardown *s);

/** teardown_judge() - judge, and print a failure before anything touches the pin */
enum verdict_kind teardown_judge(struct teardown *s);

/** teardown_release() - release one pin and check its bytes */
bool teardown_release(struct teardown *s, unsigned int slot);

/** teardown_release_all() - release what is still out, one after the other */
void teardown_release_all(struct teardown *s);

/**
 * teardown_release_each() - release one after the other, the action waiting for the others
 * @s: with the action started
 *
 * Return: true, or false after an early return, with the pins let go by teardown_defuse().
 */
bool teardown_release_each(struct teardown *s);

/** teardown_release_late() - release after an early return; what comes of it is told */
void teardown_release_late(struct teardown *s);

/** teardown_defuse() - let go after an early return, as DAX_TEST_RELEASE says */
void teardown_defuse(struct teardown *s);

/** teardown_drop_mappings() - unmap and close what holder and viewer have open */
void teardown_drop_mappings(struct teardown *s);

/** teardown_check_dead() - the mapping from before raises SIGBUS */
void teardown_check_dead(struct teardown *s);

/** teardown_undo() - whatever was taken away is back, under its new names; 0 or -errno */
int teardown_undo(struct cell *c);

/** expect_done() - expect 0 of a call in a task of its own, and that the task came back */
bool expect_done(struct cell *c, int ret, const char *what);

/** teardown_bind() - bind again, in a process of its own */
bool teardown_bind(struct teardown *s);

/** teardown_rebind() - the same without descriptors from before */
bool teardown_rebind(struct teardown *s);

/** teardown_check_after_bind() - the device is the same, and so are its bytes */
void teardown_check_after_bind(struct teardown *s);

/** teardown_refill() - the window's bytes back to what they are between cells */
void teardown_refill(struct teardown *s);

/**
 * teardown_finish_and_check() - from the last pin's release to the device bound and checked
 * @s: with the action started and no pin out
 *
 * Return: the verdict on the order of events.
 */
enum verdict_kind teardown_finish_and_check(struct teardown *s);

/**
 * teardown_run() - from the start of the action to the device bound and checked
 * @s: arranged
 *
 * Without pins the action just has to return; with pins it has to wait for them.
 */
enum verdict_kind teardown_run(struct teardown *s);

/** teardown_cleanup() - end the processes; to be called whatever came before */
void teardown_cleanup(struct teardown *s);

/* teardown_bytes.c */

/**
 * bytes_write() - write a pattern into a file or block device
 * @path: file
 * @off: place in it
 * @len: bytes
 * @tag: of the pattern
 * @as: the offset that the first of them is written for
 *
 * Return: 0 or -errno.
 */
int bytes_write(const char *path, off_t off, size_t len, uint16_t tag, uint64_t as);

/** bytes_sync() - fsync(2); 0 or -errno */
int bytes_sync(const char *path);

/**
 * bytes_check() - read what bytes_write() wrote
 * @path: file
 * @off: place in it
 * @len: bytes
 * @tag: of the pattern; TAG_ANY where it is enough that they can be read
 * @as: the offset that the first of them was written for
 * @why: the first wrong word, in a sentence; may be NULL
 * @why_len: bytes in @why
 *
 * Return: 0, -EILSEQ when they are others, -errno.
 */
int bytes_check(const char *path, off_t off, size_t len, uint16_t tag, uint64_t as, char *why,
		size_t why_len);

/* scene.c: what several files' scenarios are */

/**
 * teardown_mapped() - scenario: a mapping, no pin; the action returns
 * @c: the cell
 */
void teardown_mapped(struct cell *c);

/**
 * teardown_pinned() - scenario: a mapping and one pin; the action waits for the pin
 * @c: the cell
 */
void teardown_pinned(struct cell *c);

/**
 * teardown_one_pin() - one pin by the cell's method, then the action
 * @c: the cell
 * @prepare: what is done to mapping and process before the action
 *
 * A pin that a clock ends may be over too soon on a loaded machine: it is tried once
 * more, with a longer hold.
 */
void teardown_one_pin(struct cell *c, prepare_fn prepare);

#endif
