// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two DAX files share an extent (FICLONE).  One of them is mapped, and its page is
 * pinned to be read, here by process_vm_readv(): that has to end.
 *
 * Usage: shared-extent-pin-spins DIR    (of an xfs with reflink, mounted with dax)
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

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : ".";
	int fd = open_in(dir, "one"), twin = open_in(dir, "two");
	char buf[BYTES] = "bytes", line[128];
	struct iovec to = { buf, BYTES }, from = { NULL, BYTES };
	int status = 0, tenths = 50;
	pid_t pid;
	FILE *f;

	if (write(fd, buf, BYTES) != BYTES)
		cannot("write");
	if (ioctl(twin, FICLONE, fd))
		cannot("FICLONE");
	from.iov_base = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (from.iov_base == MAP_FAILED)
		cannot("mmap");

	pid = fork();
	if (!pid)
		_exit(process_vm_readv(getpid(), &to, 1, &from, 1, 0) != BYTES);
	while (!waitpid(pid, &status, WNOHANG) && tenths--)
		usleep(100000);
	printf("expected: process_vm_readv() of a shared page reads it\nseen: ");
	if (tenths >= 0) {
		printf("it %s\n", status ? "failed" : "did");
		return !!status;
	}
	printf("it has not returned after 5 s\n");
	snprintf(line, sizeof(line), "/proc/%d/stat", pid);
	f = fopen(line, "re");
	if (f && fgets(line, sizeof(line), f))
		printf("its state, and its ticks in user mode and in the kernel: %s\n", line);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	printf("SIGKILL ended it\n");
	return 1;
}
