/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Everything a run has changed, in memory that outlives the process that
 * changed it, and the guardian process that undoes it.
 */
#ifndef DAX_LIB_GUARD_H
#define DAX_LIB_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/task.h"
#include "lib/daxmap.h"
#include "lib/mem/fsdax.h"
#include "lib/ktrace.h"
#include "lib/pin/targets.h"
#include "lib/timeline.h"
#include "lib/ns/ns.h"

#define GUARD_PROCS	8
#define GUARD_FS	2

/**
 * struct guard_proc - a process, told apart from a later one of the same pid
 * @pid: process id; 0 for an empty slot
 * @start: its start time in clock ticks, field 22 of /proc/PID/stat
 */
struct guard_proc {
	pid_t pid;
	uint64_t start;
};

/**
 * struct guard - state of one run, in shared memory
 * @set: the namespaces offered and how they were found
 * @targets: slow block devices
 * @ktrace: kprobe events
 * @tl: record of the cell under way
 * @bind_tl: record of the actions that put things right again
 * @mem: device of the cell under way
 * @undo: brings @mem back where a driver above device_dax is taken away; else NULL
 * @busy: @mem may have been left unbound
 * @dirty: it came back under live pins: its page state needs another round
 * @op: the action's task
 * @procs: processes that hold pins
 * @wedged: devices whose driver is stuck for good, by ns_key()
 * @node: a device node of our own, in a directory of our own; "" if none
 * @node_damaged: its inode is linked into a struct cdev that was initialised
 *	anew: evicting it would bring the kernel down, so it stays until reboot
 * @chosen: device of each page size, and of each with its map on the device
 * @fs: file systems of ours: that of the cells, and another one
 * @fs_spoiled: the first is not to be used again, but made anew
 * @usual_ns: what an unbind without pins took lately, nanoseconds
 * @filled: programs note here what they have prepared, a bit each
 * @helper: carries out what guard_bind_call() is told
 * @guardian: the guardian process
 * @owner: the process it watches
 * @cell: the process that the cell under way is carried out by
 * @done: the owner has put everything right itself
 */
struct guard {
	struct ns_set set;
	struct pin_targets targets;
	struct ktrace ktrace;
	struct timeline tl;
	struct timeline bind_tl;
	struct test_mem mem;
	int (*undo)(const struct test_mem *mem);
	atomic_bool busy;
	atomic_bool dirty;
	struct guard_proc op;
	struct guard_proc procs[GUARD_PROCS];
	char wedged[NS_MAX][32];
	char node[64];
	atomic_bool node_damaged;
	struct test_ns chosen[2 * DAXMAP_NR];
	struct fsdax fs[GUARD_FS];
	atomic_bool fs_spoiled;
	uint64_t usual_ns;
	atomic_uint filled;
	struct op_helper helper;
	struct guard_proc guardian;
	struct guard_proc owner;
	struct guard_proc cell;
	atomic_bool done;
};

/**
 * guard_create() - allocate the shared state and start the guardian
 * @g: set; lives until the process ends
 *
 * The guardian is in its own session, sleeps until the caller is gone
 * (pidfd_open(2), Linux 5.3) and then calls guard_restore() unless it has been
 * done.
 *
 * Return: 0 or -errno.
 */
int guard_create(struct guard **g);

/**
 * guard_takes_away() - a test is about to take memory away
 * @g: state of the run
 * @mem: the memory under test; copied
 * @undo: an action's undo(), which brings @mem back when a driver above device_dax is
 *	taken away; NULL when binding the driver of @mem is enough
 *
 * From now on guard_settle() brings @mem back, whether the test ends by itself or is
 * killed.  It replaces the memory of the last call.
 */
void guard_takes_away(struct guard *g, const struct test_mem *mem,
		      int (*undo)(const struct test_mem *mem));

/**
 * guard_set_mem() - the memory under test has another size or node now
 * @g: state of the run
 * @mem: the memory; copied
 *
 * How it is brought back stays as guard_takes_away() was given it.
 */
void guard_set_mem(struct guard *g, const struct test_mem *mem);

/**
 * guard_abandon() - leave g->mem as it is until reboot
 * @g: state of the run
 *
 * For a test that leaves a pin out on purpose: guard_settle() does not bind the device
 * again, and later tests do not use it.
 */
void guard_abandon(struct guard *g);

/**
 * guard_needs_new_memmap() - struct pages of g->mem may have wrong counts
 * @g: state of the run
 *
 * For memory that was taken away and may come back while pins are out:
 * guard_settle() then unbinds and binds it once more after the last pin, so that the
 * next test finds a memory map that is initialised again.
 */
void guard_needs_new_memmap(struct guard *g);

/**
 * guard_has_new_memmap() - the memory map of g->mem was initialised after the last pin
 * @g: state of the run
 *
 * Takes guard_needs_new_memmap() back.
 */
void guard_has_new_memmap(struct guard *g);

/**
 * guard_needs_mkfs() - the file system may be damaged
 * @g: state of the run
 *
 * The next test that needs a file gets a new file system.
 */
void guard_needs_mkfs(struct guard *g);

/**
 * guard_has_clean_fs() - the file system was made or checked
 * @g: state of the run
 *
 * Takes guard_needs_mkfs() back.
 */
void guard_has_clean_fs(struct guard *g);

/**
 * guard_keep_node() - may the inode of g->node be evicted?
 * @g: state of the run
 * @keep: true while the inode is linked into a struct cdev that was initialised a
 *	second time: evicting it would crash the kernel, so that guard_drop_node() leaves
 *	it until reboot; false when it is not
 */
void guard_keep_node(struct guard *g, bool keep);

/**
 * guard_filled() - does a device still hold the pattern that the tests fill it with?
 * @g: state of the run
 * @size: page size that the device was chosen for
 * @map_dev: it is the device with its memory map on the device
 *
 * False for a device that was chosen or reconfigured since guard_set_filled().
 *
 * Return: as guard_set_filled() was given it.
 */
bool guard_filled(const struct guard *g, enum daxmap_size size, bool map_dev);

/**
 * guard_set_filled() - note whether a device holds the pattern of the tests
 * @g: state of the run
 * @size: page size that the device was chosen for
 * @map_dev: it is the device with its memory map on the device
 * @filled: false when something else was, or may have been, written to it
 */
void guard_set_filled(struct guard *g, enum daxmap_size size, bool map_dev, bool filled);

/** guard_add_proc() - remember a process that holds pins; 0 or -ENOSPC */
int guard_add_proc(struct guard *g, pid_t pid);

/** guard_drop_proc() - it is gone */
void guard_drop_proc(struct guard *g, pid_t pid);

/**
 * guard_set_cell() - the calling process changes things for the owner
 * @g: state
 *
 * The guardian kills it, and begins when it is gone.  Does not return where the owner
 * is gone already.
 */
void guard_set_cell(struct guard *g);

/** guard_set_op() - remember the action's task; 0 when it is over */
void guard_set_op(struct guard *g, pid_t pid);

/**
 * guard_settle() - bring g->mem back to a bound device without holders
 * @g: state
 *
 * In this order: an action that still waits loses its holders, so that it can
 * end; a device whose action returned under live pins is bound first, so that
 * the memory map lies under them again, and only then the holders end (defuse);
 * after that one more round of unbind and bind resets the page state.  The file
 * system of a file stays mounted, unless its device had been taken away.
 *
 * Return: 0; -EBUSY when the device is wedged (recorded in g->wedged); or
 * -errno of what could not be put right.
 */
int guard_settle(struct guard *g);

/** guard_set_wedged() - g->mem is lost until reboot: nobody goes near it */
void guard_set_wedged(struct guard *g);

/** guard_is_wedged() - is this device stuck? */
bool guard_is_wedged(const struct guard *g, const char *key);

/**
 * guard_bind_call() - carry out a bind or unbind in a task of its own
 * @g: state
 * @run: an action's run() or undo()
 *
 * Return: its result; -ETIMEDOUT when it is stuck (and then @g->mem counts
 * as wedged).
 */
int guard_bind_call(struct guard *g, int (*run)(const struct test_mem *v));

/**
 * guard_unbind_dax() - unbind device_dax from g->mem, which nobody uses
 * @g: state; its usual_ns follows how long that takes
 *
 * Return: as guard_bind_call().
 */
int guard_unbind_dax(struct guard *g);

/**
 * guard_bind_dax() - bind device_dax to g->mem
 * @g: state
 *
 * Return: as guard_bind_call().
 */
int guard_bind_dax(struct guard *g);

/**
 * guard_make_node() - a private node of g->mem
 * @g: state; its path is in g->node
 *
 * In a new directory under /dev, because temporary file systems are often
 * mounted nodev.  guard_drop_node() or guard_restore() removes it.
 *
 * Return: 0 or -errno.
 */
int guard_make_node(struct guard *g);

/** guard_drop_node() - remove it, unless it is damaged; 0 or -errno */
int guard_drop_node(struct guard *g);

/**
 * guard_again() - all devices by the names they have now
 * @g: state; g->undo, if any, has been carried out
 * @why: what is not as it was
 * @len: bytes in @why
 *
 * Return: 0, or -errno of ns_set_again().
 */
int guard_again(struct guard *g, char *why, size_t len);

/**
 * guard_unmount() - unmount the file system of g->mem in a task of its own
 * @g: state
 *
 * Return: 0, -ETIMEDOUT when it is stuck, -ECHILD when the task died, or -errno.
 */
int guard_unmount(struct guard *g);

/**
 * guard_fresh_pages() - a new memory map under the file system of g->mem
 * @g: state; nobody holds pins or files any more
 *
 * Where a block was taken from its file under a pin the count of its page may be wrong
 * for good, and the next files that get it fail in ways of their own.  The file system
 * is unmounted for it and made anew for the next cell.
 *
 * Return: 0, -ETIMEDOUT when unmount or unbind are stuck, or another -errno.
 */
int guard_fresh_pages(struct guard *g);

/** guard_drop_fs() - unmount and erase the file systems of ours; 0 or the first -errno */
int guard_drop_fs(struct guard *g);

/**
 * guard_restore() - guard_settle(), then give everything back
 * @g: state
 *
 * Targets and probes are removed, file systems unmounted, namespaces get back
 * mode, alignment, label and driver.  May be called by owner or guardian, after each other too.
 *
 * Return: 0 or the first -errno.
 */
int guard_restore(struct guard *g);

/** guard_finish() - guard_restore() and end the guardian; 0 or the first -errno */
int guard_finish(struct guard *g);

#endif
