// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two DAX files share 2 MiB (FICLONE), one of them has them mapped by one entry, and
 * a page in the middle is in a pipe.  A store through the mapping makes a copy; then
 * the pipe is drained, and all is given back.  Next files in these blocks have to go
 * when they are unlinked.
 *
 * Usage: split-under-pin DIR    (of an xfs with reflink, mounted with dax)
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	4096UL
#define PMD	(2UL << 20)
#define FILES	90

static const char *dir;

static void cannot(const char *what)
{
	printf("cannot try: %s: %s\n", what, strerror(errno));
	exit(4);
}

static char *path_of(const char *name, int nr)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s%d", dir, name, nr);
	return path;
}

static int open_in(const char *name, int nr)
{
	int fd = open(path_of(name, nr), O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		cannot(name);
	return fd;
}

static char *map(int fd)
{
	char *room = mmap(NULL, 2 * PMD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = (char *)(((uintptr_t)room + PMD - 1) / PMD * PMD);

	at = mmap(at, PMD, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (at == MAP_FAILED)
		cannot("mmap");
	return at;
}

static void next_file(int nr)
{
	int fd = open_in("new", nr);
	char *p;

	if (fallocate(fd, 0, 0, PMD))
		cannot("next files");
	p = map(fd);
	for (size_t off = 0; off < PMD; off += PAGE)
		p[off] = 'n';
	munmap(p, PMD);
	close(fd);
}

int main(int argc, char **argv)
{
	struct iovec iov = { .iov_len = PAGE };
	int fd, twin, fds[2], tenths = 100;
	char buf[PAGE], *p;
	pid_t pid;

	dir = argc > 1 ? argv[1] : ".";
	fd = open_in("one", 1);
	twin = open_in("two", 2);
	if (fallocate(fd, 0, 0, PMD) || pipe(fds))
		cannot("fallocate");
	p = map(fd);
	memset(p, 'o', PMD);
	if (ioctl(twin, FICLONE, fd))
		cannot("FICLONE");
	iov.iov_base = p + 100 * PAGE;
	if (vmsplice(fds[1], &iov, 1, 0) != PAGE)
		cannot("vmsplice");
	*p = 'c';
	if (read(fds[0], buf, PAGE) != PAGE)
		cannot("draining the pipe");
	munmap(p, PMD);

	pid = fork();
	if (!pid) {
		if (ftruncate(fd, 0) || ftruncate(twin, 0) || syncfs(fd))
			_exit(1);
		for (int nr = 0; nr < FILES; nr++)
			next_file(nr);
		for (int nr = 0; nr < FILES; nr++)
			unlink(path_of("new", nr));
		_exit(0);
	}
	while (tenths-- && waitpid(pid, NULL, WNOHANG) != pid)
		usleep(100000);
	printf("expected: the next files go when they are unlinked\nseen: %s\n",
	       tenths < 0 ? "they have not gone after 10 s" : "they went");
	return tenths < 0;
}
