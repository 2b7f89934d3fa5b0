// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/sysfs.h"
#include "lib/task.h"

/* Between two samples of the task's state: short against OP_STILL_NS. */
#define SAMPLE_NS	(4 * NSEC_PER_MSEC)

/*
 * Kernel functions that are recognised by a part of their name in /proc/PID/stack and
 * /proc/PID/wchan.  The users say what a kernel with other names costs.
 */

/* a wait for a grace period: such a sleep is not a wait for pins */
static const char *const grace_period[] = {
	"rcu",		/* all: synchronize_rcu(), wait_rcu_gp(), rcu_barrier(), *_srcu() */
	NULL,
};

/* a task that died of an oops, and sleeps in its exit for what it held itself */
static const char *const dead_task[] = {
	"rewind_stack",	/* rewind_stack_do_exit(): before 5.17; rewind_stack_and_make_dead(): x86 */
	"make_task_dead", /* 5.17 and later, and stable kernels since 2023 */
	NULL,
};

static bool mentions(const char *text, const char *const *parts)
{
	for (; *parts; parts++)
		if (strstr(text, *parts))
			return true;
	return false;
}

static int read_proc(pid_t pid, const char *name, char *buf, size_t len)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return sysfs_read(path, buf, len);
}

void op_look(struct op_task *a)
{
	a->stack[0] = '\0';
	a->wchan[0] = '\0';
	if (a->pid <= 0)
		return;
	read_proc(a->pid, "stack", a->stack, sizeof(a->stack));
	read_proc(a->pid, "wchan", a->wchan, sizeof(a->wchan));
}

/* state letter, '?' when there is no such task; @switches: its voluntary switches */
static char task_state(pid_t pid, unsigned long *switches)
{
	char buf[4096], state = '?';
	const char *p;

	*switches = 0;
	if (read_proc(pid, "status", buf, sizeof(buf)))
		return '?';
	p = strstr(buf, "\nState:\t");
	if (p)
		state = p[8];
	p = strstr(buf, "\nvoluntary_ctxt_switches:\t");
	if (p)
		*switches = strtoul(p + 26, NULL, 10);
	return state;
}

void op_stacks(pid_t pid, char *buf, size_t len)
{
	char path[64], name[96], stack[1024], wchan[64];
	struct dirent *e;
	size_t used = 0;
	DIR *dir;

	buf[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((e = readdir(dir)) && used < len) {
		unsigned long switches;
		int tid = atoi(e->d_name), n;

		if (!tid)
			continue;
		snprintf(name, sizeof(name), "task/%d/stack", tid);
		read_proc(pid, name, stack, sizeof(stack));
		snprintf(name, sizeof(name), "task/%d/wchan", tid);
		read_proc(pid, name, wchan, sizeof(wchan));
		n = snprintf(buf + used, len - used, "task %d, state %c, wchan %s\n%s", tid,
			     task_state(tid, &switches), wchan, stack);
		used += n > 0 ? n : 0;
	}
	closedir(dir);
}

bool op_given_up(pid_t pid)
{
	char stacks[8192];

	op_stacks(pid, stacks, sizeof(stacks));
	return mentions(stacks, dead_task);
}

/*
 * A kernel with other names costs little: outslept() also waits for two grace periods, so
 * that a wait for one is only recognised later.
 */
static bool in_grace_period(const struct op_task *a)
{
	return mentions(a->stack, grace_period) || mentions(a->wchan, grace_period);
}

/* MEMBARRIER_CMD_GLOBAL returns after an RCU grace period, membarrier(2) */
static int wait_grace_periods(int nr)
{
	while (nr--)
		if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
			return -errno;
	return 0;
}

/* has the task, asleep since @since, slept for longer than a grace period explains? */
static bool outslept(const struct op_task *a, uint64_t since)
{
	uint64_t still = clock_now_ns() - since;

	if (still < OP_STILL_NS || still < OP_STILL_USUALS * a->usual_ns)
		return false;
	if (in_grace_period(a))
		return false;
	if (still >= OP_STILL_BLIND_NS)
		return true;
	return !wait_grace_periods(OP_STILL_PERIODS);
}

int op_start(struct op_task *a, struct timeline *tl,
	     int (*run)(const struct test_mem *mem), const struct test_mem *mem)
{
	pid_t parent = getpid();
	pid_t pid;
	int ret;

	memset(a, 0, sizeof(*a));
	a->tl = tl;
	timeline_mark(tl, TL_STARTED);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		/* kill() of the test's process group must not end it */
		setsid();
		/* a guardian of a parent killed by now looks for tl->task, or finds no action */
		atomic_store(&tl->task, getpid());
		if (getppid() != parent)
			_exit(0);
		ret = run(mem);
		atomic_store(&tl->result, ret);
		timeline_mark(tl, TL_RETURNED);
		_exit(0);
	}
	a->pid = pid;
	return 0;
}

enum op_state op_watch(struct op_task *a, int (*live)(void *arg), void *arg)
{
	unsigned long switches, last = 0;
	uint64_t still_since = 0;
	uint64_t end = clock_now_ns() + OP_WATCH_NS;
	bool rested = false;

	for (;;) {
		uint32_t seq = atomic_load(&a->tl->seq);
		bool returned = timeline_at(a->tl, TL_RETURNED);
		/*
		 * Unbind waits in state D; truncate in S on kernels whose file
		 * systems wait for a page with TASK_INTERRUPTIBLE.
		 */
		bool still = strchr("DS", task_state(a->pid, &switches));
		bool asleep = still && still_since && switches == last;
		/* a pin seen live is live at the moment before the question */
		uint64_t now = clock_now_ns();
		int is_live = live ? live(arg) : 1;

		if (live && is_live == 1) {
			timeline_mark_at(a->tl, TL_LIVE, now);
			seq = atomic_load(&a->tl->seq);
		}
		if (returned)
			return OP_RETURNED;
		if (is_live == 0)
			return OP_UNPINNED;
		if (asleep && rested) {
			timeline_mark_at(a->tl, TL_BLOCKED, now);
			return OP_BLOCKED;
		}
		if (asleep) {
			rested = outslept(a, still_since);
			if (rested)
				continue;
		} else {
			/* not of a running task: useless, and some kernels WARN */
			if (still)
				op_look(a);
			last = switches;
			still_since = now;
			rested = false;
		}
		if (now >= end)
			return OP_RUNNING;
		if (!timeline_at(a->tl, TL_RETURNED))
			timeline_wait(a->tl, seq, SAMPLE_NS);
	}
}

/* the helper process of op_call(), if there is one */
static struct op_helper *helper;

void op_helper_keep(struct op_helper *m)
{
	helper = m;
}

void op_helper_serve(struct op_helper *m, pid_t owner)
{
	setsid();
	for (;;) {
		uint32_t seq = atomic_load(&m->door.seq);
		struct timeline *tl = m->tl;

		if (!atomic_load(&m->busy)) {
			if (getppid() != owner)
				_exit(0);
			timeline_wait(&m->door, seq, NSEC_PER_SEC);
			continue;
		}
		atomic_store(&tl->result, m->run(&m->mem));
		/* last: callers wait for the mark, and may ask again at once */
		atomic_store(&m->busy, false);
		timeline_mark(tl, TL_RETURNED);
	}
}

/* a helper that is stuck or dead stays busy, and is not asked again */
static bool ask_helper(struct op_task *a, struct timeline *tl,
		       int (*run)(const struct test_mem *mem), const struct test_mem *mem)
{
	if (!helper || tl != helper->tl || atomic_load(&helper->busy))
		return false;
	memset(a, 0, sizeof(*a));
	a->tl = tl;
	a->pid = helper->pid;
	helper->run = run;
	helper->mem = *mem;
	timeline_mark(tl, TL_STARTED);
	atomic_store(&helper->busy, true);
	timeline_mark(&helper->door, TL_STARTED);
	return true;
}

/* reaps a child; the helper is another process's child */
static bool is_gone(pid_t pid)
{
	unsigned long switches;
	int status;

	if (waitpid(pid, &status, WNOHANG) == pid)
		return true;
	return helper && pid == helper->pid && strchr("?ZX", task_state(pid, &switches));
}

int op_wait(struct op_task *a, uint64_t ns)
{
	uint64_t end = clock_now_ns() + ns;
	int status;

	/*
	 * The mark says that the action has returned; the task exits right
	 * after.  A task that died without a mark is noticed by polling.
	 */
	while (timeline_wait_for(a->tl, TL_RETURNED, 100 * NSEC_PER_MSEC)) {
		if (is_gone(a->pid)) {
			a->pid = 0;
			if (timeline_at(a->tl, TL_RETURNED))
				return atomic_load(&a->tl->result);
			return -ECHILD;
		}
		if (clock_now_ns() >= end) {
			op_look(a);
			return -ETIMEDOUT;
		}
	}
	if (a->pid > 0 && !(helper && a->pid == helper->pid))
		waitpid(a->pid, &status, 0);
	a->pid = 0;
	return atomic_load(&a->tl->result);
}

int op_wait_awake(struct op_task *a, uint64_t ns)
{
	uint64_t end = clock_now_ns() + ns, since = clock_now_ns();
	unsigned long switches, last;
	char state = task_state(a->pid, &last);

	while (timeline_wait_for(a->tl, TL_RETURNED, 100 * NSEC_PER_MSEC)) {
		uint64_t now = clock_now_ns();

		if (strchr("?ZX", state) || now >= end)
			break;
		state = task_state(a->pid, &switches);
		if (!strchr("DS", state) || switches != last)
			since = now;
		else if (now - since >= OP_ASLEEP_NS)
			break;
		last = switches;
	}
	/* returned, dead or stuck: no more wait in any case */
	return op_wait(a, 0);
}

int op_call(struct op_task *a, struct timeline *tl,
	    int (*run)(const struct test_mem *mem), const struct test_mem *mem)
{
	int ret = 0;

	timeline_reset(tl);
	if (!ask_helper(a, tl, run, mem))
		ret = op_start(a, tl, run, mem);
	if (ret)
		return ret;
	return op_wait(a, OP_DEADLINE_NS);
}
