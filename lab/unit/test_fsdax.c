// SPDX-License-Identifier: GPL-2.0-only
/* lib/fsdax.c, as far as it needs no device: files in a temporary directory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/fsdax.h"

#define CHUNK	(256u << 10)

static const struct fsdax_type none = { .name = "none" };

FIXTURE(fsdax) {
	struct fsdax f;
	char path[NODE_LEN];
	char why[WHY_LEN];
};

FIXTURE_SETUP(fsdax)
{
	const char *tmp = getenv("TMPDIR");

	memset(&self->f, 0, sizeof(self->f));
	snprintf(self->f.dir, sizeof(self->f.dir), "%s/fsdax-XXXXXX", tmp ? tmp : "/tmp");
	ASSERT_NE(NULL, mkdtemp(self->f.dir));
	self->f.type = &none;
	snprintf(self->path, sizeof(self->path), "%s/file", self->f.dir);
}

FIXTURE_TEARDOWN(fsdax)
{
	fsdax_empty(&self->f);
	rmdir(self->f.dir);
}

TEST(nothing_made_is_nothing_to_undo)
{
	struct fsdax f = { .type = NULL };

	EXPECT_EQ(0, fsdax_unmount(&f));
	EXPECT_EQ(0, fsdax_drop(&f));
}

static int make_file(const char *path, off_t at, size_t len)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char *buf = malloc(len);

	if (fd >= 0 && buf) {
		memset(buf, 0x5a, len);
		if (pwrite(fd, buf, len, at) != (ssize_t)len) {
			close(fd);
			fd = -1;
		}
	}
	free(buf);
	return fd;
}

TEST_F(fsdax, extents_are_where_bytes_are)
{
	struct fsdax_extent e[16];
	uint64_t physical = 0;
	int fd, n;

	fd = make_file(self->path, CHUNK, CHUNK);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, 4 * CHUNK));
	n = fsdax_extents(fd, e, 16);
	if (n == -EOPNOTSUPP || n == -ENOTTY) {
		close(fd);
		SKIP(return, "no FS_IOC_FIEMAP here");
	}
	ASSERT_GE(n, 1);
	EXPECT_LE(e[0].logical, CHUNK);
	EXPECT_GE(e[n - 1].logical + e[n - 1].len, 2 * CHUNK);
	for (int i = 1; i < n; i++)
		EXPECT_GE(e[i].logical, e[i - 1].logical + e[i - 1].len);
	EXPECT_EQ(0, fsdax_physical(self->path, CHUNK + 4096, &physical));
	for (int i = 0; i < n; i++) {
		uint64_t at = CHUNK + 4096;

		if (at >= e[i].logical && at < e[i].logical + e[i].len)
			EXPECT_EQ(physical, e[i].physical + at - e[i].logical);
	}
	EXPECT_EQ(-ENODATA, fsdax_physical(self->path, 3 * CHUNK, &physical));
	close(fd);
}

TEST_F(fsdax, too_many_extents_are_said)
{
	struct fsdax_extent e[16];
	int fd, n;

	close(make_file(self->path, 0, CHUNK));
	fd = make_file(self->path, 2 * CHUNK, CHUNK);
	ASSERT_GE(fd, 0);
	n = fsdax_extents(fd, e, 16);
	if (n == -EOPNOTSUPP || n == -ENOTTY) {
		close(fd);
		SKIP(return, "no FS_IOC_FIEMAP here");
	}
	ASSERT_GE(n, 2);
	EXPECT_EQ(-E2BIG, fsdax_extents(fd, e, 1));
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_EQ(0, fsdax_extents(fd, e, 16));
	close(fd);
}

TEST_F(fsdax, no_file_has_no_place)
{
	uint64_t physical;

	EXPECT_EQ(-ENOENT, fsdax_physical(self->path, 0, &physical));
}

TEST_F(fsdax, files_go_directories_stay)
{
	char dir[NODE_LEN];

	snprintf(dir, sizeof(dir), "%s/lost+found", self->f.dir);
	ASSERT_EQ(0, mkdir(dir, 0700));
	close(make_file(self->path, 0, 512));
	EXPECT_EQ(0, fsdax_empty(&self->f));
	EXPECT_EQ(-1, access(self->path, F_OK));
	EXPECT_EQ(0, access(dir, F_OK));
	EXPECT_EQ(0, rmdir(dir));
}

/* where they lie is the file system's choice here, but they are there */
TEST_F(fsdax, blocks_are_allocated)
{
	int fd = open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), ret;
	struct stat st;

	ASSERT_GE(fd, 0);
	ret = fsdax_allocate(fd, 0, 5u << 20);
	if (ret != -EXDEV && ret != -EOPNOTSUPP && ret != -ENOTTY)
		EXPECT_EQ(0, ret);
	ASSERT_EQ(0, fstat(fd, &st));
	if (ret != -EOPNOTSUPP)
		EXPECT_EQ(5 << 20, st.st_size);
	close(fd);
}

/* here they are not DAX; whether that can be told depends on the file system */
TEST_F(fsdax, a_file_is_new_and_has_its_length)
{
	struct stat st;
	int ret;

	ret = fsdax_file(&self->f, "file", CHUNK, self->path, sizeof(self->path), self->why,
			 sizeof(self->why));
	if (ret == -EOPNOTSUPP) {
		EXPECT_NE(NULL, strstr(self->why, self->path));
		return;
	}
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(CHUNK, st.st_size);
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(-EEXIST, fsdax_file(&self->f, "file", CHUNK, self->path, sizeof(self->path),
				      self->why, sizeof(self->why)));
	EXPECT_NE(NULL, strstr(self->why, self->path));
	EXPECT_EQ(-ENAMETOOLONG, fsdax_file(&self->f, "file", 0, self->path, 8, self->why,
					    sizeof(self->why)));
}

TEST_HARNESS_MAIN
