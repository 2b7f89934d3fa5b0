// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cell's body in a process of its own: a body that hangs or dies costs one cell, and
 * the message of its failure names the step.
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

/* A body takes a second or two; twenty times that allows for any load. */
#define BODY_NS		(40 * NSEC_PER_SEC)

/* A killed process that is not blocked exits within milliseconds. */
#define KILLED_NS	(5 * NSEC_PER_SEC)

/* A child has this long to exit by itself before dm-delay's I/O is completed. */
#define FLUSH_NS	(20 * NSEC_PER_MSEC)

#define POLL_NS		500000

/**
 * struct isolated - memory shared by the body's process and its parent
 * @cell: the body's cell
 * @step: the step that it carries out
 */
struct isolated {
	struct cell cell;
	char step[128];
};

/* NULL outside run_isolated() */
static struct isolated *shared;

void set_step(const char *fmt, ...)
{
	va_list ap;

	if (!shared)
		return;
	va_start(ap, fmt);
	vsnprintf(shared->step, sizeof(shared->step), fmt, ap);
	va_end(ap);
}

/* waitpid() with a time limit: 0, or -ETIMEDOUT */
static int wait_child(pid_t pid, int *status, uint64_t ns)
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

void flush_delayed_io(const struct cell *c)
{
	if (c->guard->targets.delay[0])
		pin_targets_flush(&c->guard->targets);
}

/* a process with I/O in dm-delay, even a killed one, exits when that is complete */
static int wait_child_flush(const struct cell *c, pid_t pid, int *status, uint64_t ns)
{
	uint64_t end = timeline_now() + ns;

	while (wait_child(pid, status, FLUSH_NS)) {
		if (timeline_now() >= end)
			return -ETIMEDOUT;
		flush_delayed_io(c);
	}
	return 0;
}

bool await_child(struct cell *c, pid_t pid, const char *what)
{
	int status = 0;

	if (wait_child_flush(c, pid, &status, BODY_NS / 2)) {
		kill(pid, SIGKILL);
		return expect(c, VERDICT_NEVER_RETURNED, false,
			      "%s: the process did not exit within %llu s", what,
			      BODY_NS / 2 / NSEC_PER_SEC);
	}
	if (WIFSIGNALED(status))
		return expect(c, VERDICT_FAILED, false, "%s: the process died of signal %d (%s)",
			      what, WTERMSIG(status), strsignal(WTERMSIG(status)));
	return expect(c, VERDICT_FAILED, !WEXITSTATUS(status),
		      "%s: the process exited with status %d; expected 0", what,
		      WEXITSTATUS(status));
}

static void report_stuck(struct cell *c, pid_t pid)
{
	static char stacks[4096];

	expect(c, VERDICT_NEVER_RETURNED, false, "stuck for %llu s: %s",
	       BODY_NS / NSEC_PER_SEC, shared->step);
	op_stacks(pid, stacks, sizeof(stacks));
	note_lines("the stacks of its process", stacks);
}

static void watch_body(struct cell *c, pid_t pid)
{
	int status = 0;

	if (wait_child(pid, &status, BODY_NS)) {
		report_stuck(&shared->cell, pid);
		kill(pid, SIGKILL);
		if (wait_child_flush(c, pid, &status, KILLED_NS)) {
			note("process %d does not exit on SIGKILL", pid);
			return;
		}
	} else if (WIFSIGNALED(status)) {
		expect(&shared->cell, VERDICT_FAILED, false, "died of signal %d (%s): %s",
		       WTERMSIG(status), strsignal(WTERMSIG(status)), shared->step);
	} else {
		expect(&shared->cell, VERDICT_FAILED, !WEXITSTATUS(status),
		       "exited with status %d, expected 0: %s", WEXITSTATUS(status), shared->step);
	}
	guard_drop_proc(c->guard, pid);
}

void run_isolated(struct cell *c)
{
	pid_t pid;
	void *p;

	p = mmap(NULL, sizeof(*shared), PROT_RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!expect(c, VERDICT_FAILED, p != MAP_FAILED, "mapping shared memory: %s",
		    strerror(errno)))
		return;
	shared = p;
	shared->cell = *c;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* not killed with the process group of the test */
		setsid();
		c->scenario->body(&shared->cell);
		_exit(0);
	}
	if (expect(c, VERDICT_FAILED, pid > 0, "fork: %s", strerror(errno))) {
		guard_add_proc(c->guard, pid);
		watch_body(c, pid);
		c->verdict = shared->cell.verdict;
		c->skipped = shared->cell.skipped;
		memcpy(c->why, shared->cell.why, sizeof(c->why));
	}
	munmap(shared, sizeof(*shared));
	shared = NULL;
}
