/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs an action, such as unbind, in a process of its own, and watches that process.
 *
 * On a kernel that waits for pins the action's task sleeps in state D, where not even
 * SIGKILL ends it: everything that must go on is in another process.
 *
 * Watching only decides how long a test waits before it releases the pin.  OP_BLOCKED is
 * no verdict: an action that was called blocked by mistake returns later, while the pin is
 * still held, and is judged by that order (timeline_judge()).
 */
#ifndef DAX_LIB_TASK_H
#define DAX_LIB_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/test_mem.h"
#include "lib/timeline.h"

/*
 * How long the action's task must stay in one and the same sleep before it counts as
 * blocked.  A teardown that does not wait for pins sleeps too, for RCU grace periods,
 * and its stack does not always say so (memunmap_pages() waits for a percpu_ref that an
 * RCU callback drops).  So two grace periods that begin after the task fell asleep have
 * to pass as well, however long they take on a loaded machine.
 */
#define OP_STILL_NS		(50 * NSEC_PER_MSEC)
#define OP_STILL_PERIODS	2

/* And it must be long against a whole action without pins, @usual_ns of struct op_task. */
#define OP_STILL_USUALS		3

/* Where membarrier(2) does not wait for a grace period (nohz_full): watch longer. */
#define OP_STILL_BLIND_NS	(1500 * NSEC_PER_MSEC)

/* Limit of watching a task that neither returns nor stays asleep. */
#define OP_WATCH_NS		(5 * NSEC_PER_SEC)

/* Long enough for any waker to run, however slow the machine. */
#define OP_ASLEEP_NS		(2500 * NSEC_PER_MSEC)

/* Deadline after the release: a teardown takes 0.2 s under TCG; 20 s cover any load. */
#define OP_DEADLINE_NS		(20 * NSEC_PER_SEC)

/**
 * struct op_task - one action
 * @pid: its process, which leads a session; 0 when there is none
 * @tl: record that it marks; not owned
 * @usual_ns: duration of the action on this machine without pins, nanoseconds; set by
 *	the caller between op_start() and op_watch(), 0 if unknown
 * @stack: stack of the task when it was last seen asleep, one frame a line
 * @wchan: its wait channel at that time
 */
struct op_task {
	pid_t pid;
	struct timeline *tl;
	uint64_t usual_ns;
	char stack[2048];
	char wchan[64];
};

/**
 * struct op_helper - a process that carries out op_call(); in shared memory
 * @pid: the process
 * @tl: the record whose calls it carries out; in the same memory, at the same address in
 *	all processes
 * @door: marked when there is a request
 * @busy: a request has not returned yet
 * @run: function of the request
 * @mem: its argument
 *
 * A fork for each bind and unbind takes a fifth of the time of both, and its exit starts
 * one more grace period to wait for.  Actions that are watched still get a process of
 * their own.
 */
struct op_helper {
	pid_t pid;
	struct timeline *tl;
	struct timeline door;
	atomic_bool busy;
	int (*run)(const struct test_mem *mem);
	struct test_mem mem;
};

/**
 * enum op_state - result of op_watch()
 * @OP_RETURNED: the action has returned
 * @OP_BLOCKED: its task stays asleep in one wait
 * @OP_RUNNING: neither, within OP_WATCH_NS
 * @OP_UNPINNED: the pin ended first (only with @live)
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
 * @run: the function; its result is stored in @tl->result
 * @mem: its argument
 *
 * The process leads a session.  It stores its pid in @tl->task before it checks that its
 * parent is alive: a guardian that reads it after the parent's death finds the process, or
 * the process does nothing.
 *
 * Return: 0, or -errno of fork(2).
 */
int op_start(struct op_task *a, struct timeline *tl,
	     int (*run)(const struct test_mem *mem), const struct test_mem *mem);

/**
 * op_watch() - watch until the action has returned or is blocked
 * @a: started
 * @live: called between samples: 1 while the pin is out, 0 when it is not, or -errno;
 *	each 1 is marked TL_LIVE; may be NULL
 * @arg: argument of @live
 *
 * Marks TL_BLOCKED.
 *
 * Return: see enum op_state.
 */
enum op_state op_watch(struct op_task *a, int (*live)(void *arg), void *arg);

/**
 * op_wait() - wait for the end of the action
 * @a: started
 * @ns: longest wait, nanoseconds
 *
 * Return: the action's result, 0 or -errno; -ETIMEDOUT with stack and wchan of the stuck
 * task in @a; -ECHILD when the process died without a result.
 */
int op_wait(struct op_task *a, uint64_t ns);

/**
 * op_wait_awake() - op_wait(), for an action that has nothing to wait for any more
 * @a: started
 * @ns: longest wait, nanoseconds
 *
 * A task that only lacks CPU time is runnable.  One that stays asleep in the same wait
 * for OP_ASLEEP_NS is stuck: then the wait ends before @ns.
 *
 * Return: as op_wait().
 */
int op_wait_awake(struct op_task *a, uint64_t ns);

/**
 * op_helper_serve() - main loop of the helper; call in the child
 * @m: in shared memory, all but @m->pid set
 * @owner: it ends when this is no longer its parent
 */
void __attribute__((noreturn)) op_helper_serve(struct op_helper *m, pid_t owner);

/**
 * op_helper_keep() - let a helper carry out op_call() with @m->tl
 * @m: the helper, not owned; NULL for none
 */
void op_helper_keep(struct op_helper *m);

/**
 * op_call() - start an action and wait: for actions that should just succeed
 * @a: filled; after -ETIMEDOUT @a->pid stays set, and @a has the task's stack
 * @tl: record; reset first
 * @run: the function
 * @mem: its argument
 *
 * Return: as op_wait() with OP_DEADLINE_NS, or -errno of fork(2).
 */
int op_call(struct op_task *a, struct timeline *tl,
	    int (*run)(const struct test_mem *mem), const struct test_mem *mem);

/**
 * op_stacks() - stacks of all threads of a process
 * @pid: process
 * @buf: set to a text: for each thread its state and wchan, then its stack
 * @len: bytes in @buf
 */
void op_stacks(pid_t pid, char *buf, size_t len);

/**
 * op_given_up() - has the kernel given up on a thread of this process?
 * @pid: process
 *
 * A thread that oopsed in the kernel exits; if it needs a lock for that which it holds
 * itself, it sleeps for ever, and neither it nor its process ever ends.  Recognised by
 * names of kernel functions, see the table in task.c: on a kernel that has other names
 * the answer is false, and waits for such a process run into their limits.
 *
 * Return: true if there is such a thread.
 */
bool op_given_up(pid_t pid);

/**
 * op_look() - read stack and wchan of the action's task
 * @a: started; @a->stack and @a->wchan are set, to "" when they cannot be read
 */
void op_look(struct op_task *a);

#endif
