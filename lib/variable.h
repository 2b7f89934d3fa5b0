/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Environment variables, each described once, beside the code that reads it.
 */
#ifndef DAX_LIB_VARIABLE_H
#define DAX_LIB_VARIABLE_H

#include "lib/registry.h"

/**
 * struct variable - a variable for -h
 * @name: its name, and a value if it is a switch: "DAX_TEST_X=1"
 * @what: one sentence
 */
struct variable {
	const char *name;
	const char *what;
};

REGISTRY(variables, struct variable);

#endif
