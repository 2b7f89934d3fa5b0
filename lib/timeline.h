/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A record of when the events of a test happened, and the verdict on their order.
 *
 * It lies in memory that all processes of a test share, and has one clock,
 * CLOCK_MONOTONIC, so that "returned before the release" is a comparison of two numbers.
 */
#ifndef DAX_LIB_TIMELINE_H
#define DAX_LIB_TIMELINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/clock.h"

/**
 * enum timeline_event - the events that a test is judged by
 * @TL_PINNED: the pin has been taken and proven
 * @TL_STARTED: the action is about to be started
 * @TL_REVOKED: the first access that raised SIGBUS
 * @TL_BLOCKED: the action's task stays asleep in one wait, see op_watch()
 * @TL_LIVE: the latest time at which the kernel still held the pin
 * @TL_RELEASING: the pin is about to be released
 * @TL_RELEASED: the pin has been released
 * @TL_RETURNED: the action has returned
 * @TL_NR: number of events
 */
enum timeline_event {
	TL_PINNED,
	TL_STARTED,
	TL_REVOKED,
	TL_BLOCKED,
	TL_LIVE,
	TL_RELEASING,
	TL_RELEASED,
	TL_RETURNED,
	TL_NR,
};

/**
 * struct timeline - the record; lies in shared memory
 * @ns: CLOCK_MONOTONIC of each event, 0 while it has not happened
 * @seq: number of marks; the futex word of timeline_wait()
 * @result: what the action returned: 0 or -errno; valid once TL_RETURNED
 * @task: process of the action; 0 before it runs
 */
struct timeline {
	_Atomic uint64_t ns[TL_NR];
	_Atomic uint32_t seq;
	_Atomic int result;
	_Atomic int task;
};

/**
 * timeline_now() - time now; the same as clock_now_ns()
 *
 * Return: CLOCK_MONOTONIC in nanoseconds.
 */
uint64_t timeline_now(void);

/**
 * timeline_reset() - start a new record
 * @tl: the record; no other process uses it
 */
void timeline_reset(struct timeline *tl);

/**
 * timeline_mark() - record that an event happens now; the first mark of an event stays
 * @tl: the record
 * @ev: the event
 *
 * Safe in a signal handler.
 */
void timeline_mark(struct timeline *tl, enum timeline_event ev);

/**
 * timeline_mark_at() - timeline_mark() with a given time
 * @tl: the record
 * @ev: the event; of TL_LIVE the last mark stays
 * @ns: CLOCK_MONOTONIC in nanoseconds, not 0
 */
void timeline_mark_at(struct timeline *tl, enum timeline_event ev, uint64_t ns);

/**
 * timeline_at() - time of an event
 * @tl: the record
 * @ev: the event
 *
 * Return: CLOCK_MONOTONIC in nanoseconds; 0 if it has not happened.
 */
uint64_t timeline_at(const struct timeline *tl, enum timeline_event ev);

/**
 * timeline_wait() - wait until any event is marked
 * @tl: the record
 * @seq: value of @tl->seq, read before the record was
 * @ns: longest wait, nanoseconds; a signal may end it earlier
 */
void timeline_wait(struct timeline *tl, uint32_t seq, uint64_t ns);

/**
 * timeline_wait_for() - wait for one event
 * @tl: the record
 * @ev: the event
 * @ns: longest wait, nanoseconds
 *
 * Return: 0, or -ETIMEDOUT.
 */
int timeline_wait_for(struct timeline *tl, enum timeline_event ev, uint64_t ns);

/**
 * enum verdict_kind - result of a test
 * @VERDICT_PASS: as it must be
 * @VERDICT_RETURNED_EARLY: returned while the pin was still proven live
 * @VERDICT_NEVER_RETURNED: not within the deadline after the release
 * @VERDICT_WAITED: the action blocked on a pin it must not wait for
 * @VERDICT_NOT_REVOKED: returned, and the mapping can still be accessed
 * @VERDICT_WRONG_DATA: bytes are not what they must be
 * @VERDICT_UNHEALTHY: the kernel complained, or pin counters, iomem or device list
 *	changed
 * @VERDICT_FAILED: a step failed
 * @VERDICT_UNPROVEN: the pin ended before it could prove anything
 */
enum verdict_kind {
	VERDICT_PASS,
	VERDICT_RETURNED_EARLY,
	VERDICT_NEVER_RETURNED,
	VERDICT_WAITED,
	VERDICT_NOT_REVOKED,
	VERDICT_WRONG_DATA,
	VERDICT_UNHEALTHY,
	VERDICT_FAILED,
	VERDICT_UNPROVEN,
};

/**
 * verdict_name() - word for a verdict in results
 * @kind: the verdict
 *
 * Return: "pass", "returned_early", ...; a constant.
 */
const char *verdict_name(enum verdict_kind kind);

/**
 * enum timeline_wait - must an action wait for pins?
 * @TL_MUST_WAIT: it takes the pinned memory away: it has to wait for the last pin
 * @TL_MAY_WAIT: it may take the memory away or not, and so may wait or not
 * @TL_MUST_PASS: it leaves the memory where it is: it must not wait
 */
enum timeline_wait {
	TL_MUST_WAIT,
	TL_MAY_WAIT,
	TL_MUST_PASS,
};

/**
 * struct timeline_rule - the order that is expected
 * @pins: number of pins that were out when the action started
 * @wait: must it wait for them?
 * @revoke: there was a mapping, which the action must revoke
 * @action: the word for the action in sentences: "unbind"
 * @refusal: an error, -errno, by which the action may refuse to do anything; 0 for none
 */
struct timeline_rule {
	unsigned int pins;
	enum timeline_wait wait;
	bool revoke;
	const char *action;
	int refusal;
};

/**
 * timeline_judge() - the verdict on an action that has returned or timed out
 * @tl: the record
 * @rule: the order that is expected
 * @text: set to a sentence: what was seen, when, and what was expected; "" for a pass
 * @len: bytes in @text
 *
 * With pins out: the action returned early if the kernel still held a pin at a time after
 * the return; it has waited if it was blocked, or ran on, while the pin was live, and
 * returned after the release.  An action that must not wait failed if it was blocked and
 * returned after the release.
 *
 * Return: the verdict.
 */
enum verdict_kind timeline_judge(const struct timeline *tl,
				 const struct timeline_rule *rule, char *text,
				 size_t len);

/**
 * timeline_text() - the record in one line, in milliseconds since TL_STARTED
 * @tl: the record
 * @buf: set to the text
 * @len: bytes in @buf
 */
void timeline_text(const struct timeline *tl, char *buf, size_t len);

#endif
