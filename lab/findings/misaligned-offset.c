// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dax device is mapped at an aligned address, but at an offset inside of an entry.
 * That has to be refused, as an unaligned address is.
 *
 * Usage: misaligned-offset daxX.Y
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define PAGE	4096L

static size_t alignment(int fd)
{
	char path[64];
	struct stat st;
	size_t align;
	FILE *f;

	if (fd < 0 || fstat(fd, &st))
		return 0;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/align", major(st.st_rdev),
		 minor(st.st_rdev));
	f = fopen(path, "re");
	if (!f)
		return 2UL << 20;
	if (fscanf(f, "%zu", &align) != 1)
		align = 0;
	fclose(f);
	return align;
}

int main(int argc, char **argv)
{
	int fd = open(argc > 1 ? argv[1] : "dax0.0", O_RDWR | O_CLOEXEC);
	size_t align = alignment(fd);
	char *room, *p;

	if (align <= (size_t)PAGE) {
		printf("cannot try: no device that is aligned at more than a page\n");
		return 4;
	}
	room = mmap(NULL, 2 * align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
	p = (char *)(((uintptr_t)room + align - 1) / align * align);

	/* first as it should be: words that say where they are */
	p = mmap(p, align, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (p == MAP_FAILED) {
		printf("cannot try: mmap: %s\n", strerror(errno));
		return 4;
	}
	for (long off = 0; off < 4 * PAGE; off += PAGE)
		*(volatile long *)(p + off) = off;

	p = mmap(p, align, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, PAGE);
	printf("expected: mmap() of %zu bytes at offset %ld: %s\n", align, PAGE,
	       strerror(EINVAL));
	if (p == MAP_FAILED) {
		printf("seen: %s\n", strerror(errno));
		return errno != EINVAL;
	}
	printf("seen: success, ");
	fflush(stdout);
	printf("and the mapping begins with the device's offset %ld\n", *(volatile long *)p);
	return 1;
}
