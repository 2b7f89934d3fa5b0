// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "lib/action/action.h"

const struct action *action_next(const struct action *a)
{
	return REGISTRY_NEXT(actions, a);
}

const struct action *action_find(const char *name)
{
	const struct action *a;

	for_each_action(a)
		if (!strcmp(a->name, name))
			return a;
	return NULL;
}
