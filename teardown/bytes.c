// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/pattern.h"
#include "teardown/bytes.h"

static int write_at(int fd, const void *buf, size_t len, off_t off)
{
	ssize_t n = pwrite(fd, buf, len, off);

	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EIO;
}

static int read_at(int fd, void *buf, size_t len, off_t off)
{
	ssize_t n = pread(fd, buf, len, off);

	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EIO;
}

int bytes_write(const char *path, off_t off, size_t len, uint16_t tag, uint64_t as)
{
	void *buf = malloc(len);
	int fd, ret;

	if (!buf)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ret = fd < 0 ? -errno : 0;
	if (!ret) {
		pattern_fill(buf, len, tag, as);
		ret = write_at(fd, buf, len, off);
		close(fd);
	}
	free(buf);
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
	struct pattern_error err;
	void *buf = malloc(len);
	int fd, ret;

	if (!buf)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ret = fd < 0 ? -errno : 0;
	if (!ret) {
		ret = read_at(fd, buf, len, off);
		close(fd);
	}
	if (!ret && tag != TAG_ANY) {
		ret = pattern_check(buf, len, tag, as, &err);
		if (ret && why)
			pattern_explain(&err, why, why_len);
	}
	free(buf);
	return ret;
}
