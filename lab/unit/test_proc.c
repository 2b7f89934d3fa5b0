// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/proc.h"

#define FIELDS_4_TO_21 " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18"

TEST(lines_of_proc_stat)
{
	struct proc_stat s;

	ASSERT_EQ(0, proc_stat_parse("7 (a) S" FIELDS_4_TO_21 " 4711 5 6\n", &s));
	EXPECT_EQ('S', s.state);
	EXPECT_EQ(4711, s.start);
	/* a name made to be misread */
	ASSERT_EQ(0, proc_stat_parse("7 (x) Z 1\n(y) D" FIELDS_4_TO_21 " 12", &s));
	EXPECT_EQ('D', s.state);
	EXPECT_EQ(12, s.start);
}

TEST(lines_of_another_form)
{
	static const char *const bad[] = {
		"", "7", "7 (a", "7 (a)", "7 (a) ", "7 (a)S 1", "7 (a) S",
		"7 (a) S" FIELDS_4_TO_21, "7 (a) S" FIELDS_4_TO_21 " ",
		"7 (a) S" FIELDS_4_TO_21 " x", "7 (a) 1" FIELDS_4_TO_21 " 4711",
	};
	struct proc_stat s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		s.state = 'R';
		s.start = 1;
		EXPECT_EQ(-EINVAL, proc_stat_parse(bad[i], &s)) {
			TH_LOG("'%s'", bad[i]);
		}
		EXPECT_EQ(0, s.state);
		EXPECT_EQ(0, s.start);
	}
}

TEST(a_child_from_start_to_zombie)
{
	struct proc_stat s;
	uint64_t start;
	pid_t pid;

	prctl(PR_SET_NAME, "a) Z\n(b");
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		for (;;)
			pause();
	start = proc_start_time(pid);
	EXPECT_LT(0, start);
	EXPECT_LE(proc_start_time(getpid()), start);
	EXPECT_TRUE(proc_is_running(pid, start));
	EXPECT_FALSE(proc_is_running(pid, start + 1));
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT);
	ASSERT_EQ(0, proc_stat(pid, &s));
	EXPECT_EQ('Z', s.state);
	EXPECT_EQ(start, s.start);
	EXPECT_FALSE(proc_is_running(pid, start));
	waitpid(pid, NULL, 0);
	EXPECT_EQ(-ENOENT, proc_stat(pid, &s));
	EXPECT_EQ(0, proc_start_time(pid));
	EXPECT_FALSE(proc_is_running(pid, 0));
}

struct thread {
	int pipe[2];
	int tid;
};

static void *wait_in_read(void *arg)
{
	struct thread *t = arg;
	char c;

	__atomic_store_n(&t->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	return read(t->pipe[0], &c, 1) ? NULL : t;
}

TEST(a_thread_has_a_state_of_its_own)
{
	struct thread t = { .tid = 0 };
	struct proc_stat s = { 0 }, own;
	pthread_t thread;

	ASSERT_EQ(0, pipe(t.pipe));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_in_read, &t));
	for (int i = 0; i < 2000 && s.state != 'S'; i++) {
		int tid = __atomic_load_n(&t.tid, __ATOMIC_ACQUIRE);

		usleep(1000);
		if (tid)
			ASSERT_EQ(0, proc_stat(tid, &s));
	}
	EXPECT_EQ('S', s.state);
	ASSERT_EQ(0, proc_stat(getpid(), &own));
	EXPECT_EQ('R', own.state);
	close(t.pipe[1]);
	pthread_join(thread, NULL);
	close(t.pipe[0]);
}

TEST_HARNESS_MAIN
