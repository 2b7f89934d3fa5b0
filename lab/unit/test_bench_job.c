// SPDX-License-Identifier: GPL-2.0-only
/* bench/job*.c: each job moves the blocks of its range, and no others. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "bench/job.h"
#include "lib/timeline.h"

#define BLOCK	4096u
#define BLOCKS	24u
#define FIRST	4u
#define INSIDE	16u
#define FILL	0x11

struct counts {
	struct job_tally tally;
	uint64_t added;
};

/* ends after two passes of the range */
static void add(struct job_tally *t, uint64_t ns)
{
	if (++((struct counts *)t)->added >= 2 * INSIDE)
		t->until_ns = 0;
}

FIXTURE(bench_job) {
	char path[64];
	unsigned char bytes[BLOCK * BLOCKS];
};

FIXTURE_SETUP(bench_job)
{
	int fd;

	/* not in memory: O_DIRECT is refused there */
	snprintf(self->path, sizeof(self->path), "/var/tmp/bench_job.XXXXXX");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	memset(self->bytes, FILL, sizeof(self->bytes));
	ASSERT_EQ((ssize_t)sizeof(self->bytes), write(fd, self->bytes, sizeof(self->bytes)));
	close(fd);
}

FIXTURE_TEARDOWN(bench_job)
{
	unlink(self->path);
}

static struct bench_job job_on(const struct job_method *m, const char *path, unsigned int depth)
{
	return (struct bench_job){
		.method = m, .node = path, .size = DAXMAP_PTE, .start = FIRST * BLOCK,
		.bytes = INSIDE * BLOCK, .block = BLOCK, .depth = depth,
	};
}

static void read_all(unsigned char *bytes, const char *path)
{
	int fd = open(path, O_RDONLY);

	if (read(fd, bytes, BLOCK * BLOCKS) != BLOCK * BLOCKS)
		memset(bytes, 0, BLOCK * BLOCKS);
	close(fd);
}

/* counts changed bytes outside the range, and unchanged bytes inside */
static void changes(const unsigned char *bytes, unsigned int *outside, unsigned int *untouched)
{
	*outside = 0;
	*untouched = 0;
	for (size_t i = 0; i < BLOCK * BLOCKS; i++) {
		size_t block = i / BLOCK;
		bool in = block >= FIRST && block < FIRST + INSIDE;

		*outside += !in && bytes[i] != FILL;
		*untouched += in && bytes[i] == FILL;
	}
}

TEST_F(bench_job, each_moves_all_of_its_range)
{
	const struct job_method *m;

	for_each_job_method(m) {
		unsigned int outside, untouched, depth = m->flags & JOB_DEEP ? 5 : 1;
		struct bench_job j = job_on(m, self->path, depth);
		struct counts c = { { .add = add } };
		int ret = job_open(&j);

		if (ret == -EOPNOTSUPP) {
			TH_LOG("%s: %s", m->name, j.why);
			continue;
		}
		ASSERT_EQ(0, ret) {
			TH_LOG("%s: %s", m->name, j.why);
		}
		c.tally.until_ns = timeline_now() + 20 * NSEC_PER_SEC;
		EXPECT_EQ(0, job_run(&j, &c.tally)) {
			TH_LOG("%s", m->name);
		}
		EXPECT_EQ(c.added, c.tally.ops);
		EXPECT_LE(2 * (uint64_t)INSIDE, c.tally.ops) {
			TH_LOG("%s: %llu", m->name, (unsigned long long)c.tally.ops);
		}
		if (m->flags & JOB_WRITES)
			memset(j.buf, 0x77, j.block * j.depth);
		EXPECT_EQ(0, job_pass(&j));
		job_close(&j);
		job_close(&j);
		read_all(self->bytes, self->path);
		changes(self->bytes, &outside, &untouched);
		EXPECT_EQ(0, outside) {
			TH_LOG("%s writes outside its range", m->name);
		}
		if (m->flags & JOB_WRITES && !(m->flags & JOB_DRAM)) {
			EXPECT_EQ(0, untouched) {
				TH_LOG("%s skips blocks", m->name);
			}
		}
	}
}

TEST_F(bench_job, no_operation_after_the_time)
{
	struct bench_job j = job_on(job_method_find("buffered_read"), self->path, 1);
	struct counts c = { { .add = add, .until_ns = 1 } };

	ASSERT_EQ(0, job_open(&j));
	EXPECT_EQ(0, job_run(&j, &c.tally));
	EXPECT_EQ(0, c.tally.ops);
	job_close(&j);
}

TEST_F(bench_job, reads_are_of_the_file)
{
	struct bench_job j = job_on(job_method_find("buffered_read"), self->path, 1);

	ASSERT_EQ(0, job_open(&j));
	EXPECT_NE(FILL, j.buf[0]);
	EXPECT_EQ(0, job_pass(&j));
	EXPECT_EQ(FILL, j.buf[0]);
	EXPECT_EQ(FILL, j.buf[BLOCK - 1]);
	job_close(&j);
}

TEST_F(bench_job, invalid_numbers)
{
	struct bench_job j = job_on(job_method_find("load"), self->path, 1);

	j.block = 0;
	EXPECT_EQ(-EINVAL, job_open(&j));
	j.block = JOB_BLOCK_MAX + 1;
	EXPECT_EQ(-EINVAL, job_open(&j));
	j.block = BLOCK;
	j.depth = JOB_DEPTH_MAX + 1;
	EXPECT_EQ(-EINVAL, job_open(&j));
	j.depth = 1;
	j.start = 1;
	EXPECT_EQ(-EINVAL, job_open(&j));
	j.start = 0;
	j.bytes = BLOCK - 1;
	EXPECT_EQ(-EINVAL, job_open(&j));
}

TEST_F(bench_job, end_of_file)
{
	struct bench_job j = job_on(job_method_find("buffered_read"), self->path, 1);

	j.bytes = BLOCK * BLOCKS;
	ASSERT_EQ(0, job_open(&j));
	EXPECT_EQ(-ENODATA, job_pass(&j));
	job_close(&j);
}

TEST_F(bench_job, buffers_need_a_device)
{
	struct bench_job j = job_on(job_method_find("uring_user_buf_read"), self->path, 1);

	EXPECT_EQ(-EOPNOTSUPP, job_open(&j));
	EXPECT_NE('\0', j.why[0]);
}

TEST_HARNESS_MAIN
