// SPDX-License-Identifier: GPL-2.0-only
/*
 * lib/guard.c without a device: which processes it knows, whom it ends, and
 * that the guardian does not outlive its work.
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
#include "lib/guard.h"

FIXTURE(guard) {
	struct guard *g;
};

FIXTURE_SETUP(guard)
{
	ASSERT_EQ(0, guard_create(&self->g));
}

FIXTURE_TEARDOWN(guard)
{
	EXPECT_EQ(0, guard_finish(self->g));
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

static bool gone(pid_t pid)
{
	for (int i = 0; i < 200; i++) {
		if (kill(pid, 0) && errno == ESRCH)
			return true;
		usleep(50000);
	}
	return false;
}

TEST_F(guard, the_guardian_is_in_a_session_of_its_own)
{
	pid_t pid = self->g->guardian.pid;

	for (int i = 0; i < 200 && getsid(pid) != pid; i++)
		usleep(10000);
	EXPECT_EQ(pid, getsid(pid));
	EXPECT_EQ(getpid(), self->g->owner.pid);
}

TEST_F(guard, holders_end_with_the_cell)
{
	pid_t a = sleeper(), b = sleeper();

	ASSERT_EQ(0, guard_add_proc(self->g, a));
	ASSERT_EQ(0, guard_add_proc(self->g, b));
	EXPECT_EQ(0, guard_settle(self->g));
	EXPECT_TRUE(gone(a));
	EXPECT_TRUE(gone(b));
	EXPECT_EQ(0, self->g->procs[0].pid);
}

TEST_F(guard, a_holder_that_was_dropped_is_left_alone)
{
	pid_t pid = sleeper();

	ASSERT_EQ(0, guard_add_proc(self->g, pid));
	guard_drop_proc(self->g, pid);
	EXPECT_EQ(0, guard_settle(self->g));
	EXPECT_EQ(0, kill(pid, 0));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* the number of a process that is gone may be somebody else's by now */
TEST_F(guard, a_stranger_with_the_same_pid_is_left_alone)
{
	pid_t pid = sleeper();

	ASSERT_EQ(0, guard_add_proc(self->g, pid));
	self->g->procs[0].start--;
	EXPECT_EQ(0, guard_settle(self->g));
	EXPECT_EQ(0, kill(pid, 0));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST_F(guard, there_is_room_for_so_many_holders)
{
	pid_t pid[GUARD_PROCS];

	for (int i = 0; i < GUARD_PROCS; i++) {
		pid[i] = sleeper();
		EXPECT_EQ(0, guard_add_proc(self->g, pid[i]));
	}
	EXPECT_EQ(-ENOSPC, guard_add_proc(self->g, getpid()));
	EXPECT_EQ(0, guard_settle(self->g));
	for (int i = 0; i < GUARD_PROCS; i++)
		EXPECT_TRUE(gone(pid[i]));
}

static int succeed(const struct test_mem *v)
{
	(void)v;
	return 0;
}

static int refuse(const struct test_mem *v)
{
	(void)v;
	return -ENODEV;
}

TEST_F(guard, what_it_calls_answers_through_it)
{
	snprintf(self->g->mem.ns.dax, sizeof(self->g->mem.ns.dax), "dax9.9");
	EXPECT_EQ(0, guard_bind_call(self->g, succeed));
	EXPECT_EQ(-ENODEV, guard_bind_call(self->g, refuse));
	/* an error is no wedge */
	EXPECT_FALSE(guard_is_wedged(self->g, "dax9.9"));
}

static int hang(const struct test_mem *v)
{
	/* the parent of a vfork(2) cannot be killed before its child is gone */
	if (!vfork()) {
		sleep(OP_DEADLINE_NS / NSEC_PER_SEC + 2);
		_exit(0);
	}
	(void)v;
	return 0;
}

TEST_F_TIMEOUT(guard, a_device_whose_driver_is_stuck_is_wedged, 60)
{
	snprintf(self->g->mem.ns.dax, sizeof(self->g->mem.ns.dax), "dax9.9");
	EXPECT_FALSE(guard_is_wedged(self->g, "dax9.9"));
	EXPECT_EQ(-ETIMEDOUT, guard_bind_call(self->g, hang));
	EXPECT_TRUE(guard_is_wedged(self->g, "dax9.9"));
	EXPECT_FALSE(guard_is_wedged(self->g, "dax9.8"));
	/* and nothing is tried on it any more */
	self->g->busy = true;
	EXPECT_EQ(-EBUSY, guard_settle(self->g));
	self->g->busy = false;
}

static int doze(const struct test_mem *v)
{
	(void)v;
	usleep(300000);
	return 0;
}

TEST_F(guard, an_action_that_nobody_told_of_is_waited_for)
{
	struct guard *g = self->g;
	struct op_task a;

	snprintf(g->mem.ns.dax, sizeof(g->mem.ns.dax), "dax9.9");
	timeline_reset(&g->tl);
	ASSERT_EQ(0, op_start(&a, &g->tl, doze, &g->mem));
	while (!g->tl.task)
		usleep(1000);
	g->busy = true;
	/* there is no such device to bind, which is tried when the action is over */
	EXPECT_NE(0, guard_settle(g));
	EXPECT_NE(0, timeline_at(&g->tl, TL_RETURNED));
	EXPECT_TRUE(gone(a.pid));
	g->busy = false;
}

TEST_F(guard, finishing_ends_the_guardian)
{
	pid_t pid = self->g->guardian.pid;

	EXPECT_EQ(0, guard_finish(self->g));
	EXPECT_TRUE(gone(pid));
	EXPECT_TRUE(self->g->done);
	/* once more, as a program's exit handler may */
	EXPECT_EQ(0, guard_finish(self->g));
}

/* the owner is killed in the middle: its holders end, then the guardian does */
TEST(the_guardian_cleans_up_after_a_killed_owner)
{
	struct {
		_Atomic pid_t guardian, holder;
	} *seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t owner;

	ASSERT_NE(MAP_FAILED, seen);
	owner = fork();
	if (!owner) {
		struct guard *g;
		pid_t pid;

		if (guard_create(&g))
			_exit(1);
		pid = fork();
		if (!pid) {
			setsid();
			for (;;)
				pause();
		}
		guard_add_proc(g, pid);
		seen->guardian = g->guardian.pid;
		seen->holder = pid;
		for (;;)
			pause();
	}
	while (!seen->holder)
		usleep(1000);
	kill(owner, SIGKILL);
	EXPECT_EQ(owner, waitpid(owner, NULL, 0));
	EXPECT_TRUE(gone(seen->holder));
	EXPECT_TRUE(gone(seen->guardian));
	munmap(seen, sizeof(*seen));
}

TEST_HARNESS_MAIN
