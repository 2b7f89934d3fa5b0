// SPDX-License-Identifier: GPL-2.0-only
/*
 * An fake machine: files and links where a kernel has its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "machine.h"

/* the device number of every fake dax device is 252:0 */
static int fake_node(const char *path, struct stat *st)
{
	const char *name = strrchr(path, '/') + 1;

	memset(st, 0, sizeof(*st));
	if (access(path, F_OK))
		return -errno;
	st->st_mode = strncmp(name, "pmem", 4) ? S_IFCHR : S_IFBLK;
	st->st_rdev = strcmp(name, "dax0.9") ? makedev(252, 0) : makedev(1, 1);
	return 0;
}

static void make_parents(char *path)
{
	char *slash;

	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0755);
		*slash = '/';
	}
}

void put(const char *top, const char *name, const char *text)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	make_parents(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

void put_link(const char *top, const char *name, const char *target)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	make_parents(path);
	unlink(path);
	if (symlink(target, path))
		abort();
}

void put_dir(const char *top, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/", top, name);
	make_parents(path);
}

void nd_attr(struct machine *m, const char *device, const char *file, const char *text)
{
	char name[256], target[128], line[128];

	snprintf(name, sizeof(name), "devices/ndbus0/region0/%s/%s", device, file);
	snprintf(line, sizeof(line), "%s\n", text);
	put(m->sys, name, line);
	snprintf(name, sizeof(name), "bus/nd/devices/%s", device);
	snprintf(target, sizeof(target), "../../../devices/ndbus0/region0/%s", device);
	put_link(m->sys, name, target);
}

void make_namespace(struct machine *m, const char *name, const char *label,
		    const char *mode, const char *holder)
{
	nd_attr(m, name, "alt_name", label);
	nd_attr(m, name, "size", "67108864");
	nd_attr(m, name, "mode", mode);
	nd_attr(m, name, "holder", holder);
	nd_attr(m, name, "claim_class", strncmp(holder, "dax", 3) ? "pfn" : "dax");
	nd_attr(m, name, "resource", "0x100000000");
	nd_attr(m, name, "uuid", "01234567-89ab-4cde-8f01-23456789abcd");
}

void make_dax(struct machine *m, int n, const char *label)
{
	char ndns[32], dax[32], path[256], target[128];

	snprintf(ndns, sizeof(ndns), "namespace0.%d", n);
	snprintf(dax, sizeof(dax), "dax0.%d", n);
	make_namespace(m, ndns, label, "dax", dax);
	nd_attr(m, dax, "namespace", ndns);
	nd_attr(m, dax, "mode", "ram");
	nd_attr(m, dax, "align", "2097152");
	nd_attr(m, dax, "uuid", "fedcba98-7654-4321-8fed-cba987654321");
	snprintf(path, sizeof(path), "devices/ndbus0/region0/%s/%s/size", dax, dax);
	put(m->sys, path, "65011712\n");
	snprintf(path, sizeof(path), "devices/ndbus0/region0/%s/%s/align", dax, dax);
	put(m->sys, path, "2097152\n");
	snprintf(path, sizeof(path), "devices/ndbus0/region0/%s/%s/dev", dax, dax);
	put(m->sys, path, "252:0\n");
	snprintf(path, sizeof(path), "devices/ndbus0/region0/%s/%s/driver", dax, dax);
	put_link(m->sys, path, "../../../../../bus/dax/drivers/device_dax");
	snprintf(path, sizeof(path), "bus/dax/devices/%s", dax);
	snprintf(target, sizeof(target), "../../../devices/ndbus0/region0/%s/%s", dax, dax);
	put_link(m->sys, path, target);
	put(m->dev, dax, "");
}

void make_fsdax(struct machine *m, const char *label)
{
	make_namespace(m, "namespace0.1", label, "memory", "pfn0.1");
	nd_attr(m, "pfn0.1", "align", "2097152");
	nd_attr(m, "pfn0.1", "mode", "pmem");
	nd_attr(m, "pfn0.1", "uuid", "fedcba98-7654-4321-8fed-cba987654321");
	put(m->sys, "devices/ndbus0/region0/pfn0.1/block/pmem0.1/dev", "259:1\n");
	put_dir(m->sys, "devices/ndbus0/region0/pfn0.1/block/pmem0.1/holders");
	put_link(m->sys, "class/block/pmem0.1",
		 "../../devices/ndbus0/region0/pfn0.1/block/pmem0.1");
	put(m->dev, "pmem0.1", "");
	put(m->proc, "self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
}

void make_machine(struct machine *m)
{
	snprintf(m->top, sizeof(m->top), "/tmp/machine.XXXXXX");
	if (!mkdtemp(m->top))
		abort();
	snprintf(m->sys, sizeof(m->sys), "%s/sys", m->top);
	snprintf(m->proc, sizeof(m->proc), "%s/proc", m->top);
	snprintf(m->dev, sizeof(m->dev), "%s/dev", m->top);
	put_dir(m->top, "sys/bus/nd/devices");
	put_dir(m->top, "sys/bus/dax/devices");
	put_dir(m->top, "proc");
	put_dir(m->top, "dev");
	put(m->sys, "devices/ndbus0/provider", "ACPI.NFIT\n");
	nd_attr(m, "region0", "read_only", "0");
	put(m->sys, "devices/ndbus0/region0/read_only", "0\n");
	put_link(m->sys, "bus/nd/devices/region0", "../../../devices/ndbus0/region0");
	m->env.sys = m->sys;
	m->env.proc = m->proc;
	m->env.dev = m->dev;
	m->env.node = fake_node;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void remove_tree(const char *path)
{
	nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *lacks(const char *why, const char *word)
{
	return strstr(why, word) ? "" : why;
}
