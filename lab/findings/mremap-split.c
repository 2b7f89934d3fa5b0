// SPDX-License-Identifier: GPL-2.0-only
/*
 * A part of a 2 MiB entry of a dax device is moved by mremap().  That has to be
 * refused, as munmap() of a part is.
 *
 * Usage: mremap-split daxX.Y    (aligned at 2 MiB)
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PMD	(2UL << 20)

int main(int argc, char **argv)
{
	int fd = open(argc > 1 ? argv[1] : "dax0.0", O_RDWR | O_CLOEXEC);
	volatile char *p = mmap(NULL, 2 * PMD, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char line[256];
	void *q;
	FILE *f;

	if (p == MAP_FAILED || !munmap((void *)p, 4096)) {
		printf("cannot try: no device that maps by 2 MiB: %s\n", strerror(errno));
		return 4;
	}
	p[0] = 1;
	q = mremap((void *)p, 4096, 8192, MREMAP_MAYMOVE);
	printf("expected: mremap() of the first page of an entry: %s\nseen: %s\n",
	       strerror(EINVAL), q == MAP_FAILED ? strerror(errno) : "success; mapped are now");
	if (q == MAP_FAILED)
		return errno != EINVAL;
	f = fopen("/proc/self/maps", "re");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "/dax"))
			fputs(line, stdout);
	return 1;
}
