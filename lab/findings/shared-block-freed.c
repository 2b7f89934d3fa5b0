// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two DAX files share a block (FICLONE).  Its page is put into a pipe through the
 * mapping of one; a store through that mapping gives this file a copy.  Then the
 * other file, which nobody has mapped, is truncated: that frees the block, and has to
 * wait for the pipe.  If it does not, new files are written, and the pipe is looked at.
 *
 * Usage: shared-block-freed DIR    (of an xfs with reflink, mounted with dax)
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES	4096
#define FILES	1000

static void cannot(const char *what)
{
	printf("cannot try: %s: %s\n", what, strerror(errno));
	exit(4);
}

static int open_in(const char *dir, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		cannot(path);
	return fd;
}

/* has the child ended within three seconds? */
static int ended(pid_t pid)
{
	for (int tenths = 30; tenths; tenths--) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return 1;
		usleep(100000);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : ".";
	int fd = open_in(dir, "one"), twin = open_in(dir, "two"), fds[2];
	char buf[BYTES], next[BYTES], name[16];
	struct iovec iov = { .iov_len = BYTES };
	pid_t pid;
	char *p;

	memset(buf, 'o', BYTES);
	memset(next, 'N', BYTES);
	if (write(fd, buf, BYTES) != BYTES || pipe(fds))
		cannot("write");
	if (ioctl(twin, FICLONE, fd))
		cannot("FICLONE");
	p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		cannot("mmap");
	iov.iov_base = p;
	if (vmsplice(fds[1], &iov, 1, 0) != BYTES)
		cannot("vmsplice");
	*p = 'c';

	pid = fork();
	if (!pid)
		_exit(ftruncate(twin, 0) || syncfs(twin));
	printf("expected: truncate of the file that owns the block waits for the pipe\n");
	if (!ended(pid)) {
		printf("seen: it waits\n");
		kill(pid, SIGKILL);
		return 0;
	}
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "new%d", i);
		fd = open_in(dir, name);
		if (write(fd, next, BYTES) != BYTES)
			cannot("writing new files");
		close(fd);
	}
	if (read(fds[0], buf, BYTES) != BYTES)
		cannot("draining the pipe");
	printf("seen: it returned; after %d new files the pipe holds '%c', %s\n", FILES, buf[100],
	       buf[100] == 'N' ? "bytes of one of them" : "what was put into it");
	return 1;
}
