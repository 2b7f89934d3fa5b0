// SPDX-License-Identifier: GPL-2.0-only
/* bench/touch.c: entries and faults of a mapping, and bytes that do not change. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "bench/touch.h"

#define PAGES	300

TEST(entries_and_faults)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int fd = memfd_create("touch", 0);
	unsigned char byte = 0x42;
	struct touch t;
	char path[32];

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, PAGES * page));
	ASSERT_EQ(1, pwrite(fd, &byte, 1, 7 * page));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ASSERT_EQ(0, touch_cost(path, DAXMAP_PTE, PAGES * page, 1, &t));
	EXPECT_EQ(PAGES, t.entries);
	EXPECT_LE(3, t.rounds);
	/* the kernel may map some around a fault, and the test itself may fault */
	EXPECT_LT(0, t.faults);
	EXPECT_GE(PAGES + 20, t.faults);
	EXPECT_LT(0, t.map_ns);
	EXPECT_LT(t.steady_ns, t.first_ns);
	byte = 0;
	EXPECT_EQ(1, pread(fd, &byte, 1, 7 * page));
	EXPECT_EQ(0x42, byte);
	close(fd);
}

TEST(file_does_not_exist)
{
	struct touch t;

	EXPECT_EQ(-ENOENT, touch_cost("/nonexistent", DAXMAP_PTE, 4096, 1, &t));
}

TEST_HARNESS_MAIN
