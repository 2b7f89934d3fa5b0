// SPDX-License-Identifier: GPL-2.0-only
/* lib/ns/dynamic.c on a fake machine: regions whose devices can be made and resized. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>

#include "kselftest_harness.h"
#include "machine.h"

/* daxN.M with some bytes in a region that may be divided, or may not */
static void make_dynamic(struct machine *m, int region, int n, const char *size, bool may)
{
	char path[128], target[128];

	snprintf(path, sizeof(path), "devices/hmem.%d/dax_region/id", region);
	put(m->sys, path, region ? "1\n" : "0\n");
	snprintf(path, sizeof(path), "devices/hmem.%d/dax_region/create", region);
	if (may)
		put(m->sys, path, "0\n");
	snprintf(path, sizeof(path), "devices/hmem.%d/dax%d.%d/size", region, region, n);
	put(m->sys, path, size);
	snprintf(path, sizeof(path), "devices/hmem.%d/dax%d.%d/align", region, region, n);
	put(m->sys, path, "2097152\n");
	snprintf(path, sizeof(path), "devices/hmem.%d/dax%d.%d/dev", region, region, n);
	put(m->sys, path, "252:0\n");
	snprintf(path, sizeof(path), "devices/hmem.%d/dax%d.%d/mapping0/start", region, region, n);
	put(m->sys, path, "0x140000000\n");
	snprintf(path, sizeof(path), "devices/hmem.%d/dax%d.%d/mapping0/end", region, region, n);
	put(m->sys, path, "0x14fffffff\n");
	snprintf(path, sizeof(path), "bus/dax/devices/dax%d.%d", region, n);
	snprintf(target, sizeof(target), "../../../devices/hmem.%d/dax%d.%d", region, region, n);
	put_link(m->sys, path, target);
	snprintf(path, sizeof(path), "dax%d.%d", region, n);
	put(m->dev, path, "");
}

FIXTURE(region) {
	struct machine m;
	struct ns_set set;
	char why[WHY_LEN];
};

FIXTURE_SETUP(region)
{
	make_machine(&self->m);
}

FIXTURE_TEARDOWN(region)
{
	remove_tree(self->m.top);
}

#define FIND(id) dynamic_find_in(&self->m.env, &self->set, id, self->why, sizeof(self->why))
#define EXPECT_WHY(word) EXPECT_STREQ("", lacks(self->why, word))

TEST_F(region, a_region_is_offered_by_its_id)
{
	make_dynamic(&self->m, 0, 0, "268435456\n", true);
	make_dynamic(&self->m, 1, 0, "268435456\n", true);
	ASSERT_EQ(0, FIND("1")) TH_LOG("%s", self->why);
	EXPECT_STREQ("dax1.0", self->set.dynamic.first);
	EXPECT_EQ(256 * MIB, self->set.dynamic.was.size);
	EXPECT_EQ(0x140000000ull, self->set.dynamic.was.start);
	EXPECT_STREQ("hmem.1", self->set.dynamic.was.provider);
}

TEST_F(region, no_region_is_none)
{
	make_dynamic(&self->m, 0, 0, "268435456\n", true);
	ASSERT_EQ(0, FIND(NULL));
	ASSERT_EQ(0, FIND(""));
	EXPECT_STREQ("", self->set.dynamic.first);
}

TEST_F(region, a_region_that_cannot_be_is_refused)
{
	make_dynamic(&self->m, 0, 0, "268435456\n", false);
	EXPECT_EQ(-EINVAL, FIND("7"));
	EXPECT_WHY("names no dax region");
	EXPECT_EQ(-EINVAL, FIND("../0"));
	EXPECT_WHY("no number");
	EXPECT_EQ(-EINVAL, FIND("0"));
	EXPECT_WHY("static");
	EXPECT_STREQ("", self->set.dynamic.first);
}

TEST_F(region, a_region_that_others_live_in_is_refused)
{
	make_dynamic(&self->m, 0, 0, "134217728\n", true);
	make_dynamic(&self->m, 0, 1, "0\n", true);
	ASSERT_EQ(0, FIND("0")) TH_LOG("%s", self->why);
	make_dynamic(&self->m, 0, 1, "134217728\n", true);
	EXPECT_EQ(-EBUSY, FIND("0"));
	EXPECT_WHY("dax0.1");
	EXPECT_STREQ("", self->set.dynamic.first);
}

TEST_HARNESS_MAIN
