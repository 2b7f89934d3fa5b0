/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fake machine for unit tests of lib/ns/: a directory that looks like
 * sysfs, one like procfs and one like /dev.  Needs neither root nor a device; what
 * cannot be made ends the test.
 */
#ifndef UNIT_MACHINE_H
#define UNIT_MACHINE_H

#include "lib/ns/internal.h"

#define MIB	1048576UL

struct machine {
	char top[64];
	char sys[80];
	char proc[80];
	char dev[80];
	struct ns_env env;
};

/* one region and nothing in it; whoever makes it removes top in the end */
void make_machine(struct machine *m);
void remove_tree(const char *path);

/* a directory, a file with this text, or a link, below top */
void put_dir(const char *top, const char *name);
void put(const char *top, const char *name, const char *text);
void put_link(const char *top, const char *name, const char *target);

/* one line of text into a file of a libnvdimm device */
void nd_attr(struct machine *m, const char *device, const char *file, const char *text);

/* 64 MiB with this label, in a mode of libnvdimm, that holder has claimed */
void make_namespace(struct machine *m, const char *name, const char *label,
		    const char *mode, const char *holder);

/* device-dax 0.N on namespace 0.N */
void make_dax(struct machine *m, int n, const char *label);

/* fsdax on namespace 0.1, as block device pmem0.1 with device number 259:1 */
void make_fsdax(struct machine *m, const char *label);

/* "", or the sentence that lacks a word: for EXPECT_STREQ("", ...), which shows it */
const char *lacks(const char *why, const char *word);

#endif /* UNIT_MACHINE_H */
