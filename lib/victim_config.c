// SPDX-License-Identifier: GPL-2.0
/*
 * Reconfigures and restores namespaces through libndctl, binds and unbinds
 * through libdaxctl.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "victim_internal.h"

int victim_configure(const struct victim *to, const char *mode, char *why,
		     size_t len)
{
	(void)to;
	(void)mode;
	return victim_say(-EOPNOTSUPP, why, len, "built without libndctl and libdaxctl");
}

int victim_disable(const struct victim *v)
{
	(void)v;
	return -EOPNOTSUPP;
}

int victim_enable(const struct victim *v)
{
	(void)v;
	return -EOPNOTSUPP;
}

int victim_set_restore(struct victim_set *set)
{
	unsigned int i;
	int rc, first = 0;

	for (i = 0; i < set->nr; i++) {
		rc = victim_bind(&set->was[i]);
		if (rc && !first)
			first = rc;
	}
	return first;
}
