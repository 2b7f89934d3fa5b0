// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions of configure.c, for a build without libndctl and libdaxctl.  Actions that
 * need the libraries are skipped, see &action.lacks.
 */
#include <errno.h>

#include "lib/ns/internal.h"

#ifndef HAVE_LIBNDCTL
int ns_configure(const struct test_ns *to, const char *mode, char *why, size_t len)
{
	return ns_say(-EOPNOTSUPP, why, len, "built without libndctl and libdaxctl");
}

int ns_recreate(const struct test_ns *to, const char *mode, char *why, size_t len)
{
	return ns_configure(to, mode, why, len);
}

int ns_destroy_enabled(const struct test_ns *ns)
{
	return -EOPNOTSUPP;
}

int ns_disable_region(const struct test_ns *ns)
{
	return -EOPNOTSUPP;
}

int ns_enable_region(const struct test_ns *ns)
{
	return -EOPNOTSUPP;
}

int ns_disable_namespace(const struct test_ns *ns)
{
	return -EOPNOTSUPP;
}

int ns_enable_namespace(const struct test_ns *ns)
{
	return -EOPNOTSUPP;
}

int ns_disable_dax(const struct test_ns *ns)
{
	return -EOPNOTSUPP;
}

int ns_enable_dax(const struct test_ns *ns)
{
	return -EOPNOTSUPP;
}

int ns_bind_kmem(const struct test_ns *ns)
{
	return -EOPNOTSUPP;
}
#endif
