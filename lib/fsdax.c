// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/fsdax.h"
#include "lib/ns/internal.h"

/* what old headers lack; statx(2), Linux 5.8 */
#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX	0x00200000
#endif

/* libblkid's signatures are within the first 64 KiB. */
#define SIGNATURE_BYTES	(64u << 10)

/* blocks of a pmd entry: what files are laid out in, to be mappable by it */
#define EXTENT_BYTES	daxmap_bytes(DAXMAP_PMD)

/* A file of a cell has one or a few. */
#define MANY_EXTENTS	64

/*
 * The kernel drops a file some time after its last user closed it: io_uring's rings end
 * in a work item (5.10, io_ring_exit_work()), and no event says when.
 */
#define LATE_NS		2000000000ULL
#define LATE_NAP_NS	2000000L

static void block_path(const struct fsdax *f, char *path, size_t len)
{
	snprintf(path, len, "/dev/%s", f->ns.block);
}

int fsdax_mount(struct fsdax *f)
{
	static const char *const options[] = { "dax=always", "dax" };
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME;
	char dev[64];
	int ret = -EINVAL;

	if (f->mounted)
		return 0;
	block_path(f, dev, sizeof(dev));
	/* before 5.8 it was one word */
	for (size_t i = 0; i < 2 && ret == -EINVAL; i++)
		ret = mount(dev, f->dir, f->type->name, flags, options[i]) ? -errno : 0;
	if (ret)
		return ret;
	f->mounted = true;
	return 0;
}

static int make_dir(struct fsdax *f)
{
	const char *tmp = getenv("TMPDIR");
	int n;

	if (f->dir[0])
		return 0;
	if (!tmp || tmp[0] != '/')
		tmp = "/tmp";
	n = snprintf(f->dir, sizeof(f->dir), "%s/ksft-dax-XXXXXX", tmp);
	if (n >= (int)sizeof(f->dir) || !mkdtemp(f->dir)) {
		f->dir[0] = '\0';
		return n >= (int)sizeof(f->dir) ? -ENAMETOOLONG : -errno;
	}
	return 0;
}

static int make_and_mount(struct fsdax *f, char *why, size_t len)
{
	char dev[64], said[256];
	int ret;

	block_path(f, dev, sizeof(dev));
	f->made = true;
	ret = f->type->make(f, dev, said, sizeof(said));
	/* without its program it is not supported here */
	if (ret)
		return ns_say(ret == -ENOENT ? -EOPNOTSUPP : ret, why, len, "%s", said);
	ret = fsdax_mount(f);
	if (!ret)
		return 0;
	/* neither is a file system that the kernel does not have */
	return ns_say(ret == -ENODEV ? -EOPNOTSUPP : ret, why, len,
		      "%s on %s cannot be mounted with DAX: %s", f->type->name, f->ns.block,
		      strerror(-ret));
}

int fsdax_make(struct fsdax *f, const struct fsdax_type *type, const struct test_ns *ns,
	       char *why, size_t len)
{
	int ret;

	memset(f, 0, sizeof(*f));
	f->ns = *ns;
	f->type = type;
	ret = make_dir(f);
	if (ret)
		return ns_say(ret, why, len, "no private directory to mount on: %s",
			      strerror(-ret));
	do
		ret = make_and_mount(f, why, len);
	while (ret == -EINVAL && f->attempt++ < type->fallbacks);
	if (ret || !type->prepare)
		return ret;
	ret = type->prepare(f);
	if (ret)
		ns_say(ret, why, len, "preparing %s on %s: %s", type->name, f->dir,
		       strerror(-ret));
	return ret;
}

int fsdax_umount(const char *dir)
{
	struct timespec nap = { .tv_nsec = LATE_NAP_NS };
	int ret;

	for (uint64_t waited = 0;; waited += LATE_NAP_NS) {
		ret = umount2(dir, UMOUNT_NOFOLLOW) ? -errno : 0;
		if (ret != -EBUSY || waited >= LATE_NS)
			return ret;
		nanosleep(&nap, NULL);
	}
}

int fsdax_unmount(struct fsdax *f)
{
	int ret;
	int fd;

	if (!f->mounted)
		return 0;
	/* the process that froze it may have been killed */
	fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		ioctl(fd, FITHAW, 0);
		close(fd);
	}
	ret = fsdax_umount(f->dir);
	/* EINVAL: it was unmounted by other means */
	if (ret && ret != -EINVAL)
		return ret;
	f->mounted = false;
	return 0;
}

static int erase_signature(const struct fsdax *f)
{
	static const char zeroes[SIGNATURE_BYTES];
	char dev[64];
	int fd, ret = 0;
	ssize_t n;

	block_path(f, dev, sizeof(dev));
	fd = open(dev, O_WRONLY | O_EXCL | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = pwrite(fd, zeroes, sizeof(zeroes), 0);
	if (n < 0 || fsync(fd))
		ret = -errno;
	else if (n != sizeof(zeroes))
		ret = -EIO;
	close(fd);
	return ret;
}

int fsdax_drop(struct fsdax *f)
{
	int ret;

	if (!f->type)
		return 0;
	ret = fsdax_unmount(f);
	if (ret)
		return ret;
	if (f->dir[0] && rmdir(f->dir))
		ret = -errno;
	f->dir[0] = '\0';
	if (f->made) {
		int err = erase_signature(f);

		/* the namespace may be gone, and its file system with it */
		if (err && err != -ENOENT)
			ret = ret ?: err;
	}
	memset(f, 0, sizeof(*f));
	return ret;
}

int fsdax_check(const struct fsdax *f, char *why, size_t len)
{
	const char *argv[8];
	char dev[64];
	int n = 0, status = 0, ret;

	block_path(f, dev, sizeof(dev));
	for (; f->type->check[n]; n++)
		argv[n] = f->type->check[n];
	argv[n++] = dev;
	argv[n] = NULL;
	ret = command_run(argv, &status, why, len);
	if (ret)
		return ret;
	return status ? -EUCLEAN : 0;
}

int fsdax_empty(const struct fsdax *f)
{
	struct dirent *entry;
	int ret = 0;
	DIR *dir = opendir(f->dir);

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_type == DT_DIR)
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0))
			ret = ret ?: -errno;
	}
	closedir(dir);
	return ret;
}

int fsdax_is_dax(int fd)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, 0, &stx))
		return -errno;
	if ((stx.stx_attributes_mask & STATX_ATTR_DAX) &&
	    !(stx.stx_attributes & STATX_ATTR_DAX))
		return -EOPNOTSUPP;
	return 0;
}

/* ext4 puts a request of one stripe on a stripe's boundary, a larger one anywhere */
static int allocate(int fd, off_t off, off_t len)
{
	for (off_t step; len > 0; off += step, len -= step) {
		step = len < (off_t)EXTENT_BYTES ? len : (off_t)EXTENT_BYTES;
		if (fallocate(fd, 0, off, step))
			return -errno;
	}
	return 0;
}

/* can each entry of a pmd be mapped as one?  1 or 0, or -errno */
static int pmd_aligned(int fd)
{
	struct fsdax_extent *e = calloc(MANY_EXTENTS, sizeof(*e));
	int n = e ? fsdax_extents(fd, e, MANY_EXTENTS) : -ENOMEM;
	int ret = n < 0 ? n : 1;

	for (int i = 0; i < n && ret; i++) {
		const struct fsdax_extent *x = &e[i];
		uint64_t end = x->logical + x->len;

		ret = (x->physical - x->logical) % EXTENT_BYTES == 0;
		/* two extents meet inside an entry: then side by side */
		if (i + 1 < n && end % EXTENT_BYTES)
			ret = ret && e[i + 1].physical == x->physical + x->len;
	}
	free(e);
	return ret;
}

int fsdax_allocate(int fd, off_t off, off_t len)
{
	int ret = allocate(fd, off, len);

	if (!ret && pmd_aligned(fd) == 1)
		return 0;
	/* blocks that other files freed can be used again once the log is written */
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len) || syncfs(fd))
		return -errno;
	ret = allocate(fd, off, len);
	ret = ret ?: pmd_aligned(fd);
	if (ret == 1)
		return 0;
	return ret ?: -EXDEV;
}

int fsdax_file(const struct fsdax *f, const char *name, size_t bytes, char *path,
	       size_t path_len, char *why, size_t len)
{
	int n = snprintf(path, path_len, "%s/%s", f->dir, name);
	int fd, ret;

	if (n < 0 || (size_t)n >= path_len)
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return ns_say(-errno, why, len, "%s cannot be made: %s", path,
			      strerror(errno));
	ret = fsdax_is_dax(fd);
	if (ret)
		ns_say(ret, why, len, "%s: files of this %s are not DAX", path, f->type->name);
	if (!ret && bytes && fallocate(fd, 0, 0, bytes))
		ret = ns_say(-errno, why, len, "%s: no room for %zu bytes: %s", path,
			     bytes, strerror(errno));
	close(fd);
	return ret;
}

int fsdax_extents(int fd, struct fsdax_extent *e, unsigned int max)
{
	size_t bytes = sizeof(struct fiemap) + max * sizeof(struct fiemap_extent);
	struct fiemap *map = calloc(1, bytes);
	int ret;

	if (!map)
		return -ENOMEM;
	map->fm_length = FIEMAP_MAX_OFFSET;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = max;
	ret = ioctl(fd, FS_IOC_FIEMAP, map) ? -errno : (int)map->fm_mapped_extents;
	if (ret > 0 && !(map->fm_extents[ret - 1].fe_flags & FIEMAP_EXTENT_LAST))
		ret = -E2BIG;
	for (int i = 0; i < ret; i++) {
		const struct fiemap_extent *x = &map->fm_extents[i];

		e[i] = (struct fsdax_extent){
			.logical = x->fe_logical,
			.physical = x->fe_physical,
			.len = x->fe_length,
			.unwritten = x->fe_flags & FIEMAP_EXTENT_UNWRITTEN,
			.shared = x->fe_flags & FIEMAP_EXTENT_SHARED,
		};
	}
	free(map);
	return ret;
}

int fsdax_physical(const char *path, off_t off, uint64_t *physical)
{
	struct fsdax_extent e[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int n;

	if (fd < 0)
		return -errno;
	n = fsdax_extents(fd, e, 64);
	close(fd);
	for (int i = 0; i < n; i++) {
		if ((uint64_t)off < e[i].logical || (uint64_t)off >= e[i].logical + e[i].len)
			continue;
		*physical = e[i].physical + off - e[i].logical;
		return 0;
	}
	return n < 0 ? n : -ENODATA;
}
