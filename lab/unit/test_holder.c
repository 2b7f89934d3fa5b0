// SPDX-License-Identifier: GPL-2.0-only
/*
 * lib/holder/ on a temporary file.  Truncating the file takes the memory away: the
 * next access to a mapping raises SIGBUS, as after an unbind.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/holder/holder.h"
#include "lib/pattern.h"

#define TAG	0x1234
#define PROT	(PROT_READ | PROT_WRITE)

FIXTURE(holder) {
	struct timeline *tl;
	struct pin_proc h;
	char path[64];
	int fd;
	size_t page;
	size_t len;
};

FIXTURE_SETUP(holder)
{
	self->tl = mmap(NULL, sizeof(*self->tl), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->tl);
	self->page = sysconf(_SC_PAGESIZE);
	self->len = 16 * self->page;
	snprintf(self->path, sizeof(self->path), "/tmp/test_holder-XXXXXX");
	self->fd = mkstemp(self->path);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, self->len));
	ASSERT_EQ(0, pin_proc_start(&self->h, self->tl, NULL));
}

FIXTURE_TEARDOWN(holder)
{
	if (self->h.pid > 0) {
		pin_proc_kill(&self->h);
		EXPECT_EQ(0, pin_proc_reap(&self->h, 10 * NSEC_PER_SEC));
	}
	close(self->fd);
	unlink(self->path);
	munmap(self->tl, sizeof(*self->tl));
}

#define MAP_FILE_RW() pin_proc_map(&self->h, 0, self->path, DAXMAP_PTE, 0, self->len, PROT)

TEST_F(holder, a_failure_names_its_step)
{
	EXPECT_EQ(-ENOENT, pin_proc_map(&self->h, 0, "/none", DAXMAP_PTE, 0,
					self->len, PROT));
	EXPECT_STREQ("mapping /none", self->h.why);
	EXPECT_EQ(-EINVAL, pin_proc_touch(&self->h, 0, 0));
	EXPECT_STREQ("touching the mapping", self->h.why);
	ASSERT_EQ(0, MAP_FILE_RW());
	EXPECT_STREQ("", self->h.why);
	pin_proc_kill(&self->h);
	EXPECT_EQ(-EPIPE, pin_proc_move(&self->h, 0));
	EXPECT_STREQ("mremap()", self->h.why);
}

TEST_F(holder, it_is_in_a_session_of_its_own)
{
	/* it is there when it has answered, whatever it says */
	pin_proc_touch(&self->h, 0, 0);
	EXPECT_EQ(self->h.pid, getsid(self->h.pid));
}

TEST_F(holder, it_ends_when_told_to)
{
	pid_t pid = self->h.pid;

	EXPECT_EQ(0, pin_proc_end(&self->h));
	EXPECT_EQ(-1, kill(pid, 0));
	EXPECT_EQ(-EPIPE, pin_proc_touch(&self->h, 0, 0));
	self->h.pid = 0;
}

TEST_F(holder, the_error_of_a_command_is_handed_on)
{
	EXPECT_EQ(-ENOENT, pin_proc_map(&self->h, 0, "/nonexistent", DAXMAP_PTE, 0, self->len,
					PROT));
	EXPECT_EQ(-EINVAL, pin_proc_touch(&self->h, 0, 0));
}

TEST_F(holder, what_it_writes_is_in_the_file)
{
	char *mem = mmap(NULL, self->len, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, MAP_FILE_RW());
	EXPECT_EQ(0, pin_proc_fill(&self->h, 0, self->page, self->page, TAG));
	EXPECT_EQ(0, pattern_check(mem + self->page, self->page, TAG, self->page, NULL));
	EXPECT_EQ(0, pin_proc_check(&self->h, 0, self->page, self->page, TAG));
	munmap(mem, self->len);
}

TEST_F(holder, it_writes_the_words_of_a_sample_and_no_others)
{
	const char zeroes[64] = { 0 };
	char *mem = mmap(NULL, self->len, PROT_READ, MAP_SHARED, self->fd, 0);
	size_t page = self->page;

	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, MAP_FILE_RW());
	EXPECT_EQ(-EILSEQ, pin_proc_check_sampled(&self->h, 0, page, page, 512, TAG));
	EXPECT_EQ(0, pin_proc_fill_sampled(&self->h, 0, page, page, 512, TAG));
	EXPECT_EQ(0, pin_proc_check_sampled(&self->h, 0, page, page, 512, TAG));
	EXPECT_EQ(0, pattern_check(mem + page + 512, 8, TAG, page + 512, NULL));
	EXPECT_EQ(0, memcmp(mem + page + 8, zeroes, sizeof(zeroes)));
	EXPECT_EQ(0, memcmp(mem + page - 64, zeroes, sizeof(zeroes)));
	EXPECT_EQ(0, memcmp(mem + 2 * page, zeroes, sizeof(zeroes)));
	munmap(mem, self->len);
}

TEST_F(holder, offsets_count_from_the_start_of_the_device)
{
	char *mem = mmap(NULL, self->len, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, pin_proc_map(&self->h, 0, self->path, DAXMAP_PTE, 2 * self->page,
				  2 * self->page, PROT));
	EXPECT_EQ(0, pin_proc_fill(&self->h, 0, self->page, self->page, TAG));
	EXPECT_EQ(0, pattern_check(mem + 3 * self->page, self->page, TAG, 3 * self->page, NULL));
	munmap(mem, self->len);
}

TEST_F(holder, a_wrong_byte_is_found_and_named)
{
	uint64_t wrong = ~0ull;

	ASSERT_EQ(0, MAP_FILE_RW());
	ASSERT_EQ(0, pin_proc_fill(&self->h, 0, 0, self->len, TAG));
	EXPECT_EQ(0, pin_proc_check_sampled(&self->h, 0, 0, self->len, self->page, TAG));
	ASSERT_EQ(8, pwrite(self->fd, &wrong, 8, 3 * self->page));
	EXPECT_EQ(-EILSEQ, pin_proc_check(&self->h, 0, 0, self->len, TAG));
	EXPECT_NE('\0', self->h.why[0]);
	EXPECT_EQ(-EILSEQ, pin_proc_check_sampled(&self->h, 0, 0, self->len, self->page, TAG));
	/* and a sample that steps over it does not see it */
	EXPECT_EQ(0, pin_proc_check_sampled(&self->h, 0, 0, self->len, 2 * self->page, TAG));
}

TEST_F(holder, a_touch_of_what_is_gone_is_no_death)
{
	ASSERT_EQ(0, MAP_FILE_RW());
	EXPECT_EQ(0, pin_proc_touch(&self->h, 0, 0));
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	EXPECT_EQ(-EFAULT, pin_proc_touch(&self->h, 0, 0));
	ASSERT_EQ(0, ftruncate(self->fd, self->len));
	EXPECT_EQ(0, pin_proc_touch(&self->h, 0, 0));
	/* only a thread that was asked to watch marks it */
	EXPECT_EQ(0, timeline_at(self->tl, TL_REVOKED));
}

TEST_F(holder, the_watcher_marks_the_revocation)
{
	uint64_t cut;

	ASSERT_EQ(0, MAP_FILE_RW());
	ASSERT_EQ(0, pin_proc_watch(&self->h, 0, 0));
	usleep(20000);
	EXPECT_EQ(0, timeline_at(self->tl, TL_REVOKED));
	cut = timeline_now();
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	EXPECT_EQ(0, timeline_wait_for(self->tl, TL_REVOKED, 10 * NSEC_PER_SEC));
	EXPECT_LE(cut, timeline_at(self->tl, TL_REVOKED));
}

TEST_F(holder, the_hammer_goes_on_after_a_revocation)
{
	unsigned long rounds = 0;

	ASSERT_EQ(0, MAP_FILE_RW());
	ASSERT_EQ(0, pin_proc_store_loop(&self->h, 0));
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	EXPECT_EQ(0, timeline_wait_for(self->tl, TL_REVOKED, 10 * NSEC_PER_SEC));
	ASSERT_EQ(0, ftruncate(self->fd, self->len));
	EXPECT_EQ(0, pin_proc_stop_threads(&self->h, &rounds));
	EXPECT_LT(0, rounds);
}

TEST_F(holder, threads_come_to_rest_and_start_again)
{
	unsigned long rounds = 0;

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, pin_proc_remap_loop(&self->h, self->path, DAXMAP_PTE, true));
		EXPECT_EQ(0, pin_proc_wait_iteration(&self->h));
		EXPECT_EQ(0, pin_proc_stop_threads(&self->h, &rounds));
		EXPECT_LT(0, rounds);
	}
}

TEST_F(holder, an_unmapped_slot_is_refused)
{
	ASSERT_EQ(0, MAP_FILE_RW());
	EXPECT_EQ(0, pin_proc_unmap(&self->h, 0));
	EXPECT_EQ(-EINVAL, pin_proc_touch(&self->h, 0, 0));
	EXPECT_EQ(0, pin_proc_close(&self->h, 0));
	EXPECT_EQ(0, pin_proc_close(&self->h, 0));
}

/* bytes in a pipe are a pin that any memory can have */
TEST_F(holder, a_pin_lives_until_it_is_released)
{
	const struct pin_method *m = pin_method_find("vmsplice");

	ASSERT_NE(NULL, m);
	ASSERT_EQ(0, MAP_FILE_RW());
	ASSERT_EQ(0, pin_proc_fill(&self->h, 0, 0, self->len, TAG));
	EXPECT_EQ(0, pin_proc_live(&self->h, 0));
	ASSERT_EQ(0, pin_proc_pin(&self->h, 0, m, 0, self->page, self->page, 0, TAG));
	EXPECT_EQ(1, pin_proc_live(&self->h, 0));
	EXPECT_EQ(0, timeline_at(self->tl, TL_RELEASING));
	EXPECT_EQ(0, pin_proc_release(&self->h, 0));
	EXPECT_EQ(0, pin_proc_live(&self->h, 0));
	EXPECT_NE(0, timeline_at(self->tl, TL_RELEASING));
	EXPECT_LE(timeline_at(self->tl, TL_RELEASING), timeline_at(self->tl, TL_RELEASED));
	EXPECT_EQ(-ENOENT, pin_proc_release(&self->h, 0));
}

TEST_F(holder, a_pin_that_brings_other_bytes_is_told)
{
	const struct pin_method *m = pin_method_find("vmsplice");

	ASSERT_EQ(0, MAP_FILE_RW());
	ASSERT_EQ(0, pin_proc_fill(&self->h, 0, 0, self->len, TAG));
	ASSERT_EQ(0, pin_proc_pin(&self->h, 0, m, 0, 0, self->page, 0, TAG));
	ASSERT_EQ(0, pin_proc_fill(&self->h, 0, 0, self->page, TAG + 1));
	EXPECT_EQ(-EILSEQ, pin_proc_release(&self->h, 0));
	EXPECT_NE('\0', self->h.why[0]);
}

TEST_F(holder, a_refused_pin_leaves_nothing_behind)
{
	const struct pin_method *m = pin_method_find("vmsplice");

	/* nothing is mapped: the address is none */
	EXPECT_NE(0, pin_proc_pin(&self->h, 0, m, 1, 0, self->page, 0, TAG));
	EXPECT_EQ(0, pin_proc_live(&self->h, 0));
}

TEST_F(holder, an_heir_outlives_its_maker)
{
	pid_t heir = 0;

	ASSERT_EQ(0, MAP_FILE_RW());
	ASSERT_EQ(0, pin_proc_fork_child(&self->h, &heir));
	pin_proc_kill(&self->h);
	EXPECT_EQ(0, pin_proc_reap(&self->h, 10 * NSEC_PER_SEC));
	EXPECT_EQ(0, kill(heir, 0));
	kill(heir, SIGKILL);
}

TEST_F(holder, a_dead_one_does_not_answer)
{
	kill(self->h.pid, SIGKILL);
	EXPECT_EQ(-EPIPE, pin_proc_touch(&self->h, 0, 0));
	EXPECT_EQ(0, pin_proc_reap(&self->h, 10 * NSEC_PER_SEC));
}

/* whoever cleans up knows whether letting go of the pins is safe: it must not */
TEST_F(holder, one_whose_driver_is_gone_keeps_its_pins)
{
	pid_t pid = self->h.pid;

	close(self->h.sock);
	usleep(100000);
	EXPECT_EQ(0, kill(pid, 0));
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	self->h.pid = 0;
}

TEST_HARNESS_MAIN
