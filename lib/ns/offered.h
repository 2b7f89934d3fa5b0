/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices named on a command line: may the program write to them?
 */
#ifndef DAX_LIB_NS_OFFERED_H
#define DAX_LIB_NS_OFFERED_H

#include <stddef.h>

#include "lib/ns/ns.h"

/**
 * ns_offered() - find the offered namespace of a device node
 * @path: path of the node, or of a symbolic link to it
 * @ns: filled: the namespace
 * @why: a sentence when it fails
 * @len: bytes in @why
 *
 * Return: 0, -ENODEV when the device was not offered, or as ns_set_find().
 */
int ns_offered(const char *path, struct test_ns *ns, char *why, size_t len);

#endif
