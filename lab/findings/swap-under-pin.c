// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page of a DAX file on xfs is in a pipe, and the file's extents are swapped with
 * another file's, as xfs_fsr does it: that has to wait for the pipe.
 *
 * Usage: swap-under-pin DIR    (of an xfs mounted with dax)
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xfs/xfs.h>

#define BYTES	4096

static void cannot(const char *what)
{
	printf("cannot try: %s: %s\n", what, strerror(errno));
	exit(4);
}

/* a file of one page, mapped; *fd stays open */
static char *file(const char *dir, const char *name, char byte, int *fd)
{
	char path[256], *p;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	*fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (*fd < 0 || ftruncate(*fd, BYTES))
		cannot(path);
	p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (p == MAP_FAILED)
		cannot("mmap");
	memset(p, byte, BYTES);
	return p;
}

static int swap(int fd, int other)
{
	struct xfs_swapext swap = { .sx_fdtarget = fd, .sx_fdtmp = other, .sx_length = BYTES };
	struct xfs_fsop_bulkreq ask = { .icount = 1, .ubuffer = &swap.sx_stat };
	struct stat st;
	__u64 inode;

	fstat(fd, &st);
	inode = st.st_ino;
	ask.lastip = &inode;
	if (ioctl(fd, XFS_IOC_FSBULKSTAT_SINGLE, &ask) ||
	    ioctl(fd, XFS_IOC_SWAPEXT, &swap))
		cannot("XFS_IOC_SWAPEXT");
	return 0;
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : ".";
	struct iovec iov = { .iov_len = BYTES };
	int fd, other, fds[2], status = 0;
	char buf[BYTES], *p, *q;
	pid_t pid;

	p = file(dir, "mine", 'A', &fd);
	q = file(dir, "other", 'B', &other);
	iov.iov_base = p;
	if (pipe(fds) || vmsplice(fds[1], &iov, 1, 0) != BYTES)
		cannot("vmsplice");
	pid = fork();
	if (!pid)
		_exit(swap(fd, other));
	sleep(1);
	if (waitpid(pid, &status, WNOHANG) != pid) {
		printf("expected: the swap waits for the page that is in the pipe\n"
		       "seen: it waits\n");
		if (read(fds[0], buf, BYTES) != BYTES)
			cannot("draining the pipe");
		waitpid(pid, &status, 0);
		return 0;
	}
	if (status)
		return 4;
	/* the second file is somebody else's to write to */
	memset(q, 'C', BYTES);
	if (read(fds[0], buf, BYTES) != BYTES)
		cannot("draining the pipe");
	printf("expected: the swap waits for the page that is in the pipe\n"
	       "seen: it returned\n"
	       "expected: the pipe holds 'A', which the first file held and holds no more\n"
	       "seen: '%c'%s\n", buf[0],
	       buf[0] == 'C' ? ", which the second file holds now" : "");
	return 1;
}
