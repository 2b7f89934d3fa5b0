/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Carries out an action in a process of its own, and watches it.
 *
 * On a kernel that waits for pins the action's task sleeps, in state D where not
 * even SIGKILL ends it, so nothing that has to go on may be that task.
 */
#ifndef DAX_LIB_TASK_H
#define DAX_LIB_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/mem/test_mem.h"
#include "lib/timeline.h"

/*
 * How long the action's task must stay in one and the same sleep before it
 * counts as waiting for the pin.  A teardown that does not wait for pins still
 * sleeps through RCU grace periods, also where its stack does not say so
 * (memunmap_pages() waits for a percpu_ref that an RCU callback brings down).
 * So two grace periods that begin after the task fell asleep have to pass
 * besides, whatever time they take on a loaded machine.
 */
#define OP_STILL_NS		(50 * NSEC_PER_MSEC)

/*
 * And it must be long against the whole of a teardown without pins, as this
 * machine, as loaded as it is, was just seen to need for one.
 */
#define OP_STILL_USUALS	3
#define OP_STILL_PERIODS	2

/* Where user space cannot ask for a grace period (nohz_full): watch longer. */
#define OP_STILL_BLIND_NS	(1500 * NSEC_PER_MSEC)

/* Bound for the case that the task neither returns nor comes to rest. */
#define OP_WATCH_NS		(5 * NSEC_PER_SEC)

/* Whoever was to wake a task has had that long, on however slow a machine. */
#define OP_ASLEEP_NS		(2500 * NSEC_PER_MSEC)

/* After the release: a teardown takes 0.2 s under TCG; 20 s outlast any load. */
#define OP_DEADLINE_NS	(20 * NSEC_PER_SEC)

/**
 * struct op_task - one action under way
 * @pid: the task; 0 when there is none; in its own session
 * @tl: where it marks what happens; not owned
 * @usual_ns: what the action takes here when nothing is in its way, nanoseconds;
 *	set between op_start() and op_watch() where it is known
 * @stack: stack of the task when it was last seen asleep, one frame a line
 * @wchan: its wait channel then
 */
struct op_task {
	pid_t pid;
	struct timeline *tl;
	uint64_t usual_ns;
	char stack[2048];
	char wchan[64];
};

/**
 * struct op_helper - a process that is kept for op_call(); in shared memory
 * @pid: the process
 * @tl: the one record it serves; in the same memory, at the same address in all
 *	processes
 * @door: marked when there is something to do
 * @busy: there is, and it has not returned
 * @run: what to do
 * @v: its argument
 *
 * A fork before each bind and unbind costs a fifth of the time of both, and the
 * grace period that its exit begins is one more to wait for.  Actions that are
 * watched still get a process of their own.
 */
struct op_helper {
	pid_t pid;
	struct timeline *tl;
	struct timeline door;
	atomic_bool busy;
	int (*run)(const struct test_mem *v);
	struct test_mem v;
};

/**
 * enum op_state - what watching ended with
 * @OP_RETURNED: the action is over
 * @OP_BLOCKED: asleep in one wait, which stays
 * @OP_RUNNING: neither, within OP_WATCH_NS
 * @OP_UNPINNED: the pin was gone first (only with a @live to ask)
 */
enum op_state {
	OP_RETURNED,
	OP_BLOCKED,
	OP_RUNNING,
	OP_UNPINNED,
};

/**
 * op_start() - start a function in a process of its own
 * @a: filled
 * @tl: marked TL_STARTED before and TL_RETURNED after; reset by the caller
 * @run: the function; its result goes to tl->result
 * @v: its argument
 *
 * The process leads a session and names itself in tl->task, before it looks whether
 * its parent is still there: whoever reads that after the parent's end knows of it,
 * or it does nothing.
 *
 * Return: 0, or -errno of fork(2).
 */
int op_start(struct op_task *a, struct timeline *tl,
	     int (*run)(const struct test_mem *v), const struct test_mem *v);

/**
 * op_watch() - watch until it has returned or come to rest
 * @a: started
 * @live: asked between samples whether the pin is out (1, 0, -errno); may be
 *	NULL; each answer of 1 is marked TL_LIVE
 * @arg: its argument
 *
 * Marks TL_BLOCKED.
 */
enum op_state op_watch(struct op_task *a, int (*live)(void *arg), void *arg);

/**
 * op_wait() - wait for its end
 * @a: started
 * @ns: longest wait, nanoseconds
 *
 * Return: the action's result, 0 or -errno; -ETIMEDOUT with the stack and wchan
 * of the stuck task in @a; -ECHILD when it died without a result.
 */
int op_wait(struct op_task *a, uint64_t ns);

/**
 * op_wait_awake() - op_wait(), for an action that nothing holds up any more
 * @a: started
 * @ns: longest wait, nanoseconds
 *
 * A task that load keeps from running is runnable.  One that stays asleep in one
 * and the same wait for OP_ASLEEP_NS is not waiting for a CPU: then the wait is
 * over before @ns.
 *
 * Return: as op_wait().
 */
int op_wait_awake(struct op_task *a, uint64_t ns);

/**
 * op_helper_serve() - be the process that is kept; for a child just forked
 * @m: in shared memory, all but @m->pid set
 * @owner: ends when this is no longer its parent
 */
void __attribute__((noreturn)) op_helper_serve(struct op_helper *m, pid_t owner);

/** op_helper_keep() - op_call() with @m->tl is carried out by @m; NULL for none */
void op_helper_keep(struct op_helper *m);

/**
 * op_call() - start and wait: for actions that should just succeed
 * @tl: the record
 * @run: the function
 * @v: its argument
 * @a: keeps the stuck task's stack; a->pid stays set on -ETIMEDOUT
 *
 * Return: as op_wait() with OP_DEADLINE_NS.
 */
int op_call(struct op_task *a, struct timeline *tl,
	    int (*run)(const struct test_mem *v), const struct test_mem *v);

/**
 * op_stacks() - where every thread of a process sleeps
 * @pid: process
 * @buf: text: for each thread its state and wchan, then its stack
 * @len: bytes in @buf
 */
void op_stacks(pid_t pid, char *buf, size_t len);

/**
 * op_given_up() - has the kernel given up on a thread of this process?
 * @pid: process
 *
 * A thread that died of an oops in the kernel, and then sleeps there for ever: it
 * needs what it held itself.  Neither it nor its process ever ends.
 */
bool op_given_up(pid_t pid);

/** op_look() - read stack and wchan of the task into @a */
void op_look(struct op_task *a);

#endif
