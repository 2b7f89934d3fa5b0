// SPDX-License-Identifier: GPL-2.0
/*
 * By plain system calls: buffered, with several vectors, and O_DIRECT.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/io/internal.h"

#define VECTORS		3

int io_path_call_open(struct io_path *p)
{
	int how = p->method->variant == IO_PATH_CALL_DIRECT ? O_DIRECT : 0;

	p->fd = open(p->node, O_RDWR | O_CLOEXEC | how);
	if (p->fd < 0 && errno == EINVAL && how)
		return io_path_fail(p, -EOPNOTSUPP, "O_DIRECT is refused");
	return p->fd < 0 ? -errno : 0;
}

/* what is left of a range, in vectors of different lengths; how many */
static int split(struct iovec iov[VECTORS], char *buf, size_t len)
{
	int nr = 0;

	for (size_t part = len / 3; nr < VECTORS - 1 && part; nr++) {
		iov[nr] = (struct iovec){ buf, part };
		buf += part;
		len -= part;
		part = len / 2;
	}
	iov[nr] = (struct iovec){ buf, len };
	return nr + 1;
}

static int vectored(struct io_path *p, off_t off, char *buf, size_t len, bool write)
{
	struct iovec iov[VECTORS];

	for (size_t done = 0; done < len;) {
		int nr = split(iov, buf + done, len - done);
		ssize_t n = write ? pwritev2(p->fd, iov, nr, off + done, RWF_DSYNC) :
				    preadv2(p->fd, iov, nr, off + done, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : write ? -EIO : -ENODATA;
		done += n;
	}
	return 0;
}

int io_path_call_read(struct io_path *p, off_t off, void *buf, size_t len)
{
	if (p->method->variant == IO_PATH_CALL_VECTORED)
		return vectored(p, off, buf, len, false);
	return io_path_pread(p->fd, off, buf, len);
}

int io_path_call_write(struct io_path *p, off_t off, const void *buf, size_t len)
{
	if (p->method->variant == IO_PATH_CALL_VECTORED)
		return vectored(p, off, (char *)buf, len, true);
	return io_path_pwrite(p->fd, off, buf, len);
}

void io_path_call_close(struct io_path *p)
{
	(void)p;
}
