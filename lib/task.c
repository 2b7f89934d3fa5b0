// SPDX-License-Identifier: GPL-2.0
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

#include "lib/task.h"

/* Between two looks at the task: short against OP_STILL_NS. */
#define SAMPLE_NS	(4 * NSEC_PER_MSEC)

static ssize_t read_proc(pid_t pid, const char *name, char *buf, size_t len)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n;
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

/* state letter, and the number of times the task has given up the CPU */
static char task_state(pid_t pid, unsigned long *switches)
{
	char buf[4096], state = '?';
	const char *p;

	*switches = 0;
	if (read_proc(pid, "status", buf, sizeof(buf)) <= 0)
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
	return strstr(stacks, "make_task_dead") || strstr(stacks, "rewind_stack");
}

/*
 * A grace period is not a wait for pins.  RCU's and SRCU's waits are named so
 * in every kernel (synchronize_rcu, __synchronize_srcu, wait_rcu_gp, rcu_barrier).
 */
static bool in_grace_period(const struct op_task *a)
{
	return strstr(a->stack, "rcu") || strstr(a->wchan, "rcu");
}

/* MEMBARRIER_CMD_GLOBAL returns after an RCU grace period, membarrier(2) */
static int wait_grace_periods(int nr)
{
	while (nr--)
		if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
			return -errno;
	return 0;
}

/* has the task, asleep since @since, outslept what a grace period explains? */
static bool outslept(const struct op_task *a, uint64_t since)
{
	uint64_t still = timeline_now() - since;

	if (still < OP_STILL_NS || still < OP_STILL_USUALS * a->usual_ns)
		return false;
	if (in_grace_period(a))
		return false;
	if (still >= OP_STILL_BLIND_NS)
		return true;
	return !wait_grace_periods(OP_STILL_PERIODS);
}

int op_start(struct op_task *a, struct timeline *tl,
	     int (*run)(const struct test_mem *v), const struct test_mem *v)
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
		/* out of reach of whoever kills the test's process group */
		setsid();
		/* killed before this, our parent has left nobody to be found; we end, too */
		atomic_store(&tl->task, getpid());
		if (getppid() != parent)
			_exit(0);
		ret = run(v);
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
	uint64_t end = timeline_now() + OP_WATCH_NS;
	bool rested = false;

	for (;;) {
		uint32_t seq = atomic_load(&a->tl->seq);
		bool returned = timeline_at(a->tl, TL_RETURNED);
		/*
		 * Unbind waits in state D, truncate in S on the kernels whose
		 * file systems wait for a page with TASK_INTERRUPTIBLE.
		 */
		bool still = strchr("DS", task_state(a->pid, &switches));
		bool asleep = still && still_since && switches == last;
		/* a pin seen live is live at the moment before the question */
		uint64_t now = timeline_now();
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
			/* a stack that moves is no news, and some kernels warn of the look */
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

/* the process that is kept for op_call(), if there is one */
static struct op_helper *kept;

void op_helper_keep(struct op_helper *m)
{
	kept = m;
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
		atomic_store(&tl->result, m->run(&m->v));
		/* the mark is what callers wait for: the next may come at once */
		atomic_store(&m->busy, false);
		timeline_mark(tl, TL_RETURNED);
	}
}

/* stuck or dead it stays busy, and is not asked again */
static bool ask_kept(struct op_task *a, struct timeline *tl,
		     int (*run)(const struct test_mem *v), const struct test_mem *v)
{
	if (!kept || tl != kept->tl || atomic_load(&kept->busy))
		return false;
	memset(a, 0, sizeof(*a));
	a->tl = tl;
	a->pid = kept->pid;
	kept->run = run;
	kept->v = *v;
	timeline_mark(tl, TL_STARTED);
	atomic_store(&kept->busy, true);
	timeline_mark(&kept->door, TL_STARTED);
	return true;
}

/* reaps a child; the process that is kept is another's child, or goes on */
static bool is_gone(pid_t pid)
{
	unsigned long switches;
	int status;

	if (waitpid(pid, &status, WNOHANG) == pid)
		return true;
	return kept && pid == kept->pid && strchr("?ZX", task_state(pid, &switches));
}

int op_wait(struct op_task *a, uint64_t ns)
{
	uint64_t end = timeline_now() + ns;
	int status;

	/*
	 * The mark says that the action is over; the task itself is reaped
	 * right after.  A task that died without a mark is noticed by polling.
	 */
	while (timeline_wait_for(a->tl, TL_RETURNED, 100 * NSEC_PER_MSEC)) {
		if (is_gone(a->pid)) {
			a->pid = 0;
			if (timeline_at(a->tl, TL_RETURNED))
				return atomic_load(&a->tl->result);
			return -ECHILD;
		}
		if (timeline_now() >= end) {
			op_look(a);
			return -ETIMEDOUT;
		}
	}
	if (a->pid > 0 && !(kept && a->pid == kept->pid))
		waitpid(a->pid, &status, 0);
	a->pid = 0;
	return atomic_load(&a->tl->result);
}

int op_wait_awake(struct op_task *a, uint64_t ns)
{
	uint64_t end = timeline_now() + ns, since = timeline_now();
	unsigned long switches, last;
	char state = task_state(a->pid, &last);

	while (timeline_wait_for(a->tl, TL_RETURNED, 100 * NSEC_PER_MSEC)) {
		uint64_t now = timeline_now();

		if (strchr("?ZX", state) || now >= end)
			break;
		state = task_state(a->pid, &switches);
		if (!strchr("DS", state) || switches != last)
			since = now;
		else if (now - since >= OP_ASLEEP_NS)
			break;
		last = switches;
	}
	/* over, dead or stuck: at once in any case */
	return op_wait(a, 0);
}

int op_call(struct op_task *a, struct timeline *tl,
	    int (*run)(const struct test_mem *v), const struct test_mem *v)
{
	int ret = 0;

	timeline_reset(tl);
	if (!ask_kept(a, tl, run, v))
		ret = op_start(a, tl, run, v);
	if (ret)
		return ret;
	return op_wait(a, OP_DEADLINE_NS);
}
