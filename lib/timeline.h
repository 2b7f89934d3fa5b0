/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happened when: one record on one clock, in memory that all processes of
 * a cell share, and the judge of its order.
 */
#ifndef DAX_LIB_TIMELINE_H
#define DAX_LIB_TIMELINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/clock.h"

/**
 * enum timeline_event - the moments a cell is judged by
 * @TL_PINNED: the pin has been taken and proven
 * @TL_STARTED: the action is about to be started
 * @TL_REVOKED: first touch that got SIGBUS
 * @TL_BLOCKED: the action's task was seen asleep in one and the same wait
 * @TL_LIVE: the latest moment at which the kernel said the pin is out
 * @TL_RELEASING: the holder is about to let go
 * @TL_RELEASED: the holder has let go
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
 * @seq: counts marks; a futex word for timeline_wait()
 * @result: what the action returned: 0 or -errno; valid once TL_RETURNED
 * @task: the process that carries the action out; 0 before it does
 */
struct timeline {
	_Atomic uint64_t ns[TL_NR];
	_Atomic uint32_t seq;
	_Atomic int result;
	_Atomic int task;
};

/** timeline_now() - CLOCK_MONOTONIC, nanoseconds */
uint64_t timeline_now(void);

/** timeline_reset() - nothing has happened yet */
void timeline_reset(struct timeline *tl);

/**
 * timeline_mark() - an event happens now; the first mark of an event stays
 * @tl: the record
 * @ev: the event
 *
 * Safe in a signal handler.
 */
void timeline_mark(struct timeline *tl, enum timeline_event ev);

/** timeline_mark_at() - like timeline_mark(), at a given time; TL_LIVE moves on */
void timeline_mark_at(struct timeline *tl, enum timeline_event ev, uint64_t ns);

/** timeline_at() - when it happened, nanoseconds; 0 if it has not */
uint64_t timeline_at(const struct timeline *tl, enum timeline_event ev);

/**
 * timeline_wait() - wait until something is marked
 * @tl: the record
 * @seq: value of tl->seq seen before looking
 * @ns: longest wait, nanoseconds
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
 * enum verdict_kind - what an order of events means
 * @VERDICT_PASS: as it must be
 * @VERDICT_RETURNED_EARLY: returned while the pin was still proven live
 * @VERDICT_NEVER_RETURNED: not within the deadline after the release
 * @VERDICT_WAITED: waited for a pin that is none of its business
 * @VERDICT_NOT_REVOKED: returned, and the mapping can still be touched
 * @VERDICT_WRONG_DATA: bytes are not what they must be
 * @VERDICT_UNHEALTHY: the kernel complained or its books do not balance
 * @VERDICT_FAILED: something else went wrong
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

/** verdict_name() - the word for it in results: "returned_early", ... */
const char *verdict_name(enum verdict_kind kind);

/**
 * enum timeline_wait - what pins mean to an action
 * @TL_MUST_WAIT: it takes the memory from under them: it waits for the last one
 * @TL_MAY_WAIT: it may, by the kernel's choice
 * @TL_MUST_PASS: it leaves the memory where it is: it does not wait
 */
enum timeline_wait {
	TL_MUST_WAIT,
	TL_MAY_WAIT,
	TL_MUST_PASS,
};

/**
 * struct timeline_rule - what the order has to be
 * @pins: number of pins that were out when the action started
 * @wait: what they mean to the action
 * @revoke: a mapping was there that the action must revoke
 * @action: the word for the action in sentences: "unbind"
 * @refusal: an error, -errno, that is as good as success: nothing was done; 0 for
 *	none
 */
struct timeline_rule {
	unsigned int pins;
	enum timeline_wait wait;
	bool revoke;
	const char *action;
	int refusal;
};

/**
 * timeline_judge() - the verdict on a finished or abandoned action
 * @tl: the record
 * @rule: what was wanted
 * @text: one sentence: what was seen, when, and what was expected
 * @len: bytes in @text
 *
 * With pins out: the action is early if the kernel said that a pin is out at a
 * time after the action had returned; it has waited if it was asleep in one
 * wait, or had run on, while the pin was live, and returned after the release.
 * What must not wait is not seen asleep until the pin is let go.
 */
enum verdict_kind timeline_judge(const struct timeline *tl,
				 const struct timeline_rule *rule, char *text,
				 size_t len);

/**
 * timeline_text() - the record in one line, milliseconds since TL_STARTED
 * @tl: the record
 * @buf: text
 * @len: bytes in @buf
 */
void timeline_text(const struct timeline *tl, char *buf, size_t len);

#endif
