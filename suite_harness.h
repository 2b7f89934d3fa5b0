/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ties the cells to kselftest_harness.h.  Only one translation unit of a
 * program may include the harness, so this is included by the program itself.
 */
#ifndef DAX_SUITE_HARNESS_H
#define DAX_SUITE_HARNESS_H

#include <sys/mman.h>

#include "kselftest_harness.h"
#include "suite.h"

FIXTURE(devdax) {
	struct cell *cell;
};

FIXTURE_SETUP(devdax)
{
	size_t nr;
	struct cell *c = suite_cells(&nr);

	while (nr-- && strcmp(strchr(c->name, '.') + 1, _metadata->name))
		c++;
	self->cell = c;
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

static void suite_link(const struct __test_metadata *body, struct cell *c, size_t nr,
		       bool backwards)
{
	/* shared, as the harness has its own: children write results there */
	struct __test_metadata *t = mmap(NULL, (nr + 1) * sizeof(*t),
					 PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (t == MAP_FAILED)
		ksft_exit_fail_msg("no memory for %zu cells\n", nr);
	_devdax_fixture_object.tests = NULL;
	for (size_t i = 0; i < nr; i++) {
		struct cell *cell = &c[backwards ? nr - 1 - i : i];

		t[i] = *body;
		t[i].name = strchr(cell->name, '.') + 1;
		t[i].timeout = cell->scenario->seconds ?: SUITE_CELL_SECONDS;
		__register_test(&t[i]);
	}
}

/* one harness test for each cell, to be run in the cells' order */
static void suite_register(const struct suite *s)
{
	const struct __test_metadata *body = _devdax_fixture_object.tests;
	size_t nr;
	struct cell *c = suite_cells(&nr);

	_devdax_fixture_object.name = s->memory;
	suite_link(body, c, nr, false);
	/* some versions of the harness run the tests in reverse */
	if (nr > 1 && strcmp(_devdax_fixture_object.tests->name, strchr(c->name, '.') + 1))
		suite_link(body, c, nr, true);
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
	suite_register(s);
	/* newer harnesses parse what is left of the command line: nothing */
	argv[1] = NULL;
	optind = 1;
	return test_harness_run(1, argv);
}

#endif
