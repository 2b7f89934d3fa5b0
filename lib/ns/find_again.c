// SPDX-License-Identifier: GPL-2.0-only
/* Finding devices again, which may have come back under other names. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/ns/dynamic.h"
#include "lib/ns/internal.h"

/* They are probed one after the other in work items, a large one for a second. */
#define BACK_NS		(10 * NSEC_PER_SEC)
#define BACK_NAP_NS	(5 * NSEC_PER_MSEC)

static bool has_node(const struct test_ns *v)
{
	char path[NODE_LEN];
	struct stat st;

	if (v->dax[0])
		return !ns_machine.node(v->node, &st) && S_ISCHR(st.st_mode) &&
		       st.st_rdev == v->rdev;
	snprintf(path, sizeof(path), "%s/%s", ns_machine.dev, v->block);
	return !ns_machine.node(path, &st) && S_ISBLK(st.st_mode);
}

static int compare_devices(const struct test_ns *was, const struct test_ns *now,
			   const char *mode, char *why, size_t len)
{
	if (!now->dax[0] != !was->dax[0] || !now->block[0] != !was->block[0])
		return ns_say(-ENODEV, why, len, "%s has come back in mode %s without a device",
			      now->ndns, mode);
	if (strcmp(now->driver, was->driver))
		return ns_say(-ENODEV, why, len, "%s is bound to driver '%s'; it was bound to '%s'",
			      ns_key(now), now->driver, was->driver);
	if (!has_node(now))
		return ns_say(-ENODEV, why, len, "%s has no node", ns_key(now));
	if (was->dax[0] && (now->size != was->size || now->align != was->align))
		return ns_say(-ESTALE, why, len,
			      "%s has %zu bytes aligned to %zu; it had %zu aligned to %zu",
			      now->dax, now->size, now->align, was->size, was->align);
	if (now->start != was->start || now->capacity != was->capacity)
		return ns_say(-ESTALE, why, len,
			      "%s has %llu bytes at %#llx; it had %llu at %#llx",
			      ns_key(now),
			      now->capacity, now->start, was->capacity, was->start);
	return 0;
}

static int read_present(const struct test_ns *was, struct test_ns *now, char *mode, size_t len)
{
	char name[32];
	int ret;

	if (!was->ndns[0]) {
		snprintf(mode, len, "devdax");
		return dynamic_read(was->dax, now);
	}
	ret = ns_name_by_uuid(&ns_machine, was, name, sizeof(name));
	ret = ret ?: ns_read_namespace(&ns_machine, name, now, mode, len);
	return ret ? -ENODEV : 0;
}

int ns_read_again(const struct test_ns *was, struct test_ns *now)
{
	char mode[16];

	return read_present(was, now, mode, sizeof(mode));
}

int ns_find_again(const struct test_ns *was, struct test_ns *now, char *why, size_t len)
{
	struct test_ns found = { 0 };
	char mode[16];
	int ret;

	if (read_present(was, &found, mode, sizeof(mode)))
		return ns_say(-ENODEV, why, len,
			      "there is no %s any more, and no namespace of its uuid",
			      was->ndns[0] ? was->ndns : was->dax);
	ret = compare_devices(was, &found, mode, why, len);
	if (ret)
		return ret;
	found.above = was->above;
	*now = found;
	return 0;
}

int ns_set_find_again(struct ns_set *set, char *why, size_t len)
{
	uint64_t end = clock_now_ns() + BACK_NS;
	int ret;

	for (unsigned int i = 0; i < set->nr; i++) {
		/* a device without a namespace is below none */
		if (!set->now[i].ndns[0] || set->avoid[i])
			continue;
		while ((ret = ns_find_again(&set->now[i], &set->now[i], why, len))) {
			if (ret != -ENODEV || clock_now_ns() >= end)
				return ret;
			clock_sleep_ns(BACK_NAP_NS);
		}
	}
	return 0;
}
