// SPDX-License-Identifier: GPL-2.0
/*
 * The table of ways in which bytes get into a file and out of it, and what is the
 * same for all of them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/io/internal.h"

#define FAMILY(family)			\
	.open = family##_open,		\
	.read = family##_read,		\
	.write = family##_write,	\
	.close = family##_close

#define BOTH	(IOPATH_READS | IOPATH_WRITES)

const struct iopath_method iopath_methods[] = {
	{
		.name = "mmap",
		.what = "loads and stores, mapped MAP_SHARED",
		.flags = BOTH | IOPATH_MAPS | IOPATH_DEVDAX,
		.variant = IOPATH_MAP_SHARED,
		FAMILY(iopath_map),
	}, {
		.name = "mmap_sync",
		.what = "loads and stores, mapped MAP_SYNC",
		.flags = BOTH | IOPATH_MAPS | IOPATH_DEVDAX,
		.variant = IOPATH_MAP_SYNC,
		FAMILY(iopath_map),
	}, {
		.name = "lent",
		.what = "the mapping is the buffer of buffered I/O to another file",
		.flags = BOTH | IOPATH_MAPS | IOPATH_DEVDAX,
		.variant = IOPATH_MAP_LENT,
		FAMILY(iopath_map),
	}, {
		.name = "lent_direct",
		.what = "the mapping is the buffer of O_DIRECT to a file of the same file system",
		.flags = BOTH | IOPATH_MAPS | IOPATH_ALIGNED | IOPATH_FILES,
		.variant = IOPATH_MAP_LENT_DIRECT,
		FAMILY(iopath_map),
	}, {
		.name = "lent_block",
		.what = "the mapping is the buffer of O_DIRECT to a block device",
		.flags = BOTH | IOPATH_MAPS | IOPATH_ALIGNED | IOPATH_DEVDAX,
		.variant = IOPATH_MAP_LENT_BLOCK,
		FAMILY(iopath_map),
	}, {
		.name = "buffered",
		.what = "pread() and pwrite()",
		.flags = BOTH,
		.variant = IOPATH_CALL_BUFFERED,
		FAMILY(iopath_call),
	}, {
		.name = "vectored",
		.what = "preadv2() and pwritev2(RWF_DSYNC) with three vectors",
		.flags = BOTH,
		.variant = IOPATH_CALL_VECTORED,
		FAMILY(iopath_call),
	}, {
		.name = "direct",
		.what = "pread() and pwrite(), O_DIRECT",
		.flags = BOTH | IOPATH_ALIGNED,
		.variant = IOPATH_CALL_DIRECT,
		FAMILY(iopath_call),
	}, {
		.name = "uring",
		.what = "io_uring, one request at a time",
		.flags = BOTH,
		.variant = IOPATH_URING_PLAIN,
		FAMILY(iopath_uring),
	}, {
		.name = "uring_deep",
		.what = "io_uring, up to 128 requests in flight",
		.flags = BOTH,
		.variant = IOPATH_URING_DEEP,
		FAMILY(iopath_uring),
	}, {
		.name = "uring_fixed",
		.what = "io_uring, a registered buffer and a registered file",
		.flags = BOTH,
		.variant = IOPATH_URING_FIXED,
		FAMILY(iopath_uring),
	}, {
		.name = "uring_direct",
		.what = "io_uring, O_DIRECT, up to 128 requests in flight",
		.flags = BOTH | IOPATH_ALIGNED,
		.variant = IOPATH_URING_DIRECT,
		FAMILY(iopath_uring),
	}, {
		.name = "splice",
		.what = "splice() by way of a pipe",
		.flags = BOTH,
		.variant = IOPATH_PASS_SPLICE,
		FAMILY(iopath_pass),
	}, {
		.name = "sendfile",
		.what = "sendfile() from or to a file in memory",
		.flags = BOTH,
		.variant = IOPATH_PASS_SENDFILE,
		FAMILY(iopath_pass),
	}, {
		.name = "copy_file_range",
		.what = "copy_file_range() from or to a file of the same file system",
		.flags = BOTH | IOPATH_FILES,
		.variant = IOPATH_PASS_COPY,
		FAMILY(iopath_pass),
	},
	{ 0 }
};

const struct iopath_method *iopath_find(const char *name)
{
	for (const struct iopath_method *m = iopath_methods; m->name; m++)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

int iopath_fail(struct iopath *p, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, args);
	va_end(args);
	return err;
}

int iopath_pread(int fd, off_t off, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, off + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		done += n;
	}
	return 0;
}

int iopath_pwrite(int fd, off_t off, const void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, (const char *)buf + done, len - done, off + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	return 0;
}

int iopath_open(struct iopath *p, const struct iopath_method *m, const char *node,
		const struct iopath_beside *beside, size_t bytes, enum daxmap_size size)
{
	int ret;

	memset(p, 0, sizeof(*p));
	p->method = m;
	p->node = node;
	if (beside)
		p->beside = *beside;
	p->bytes = bytes;
	p->size = size;
	p->unit = m->flags & IOPATH_ALIGNED ? (size_t)sysconf(_SC_PAGESIZE) : 1;
	p->fd = -1;
	p->other = -1;
	ret = m->open(p);
	if (ret)
		iopath_close(p);
	return ret;
}

int iopath_read(struct iopath *p, off_t off, void *buf, size_t len)
{
	if (off % p->unit || len % p->unit || len > IOPATH_MAX)
		return -EINVAL;
	return len ? p->method->read(p, off, buf, len) : 0;
}

int iopath_write(struct iopath *p, off_t off, const void *buf, size_t len)
{
	if (off % p->unit || len % p->unit || len > IOPATH_MAX)
		return -EINVAL;
	return len ? p->method->write(p, off, buf, len) : 0;
}

void iopath_close(struct iopath *p)
{
	if (p->method && p->method->close)
		p->method->close(p);
	p->method = NULL;
	if (p->fd >= 0)
		close(p->fd);
	if (p->other >= 0)
		close(p->other);
	p->fd = -1;
	p->other = -1;
}
