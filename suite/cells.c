// SPDX-License-Identifier: GPL-2.0
/*
 * Cells, made from the tables of scenarios, memories, pins and actions.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite/internal.h"

const struct suite *suite;
static struct cell *cells;
static size_t nr_cells;

static int add_cell(const struct scenario *sc, const struct memory *mem, enum daxmap_size size,
		    const struct pin_method *m, const struct action *a)
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
	snprintf(c->name, sizeof(c->name), "%s.%s.%s.%s%s%s", mem->name,
		 daxmap_name(size), m ? m->name : sc->pin_word ?: "none", a ? a->name : "",
		 a && sc->name[0] ? "_" : "", sc->name);
	return 0;
}

static bool takes(const struct scenario *sc, const struct action *a)
{
	if (sc->act)
		return !strcmp(a->name, sc->act);
	if (a->named)
		return false;
	if (sc->actions == EVERY_LEVEL)
		return a->level != LEVEL_NONE;
	if (sc->actions == EVERY_PARENT)
		return a->level > LEVEL_DAX_PMEM;
	return a->level == LEVEL_NONE;
}

static int add_actions(const struct scenario *sc, const struct memory *mem,
		       enum daxmap_size size, const struct pin_method *m)
{
	int ret = 0;

	if (sc->actions == NO_ACTION && !sc->act)
		return add_cell(sc, mem, size, m, NULL);
	for (const struct action *a = actions; a->name && !ret; a++) {
		if (!(a->on & mem->bit) || !takes(sc, a))
			continue;
		ret = add_cell(sc, mem, size, m, a);
		if (sc->actions == FIRST_ACTION)
			break;
	}
	return ret;
}

static int add_pins(const struct scenario *sc, const struct memory *mem, enum daxmap_size size)
{
	const struct pin_method *m;
	int ret = 0;

	if (!sc->wants)
		return add_actions(sc, mem, size, NULL);
	for_each_pin_method(m)
		if (!ret && sc->wants(m) && (sc->destructive || !(m->flags & PIN_LOST)))
			ret = add_actions(sc, mem, size, m);
	return ret;
}

static int add_scenarios(const struct memory *mem, int size, bool map_dev, bool last)
{
	int ret = 0;

	for (const struct scenario *sc = suite->scenarios; sc->run && !ret; sc++)
		if ((sc->on ?: MEMORY_DEVDAX) & mem->bit && sc->sizes & (1u << size) &&
		    sc->map_dev == map_dev && sc->destructive == last)
			ret = add_pins(sc, mem, size);
	return ret;
}

static int add_memory(const struct memory *mem, bool last)
{
	bool file = mem->bit & MEMORY_FILES;
	int ret = 0, sizes = mem->largest + 1;

	for (int i = 0; i < 2 * sizes; i++)
		ret = ret ?: add_scenarios(mem, file ? i % sizes : i / 2, file ? i / sizes : i % 2,
					   last);
	return ret;
}

/*
 * One page size after the other: who offers a single namespace has it
 * reconfigured twice, not for every cell.  A file is of any page size, but a file
 * system is made anew where its memory map goes elsewhere.  What a faulty kernel
 * does not survive comes last.
 */
int suite_init(const struct suite *s)
{
	int ret = 0;

	suite = s;
	for (int last = 0; last <= 1; last++)
		for (const struct memory *mem = memories; mem->name; mem++)
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
