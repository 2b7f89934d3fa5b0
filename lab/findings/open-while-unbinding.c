// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dax device that is unbound from device_dax is opened, and mapped.  One of the
 * two has to fail with ENXIO.  That open() is let through at all takes another
 * descriptor from before the unbind (as here), or the time between two steps of
 * the unbind.
 *
 * Where the rule is not kept, a process and all of unbind are lost until reboot:
 * in a throw-away machine only.
 *
 * Usage: open-while-unbinding daxX.Y
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int driver(const char *what, const char *dax)
{
	char path[64];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/sys/bus/dax/drivers/device_dax/%s", what);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, dax, strlen(dax)) < 0)
		ret = errno;
	close(fd);
	return ret;
}

static int open_and_map(const char *node)
{
	int fd = open(node, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	if (mmap(NULL, 1 << 30, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		return errno;
	return 0;
}

/* The errno a child ends with; -1 it was killed, -2 it never ended. */
static int end_of(pid_t pid, int seconds)
{
	int status;

	for (int i = 0; i < seconds * 10; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		usleep(100000);
	}
	return -2;
}

static const char *say(int end)
{
	if (end < 0)
		return end == -1 ? "killed by the kernel" : "never came back";
	return strerror(end);
}

int main(int argc, char **argv)
{
	char node[64];
	int old, end;
	pid_t pid;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc != 2) {
		fprintf(stderr, "usage: %s daxX.Y\n", argv[0]);
		return 4;
	}
	snprintf(node, sizeof(node), "/dev/%s", argv[1]);
	old = open(node, O_RDWR | O_CLOEXEC);
	if (old < 0 || driver("unbind", argv[1])) {
		printf("cannot try: open and unbind %s: %s\n", node, strerror(errno));
		return 4;
	}
	pid = fork();
	if (!pid)
		_exit(open_and_map(node));
	end = end_of(pid, 5);
	printf("expected: open and mmap of the unbound device: %s\n", strerror(ENXIO));
	printf("seen: %s\n", say(end));
	close(old);
	driver("bind", argv[1]);
	if (end == ENXIO)
		return 0;

	pid = fork();
	if (!pid)
		_exit(driver("unbind", argv[1]));
	end = end_of(pid, 15);
	printf("expected: the next unbind: Success\n");
	printf("seen: %s\n", say(end));
	return 1;
}
