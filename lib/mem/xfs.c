// SPDX-License-Identifier: GPL-2.0-only
/* A file on xfs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/mem/memory.h"

/*
 * With a reverse map, which xfs needs to find the users of lost memory, and with shared
 * extents; at the second attempt without these: kernels before 6.0 have either them or
 * DAX.
 */
static int make_xfs(struct fsdax *f, const char *dev, char *why, size_t len)
{
	const char *meta = f->attempt ? "rmapbt=1,reflink=0" : "rmapbt=1,reflink=1";
	char data[48];
	const char *const argv[] = {
		"mkfs.xfs", "-q", "-f", "-K", "-d", data, "-l", "size=64m,su=4k", "-m", meta,
		dev, NULL
	};

	snprintf(data, sizeof(data), "agcount=2,su=%zuk,sw=1", daxmap_bytes(DAXMAP_PMD) >> 10);
	return command_run(argv, NULL, why, len);
}

/* new files begin, and grow, by whole pmd entries */
static int inherit_extent_size(struct fsdax *f)
{
	struct fsxattr attr = { 0 };
	int fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attr)) {
		ret = -errno;
	} else {
		attr.fsx_xflags |= FS_XFLAG_EXTSZINHERIT;
		attr.fsx_extsize = daxmap_bytes(DAXMAP_PMD);
		if (ioctl(fd, FS_IOC_FSSETXATTR, &attr))
			ret = -errno;
	}
	close(fd);
	return ret;
}

static const struct fsdax_type xfs = {
	.name = "xfs",
	/* xfsprogs refuses less since 5.19 */
	.least = 300u << 20,
	.check = (const char *const []){ "xfs_repair", "-n", NULL },
	.fallbacks = 1,
	.make = make_xfs,
	.prepare = inherit_extent_size,
};

static const struct memory memory[] = {
	{
		.name = "xfs",
		.what = "a file on xfs, mounted with dax",
		.caps = MEM_MOUNTED | MEM_WRITABLE | MEM_FRESH | MEM_SHARES,
		.largest = DAXMAP_PMD,
		.order = 21,
		.fs = &xfs,
		.take = memory_take_file,
	},
	{ }
};

REGISTER(memories, memory);
