// SPDX-License-Identifier: GPL-2.0
/* The table of lib/memory.c, and what it says where nothing is offered. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/mem/memory.h"

TEST(each_has_a_name_and_a_bit_of_its_own)
{
	unsigned int bits = 0;

	for (const struct memory *m = memories; m->name; m++) {
		EXPECT_NE('\0', m->name[0]);
		/* it is a word of the cell's name, between dots */
		EXPECT_EQ(NULL, strpbrk(m->name, ". "));
		EXPECT_NE(NULL, m->what);
		EXPECT_NE(NULL, m->take);
		EXPECT_LT(m->largest, DAXMAP_NR);
		EXPECT_NE(0, m->bit);
		EXPECT_EQ(0, m->bit & (m->bit - 1));
		EXPECT_EQ(0, m->bit & bits);
		bits |= m->bit;
		for (const struct memory *n = memories; n != m; n++)
			EXPECT_STRNE(m->name, n->name);
	}
	EXPECT_EQ(MEMORY_DEVDAX | MEMORY_FILES | MEMORY_BLOCKS | MEMORY_DYNAMIC, bits);
}

TEST(files_lie_on_what_can_be_made)
{
	for (const struct memory *m = memories; m->name; m++)
		if (m->bit & MEMORY_FILES)
			EXPECT_NE(NULL, fsdax_type_find(m->name));
}

TEST(nothing_offered_is_said)
{
	struct memory_want want = { .size = DAXMAP_PTE, .bytes = 1u << 20 };
	struct guard *g = calloc(1, sizeof(*g));
	char why[WHY_LEN], path[NODE_LEN];
	struct test_mem v;

	ASSERT_NE(NULL, g);
	for (const struct memory *m = memories; m->name; m++) {
		why[0] = '\0';
		EXPECT_NE(0, m->take(m, g, &want, &v, why, sizeof(why)));
		EXPECT_NE('\0', why[0]);
	}
	why[0] = '\0';
	EXPECT_NE(0, memory_other(g, 4096, path, sizeof(path), why, sizeof(why)));
	EXPECT_NE('\0', why[0]);
	free(g);
}

TEST_HARNESS_MAIN
