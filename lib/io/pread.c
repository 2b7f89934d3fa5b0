// SPDX-License-Identifier: GPL-2.0-only
/* Plain system calls: buffered, with several vectors, and O_DIRECT. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/uio.h>

#include "lib/io/internal.h"

#define VECTORS		3

static int call_open(struct io_path *p)
{
	return io_path_open_node(p, 0);
}

static int call_open_direct(struct io_path *p)
{
	return io_path_open_node(p, O_DIRECT);
}

static int call_read(struct io_path *p, off_t off, void *buf, size_t len)
{
	return io_path_pread(p->fd, off, buf, len);
}

static int call_write(struct io_path *p, off_t off, const void *buf, size_t len)
{
	return io_path_pwrite(p->fd, off, buf, len);
}

/* divides a range into vectors of different lengths; returns how many */
static int vector_split(struct iovec iov[VECTORS], char *buf, size_t len)
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

static int vector_move(struct io_path *p, off_t off, char *buf, size_t len, bool write)
{
	struct iovec iov[VECTORS];

	for (size_t done = 0; done < len;) {
		int nr = vector_split(iov, buf + done, len - done);
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

static int vector_read(struct io_path *p, off_t off, void *buf, size_t len)
{
	return vector_move(p, off, buf, len, false);
}

static int vector_write(struct io_path *p, off_t off, const void *buf, size_t len)
{
	return vector_move(p, off, (char *)buf, len, true);
}

static const struct io_method call_methods[] = {
	{
		.name = "buffered",
		.what = "pread() and pwrite()",
		.on = ON_PMEM_WRITABLE,
		.flags = IO_SELF,
		.open = call_open,
		.read = call_read,
		.write = call_write,
	}, {
		.name = "vectored",
		.what = "preadv2() and pwritev2(RWF_DSYNC) with three vectors",
		.on = ON_PMEM_WRITABLE,
		.flags = IO_SELF,
		.open = call_open,
		.read = vector_read,
		.write = vector_write,
	}, {
		.name = "direct",
		.what = "pread() and pwrite(), O_DIRECT",
		.on = ON_PMEM_WRITABLE,
		.flags = IO_ALIGNED | IO_SELF,
		.open = call_open_direct,
		.read = call_read,
		.write = call_write,
	},
	{ }
};

REGISTER(io_methods, call_methods);
