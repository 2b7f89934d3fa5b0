// SPDX-License-Identifier: GPL-2.0-only
/* Methods of making a write durable, and the log that they write. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/io/durability.h"
#include "lib/io/flush.h"
#include "lib/registry.h"

REGISTRY(durabilities, struct durability);

const struct durability *durability_next(const struct durability *d)
{
	return REGISTRY_NEXT(durabilities, d);
}

const struct durability *durability_find(const char *name)
{
	const struct durability *d;

	for_each_durability(d)
		if (!strcmp(d->name, name))
			return d;
	return NULL;
}

static int durable_flush(struct io_path *p, off_t off, size_t len)
{
	const struct daxmap *m = p->priv;

	flush_range((char *)m->addr + off, len);
	return 0;
}

static int durable_msync(struct io_path *p, off_t off, size_t len)
{
	const struct daxmap *m = p->priv;

	return msync((char *)m->addr + off, len, MS_SYNC) ? -errno : 0;
}

static int durable_fsync(struct io_path *p, off_t off, size_t len)
{
	return fsync(p->fd) ? -errno : 0;
}

static int durable_fdatasync(struct io_path *p, off_t off, size_t len)
{
	return fdatasync(p->fd) ? -errno : 0;
}

static const struct mem_select on_devdax = ON_DEVDAX;
static const struct mem_select on_files = ON_FILES;
static const struct mem_select on_files_and_blocks = ON_PMEM_WRITABLE;

static const struct durability durability_methods[] = {
	{
		.name = "mmap_flush",
		.what = "stores, written back by cache line",
		.path = "mmap",
		.flush = durable_flush,
		.unbind_on = &on_devdax,
	}, {
		.name = "mmap_sync_flush",
		.what = "the same, mapped MAP_SYNC",
		.path = "mmap_sync",
		.flush = durable_flush,
		.unbind_on = &on_files,
	}, {
		.name = "mmap_msync",
		.what = "stores and msync()",
		.path = "mmap",
		.flush = durable_msync,
		.unbind_on = &on_files,
	}, {
		.name = "buffered_fsync",
		.what = "pwrite() and fsync()",
		.path = "buffered",
		.flush = durable_fsync,
		.unbind_on = &on_files_and_blocks,
	}, {
		.name = "buffered_fdatasync",
		.what = "pwrite() and fdatasync()",
		.path = "buffered",
		.flush = durable_fdatasync,
	}, {
		.name = "vectored_dsync",
		.what = "pwritev2(RWF_DSYNC)",
		.path = "vectored",
		.unbind_on = &on_files,
	}, {
		.name = "direct_fsync",
		.what = "pwrite() with O_DIRECT, and fsync()",
		.path = "direct",
		.flush = durable_fsync,
		.unbind_on = &on_files_and_blocks,
	}, {
		.name = "uring_fsync",
		.what = "io_uring and fsync()",
		.path = "uring",
		.flush = durable_fsync,
	}, {
		.name = "mmap_nothing",
		.what = "control: stores, and nothing else",
		.path = "mmap",
	}, {
		.name = "buffered_nothing",
		.what = "control: pwrite(), and nothing else",
		.path = "buffered",
	},
	{ }
};

REGISTER(durabilities, durability_methods);

static bool is_char(const char *node)
{
	struct stat st;

	return !stat(node, &st) && S_ISCHR(st.st_mode);
}

static int write_zeroes(int fd)
{
	static const char zeroes[1 << 16];

	for (size_t at = 0; at < LOG_BYTES;) {
		size_t left = LOG_BYTES - at;
		ssize_t n = pwrite(fd, zeroes, left < sizeof(zeroes) ? left : sizeof(zeroes), at);

		if (!n)
			return -EIO;
		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? n : 0;
	}
	return fsync(fd) ? -errno : 0;
}

static int store_zeroes(const char *node)
{
	struct daxmap m;
	int ret = daxmap_open(&m, node, DAXMAP_PMD, 0, LOG_BYTES, PROT_READ | PROT_WRITE);

	if (ret)
		return ret;
	memset(m.addr, 0, LOG_BYTES);
	flush_range(m.addr, LOG_BYTES);
	daxmap_close(&m);
	return 0;
}

/*
 * A file that is mapped gets its blocks here: a store for which the file system has no
 * block left raises SIGBUS.  The blocks are unwritten, so that the first store to each
 * page still changes metadata.
 */
static int allocate_blocks(int fd)
{
	if (!fallocate(fd, 0, 0, LOG_BYTES))
		return 0;
	if (errno != EOPNOTSUPP)
		return -errno;
	return ftruncate(fd, LOG_BYTES) ? -errno : 0;
}

static int empty_file(int fd, bool mapped)
{
	int ret = ftruncate(fd, 0) ? -errno : 0;

	if (!ret && mapped)
		ret = allocate_blocks(fd);
	if (!ret && fsync(fd))
		ret = -errno;
	/* also makes the file's name durable */
	if (!ret)
		sync();
	return ret;
}

static bool writes_mapping(const struct durability *d)
{
	const struct io_method *m = io_method_find(d->path);

	return m && m->flags & IO_MAPS;
}

int durability_create(const struct durability *d, const char *node)
{
	struct stat st;
	int fd, ret;

	if (is_char(node))
		return store_zeroes(node);
	fd = open(node, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		ret = -errno;
	else
		ret = S_ISREG(st.st_mode) ? empty_file(fd, writes_mapping(d)) : write_zeroes(fd);
	close(fd);
	return ret;
}

static int open_path(struct io_path *p, const char *method, const char *node)
{
	const struct io_method *m = io_method_find(method);

	if (m)
		return io_path_open(p, m, node, NULL, LOG_BYTES,
				    is_char(node) ? DAXMAP_PMD : DAXMAP_PTE);
	*p = (struct io_path){ .fd = -1, .scratch_fd = -1 };
	snprintf(p->why, sizeof(p->why), "built without the I/O method %s", method);
	return -EOPNOTSUPP;
}

int durability_open(struct io_path *p, const struct durability *d, const char *node)
{
	return open_path(p, d->path, node);
}

int durability_open_read(struct io_path *p, const char *node)
{
	return open_path(p, is_char(node) ? "mmap" : "buffered", node);
}

int durability_write(struct io_path *p, const struct durability *d, void *slot, uint64_t seq)
{
	off_t off = (seq % RECORD_SLOTS) * RECORD_SLOT;
	int ret;

	record_make(slot, seq);
	ret = io_path_write(p, off, slot, RECORD_SLOT);
	return ret || !d->flush ? ret : d->flush(p, off, RECORD_SLOT);
}

int durability_check(struct io_path *p, void *slot, uint64_t seq)
{
	uint64_t seen = 0;
	int ret = io_path_read(p, (seq % RECORD_SLOTS) * RECORD_SLOT, slot, RECORD_SLOT);

	ret = ret ?: record_check(slot, &seen);
	return ret || seen == seq ? ret : -ESTALE;
}

const char *durability_strerror(int ret)
{
	switch (ret) {
	case -EILSEQ:
		return "torn";
	case -ESTALE:
		return "another one is there";
	case -ENODATA:
		return "lost";
	}
	return strerror(-ret);
}
