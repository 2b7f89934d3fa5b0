// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cells, made from the registered scenarios, kinds of memory, pins and actions.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite/internal.h"

const struct suite *suite;
const struct scenario *suite_scenarios;
static struct cell *cells;
static size_t nr_cells;

static const char *const no_word[] = { "none", NULL };

static int add_cell(const struct scenario *sc, const struct memory *mem, enum daxmap_size size,
		    const struct pin_method *m, const struct action *a, const char *word)
{
	struct cell *grown = realloc(cells, (nr_cells + 1) * sizeof(*cells));
	struct cell *c;

	if (!grown)
		return -ENOMEM;
	cells = grown;
	c = &cells[nr_cells++];
	memset(c, 0, sizeof(*c));
	c->scenario = sc;
	c->memory = mem;
	c->size = size;
	c->method = m;
	c->action = a;
	c->word = word;
	snprintf(c->name, sizeof(c->name), "%s.%s.%s.%s%s%s", mem->name,
		 daxmap_name(size), word, a ? a->name : "", a && sc->name[0] ? "-" : "",
		 sc->name);
	return 0;
}

static bool is_named(const char *const *names, const char *name)
{
	while (*names && strcmp(*names, name))
		names++;
	return *names;
}

static bool takes(const struct scenario *sc, const struct action *a)
{
	if (sc->acts)
		return is_named(sc->acts, a->name);
	if (a->named)
		return false;
	switch (sc->actions) {
	case FIRST_ACTION:
		return a->first;
	case EVERY_LEVEL:
		return a->level != LEVEL_NONE;
	case EVERY_PARENT:
		return a->level != LEVEL_NONE && a->takes_region;
	default:
		return a->level == LEVEL_NONE;
	}
}

static int add_actions(const struct scenario *sc, const struct memory *mem,
		       enum daxmap_size size, const struct pin_method *m, const char *word)
{
	const struct action *a;
	int ret = 0;

	if (sc->actions <= NO_ACTION && !sc->acts)
		return add_cell(sc, mem, size, m, NULL, word);
	for_each_action(a) {
		if (!memory_selected(&a->on, mem) || !takes(sc, a))
			continue;
		ret = add_cell(sc, mem, size, m, a, word);
		if (ret)
			break;
	}
	return ret;
}

static int add_pins(const struct scenario *sc, const struct memory *mem, enum daxmap_size size)
{
	const struct pin_method *m;
	const char *word = NULL;
	int ret = 0;

	if (sc->next_word) {
		while (!ret && (word = sc->next_word(mem, size, word)))
			ret = add_actions(sc, mem, size, NULL, word);
		return ret;
	}
	if (!sc->pins) {
		for (const char *const *w = sc->words ?: no_word; *w && !ret; w++)
			ret = add_actions(sc, mem, size, NULL, *w);
		return ret;
	}
	for_each_pin_method(m) {
		if (!pin_selected(sc->pins, m) || (m->flags & PIN_LOST && !sc->destructive))
			continue;
		ret = add_actions(sc, mem, size, m, m->name);
		if (ret)
			break;
	}
	return ret;
}

static int add_scenarios(const struct memory *mem, int size, bool map_dev, bool last)
{
	int ret = 0;

	for (const struct scenario *sc = suite_scenarios; sc->run && !ret; sc++)
		if (memory_selected(&sc->on, mem) && sc->sizes & (1u << size) &&
		    sc->map_dev == map_dev && sc->destructive == last)
			ret = add_pins(sc, mem, size);
	return ret;
}

static int add_memory(const struct memory *mem, bool last)
{
	bool file = mem->caps & MEM_MOUNTED;
	int ret = 0, sizes = mem->largest + 1;

	for (int i = 0; i < 2 * sizes; i++)
		ret = ret ?: add_scenarios(mem, file ? i % sizes : i / 2, file ? i / sizes : i % 2,
					   last);
	return ret;
}

/* the group with the least order that comes after @g */
static const struct scenario_group *next_group(const struct scenario_group *g)
{
	const struct scenario_group *const *p, *next = NULL;

	for_each_registered(scenario_groups, p) {
		if (g && ((*p)->order < g->order || ((*p)->order == g->order && *p <= g)))
			continue;
		if (!next || (*p)->order < next->order ||
		    ((*p)->order == next->order && *p < next))
			next = *p;
	}
	return next;
}

static bool is_last(const struct scenario *sc)
{
	return !sc->name && !sc->what;
}

/* a scenario with what its group says of all */
static struct scenario complete(const struct scenario *sc, const struct scenario *common)
{
	struct scenario s = *sc;

	if (!s.name)
		s.name = common->name ?: "";
	if (!s.on.all && !s.on.none && !s.on.only)
		s.on = common->on;
	s.what = s.what ?: common->what;
	s.sizes = s.sizes ?: common->sizes;
	s.pins = s.pins ?: common->pins;
	s.actions = s.actions ?: common->actions;
	s.acts = s.acts ?: common->acts;
	s.words = s.words ?: common->words;
	s.next_word = s.next_word ?: common->next_word;
	s.map_dev = s.map_dev || common->map_dev;
	s.destructive = s.destructive || common->destructive;
	s.refusal = s.refusal || common->refusal;
	s.bytes = s.bytes ?: common->bytes;
	s.no_device = s.no_device || common->no_device;
	s.ignore = s.ignore ?: common->ignore;
	s.seconds = s.seconds ?: common->seconds;
	s.run = s.run ?: common->run;
	s.body = s.body ?: common->body;
	return s;
}

static int collect_scenarios(void)
{
	const struct scenario_group *g;
	const struct scenario *sc;
	struct scenario *all;
	size_t nr = 0;

	for (g = next_group(NULL); g; g = next_group(g))
		for (sc = g->scenarios; !is_last(sc); sc++)
			nr++;
	all = calloc(nr + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	suite_scenarios = all;
	for (g = next_group(NULL); g; g = next_group(g))
		for (sc = g->scenarios; !is_last(sc); sc++)
			*all++ = complete(sc, &g->common);
	return 0;
}

/*
 * One page size after the other: a single namespace is then reconfigured twice, not
 * for every cell.  A file is of any page size, but a file system is made again where
 * its memory map goes elsewhere.  Cells that leave a faulty kernel unusable come last.
 */
int suite_init(const struct suite *s)
{
	const struct memory *mem;
	int ret;

	suite = s;
	ret = collect_scenarios();
	for (int last = 0; last <= 1; last++)
		for_each_memory(mem)
			ret = ret ?: add_memory(mem, last);
	return ret;
}

struct cell *suite_cells(size_t *nr)
{
	*nr = nr_cells;
	return cells;
}

void suite_keep(const bool *picked)
{
	size_t kept = 0;

	for (size_t i = 0; i < nr_cells; i++)
		if (picked[i])
			cells[kept++] = cells[i];
	nr_cells = kept;
}
