/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ways in which the ground is taken away.  One table, one function each.
 */
#ifndef DAX_LIB_ACTION_H
#define DAX_LIB_ACTION_H

#include "victim.h"

/**
 * struct action - one way
 * @name: the word in the cell's name, stable
 * @verb: the word in sentences: "unbind"
 * @what: one sentence for -h
 * @lacks: why it cannot be carried out by this build; NULL when it can
 * @run: carries it out in the calling task; may block in state D
 * @undo: gives the device back; may block likewise
 */
struct action {
	const char *name;
	const char *verb;
	const char *what;
	const char *lacks;
	int (*run)(const struct victim *v);
	int (*undo)(const struct victim *v);
};

/* all of them; ends with an entry without a name */
extern const struct action actions[];

#endif
