/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of lib/victim share.  Where the kernel's file systems are
 * mounted is a parameter, so that unit tests can show them an invented machine.
 */
#ifndef DAX_LIB_VICTIM_INTERNAL_H
#define DAX_LIB_VICTIM_INTERNAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "lib/ns/ns.h"

/* kselftest.h has it too, from 6.19 on */
#ifndef __printf
#define __printf(a, b) __attribute((format(printf, a, b)))
#endif

/* the kernel makes no pfn or dax namespace of less */
#define VICTIM_MIN_SIZE	(16UL << 20)

/**
 * struct victim_env - where to look
 * @sys: "/sys"
 * @proc: "/proc"
 * @dev: "/dev"
 * @node: tells what a device node is, lstat(2)
 */
struct victim_env {
	const char *sys;
	const char *proc;
	const char *dev;
	int (*node)(const char *path, struct stat *st);
};

/* the machine we run on */
extern const struct victim_env victim_machine;

/** victim_say() - format a sentence; returns @rc, so that it ends a function */
int __printf(4, 5) victim_say(int rc, char *why, size_t len, const char *fmt, ...);

/** victim_copy() - copy a name, cut off where it does not fit */
void victim_copy(char *to, size_t len, const char *from);

/**
 * victim_name_ok() - may this become a component of a path?
 * @name: from an environment variable
 */
bool victim_name_ok(const char *name);

/**
 * victim_next_name() - take one name off a list
 * @list: names separated by blanks or commas; moved on
 * @prefix: what a name may begin with and loses ("/dev/"); may be NULL
 * @name: the name; quoted as far as it fits when it is not a valid one
 * @len: bytes in @name
 *
 * Return: 1, 0 at the end of the list, or -EINVAL for a name not valid.
 */
int victim_next_name(const char **list, const char *prefix, char *name,
		     size_t len);

/* victim_sysfs.c: attributes by a path below @env->sys, one line without its end */
int __printf(4, 5) victim_attr(const struct victim_env *env, char *buf, size_t len,
			       const char *fmt, ...);
int __printf(3, 4) victim_attr_number(const struct victim_env *env,
				      unsigned long long *value, const char *fmt, ...);
int __printf(3, 4) victim_attr_dev(const struct victim_env *env, dev_t *rdev,
				   const char *fmt, ...);
bool __printf(2, 3) victim_exists(const struct victim_env *env, const char *fmt, ...);

/**
 * victim_list() - the entries of a directory below @env->sys, sorted by number
 * @env: where
 * @dir: path below @env->sys
 * @keep: which entries; NULL for all
 * @names: set; freed by victim_list_free()
 *
 * Return: how many, or -errno.
 */
int victim_list(const struct victim_env *env, const char *dir,
		bool (*keep)(const char *name), char ***names);
void victim_list_free(char **names, int nr);

/**
 * victim_read_dax() - what sysfs says of a dax device
 * @env: where
 * @dax: its name
 * @v: the device's fields are filled, and @ndns where it has a namespace
 *
 * Return: 0, -ENODEV when there is no such device, or -errno.
 */
int victim_read_dax(const struct victim_env *env, const char *dax,
		    struct victim *v);

/**
 * victim_read_namespace() - what sysfs says of a namespace
 * @env: where
 * @ndns: its name
 * @v: all is filled; @dax and @block are empty while it is disabled
 * @mode: its mode, by ndctl's word
 * @len: bytes in @mode
 *
 * Return: 0, -ENODEV when there is no such namespace, or -errno.
 */
int victim_read_namespace(const struct victim_env *env, const char *ndns,
			  struct victim *v, char *mode, size_t len);

/**
 * victim_name_by_uuid() - the name a namespace has now
 * @env: where
 * @v: remembered; by its @ndns where its label has no uuid
 * @name: set
 * @len: bytes in @name
 *
 * Return: 0, or -ENODEV.
 */
int victim_name_by_uuid(const struct victim_env *env, const struct victim *v,
			char *name, size_t len);

int victim_driver_in(const struct victim_env *env, const char *dax, char *name,
		     size_t len);
int victim_same_in(const struct victim_env *env, const struct victim *v,
		   char *why, size_t len);

/**
 * victim_node_user() - has a program the device open or mapped?
 * @env: where
 * @rdev: device number
 * @type: S_IFCHR or S_IFBLK
 * @name: name of the node, to know its mappings by
 * @who: the program and its pid
 * @len: bytes in @who
 *
 * The calling process does not count.
 *
 * Return: 1, 0, or -errno.
 */
int victim_node_user(const struct victim_env *env, dev_t rdev, mode_t type,
		     const char *name, char *who, size_t len);

/**
 * victim_block_user() - is a block device or a partition of it in use?
 * @env: where
 * @block: "pmem0"
 * @who: a phrase, "is mounted on /mnt"
 * @len: bytes in @who
 *
 * Return: 1, 0, or -errno.
 */
int victim_block_user(const struct victim_env *env, const char *block,
		      char *who, size_t len);

/**
 * victim_block_holds() - does a block device hold something?
 * @env: where
 * @block: "pmem0"
 * @what: what libblkid calls it
 * @len: bytes in @what
 *
 * Return: 1, 0, -EOPNOTSUPP when built without libblkid, or -errno.
 */
int victim_block_holds(const struct victim_env *env, const char *block,
		       char *what, size_t len);

/**
 * victim_find_in() - victim_set_find() on a given machine
 * @env: where
 * @ndns: value of DAX_TEST_NAMESPACE; may be NULL
 * @dev: value of DAX_TEST_DEV; may be NULL
 * @set: filled
 * @why: a sentence
 * @len: bytes in @why
 */
int victim_find_in(const struct victim_env *env, const char *ndns,
		   const char *dev, struct victim_set *set, char *why,
		   size_t len);

/**
 * victim_usable() - bytes a namespace will offer once it is device-dax
 * @v: the namespace
 * @align: bytes
 * @map_dev: memory map on the device
 */
unsigned long long victim_usable(const struct victim *v, size_t align, bool map_dev);

/**
 * victim_offers_align() - can namespaces of a region have an alignment?
 * @env: where
 * @region: "region0"
 * @align: bytes
 * @offered: the alignments there are, as the kernel lists them
 * @len: bytes in @offered
 *
 * Return: true also when the kernel does not tell.
 */
bool victim_offers_align(const struct victim_env *env, const char *region,
			 size_t align, char *offered, size_t len);

/** victim_check_dax() - may a dax device be used: 0; -EBUSY, -EINVAL with a sentence */
int victim_check_dax(const struct victim_env *env, const struct victim *v, char *why,
		     size_t len);

/** victim_restore_one() - victim_set_restore() of entry @i; 0 or -errno */
int victim_restore_one(struct victim_set *set, unsigned int i);

/**
 * victim_configure() - bring a namespace into a mode, from whatever it is in
 * @to: the namespace by @uuid (or @ndns where labels have none), and what is
 *	wanted: @label, @claim, @align, @map_dev, @sector, @info_uuid (a new one
 *	if that is empty)
 * @mode: mode wanted
 * @why: a phrase when it fails: the step and what libndctl said
 * @len: bytes in @why
 *
 * Starts by undoing whatever is half done.  Refuses what is mounted.
 *
 * Return: 0, -EOPNOTSUPP without the libraries, or -errno.
 */
int victim_configure(const struct victim *to, const char *mode, char *why,
		     size_t len);

/**
 * victim_recreate() - destroy a namespace and create it again
 * @to: as for victim_configure(), and @capacity, bytes; @region where there is none
 *	of this @uuid any more
 * @mode: mode wanted
 * @why: as for victim_configure()
 * @len: bytes in @why
 *
 * It has the same uuid and label name afterwards, and a new number.  Where labels
 * have no uuid it is victim_configure().
 *
 * Return: as victim_configure().
 */
int victim_recreate(const struct victim *to, const char *mode, char *why, size_t len);

/** dynamic_find_in() - dynamic_find() on another machine, see victim_dynamic.h */
int dynamic_find_in(const struct victim_env *env, struct victim_set *set, const char *id,
		    char *why, size_t len);

#endif
