// SPDX-License-Identifier: GPL-2.0-only
/* The kinds of memory, and what they say where nothing is offered. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/mem/memory.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

TEST(each_has_a_name_and_properties)
{
	const struct memory *m, *n;
	unsigned int nr = 0;

	for_each_memory(m) {
		EXPECT_NE('\0', m->name[0]);
		/* it is a word of the cell's name, between dots */
		EXPECT_EQ(NULL, strpbrk(m->name, ".- "));
		EXPECT_NE(NULL, m->what);
		EXPECT_NE(NULL, m->take);
		EXPECT_LT(m->largest, DAXMAP_NR);
		/* it is one of these, and no two */
		EXPECT_EQ(1, !!(m->caps & MEM_CHARDEV) + !!(m->caps & MEM_MOUNTED) +
			     !!(m->caps & MEM_BLOCK));
		for_each_memory(n)
			if (n != m)
				EXPECT_STRNE(m->name, n->name);
		nr++;
	}
	EXPECT_LE(7, nr);
}

TEST(they_come_by_their_order)
{
	const struct memory *m, *before = NULL;

	for_each_memory(m) {
		if (before)
			EXPECT_LE(before->order, m->order);
		before = m;
	}
}

TEST(files_are_on_a_file_system_that_can_be_made)
{
	const struct memory *m;

	for_each_memory(m) {
		EXPECT_EQ(!!(m->caps & MEM_MOUNTED), !!m->fs);
		if (!m->fs)
			continue;
		EXPECT_NE(NULL, m->fs->make);
		EXPECT_GT(m->fs->least, 0);
		EXPECT_NE(NULL, m->fs->check[0]);
	}
}

TEST(memory_is_selected_by_its_properties)
{
	const struct memory m = { .name = "m", .caps = MEM_MOUNTED | MEM_SHARES };
	const struct {
		struct mem_select s;
		bool selected;
	} t[] = {
		{ { 0 }, true },
		{ { .all = MEM_MOUNTED }, true },
		{ { .all = MEM_MOUNTED | MEM_CHARDEV }, false },
		{ { .all = MEM_MOUNTED, .none = MEM_SHARES }, false },
		{ { .none = MEM_CHARDEV }, true },
		{ { .only = "m" }, true },
		{ { .only = "other" }, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		EXPECT_EQ(t[i].selected, memory_selected(&t[i].s, &m))
			TH_LOG("case %zu", i);
	}
}

TEST(nothing_offered_is_said)
{
	struct memory_want want = { .size = DAXMAP_PTE, .bytes = 1u << 20 };
	struct guard *g = calloc(1, sizeof(*g));
	char why[WHY_LEN], path[NODE_LEN];
	const struct memory *m;
	struct test_mem v;

	ASSERT_NE(NULL, g);
	for_each_memory(m) {
		why[0] = '\0';
		EXPECT_NE(0, memory_take(m, g, &want, &v, why, sizeof(why)));
		EXPECT_NE('\0', why[0]);
	}
	why[0] = '\0';
	EXPECT_NE(0, memory_other(g, 4096, path, sizeof(path), why, sizeof(why)));
	EXPECT_NE('\0', why[0]);
	free(g);
}

TEST_HARNESS_MAIN
