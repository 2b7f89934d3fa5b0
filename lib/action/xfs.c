// SPDX-License-Identifier: GPL-2.0-only
/*
 * The swap of two files' extents that xfs_fsr makes.  Its interface is in the headers of
 * xfsprogs, which redefine many names: hence this file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "lib/action/action.h"

#ifdef HAVE_XFS
#include <xfs/xfs.h>

/* the kernel refuses the swap when the file has changed since this was read */
static int read_stat(int fd, struct xfs_bstat *seen)
{
	struct xfs_fsop_bulkreq ask = { .icount = 1, .ubuffer = seen };
	__u64 inode;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	inode = st.st_ino;
	ask.lastip = &inode;
	return ioctl(fd, XFS_IOC_FSBULKSTAT_SINGLE, &ask) ? -errno : 0;
}

int action_swap_xfs(int fd, int other)
{
	struct xfs_swapext swap = {
		.sx_version = XFS_SX_VERSION, .sx_fdtarget = fd, .sx_fdtmp = other,
	};
	int ret = read_stat(fd, &swap.sx_stat);

	if (ret)
		return ret;
	/* files as a whole, and of one length */
	swap.sx_length = swap.sx_stat.bs_size;
	return ioctl(fd, XFS_IOC_SWAPEXT, &swap) ? -errno : 0;
}
#else
int action_swap_xfs(int fd, int other)
{
	return -ENOTTY;
}
#endif
