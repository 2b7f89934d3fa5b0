// SPDX-License-Identifier: GPL-2.0-only
/*
 * A DAX file is the buffer of an O_DIRECT write to a slow disk, and is truncated
 * meanwhile: that waits for the I/O.  When the I/O is over truncate has to return.
 *
 * Usage: bio-release-wakes-nobody DIR    (of a file system mounted with dax)
 * Makes a null_blk device by configfs.
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES	4096
#define DISK	"/sys/kernel/config/nullb/finding"

static void cannot(const char *what)
{
	printf("cannot try: %s: %s\n", what, strerror(errno));
	exit(4);
}

static void set(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), DISK "/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		cannot(path);
	close(fd);
}

/* a disk that completes each request after three seconds */
static int slow_disk(void)
{
	char path[64], index[16] = "";
	int fd;

	if (mkdir(DISK, 0700))
		cannot(DISK);
	set("irqmode", "2");
	set("completion_nsec", "3000000000");
	set("size", "64");
	set("power", "1");
	fd = open(DISK "/index", O_RDONLY);
	if (fd < 0 || read(fd, index, sizeof(index) - 1) < 1)
		cannot(DISK "/index");
	close(fd);
	snprintf(path, sizeof(path), "/dev/nullb%d", atoi(index));
	fd = open(path, O_WRONLY | O_DIRECT);
	/* newer kernels name it as the directory is named */
	if (fd < 0)
		fd = open("/dev/finding", O_WRONLY | O_DIRECT);
	if (fd < 0)
		cannot(path);
	return fd;
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
	int disk = slow_disk(), fd, late;
	pid_t writer, truncator;
	char path[256];
	char *p;

	snprintf(path, sizeof(path), "%s/buffer", argc > 1 ? argv[1] : ".");
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, BYTES))
		cannot(path);
	p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		cannot("mmap");
	*p = 1;
	writer = fork();
	if (!writer)
		_exit(write(disk, p, BYTES) != BYTES);
	usleep(500000);
	truncator = fork();
	if (!truncator)
		_exit(truncate(path, 0));
	if (ended(truncator, 10) || ended(writer, 0)) {
		printf("cannot try: truncate does not wait for the write\n");
		return 4;
	}
	if (!ended(writer, 100))
		cannot("the end of the write");
	late = !ended(truncator, 100);
	printf("expected: truncate returns once the write is over\nseen: %s\n",
	       late ? "it still waits after 10 s" : "it returned");
	kill(truncator, SIGKILL);
	return late;
}
