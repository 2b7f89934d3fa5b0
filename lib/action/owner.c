// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that changes its owner: the namespace is destroyed and created again over
 * the same range, for the same use or for another one.
 */
#include <errno.h>
#include <string.h>

#include "lib/action/action.h"
#include "lib/ns/internal.h"

static int recreate(const struct victim *v, const char *mode, const char *claim, size_t align)
{
	struct victim to = *v;
	char why[VICTIM_WHY];

	victim_copy(to.claim, sizeof(to.claim), claim);
	to.align = align;
	to.map_dev = false;
	to.info_uuid[0] = '\0';
	return victim_recreate(&to, mode, why, sizeof(why));
}

int action_recreate_same(const struct victim *v)
{
	char why[VICTIM_WHY];

	return victim_recreate(v, "devdax", why, sizeof(why));
}

int action_recreate_fsdax(const struct victim *v)
{
	return recreate(v, "fsdax", "pfn", v->align);
}

int action_recreate_raw(const struct victim *v)
{
	return recreate(v, "raw", "", 0);
}

int action_recreate_back(const struct victim *v)
{
	struct victim now;
	char why[VICTIM_WHY];

	return victim_again(v, &now, why, sizeof(why)) ? action_recreate_same(v) : 0;
}
