// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dax device is unbound from device_dax while one of its pages is pinned.  The
 * unbind has to wait until the pin is gone.
 *
 * Usage: unbind-returns-early [-u] [-r] daxX.Y
 *   -u  the pin is an io_uring fixed buffer; without, a page spliced to a pipe
 *   -r  release it raw, on the memory map that is gone: an oops, in a throw-away
 *       machine only; without, the driver is bound again first
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* any alignment divides it; what lies behind the end of the device is not touched */
#define MAP_BYTES	(1ul << 30)
#define PIN_BYTES	4096

static int ring, pipe_fd[2];

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

static bool pin(void *addr, bool uring)
{
	struct iovec iov = { .iov_base = addr, .iov_len = PIN_BYTES };
	struct io_uring_params params = { 0 };

	if (!uring)
		return !pipe2(pipe_fd, O_CLOEXEC) &&
		       vmsplice(pipe_fd[1], &iov, 1, 0) == PIN_BYTES;
	ring = syscall(SYS_io_uring_setup, 1, &params);
	return ring >= 0 &&
	       !syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &iov, 1);
}

static void unpin(bool uring)
{
	char bytes[PIN_BYTES];

	if (uring) {
		syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
		return;
	}
	if (read(pipe_fd[0], bytes, PIN_BYTES) != PIN_BYTES || bytes[0] != 'x')
		printf("the pipe does not give the device's bytes\n");
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

int main(int argc, char **argv)
{
	bool uring = false, raw = false, early;
	char node[64], *addr;
	int opt, fd, status;
	pid_t pid;

	setvbuf(stdout, NULL, _IONBF, 0);
	while ((opt = getopt(argc, argv, "ur")) != -1) {
		uring |= opt == 'u';
		raw |= opt == 'r';
	}
	if (optind != argc - 1) {
		fprintf(stderr, "usage: %s [-u] [-r] daxX.Y\n", argv[0]);
		return 4;
	}
	snprintf(node, sizeof(node), "/dev/%s", argv[optind]);
	fd = open(node, O_RDWR | O_CLOEXEC);
	addr = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (addr == MAP_FAILED) {
		printf("cannot try: map %s: %s\n", node, strerror(errno));
		return 4;
	}
	memset(addr, 'x', PIN_BYTES);
	if (!pin(addr, uring)) {
		printf("cannot try: %s: %s\n", uring ? "io_uring fixed buffer" : "vmsplice",
		       strerror(errno));
		return 4;
	}
	/* nothing but the pin is left of the device */
	munmap(addr, MAP_BYTES);
	close(fd);

	/* in a process of its own: it must wait for this one */
	pid = fork();
	if (!pid)
		_exit(driver("unbind", argv[optind]));
	for (int i = 0; i < 20 && waitpid(pid, &status, WNOHANG) != pid; i++)
		usleep(100000);
	early = kill(pid, 0);
	printf("expected: unbind waits while a page is pinned\n");
	printf("seen: unbind %s with the page pinned\n", early ? "returned" : "waits");

	if (early && !raw)
		driver("bind", argv[optind]);
	unpin(uring);
	if (!early) {
		waitpid(pid, &status, 0);
		driver("bind", argv[optind]);
		return 0;
	}
	/* one more round, and the page's reference count is what it was */
	if (!raw)
		driver("unbind", argv[optind]);
	driver("bind", argv[optind]);
	return 1;
}
