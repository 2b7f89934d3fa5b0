// SPDX-License-Identifier: GPL-2.0
/* lib/iojob.c: each job moves its blocks, all of them and no others. */
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

/* enough to go round the range is enough, however long it takes */
static void add(struct job_tally *t, uint64_t ns)
{
	(void)ns;
	if (++((struct counts *)t)->added >= 2 * INSIDE)
		t->until_ns = 0;
}

FIXTURE(iojob) {
	char path[64];
	unsigned char bytes[BLOCK * BLOCKS];
};

FIXTURE_SETUP(iojob)
{
	int fd;

	/* not in memory: O_DIRECT is refused there */
	snprintf(self->path, sizeof(self->path), "/var/tmp/iojob.XXXXXX");
	fd = mkstemp(self->path);
	ASSERT_LE(0, fd);
	memset(self->bytes, FILL, sizeof(self->bytes));
	ASSERT_EQ((ssize_t)sizeof(self->bytes), write(fd, self->bytes, sizeof(self->bytes)));
	close(fd);
}

FIXTURE_TEARDOWN(iojob)
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

/* bytes that are not as they were, outside the range; and blocks that are, inside */
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

TEST_F(iojob, each_moves_all_of_its_range)
{
	for (const struct job_method *m = job_methods; m->name; m++) {
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
			TH_LOG("%s writes beside its range", m->name);
		}
		if (m->flags & JOB_WRITES && !(m->flags & JOB_DRAM)) {
			EXPECT_EQ(0, untouched) {
				TH_LOG("%s leaves blocks out", m->name);
			}
		}
	}
}

TEST_F(iojob, no_operation_after_the_time)
{
	struct bench_job j = job_on(job_find("buffered_read"), self->path, 1);
	struct counts c = { { .add = add, .until_ns = 1 } };

	ASSERT_EQ(0, job_open(&j));
	EXPECT_EQ(0, job_run(&j, &c.tally));
	EXPECT_EQ(0, c.tally.ops);
	job_close(&j);
}

TEST_F(iojob, reads_are_of_the_file)
{
	struct bench_job j = job_on(job_find("buffered_read"), self->path, 1);

	ASSERT_EQ(0, job_open(&j));
	EXPECT_NE(FILL, j.buf[0]);
	EXPECT_EQ(0, job_pass(&j));
	EXPECT_EQ(FILL, j.buf[0]);
	EXPECT_EQ(FILL, j.buf[BLOCK - 1]);
	job_close(&j);
}

TEST_F(iojob, numbers_that_make_no_sense)
{
	struct bench_job j = job_on(job_find("load"), self->path, 1);

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

TEST_F(iojob, a_file_that_ends_is_told)
{
	struct bench_job j = job_on(job_find("buffered_read"), self->path, 1);

	j.bytes = BLOCK * BLOCKS;
	ASSERT_EQ(0, job_open(&j));
	EXPECT_EQ(-ENODATA, job_pass(&j));
	job_close(&j);
}

TEST_F(iojob, lent_buffers_want_a_lender)
{
	struct bench_job j = job_on(job_find("uring_lent_read"), self->path, 1);

	EXPECT_EQ(-EOPNOTSUPP, job_open(&j));
	EXPECT_NE('\0', j.why[0]);
}

TEST_HARNESS_MAIN
