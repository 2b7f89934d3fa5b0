// SPDX-License-Identifier: GPL-2.0
/* lib/iopath*.c on a file of whatever file system the temporary directory is on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/io/io_method.h"

#define BYTES	(256u << 10)

FIXTURE(iopath) {
	char path[128];
	char beside[128];
	unsigned char *buf;
	unsigned char *seen;
	size_t page;
};

FIXTURE_SETUP(iopath)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	self->page = sysconf(_SC_PAGESIZE);
	snprintf(self->path, sizeof(self->path), "%s/iopath-XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, BYTES));
	close(fd);
	snprintf(self->beside, sizeof(self->beside), "%.100s.beside", self->path);
	self->buf = aligned_alloc(self->page, BYTES);
	self->seen = aligned_alloc(self->page, BYTES);
	ASSERT_NE(NULL, self->buf);
	ASSERT_NE(NULL, self->seen);
	for (size_t i = 0; i < BYTES; i++)
		self->buf[i] = i * 7 + (i >> 8);
}

FIXTURE_TEARDOWN(iopath)
{
	unlink(self->path);
	unlink(self->beside);
	free(self->buf);
	free(self->seen);
}

/* 1 when it is open, 0 when this machine has it not */
static int open_way(struct io_path *p, const struct io_method *m, const char *path,
		    const char *beside)
{
	struct io_scratch there = { .file = beside };
	int ret = io_path_open(p, m, path, &there, BYTES, DAXMAP_PTE);

	return ret == -EOPNOTSUPP || ret == -EINVAL ? 0 : ret ? ret : 1;
}

TEST_F(iopath, what_one_way_wrote_every_other_reads)
{
	const size_t page = self->page;

	for (const struct io_method *m = io_methods; m->name; m++) {
		struct io_path from, by;
		size_t off, len;
		int there = open_way(&from, m, self->path, self->beside);

		ASSERT_LE(0, there) TH_LOG("%s: %s", m->name, strerror(-there));
		if (!there)
			continue;
		off = from.unit == 1 ? page - 3 : page;
		len = from.unit == 1 ? 3 * page + 5 : 3 * page;
		self->buf[off]++;
		EXPECT_EQ(0, io_path_write(&from, off, self->buf + (from.unit == 1 ? 0 : page), len))
			TH_LOG("%s", m->name);
		for (const struct io_method *r = io_methods; r->name; r++) {
			if (open_way(&by, r, self->path, self->beside) != 1)
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

TEST_F(iopath, the_end_of_the_file_is_said)
{
	for (const struct io_method *m = io_methods; m->name; m++) {
		struct io_path p;

		if (open_way(&p, m, self->path, self->beside) != 1)
			continue;
		EXPECT_EQ(-ENODATA, io_path_read(&p, BYTES - self->page, self->seen,
						 2 * self->page)) TH_LOG("%s", m->name);
		io_path_close(&p);
	}
}

TEST_F(iopath, what_is_not_aligned_is_refused)
{
	const struct io_method *m = io_method_find("direct");
	struct io_path p;

	ASSERT_NE(NULL, m);
	if (open_way(&p, m, self->path, self->beside) != 1)
		SKIP(return, "no O_DIRECT here");
	EXPECT_EQ(-EINVAL, io_path_read(&p, 1, self->seen, self->page));
	EXPECT_EQ(-EINVAL, io_path_write(&p, 0, self->seen, self->page - 1));
	EXPECT_EQ(-EINVAL, io_path_read(&p, 0, self->seen, IO_PATH_MAX + self->page));
	EXPECT_EQ(0, io_path_read(&p, 0, self->seen, 0));
	io_path_close(&p);
}

TEST_F(iopath, no_file_no_way)
{
	for (const struct io_method *m = io_methods; m->name; m++) {
		struct io_scratch beside = { .file = self->beside };
		struct io_path p;
		int ret = io_path_open(&p, m, "/nowhere/at/all", &beside, BYTES, DAXMAP_PTE);

		EXPECT_TRUE(ret == -ENOENT || ret == -EOPNOTSUPP) TH_LOG("%s: %d", m->name, ret);
	}
}

TEST(names_are_unique)
{
	for (const struct io_method *m = io_methods; m->name; m++)
		EXPECT_EQ(m, io_method_find(m->name));
	EXPECT_EQ(NULL, io_method_find("telepathy"));
}

TEST_HARNESS_MAIN
