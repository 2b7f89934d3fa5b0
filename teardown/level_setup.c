// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <string.h>

#include "suite/suite.h"
#include "teardown/level_setup.h"

static bool level_skip(struct cell *c, int ret, const char *why)
{
	skip(c, "%s", why[0] ? why : strerror(-ret));
	return false;
}

bool level_setup(struct cell *c)
{
	enum level level = c->action->level;
	char why[WHY_LEN] = "";
	int ret;

	ret = level_find(&c->v.ns, level, why, sizeof(why));
	if (ret)
		return level_skip(c, ret, why);
	ret = level_offered(&c->guard->set, &c->v.ns, level, why, sizeof(why));
	if (ret)
		return level_skip(c, ret, why);
	if (c->action->module)
		ret = level_module_offered(&c->guard->set, &c->v.ns, level, why, sizeof(why));
	if (ret)
		return level_skip(c, ret, why);
	/* file systems on the other namespaces of the region lose their devices, too */
	if (c->action->takes_region &&
	    !expect_ok(c, guard_drop_fs(c->guard), "unmounting the file systems", ""))
		return false;
	note("%s: %s of %s %s", c->action->verb, c->v.ns.above.name,
	     strrchr(c->v.ns.above.driver, '/') + 1, c->v.ns.above.module);
	guard_takes_away(c->guard, &c->v, c->action->undo);
	return true;
}
