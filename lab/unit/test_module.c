// SPDX-License-Identifier: GPL-2.0-only
/* lib/module.c: what can be said without loading anything. */
#include <errno.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/module.h"

#define NONSENSE	"ksft_dax_no_such_module"

TEST(absent_is_not_loaded)
{
	EXPECT_FALSE(module_loaded(NONSENSE));
	EXPECT_LT(module_load(NONSENSE, NULL), 0);
	EXPECT_LT(module_load(NONSENSE, "option=1"), 0);
	EXPECT_FALSE(module_loaded(NONSENSE));
}

TEST(absent_is_not_unloaded)
{
	if (geteuid())
		SKIP(return, "only root may unload modules");
	if (access("/proc/modules", F_OK))
		SKIP(return, "a kernel without modules");
	EXPECT_EQ(module_unload(NONSENSE), -ENOENT);
}

/* it has parameters, so that it is in /sys/module although it is built in */
TEST(built_in_counts_as_loaded)
{
	EXPECT_TRUE(module_loaded("kernel"));
}

TEST_HARNESS_MAIN
