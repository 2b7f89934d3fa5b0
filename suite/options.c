// SPDX-License-Identifier: GPL-2.0
/*
 * What the command line says: help, the list of cells, and which of them are picked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "suite/internal.h"

#define EXIT_USAGE	2

static void list_scenario(FILE *f, const struct scenario *sc)
{
	static const char *const none[] = { "", NULL }, *const any[] = { "ACTION", NULL };
	const char *const *acts = sc->acts ?: sc->actions <= NO_ACTION ? none : any;

	for (; *acts; acts++)
		fprintf(f, "  %s%s%s\n", *acts, (*acts)[0] && sc->name[0] ? "_" : "", sc->name);
	fprintf(f, "      %s\n", sc->what);
}

static void usage(FILE *f)
{
	const struct memory *m;
	const struct pin_method *p;
	const struct action *a;

	fprintf(f, "%s: %s\n\n", suite->name, suite->what);
	fprintf(f,
		"usage: %s [-h] [-l] [-t GLOB]... [-f FILE]\n"
		"  -h       this text\n"
		"  -l       list the cells, one name a line: MEMORY.SIZE.PIN.SCENARIO\n"
		"  -t GLOB  run the cells that match (fnmatch), may be repeated\n"
		"  -f FILE  run the cells named in FILE, one a line\n\n",
		suite->name);
	fprintf(f,
		"variables:\n"
		"  DAX_TEST_NAMESPACE  namespaces that may be destroyed, e.g. namespace0.1\n"
		"  DAX_TEST_DEV        device-dax devices that may be used, e.g. /dev/dax0.1\n"
		"                      (else: namespaces whose label name begins with ksft-dax)\n"
		"  DAX_TEST_REGION     a dynamic dax region that may be divided, by its id\n"
		"  DAX_TEST_VFIO       a group in /dev/vfio that may be attached to the IOMMU\n"
		"  DAX_TEST_CELLS      like -t, several separated by blanks\n"
		"  DAX_TEST_RELEASE    after an early return: defuse (default: bind again, then\n"
		"                      let go), park (keep the pins until reboot), raw (let go\n"
		"                      at once: oopses, for a throw-away VM only)\n"
		"  DAX_TEST_SEED       repeats a random cell\n"
		"  DAX_TEST_OPS        operations of a cell that is compared with a model\n"
		"  DAX_TEST_ORDERS     orders of two operations' steps in a pair; \"all\"\n"
		"  DAX_TEST_ORDER      repeats one of them: pin/unbind:0:AABBAA\n"
		"  DAX_TEST_RACE       repeats two operations at once: pin/unbind:0:4711\n"
		"  DAX_TEST_TIME       seconds for cells that are bounded in time\n"
		"  DAX_TEST_DESTRUCTIVE=1  run cells that cost a faulty kernel the machine, too\n"
		"  DAX_TEST_CLEAR_WARN_ONCE=1  let each WARN_ONCE of the kernel speak again\n\n"
		"exit status: 0 no cell failed, 1 some did, 4 nothing could be run, 2 bad usage\n\n"
		"examples:\n"
		"  %s -t '*.pmd.vmsplice.*'\n"
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
			ret = EXIT_USAGE;
		}
	}
	if (ret == -1 && optind < argc) {
		fprintf(stderr, "%s: what is '%s'? cells are picked with -t\n",
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
