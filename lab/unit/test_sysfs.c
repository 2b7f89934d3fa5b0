// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/sysfs.h"

FIXTURE(sysfs) {
	char path[64];
	char buf[32];
};

FIXTURE_SETUP(sysfs)
{
	int fd;

	snprintf(self->path, sizeof(self->path), "/tmp/test_sysfs.XXXXXX");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	close(fd);
}

FIXTURE_TEARDOWN(sysfs)
{
	unlink(self->path);
}

TEST_F(sysfs, a_line_is_written_and_read)
{
	EXPECT_EQ(0, sysfs_write(self->path, "first\nsecond\n"));
	EXPECT_EQ(0, sysfs_read_line(self->path, self->buf, sizeof(self->buf)));
	EXPECT_STREQ("first", self->buf);
	EXPECT_EQ(0, sysfs_read(self->path, self->buf, sizeof(self->buf)));
	EXPECT_STREQ("first\nsecond\n", self->buf);
	/* cut, and terminated */
	EXPECT_EQ(0, sysfs_read(self->path, self->buf, 4));
	EXPECT_STREQ("fir", self->buf);
	EXPECT_EQ(0, sysfs_read_line(self->path, self->buf, 1));
	EXPECT_STREQ("", self->buf);
}

TEST_F(sysfs, a_file_is_not_truncated)
{
	EXPECT_EQ(0, sysfs_write(self->path, "0123456789"));
	EXPECT_EQ(0, sysfs_write(self->path, "ab"));
	EXPECT_EQ(0, sysfs_read_line(self->path, self->buf, sizeof(self->buf)));
	EXPECT_STREQ("ab23456789", self->buf);
}

TEST_F(sysfs, errors_leave_an_empty_text)
{
	unlink(self->path);
	snprintf(self->buf, sizeof(self->buf), "old");
	EXPECT_EQ(-ENOENT, sysfs_read_line(self->path, self->buf, sizeof(self->buf)));
	EXPECT_STREQ("", self->buf);
	snprintf(self->buf, sizeof(self->buf), "old");
	EXPECT_EQ(-EISDIR, sysfs_read("/tmp", self->buf, sizeof(self->buf)));
	EXPECT_STREQ("", self->buf);
	/* it is not created either */
	EXPECT_EQ(-ENOENT, sysfs_write(self->path, "x"));
	EXPECT_EQ(-ENOSPC, sysfs_write("/dev/full", "x"));
}

TEST_HARNESS_MAIN
