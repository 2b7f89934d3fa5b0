// SPDX-License-Identifier: GPL-2.0
/*
 * What takes the ground from under a file: each in the calling task, which may
 * have to wait for pins.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/action/action.h"

/*
 * Interfaces of one file system each, which come with its programs and not with
 * the kernel's headers: EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one ioctl by
 * two names, as are the structures of both swaps.
 */
#define IOC_SHUTDOWN		_IOR('X', 125, __u32)
#define SHUTDOWN_NOLOGFLUSH	2u

struct ext4_move_extent {
	__u32 reserved;
	__u32 donor_fd;
	__u64 orig_start;
	__u64 donor_start;
	__u64 len;
	__u64 moved_len;
};

#define EXT4_IOC_MOVE_EXT	_IOWR('f', 15, struct ext4_move_extent)

/* since 6.10, and by no other file system */
struct xfs_exchange_range {
	__s32 file1_fd;
	__u32 pad;
	__u64 file1_offset;
	__u64 file2_offset;
	__u64 length;
	__u64 flags;
};

#define XFS_IOC_EXCHANGE_RANGE	_IOW('X', 129, struct xfs_exchange_range)

void action_other(const struct test_ns *v, char *path, size_t len)
{
	snprintf(path, len, "%s.other", v->node);
}

/* a descriptor of the file, or of the second one */
static int open_it(const struct test_ns *v, bool other, int flags)
{
	char path[NODE_LEN + 8];
	int fd;

	if (other)
		action_other(v, path, sizeof(path));
	fd = open(other ? path : v->node, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int on_mount(const struct test_ns *v, unsigned long request, void *arg)
{
	int fd = open(v->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = ioctl(fd, request, arg) ? -errno : 0;
	close(fd);
	return ret;
}

static int allocate(const struct test_ns *v, int mode)
{
	int fd = open_it(v, false, O_RDWR);
	int ret;

	if (fd < 0)
		return fd;
	ret = fallocate(fd, mode, 0, ACTION_SHIFT) ? -errno : 0;
	close(fd);
	return ret;
}

int action_truncate(const struct test_ns *v)
{
	return truncate(v->node, 0) ? -errno : 0;
}

int action_open_trunc(const struct test_ns *v)
{
	int fd = open_it(v, false, O_RDWR | O_TRUNC);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int action_punch_hole(const struct test_ns *v)
{
	return allocate(v, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

int action_zero_range(const struct test_ns *v)
{
	return allocate(v, FALLOC_FL_ZERO_RANGE);
}

int action_collapse_range(const struct test_ns *v)
{
	return allocate(v, FALLOC_FL_COLLAPSE_RANGE);
}

int action_insert_range(const struct test_ns *v)
{
	return allocate(v, FALLOC_FL_INSERT_RANGE);
}

int action_unlink(const struct test_ns *v)
{
	return unlink(v->node) ? -errno : 0;
}

int action_rename_over(const struct test_ns *v)
{
	char other[NODE_LEN + 8];

	action_other(v, other, sizeof(other));
	return rename(other, v->node) ? -errno : 0;
}

int action_reflink_over(const struct test_ns *v)
{
	struct file_clone_range range = { .src_length = ACTION_SHIFT };
	int to = open_it(v, false, O_RDWR);
	int from = open_it(v, true, O_RDONLY);
	int ret = to < 0 ? to : from < 0 ? from : 0;

	range.src_fd = from;
	if (!ret && ioctl(to, FICLONERANGE, &range))
		ret = -errno;
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return ret;
}

static int swap_ext4(int fd, int other)
{
	struct ext4_move_extent move = {
		.donor_fd = other, .len = ACTION_SHIFT / 4096,
	};

	return ioctl(fd, EXT4_IOC_MOVE_EXT, &move) ? -errno : 0;
}

static int exchange_xfs(int fd, int other)
{
	struct xfs_exchange_range range = { .file1_fd = other, .length = ACTION_SHIFT };

	return ioctl(fd, XFS_IOC_EXCHANGE_RANGE, &range) ? -errno : 0;
}

int action_swap_extents(const struct test_ns *v)
{
	int fd = open_it(v, false, O_RDWR);
	int other = open_it(v, true, O_RDWR);
	int ret = fd < 0 ? fd : other < 0 ? other : 0;

	if (!ret)
		ret = swap_ext4(fd, other);
	if (ret == -ENOTTY)
		ret = exchange_xfs(fd, other);
	if (ret == -ENOTTY || ret == -EOPNOTSUPP)
		ret = action_swap_xfs(fd, other);
	/* neither is known here, or not for DAX: all say so in their own way */
	if (ret == -ENOTTY || ret == -EINVAL)
		ret = -EOPNOTSUPP;
	if (other >= 0)
		close(other);
	if (fd >= 0)
		close(fd);
	return ret;
}

int action_fsync(const struct test_ns *v)
{
	int fd = open_it(v, false, O_RDWR);
	int ret;

	if (fd < 0)
		return fd;
	ret = fsync(fd) ? -errno : 0;
	close(fd);
	return ret;
}

int action_freeze(const struct test_ns *v)
{
	return on_mount(v, FIFREEZE, NULL);
}

int action_thaw(const struct test_ns *v)
{
	return on_mount(v, FITHAW, NULL);
}

static int remount(const struct test_ns *v, unsigned long flags)
{
	return mount(NULL, v->mount, NULL,
		     MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | flags,
		     NULL) ? -errno : 0;
}

int action_remount_ro(const struct test_ns *v)
{
	return remount(v, MS_RDONLY);
}

int action_remount_rw(const struct test_ns *v)
{
	return remount(v, 0);
}

int action_unmount(const struct test_ns *v)
{
	return umount2(v->mount, UMOUNT_NOFOLLOW) ? -errno : 0;
}

int action_shutdown(const struct test_ns *v)
{
	__u32 how = SHUTDOWN_NOLOGFLUSH;

	return on_mount(v, IOC_SHUTDOWN, &how);
}
