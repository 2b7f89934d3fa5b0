// SPDX-License-Identifier: GPL-2.0
/*
 * Brings what was offered back into the state it was found in.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib/ns/dynamic.h"
#include "lib/ns/internal.h"

static bool is_as_found(const struct test_ns *now, const char *now_mode,
			const struct test_ns *was, const char *was_mode)
{
	return !strcmp(now_mode, was_mode) &&
	       !strcmp(now->label, was->label) &&
	       !strcmp(now->claim, was->claim) &&
	       !strcmp(now->info_uuid, was->info_uuid) &&
	       now->align == was->align &&
	       now->map_dev == was->map_dev &&
	       now->sector == was->sector &&
	       !now->dax[0] == !was->dax[0] &&
	       !now->block[0] == !was->block[0];
}

/*
 * A killed holder takes a moment to die.  One that is parked stays, and must
 * not have the memory map taken from under its pins a second time.
 */
static int wait_unused(const struct test_ns *v)
{
	const struct timespec nap = { .tv_nsec = 20000000 };
	struct timespec begin, now;
	char who[64];
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (;;) {
		rc = ns_node_user(&ns_machine, v->rdev, S_IFCHR, v->dax, who,
				  sizeof(who));
		if (rc <= 0)
			return rc;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - begin.tv_sec > 2)
			return -EBUSY;
		nanosleep(&nap, NULL);
	}
}

static int restore_driver(const struct test_ns *was, struct test_ns *now)
{
	int rc;

	if (!strcmp(was->driver, now->driver))
		return 0;
	rc = was->driver[0] ? ns_bind(now) : ns_unbind(now);
	if (!rc)
		ns_copy(now->driver, sizeof(now->driver), was->driver);
	return rc;
}

static int restore_device(const struct test_ns *was, struct test_ns *now)
{
	struct test_ns found = { 0 };
	int rc;

	rc = ns_read_dax(&ns_machine, was->dax, &found);
	if (rc)
		return rc;
	*now = found;
	return restore_driver(was, now);
}

static int restore_namespace(const struct test_ns *was, const char *mode,
			     struct test_ns *now)
{
	char name[32], now_mode[16], why[256];
	struct test_ns found;
	int rc;

	rc = ns_name_by_uuid(&ns_machine, was, name, sizeof(name));
	if (rc == -ENODEV && was->uuid[0]) {
		/* destroyed, and its destroyer killed before it was created again */
		rc = ns_recreate(was, mode, why, sizeof(why));
		rc = rc ?: ns_name_by_uuid(&ns_machine, was, name, sizeof(name));
	}
	if (!rc)
		rc = ns_read_namespace(&ns_machine, name, &found, now_mode,
				       sizeof(now_mode));
	if (rc)
		return rc;
	if (!is_as_found(&found, now_mode, was, mode)) {
		if (found.dax[0])
			rc = wait_unused(&found);
		if (!rc)
			rc = ns_configure(was, mode, why, sizeof(why));
		if (!rc)
			rc = ns_read_namespace(&ns_machine, name, &found, now_mode,
					       sizeof(now_mode));
		if (rc)
			return rc;
		if (!is_as_found(&found, now_mode, was, mode))
			return -EIO;
	}
	*now = found;
	return restore_driver(was, now);
}

int ns_restore_one(struct ns_set *set, unsigned int i)
{
	int rc;

	if (set->avoid[i])
		return -EBUSY;
	if (set->was[i].ndns[0])
		rc = restore_namespace(&set->was[i], set->mode[i], &set->now[i]);
	else
		rc = restore_device(&set->was[i], &set->now[i]);
	if (!rc)
		set->reconfigured[i] = false;
	return rc;
}

int ns_set_restore(struct ns_set *set)
{
	unsigned int i;
	int rc, first = 0;

	for (i = 0; i < set->nr; i++) {
		rc = ns_restore_one(set, i);
		if (!first)
			first = rc;
	}
	rc = dynamic_restore(set);
	return first ? first : rc;
}
