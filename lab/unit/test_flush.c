// SPDX-License-Identifier: GPL-2.0-only
/* lib/io/flush.c: an instruction of this CPU, and bytes that do not change. */
#include <string.h>

#include "kselftest_harness.h"
#include "lib/io/flush.h"

TEST(instruction_is_of_this_machine)
{
	const char *name = flush_name();

	EXPECT_EQ(name, flush_name());
	EXPECT_TRUE(!strcmp(name, "clwb") || !strcmp(name, "clflushopt") ||
		    !strcmp(name, "clflush") || !strcmp(name, "none"));
}

TEST(bytes_stay)
{
	static unsigned char bytes[3 * 4096], same[3 * 4096];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i * 31;
	memcpy(same, bytes, sizeof(same));
	for (size_t off = 0; off < 130; off++)
		flush_range(bytes + off, off * 7);
	flush_range(bytes, sizeof(bytes));
	EXPECT_EQ(0, memcmp(bytes, same, sizeof(bytes)));
}

TEST_HARNESS_MAIN
