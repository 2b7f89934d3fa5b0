// SPDX-License-Identifier: GPL-2.0-only
/* bench/rate.c: several threads, their ranges, and numbers that fit each other. */
#include <errno.h>
#include <string.h>

#include "kselftest_harness.h"
#include "bench/rate.h"
#include "lib/timeline.h"

static struct bench_job dram(size_t bytes, size_t block)
{
	return (struct bench_job){
		.method = job_method_find("dram_store"), .bytes = bytes, .block = block, .depth = 1,
	};
}

TEST(numbers_fit)
{
	struct bench_job j = dram(1 << 20, 4096);
	char why[128] = "";
	struct rate r;
	int ret = rate_run(&j, 3, 60 * NSEC_PER_MSEC, &r, why, sizeof(why));

	if (!rate_built())
		SKIP(return, "%s", why);
	ASSERT_EQ(0, ret) {
		TH_LOG("%s", why);
	}
	EXPECT_LT(0, r.ops);
	EXPECT_EQ(r.ops * 4096, r.bytes);
	EXPECT_LE(60 * NSEC_PER_MSEC, r.ns);
	EXPECT_LT(0, r.mean_ns);
	EXPECT_LE(r.min_ns, r.percentile_ns[0]);
	for (int i = 1; i < RATE_PERCENTILES; i++)
		EXPECT_LE(r.percentile_ns[i - 1], r.percentile_ns[i]);
	EXPECT_LE(r.percentile_ns[RATE_PERCENTILES - 1], r.max_ns);
	/* three threads ran for that time, and no longer */
	EXPECT_GE(3.1 * r.ns, r.ops * r.mean_ns);
}

TEST(a_range_that_is_too_small)
{
	struct bench_job j = dram(4 * 4096 - 1, 4096);
	char why[128] = "";
	struct rate r;

	if (!rate_built())
		SKIP(return, "built without libhdrhistogram");
	EXPECT_EQ(-EINVAL, rate_run(&j, 4, 1, &r, why, sizeof(why)));
	EXPECT_NE(NULL, strstr(why, "4 threads"));
	EXPECT_EQ(-EINVAL, rate_run(&j, 0, 1, &r, why, sizeof(why)));
	EXPECT_EQ(-EINVAL, rate_run(&j, RATE_THREADS + 1, 1, &r, why, sizeof(why)));
}

TEST(open_fails)
{
	struct bench_job j = dram(1 << 20, 4096);
	char why[128] = "";
	struct rate r;

	if (!rate_built())
		SKIP(return, "built without libhdrhistogram");
	j.method = job_method_find("buffered_read");
	j.node = "/nonexistent";
	EXPECT_EQ(-ENOENT, rate_run(&j, 2, NSEC_PER_MSEC, &r, why, sizeof(why)));
	EXPECT_NE(NULL, strstr(why, "No such file"));
}

TEST_HARNESS_MAIN
