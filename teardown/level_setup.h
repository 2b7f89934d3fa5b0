/* SPDX-License-Identifier: GPL-2.0-only */
/* Common to the scenarios that unbind a driver above device_dax, or remove its module. */
#ifndef DAX_TEARDOWN_LEVEL_SETUP_H
#define DAX_TEARDOWN_LEVEL_SETUP_H

#include <stdbool.h>

struct cell;

/**
 * level_setup() - find the driver of the cell's action, and make sure that it is ours
 * @c: the cell; its namespace is the one that comes back after the action
 *
 * All namespaces below the driver have to be opted in.
 *
 * Return: true, or false with the cell failed or skipped.
 */
bool level_setup(struct cell *c);

#endif
