/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kinds of devices that pins need, a file each (target_*.c).  For this folder only;
 * tests use targets.h.
 *
 * All names of devices carry the run's id, and removal needs nothing but names, so
 * that a guardian can remove the devices of a killed process, whole or half made.
 */
#ifndef DAX_LIB_PIN_TARGET_H
#define DAX_LIB_PIN_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/pin/targets.h"
#include "lib/registry.h"

/* interval and number of looks for a node that is to come, nanoseconds */
#define TARGET_POLL_NS		2000000
#define TARGET_POLLS		10000

/* bits of pin_targets.loaded: modules that this run loaded */
#define TARGET_NULL_BLK		0x1u
#define TARGET_DM_DELAY		0x2u
#define TARGET_DM_MOD		0x4u
#define TARGET_RXE		0x8u	/* and the following, one for each module of rxe */

/**
 * struct pin_target - a kind of device, registered in pin_target_kinds
 * @lacks: why this build cannot make it; NULL when it can.  With @lacks no function
 *	need be set
 * @create: makes it; NULL if the first user makes it.  0, or -errno with the reason
 *	by pin_target_missing()
 * @held: number of bios that it holds back, or -errno; NULL for kinds that do not
 * @flush: completes them; 0 or -errno; NULL likewise
 * @destroy: removes it if it exists; 0 or -errno
 * @unload: unloads the modules that were loaded for it, once no device is left
 */
struct pin_target {
	const char *lacks;
	int (*create)(struct pin_targets *t);
	int (*held)(const struct pin_targets *t, bool write);
	int (*flush)(const struct pin_targets *t);
	int (*destroy)(const struct pin_targets *t);
	void (*unload)(const struct pin_targets *t);
};

/**
 * pin_target_missing() - note why a device is missing
 * @t: t->why is set, unless an earlier reason is there
 * @err: -errno
 * @fmt: a sentence
 *
 * Return: @err.
 */
int pin_target_missing(struct pin_targets *t, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * pin_target_load() - load a module, unless it is loaded
 * @t: @bit is set in t->loaded if this loads it
 * @module: its name
 * @option: a parameter, or NULL
 * @bit: TARGET_*
 *
 * Return: 0 or -errno of module_load().
 */
int pin_target_load(struct pin_targets *t, const char *module, const char *option,
		    unsigned int bit);

/**
 * pin_target_unload() - unload a module if pin_target_load() loaded it
 * @t: the devices of the run
 * @module: its name
 * @bit: TARGET_*
 *
 * A module that is in use stays: somebody else has begun to use it since.
 */
void pin_target_unload(const struct pin_targets *t, const char *module, unsigned int bit);

/**
 * pin_target_wait_node() - wait until the node of a block device is there
 * @node: its path
 *
 * Return: 0, or -ENODEV after 20 seconds.
 */
int pin_target_wait_node(const char *node);

/**
 * pin_nullb_create() - make a null_blk device, loading null_blk if it is not there
 * @t: the devices of the run
 * @what: which one, part of its name
 * @node: set to its node, "" on failure
 * @len: bytes in @node
 *
 * It has memory behind it and completes requests at once.
 *
 * Return: 0, or -errno with the reason by pin_target_missing().
 */
int pin_nullb_create(struct pin_targets *t, const char *what, char *node, size_t len);

/**
 * pin_nullb_remove() - remove a null_blk device of this run, if it exists
 * @t: the devices of the run
 * @what: which one
 *
 * Return: 0 or -errno.
 */
int pin_nullb_remove(const struct pin_targets *t, const char *what);

#endif
