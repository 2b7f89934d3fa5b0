/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of a run: which devices it has changed and which processes hold pins.
 *
 * It lies in shared memory, so that it outlives the process of a test, and a second
 * process, the guardian, restores everything when the program is killed.  Tests say
 * with the calls below what they are about to do; only lib/ and suite/ assign members.
 */
#ifndef DAX_LIB_GUARD_H
#define DAX_LIB_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/daxmap.h"
#include "lib/fsdax.h"
#include "lib/ktrace.h"
#include "lib/ns/ns.h"
#include "lib/pin/targets.h"
#include "lib/task.h"
#include "lib/test_mem.h"
#include "lib/timeline.h"

#define GUARD_PROCS	8
#define GUARD_FS	2

/**
 * struct guard_proc - a process, distinguished from a later one with the same pid
 * @pid: process id; 0 for an empty slot
 * @start: its proc_start_time()
 */
struct guard_proc {
	pid_t pid;
	uint64_t start;
};

/**
 * struct guard - state of one run, in shared memory
 * @set: the namespaces offered and how they were found
 * @targets: slow block devices that pins need
 * @ktrace: kprobe events
 * @tl: record of the current test
 * @bind_tl: record of the actions that bring memory back
 * @mem: memory under test
 * @undo: brings @mem back when a driver above device_dax was taken away; else NULL
 * @busy: @mem may be unbound or in use: guard_settle() has to look at it
 * @dirty: see guard_needs_new_memmap()
 * @op: process of the action
 * @procs: processes that hold pins
 * @wedged: devices that are unusable until reboot, by ns_key()
 * @node: a device node of the run's own, in a directory of its own; "" if none
 * @node_damaged: see guard_keep_node()
 * @chosen: the device-dax device of each page size, and of each page size with its
 *	memory map on the device
 * @fs: file systems that the run has made: the first for the file under test
 * @fs_spoiled: see guard_needs_mkfs()
 * @usual_ns: duration of recent unbinds without pins, nanoseconds
 * @filled: of each device of @chosen: see guard_filled()
 * @helper: carries out guard_bind_call()
 * @guardian: the guardian process
 * @owner: the process that the guardian watches: the program
 * @cell: process of the current test
 * @done: the owner has cleaned up
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
	atomic_bool filled[2 * DAXMAP_NR];
	struct op_helper helper;
	struct guard_proc guardian;
	struct guard_proc owner;
	struct guard_proc cell;
	atomic_bool done;
};

/**
 * guard_create() - allocate the shared state and start the guardian
 * @g: set; the state lives until the process ends
 *
 * The guardian leads a session, sleeps until the caller is dead (pidfd_open(2), Linux
 * 5.3) and then calls guard_restore(), unless guard_finish() has succeeded.
 *
 * Return: 0, or -errno of mmap(2), pidfd_open(2) or fork(2).
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
 * guard_chosen() - the device-dax device that the tests of a page size use
 * @g: state of the run
 * @size: page size
 * @map_dev: with its memory map on the device
 *
 * Return: the device, owned by @g; its @dax is "" before the first test.
 */
struct test_ns *guard_chosen(struct guard *g, enum daxmap_size size, bool map_dev);

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

/**
 * guard_add_proc() - note a process that holds pins
 * @g: state of the run
 * @pid: the process; killed by guard_settle()
 *
 * Return: 0, or -ENOSPC with GUARD_PROCS of them.
 */
int guard_add_proc(struct guard *g, pid_t pid);

/**
 * guard_drop_proc() - forget a process that has ended
 * @g: state of the run
 * @pid: the process, of guard_add_proc()
 */
void guard_drop_proc(struct guard *g, pid_t pid);

/**
 * guard_set_cell() - the calling process runs a test for the owner
 * @g: state of the run
 *
 * The guardian kills it first, and waits for its end.  Does not return when the owner
 * is dead already.
 */
void guard_set_cell(struct guard *g);

/**
 * guard_set_op() - note the process that carries out the action
 * @g: state of the run
 * @pid: the process; 0 when the action is over
 */
void guard_set_op(struct guard *g, pid_t pid);

/**
 * guard_settle() - bring g->mem back to a bound device without pins
 * @g: state of the run
 *
 * In this order: the pins of an action that still waits are released, so that it can
 * return; a device whose action returned while pins were out is bound first, so that its
 * memory map is there again, and only then are the pins released; after that one more
 * unbind and bind initialises the memory map again.  The file system of a file stays
 * mounted, unless its device was taken away.
 *
 * Return: 0; -EBUSY when the device is wedged (recorded in g->wedged); or the -errno of
 * the step that failed.
 */
int guard_settle(struct guard *g);

/**
 * guard_set_wedged() - exclude the device of g->mem from further use
 * @g: state of the run
 *
 * For a device that is unusable until reboot.  Where an action on a device above is
 * stuck, all devices of the region are excluded.
 */
void guard_set_wedged(struct guard *g);

/**
 * guard_is_wedged() - is a device unusable until reboot?
 * @g: state of the run
 * @key: ns_key() of the device
 *
 * Return: true after guard_set_wedged() for it.
 */
bool guard_is_wedged(const struct guard *g, const char *key);

/**
 * guard_bind_call() - carry out a bind or unbind in another process
 * @g: state of the run
 * @run: an action's run() or undo(), called with g->mem
 *
 * Return: its result; -ETIMEDOUT when it is stuck, and then g->mem is wedged; -ECHILD
 * when the process died.
 */
int guard_bind_call(struct guard *g, int (*run)(const struct test_mem *mem));

/**
 * guard_unbind_dax() - unbind device_dax from g->mem, which is not in use
 * @g: state of the run; @g->usual_ns is updated by the time that it takes
 *
 * Return: as guard_bind_call().
 */
int guard_unbind_dax(struct guard *g);

/**
 * guard_bind_dax() - bind device_dax to g->mem
 * @g: state of the run
 *
 * Return: as guard_bind_call().
 */
int guard_bind_dax(struct guard *g);

/**
 * guard_make_node() - make a second device node of g->mem
 * @g: state of the run; @g->node is set to its path
 *
 * In a new directory below /dev, because temporary file systems are often mounted nodev.
 * guard_drop_node() or guard_restore() removes it.
 *
 * Return: 0, or -errno of mkdir(2) or mknod(2).
 */
int guard_make_node(struct guard *g);

/**
 * guard_drop_node() - remove the node, unless guard_keep_node() forbids it
 * @g: state of the run
 *
 * Return: 0 (also without a node), or -errno of unlink(2) or rmdir(2).
 */
int guard_drop_node(struct guard *g);

/**
 * guard_find_again() - find all devices again, which may have other names now
 * @g: state of the run; @g->undo, if any, has been carried out
 * @why: set to a sentence when it fails: the device that is not as it was
 * @len: bytes in @why
 *
 * Return: 0, or -errno of ns_set_find_again().
 */
int guard_find_again(struct guard *g, char *why, size_t len);

/**
 * guard_unmount() - unmount the file system of g->mem in another process
 * @g: state of the run
 *
 * Return: 0, -ETIMEDOUT when it is stuck, -ECHILD when the process died, or -errno of
 * umount2(2).
 */
int guard_unmount(struct guard *g);

/**
 * guard_fresh_pages() - a new memory map for the device under a file system
 * @g: state of the run; no file is open and no pin is out
 *
 * When a block was freed under a pin, the refcount of its page may stay wrong, and files
 * that get the block later fail in other ways.  The file system is unmounted; the next
 * test makes a new one.
 *
 * Return: 0, -ETIMEDOUT when unmount or unbind are stuck, or another -errno.
 */
int guard_fresh_pages(struct guard *g);

/**
 * guard_drop_fs() - unmount and erase the file systems that the run has made
 * @g: state of the run
 *
 * Goes on after an error.
 *
 * Return: 0 or the first -errno of fsdax_drop().
 */
int guard_drop_fs(struct guard *g);

/**
 * guard_restore() - guard_settle(), then restore everything
 * @g: state of the run
 *
 * Targets and probes are removed, file systems unmounted and erased; namespaces get back
 * mode, alignment, label and driver.  Called by owner or guardian; a second call is
 * harmless.
 *
 * Return: 0 or the first -errno.
 */
int guard_restore(struct guard *g);

/**
 * guard_finish() - guard_restore(), then end the guardian
 * @g: state of the run
 *
 * After an error the guardian stays, and tries again when the owner ends.
 *
 * Return: 0 or the first -errno.
 */
int guard_finish(struct guard *g);

#endif
