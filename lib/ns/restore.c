// SPDX-License-Identifier: GPL-2.0-only
/* Restoring namespaces and devices to the state that they were found in. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/ns/dynamic.h"
#include "lib/ns/internal.h"

/* Limit of the wait for processes that were killed, and time between two checks. */
#define UNUSED_NS	(3 * NSEC_PER_SEC)
#define UNUSED_POLL_NS	(20 * NSEC_PER_MSEC)

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
 * A killed process takes a moment to end.  A process that keeps pins until reboot does not
 * end, and the memory map must not be taken from under its pins a second time.
 */
static int wait_unused(const struct test_ns *v)
{
	uint64_t end = clock_now_ns() + UNUSED_NS;
	char who[64];
	int rc;

	while ((rc = ns_node_user(&ns_machine, v->rdev, S_IFCHR, v->dax, who, sizeof(who))) > 0) {
		if (clock_now_ns() >= end)
			return -EBUSY;
		clock_sleep_ns(UNUSED_POLL_NS);
	}
	return rc;
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
		/* destroyed by a test that was killed before it created it again */
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
