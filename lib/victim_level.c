// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "victim_level.h"
#include "timeline.h"
#include "victim_internal.h"

#define ND_DEVICES	"/sys/bus/nd/devices"
#define DAX_DEVICES	"/sys/bus/dax/devices"

/* Devices come back one after the other, in work items, and not at once. */
#define BACK_NS		(10 * NSEC_PER_SEC)
#define BACK_NAP_NS	(2 * NSEC_PER_MSEC)

/* the directory of a level's device, without symbolic links */
static int directory(const struct victim *v, enum level level, char *path)
{
	char name[128] = "";

	if (level == LEVEL_DAX_PMEM)
		snprintf(name, sizeof(name), ND_DEVICES "/%s", v->holder);
	else if (level == LEVEL_ND_REGION)
		snprintf(name, sizeof(name), ND_DEVICES "/%s", v->region);
	else if (level == LEVEL_ND_BUS)
		/* below it ndbus0, and below that the region */
		snprintf(name, sizeof(name), ND_DEVICES "/%s/../..", v->region);
	if (!v->holder[0] || !v->region[0] || !realpath(name, path))
		return -ENODEV;
	return 0;
}

int level_find(struct victim *v, enum level level, char *why, size_t len)
{
	char path[PATH_MAX], driver[PATH_MAX + 8], real[PATH_MAX];

	memset(&v->above, 0, sizeof(v->above));
	if (directory(v, level, path))
		return victim_say(-ENODEV, why, len, "%s has no namespace below a region",
				  victim_key(v));
	snprintf(driver, sizeof(driver), "%s/driver", path);
	if (!realpath(driver, real))
		return victim_say(-ENODEV, why, len, "%s is not bound to a driver", path);
	victim_copy(v->above.name, sizeof(v->above.name), strrchr(path, '/') + 1);
	victim_copy(v->above.driver, sizeof(v->above.driver), real);
	return 0;
}

static bool is_offered(const struct victim_set *set, const char *ndns)
{
	for (unsigned int i = 0; i < set->nr; i++)
		if (!strcmp(set->now[i].ndns, ndns) && !set->avoid[i])
			return true;
	return false;
}

static bool is_namespace(const char *name)
{
	return !strncmp(name, "namespace", 9);
}

int level_offered(const struct victim_set *set, const struct victim *v, enum level level,
		  char *why, size_t len)
{
	char above[PATH_MAX], path[PATH_MAX], link[64], **names;
	int ret = directory(v, level, above), nr;

	/* one namespace only, which is ours */
	if (ret || level == LEVEL_DAX_PMEM)
		return ret;
	nr = victim_list(&victim_machine, "bus/nd/devices", is_namespace, &names);
	if (nr < 0)
		return nr;
	for (int i = 0; i < nr && !ret; i++) {
		unsigned long long size = 0;
		size_t n = strlen(above);

		snprintf(link, sizeof(link), ND_DEVICES "/%.40s", names[i]);
		if (!realpath(link, path) || strncmp(path, above, n) || path[n] != '/')
			continue;
		victim_attr_number(&victim_machine, &size, "bus/nd/devices/%s/size", names[i]);
		if (size && !is_offered(set, names[i]))
			ret = victim_say(-EPERM, why, len,
					 "%s, below %s, is not offered, and would go with it: offer all that is below, or none",
					 names[i], v->above.name);
	}
	victim_list_free(names, nr);
	return ret;
}

/* a range of /proc/iomem by the name of its owner */
static bool owns_memory(FILE *iomem, const char *name)
{
	char line[128];

	rewind(iomem);
	while (fgets(line, sizeof(line), iomem)) {
		char *owner = strstr(line, " : ");

		if (owner && !strncmp(owner + 3, name, strlen(name)) &&
		    owner[3 + strlen(name)] == '\n')
			return true;
	}
	return false;
}

int level_left(const struct victim *v, enum level level, char *what, size_t len)
{
	const struct { const char *dir, *name; enum level from; } device[] = {
		{ DAX_DEVICES, v->dax, LEVEL_DAX_PMEM },
		{ ND_DEVICES, v->holder, LEVEL_ND_REGION },
		{ ND_DEVICES, v->ndns, LEVEL_ND_REGION },
		{ ND_DEVICES, v->region, LEVEL_ND_BUS },
	};
	FILE *iomem = fopen("/proc/iomem", "re");
	char path[96];

	what[0] = '\0';
	if (!iomem)
		return -errno;
	for (unsigned int i = 0; i < sizeof(device) / sizeof(*device); i++) {
		if (level < device[i].from)
			continue;
		snprintf(path, sizeof(path), "%s/%s", device[i].dir, device[i].name);
		if (!access(path, F_OK))
			snprintf(what, len, "%s is still there", path);
		else if (owns_memory(iomem, device[i].name))
			snprintf(what, len, "%s still owns a range of /proc/iomem",
				 device[i].name);
	}
	fclose(iomem);
	return 0;
}

static int write_driver(const struct victim *v, const char *file)
{
	char path[sizeof(v->above.driver) + 16];
	int fd, ret = 0;

	if (!v->above.name[0])
		return -ENODEV;
	snprintf(path, sizeof(path), "%s/%s", v->above.driver, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, v->above.name, strlen(v->above.name)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int level_unbind(const struct victim *v)
{
	return write_driver(v, "unbind");
}

static bool is_bound(const struct victim *v)
{
	char path[sizeof(v->above.driver) + sizeof(v->above.name) + 2];

	snprintf(path, sizeof(path), "%s/%s", v->above.driver, v->above.name);
	return !access(path, F_OK);
}

int level_bind(const struct victim *v)
{
	const struct timespec nap = { .tv_nsec = BACK_NAP_NS };
	uint64_t end = timeline_now() + BACK_NS;
	struct victim now;
	char why[VICTIM_WHY];
	int ret = 0;

	if (!is_bound(v))
		ret = write_driver(v, "bind");
	while (!ret && victim_again(v, &now, why, sizeof(why))) {
		if (timeline_now() >= end)
			ret = -ENXIO;
		nanosleep(&nap, NULL);
	}
	return ret;
}
