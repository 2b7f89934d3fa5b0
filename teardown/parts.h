/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steps for scenarios that deviate from the order of teardown_run(): they watch, judge
 * and release on their own.  Included by teardown.h.
 */
#ifndef DAX_TEARDOWN_PARTS_H
#define DAX_TEARDOWN_PARTS_H

#include "teardown/teardown.h"

/**
 * teardown_setup_node() - teardown_setup() through another node of the device
 * @c: the cell
 * @s: filled
 * @node: path of the node; has to outlive @s
 *
 * Return: true if the memory is mapped.
 */
bool teardown_setup_node(struct cell *c, struct teardown *s, const char *node);

/**
 * teardown_window() - how much of the device's start is checked word by word
 *
 * All pins lie in it; the rest of the device is sampled.
 *
 * Return: bytes; it depends on the page size.
 */
size_t teardown_window(void);

/**
 * teardown_watch() - op_watch() the action, and ask whether pins are still out
 * @s: started
 *
 * Return: what ended the watch.
 */
enum op_state teardown_watch(struct teardown *s);

/**
 * teardown_wait_revoked() - wait for the first SIGBUS, for a bounded time
 * @s: started
 */
void teardown_wait_revoked(struct teardown *s);

/**
 * teardown_judge_early() - judge while pins are out: has the action returned early?
 * @s: watched
 *
 * Return: VERDICT_RETURNED_EARLY, printed, or VERDICT_PASS.
 */
enum verdict_kind teardown_judge_early(struct teardown *s);

/**
 * teardown_judge() - judge the order of events
 * @s: its action has returned, or is late
 *
 * A failure is printed and flushed at once: what follows may crash the kernel.
 *
 * Return: the verdict.
 */
enum verdict_kind teardown_judge(struct teardown *s);

/**
 * teardown_release() - release one pin and check its bytes
 * @s: pinned
 * @slot: which pin
 *
 * Return: true if the pin was released and its bytes are right.
 */
bool teardown_release(struct teardown *s, unsigned int slot);

/**
 * teardown_release_each() - release the pins one by one; the action waits for the last
 * @s: started
 *
 * Return: true, or false as teardown_expect_waiting().
 */
bool teardown_release_each(struct teardown *s);

/**
 * teardown_release_late() - release all pins after an early return
 * @s: its memory map is there again
 *
 * Errors are printed; they are no verdict.
 */
void teardown_release_late(struct teardown *s);

/**
 * teardown_undo() - undo the cell's action; devices are found by their new names
 * @c: the cell
 *
 * Return: 0, -ETIMEDOUT when it is stuck, -ECHILD when its task died, or -errno.
 */
int teardown_undo(struct cell *c);

/**
 * teardown_refill() - write the pattern into the window again
 * @s: bound again
 */
void teardown_refill(struct teardown *s);

/**
 * teardown_finish_and_check() - the steps from teardown_expect_return() on
 * @s: started, no pin out
 *
 * Return: the verdict on the order of events.
 */
enum verdict_kind teardown_finish_and_check(struct teardown *s);

/**
 * expect_done() - expect success of a call in a task of its own
 * @c: the cell
 * @ret: result of the call: 0, -ETIMEDOUT when stuck, -ECHILD when its task died, -errno
 * @what: the call
 *
 * Return: true when @ret is 0.
 */
bool expect_done(struct cell *c, int ret, const char *what);

#endif
