// SPDX-License-Identifier: GPL-2.0-only
/*
 * A store through a mapping goes to the last page of a file, behind the file's end.
 * Then the file grows: what it has gained has to read as zeroes.
 *
 * Usage: bytes-behind-the-end DIR    (of a file system mounted with dax)
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char path[256], c = 'x';
	int fd, bad;
	char *p;

	snprintf(path, sizeof(path), "%s/end", argc > 1 ? argv[1] : ".");
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, 4096) || pwrite(fd, &c, 1, 0) != 1 || ftruncate(fd, 512)) {
		printf("cannot try: %s: %s\n", path, strerror(errno));
		return 4;
	}
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		printf("cannot try: mmap: %s\n", strerror(errno));
		return 4;
	}
	p[1000] = c;
	munmap(p, 4096);
	if (ftruncate(fd, 4096) || pread(fd, &c, 1, 1000) != 1) {
		printf("cannot try: growing the file: %s\n", strerror(errno));
		return 4;
	}
	bad = c;
	printf("expected: byte 1000 of what was a file of 512 bytes is 0\nseen: %d\n", bad);
	return bad != 0;
}
