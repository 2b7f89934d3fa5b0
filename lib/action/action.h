/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Actions that take memory away: unbind, truncate, unmount, ...
 *
 * Each is an entry beside its function, in the file of its subject, and states what it
 * does; scenarios and checks go by that, not by which action it is.
 */
#ifndef DAX_LIB_ACTION_H
#define DAX_LIB_ACTION_H

#include "lib/daxmap.h"
#include "lib/mem/select.h"
#include "lib/ns/level.h"
#include "lib/registry.h"
#include "lib/test_mem.h"

/**
 * enum action_frees - when an action takes memory away from a file
 * @FREES_ALL: also while the file is open or mapped
 * @FREES_CLOSED: once the file is neither open nor mapped
 * @FREES_NONE: never
 * @FREES_MAYBE: the file system decides whether the file keeps its memory
 */
enum action_frees { FREES_ALL, FREES_CLOSED, FREES_NONE, FREES_MAYBE };

/**
 * enum action_leaves - what a mapping made before the action shows at its start after it
 * @LEAVES_NOTHING: SIGBUS
 * @LEAVES_ZEROES: zeroes
 * @LEAVES_BYTES: the same bytes as before
 * @LEAVES_NEXT: the bytes that were @ACTION_SHIFT further on
 * @LEAVES_OTHER: the bytes of the other file, see mem_other_path()
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

/* actions on a part of a file work on this much from its start: a pmd entry, bytes */
#define ACTION_SHIFT	daxmap_bytes(DAXMAP_PMD)

/**
 * struct action - one way to take memory away
 * @name: the word in the cell's name, stable
 * @verb: the word in sentences: "unbind"
 * @what: one sentence for -h
 * @lacks: why this build cannot run it; NULL when it can
 * @level: of the driver above device_dax that is unbound, or whose module is removed;
 *	LEVEL_NONE for the rest
 * @on: the kinds of memory that it applies to
 * @frees: for files: when their memory goes
 * @leaves: for files: what a mapping shows afterwards
 * @refusal: an error, -errno, by which it may be refused while the file is open
 *	or mapped; 0 for none
 * @other: for files: needs a second file, see mem_other_path()
 * @spoils: the file system has to be made again afterwards
 * @named: only scenarios that name it are crossed with it
 * @first: the plain unbind, which FIRST_ACTION scenarios are crossed with
 * @unmounts: the file system is not mounted afterwards
 * @shifts: the bytes from the start of the file are @ACTION_SHIFT further on afterwards
 * @dax_again: a device-dax device of the same memory is there afterwards
 * @module: a module is removed: all devices that its driver is bound to go
 * @takes_region: several namespaces depend on it, which all go
 * @run: runs it in the calling task; may block in state D.  -EOPNOTSUPP from a file
 *	system that does not support it
 * @undo: brings the device back; may block likewise; NULL when there is nothing to undo
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
	int (*run)(const struct test_mem *mem);
	int (*undo)(const struct test_mem *mem);
};

/**
 * action_swap_xfs() - swap the extents of two files of xfs, as xfs_fsr does
 * @fd: one
 * @other: the other, of the same length
 *
 * Return: 0, -ENOTTY without the headers of xfsprogs or elsewhere than on xfs, or
 * another -errno.
 */
int action_swap_xfs(int fd, int other);

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
