// SPDX-License-Identifier: GPL-2.0-only
/*
 * Actions that free the blocks of a file, or might: each runs in the calling task, which
 * may have to wait for pins.
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

/* a descriptor of the file, or of the second one; or -errno */
static int open_file(const struct test_mem *mem, bool other, int flags)
{
	char path[NODE_LEN + 8];
	int fd;

	if (other)
		mem_other_path(mem, path, sizeof(path));
	fd = open(other ? path : mem->node, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int on_mount(const struct test_mem *mem, unsigned long request, void *arg)
{
	int fd = open(mem->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = ioctl(fd, request, arg) ? -errno : 0;
	close(fd);
	return ret;
}

static int allocate(const struct test_mem *mem, int mode)
{
	int fd = open_file(mem, false, O_RDWR);
	int ret;

	if (fd < 0)
		return fd;
	ret = fallocate(fd, mode, 0, ACTION_SHIFT) ? -errno : 0;
	close(fd);
	return ret;
}

static int truncate_file(const struct test_mem *mem)
{
	return truncate(mem->node, 0) ? -errno : 0;
}

static int open_trunc(const struct test_mem *mem)
{
	int fd = open_file(mem, false, O_RDWR | O_TRUNC);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int punch_hole(const struct test_mem *mem)
{
	return allocate(mem, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static int zero_range(const struct test_mem *mem)
{
	return allocate(mem, FALLOC_FL_ZERO_RANGE);
}

static int collapse_range(const struct test_mem *mem)
{
	return allocate(mem, FALLOC_FL_COLLAPSE_RANGE);
}

static int insert_range(const struct test_mem *mem)
{
	return allocate(mem, FALLOC_FL_INSERT_RANGE);
}

static int unlink_file(const struct test_mem *mem)
{
	return unlink(mem->node) ? -errno : 0;
}

static int rename_over(const struct test_mem *mem)
{
	char other[NODE_LEN + 8];

	mem_other_path(mem, other, sizeof(other));
	return rename(other, mem->node) ? -errno : 0;
}

static int reflink_over(const struct test_mem *mem)
{
	struct file_clone_range range = { .src_length = ACTION_SHIFT };
	int to = open_file(mem, false, O_RDWR);
	int from = open_file(mem, true, O_RDONLY);
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
		.donor_fd = other, .len = ACTION_SHIFT / sysconf(_SC_PAGESIZE),
	};

	return ioctl(fd, EXT4_IOC_MOVE_EXT, &move) ? -errno : 0;
}

static int exchange_xfs(int fd, int other)
{
	struct xfs_exchange_range range = { .file1_fd = other, .length = ACTION_SHIFT };

	return ioctl(fd, XFS_IOC_EXCHANGE_RANGE, &range) ? -errno : 0;
}

static int swap_extents(const struct test_mem *mem)
{
	int fd = open_file(mem, false, O_RDWR);
	int other = open_file(mem, true, O_RDWR);
	int ret = fd < 0 ? fd : other < 0 ? other : 0;

	if (!ret)
		ret = swap_ext4(fd, other);
	if (ret == -ENOTTY)
		ret = exchange_xfs(fd, other);
	if (ret == -ENOTTY || ret == -EOPNOTSUPP)
		ret = action_swap_xfs(fd, other);
	/* not supported here, or not for DAX: each interface has its own error for that */
	if (ret == -ENOTTY || ret == -EINVAL)
		ret = -EOPNOTSUPP;
	if (other >= 0)
		close(other);
	if (fd >= 0)
		close(fd);
	return ret;
}

static int fsync_file(const struct test_mem *mem)
{
	int fd = open_file(mem, false, O_RDWR);
	int ret;

	if (fd < 0)
		return fd;
	ret = fsync(fd) ? -errno : 0;
	close(fd);
	return ret;
}

static int freeze(const struct test_mem *mem)
{
	return on_mount(mem, FIFREEZE, NULL);
}

static int thaw(const struct test_mem *mem)
{
	return on_mount(mem, FITHAW, NULL);
}

static int remount(const struct test_mem *mem, unsigned long flags)
{
	return mount(NULL, mem->mount, NULL,
		     MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | flags,
		     NULL) ? -errno : 0;
}

static int remount_ro(const struct test_mem *mem)
{
	return remount(mem, MS_RDONLY);
}

static int remount_rw(const struct test_mem *mem)
{
	return remount(mem, 0);
}

static int unmount(const struct test_mem *mem)
{
	return umount2(mem->mount, UMOUNT_NOFOLLOW) ? -errno : 0;
}

static int shutdown(const struct test_mem *mem)
{
	__u32 how = SHUTDOWN_NOLOGFLUSH;

	return on_mount(mem, IOC_SHUTDOWN, &how);
}

static const struct action file_actions[] = {
	{
		.name = "truncate",
		.verb = "truncate",
		.what = "the file is truncated to nothing",
		.on = ON_FILES,
		.frees = FREES_ALL, .leaves = LEAVES_NOTHING,
		.run = truncate_file,
	}, {
		.name = "open_trunc",
		.verb = "open(O_TRUNC)",
		.what = "the file is opened with O_TRUNC",
		.on = ON_FILES,
		.frees = FREES_ALL, .leaves = LEAVES_NOTHING,
		.run = open_trunc,
	}, {
		.name = "punch_hole",
		.verb = "fallocate(PUNCH_HOLE)",
		.what = "a hole is punched where the pin is",
		.on = ON_FILES,
		.frees = FREES_ALL, .leaves = LEAVES_ZEROES,
		.run = punch_hole,
	}, {
		.name = "zero_range",
		.verb = "fallocate(ZERO_RANGE)",
		.what = "the range of the pin is zeroed",
		.on = ON_FILES,
		.frees = FREES_MAYBE, .leaves = LEAVES_ZEROES,
		.run = zero_range,
	}, {
		.name = "collapse_range",
		.verb = "fallocate(COLLAPSE_RANGE)",
		.what = "the range of the pin is removed from the file",
		.on = ON_FILES,
		.frees = FREES_ALL, .leaves = LEAVES_NEXT,
		.run = collapse_range,
	}, {
		.name = "insert_range",
		.verb = "fallocate(INSERT_RANGE)",
		.what = "a hole is inserted before the pin, whose block moves to another offset",
		.on = ON_FILES,
		.frees = FREES_MAYBE, .leaves = LEAVES_ZEROES,
		.run = insert_range,
		.shifts = true,
	}, {
		.name = "unlink",
		.verb = "unlink",
		.what = "the last name of the file is removed",
		.on = ON_FILES,
		.frees = FREES_CLOSED, .leaves = LEAVES_BYTES,
		.run = unlink_file,
	}, {
		.name = "rename_over",
		.verb = "rename",
		.what = "another file takes the name of this one",
		.on = ON_FILES, .other = true,
		.frees = FREES_CLOSED, .leaves = LEAVES_BYTES,
		.run = rename_over,
	}, {
		.name = "reflink_over",
		.verb = "ioctl(FICLONERANGE)",
		.what = "the range of the pin is made to share another file's extents",
		.on = ON_FILES, .other = true,
		.frees = FREES_ALL, .leaves = LEAVES_OTHER,
		.run = reflink_over,
	}, {
		.name = "swap_extents",
		.verb = "swap of extents",
		.what = "the file's extents are swapped with another file's",
		.on = ON_FILES, .other = true,
		.frees = FREES_ALL, .leaves = LEAVES_OPEN,
		.run = swap_extents,
	}, {
		.name = "fsync",
		.verb = "fsync",
		.what = "the file is written back",
		.on = ON_FILES,
		.frees = FREES_NONE, .leaves = LEAVES_BYTES,
		.run = fsync_file,
	}, {
		.name = "freeze",
		.verb = "ioctl(FIFREEZE)",
		.what = "the file system is frozen",
		.on = ON_FILES,
		.frees = FREES_NONE, .leaves = LEAVES_OPEN,
		.run = freeze,
		.undo = thaw,
	}, {
		.name = "remount_ro",
		.verb = "remount",
		.what = "the file system is made read-only",
		.on = ON_FILES,
		.frees = FREES_NONE, .leaves = LEAVES_BYTES, .refusal = -EBUSY,
		.run = remount_ro,
		.undo = remount_rw,
	}, {
		.name = "unmount",
		.verb = "umount",
		.what = "the file system is unmounted",
		.on = ON_FILES, .spoils = true,
		.frees = FREES_CLOSED, .leaves = LEAVES_BYTES, .refusal = -EBUSY,
		.run = unmount,
		.unmounts = true,
	}, {
		.name = "shutdown",
		.verb = "shutdown",
		.what = "the file system is shut down by force, its log not written",
		.on = ON_FILES, .spoils = true,
		.frees = FREES_NONE, .leaves = LEAVES_OPEN,
		.run = shutdown,
	},
	{ }
};

REGISTER(actions, file_actions);
