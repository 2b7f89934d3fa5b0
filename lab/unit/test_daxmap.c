// SPDX-License-Identifier: GPL-2.0-only
/* lib/daxmap.c, on memory files: where mappings go, and how faults are counted. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/daxmap.h"

#define RW	(PROT_READ | PROT_WRITE)

FIXTURE(daxmap) {
	size_t page, pmd, pud;
	int fd;
	char path[32];
	struct daxmap m;
};

FIXTURE_SETUP(daxmap)
{
	self->page = daxmap_bytes(DAXMAP_PTE);
	self->pmd = daxmap_bytes(DAXMAP_PMD);
	self->pud = daxmap_bytes(DAXMAP_PUD);
	self->fd = memfd_create("daxmap", MFD_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	/* holes only: takes no memory before it is touched */
	ASSERT_EQ(ftruncate(self->fd, 4 * self->pud), 0);
	snprintf(self->path, sizeof(self->path), "/proc/self/fd/%d", self->fd);
	self->m.fd = -1;
}

FIXTURE_TEARDOWN(daxmap)
{
	daxmap_close(&self->m);
	close(self->fd);
}

static bool is_mapped(void *addr)
{
	unsigned char vec;

	return !mincore(addr, 1, &vec);
}

TEST(levels_follow_the_page_size)
{
	size_t page = sysconf(_SC_PAGESIZE);

	EXPECT_EQ(daxmap_bytes(DAXMAP_PTE), page);
	EXPECT_EQ(daxmap_bytes(DAXMAP_PMD), page * page / 8);
	EXPECT_EQ(daxmap_bytes(DAXMAP_PUD), page * page / 8 * page / 8);
	EXPECT_STREQ(daxmap_name(DAXMAP_PTE), "pte");
	EXPECT_STREQ(daxmap_name(DAXMAP_PMD), "pmd");
	EXPECT_STREQ(daxmap_name(DAXMAP_PUD), "pud");
}

/* congruent at its own level, not at the next; across a PUD boundary if small */
TEST_F(daxmap, is_well_placed)
{
	enum daxmap_size size;
	size_t units, shift;

	for (size = DAXMAP_PTE; size < DAXMAP_NR; size++) {
		size_t entry = daxmap_bytes(size);
		size_t next = size == DAXMAP_PUD ? 0 : daxmap_bytes(size + 1);

		for (units = 1; units <= 3; units++)
			for (shift = 0; shift < 2; shift++) {
				uintptr_t addr;

				ASSERT_EQ(daxmap_open(&self->m, self->path, size, shift * entry,
						      units * entry, RW), 0);
				addr = (uintptr_t)self->m.addr;
				EXPECT_EQ(self->m.len, units * entry);
				EXPECT_EQ(self->m.off, (off_t)(shift * entry));
				EXPECT_EQ(addr % entry, 0);
				if (next)
					EXPECT_NE(addr % next, shift * entry % next);
				if (units == 3 && entry < self->pud)
					EXPECT_NE(addr / self->pud,
						  (addr + self->m.len - 1) / self->pud);
				daxmap_close(&self->m);
			}
	}
}

TEST_F(daxmap, is_in_the_middle_of_a_boundary)
{
	size_t len = 16 * self->pmd;
	uintptr_t middle;

	ASSERT_EQ(daxmap_open(&self->m, self->path, DAXMAP_PMD, 0, len, RW), 0);
	middle = (uintptr_t)self->m.addr + len / 2;
	EXPECT_LE((middle + self->pmd) % self->pud, 2 * self->pmd);
}

TEST_F(daxmap, gives_the_slack_back)
{
	ASSERT_EQ(daxmap_open(&self->m, self->path, DAXMAP_PTE, 0, 4 * self->page, RW), 0);
	EXPECT_TRUE(is_mapped(self->m.addr));
	EXPECT_TRUE(is_mapped((char *)self->m.addr + 3 * self->page));
	EXPECT_FALSE(is_mapped((char *)self->m.addr - self->page));
	EXPECT_FALSE(is_mapped((char *)self->m.addr + 4 * self->page));
}

TEST_F(daxmap, maps_the_bytes_at_its_offset)
{
	static const char text[] = "here";

	ASSERT_EQ(pwrite(self->fd, text, sizeof(text), 3 * self->page), sizeof(text));
	ASSERT_EQ(daxmap_open(&self->m, self->path, DAXMAP_PTE, 3 * self->page, self->page, RW),
		  0);
	EXPECT_STREQ((char *)self->m.addr, text);
	/* shared: a store gets to the file */
	((char *)self->m.addr)[0] = 'w';
	EXPECT_EQ(pread(self->fd, self->path, sizeof(text), 3 * self->page), sizeof(text));
	EXPECT_STREQ(self->path, "were");
}

TEST_F(daxmap, private_stores_stay_there)
{
	char c = 'f';

	ASSERT_EQ(pwrite(self->fd, &c, 1, 0), 1);
	ASSERT_EQ(daxmap_open_as(&self->m, self->path, DAXMAP_PTE, 0, self->page, RW,
				 MAP_PRIVATE), 0);
	for (int round = 0; round < 2; round++) {
		EXPECT_EQ(((char *)self->m.addr)[0], 'f');
		((char *)self->m.addr)[0] = 'm';
		EXPECT_EQ(pread(self->fd, &c, 1, 0), 1);
		EXPECT_EQ(c, 'f');
		/* mapped anew it is private again */
		ASSERT_EQ(daxmap_unmap(&self->m), 0);
		ASSERT_EQ(daxmap_remap(&self->m, RW), 0);
	}
}

TEST_F(daxmap, sync_is_for_dax_only)
{
	EXPECT_EQ(daxmap_open_as(&self->m, self->path, DAXMAP_PTE, 0, self->page, RW,
				 MAP_SHARED_VALIDATE | MAP_SYNC), -EOPNOTSUPP);
	EXPECT_EQ(self->m.addr, NULL);
}

TEST_F(daxmap, length_0_is_the_rest)
{
	ASSERT_EQ(daxmap_open(&self->m, self->path, DAXMAP_PUD, self->pud, 0, PROT_READ), 0);
	EXPECT_EQ(self->m.len, 3 * self->pud);
	daxmap_close(&self->m);
	EXPECT_EQ(daxmap_open(&self->m, self->path, DAXMAP_PUD, 4 * self->pud, 0, PROT_READ),
		  -EINVAL);
}

TEST_F(daxmap, refusals_are_the_kernels_own)
{
	EXPECT_EQ(daxmap_open(&self->m, "/nonexistent", DAXMAP_PTE, 0, 0, RW), -ENOENT);
	EXPECT_EQ(self->m.fd, -1);
	EXPECT_EQ(daxmap_open(&self->m, self->path, DAXMAP_PTE, 512, self->page, RW), -EINVAL);
	EXPECT_EQ(self->m.addr, NULL);
	EXPECT_EQ(self->m.fd, -1);
}

TEST_F(daxmap, read_only_stays_so)
{
	ASSERT_EQ(daxmap_open(&self->m, self->path, DAXMAP_PTE, 0, self->page, PROT_READ), 0);
	EXPECT_EQ(mprotect(self->m.addr, self->page, RW), -1);
	EXPECT_EQ(errno, EACCES);
}

TEST_F(daxmap, closes_once)
{
	int fd;

	ASSERT_EQ(daxmap_open(&self->m, self->path, DAXMAP_PTE, 0, self->page, RW), 0);
	fd = self->m.fd;
	EXPECT_EQ(daxmap_unmap(&self->m), 0);
	EXPECT_EQ(self->m.addr, NULL);
	EXPECT_EQ(daxmap_unmap(&self->m), 0);
	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	daxmap_close(&self->m);
	EXPECT_EQ(fcntl(fd, F_GETFD), -1);
	/* whoever gets the number next must not lose it */
	ASSERT_EQ(dup2(self->fd, fd), fd);
	daxmap_close(&self->m);
	EXPECT_GE(fcntl(fd, F_GETFD), 0);
	close(fd);
}

TEST_F(daxmap, counts_a_fault_for_each_page)
{
	unsigned long faults = 0;

	ASSERT_EQ(daxmap_open(&self->m, self->path, DAXMAP_PTE, 0, 300 * self->page, RW), 0);
	EXPECT_EQ(daxmap_touch(&self->m, 10 * self->page, 7 * self->page, true, &faults), 0);
	EXPECT_EQ(faults, 7);
	EXPECT_EQ(daxmap_touch(&self->m, 10 * self->page, 7 * self->page, true, &faults), 0);
	EXPECT_EQ(faults, 0);
	EXPECT_EQ(daxmap_touch(&self->m, 10 * self->page, 8 * self->page, true, NULL), 0);
}

TEST_F(daxmap, touching_changes_nothing)
{
	uint64_t *word;

	ASSERT_EQ(daxmap_open(&self->m, self->path, DAXMAP_PTE, 0, 2 * self->page, RW), 0);
	word = self->m.addr;
	word[0] = 0x1122334455667788;
	word[1] = 1;
	EXPECT_EQ(daxmap_touch(&self->m, 0, 2 * self->page, true, NULL), 0);
	EXPECT_EQ(daxmap_touch(&self->m, 0, 2 * self->page, false, NULL), 0);
	EXPECT_EQ(word[0], 0x1122334455667788);
	EXPECT_EQ(word[1], 1);
}

/* MADV_NOHUGEPAGE: what the machine does with huge shared memory is its affair */
TEST_F(daxmap, proves_base_pages)
{
	unsigned long faults = 0;

	ASSERT_EQ(daxmap_open(&self->m, self->path, DAXMAP_PTE, 0, 300 * self->page, RW), 0);
	madvise(self->m.addr, self->m.len, MADV_NOHUGEPAGE);
	EXPECT_EQ(daxmap_prove(&self->m, true, &faults), 0);
	EXPECT_EQ(faults, 300);
	/* no longer fresh: nothing is proven any more */
	EXPECT_EQ(daxmap_prove(&self->m, true, &faults), -ERANGE);
	EXPECT_EQ(faults, 0);
}

TEST_F(daxmap, base_pages_are_no_huge_ones)
{
	unsigned long faults = 0;

	ASSERT_EQ(daxmap_open(&self->m, self->path, DAXMAP_PMD, 0, 2 * self->pmd, RW), 0);
	madvise(self->m.addr, self->m.len, MADV_NOHUGEPAGE);
	EXPECT_EQ(daxmap_prove(&self->m, true, &faults), -ERANGE);
	EXPECT_EQ(faults, 2 * self->pmd / self->page);
	daxmap_close(&self->m);

	ASSERT_EQ(daxmap_open(&self->m, self->path, DAXMAP_PUD, 0, self->pud, RW), 0);
	madvise(self->m.addr, self->m.len, MADV_NOHUGEPAGE);
	/* from the second on: what was touched above is there already */
	EXPECT_EQ(daxmap_prove(&self->m, true, &faults), -ERANGE);
	EXPECT_GE(faults, self->pud / self->pmd);
}

TEST_HARNESS_MAIN
