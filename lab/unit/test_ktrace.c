// SPDX-License-Identifier: GPL-2.0
/* The parts of lib/ktrace.c that need no tracefs. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "kselftest_harness.h"
#include "ktrace.h"

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

TEST(only_what_is_ours_is_removed)
{
	static const char *const bad[] = {
		"ksft_dax_", "ksft_dax_1/../x", "ksft_dax_1x", "kprobes", "ksft_dax_ 1", "../x",
	};
	struct ktrace t = { .group = "" };
	size_t i;
	char buf[8];

	EXPECT_EQ(0, ktrace_destroy(&t));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		memset(&t, 0, sizeof(t));
		snprintf(t.group, sizeof(t.group), "%s", bad[i]);
		EXPECT_EQ(-EINVAL, ktrace_destroy(&t));
		EXPECT_EQ(-EINVAL, ktrace_clear(&t));
		EXPECT_EQ(-EINVAL, ktrace_read(&t, 0, 0, buf, sizeof(buf)));
	}
	/* scribbled over, without an end */
	memset(t.group, '1', sizeof(t.group));
	memcpy(t.group, KTRACE_PREFIX, strlen(KTRACE_PREFIX));
	EXPECT_EQ(-EINVAL, ktrace_destroy(&t));
}

TEST_HARNESS_MAIN
