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

#define BOTH	(IO_PATH_READS | IO_PATH_WRITES)

const struct io_method io_methods[] = {
	{
		.name = "mmap",
		.what = "loads and stores, mapped MAP_SHARED",
		.flags = BOTH | IO_PATH_MAPS | IO_PATH_DEVDAX,
		.variant = IO_PATH_MAP_SHARED,
		FAMILY(io_path_map),
	}, {
		.name = "mmap_sync",
		.what = "loads and stores, mapped MAP_SYNC",
		.flags = BOTH | IO_PATH_MAPS | IO_PATH_DEVDAX,
		.variant = IO_PATH_MAP_SYNC,
		FAMILY(io_path_map),
	}, {
		.name = "lent",
		.what = "the mapping is the buffer of buffered I/O to another file",
		.flags = BOTH | IO_PATH_MAPS | IO_PATH_DEVDAX,
		.variant = IO_PATH_MAP_LENT,
		FAMILY(io_path_map),
	}, {
		.name = "lent_direct",
		.what = "the mapping is the buffer of O_DIRECT to a file of the same file system",
		.flags = BOTH | IO_PATH_MAPS | IO_PATH_ALIGNED | IO_PATH_FILES,
		.variant = IO_PATH_MAP_LENT_DIRECT,
		FAMILY(io_path_map),
	}, {
		.name = "lent_block",
		.what = "the mapping is the buffer of O_DIRECT to a block device",
		.flags = BOTH | IO_PATH_MAPS | IO_PATH_ALIGNED | IO_PATH_DEVDAX,
		.variant = IO_PATH_MAP_LENT_BLOCK,
		FAMILY(io_path_map),
	}, {
		.name = "buffered",
		.what = "pread() and pwrite()",
		.flags = BOTH,
		.variant = IO_PATH_CALL_BUFFERED,
		FAMILY(io_path_call),
	}, {
		.name = "vectored",
		.what = "preadv2() and pwritev2(RWF_DSYNC) with three vectors",
		.flags = BOTH,
		.variant = IO_PATH_CALL_VECTORED,
		FAMILY(io_path_call),
	}, {
		.name = "direct",
		.what = "pread() and pwrite(), O_DIRECT",
		.flags = BOTH | IO_PATH_ALIGNED,
		.variant = IO_PATH_CALL_DIRECT,
		FAMILY(io_path_call),
	}, {
		.name = "uring",
		.what = "io_uring, one request at a time",
		.flags = BOTH,
		.variant = IO_PATH_URING_PLAIN,
		FAMILY(io_path_uring),
	}, {
		.name = "uring_deep",
		.what = "io_uring, up to 128 requests in flight",
		.flags = BOTH,
		.variant = IO_PATH_URING_DEEP,
		FAMILY(io_path_uring),
	}, {
		.name = "uring_fixed",
		.what = "io_uring, a registered buffer and a registered file",
		.flags = BOTH,
		.variant = IO_PATH_URING_FIXED,
		FAMILY(io_path_uring),
	}, {
		.name = "uring_direct",
		.what = "io_uring, O_DIRECT, up to 128 requests in flight",
		.flags = BOTH | IO_PATH_ALIGNED,
		.variant = IO_PATH_URING_DIRECT,
		FAMILY(io_path_uring),
	}, {
		.name = "splice",
		.what = "splice() by way of a pipe",
		.flags = BOTH,
		.variant = IO_PATH_PASS_SPLICE,
		FAMILY(io_path_pass),
	}, {
		.name = "sendfile",
		.what = "sendfile() from or to a file in memory",
		.flags = BOTH,
		.variant = IO_PATH_PASS_SENDFILE,
		FAMILY(io_path_pass),
	}, {
		.name = "copy_file_range",
		.what = "copy_file_range() from or to a file of the same file system",
		.flags = BOTH | IO_PATH_FILES,
		.variant = IO_PATH_PASS_COPY,
		FAMILY(io_path_pass),
	},
	{ 0 }
};

const struct io_method *io_method_find(const char *name)
{
	for (const struct io_method *m = io_methods; m->name; m++)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

int io_path_fail(struct io_path *p, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, args);
	va_end(args);
	return err;
}

int io_path_pread(int fd, off_t off, void *buf, size_t len)
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

int io_path_pwrite(int fd, off_t off, const void *buf, size_t len)
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

int io_path_open(struct io_path *p, const struct io_method *m, const char *node,
		 const struct io_scratch *beside, size_t bytes, enum daxmap_size size)
{
	int ret;

	memset(p, 0, sizeof(*p));
	p->method = m;
	p->node = node;
	if (beside)
		p->beside = *beside;
	p->bytes = bytes;
	p->size = size;
	p->unit = m->flags & IO_PATH_ALIGNED ? (size_t)sysconf(_SC_PAGESIZE) : 1;
	p->fd = -1;
	p->other = -1;
	ret = m->open(p);
	if (ret)
		io_path_close(p);
	return ret;
}

int io_path_read(struct io_path *p, off_t off, void *buf, size_t len)
{
	if (off % p->unit || len % p->unit || len > IO_PATH_MAX)
		return -EINVAL;
	return len ? p->method->read(p, off, buf, len) : 0;
}

int io_path_write(struct io_path *p, off_t off, const void *buf, size_t len)
{
	if (off % p->unit || len % p->unit || len > IO_PATH_MAX)
		return -EINVAL;
	return len ? p->method->write(p, off, buf, len) : 0;
}

void io_path_close(struct io_path *p)
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
