// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page of a DAX file is in a pipe, and the file is no longer mapped.  What frees
 * the file's blocks has to wait for the pipe; else the page becomes another file's.
 *
 * Usage: pinned-blocks-freed [-u] DIR    (of a file system mounted with dax)
 *        -u: the file is unlinked, not truncated
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES	4096
#define FILES	4096

static void cannot(const char *what)
{
	printf("cannot try: %s: %s\n", what, strerror(errno));
	exit(4);
}

/* has the child ended within so many tenths of a second? */
static int ended(pid_t pid, int tenths)
{
	int status;

	do {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return 1;
		usleep(100000);
	} while (tenths--);
	return 0;
}

/* small files of somebody else's until there is no room */
static void fill(const char *dir)
{
	static char other[256 * BYTES];
	char path[256];

	memset(other, 'B', sizeof(other));
	sync();
	for (int i = 0; i < FILES; i++) {
		int fd, full;

		snprintf(path, sizeof(path), "%s/other%d", dir, i);
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
		full = fd < 0 || write(fd, other, sizeof(other)) < BYTES;
		close(fd);
		if (full)
			break;
	}
}

int main(int argc, char **argv)
{
	int by_unlink = argc > 1 && !strcmp(argv[1], "-u");
	const char *dir = argc > 1 + by_unlink ? argv[1 + by_unlink] : ".";
	struct iovec iov = { .iov_len = BYTES };
	char path[256], buf[BYTES];
	int fd, fds[2], early;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/mine", dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, BYTES) || pipe(fds))
		cannot(path);
	iov.iov_base = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (iov.iov_base == MAP_FAILED)
		cannot("mmap");
	memset(iov.iov_base, 'A', BYTES);
	if (vmsplice(fds[1], &iov, 1, 0) != BYTES)
		cannot("vmsplice");
	munmap(iov.iov_base, BYTES);
	close(fd);

	pid = fork();
	if (!pid)
		_exit(by_unlink ? unlink(path) : truncate(path, 0));
	early = ended(pid, 10);
	printf("expected: %s waits for the page that is in the pipe\nseen: it %s\n",
	       by_unlink ? "unlink of the last name" : "truncate",
	       early ? "returned" : "waits");
	if (early)
		fill(dir);
	if (read(fds[0], buf, BYTES) != BYTES)
		cannot("draining the pipe");
	if (early)
		printf("expected: the pipe holds 'A', which the file held\n"
		       "seen: '%c'%s\n", buf[0],
		       buf[0] == 'B' ? ", which another file holds" : "");
	else
		ended(pid, 100);
	return early;
}
