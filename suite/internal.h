/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the suite share.  Not for test programs.
 */
#ifndef DAX_SUITE_INTERNAL_H
#define DAX_SUITE_INTERNAL_H

#include "suite/suite.h"

/* the program, from suite_init() on */
extern const struct suite *suite;

/* the scenarios of all groups, each with what its group says of all; after suite_init() */
extern const struct scenario *suite_scenarios;

/* a line that must not be lost if the machine dies next: printed and drained */
void suite_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* memory for the answers of suite_probe_*(), shared with all processes to come; 0 or -errno */
int probes_create(void);

/* room for refusals, shared with all processes to come; 0 or -errno */
int refusals_create(void);

/* skips a cell whose method is known to be refused on its memory */
bool skip_known_refusal(struct cell *c);

/* only the cells that are picked stay */
void suite_keep(const bool *picked);

#endif
