// SPDX-License-Identifier: GPL-2.0-only
/* Through a mapping: loads and stores, or the mapping as the buffer of other I/O. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/io/internal.h"

enum { MAP_COPY, MAP_COPY_SYNC, USER_BUF, USER_BUF_DIRECT, USER_BUF_BLOCK };

/* the other end of the I/O whose buffer the mapping is */
static int map_open_scratch(struct io_path *p)
{
	switch (p->method->variant) {
	case USER_BUF:
		p->scratch_fd = memfd_create("scratch", MFD_CLOEXEC);
		return p->scratch_fd < 0 ? io_path_fail(p, -errno, "memfd_create()") : 0;
	case USER_BUF_DIRECT:
		return io_path_open_scratch_file(p, O_DIRECT);
	case USER_BUF_BLOCK:
		if (!p->scratch.device)
			return io_path_fail(p, -EOPNOTSUPP, "no block device for the other end");
		p->scratch_fd = open(p->scratch.device, O_RDWR | O_DIRECT | O_CLOEXEC);
		return p->scratch_fd < 0 ?
		       io_path_fail(p, -errno, "opening %s", p->scratch.device) : 0;
	default:
		return 0;
	}
}

static int map_path_open(struct io_path *p)
{
	int sync = p->method->variant == MAP_COPY_SYNC, ret;
	struct daxmap *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->fd = -1;
	p->priv = m;
	ret = daxmap_open_as(m, p->node, p->size, 0, p->bytes, PROT_READ | PROT_WRITE,
			     sync ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED);
	if (ret == -EOPNOTSUPP)
		return io_path_fail(p, ret, "MAP_SYNC is refused");
	if (ret)
		return io_path_fail(p, ret, "mapping %s", p->node);
	return map_open_scratch(p);
}

static int map_path_read(struct io_path *p, off_t off, void *buf, size_t len)
{
	const struct daxmap *m = p->priv;
	char *at = (char *)m->addr + off;
	int ret;

	if ((size_t)off + len > m->len)
		return -ENODATA;
	if (p->scratch_fd < 0) {
		memcpy(buf, at, len);
		return 0;
	}
	ret = io_path_pwrite(p->scratch_fd, 0, at, len);
	return ret ?: io_path_pread(p->scratch_fd, 0, buf, len);
}

static int map_path_write(struct io_path *p, off_t off, const void *buf, size_t len)
{
	const struct daxmap *m = p->priv;
	char *at = (char *)m->addr + off;
	int ret;

	if ((size_t)off + len > m->len)
		return -ENOSPC;
	if (p->scratch_fd < 0) {
		memcpy(at, buf, len);
		return 0;
	}
	ret = io_path_pwrite(p->scratch_fd, 0, buf, len);
	return ret ?: io_path_pread(p->scratch_fd, 0, at, len);
}

static void map_path_close(struct io_path *p)
{
	if (p->priv)
		daxmap_close(p->priv);
	free(p->priv);
	p->priv = NULL;
}

#define MAP_FUNCTIONS		\
	.open = map_path_open,	\
	.read = map_path_read,	\
	.write = map_path_write,	\
	.close = map_path_close

/* a mapping of a block device shows the page cache, which O_DIRECT bypasses */
#define ON_MAPPED	{ .all = MEM_WRITABLE, .none = MEM_BLOCK }

static const struct io_method map_methods[] = {
	{
		.name = "mmap",
		.what = "loads and stores, mapped MAP_SHARED",
		.on = ON_MAPPED,
		.flags = IO_MAPS,
		.variant = MAP_COPY,
		MAP_FUNCTIONS,
	}, {
		.name = "mmap_sync",
		.what = "loads and stores, mapped MAP_SYNC",
		.on = ON_MAPPED,
		.flags = IO_MAPS,
		.variant = MAP_COPY_SYNC,
		MAP_FUNCTIONS,
	}, {
		.name = "user_buf",
		.what = "the mapping is the buffer of buffered I/O to another file",
		.on = ON_MAPPED,
		.flags = IO_MAPS,
		.variant = USER_BUF,
		MAP_FUNCTIONS,
	}, {
		.name = "user_buf_direct",
		.what = "the mapping is the buffer of O_DIRECT to a file of the same file system",
		.on = ON_FILES,
		.flags = IO_MAPS | IO_ALIGNED | IO_COPIES,
		.variant = USER_BUF_DIRECT,
		MAP_FUNCTIONS,
	}, {
		.name = "user_buf_block",
		.what = "the mapping is the buffer of O_DIRECT to a block device",
		.on = ON_MAPPED,
		.flags = IO_MAPS | IO_ALIGNED | IO_PINS,
		.variant = USER_BUF_BLOCK,
		MAP_FUNCTIONS,
	},
	{ }
};

REGISTER(io_methods, map_methods);
