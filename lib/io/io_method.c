// SPDX-License-Identifier: GPL-2.0-only
/* I/O methods: finding one, and the steps that are the same for all of them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/io/internal.h"

const struct io_method *io_method_next(const struct io_method *m)
{
	return REGISTRY_NEXT(io_methods, m);
}

const struct io_method *io_method_find(const char *name)
{
	const struct io_method *m;

	for_each_io_method(m)
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

int io_path_open_node(struct io_path *p, int flags)
{
	p->fd = open(p->node, O_RDWR | O_CLOEXEC | flags);
	if (p->fd >= 0)
		return 0;
	if (errno == EINVAL && flags & O_DIRECT)
		return io_path_fail(p, -EOPNOTSUPP, "O_DIRECT is refused");
	return io_path_fail(p, -errno, "opening %s", p->node);
}

int io_path_open_scratch_file(struct io_path *p, int flags)
{
	if (!p->scratch.file)
		return io_path_fail(p, -EOPNOTSUPP, "no second file on the file system");
	p->scratch_fd = open(p->scratch.file, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
	if (p->scratch_fd >= 0)
		return 0;
	if (errno == EINVAL && flags & O_DIRECT)
		return io_path_fail(p, -EOPNOTSUPP, "O_DIRECT is refused");
	return io_path_fail(p, -errno, "opening %s", p->scratch.file);
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
		 const struct io_scratch *scratch, size_t bytes, enum daxmap_size size)
{
	int ret;

	memset(p, 0, sizeof(*p));
	p->method = m;
	p->node = node;
	if (scratch)
		p->scratch = *scratch;
	p->bytes = bytes;
	p->size = size;
	p->unit = m->flags & IO_ALIGNED ? (size_t)sysconf(_SC_PAGESIZE) : 1;
	p->fd = -1;
	p->scratch_fd = -1;
	if (m->lacks)
		return io_path_fail(p, -EOPNOTSUPP, "%s", m->lacks);
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
	if (p->scratch_fd >= 0)
		close(p->scratch_fd);
	p->fd = -1;
	p->scratch_fd = -1;
}
