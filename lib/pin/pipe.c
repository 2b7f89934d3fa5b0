// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pipes that hold pages by reference.  The kernel takes plain references for them,
 * which the pin counters do not count.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/pin/internal.h"

int pin_pipe_open(int fds[2], size_t len)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int err;

	/*
	 * Closed by exec(): a pipe that another program still has open would keep
	 * the references after the pin has been closed.
	 */
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	/* one slot for each page touched, and a range may begin inside one */
	if (fcntl(fds[1], F_SETPIPE_SZ, len + 2 * page) < 0) {
		err = -errno;
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	return 0;
}

int pin_pipe_fill(int fd, const void *buf, size_t len)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	ssize_t n;

	while (iov.iov_len) {
		n = vmsplice(fd, &iov, 1, SPLICE_F_NONBLOCK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -E2BIG : -errno;
		iov.iov_base = (char *)iov.iov_base + n;
		iov.iov_len -= n;
	}
	return 0;
}

int pin_pipe_drain(int fd, void *buf, size_t len)
{
	ssize_t n;

	while (len) {
		n = read(fd, buf, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf = (char *)buf + n;
		len -= n;
	}
	return 0;
}
