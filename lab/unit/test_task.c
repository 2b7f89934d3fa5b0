// SPDX-License-Identifier: GPL-2.0-only
/*
 * lib/task.c on actions that need no device.  The parent of a vfork(2) sleeps in state D
 * until its child ends, as a blocked unbind does.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/task.h"

/* what the actions share with the test */
static struct shared {
	struct timeline tl;
	atomic_int questions;
	atomic_int ppid, sid;
} *shared;

static int release_pipe[2];

FIXTURE(task) {
	struct op_task a;
};

FIXTURE_SETUP(task)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	ASSERT_EQ(0, pipe(release_pipe));
}

FIXTURE_TEARDOWN(task)
{
	close(release_pipe[0]);
	close(release_pipe[1]);
	munmap(shared, sizeof(*shared));
}

static int succeed(const struct test_mem *v)
{
	(void)v;
	shared->ppid = getppid();
	shared->sid = getsid(0);
	return 0;
}

static int fail(const struct test_mem *v)
{
	(void)v;
	return -EBUSY;
}

static int die(const struct test_mem *v)
{
	(void)v;
	raise(SIGKILL);
	return 0;
}

/* slow, and mostly asleep, but never in one and the same sleep for long */
static int amble(const struct test_mem *v)
{
	(void)v;
	for (int i = 0; i < 200; i++)
		usleep(1000);
	return 0;
}

/* in state S until it is let go: a signal would end it */
static int listen_for(const struct test_mem *v)
{
	char c;

	(void)v;
	return read(release_pipe[0], &c, 1) == 1 ? 0 : -EIO;
}

static int hang(const struct test_mem *v)
{
	pid_t pid = vfork();
	char c;

	(void)v;
	if (!pid) {
		while (read(release_pipe[0], &c, 1) < 0)
			;
		_exit(0);
	}
	return pid < 0 ? -errno : 0;
}

static void end_hang(void)
{
	if (write(release_pipe[1], "", 1) != 1)
		abort();
}

static int live_always(void *arg)
{
	(void)arg;
	shared->questions++;
	return 1;
}

static int live_for_three_questions(void *arg)
{
	(void)arg;
	return ++shared->questions <= 3;
}

TEST_F(task, an_action_that_succeeds)
{
	EXPECT_EQ(0, op_call(&self->a, &shared->tl, succeed, NULL));
	EXPECT_EQ(0, self->a.pid);
	EXPECT_NE(0, timeline_at(&shared->tl, TL_STARTED));
	EXPECT_LE(timeline_at(&shared->tl, TL_STARTED), timeline_at(&shared->tl, TL_RETURNED));
	/* reaped: nothing of it is left */
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
}

/* a session of its own: a signal to the test's process group must not reach it */
TEST_F(task, it_runs_in_a_session_of_its_own)
{
	EXPECT_EQ(0, op_call(&self->a, &shared->tl, succeed, NULL));
	EXPECT_EQ(getpid(), shared->ppid);
	EXPECT_NE(getsid(0), shared->sid);
}

TEST_F(task, the_error_of_an_action_is_handed_on)
{
	EXPECT_EQ(-EBUSY, op_call(&self->a, &shared->tl, fail, NULL));
	EXPECT_EQ(-EBUSY, atomic_load(&shared->tl.result));
}

TEST_F(task, a_task_that_dies_is_not_waited_for)
{
	uint64_t start = timeline_now();

	EXPECT_EQ(-ECHILD, op_call(&self->a, &shared->tl, die, NULL));
	EXPECT_GT(start + OP_DEADLINE_NS / 2, timeline_now());
	EXPECT_EQ(0, timeline_at(&shared->tl, TL_RETURNED));
}

TEST_F(task, one_that_returns_is_seen_to_return)
{
	ASSERT_EQ(0, op_start(&self->a, &shared->tl, amble, NULL));
	EXPECT_EQ(OP_RETURNED, op_watch(&self->a, NULL, NULL));
	EXPECT_EQ(0, timeline_at(&shared->tl, TL_BLOCKED));
	EXPECT_EQ(0, op_wait(&self->a, NSEC_PER_SEC));
}

/* the question after the return is what tells early from in time */
TEST_F(task, the_pin_is_asked_for_after_the_return)
{
	ASSERT_EQ(0, op_start(&self->a, &shared->tl, amble, NULL));
	EXPECT_EQ(OP_RETURNED, op_watch(&self->a, live_always, NULL));
	EXPECT_LT(timeline_at(&shared->tl, TL_RETURNED), timeline_at(&shared->tl, TL_LIVE));
	EXPECT_EQ(0, op_wait(&self->a, NSEC_PER_SEC));
}

TEST_F(task, one_that_waits_is_seen_to_wait)
{
	uint64_t started;

	ASSERT_EQ(0, op_start(&self->a, &shared->tl, hang, NULL));
	ASSERT_EQ(OP_BLOCKED, op_watch(&self->a, live_always, NULL));
	started = timeline_at(&shared->tl, TL_STARTED);
	EXPECT_LE(started + OP_STILL_NS, timeline_at(&shared->tl, TL_BLOCKED));
	EXPECT_LE(timeline_at(&shared->tl, TL_BLOCKED), timeline_at(&shared->tl, TL_LIVE));
	EXPECT_EQ(0, timeline_at(&shared->tl, TL_RETURNED));
	end_hang();
	EXPECT_EQ(0, op_wait(&self->a, 10 * NSEC_PER_SEC));
	EXPECT_EQ(0, self->a.pid);
}

TEST_F(task, one_that_does_not_come_back_leaves_where_it_is)
{
	ASSERT_EQ(0, op_start(&self->a, &shared->tl, hang, NULL));
	EXPECT_EQ(-ETIMEDOUT, op_wait(&self->a, 200 * NSEC_PER_MSEC));
	EXPECT_NE(0, self->a.pid);
	/* only root may read stacks; everybody sees one of the two */
	EXPECT_TRUE(self->a.stack[0] || self->a.wchan[0] || geteuid());
	end_hang();
	EXPECT_EQ(0, op_wait(&self->a, 10 * NSEC_PER_SEC));
}

/* file systems wait for a page in state S on some kernels */
TEST_F(task, an_interruptible_sleep_counts_as_waiting)
{
	ASSERT_EQ(0, op_start(&self->a, &shared->tl, listen_for, NULL));
	EXPECT_EQ(OP_BLOCKED, op_watch(&self->a, live_always, NULL));
	EXPECT_EQ(0, timeline_at(&shared->tl, TL_RETURNED));
	end_hang();
	EXPECT_EQ(0, op_wait(&self->a, 10 * NSEC_PER_SEC));
}

/* what goes to sleep again and again is getting on */
TEST_F(task, short_sleeps_do_not_count_as_waiting)
{
	ASSERT_EQ(0, op_start(&self->a, &shared->tl, amble, NULL));
	EXPECT_NE(OP_BLOCKED, op_watch(&self->a, live_always, NULL));
	EXPECT_EQ(0, op_wait(&self->a, NSEC_PER_SEC));
}

TEST_F(task, a_pin_that_ends_first_is_reported)
{
	ASSERT_EQ(0, op_start(&self->a, &shared->tl, hang, NULL));
	EXPECT_EQ(OP_UNPINNED, op_watch(&self->a, live_for_three_questions, NULL));
	EXPECT_EQ(4, shared->questions);
	end_hang();
	EXPECT_EQ(0, op_wait(&self->a, 10 * NSEC_PER_SEC));
}

TEST_F(task, who_sleeps_is_not_given_up)
{
	ASSERT_EQ(0, op_start(&self->a, &shared->tl, hang, NULL));
	EXPECT_FALSE(op_given_up(self->a.pid));
	end_hang();
	EXPECT_EQ(0, op_wait(&self->a, 10 * NSEC_PER_SEC));
}

TEST_F(task, looking_at_nobody_says_nothing)
{
	memset(&self->a, 'x', sizeof(self->a));
	self->a.pid = 0;
	op_look(&self->a);
	EXPECT_EQ('\0', self->a.stack[0]);
	EXPECT_EQ('\0', self->a.wchan[0]);
}

TEST_HARNESS_MAIN
