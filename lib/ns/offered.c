// SPDX-License-Identifier: GPL-2.0-only
/* Devices named on a command line. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ns/offered.h"

int ns_offered(const char *path, struct test_ns *ns, char *why, size_t len)
{
	char *real = realpath(path, NULL);
	const char *name = strrchr(real ?: path, '/');
	struct ns_set set = { 0 };
	char said[WHY_LEN] = "";
	int ret = ns_set_find(&set, said, sizeof(said));

	name = name ? name + 1 : path;
	for (unsigned int i = 0; !ret && i < set.nr; i++) {
		if (strcmp(set.now[i].dax, name) && strcmp(set.now[i].block, name))
			continue;
		*ns = set.now[i];
		free(real);
		return 0;
	}
	if (ret)
		snprintf(why, len, "%s", said);
	else
		snprintf(why, len,
			 "%s is not offered: name its namespace in DAX_TEST_NAMESPACE (its data will be lost)%s%s",
			 path, said[0] ? "; " : "", said);
	free(real);
	return ret ?: -ENODEV;
}
