// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that changes its owner: the namespace is destroyed and created again over
 * the same range, for the same use or for another one.
 */
#include <errno.h>
#include <string.h>

#include "lib/action/action.h"
#include "lib/ns/internal.h"

static int recreate(const struct test_ns *v, const char *mode, const char *claim, size_t align)
{
	struct test_ns to = *v;
	char why[WHY_LEN];

	ns_copy(to.claim, sizeof(to.claim), claim);
	to.align = align;
	to.map_dev = false;
	to.info_uuid[0] = '\0';
	return ns_recreate(&to, mode, why, sizeof(why));
}

int action_recreate_same(const struct test_ns *v)
{
	char why[WHY_LEN];

	return ns_recreate(v, "devdax", why, sizeof(why));
}

int action_recreate_fsdax(const struct test_ns *v)
{
	return recreate(v, "fsdax", "pfn", v->align);
}

int action_recreate_raw(const struct test_ns *v)
{
	return recreate(v, "raw", "", 0);
}

int action_recreate_back(const struct test_ns *v)
{
	struct test_ns now;
	char why[WHY_LEN];

	return ns_again(v, &now, why, sizeof(why)) ? action_recreate_same(v) : 0;
}
