// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dax device is unbound from device_dax and bound again while a descriptor of
 * it is open.  Closing that descriptor must not take the device away from others.
 *
 * Usage: bind-under-open-descriptor [-e] daxX.Y
 *   -e  then evict the inode of the node as well: a kernel BUG, in a throw-away
 *       machine only
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void driver(const char *what, const char *dax)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/dax/drivers/device_dax/%s", what);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, dax, strlen(dax)) < 0) {
		printf("cannot try: %s of %s: %s\n", what, dax, strerror(errno));
		exit(4);
	}
	close(fd);
}

/* A node of our own: its inode is lost, not that of the device's usual node. */
static void make_node(const char *dax, char *dir, char *node, size_t len)
{
	unsigned int major, minor;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/dax/devices/%s/dev", dax);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%u:%u", &major, &minor) != 2 || !mkdtemp(dir)) {
		printf("cannot try: %s: %s\n", path, strerror(errno));
		exit(4);
	}
	fclose(f);
	snprintf(node, len, "%s/dax", dir);
	if (mknod(node, S_IFCHR | 0600, makedev(major, minor))) {
		printf("cannot try: mknod %s: %s\n", node, strerror(errno));
		exit(4);
	}
}

int main(int argc, char **argv)
{
	bool evict = argc == 3 && !strcmp(argv[1], "-e");
	char dir[] = "/dev/finding-XXXXXX";
	char node[sizeof(dir) + 8];
	int old, new, err;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc != 2 + evict) {
		fprintf(stderr, "usage: %s [-e] daxX.Y\n", argv[0]);
		return 4;
	}
	/* whatever was opened before is off the device's list of inodes */
	driver("unbind", argv[1 + evict]);
	driver("bind", argv[1 + evict]);
	make_node(argv[1 + evict], dir, node, sizeof(node));

	old = open(node, O_RDWR | O_CLOEXEC);
	if (old < 0) {
		printf("cannot try: open %s: %s\n", node, strerror(errno));
		return 4;
	}
	driver("unbind", argv[1 + evict]);
	driver("bind", argv[1 + evict]);
	close(old);
	new = open(node, O_RDWR | O_CLOEXEC);
	err = errno;

	printf("expected: the device opens after a descriptor from before is closed\n");
	printf("seen: open: %s\n", new < 0 ? strerror(err) : "Success");
	if (new >= 0) {
		close(new);
		unlink(node);
		rmdir(dir);
		return 0;
	}
	/* the next unbind puts the count below zero, which the log tells */
	driver("unbind", argv[1 + evict]);
	driver("bind", argv[1 + evict]);
	if (evict)
		unlink(node);
	return 1;
}
