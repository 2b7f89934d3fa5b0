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

int iopath_call_open(struct iopath *p)
{
	int how = p->method->variant == IOPATH_CALL_DIRECT ? O_DIRECT : 0;

	p->fd = open(p->node, O_RDWR | O_CLOEXEC | how);
	if (p->fd < 0 && errno == EINVAL && how)
		return iopath_fail(p, -EOPNOTSUPP, "O_DIRECT is refused");
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

static int vectored(struct iopath *p, off_t off, char *buf, size_t len, bool write)
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

int iopath_call_read(struct iopath *p, off_t off, void *buf, size_t len)
{
	if (p->method->variant == IOPATH_CALL_VECTORED)
		return vectored(p, off, buf, len, false);
	return iopath_pread(p->fd, off, buf, len);
}

int iopath_call_write(struct iopath *p, off_t off, const void *buf, size_t len)
{
	if (p->method->variant == IOPATH_CALL_VECTORED)
		return vectored(p, off, (char *)buf, len, true);
	return iopath_pwrite(p->fd, off, buf, len);
}

void iopath_call_close(struct iopath *p)
{
	(void)p;
}
