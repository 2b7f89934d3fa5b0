// SPDX-License-Identifier: GPL-2.0-only
/*
 * A DAX file on xfs is mapped by a 2 MiB entry; one page of it is shared with another
 * file, and stored to, which gives the file a copy of that page.  Then it is removed.
 *
 * Usage: copy-of-large-entry [DIR]
 *   on an xfs with shared extents, mounted with DAX
 * Exit status: 0 it is gone, 1 whoever removes it dies, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_BYTES	(8ul << 20)
#define PAGE_BYTES	4096
#define LARGE_BYTES	(2ul << 20)

static int fail(const char *what)
{
	printf("cannot try: %s: %s\n", what, strerror(errno));
	return 4;
}

int main(int argc, char **argv)
{
	char *addr;
	int one, two, status;
	pid_t pid;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc > 1 && chdir(argv[1]))
		return fail(argv[1]);
	one = open("one", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	two = open("two", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (one < 0 || two < 0 || fallocate(one, 0, 0, FILE_BYTES))
		return fail("two files");
	/* the address has to fit the entry; more than that is not asked for */
	addr = mmap(NULL, FILE_BYTES + LARGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	addr += LARGE_BYTES - (unsigned long)addr % LARGE_BYTES;
	addr = mmap(addr, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, one, 0);
	if (addr == MAP_FAILED)
		return fail("mapping one");
	for (unsigned long off = 0; off < FILE_BYTES; off += LARGE_BYTES)
		addr[off] = 'o';
	for (off_t off = 0; off < (off_t)FILE_BYTES; off += LARGE_BYTES) {
		loff_t from = off, to = off;

		if (copy_file_range(one, &from, two, &to, PAGE_BYTES, 0) != PAGE_BYTES)
			return fail("sharing a page");
		addr[off] = 'n';
	}
	munmap(addr, FILE_BYTES);
	close(one);

	/* in a process of its own, which may not survive it */
	pid = fork();
	if (!pid)
		_exit(unlink("one") ? 4 : 0);
	waitpid(pid, &status, 0);
	printf("expected: the file is removed\n");
	printf("seen: %s\n", WIFEXITED(status) && !WEXITSTATUS(status) ? "it is" :
	       "whoever removes it is killed");
	return !WIFEXITED(status) || WEXITSTATUS(status);
}
