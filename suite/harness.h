/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ties the cells to kselftest_harness.h.  Only one translation unit of a
 * program may include the harness, so this is included by the program itself.
 */
#ifndef DAX_SUITE_HARNESS_H
#define DAX_SUITE_HARNESS_H

#include <stdlib.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "suite/suite.h"

FIXTURE(devdax) {
	struct cell *cell;
};

/* the harness's tests, and the cell of each */
static struct __test_metadata *suite_tests;
static struct cell **suite_test_cells;

FIXTURE_SETUP(devdax)
{
	self->cell = suite_test_cells[_metadata - suite_tests];
}

FIXTURE_TEARDOWN(devdax)
{
}

/*
 * The one test body.  suite_register() copies its entry for each cell, because
 * names of the harness's own macros are C identifiers and its variants are
 * crossed with every test, where most cells exist for some pins only.
 */
TEST_F(devdax, cell)
{
	suite_run(self->cell);
	if (self->cell->skipped)
		SKIP(return, "%s", self->cell->why);
	EXPECT_EQ(VERDICT_PASS, self->cell->verdict)
		TH_LOG("%s", self->cell->why);
}

/* a cell's name without its first word, which is its fixture's name */
static const char *suite_test_name(const struct cell *c)
{
	return strchr(c->name, '.') + 1;
}

/* the tests of one fixture: the cells from @from to @to, in the order given */
static void suite_link(struct __fixture_metadata *f, const struct __test_metadata *body,
		       struct cell *c, size_t from, size_t to, bool backwards)
{
	f->tests = NULL;
	for (size_t i = from; i < to; i++) {
		struct cell *cell = &c[backwards ? from + to - 1 - i : i];
		struct __test_metadata *t = &suite_tests[i];

		*t = *body;
		t->fixture = f;
		t->name = suite_test_name(cell);
		t->timeout = cell->scenario->seconds ?: SUITE_CELL_SECONDS;
		suite_test_cells[i] = cell;
		__register_test(t);
	}
}

static struct __fixture_metadata *suite_fixture(const struct memory *m)
{
	struct __fixture_metadata *f = calloc(1, sizeof(*f));

	if (!f)
		ksft_exit_fail_msg("no memory for the cells\n");
	*f = _devdax_fixture_object;
	f->name = m->name;
	f->next = NULL;
	f->prev = NULL;
	__register_fixture(f);
	return f;
}

/* one harness test for each cell, a fixture for each kind of memory */
static void suite_register(void)
{
	const struct __test_metadata *body = _devdax_fixture_object.tests;
	struct __fixture_metadata *f;
	size_t nr, from, to;
	struct cell *c = suite_cells(&nr);

	/* shared, as the harness has its own: children write results there */
	suite_tests = mmap(NULL, (nr + 1) * sizeof(*suite_tests), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	suite_test_cells = calloc(nr + 1, sizeof(*suite_test_cells));
	if (suite_tests == MAP_FAILED || !suite_test_cells)
		ksft_exit_fail_msg("no memory for %zu cells\n", nr);
	for (from = 0; from < nr; from = to) {
		for (to = from; to < nr && c[to].memory == c[from].memory; to++)
			;
		f = suite_fixture(c[from].memory);
		suite_link(f, body, c, from, to, false);
		/* some versions of the harness run the tests in reverse */
		if (to - from > 1 && strcmp(f->tests->name, suite_test_name(&c[from])))
			suite_link(f, body, c, from, to, true);
	}
	/* it was there for its one body */
	_devdax_fixture_object.tests = NULL;
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
	/* newer harnesses parse what is left of the command line: nothing */
	argv[1] = NULL;
	optind = 1;
	return test_harness_run(1, argv);
}

#endif
