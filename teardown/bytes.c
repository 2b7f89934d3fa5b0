// SPDX-License-Identifier: GPL-2.0
/*
 * What the scenarios with files and block devices do to their bytes from outside.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "teardown/teardown.h"

int bytes_write(const char *path, off_t off, size_t len, uint16_t tag, uint64_t as)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	void *buf = malloc(len);
	int ret = 0;

	if (fd < 0 || !buf) {
		ret = fd < 0 ? -errno : -ENOMEM;
	} else {
		pattern_fill(buf, len, tag, as);
		if (pwrite(fd, buf, len, off) != (ssize_t)len)
			ret = errno ? -errno : -EIO;
	}
	free(buf);
	if (fd >= 0)
		close(fd);
	return ret;
}

int bytes_sync(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = fsync(fd) ? -errno : 0;
	close(fd);
	return ret;
}

int bytes_check(const char *path, off_t off, size_t len, uint16_t tag, uint64_t as, char *why,
		size_t why_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct pattern_error err;
	void *buf = malloc(len);
	int ret = 0;

	if (fd < 0 || !buf)
		ret = fd < 0 ? -errno : -ENOMEM;
	else if (pread(fd, buf, len, off) != (ssize_t)len)
		ret = errno ? -errno : -EIO;
	else if (tag != TAG_ANY)
		ret = pattern_check(buf, len, tag, as, &err);
	if (ret == -EILSEQ && why)
		pattern_explain(&err, why, why_len);
	free(buf);
	if (fd >= 0)
		close(fd);
	return ret;
}
