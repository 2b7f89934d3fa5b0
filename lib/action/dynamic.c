// SPDX-License-Identifier: GPL-2.0
/*
 * Devices of a dynamic dax region: destroyed, made again, their region's driver
 * unbound.
 */
#include <errno.h>
#include <string.h>

#include "lib/action/action.h"
#include "lib/ns/dynamic.h"

static int make(const struct test_ns *v)
{
	char first[32], name[32] = "";
	int ret;

	dynamic_first(v, first, sizeof(first));
	/* the whole region may be one device again */
	ret = dynamic_destroy(first);
	ret = ret ?: dynamic_create(first, v->size, name, sizeof(name));
	ret = ret ?: dynamic_align(name, v->align);
	ret = ret ?: dynamic_bind(name);
	if (ret)
		return ret;
	return strcmp(name, v->dax) ? -ESTALE : 0;
}

int action_dynamic_destroy(const struct test_ns *v)
{
	return dynamic_destroy(v->dax);
}

int action_dynamic_recreate(const struct test_ns *v)
{
	return dynamic_destroy(v->dax) ?: make(v);
}

int action_dynamic_back(const struct test_ns *v)
{
	struct test_ns now;
	int ret = dynamic_read(v->dax, &now);

	if (ret == -ENODEV)
		return make(v);
	if (!ret && now.size != v->size)
		ret = dynamic_destroy(v->dax) ?: make(v);
	return ret ?: dynamic_bind(v->dax);
}

int action_dynamic_rebind(const struct test_ns *v)
{
	return level_rebind(v) ?: action_dynamic_back(v);
}
