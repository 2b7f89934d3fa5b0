// SPDX-License-Identifier: GPL-2.0
/*
 * A cell's body in a process of its own: what hangs or dies costs one cell, and
 * the report says in the middle of what.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gup/gup.h"

/* A body takes a second or two; twenty outlast any load. */
#define ALONE_NS	(40 * NSEC_PER_SEC)

/* A killed process that nothing holds back is gone in milliseconds. */
#define KILLED_NS	(5 * NSEC_PER_SEC)

/* dm-delay is asked to let go after a child had the time to end by itself. */
#define FLUSH_NS	(20 * NSEC_PER_MSEC)

#define POLL_NS		500000

/**
 * struct alone - what body and parent share
 * @cell: the body's cell
 * @step: what it is doing
 */
struct alone {
	struct cell cell;
	char step[128];
};

static struct alone *shared;

void set_step(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(shared->step, sizeof(shared->step), fmt, ap);
	va_end(ap);
}

/* waitpid() with a time limit: 0, or -ETIMEDOUT */
static int wait_end(pid_t pid, int *status, uint64_t ns)
{
	const struct timespec poll = { .tv_nsec = POLL_NS };
	uint64_t end = timeline_now() + ns;

	while (waitpid(pid, status, WNOHANG) != pid) {
		if (timeline_now() >= end)
			return -ETIMEDOUT;
		nanosleep(&poll, NULL);
	}
	return 0;
}

/* also what is killed must first get its I/O back from dm-delay */
static int wait_flushed(const struct guard *g, pid_t pid, int *status, uint64_t ns)
{
	uint64_t end = timeline_now() + ns;

	while (wait_end(pid, status, FLUSH_NS)) {
		if (timeline_now() >= end)
			return -ETIMEDOUT;
		if (g->targets.delay[0])
			pin_targets_flush(&g->targets);
	}
	return 0;
}

bool await_child(struct cell *c, pid_t pid, const char *what)
{
	int status = 0;

	if (wait_flushed(c->guard, pid, &status, ALONE_NS / 2)) {
		kill(pid, SIGKILL);
		return expect(c, VERDICT_NEVER_RETURNED, false, "%s: the process never ended",
			      what);
	}
	if (WIFSIGNALED(status))
		return expect(c, VERDICT_FAILED, false, "%s: the process died of signal %d (%s)",
			      what, WTERMSIG(status), strsignal(WTERMSIG(status)));
	return expect(c, VERDICT_FAILED, !WEXITSTATUS(status),
		      "%s: the process exited with status %d", what, WEXITSTATUS(status));
}

static void report_stuck(struct cell *c, pid_t pid)
{
	static char stacks[4096];

	expect(c, VERDICT_NEVER_RETURNED, false, "stuck for %llu s: %s",
	       ALONE_NS / NSEC_PER_SEC, shared->step);
	op_stacks(pid, stacks, sizeof(stacks));
	note_lines(c, "its stacks", stacks);
}

static void watch(struct cell *c, pid_t pid)
{
	int status = 0;

	if (wait_end(pid, &status, ALONE_NS)) {
		report_stuck(&shared->cell, pid);
		kill(pid, SIGKILL);
		if (wait_flushed(c->guard, pid, &status, KILLED_NS)) {
			note(c, "process %d does not even die of SIGKILL", pid);
			return;
		}
	} else if (WIFSIGNALED(status)) {
		expect(&shared->cell, VERDICT_FAILED, false, "died of signal %d (%s): %s",
		       WTERMSIG(status), strsignal(WTERMSIG(status)), shared->step);
	} else {
		expect(&shared->cell, VERDICT_FAILED, !WEXITSTATUS(status),
		       "exited with status %d: %s", WEXITSTATUS(status), shared->step);
	}
	guard_drop_proc(c->guard, pid);
}

void run_isolated(struct cell *c)
{
	pid_t pid;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!expect(c, VERDICT_FAILED, shared != MAP_FAILED, "no shared memory: %s",
		    strerror(errno)))
		return;
	shared->cell = *c;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* out of reach of whoever kills the test's process group */
		setsid();
		c->scenario->body(&shared->cell);
		_exit(0);
	}
	if (expect(c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno))) {
		guard_add_proc(c->guard, pid);
		watch(c, pid);
		c->verdict = shared->cell.verdict;
		c->skipped = shared->cell.skipped;
		memcpy(c->why, shared->cell.why, sizeof(c->why));
	}
	munmap(shared, sizeof(*shared));
	shared = NULL;
}
