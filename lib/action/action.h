/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Actions that take memory away.  Each is an entry beside its function, in the file
 * of its subject.
 */
#ifndef DAX_LIB_ACTION_H
#define DAX_LIB_ACTION_H

#include "lib/mem/select.h"
#include "lib/mem/test_mem.h"
#include "lib/ns/level.h"
#include "lib/registry.h"

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

#ifdef HAVE_LIBNDCTL
#define LACKS_LIBNDCTL	NULL
#else
#define LACKS_LIBNDCTL	"built without libndctl and libdaxctl"
#endif

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
 * @on: the kinds of memory that it can be done to
 * @frees: for files: when the memory goes
 * @leaves: for files: what is seen afterwards
 * @refusal: an error, -errno, by which it may be refused while the file is open
 *	or mapped; 0 for none
 * @other: for files: a second one has to be there, see action_other()
 * @spoils: the file system has to be made anew afterwards
 * @named: only scenarios that name it are crossed with it
 * @first: the plain unbind, which FIRST_ACTION scenarios are crossed with
 * @unmounts: the file system is not mounted afterwards
 * @shifts: what was at the start of the file is ACTION_SHIFT further on afterwards
 * @dax_again: a device-dax device of the same memory is there afterwards
 * @module: a module is removed: all that its driver is bound to goes
 * @takes_region: several namespaces lie below, which all go
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
	struct mem_select on;
	enum action_frees frees;
	enum action_leaves leaves;
	int refusal;
	bool other;
	bool spoils;
	bool named;
	bool first;
	bool unmounts;
	bool shifts;
	bool dax_again;
	bool module;
	bool takes_region;
	int (*run)(const struct test_mem *v);
	int (*undo)(const struct test_mem *v);
};

/**
 * action_other() - path of the second file that some actions want
 * @v: the file
 * @path: set; beside @v->node
 * @len: bytes in @path
 */
void action_other(const struct test_mem *v, char *path, size_t len);

/**
 * action_swap_xfs() - swap the extents of two files of xfs, as xfs_fsr does
 * @fd: one
 * @other: the other, of the same length
 *
 * Return: 0, -ENOTTY without the headers of xfsprogs or elsewhere than on xfs, or
 * another -errno.
 */
int action_swap_xfs(int fd, int other);

/**
 * action_bind_pmem() - bind nd_pmem to the block device again
 * @v: memory on it
 *
 * Return: 0, -ENXIO when the driver refused it or its node does not come, or -errno.
 */
int action_bind_pmem(const struct test_mem *v);

/**
 * action_unbind_pmem() - unbind nd_pmem from the block device
 * @v: memory on it
 *
 * Return: 0 or -errno; blocks as long as the kernel does.
 */
int action_unbind_pmem(const struct test_mem *v);

/**
 * action_pmem_bound() - has the block device a driver?
 * @v: memory on it
 */
bool action_pmem_bound(const struct test_mem *v);

/**
 * action_ram_block() - size of the blocks that memory goes online in
 *
 * Return: bytes, 0 where memory cannot be hot-added.
 */
size_t action_ram_block(void);

/**
 * action_ram_bind() - bind kmem to a device, nothing of it online
 * @v: the device
 *
 * Return: 0 or -errno; blocks as long as unbinding device_dax does.
 */
int action_ram_bind(const struct test_mem *v);

REGISTRY(actions, struct action);

/**
 * action_next() - visit all actions
 * @a: the one before; NULL for the first
 *
 * Return: the next one, or NULL.
 */
const struct action *action_next(const struct action *a);

#define for_each_action(a) for (a = action_next(NULL); a; a = action_next(a))

/**
 * action_find() - an action by its name
 * @name: its name
 *
 * Return: the action, or NULL when it is not in this build.
 */
const struct action *action_find(const char *name);

#endif
