/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Environment variables, each described once, beside the code that reads it.
 */
#ifndef DAX_LIB_VARIABLE_H
#define DAX_LIB_VARIABLE_H

#include <stdbool.h>

#include "lib/registry.h"

/**
 * struct variable - a variable for -h
 * @name: its name, and a value if it is a switch: "DAX_TEST_X=1"
 * @what: one sentence
 * @valid: may it have this value?  NULL when the reader of the variable checks that
 */
struct variable {
	const char *name;
	const char *what;
	bool (*valid)(const char *value);
};

REGISTRY(variables, struct variable);

#endif
