/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions that the files of lib/ns/ share.  The mount points of the kernel's file
 * systems are a parameter, so that unit tests can use a fake machine.
 */
#ifndef DAX_LIB_NS_INTERNAL_H
#define DAX_LIB_NS_INTERNAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "lib/ns/ns.h"

/* kselftest.h has it too, from 6.19 on */
#ifndef __printf
#define __printf(a, b) __attribute((format(printf, a, b)))
#endif

/* prefix of the label names that offer a namespace for tests */
#define NS_LABEL	"ksft-dax"

/* the kernel makes no pfn or dax device on a smaller namespace */
#define NS_MIN_SIZE	(16UL << 20)

/**
 * struct ns_env - a machine
 * @sys: "/sys"
 * @proc: "/proc"
 * @dev: "/dev"
 * @node: lstat(2) of a device node; 0 or -errno
 */
struct ns_env {
	const char *sys;
	const char *proc;
	const char *dev;
	int (*node)(const char *path, struct stat *st);
};

/* the machine that the program runs on */
extern const struct ns_env ns_machine;

/**
 * ns_say() - format the reason of a failure
 * @rc: -errno
 * @why: set
 * @len: bytes in @why
 * @fmt: the sentence, as for printf(3)
 *
 * Return: @rc, so that it can end a function.
 */
int __printf(4, 5) ns_say(int rc, char *why, size_t len, const char *fmt, ...);

/**
 * ns_copy() - copy a name, truncated where it does not fit
 * @to: set, NUL-terminated
 * @len: bytes in @to
 * @from: the name
 */
void ns_copy(char *to, size_t len, const char *from);

/**
 * ns_name_ok() - can a name be one component of a path?
 * @name: from an environment variable
 *
 * Return: true if it can.
 */
bool ns_name_ok(const char *name);

/**
 * ns_next_name() - read the next name of a list
 * @list: names separated by blanks or commas; advanced
 * @prefix: what a name may begin with and loses ("/dev/"); may be NULL
 * @name: the name; quoted as far as it fits when it is not a valid one
 * @len: bytes in @name
 *
 * Return: 1, 0 at the end of the list, or -EINVAL for a name not valid.
 */
int ns_next_name(const char **list, const char *prefix, char *name,
		 size_t len);

/* sysfs.c: the first line of an attribute, by its path below @env->sys; 0 or -errno */
int __printf(4, 5) ns_attr(const struct ns_env *env, char *buf, size_t len,
			   const char *fmt, ...);
int __printf(3, 4) ns_attr_number(const struct ns_env *env,
				  unsigned long long *value, const char *fmt, ...);
int __printf(3, 4) ns_attr_dev(const struct ns_env *env, dev_t *rdev,
			       const char *fmt, ...);
bool __printf(2, 3) ns_exists(const struct ns_env *env, const char *fmt, ...);

/**
 * ns_list() - list a directory below @env->sys, sorted by number
 * @env: the machine
 * @dir: path below @env->sys
 * @keep: which entries; NULL for all
 * @names: set; the caller frees it with ns_list_free()
 *
 * Return: their number, or -errno.
 */
int ns_list(const struct ns_env *env, const char *dir,
	    bool (*keep)(const char *name), char ***names);
void ns_list_free(char **names, int nr);

/**
 * ns_read_dax() - read a dax device from sysfs
 * @env: the machine
 * @dax: its name
 * @v: the device's fields are filled, and @ndns where it has a namespace
 *
 * Return: 0, -ENODEV when there is no such device, or -errno.
 */
int ns_read_dax(const struct ns_env *env, const char *dax,
		struct test_ns *v);

/**
 * ns_read_namespace() - read a namespace from sysfs
 * @env: the machine
 * @ndns: its name
 * @v: all is filled; @dax and @block are empty while it is disabled
 * @mode: its mode, by ndctl's word
 * @len: bytes in @mode
 *
 * Return: 0, -ENODEV when there is no such namespace, or -errno.
 */
int ns_read_namespace(const struct ns_env *env, const char *ndns,
		      struct test_ns *v, char *mode, size_t len);

/**
 * ns_name_by_uuid() - present name of a namespace
 * @env: the machine
 * @v: its state before; searched for by @ndns where its label has no uuid
 * @name: set
 * @len: bytes in @name
 *
 * Return: 0, or -ENODEV.
 */
int ns_name_by_uuid(const struct ns_env *env, const struct test_ns *v,
		    char *name, size_t len);

int ns_driver_in(const struct ns_env *env, const char *dax, char *name,
		 size_t len);
int ns_check_same_in(const struct ns_env *env, const struct test_ns *v,
		     char *why, size_t len);

/**
 * ns_node_user() - has a program the device open or mapped?
 * @env: the machine
 * @rdev: device number
 * @type: S_IFCHR or S_IFBLK
 * @name: name of the node, by which its mappings are recognised
 * @who: the program and its pid
 * @len: bytes in @who
 *
 * The calling process does not count.
 *
 * Return: 1, 0, or -errno.
 */
int ns_node_user(const struct ns_env *env, dev_t rdev, mode_t type,
		 const char *name, char *who, size_t len);

/**
 * ns_block_user() - is a block device or a partition of it in use?
 * @env: the machine
 * @block: "pmem0"
 * @who: a phrase, "is mounted on /mnt"
 * @len: bytes in @who
 *
 * Return: 1, 0, or -errno.
 */
int ns_block_user(const struct ns_env *env, const char *block,
		  char *who, size_t len);

/**
 * ns_block_holds() - does a block device have contents that libblkid recognises?
 * @env: the machine
 * @block: "pmem0"
 * @what: set to their name, "ext4"
 * @len: bytes in @what
 *
 * Return: 1, 0, -EOPNOTSUPP when built without libblkid, or -errno.
 */
int ns_block_holds(const struct ns_env *env, const char *block,
		   char *what, size_t len);

/**
 * ns_find_in() - ns_set_find() of namespaces and devices on a given machine
 * @env: the machine
 * @ndns: value of DAX_TEST_NAMESPACE; may be NULL
 * @dev: value of DAX_TEST_DEV; may be NULL
 * @set: filled
 * @why: set to a sentence
 * @len: bytes in @why
 *
 * Return: as ns_set_find().
 */
int ns_find_in(const struct ns_env *env, const char *ndns,
	       const char *dev, struct ns_set *set, char *why,
	       size_t len);

/**
 * ns_usable_bytes() - usable bytes of a namespace once it is reconfigured
 * @v: the namespace
 * @align: bytes
 * @map_dev: the memory map is on the device
 *
 * Return: bytes.
 */
unsigned long long ns_usable_bytes(const struct test_ns *v, size_t align, bool map_dev);

/**
 * ns_offers_align() - does the kernel support an alignment in a region?
 * @env: the machine
 * @region: "region0"
 * @align: bytes
 * @offered: set to the kernel's list of alignments
 * @len: bytes in @offered
 *
 * Return: true if it does, or if the kernel has no such list.
 */
bool ns_offers_align(const struct ns_env *env, const char *region,
		     size_t align, char *offered, size_t len);

/**
 * ns_check_dax() - can a dax device be used?
 * @env: the machine
 * @v: the device
 * @why: set to a sentence if not
 * @len: bytes in @why
 *
 * Return: 0, -EBUSY when it is in use, -EINVAL when its node is missing or wrong, or
 * another -errno.
 */
int ns_check_dax(const struct ns_env *env, const struct test_ns *v, char *why,
		 size_t len);

/**
 * ns_restore_one() - ns_set_restore() of one entry
 * @set: the set
 * @i: number of the entry
 *
 * Return: as ns_set_restore().
 */
int ns_restore_one(struct ns_set *set, unsigned int i);

/**
 * ns_configure() - bring a namespace into a mode, from any state
 * @to: the namespace by @uuid (or @ndns where labels have none), with the
 *	wanted @label, @claim, @align, @map_dev, @sector, @info_uuid (a new one
 *	if that is empty)
 * @mode: mode wanted
 * @why: set to a phrase when it fails: the step and the message of libndctl
 * @len: bytes in @why
 *
 * First undoes a configuration that was interrupted.  Fails if the namespace is mounted.
 *
 * Return: 0, -EOPNOTSUPP without the libraries, or -errno.
 */
int ns_configure(const struct test_ns *to, const char *mode, char *why,
		 size_t len);

/**
 * ns_recreate() - destroy a namespace and create it again
 * @to: as for ns_configure(), and @capacity; and @region, for when there is no namespace of
 *	this @uuid any more
 * @mode: mode wanted
 * @why: as for ns_configure()
 * @len: bytes in @why
 *
 * It has the same uuid and label name afterwards, and a new number.  Where labels
 * have no uuid it is ns_configure().
 *
 * Return: as ns_configure().
 */
int ns_recreate(const struct test_ns *to, const char *mode, char *why, size_t len);

/**
 * dynamic_find_in() - dynamic_find() on a given machine
 * @env: the machine
 * @set: see dynamic_find()
 * @id: see dynamic_find()
 * @why: see dynamic_find()
 * @len: bytes in @why
 *
 * Return: as dynamic_find().
 */
int dynamic_find_in(const struct ns_env *env, struct ns_set *set, const char *id,
		    char *why, size_t len);

#endif
