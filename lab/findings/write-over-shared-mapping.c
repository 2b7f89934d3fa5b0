// SPDX-License-Identifier: GPL-2.0-only
/*
 * A block of a DAX file on xfs is shared with another file, and mapped.  write(2)
 * over it gives the file a block of its own.  Nothing is pinned; the kernel has
 * nothing to say of that.
 *
 * Usage: write-over-shared-mapping [DIR]
 *   on an xfs with shared extents, mounted with DAX
 * Exit status: 0 it says nothing, 1 it warns, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES	4096

static int fail(const char *what)
{
	printf("cannot try: %s: %s\n", what, strerror(errno));
	return 4;
}

static bool warned(int log, char *line, size_t len)
{
	bool seen = false;
	char record[1024];
	ssize_t n;

	while ((n = read(log, record, sizeof(record) - 1)) > 0) {
		char *text;

		record[n] = '\0';
		text = strstr(record, "WARNING:");
		if (!text || seen)
			continue;
		text[strcspn(text, "\n")] = '\0';
		snprintf(line, len, "%s", text);
		seen = true;
	}
	return seen;
}

int main(int argc, char **argv)
{
	char bytes[PAGE_BYTES], line[160] = "nothing", *addr;
	int one, two, log;
	bool bad;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc > 1 && chdir(argv[1]))
		return fail(argv[1]);
	one = open("one", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	two = open("two", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	memset(bytes, 'o', sizeof(bytes));
	if (one < 0 || two < 0 || write(one, bytes, sizeof(bytes)) != sizeof(bytes) ||
	    fsync(one) || ioctl(two, FICLONE, one))
		return fail("sharing a block");
	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log < 0 || lseek(log, 0, SEEK_END))
		return fail("/dev/kmsg");

	/* read only: an entry that is dirty is left alone */
	addr = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, one, 0);
	if (addr == MAP_FAILED || addr[0] != 'o')
		return fail("mapping it");
	memset(bytes, 'n', sizeof(bytes));
	if (pwrite(one, bytes, sizeof(bytes), 0) != sizeof(bytes))
		return fail("writing it");
	bad = warned(log, line, sizeof(line));
	printf("expected: the kernel says nothing, the mapping shows what was written\n");
	printf("seen: %s; the mapping shows '%c'\n", line, addr[0]);
	return bad || addr[0] != 'n';
}
