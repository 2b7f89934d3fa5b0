// SPDX-License-Identifier: GPL-2.0-only
/* The parts of lib/ktrace.c that need no tracefs. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/ktrace.h"

static const struct {
	const char *line;
	int pid;
	uint64_t ns;
	const char *text;
} events[] = {
	/* 5.10 */
	{
		"             drv-100     [000] ....    20.760968: kill_dax: (kill_dax+0x0/0x70)\n",
		100, 20760968000ULL, "kill_dax",
	},
	/* 7.3, with a name made to be misread */
	{
		" a b [01] 1.5: x-126     [001] d....    13.706606: memunmap_pages_return: (release_nodes+0x36/0xb0 <- memunmap_pages)\n",
		126, 13706606000ULL, "memunmap_pages returned",
	},
	/* thread group ids, no irq flags, a pid of seven digits */
	{
		"       dax_actor-4194303 (4194300) [011]  123456.000001: arch_remove_memory: (arch_remove_memory+0x4/0x40)\n",
		4194303, 123456000001000ULL, "arch_remove_memory",
	},
	/* the beginning of another event's name; no newline at the end */
	{
		"             drv-100     [000] ....    20.760968: memunmap_pages: (memunmap_pages+0x4/0x280)",
		100, 20760968000ULL, "memunmap_pages",
	},
};

TEST(lines_of_a_trace)
{
	const char *text;
	uint64_t ns;
	size_t i;
	int pid;

	for (i = 0; i < sizeof(events) / sizeof(*events); i++) {
		ASSERT_EQ(0, ktrace_parse_line(events[i].line, &pid, &ns, &text)) {
			TH_LOG("event %zu", i);
		}
		EXPECT_EQ(events[i].pid, pid);
		EXPECT_EQ(events[i].ns, ns);
		EXPECT_STREQ(events[i].text, text);
	}
}

TEST(lines_that_are_no_events)
{
	static const char *const none[] = {
		"", "\n", "# tracer: nop\n", "#\n", "short-1\n",
		"#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n",
		"CPU:1 [LOST 12 EVENTS]\n",
		"             drv-100     [000] ....    20.760968: other_event: (x)\n",
		"             drv-100     [000] ....    20.760968: kill_dax\n",
		"             drv-100     [000] ....    20: kill_dax: (kill_dax+0x0/0x70)\n",
		"             drv-        [000] ....\n",
		"             drv-100",
	};
	const char *text;
	uint64_t ns;
	size_t i;
	int pid;

	for (i = 0; i < sizeof(none) / sizeof(*none); i++)
		if (!ktrace_parse_line(none[i], &pid, &ns, &text))
			EXPECT_STREQ("", none[i]);
}

/* its trailing newline, and flags that stand in front of the result, do not matter */
TEST(ends_of_pmd_faults)
{
	static const char head[] = "      gup_devdax-321     [000] .....    12.345678: ";
	static const char fault[] =
		"dev 259:3 ino 0xd shared WRITE|USER address 0x200000 pgoff 0x0 max_pgoff 0x1000 ";
	static const struct {
		const char *event;
		const char *result;
		int ret;
		bool fallback;
	} lines[] = {
		{ "dax_pmd_fault_done: ", "NOPAGE\n", 0, false },
		{ "dax_pmd_fault_done: ", "NOPAGE|NEEDDSYNC\n", 0, false },
		{ "dax_pmd_fault_done: ", "FALLBACK\n", 0, true },
		{ "dax_pmd_fault_done: ", "MAJOR|FALLBACK", 0, true },
		{ "dax_pmd_fault: ", "\n", -EINVAL, false },
		{ "dax_pte_fault_done: ", "NOPAGE\n", -EINVAL, false },
	};
	char line[512];

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		bool fallback = false;
		int tid = 0;

		snprintf(line, sizeof(line), "%s%s%s%s", head, lines[i].event, fault,
			 lines[i].result);
		ASSERT_EQ(lines[i].ret, ktrace_parse_fault(line, &tid, &fallback)) {
			TH_LOG("line %zu", i);
		}
		EXPECT_EQ(lines[i].fallback, fallback);
		if (!lines[i].ret)
			EXPECT_EQ(321, tid);
	}
}

TEST(only_groups_of_the_suite_are_removed)
{
	static const char *const bad[] = {
		"ksft_dax_", "ksft_dax_1/../x", "ksft_dax_1x", "kprobes", "ksft_dax_ 1", "../x",
	};
	struct ktrace t = { .group = "" };
	struct ktrace_faults faults;
	size_t i;
	char buf[8];

	EXPECT_EQ(0, ktrace_destroy(&t));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		memset(&t, 0, sizeof(t));
		snprintf(t.group, sizeof(t.group), "%s", bad[i]);
		EXPECT_EQ(-EINVAL, ktrace_destroy(&t));
		EXPECT_EQ(-EINVAL, ktrace_clear(&t));
		EXPECT_EQ(-EINVAL, ktrace_read(&t, 0, 0, buf, sizeof(buf)));
		EXPECT_EQ(-EINVAL, ktrace_faults_on(&t));
		EXPECT_EQ(-EINVAL, ktrace_faults_read(&t, 1, &faults));
	}
	/* overwritten, without a NUL */
	memset(t.group, '1', sizeof(t.group));
	memcpy(t.group, KTRACE_PREFIX, strlen(KTRACE_PREFIX));
	EXPECT_EQ(-EINVAL, ktrace_destroy(&t));
}

TEST_HARNESS_MAIN
