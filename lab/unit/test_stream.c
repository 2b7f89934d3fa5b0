// SPDX-License-Identifier: GPL-2.0-only
/* bench/stream.c: all of the bytes and no others, at every alignment. */
#include <string.h>

#include "kselftest_harness.h"
#include "bench/stream.h"

#define BYTES	1024

TEST(stores_are_of_this_machine)
{
	const char *name = stream_name();

	EXPECT_EQ(name, stream_name());
	EXPECT_TRUE(!strcmp(name, "avx512f") || !strcmp(name, "avx") ||
		    !strcmp(name, "sse2") || !strcmp(name, "none"));
}

TEST(every_alignment_and_length)
{
	static unsigned char from[BYTES], to[BYTES], want[BYTES];

	for (size_t i = 0; i < BYTES; i++)
		from[i] = i * 31 + 1;
	for (size_t off = 0; off < 66; off++) {
		for (size_t len = 0; len < 700; len += 1 + len / 9) {
			memset(to, 0, BYTES);
			memset(want, 0, BYTES);
			memcpy(want + off, from + off / 3, len);
			stream_copy(to + off, from + off / 3, len);
			ASSERT_EQ(0, memcmp(to, want, BYTES)) {
				TH_LOG("offset %zu, %zu bytes", off, len);
			}
		}
	}
}

TEST_HARNESS_MAIN
