// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page of a DAX file is in a pipe, and the file is truncated: that has to wait
 * for the pipe, and for nothing else.  While it waits the mapping is touched once.
 * Then the pipe is drained: truncate has to return.
 *
 * Usage: refault-blocks-truncate DIR    (of a file system mounted with dax)
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

int main(int argc, char **argv)
{
	struct iovec iov = { .iov_len = BYTES };
	volatile char *p;
	char path[256], buf[BYTES];
	int fd, fds[2], touched, late;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/refault", argc > 1 ? argv[1] : ".");
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, BYTES) || pipe(fds))
		cannot(path);
	p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		cannot("mmap");
	*p = 1;
	iov.iov_base = (void *)p;
	if (vmsplice(fds[1], &iov, 1, 0) != BYTES)
		cannot("vmsplice");

	pid = fork();
	if (!pid)
		_exit(truncate(path, 0) ? 1 : 0);
	if (ended(pid, 10)) {
		printf("cannot try: truncate does not wait for the pipe\n");
		return 4;
	}
	touched = *p;
	if (read(fds[0], buf, BYTES) != BYTES)
		cannot("draining the pipe");
	late = !ended(pid, 100);
	printf("expected: truncate returns once the page is out of the pipe\n"
	       "seen: %s (the mapping was touched while it waited: %d)\n",
	       late ? "it still waits after 10 s" : "it returned", touched);
	if (late) {
		munmap((void *)p, BYTES);
		printf("after munmap(): %s\n", ended(pid, 20) ? "it returned" :
		       "it still waits");
		kill(pid, 9);
	}
	return late;
}
