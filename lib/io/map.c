// SPDX-License-Identifier: GPL-2.0
/*
 * By a mapping: loads and stores, or the mapping as the buffer of other I/O.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/io/internal.h"

static int how(const struct io_path *p)
{
	return p->method->variant == IO_PATH_MAP_SYNC ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED;
}

/* what the bytes come from and go to where the mapping is only their buffer */
static int open_other(struct io_path *p)
{
	switch (p->method->variant) {
	case IO_PATH_MAP_LENT:
		p->other = memfd_create("lent", MFD_CLOEXEC);
		break;
	case IO_PATH_MAP_LENT_DIRECT:
		p->other = open(p->beside.file, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
		break;
	case IO_PATH_MAP_LENT_BLOCK:
		if (!p->beside.device)
			return io_path_fail(p, -EOPNOTSUPP, "no block device to lend it to");
		p->other = open(p->beside.device, O_RDWR | O_DIRECT | O_CLOEXEC);
		break;
	default:
		return 0;
	}
	return p->other < 0 ? -errno : 0;
}

int io_path_map_open(struct io_path *p)
{
	struct daxmap *m = calloc(1, sizeof(*m));
	int ret;

	if (!m)
		return -ENOMEM;
	m->fd = -1;
	p->priv = m;
	ret = daxmap_open_as(m, p->node, p->size, 0, p->bytes, PROT_READ | PROT_WRITE, how(p));
	if (ret == -EOPNOTSUPP)
		return io_path_fail(p, ret, "MAP_SYNC is refused");
	return ret ?: open_other(p);
}

/* both are page aligned, and so is a copy of the bytes there */
static int lend(struct io_path *p, char *at, void *buf, size_t len)
{
	int ret = io_path_pwrite(p->other, 0, at, len);

	return ret ?: io_path_pread(p->other, 0, buf, len);
}

static int borrow(struct io_path *p, char *at, const void *buf, size_t len)
{
	int ret = io_path_pwrite(p->other, 0, buf, len);

	return ret ?: io_path_pread(p->other, 0, at, len);
}

int io_path_map_read(struct io_path *p, off_t off, void *buf, size_t len)
{
	struct daxmap *m = p->priv;
	char *at = (char *)m->addr + off;

	if ((size_t)off + len > m->len)
		return -ENODATA;
	if (p->other >= 0)
		return lend(p, at, buf, len);
	memcpy(buf, at, len);
	return 0;
}

int io_path_map_write(struct io_path *p, off_t off, const void *buf, size_t len)
{
	struct daxmap *m = p->priv;
	char *at = (char *)m->addr + off;

	if ((size_t)off + len > m->len)
		return -ENOSPC;
	if (p->other >= 0)
		return borrow(p, at, buf, len);
	memcpy(at, buf, len);
	return 0;
}

void io_path_map_close(struct io_path *p)
{
	if (p->priv)
		daxmap_close(p->priv);
	free(p->priv);
	p->priv = NULL;
}
