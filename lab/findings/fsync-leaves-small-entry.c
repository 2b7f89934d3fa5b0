// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page of a DAX file is mapped by a 2 MiB entry and, in another mapping, by one of
 * 4 KiB.  fsync() writes it back and has to make both read-only: a later store has to
 * take a fault, by which the next fsync() knows of it.
 *
 * Usage: fsync-leaves-small-entry DIR    (of a file system mounted with dax)
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
#include <sys/resource.h>
#include <unistd.h>

#define PMD	(2UL << 20)

/* faults that a store takes */
static long store(volatile char *p)
{
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	*p = 1;
	getrusage(RUSAGE_SELF, &after);
	return after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt;
}

static char *map(int fd, size_t apart)
{
	char *room = mmap(NULL, 3 * PMD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = (char *)(((uintptr_t)room + PMD - 1) / PMD * PMD) + apart;

	at = mmap(at, PMD, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

int main(int argc, char **argv)
{
	volatile char *large, *small;
	long by_large, by_small;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/fsync", argc > 1 ? argv[1] : ".");
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	large = fd < 0 || fallocate(fd, 0, 0, PMD) ? NULL : map(fd, 0);
	small = large ? map(fd, 4096) : NULL;
	if (!small) {
		printf("cannot try: %s: %s\n", path, strerror(errno));
		return 4;
	}
	/* what the first store costs besides */
	store(large);
	store(large);
	if (store(large + 8192)) {
		printf("cannot try: the file is not mapped by 2 MiB\n");
		return 4;
	}
	store(small + 4096);
	if (fsync(fd)) {
		printf("cannot try: fsync: %s\n", strerror(errno));
		return 4;
	}
	by_small = store(small + 4096);
	by_large = store(large + 4096);
	printf("expected: after fsync() a store takes 1 fault in each mapping\n"
	       "seen: %ld by the small entry, %ld by the large one\n", by_small, by_large);
	return by_small != 1 || by_large != 1;
}
