// SPDX-License-Identifier: GPL-2.0-only
/* lib/timeline.c: the record, the waiting for it, and the judge of its order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/timeline.h"

#define MS	NSEC_PER_MSEC

FIXTURE(timeline) {
	struct timeline *tl;
	struct timeline_rule rule;
	char text[256];
};

FIXTURE_SETUP(timeline)
{
	self->tl = mmap(NULL, sizeof(*self->tl), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->tl);
	self->rule = (struct timeline_rule){ .pins = 1, .revoke = true, .action = "unbind" };
}

FIXTURE_TEARDOWN(timeline)
{
	munmap(self->tl, sizeof(*self->tl));
}

/* events with their times; each test leaves out or moves what it is about */
struct event {
	enum timeline_event ev;
	uint64_t ms;
};

static void record(struct timeline *tl, const struct event *events, size_t nr)
{
	timeline_reset(tl);
	for (size_t i = 0; i < nr; i++)
		timeline_mark_at(tl, events[i].ev, events[i].ms * MS);
}

#define RECORD(...) record(self->tl, (struct event[]){ __VA_ARGS__ },		\
			   sizeof((struct event[]){ __VA_ARGS__ }) /		\
			   sizeof(struct event))
#define JUDGE() timeline_judge(self->tl, &self->rule, self->text, sizeof(self->text))

TEST_F(timeline, a_fresh_record_is_empty)
{
	for (int ev = 0; ev < TL_NR; ev++)
		EXPECT_EQ(0, timeline_at(self->tl, ev));
	EXPECT_EQ(VERDICT_FAILED, JUDGE());
	EXPECT_STREQ("unbind was never started", self->text);
}

TEST_F(timeline, the_first_mark_of_an_event_stays)
{
	timeline_mark_at(self->tl, TL_REVOKED, 5);
	timeline_mark_at(self->tl, TL_REVOKED, 9);
	EXPECT_EQ(5, timeline_at(self->tl, TL_REVOKED));
}

TEST_F(timeline, the_latest_sight_of_the_pin_stays)
{
	timeline_mark_at(self->tl, TL_LIVE, 5);
	timeline_mark_at(self->tl, TL_LIVE, 9);
	EXPECT_EQ(9, timeline_at(self->tl, TL_LIVE));
}

TEST_F(timeline, reset_forgets_events_and_result)
{
	RECORD({ TL_STARTED, 1 }, { TL_RETURNED, 2 });
	atomic_store(&self->tl->result, -EIO);
	timeline_reset(self->tl);
	EXPECT_EQ(0, timeline_at(self->tl, TL_RETURNED));
	EXPECT_EQ(0, atomic_load(&self->tl->result));
}

TEST_F(timeline, a_mark_of_another_process_wakes_the_waiter)
{
	uint64_t start = timeline_now();
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		usleep(50000);
		timeline_mark(self->tl, TL_REVOKED);
		_exit(0);
	}
	EXPECT_EQ(0, timeline_wait_for(self->tl, TL_REVOKED, 10 * NSEC_PER_SEC));
	EXPECT_GT(start + 10 * NSEC_PER_SEC, timeline_now());
	EXPECT_LT(start, timeline_at(self->tl, TL_REVOKED));
	waitpid(pid, NULL, 0);
}

TEST_F(timeline, a_mark_of_another_event_does_not_end_the_wait)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		timeline_mark(self->tl, TL_LIVE);
		_exit(0);
	}
	EXPECT_EQ(-ETIMEDOUT, timeline_wait_for(self->tl, TL_REVOKED, 50 * MS));
	waitpid(pid, NULL, 0);
}

TEST_F(timeline, waiting_for_what_has_happened_returns_at_once)
{
	timeline_mark(self->tl, TL_STARTED);
	EXPECT_EQ(0, timeline_wait_for(self->tl, TL_STARTED, 0));
}

TEST_F(timeline, one_that_waits_for_the_pin_passes)
{
	RECORD({ TL_PINNED, 5 }, { TL_STARTED, 10 }, { TL_REVOKED, 12 },
	       { TL_BLOCKED, 80 }, { TL_LIVE, 81 }, { TL_RELEASING, 90 },
	       { TL_RELEASED, 91 }, { TL_RETURNED, 130 });
	EXPECT_EQ(VERDICT_PASS, JUDGE());
}

TEST_F(timeline, one_that_returns_under_the_pin_is_early)
{
	RECORD({ TL_STARTED, 10 }, { TL_REVOKED, 12 }, { TL_RETURNED, 70 }, { TL_LIVE, 71 });
	EXPECT_EQ(VERDICT_RETURNED_EARLY, JUDGE());
	EXPECT_STREQ("unbind returned after 0.06 s with 1 pin held; expected to wait",
		     self->text);
	self->rule.pins = 3;
	JUDGE();
	EXPECT_NE(NULL, strstr(self->text, "with 3 pins held"));
}

/* early is early, whether it also failed or forgot to revoke */
TEST_F(timeline, early_outranks_everything_else)
{
	RECORD({ TL_STARTED, 10 }, { TL_RETURNED, 70 }, { TL_LIVE, 71 });
	atomic_store(&self->tl->result, -EIO);
	EXPECT_EQ(VERDICT_RETURNED_EARLY, JUDGE());
}

/* seen live only before the return: nothing says that it returned under it */
TEST_F(timeline, a_pin_last_seen_before_the_return_is_not_early)
{
	RECORD({ TL_STARTED, 10 }, { TL_REVOKED, 12 }, { TL_LIVE, 69 }, { TL_RETURNED, 70 });
	EXPECT_NE(VERDICT_RETURNED_EARLY, JUDGE());
}

TEST_F(timeline, one_without_pins_cannot_be_early)
{
	self->rule.pins = 0;
	RECORD({ TL_STARTED, 10 }, { TL_REVOKED, 12 }, { TL_RETURNED, 70 });
	EXPECT_EQ(VERDICT_PASS, JUDGE());
}

TEST_F(timeline, no_return_is_counted_from_the_release)
{
	uint64_t now = timeline_now() / MS;

	RECORD({ TL_STARTED, now - 30000 }, { TL_LIVE, now - 25000 },
	       { TL_RELEASING, now - 20000 });
	EXPECT_EQ(VERDICT_NEVER_RETURNED, JUDGE());
	/* to the second: time goes on while this runs */
	EXPECT_NE(NULL, strstr(self->text, "within 20."));
	EXPECT_NE(NULL, strstr(self->text, "of the release"));
}

TEST_F(timeline, no_return_without_a_release_is_counted_from_the_start)
{
	self->rule.pins = 0;
	RECORD({ TL_STARTED, timeline_now() / MS - 5000 });
	EXPECT_EQ(VERDICT_NEVER_RETURNED, JUDGE());
	EXPECT_NE(NULL, strstr(self->text, "within 5."));
	EXPECT_NE(NULL, strstr(self->text, "of the start"));
}

TEST_F(timeline, an_error_of_the_action_fails)
{
	self->rule.pins = 0;
	RECORD({ TL_STARTED, 10 }, { TL_RETURNED, 70 });
	atomic_store(&self->tl->result, -EBUSY);
	EXPECT_EQ(VERDICT_FAILED, JUDGE());
	EXPECT_NE(NULL, strstr(self->text, "error 16"));
}

TEST_F(timeline, a_mapping_that_stays_is_not_revoked)
{
	self->rule.pins = 0;
	RECORD({ TL_STARTED, 10 }, { TL_RETURNED, 70 });
	EXPECT_EQ(VERDICT_NOT_REVOKED, JUDGE());
	self->rule.revoke = false;
	EXPECT_EQ(VERDICT_PASS, JUDGE());
}

/* the order is: revoke, then wait; a mapping good until the release is not it */
TEST_F(timeline, a_mapping_revoked_only_after_the_release_is_not_revoked)
{
	RECORD({ TL_STARTED, 10 }, { TL_BLOCKED, 80 }, { TL_LIVE, 81 },
	       { TL_RELEASING, 90 }, { TL_REVOKED, 95 }, { TL_RETURNED, 130 });
	EXPECT_EQ(VERDICT_NOT_REVOKED, JUDGE());
}

TEST_F(timeline, a_pin_never_seen_proves_nothing)
{
	RECORD({ TL_STARTED, 10 }, { TL_REVOKED, 12 }, { TL_RELEASING, 60 }, { TL_RETURNED, 70 });
	EXPECT_EQ(VERDICT_UNPROVEN, JUDGE());
}

TEST_F(timeline, a_pin_gone_before_the_wait_proves_nothing)
{
	RECORD({ TL_STARTED, 10 }, { TL_REVOKED, 12 }, { TL_LIVE, 40 }, { TL_BLOCKED, 80 },
	       { TL_RELEASING, 90 }, { TL_RETURNED, 130 });
	EXPECT_EQ(VERDICT_UNPROVEN, JUDGE());
}

TEST_F(timeline, a_short_buffer_is_not_overrun)
{
	char text[9];

	memset(text, 'x', sizeof(text));
	RECORD({ TL_STARTED, 10 }, { TL_REVOKED, 12 }, { TL_RETURNED, 70 }, { TL_LIVE, 71 });
	timeline_judge(self->tl, &self->rule, text, sizeof(text) - 1);
	EXPECT_EQ('\0', text[7]);
	EXPECT_EQ('x', text[8]);
	memset(text, 'x', sizeof(text));
	timeline_text(self->tl, text, sizeof(text) - 1);
	EXPECT_EQ('\0', text[7]);
	EXPECT_EQ('x', text[8]);
	timeline_text(self->tl, text, 0);
}

TEST_F(timeline, the_text_is_in_the_order_of_time)
{
	RECORD({ TL_RETURNED, 130 }, { TL_STARTED, 10 }, { TL_PINNED, 5 }, { TL_LIVE, 81 });
	timeline_text(self->tl, self->text, sizeof(self->text));
	EXPECT_STREQ("pinned -5.0 ms, started 0.0 ms, pin last seen 71.0 ms, returned 120.0 ms",
		     self->text);
}

TEST(every_verdict_has_a_word_of_its_own)
{
	for (int a = VERDICT_PASS; a <= VERDICT_UNPROVEN; a++)
		for (int b = VERDICT_PASS; b < a; b++)
			EXPECT_STRNE(verdict_name(a), verdict_name(b));
}

TEST_HARNESS_MAIN
