// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory gets another owner: the namespace is destroyed, and created again over the
 * same range for the same use or for another one.
 */
#include <errno.h>
#include <string.h>

#include "lib/action/action.h"
#include "lib/ns/internal.h"

static int recreate(const struct test_ns *ns, const char *mode, const char *claim, size_t align)
{
	struct test_ns to = *ns;
	char why[WHY_LEN];

	ns_copy(to.claim, sizeof(to.claim), claim);
	to.align = align;
	to.map_dev = false;
	to.info_uuid[0] = '\0';
	return ns_recreate(&to, mode, why, sizeof(why));
}

static int recreate_same(const struct test_mem *mem)
{
	char why[WHY_LEN];

	return ns_recreate(&mem->ns, "devdax", why, sizeof(why));
}

static int recreate_fsdax(const struct test_mem *mem)
{
	return recreate(&mem->ns, "fsdax", "pfn", mem->ns.align);
}

static int recreate_raw(const struct test_mem *mem)
{
	return recreate(&mem->ns, "raw", "", 0);
}

static int recreate_back(const struct test_mem *mem)
{
	struct test_ns now;
	char why[WHY_LEN];

	return ns_find_again(&mem->ns, &now, why, sizeof(why)) ? recreate_same(mem) : 0;
}

static const struct action owner_actions[] = {
	{
		.name = "recreate_same",
		.verb = "destroying the namespace",
		.what = "the namespace is destroyed, and created again as it was",
		.lacks = LACKS_LIBNDCTL,
		.on = ON_DEVDAX, .named = true,
		.run = recreate_same,
		.undo = recreate_back,
		.dax_again = true,
	}, {
		.name = "recreate_fsdax",
		.verb = "destroying the namespace",
		.what = "the namespace is destroyed, and created again for files with DAX",
		.lacks = LACKS_LIBNDCTL,
		.on = ON_DEVDAX, .named = true,
		.run = recreate_fsdax,
		.undo = recreate_back,
	}, {
		.name = "recreate_raw",
		.verb = "destroying the namespace",
		.what = "the namespace is destroyed, and created again as a bare block device",
		.lacks = LACKS_LIBNDCTL,
		.on = ON_DEVDAX, .named = true,
		.run = recreate_raw,
		.undo = recreate_back,
	},
	{ }
};

REGISTER(actions, owner_actions);
