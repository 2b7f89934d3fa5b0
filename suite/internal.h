/* SPDX-License-Identifier: GPL-2.0 */
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

/* only the cells that are picked stay */
void suite_keep(const bool *picked);

#endif
