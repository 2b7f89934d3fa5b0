// SPDX-License-Identifier: GPL-2.0-only
/* lib/io/durability.c: logs written by each method, on a file in the temporary directory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/io/durability.h"

#define RECORDS	5u

FIXTURE(durability) {
	char path[128];
	void *slot;
};

FIXTURE_SETUP(durability)
{
	const char *tmp = getenv("TMPDIR");
	uint64_t seq;
	int fd;

	self->slot = aligned_alloc(RECORD_SLOT, RECORD_SLOT);
	ASSERT_NE(NULL, self->slot);
	snprintf(self->path, sizeof(self->path), "%s/durability-XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	close(fd);
	record_make(self->slot, 1);
	if (record_check(self->slot, &seq) == -EOPNOTSUPP)
		SKIP(return, "built without zlib");
}

FIXTURE_TEARDOWN(durability)
{
	unlink(self->path);
	free(self->slot);
}

/* 1 when the records are written, 0 when this machine does not have the method */
static int write_log(const struct durability *d, const char *path, void *slot)
{
	struct io_path p;
	int ret = durability_create(d, path);

	if (ret)
		return ret;
	ret = durability_open(&p, d, path);
	if (ret)
		return ret == -EOPNOTSUPP || ret == -EINVAL ? 0 : ret;
	for (uint64_t seq = 1; !ret && seq <= RECORDS; seq++)
		ret = durability_write(&p, d, slot, seq);
	io_path_close(&p);
	return ret ? ret : 1;
}

TEST_F(durability, records_of_each_method)
{
	const struct durability *d;
	struct io_path p;

	for_each_durability(d) {
		int ret = write_log(d, self->path, self->slot);

		ASSERT_LE(0, ret) TH_LOG("%s: %s", d->name, strerror(-ret));
		if (!ret)
			continue;
		ASSERT_EQ(0, durability_open_read(&p, self->path));
		for (uint64_t seq = 1; seq <= RECORDS; seq++) {
			EXPECT_EQ(0, durability_check(&p, self->slot, seq))
				TH_LOG("%s: record %d", d->name, (int)seq);
		}
		EXPECT_EQ(-ENODATA, durability_check(&p, self->slot, RECORDS + 1))
			TH_LOG("%s", d->name);
		io_path_close(&p);
	}
}

TEST_F(durability, missing_record)
{
	const struct durability *d = durability_find("buffered_fsync");
	struct io_path p;

	ASSERT_NE(NULL, d);
	ASSERT_EQ(1, write_log(d, self->path, self->slot));
	ASSERT_EQ(0, durability_open_read(&p, self->path));
	/* the slot of record 2 has not been written for the second time */
	EXPECT_EQ(-ESTALE, durability_check(&p, self->slot, RECORD_SLOTS + 2));
	io_path_close(&p);
	ASSERT_EQ(0, durability_create(d, self->path));
	ASSERT_EQ(0, durability_open_read(&p, self->path));
	EXPECT_EQ(-ENODATA, durability_check(&p, self->slot, 2));
	io_path_close(&p);
}

TEST(methods_name_io_methods)
{
	const struct durability *d;

	for_each_durability(d) {
		EXPECT_EQ(d, durability_find(d->name));
		EXPECT_NE(NULL, io_method_find(d->path)) TH_LOG("%s", d->name);
	}
	EXPECT_EQ(NULL, durability_find("hope"));
}

TEST_HARNESS_MAIN
