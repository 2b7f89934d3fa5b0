// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/timeline.h"

static const char *const event_names[TL_NR] = {
	[TL_PINNED] = "pinned",
	[TL_STARTED] = "started",
	[TL_REVOKED] = "revoked",
	[TL_BLOCKED] = "blocked",
	[TL_LIVE] = "pin last seen",
	[TL_RELEASING] = "releasing",
	[TL_RELEASED] = "released",
	[TL_RETURNED] = "returned",
};

uint64_t timeline_now(void)
{
	return clock_now_ns();
}

void timeline_reset(struct timeline *tl)
{
	for (int i = 0; i < TL_NR; i++)
		atomic_store(&tl->ns[i], 0);
	atomic_store(&tl->result, 0);
	atomic_store(&tl->task, 0);
}

void timeline_mark_at(struct timeline *tl, enum timeline_event ev, uint64_t ns)
{
	uint64_t unset = 0;

	if (ev == TL_LIVE)
		atomic_store(&tl->ns[ev], ns);
	else
		atomic_compare_exchange_strong(&tl->ns[ev], &unset, ns);
	atomic_fetch_add(&tl->seq, 1);
	syscall(SYS_futex, &tl->seq, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void timeline_mark(struct timeline *tl, enum timeline_event ev)
{
	timeline_mark_at(tl, ev, clock_now_ns());
}

uint64_t timeline_at(const struct timeline *tl, enum timeline_event ev)
{
	return atomic_load(&tl->ns[ev]);
}

void timeline_wait(struct timeline *tl, uint32_t seq, uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = ns / NSEC_PER_SEC,
		.tv_nsec = ns % NSEC_PER_SEC,
	};

	syscall(SYS_futex, &tl->seq, FUTEX_WAIT, seq, &ts, NULL, 0);
}

int timeline_wait_for(struct timeline *tl, enum timeline_event ev, uint64_t ns)
{
	uint64_t end = clock_now_ns() + ns;

	for (;;) {
		uint32_t seq = atomic_load(&tl->seq);
		uint64_t now;

		if (timeline_at(tl, ev))
			return 0;
		now = clock_now_ns();
		if (now >= end)
			return -ETIMEDOUT;
		timeline_wait(tl, seq, end - now);
	}
}

const char *verdict_name(enum verdict_kind kind)
{
	switch (kind) {
	case VERDICT_PASS:
		return "pass";
	case VERDICT_RETURNED_EARLY:
		return "returned_early";
	case VERDICT_NEVER_RETURNED:
		return "never_returned";
	case VERDICT_WAITED:
		return "waited";
	case VERDICT_NOT_REVOKED:
		return "not_revoked";
	case VERDICT_WRONG_DATA:
		return "wrong_data";
	case VERDICT_UNHEALTHY:
		return "unhealthy";
	case VERDICT_UNPROVEN:
		return "unproven";
	case VERDICT_FAILED:
		break;
	}
	return "failed";
}

static double seconds_between(uint64_t from, uint64_t to)
{
	return ((double)to - (double)from) / NSEC_PER_SEC;
}

enum verdict_kind timeline_judge(const struct timeline *tl,
				 const struct timeline_rule *rule, char *text,
				 size_t len)
{
	uint64_t started = timeline_at(tl, TL_STARTED);
	uint64_t returned = timeline_at(tl, TL_RETURNED);
	uint64_t live = timeline_at(tl, TL_LIVE);
	uint64_t releasing = timeline_at(tl, TL_RELEASING);
	uint64_t blocked = timeline_at(tl, TL_BLOCKED);
	uint64_t revoked = timeline_at(tl, TL_REVOKED);
	int result = atomic_load(&tl->result);
	const char *act = rule->action;

	text[0] = '\0';
	if (!started) {
		snprintf(text, len, "%s was never started", act);
		return VERDICT_FAILED;
	}
	if (returned && rule->refusal && result == rule->refusal)
		return VERDICT_PASS;
	if (rule->pins && rule->wait == TL_MUST_WAIT && returned && live > returned) {
		snprintf(text, len,
			 "%s returned after %.2f s with %u pin%s held; expected to wait",
			 act, seconds_between(started, returned), rule->pins,
			 rule->pins == 1 ? "" : "s");
		return VERDICT_RETURNED_EARLY;
	}
	if (!returned) {
		uint64_t from = releasing ? releasing : started;

		snprintf(text, len,
			 "%s did not return within %.1f s of the %s; expected to return",
			 act, seconds_between(from, clock_now_ns()),
			 releasing ? "release" : "start");
		return VERDICT_NEVER_RETURNED;
	}
	if (result) {
		snprintf(text, len, "%s failed with error %d (%s); expected 0", act, -result,
			 strerror(-result));
		return VERDICT_FAILED;
	}
	if (rule->pins && rule->wait == TL_MUST_PASS && blocked && releasing &&
	    returned > releasing) {
		snprintf(text, len,
			 "%s waited for %.2f s, until the pin was released; expected to return at once",
			 act, seconds_between(started, returned));
		return VERDICT_WAITED;
	}
	if (rule->revoke && !revoked) {
		snprintf(text, len,
			 "%s returned after %.2f s and the mapping can still be touched; expected SIGBUS",
			 act, seconds_between(started, returned));
		return VERDICT_NOT_REVOKED;
	}
	if (rule->revoke && releasing && revoked > releasing) {
		snprintf(text, len,
			 "the mapping could be touched for %.2f s, until the pin was released; expected SIGBUS while %s waits",
			 seconds_between(started, revoked), act);
		return VERDICT_NOT_REVOKED;
	}
	/* a pin that ended before the action got to its wait proves nothing */
	if (rule->pins && rule->wait == TL_MUST_WAIT &&
	    !(live > started && (!blocked || live >= blocked))) {
		snprintf(text, len,
			 "the pin was not seen live while %s waited", act);
		return VERDICT_UNPROVEN;
	}
	return VERDICT_PASS;
}

void timeline_text(const struct timeline *tl, char *buf, size_t len)
{
	uint64_t zero = timeline_at(tl, TL_STARTED);
	unsigned char order[TL_NR];
	size_t used = 0;
	int nr = 0;

	if (!len)
		return;
	buf[0] = '\0';
	for (int i = 0; i < TL_NR; i++) {
		int j = nr;

		if (!timeline_at(tl, i))
			continue;
		for (; j && timeline_at(tl, order[j - 1]) > timeline_at(tl, i); j--)
			order[j] = order[j - 1];
		order[j] = i;
		nr++;
	}
	for (int i = 0; i < nr && used < len; i++) {
		double ms = seconds_between(zero, timeline_at(tl, order[i])) * 1000;
		int n = snprintf(buf + used, len - used, "%s%s %.1f ms",
				 i ? ", " : "", event_names[order[i]], ms);

		if (n < 0)
			break;
		used += n;
	}
}
