// SPDX-License-Identifier: GPL-2.0-only
/* lib/io/: each I/O method, on a file in the temporary directory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/io/io_method.h"

#define BYTES	(256u << 10)

FIXTURE(io_path) {
	char path[128];
	char scratch[128];
	unsigned char *buf;
	unsigned char *seen;
	size_t page;
};

FIXTURE_SETUP(io_path)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	self->page = sysconf(_SC_PAGESIZE);
	snprintf(self->path, sizeof(self->path), "%s/io_path-XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, BYTES));
	close(fd);
	snprintf(self->scratch, sizeof(self->scratch), "%.100s.scratch", self->path);
	self->buf = aligned_alloc(self->page, BYTES);
	self->seen = aligned_alloc(self->page, BYTES);
	ASSERT_NE(NULL, self->buf);
	ASSERT_NE(NULL, self->seen);
	for (size_t i = 0; i < BYTES; i++)
		self->buf[i] = i * 7 + (i >> 8);
}

FIXTURE_TEARDOWN(io_path)
{
	unlink(self->path);
	unlink(self->scratch);
	free(self->buf);
	free(self->seen);
}

/* 1 when it is open, 0 when this machine does not have it */
static int open_path(struct io_path *p, const struct io_method *m, const char *path,
		     const char *scratch)
{
	struct io_scratch places = { .file = scratch };
	int ret = io_path_open(p, m, path, &places, BYTES, DAXMAP_PTE);

	return ret == -EOPNOTSUPP || ret == -EINVAL ? 0 : ret ? ret : 1;
}

TEST_F(io_path, bytes_written_by_each_are_read_by_all)
{
	const size_t page = self->page;

	const struct io_method *m, *r;

	for_each_io_method(m) {
		struct io_path from, by;
		size_t off, len;
		int there = open_path(&from, m, self->path, self->scratch);

		ASSERT_LE(0, there) TH_LOG("%s: %s", m->name, strerror(-there));
		if (!there)
			continue;
		off = from.unit == 1 ? page - 3 : page;
		len = from.unit == 1 ? 3 * page + 5 : 3 * page;
		self->buf[off]++;
		EXPECT_EQ(0, io_path_write(&from, off, self->buf + (from.unit == 1 ? 0 : page),
					   len))
			TH_LOG("%s", m->name);
		for_each_io_method(r) {
			if (open_path(&by, r, self->path, self->scratch) != 1)
				continue;
			memset(self->seen, 0, BYTES);
			EXPECT_EQ(0, io_path_read(&by, 0, self->seen, 8 * page))
				TH_LOG("%s", r->name);
			EXPECT_EQ(0, memcmp(self->seen + off,
					    self->buf + (from.unit == 1 ? 0 : page), len))
				TH_LOG("%s wrote, %s reads", m->name, r->name);
			io_path_close(&by);
		}
		io_path_close(&from);
		io_path_close(&from);
	}
}

TEST_F(io_path, end_of_file)
{
	const struct io_method *m;

	for_each_io_method(m) {
		struct io_path p;

		if (open_path(&p, m, self->path, self->scratch) != 1)
			continue;
		EXPECT_EQ(-ENODATA, io_path_read(&p, BYTES - self->page, self->seen,
						 2 * self->page)) TH_LOG("%s", m->name);
		io_path_close(&p);
	}
}

TEST_F(io_path, unaligned_is_refused)
{
	const struct io_method *m = io_method_find("direct");
	struct io_path p;

	ASSERT_NE(NULL, m);
	if (open_path(&p, m, self->path, self->scratch) != 1)
		SKIP(return, "no O_DIRECT here");
	EXPECT_EQ(-EINVAL, io_path_read(&p, 1, self->seen, self->page));
	EXPECT_EQ(-EINVAL, io_path_write(&p, 0, self->seen, self->page - 1));
	EXPECT_EQ(-EINVAL, io_path_read(&p, 0, self->seen, IO_PATH_MAX + self->page));
	EXPECT_EQ(0, io_path_read(&p, 0, self->seen, 0));
	io_path_close(&p);
}

TEST_F(io_path, file_does_not_exist)
{
	const struct io_method *m;

	for_each_io_method(m) {
		struct io_scratch scratch = { .file = self->scratch };
		struct io_path p;
		int ret = io_path_open(&p, m, "/nowhere/at/all", &scratch, BYTES, DAXMAP_PTE);

		EXPECT_TRUE(ret == -ENOENT || ret == -EOPNOTSUPP) TH_LOG("%s: %d", m->name, ret);
	}
}

TEST(names_are_unique)
{
	const struct io_method *m;

	for_each_io_method(m)
		EXPECT_EQ(m, io_method_find(m->name));
	EXPECT_EQ(NULL, io_method_find("telepathy"));
}

TEST_HARNESS_MAIN
