// SPDX-License-Identifier: GPL-2.0-only
/*
 * devices: the dax and nd buses have the same devices with the same drivers.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/health/internal.h"
#include "lib/sysfs.h"

#define DEVICES_OF	"/sys/bus/%s/devices"

static const char *const buses[] = { "dax", "nd" };

static int add_device(struct health_snapshot *s, const char *bus, int dir, const char *name)
{
	char link[NAME_MAX + sizeof("/driver")];
	char driver[PATH_MAX];
	const char *base = "no driver";
	ssize_t len;

	snprintf(link, sizeof(link), "%s/driver", name);
	len = readlinkat(dir, link, driver, sizeof(driver) - 1);
	if (len >= 0) {
		driver[len] = '\0';
		base = strrchr(driver, '/');
		base = base ? base + 1 : driver;
	} else if (errno != ENOENT && errno != ENODEV) {
		return -errno;
	}
	return health_snapshot_add(s, "%s %s: %s", bus, name, base);
}

/* zero-size seeds are ignored: libnvdimm adds one when the last was used */
static bool is_seed(const char *bus, const char *name)
{
	char path[NAME_MAX + sizeof(DEVICES_OF "/size")], size[32];

	if (strncmp(name, "namespace", 9))
		return false;
	snprintf(path, sizeof(path), DEVICES_OF "/%s/size", bus, name);
	return !sysfs_read_line(path, size, sizeof(size)) && !strcmp(size, "0");
}

static int add_bus(struct health_snapshot *s, const char *bus)
{
	char path[64];
	struct dirent *d;
	DIR *dir;
	int err = 0;

	snprintf(path, sizeof(path), DEVICES_OF, bus);
	dir = opendir(path);
	/* no bus, no devices: it may come with a module */
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!err) {
		errno = 0;
		d = readdir(dir);
		if (!d) {
			err = -errno;
			break;
		}
		if (d->d_name[0] != '.' && !is_seed(bus, d->d_name))
			err = add_device(s, bus, dirfd(dir), d->d_name);
	}
	closedir(dir);
	return err;
}

int health_devices_read(struct health_snapshot *s)
{
	int err = 0;

	s->len = 0;
	if (s->text)
		s->text[0] = '\0';
	for (size_t i = 0; !err && i < sizeof(buses) / sizeof(*buses); i++)
		err = add_bus(s, buses[i]);
	/* readdir(3) has no order */
	return err ? err : health_snapshot_sort(s);
}

static int read_devices(void *state, void *before)
{
	return health_devices_read(state);
}

static bool judge_devices(const void *before, const void *after, struct health_lines *l)
{
	if (health_snapshot_same(before, after))
		return false;
	health_snapshot_diff(before, after, "devices", l);
	return true;
}

static void renumber_devices(void *state)
{
	health_snapshot_anonymous(state, false);
}

static void free_devices(void *state)
{
	health_snapshot_free(state);
}

static const struct oracle devices[] = {
	{
		.name = "devices",
		.size = sizeof(struct health_snapshot),
		.read = read_devices,
		.judge = judge_devices,
		.renumber = renumber_devices,
		.free = free_devices,
	},
	{ }
};

REGISTER(oracles, devices);
