// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dm-delay device, through libdevmapper: it holds I/O back until a command
 * completes it.
 */
#define _GNU_SOURCE
#include "lib/pin/target.h"

#ifdef HAVE_LIBDEVMAPPER

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <libdevmapper.h>

#include "lib/module.h"

/*
 * The delay itself, for the case that no process is left to give the command: longer
 * than any watch, shorter than a machine's time limit.
 */
#define DELAY_MS	30000

/* libdevmapper prints nothing: the caller reports errors in its own words */
static void dm_quiet(int level, const char *file, int line, int dm_errno_or_class,
		     const char *fmt, ...)
{
}

/* a task for the device of this run */
static struct dm_task *dm_task_ours(const struct pin_targets *t, int type)
{
	struct dm_task *task;
	char name[32];

	dm_log_with_errno_init(dm_quiet);
	/* the node comes from devtmpfs; a guest has no udev to wait for */
	dm_udev_set_sync_support(0);
	task = dm_task_create(type);
	if (!task)
		return NULL;
	snprintf(name, sizeof(name), "ksft-dax-%u", t->id);
	if (!dm_task_set_name(task, name)) {
		dm_task_destroy(task);
		return NULL;
	}
	return task;
}

static int dm_run(struct dm_task *task)
{
	int err;

	if (dm_task_run(task))
		return 0;
	err = dm_task_get_errno(task);
	return err ? -err : -EIO;
}

static int dm_simple(const struct pin_targets *t, int type)
{
	struct dm_task *task = dm_task_ours(t, type);
	uint32_t cookie = 0;
	int err;

	if (!task)
		return -ENOMEM;
	if (type == DM_DEVICE_SUSPEND)
		dm_task_skip_lockfs(task);
	/* no udev rule may read from the device on resume: the read would be held */
	if (type == DM_DEVICE_RESUME)
		dm_task_set_cookie(task, &cookie, DM_UDEV_DISABLE_DISK_RULES_FLAG |
				   DM_UDEV_DISABLE_OTHER_RULES_FLAG |
				   DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG);
	err = dm_run(task);
	dm_task_destroy(task);
	return err;
}

/* does the device exist? 1, 0 or -errno; sets its minor number */
static int dm_exists(const struct pin_targets *t, unsigned int *minor)
{
	struct dm_task *task = dm_task_ours(t, DM_DEVICE_INFO);
	struct dm_info info;
	int ret;

	if (!task)
		return -ENOMEM;
	ret = dm_run(task);
	if (!ret) {
		ret = dm_task_get_info(task, &info) && info.exists;
		if (ret)
			*minor = info.minor;
	}
	dm_task_destroy(task);
	return ret;
}

static int dm_make(struct pin_targets *t)
{
	struct dm_task *task = dm_task_ours(t, DM_DEVICE_CREATE);
	uint32_t cookie = 0;
	char params[128], uuid[32];
	int err = -EINVAL;

	if (!task)
		return -ENOMEM;
	snprintf(params, sizeof(params), "%s 0 %u", t->under, DELAY_MS);
	snprintf(uuid, sizeof(uuid), "KSFT-DAX-%u", t->id);
	if (dm_task_set_uuid(task, uuid) &&
	    dm_task_add_target(task, 0, t->size / 512, "delay", params) &&
	    dm_task_set_cookie(task, &cookie, DM_UDEV_DISABLE_DISK_RULES_FLAG |
			       DM_UDEV_DISABLE_OTHER_RULES_FLAG |
			       DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG))
		err = dm_run(task);
	dm_task_destroy(task);
	return err;
}

static int make_delay(struct pin_targets *t)
{
	unsigned int minor;
	int err;

	err = pin_nullb_create(t, "under", t->under, sizeof(t->under));
	if (err)
		return err;
	err = pin_target_load(t, "dm_mod", NULL, TARGET_DM_MOD);
	if (!err)
		err = pin_target_load(t, "dm_delay", NULL, TARGET_DM_DELAY);
	if (err)
		return pin_target_missing(t, err, "the module dm-delay is missing");
	err = dm_make(t);
	if (!err) {
		err = dm_exists(t, &minor);
		err = err > 0 ? 0 : err ? err : -ENODEV;
	}
	if (!err) {
		snprintf(t->delay, sizeof(t->delay), "/dev/dm-%u", minor);
		err = pin_target_wait_node(t->delay);
	}
	if (err) {
		t->delay[0] = '\0';
		return pin_target_missing(t, err, "device mapper refused the device: %s",
					  strerror(-err));
	}
	return 0;
}

static int dmdelay_create(struct pin_targets *t)
{
	int err = make_delay(t);

	/* libdevmapper keeps the control device open, and that keeps the module */
	dm_lib_release();
	return err;
}

static int dmdelay_held(const struct pin_targets *t, bool write)
{
	unsigned int reads, writes;
	uint64_t start, length;
	char *type, *params;
	struct dm_task *task;
	int ret;

	task = dm_task_ours(t, DM_DEVICE_STATUS);
	if (!task)
		return -ENOMEM;
	dm_task_no_flush(task);
	ret = dm_run(task);
	if (!ret) {
		dm_get_next_target(task, NULL, &start, &length, &type, &params);
		if (params && sscanf(params, "%u %u", &reads, &writes) == 2)
			ret = write ? writes : reads;
		else
			ret = -EPROTO;
	}
	dm_task_destroy(task);
	return ret;
}

static int dmdelay_flush(const struct pin_targets *t)
{
	const struct timespec pause = { .tv_nsec = TARGET_POLL_NS };
	int try, err = 0, up;

	/* another process may do the same: two suspends exclude each other */
	for (try = 0; try < 10; try++) {
		err = dm_simple(t, DM_DEVICE_SUSPEND);
		up = dm_simple(t, DM_DEVICE_RESUME);
		if (!err)
			return up;
		nanosleep(&pause, NULL);
	}
	return err;
}

static int remove_device(const struct pin_targets *t)
{
	unsigned int minor;
	int try, err;

	/* opening the control device would load device mapper */
	if (!module_loaded("dm_mod"))
		return 0;
	err = dm_exists(t, &minor);
	for (try = 0; err == 1 && try < 10; try++) {
		/* a device that holds I/O back cannot be removed */
		dm_simple(t, DM_DEVICE_SUSPEND);
		dm_simple(t, DM_DEVICE_RESUME);
		err = dm_simple(t, DM_DEVICE_REMOVE);
		if (err)
			err = dm_exists(t, &minor);
	}
	return err == 1 ? -EBUSY : err;
}

static int dmdelay_destroy(const struct pin_targets *t)
{
	int err, ret = remove_device(t);

	dm_lib_release();
	err = pin_nullb_remove(t, "under");
	return ret ?: err;
}

static void dmdelay_unload(const struct pin_targets *t)
{
	pin_target_unload(t, "dm_delay", TARGET_DM_DELAY);
	pin_target_unload(t, "dm_mod", TARGET_DM_MOD);
}

static const struct pin_target dmdelay_target = {
	.create = dmdelay_create,
	.held = dmdelay_held,
	.flush = dmdelay_flush,
	.destroy = dmdelay_destroy,
	.unload = dmdelay_unload,
};
#else
static const struct pin_target dmdelay_target = { .lacks = "built without libdevmapper" };
#endif

REGISTER(pin_target_kinds, &dmdelay_target);
