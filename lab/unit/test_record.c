// SPDX-License-Identifier: GPL-2.0-only
/* lib/io/record.c: whole, torn and missing records are recognised. */
#include <errno.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/io/record.h"

FIXTURE(record) {
	unsigned char slot[RECORD_SLOT];
	unsigned char older[RECORD_SLOT];
	uint64_t seq;
};

FIXTURE_SETUP(record)
{
	record_make(self->slot, 8);
	record_make(self->older, 7);
	if (record_check(self->slot, &self->seq) == -EOPNOTSUPP)
		SKIP(return, "built without zlib");
}

FIXTURE_TEARDOWN(record)
{
}

TEST_F(record, whole)
{
	for (uint64_t seq = 1; seq < 100; seq++) {
		record_make(self->slot, seq);
		ASSERT_EQ(0, record_check(self->slot, &self->seq));
		EXPECT_EQ(seq, self->seq);
	}
}

TEST_F(record, nothing)
{
	memset(self->slot, 0, sizeof(self->slot));
	EXPECT_EQ(-ENODATA, record_check(self->slot, &self->seq));
}

/* a power cut leaves the rest of an older record; after the body there is nothing */
TEST_F(record, torn_at_each_cache_line)
{
	unsigned char torn[RECORD_SLOT];
	uint32_t len;

	memcpy(&len, self->slot + 2 * sizeof(uint64_t), sizeof(len));
	for (size_t at = 64; at < 24 + len; at += 64) {
		memcpy(torn, self->slot, at);
		memset(torn + at, 0xa5, sizeof(torn) - at);
		EXPECT_EQ(-EILSEQ, record_check(torn, &self->seq));
	}
	memcpy(torn, self->older, sizeof(torn));
	memcpy(torn, self->slot, 24);
	EXPECT_EQ(-EILSEQ, record_check(torn, &self->seq));
}

TEST_F(record, one_bit)
{
	for (size_t bit = 64; bit < 8 * 64; bit += 5) {
		record_make(self->slot, 4711);
		self->slot[bit / 8] ^= 1 << bit % 8;
		EXPECT_EQ(-EILSEQ, record_check(self->slot, &self->seq));
	}
}

TEST_HARNESS_MAIN
