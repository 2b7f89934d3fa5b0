// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mapping of a DAX file of two written pages and a hole is the buffer of O_DIRECT
 * writes to a disk.  First of both pages, then of the second and the hole: one page of
 * the device, one ordinary one, of zeroes.  All is written, and the kernel does not warn.
 *
 * Usage: mixed-pages-in-one-bio DIR    (of a file system mounted with dax)
 * Makes a null_blk device by configfs, which keeps nothing.
 * Exit status: 0 it is so, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES	4096
#define WARNED	(1ul << 9)	/* TAINT_WARN */
#define DISK	"/sys/kernel/config/nullb/finding"

static void cannot(const char *what)
{
	printf("cannot try: %s: %s\n", what, strerror(errno));
	exit(4);
}

static void set(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), DISK "/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		cannot(path);
	close(fd);
}

static int make_disk(void)
{
	char path[64], index[16] = "";
	int fd;

	if (mkdir(DISK, 0700))
		cannot(DISK);
	set("size", "64");
	set("power", "1");
	fd = open(DISK "/index", O_RDONLY);
	if (fd < 0 || read(fd, index, sizeof(index) - 1) < 1)
		cannot(DISK "/index");
	close(fd);
	snprintf(path, sizeof(path), "/dev/nullb%d", atoi(index));
	fd = open(path, O_WRONLY | O_DIRECT);
	/* newer kernels name it as the directory is named */
	if (fd < 0)
		fd = open("/dev/finding", O_WRONLY | O_DIRECT);
	if (fd < 0)
		cannot(path);
	return fd;
}

static bool warned(void)
{
	unsigned long taint = 0;
	FILE *f = fopen("/proc/sys/kernel/tainted", "r");

	if (!f || fscanf(f, "%lu", &taint) != 1)
		cannot("/proc/sys/kernel/tainted");
	fclose(f);
	return taint & WARNED;
}

int main(int argc, char **argv)
{
	char path[256], pages[2 * BYTES];
	int fd, disk;
	ssize_t n;
	char *p;

	setvbuf(stdout, NULL, _IONBF, 0);
	snprintf(path, sizeof(path), "%s/buffer", argc > 1 ? argv[1] : ".");
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	memset(pages, 'd', sizeof(pages));
	if (fd < 0 || write(fd, pages, 2 * BYTES) != 2 * BYTES || ftruncate(fd, 3 * BYTES))
		cannot(path);
	p = mmap(NULL, 3 * BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		cannot("mmap");
	disk = make_disk();
	n = write(disk, p, 2 * BYTES);
	if (n != 2 * BYTES || warned()) {
		printf("cannot try: it warns, or writes %zd, without a hole, too\n", n);
		return 4;
	}
	n = write(disk, p + BYTES, 2 * BYTES);
	printf("expected: write() of %d bytes writes them all, and no warning\n", 2 * BYTES);
	if (n < 0)
		printf("seen: %s%s\n", strerror(errno), warned() ? ", and a warning" : "");
	else
		printf("seen: it wrote %zd%s\n", n, warned() ? ", and a warning" : "");
	return n != 2 * BYTES || warned();
}
