/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ways in which the ground is taken away.  One table, one function each.
 */
#ifndef DAX_LIB_ACTION_H
#define DAX_LIB_ACTION_H

#include "lib/ns/ns.h"
#include "lib/ns/level.h"

/**
 * enum action_frees - when an action takes memory away that a file had
 * @FREES_ALL: whatever is mapped or open
 * @FREES_CLOSED: when nobody has the file open or mapped
 * @FREES_NONE: never
 * @FREES_MAYBE: the memory may stay with the file or not, by the file system
 */
enum action_frees { FREES_ALL, FREES_CLOSED, FREES_NONE, FREES_MAYBE };

/**
 * enum action_leaves - what a mapping from before shows afterwards, at its start
 * @LEAVES_NOTHING: SIGBUS
 * @LEAVES_ZEROES: zeroes
 * @LEAVES_BYTES: the bytes that were there
 * @LEAVES_NEXT: the bytes that were @ACTION_SHIFT further on
 * @LEAVES_OTHER: the bytes of the other file, see action_other()
 * @LEAVES_OPEN: not specified
 */
enum action_leaves {
	LEAVES_NOTHING,
	LEAVES_ZEROES,
	LEAVES_BYTES,
	LEAVES_NEXT,
	LEAVES_OTHER,
	LEAVES_OPEN,
};

/* Actions on a part of a file take this much from its start, bytes. */
#define ACTION_SHIFT	(2u << 20)

/**
 * struct action - one way
 * @name: the word in the cell's name, stable
 * @verb: the word in sentences: "unbind"
 * @what: one sentence for -h
 * @lacks: why it cannot be carried out by this build; NULL when it can
 * @level: of the driver above it that is unbound, or whose module is removed;
 *	LEVEL_NONE for the rest
 * @on: MEMORY_* bits: what it can be done to
 * @frees: for files: when the memory goes
 * @leaves: for files: what is seen afterwards
 * @refusal: an error, -errno, by which it may be refused while the file is open
 *	or mapped; 0 for none
 * @other: for files: a second one has to be there, see action_other()
 * @spoils: the file system has to be made anew afterwards
 * @named: only scenarios that name it are crossed with it
 * @run: carries it out in the calling task; may block in state D.  -EOPNOTSUPP
 *	from a file system that does not know how
 * @undo: gives the device back; may block likewise; NULL where nothing is to be
 *	undone
 */
struct action {
	const char *name;
	const char *verb;
	const char *what;
	const char *lacks;
	enum level level;
	unsigned int on;
	enum action_frees frees;
	enum action_leaves leaves;
	int refusal;
	bool other;
	bool spoils;
	bool named;
	int (*run)(const struct test_ns *v);
	int (*undo)(const struct test_ns *v);
};

/**
 * action_other() - path of the second file that some actions want
 * @v: the file
 * @path: set; beside @v->node
 * @len: bytes in @path
 */
void action_other(const struct test_ns *v, char *path, size_t len);

/**
 * action_swap_xfs() - swap the extents of two files of xfs, as xfs_fsr does
 * @fd: one
 * @other: the other, of the same length
 *
 * Return: 0, -ENOTTY without the headers of xfsprogs or elsewhere than on xfs, or
 * another -errno.
 */
int action_swap_xfs(int fd, int other);

/* action_file.c */
int action_truncate(const struct test_ns *v);
int action_open_trunc(const struct test_ns *v);
int action_punch_hole(const struct test_ns *v);
int action_zero_range(const struct test_ns *v);
int action_collapse_range(const struct test_ns *v);
int action_insert_range(const struct test_ns *v);
int action_unlink(const struct test_ns *v);
int action_rename_over(const struct test_ns *v);
int action_reflink_over(const struct test_ns *v);
int action_swap_extents(const struct test_ns *v);
int action_fsync(const struct test_ns *v);
int action_freeze(const struct test_ns *v);
int action_thaw(const struct test_ns *v);
int action_remount_ro(const struct test_ns *v);
int action_remount_rw(const struct test_ns *v);
int action_unmount(const struct test_ns *v);
int action_shutdown(const struct test_ns *v);

/* action_owner.c: a namespace destroyed, and created again with its uuid */
int action_recreate_same(const struct test_ns *v);
int action_recreate_fsdax(const struct test_ns *v);
int action_recreate_raw(const struct test_ns *v);
int action_recreate_back(const struct test_ns *v);

/* action_dynamic.c: a device of a dynamic dax region */
int action_dynamic_destroy(const struct test_ns *v);
int action_dynamic_recreate(const struct test_ns *v);
int action_dynamic_back(const struct test_ns *v);

/** action_dynamic_rebind() - bind the region's driver, and make the device again */
int action_dynamic_rebind(const struct test_ns *v);

/* action_ram.c: bound to kmem, with its first block of memory online or none */

/** action_ram_block() - bytes of a block of memory that goes online; 0 without any */
size_t action_ram_block(void);
int action_ram_bind(const struct test_ns *v);
int action_ram_become(const struct test_ns *v);
int action_ram_online(const struct test_ns *v);
int action_ram_offline(const struct test_ns *v);
int action_ram_back(const struct test_ns *v);

/* action_pmem.c: of the block device that a file or a cell of blocks lies on */
int action_unbind_pmem(const struct test_ns *v);
int action_bind_pmem(const struct test_ns *v);

/** action_pmem_bound() - has @v a driver? */
bool action_pmem_bound(const struct test_ns *v);

/* all of them; ends with an entry without a name */
extern const struct action actions[];

#endif
