// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two DAX files share a block (FICLONE), a store through a mapping of one makes a
 * copy, and both files are truncated.  The next file is stored to in the same blocks:
 * the kernel must not take them for somebody's.
 *
 * Usage: copied-page-keeps-owner DIR    (of an xfs with reflink, mounted with dax)
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES	4096UL
#define FILES	1000
#define WARNED	(1UL << 9)	/* of /proc/sys/kernel/tainted */

static void cannot(const char *what)
{
	printf("cannot try: %s: %s\n", what, strerror(errno));
	exit(4);
}

static int open_in(const char *dir, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		cannot(path);
	return fd;
}

static void store(int fd)
{
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		cannot("mmap");
	*p = 's';
	munmap(p, BYTES);
}

static unsigned long warned(void)
{
	unsigned long bits = 0;
	FILE *f = fopen("/proc/sys/kernel/tainted", "re");

	if (!f || fscanf(f, "%lu", &bits) != 1)
		cannot("/proc/sys/kernel/tainted");
	fclose(f);
	return bits & WARNED;
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : ".";
	int fd = open_in(dir, "one"), twin = open_in(dir, "two");
	char buf[BYTES], name[16];

	memset(buf, 'o', BYTES);
	if (warned()) {
		printf("cannot try: the kernel has warned of something already\n");
		return 4;
	}
	if (write(fd, buf, BYTES) != (ssize_t)BYTES)
		cannot("write");
	if (ioctl(twin, FICLONE, fd))
		cannot("FICLONE");
	store(fd);
	if (ftruncate(fd, 0) || ftruncate(twin, 0) || syncfs(fd))
		cannot("truncate");
	for (int i = 0; i < FILES && !warned(); i++) {
		snprintf(name, sizeof(name), "new%d", i);
		fd = open_in(dir, name);
		if (ftruncate(fd, BYTES))
			cannot(name);
		store(fd);
		close(fd);
	}
	printf("expected: the kernel has nothing to say of the next files\nseen: %s\n",
	       warned() ? "it warns" : "nothing");
	return !!warned();
}
