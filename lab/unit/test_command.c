// SPDX-License-Identifier: GPL-2.0-only
/* lib/command.c, with programs that every system has. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/command.h"

TEST(success_and_failure)
{
	const char *const good[] = { "true", NULL }, *const bad[] = { "false", NULL };
	char why[64];
	int status = -1;

	EXPECT_EQ(0, command_run(good, NULL, why, sizeof(why)));
	EXPECT_EQ(0, command_run(good, &status, why, sizeof(why)));
	EXPECT_EQ(0, status);
	/* who asks for the status judges it himself */
	EXPECT_EQ(-EIO, command_run(bad, NULL, why, sizeof(why)));
	EXPECT_EQ(0, command_run(bad, &status, why, sizeof(why)));
	EXPECT_EQ(1, status);
}

TEST(its_own_exit_status)
{
	const char *const argv[] = { "sh", "-c", "exit 42", NULL };
	char why[64];
	int status = -1;

	EXPECT_EQ(0, command_run(argv, &status, why, sizeof(why)));
	EXPECT_EQ(42, status);
}

TEST(who_dies_of_a_signal_has_none)
{
	const char *const argv[] = { "sh", "-c", "kill -9 $$", NULL };
	char why[64];
	int status = 7;

	EXPECT_EQ(-EIO, command_run(argv, &status, why, sizeof(why)));
	EXPECT_EQ(7, status);
}

TEST(a_missing_program_is_named)
{
	const char *const argv[] = { "no-such-program-of-ours", NULL };
	char why[64];

	EXPECT_EQ(-ENOENT, command_run(argv, NULL, why, sizeof(why)));
	EXPECT_NE(NULL, strstr(why, argv[0]));
	EXPECT_FALSE(command_exists(argv[0]));
	EXPECT_TRUE(command_exists("sh"));
}

TEST(path_does_not_matter)
{
	const char *const argv[] = { "true", NULL };
	char why[64];

	ASSERT_EQ(0, setenv("PATH", "/nonexistent", 1));
	EXPECT_EQ(0, command_run(argv, NULL, why, sizeof(why)));
}

TEST(the_last_line_is_kept)
{
	static const struct {
		const char *script;
		const char *why;
	} runs[] = {
		{ "echo one; echo two >&2", "sh: two" },
		{ "echo one; echo; echo", "sh: one" },
		{ "printf 'half a li'; printf 'ne'", "sh: half a line" },
		{ "printf '10%%\\r20%%\\r'", "sh: 20%" },
		{ "printf 'a\\tb\\n'", "sh: a b" },
		{ ":", "sh: " },
	};
	char why[64];

	for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++) {
		const char *const argv[] = { "sh", "-c", runs[i].script, NULL };

		EXPECT_EQ(0, command_run(argv, NULL, why, sizeof(why)));
		EXPECT_STREQ(runs[i].why, why);
	}
}

TEST(a_long_line_is_cut)
{
	const char *const argv[] = { "sh", "-c", "echo 0123456789012345678901234567890", NULL };
	char why[12];

	EXPECT_EQ(0, command_run(argv, NULL, why, sizeof(why)));
	EXPECT_STREQ("sh: 0123456", why);
}

TEST(nothing_is_inherited)
{
	const char *const env[] = { "env", NULL };
	/* a reader of the terminal would wait for ever */
	const char *const in[] = { "cat", NULL };
	char why[64];

	ASSERT_EQ(0, setenv("LC_ALL", "de_DE", 1));
	EXPECT_EQ(0, command_run(env, NULL, why, sizeof(why)));
	EXPECT_STREQ("env: LC_ALL=C", why);
	EXPECT_EQ(0, command_run(in, NULL, why, sizeof(why)));
}

TEST_HARNESS_MAIN
