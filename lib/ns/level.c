// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/module.h"
#include "lib/ns/internal.h"
#include "lib/ns/level.h"
#include "lib/sysfs.h"

#define ND_DEVICES	"/sys/bus/nd/devices"
#define DAX_DEVICES	"/sys/bus/dax/devices"

/* After bind, libnvdimm probes devices one after the other in work items. */
#define BACK_NS		(10 * NSEC_PER_SEC)
#define BACK_NAP_NS	(2 * NSEC_PER_MSEC)

/* the directory of a level's device, without symbolic links */
static int device_directory(const struct test_ns *v, enum level which, char *path)
{
	char name[128] = "";

	if (which == LEVEL_DEVICE_DAX)
		snprintf(name, sizeof(name), DAX_DEVICES "/%s", v->dax);
	else if (which == LEVEL_DAX_REGION)
		snprintf(name, sizeof(name), DAX_DEVICES "/%s/..", v->dax);
	else if (which == LEVEL_DAX_PMEM)
		snprintf(name, sizeof(name), ND_DEVICES "/%s", v->claim_dev);
	else if (which == LEVEL_ND_REGION)
		snprintf(name, sizeof(name), ND_DEVICES "/%s", v->region);
	else if (which == LEVEL_ND_BUS)
		/* ndbus0 is below it, the region below ndbus0 */
		snprintf(name, sizeof(name), ND_DEVICES "/%s/../..", v->region);
	if (which != LEVEL_DAX_REGION && (!v->claim_dev[0] || !v->region[0]))
		return -ENODEV;
	if (!realpath(name, path))
		return -ENODEV;
	return 0;
}

int level_find(struct test_ns *v, enum level which, char *why, size_t len)
{
	char path[PATH_MAX], driver[PATH_MAX + 8], real[PATH_MAX];

	memset(&v->above, 0, sizeof(v->above));
	if (device_directory(v, which, path))
		return ns_say(-ENODEV, why, len, "%s is not below a region",
			      ns_key(v));
	snprintf(driver, sizeof(driver), "%s/driver", path);
	if (!realpath(driver, real))
		return ns_say(-ENODEV, why, len, "%s is not bound to a driver", path);
	ns_copy(v->above.name, sizeof(v->above.name), strrchr(path, '/') + 1);
	ns_copy(v->above.driver, sizeof(v->above.driver), real);
	snprintf(driver, sizeof(driver), "%.*s/module", PATH_MAX - 8, v->above.driver);
	/* old struct acpi_driver has no owner; nfit's module has the driver's name */
	if (!realpath(driver, real)) {
		snprintf(driver, sizeof(driver), "/sys/module%s", strrchr(v->above.driver, '/'));
		snprintf(path, sizeof(path), "%.100s/initstate", driver);
		if (access(path, F_OK) || !realpath(driver, real))
			return 0;
	}
	ns_copy(v->above.module, sizeof(v->above.module), strrchr(real, '/') + 1);
	return 0;
}

static bool is_offered(const struct ns_set *set, const char *ndns)
{
	for (unsigned int i = 0; i < set->nr; i++)
		if (!strcmp(set->now[i].ndns, ndns) && !set->avoid[i])
			return true;
	return false;
}

/* by the name of its device on the dax or nd bus */
static bool is_offered_dax(const struct ns_set *set, const char *name)
{
	for (unsigned int i = 0; i < set->nr; i++)
		if ((!strcmp(set->now[i].dax, name) || !strcmp(set->now[i].claim_dev, name)) &&
		    !set->avoid[i])
			return true;
	return false;
}

int level_module_offered(const struct ns_set *set, const struct test_ns *v,
			 enum level which, char *why, size_t len)
{
	struct dirent *d;
	int ret = 0;
	DIR *dir;

	if (!v->above.module[0])
		return ns_say(-EOPNOTSUPP, why, len, "%s is built into this kernel",
			      strrchr(v->above.driver, '/') + 1);
	dir = opendir(v->above.driver);
	if (!dir)
		return -errno;
	while (!ret && (d = readdir(dir))) {
		bool ours = which <= LEVEL_DAX_PMEM ? is_offered_dax(set, d->d_name) :
						      !strcmp(d->d_name, v->above.name);

		if (d->d_type == DT_LNK && strcmp(d->d_name, "module") && !ours)
			ret = ns_say(-EPERM, why, len,
				     "%s is also bound to %s and is not offered: offer all devices of the module, or none",
				     d->d_name, v->above.module);
	}
	closedir(dir);
	return ret;
}

static bool is_namespace(const char *name)
{
	return !strncmp(name, "namespace", 9);
}

int level_offered(const struct ns_set *set, const struct test_ns *v, enum level which,
		  char *why, size_t len)
{
	char above[PATH_MAX], path[PATH_MAX], link[64], **names;
	int ret = device_directory(v, which, above), nr;

	/* only the namespace itself */
	if (ret || which <= LEVEL_DAX_PMEM)
		return ret;
	nr = ns_list(&ns_machine, "bus/nd/devices", is_namespace, &names);
	if (nr < 0)
		return nr;
	for (int i = 0; i < nr && !ret; i++) {
		unsigned long long size = 0;
		size_t n = strlen(above);

		snprintf(link, sizeof(link), ND_DEVICES "/%.40s", names[i]);
		if (!realpath(link, path) || strncmp(path, above, n) || path[n] != '/')
			continue;
		ns_attr_number(&ns_machine, &size, "bus/nd/devices/%s/size", names[i]);
		if (size && !is_offered(set, names[i]))
			ret = ns_say(-EPERM, why, len,
				     "%s is not offered and would go with %s, which is above it: offer all namespaces below, or none",
				     names[i], v->above.name);
	}
	ns_list_free(names, nr);
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

int level_left(const struct test_ns *v, enum level which, char *what, size_t len)
{
	const struct { const char *dir, *name; enum level from; } device[] = {
		{ DAX_DEVICES, v->dax, LEVEL_DAX_REGION },
		{ ND_DEVICES, v->claim_dev, LEVEL_ND_REGION },
		{ ND_DEVICES, v->ndns, LEVEL_ND_REGION },
		{ ND_DEVICES, v->region, LEVEL_ND_BUS },
	};
	FILE *iomem = fopen("/proc/iomem", "re");
	char path[96];

	what[0] = '\0';
	if (!iomem)
		return -errno;
	for (unsigned int i = 0; i < sizeof(device) / sizeof(*device); i++) {
		if (which < device[i].from)
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

unsigned long long level_data_start(const struct test_ns *v)
{
	unsigned long long start = 0;

	ns_attr_number(&ns_machine, &start, "bus/nd/devices/%s/resource", v->claim_dev);
	return start;
}

static int write_driver(const struct test_ns *v, const char *file)
{
	char path[sizeof(v->above.driver) + 16];

	if (!v->above.name[0])
		return -ENODEV;
	snprintf(path, sizeof(path), "%s/%s", v->above.driver, file);
	return sysfs_write(path, v->above.name);
}

int level_unbind(const struct test_ns *v)
{
	return write_driver(v, "unbind");
}

static bool is_bound(const struct test_ns *v)
{
	char path[sizeof(v->above.driver) + sizeof(v->above.name) + 2];

	snprintf(path, sizeof(path), "%s/%s", v->above.driver, v->above.name);
	return !access(path, F_OK);
}

static int wait_for_device(const struct test_ns *v)
{
	uint64_t end = clock_now_ns() + BACK_NS;
	struct test_ns now;
	char why[WHY_LEN];

	while (ns_find_again(v, &now, why, sizeof(why))) {
		if (clock_now_ns() >= end)
			return -ENXIO;
		clock_sleep_ns(BACK_NAP_NS);
	}
	return 0;
}

int level_rebind(const struct test_ns *v)
{
	return is_bound(v) ? 0 : write_driver(v, "bind");
}

int level_bind(const struct test_ns *v)
{
	return level_rebind(v) ?: wait_for_device(v);
}

int level_enable_namespace(const struct test_ns *v)
{
	return ns_enable_namespace(v) ?: wait_for_device(v);
}

int level_enable_region(const struct test_ns *v)
{
	return ns_enable_region(v) ?: wait_for_device(v);
}

int level_rmmod(const struct test_ns *v)
{
	if (!v->above.module[0])
		return -EOPNOTSUPP;
	return module_unload(v->above.module);
}

int level_rmmod_in_order(const struct test_ns *v)
{
	char bus[64], path[160], **names;
	int ret = 0, nr;

	snprintf(bus, sizeof(bus), "bus/nd/devices/%s/..", v->region);
	nr = ns_list(&ns_machine, bus, NULL, &names);
	if (nr < 0)
		return nr;
	for (int i = 0; i < nr && !ret; i++) {
		snprintf(path, sizeof(path), "/sys/%s/%.40s/driver/unbind", bus, names[i]);
		if (!access(path, F_OK))
			ret = sysfs_write(path, names[i]);
	}
	ns_list_free(names, nr);
	return ret ?: level_rmmod(v);
}

int level_modprobe(const struct test_ns *v)
{
	return module_load(v->above.module, NULL) ?: wait_for_device(v);
}
