/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ties the cells to kselftest_harness.h: each is a test of its own, registered by the
 * two functions that TEST() and FIXTURE() register by, __register_test() and
 * __register_fixture().  Their macros do not serve: a test's name is a C identifier
 * there, and a variant is crossed with every test of its fixture, where most cells
 * exist for some pins only.
 *
 * Only one translation unit of a program may include the harness, so this is included
 * by the program itself, and by nothing else.
 */
#ifndef DAX_SUITE_HARNESS_H
#define DAX_SUITE_HARNESS_H

#include <stdlib.h>

#include "kselftest_harness.h"
#include "suite/suite.h"

/* Of the harness are used these functions and five members, as 6.1 to 7.3 have them. */
#define HARNESS_HAS(what, type)							\
	_Static_assert(__builtin_types_compatible_p(typeof(what), type),		\
		       "kselftest_harness.h has changed: the cells need " #what)

typedef void suite_fn(struct __test_metadata *t, struct __fixture_variant_metadata *v);

HARNESS_HAS(__register_fixture, void (struct __fixture_metadata *));
HARNESS_HAS(__register_test, void (struct __test_metadata *));
HARNESS_HAS(((struct __fixture_metadata *)0)->name, const char *);
HARNESS_HAS(((struct __test_metadata *)0)->name, const char *);
HARNESS_HAS(((struct __test_metadata *)0)->fn, suite_fn *);
HARNESS_HAS(((struct __test_metadata *)0)->fixture, struct __fixture_metadata *);
HARNESS_HAS(((struct __test_metadata *)0)->termsig, int);
HARNESS_HAS(((struct __test_metadata *)0)->timeout, int);

/**
 * struct suite_test - a cell as the harness knows it
 * @test: the harness's own
 * @cell: the cell
 */
struct suite_test {
	struct __test_metadata test;
	struct cell *cell;
};

/* the body of each test, in the process that the harness makes for it */
static void suite_test_run(struct __test_metadata *_metadata,
			   struct __fixture_variant_metadata *variant)
{
	struct suite_test *t = (struct suite_test *)_metadata;
	struct cell *c = t->cell;

	suite_run(c);
	if (c->skipped)
		SKIP(return, "%s", c->why);
	EXPECT_EQ(VERDICT_PASS, c->verdict)
		TH_LOG("%s", c->why);
}

static void suite_register_cell(struct suite_test *t, struct cell *c,
				struct __fixture_metadata *f)
{
	t->cell = c;
	/* the fixture's name is the first word of the cell's */
	t->test.name = strchr(c->name, '.') + 1;
	t->test.fn = suite_test_run;
	t->test.fixture = f;
	t->test.termsig = -1;
	t->test.timeout = c->scenario->seconds ?: SUITE_CELL_SECONDS;
	__register_test(&t->test);
}

/*
 * Up to 6.8 the harness puts what it is given before the rest where the toolchain runs
 * constructors backwards.
 */
static bool suite_is_backwards(void)
{
#ifdef _CONSTRUCTOR_ORDER_BACKWARD
	return __constructor_order == _CONSTRUCTOR_ORDER_BACKWARD;
#else
	return false;
#endif
}

/* one test for each cell, a fixture for each kind of memory */
static void suite_register(void)
{
	size_t nr;
	struct cell *cells = suite_cells(&nr);
	struct suite_test *tests = calloc(nr + 1, sizeof(*tests));
	struct __fixture_metadata *fixtures = calloc(nr + 1, sizeof(*fixtures)), *f = fixtures;
	const struct memory *memory = NULL;

	if (!tests || !fixtures)
		ksft_exit_fail_msg("no memory for %zu cells\n", nr);
	for (size_t i = 0; i < nr; i++) {
		size_t at = suite_is_backwards() ? nr - 1 - i : i;
		struct cell *c = &cells[at];

		if (c->memory != memory) {
			memory = c->memory;
			f = &fixtures[i];
			f->name = memory->name;
			__register_fixture(f);
		}
		suite_register_cell(&tests[at], c, f);
	}
}

static pid_t suite_pid;

static void suite_at_exit(void)
{
	if (getpid() == suite_pid)
		suite_finish();
}

/* main() of each program */
static int suite_main(const struct suite *s, int argc, char **argv)
{
	char why[512] = "";
	int ret;

	if (suite_init(s))
		return KSFT_FAIL;
	ret = suite_options(argc, argv);
	if (ret >= 0)
		return ret;
	suite_pid = getpid();
	atexit(suite_at_exit);
	if (suite_prepare(why, sizeof(why))) {
		ksft_print_header();
		ksft_exit_skip("%s\n", why);
	}
	suite_register();
	/* newer harnesses parse the command line, too: leave them none */
	argv[1] = NULL;
	optind = 1;
	return test_harness_run(1, argv);
}

#endif
