// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line: help, the list of cells, and the choice among them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/variable.h"
#include "suite/internal.h"

#define EXIT_USAGE	2

static bool is_number(const char *value)
{
	char *end;

	strtoull(value, &end, 0);
	return !*end;
}

static bool is_seconds(const char *value)
{
	char *end;

	return strtod(value, &end) > 0 && !*end;
}

static const struct variable suite_variables[] = {
	{ "DAX_TEST_CELLS", "cells to run, as -t; several separated by blanks" },
	{ "DAX_TEST_SEED", "seed of random cells: a number that a run has printed", is_number },
	{ "DAX_TEST_TIME", "seconds for cells that are bounded in time", is_seconds },
	{ "DAX_TEST_DESTRUCTIVE=1",
	  "also run tests that leave a buggy kernel unusable until reboot" },
	{ "DAX_TEST_CLEAR_WARN_ONCE=1", "re-arm WARN_ONCE (debugfs clear_warn_once)" },
	{ }
};

REGISTER(variables, suite_variables);

static void list_scenario(FILE *f, const struct scenario *sc)
{
	static const char *const none[] = { "", NULL }, *const any[] = { "ACTION", NULL };
	const char *const *acts = sc->acts ?: sc->actions <= NO_ACTION ? none : any;

	for (; *acts; acts++)
		fprintf(f, "  %s%s%s\n", *acts, (*acts)[0] && sc->name[0] ? "-" : "", sc->name);
	fprintf(f, "      %s\n", sc->what);
}

static void usage(FILE *f)
{
	const struct variable *v;
	const struct memory *m;
	const struct pin_method *p;
	const struct action *a;

	fprintf(f, "%s: %s\n\n", suite->name, suite->what);
	fprintf(f,
		"usage: %s [-h] [-l] [-t GLOB]... [-f FILE]\n"
		"  -h       this text\n"
		"  -l       list the cells, one name a line: MEMORY.SIZE.PIN.ACTION[-VARIANT], or\n"
		"           MEMORY.SIZE.PIN.SCENARIO for those without an action\n"
		"  -t GLOB  run the cells that match (fnmatch), may be repeated\n"
		"  -f FILE  run the cells named in FILE, one a line\n\n",
		suite->name);
	fprintf(f, "variables:\n");
	for (v = REGISTRY_NEXT(variables, NULL); v; v = REGISTRY_NEXT(variables, v))
		fprintf(f, "  %-28s %s\n", v->name, v->what);
	fprintf(f,
		"\n"
		"exit status: 0 no cell failed, 1 some did, 4 nothing could be run, 2 bad usage\n\n"
		"examples:\n"
		"  %s -t 'devdax.pmd.*'\n"
		"  DAX_TEST_NAMESPACE=namespace0.1 %s\n\n"
		"memory:\n",
		suite->name, suite->name);
	for_each_memory(m)
		fprintf(f, "  %-26s %s\n", m->name, m->what);
	fprintf(f, "\nscenarios:\n");
	for (const struct scenario *sc = suite_scenarios; sc->run; sc++)
		list_scenario(f, sc);
	fprintf(f, "\nactions:\n");
	for_each_action(a)
		fprintf(f, "  %-26s %s\n", a->name, a->what);
	fprintf(f, "\npins:\n");
	for_each_pin_method(p)
		fprintf(f, "  %-26s %s\n", p->name, p->what);
	if (suite->usage)
		suite->usage(f);
}

/* a value that would be taken for another one ends the program */
static int check_variables(void)
{
	const struct variable *v;

	for (v = REGISTRY_NEXT(variables, NULL); v; v = REGISTRY_NEXT(variables, v)) {
		const char *value = v->valid ? getenv(v->name) : NULL;

		if (!value || !value[0] || v->valid(value))
			continue;
		fprintf(stderr, "%s: %s=%s is invalid; %s -h says what it may be\n",
			suite->name, v->name, value, suite->name);
		return EXIT_USAGE;
	}
	return -1;
}

static size_t mark_glob(bool *picked, const char *glob)
{
	char full[160];
	size_t nr, hits = 0;
	const struct cell *cells = suite_cells(&nr);

	for (size_t i = 0; i < nr; i++) {
		snprintf(full, sizeof(full), "%s.%s", suite->name, cells[i].name);
		if (fnmatch(glob, cells[i].name, 0) && fnmatch(glob, full, 0))
			continue;
		picked[i] = true;
		hits++;
	}
	return hits;
}

static int mark_file(bool *picked, const char *path)
{
	char line[160];
	size_t nr;
	const struct cell *cells = suite_cells(&nr);
	FILE *f = fopen(path, "re");

	if (!f) {
		fprintf(stderr, "%s: cannot read the list of cells %s: %s\n",
			suite->name, path, strerror(errno));
		return EXIT_USAGE;
	}
	while (fgets(line, sizeof(line), f)) {
		size_t i;

		line[strcspn(line, "\n")] = '\0';
		for (i = 0; i < nr && strcmp(cells[i].name, line); i++)
			;
		if (i < nr)
			picked[i] = true;
		else if (line[0])
			fprintf(stderr, "%s: no cell is named %s; see %s -l\n",
				suite->name, line, suite->name);
	}
	fclose(f);
	return -1;
}

static int no_match(const char *glob)
{
	fprintf(stderr, "%s: no cell matches '%s'; %s -l lists them all\n",
		suite->name, glob, suite->name);
	return EXIT_USAGE;
}

static void list_cells(void)
{
	size_t nr;
	const struct cell *cells = suite_cells(&nr);

	for (size_t i = 0; i < nr; i++)
		puts(cells[i].name);
}

int suite_options(int argc, char **argv)
{
	const char *env = getenv("DAX_TEST_CELLS");
	bool all = true, list = false;
	int opt, ret = -1;
	bool *picked;
	size_t nr;

	suite_cells(&nr);
	picked = calloc(nr + 1, sizeof(*picked));
	if (!picked)
		return EXIT_USAGE;
	while (ret == -1 && (opt = getopt(argc, argv, "hlt:f:")) != -1) {
		if (opt == 'h') {
			usage(stdout);
			ret = 0;
		} else if (opt == 'l') {
			list = true;
		} else if (opt == 't') {
			all = false;
			if (!mark_glob(picked, optarg))
				ret = no_match(optarg);
		} else if (opt == 'f') {
			all = false;
			ret = mark_file(picked, optarg);
		} else {
			fprintf(stderr, "%s: see %s -h\n", suite->name, suite->name);
			ret = EXIT_USAGE;
		}
	}
	if (ret == -1)
		ret = check_variables();
	if (ret == -1 && optind < argc) {
		fprintf(stderr, "%s: unexpected argument '%s'; use -t to select tests\n",
			suite->name, argv[optind]);
		ret = EXIT_USAGE;
	}
	if (ret == -1 && all && env && env[0]) {
		char *copy = strdup(env), *rest = copy, *glob;

		all = false;
		while (ret == -1 && copy && (glob = strsep(&rest, " ,")))
			if (glob[0] && !mark_glob(picked, glob))
				ret = no_match(glob);
		free(copy);
	}
	if (ret == -1 && !all)
		suite_keep(picked);
	if (ret == -1 && list) {
		list_cells();
		ret = 0;
	}
	free(picked);
	return ret;
}
