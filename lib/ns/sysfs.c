// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading namespaces and dax devices from sysfs; bind and unbind.  Needs no library.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/ns/internal.h"
#include "lib/sysfs.h"

#define ND	"bus/nd/devices"
#define DAX	"bus/dax/devices"

static int machine_node(const char *path, struct stat *st)
{
	return lstat(path, st) ? -errno : 0;
}

const struct ns_env ns_machine = {
	.sys = "/sys",
	.proc = "/proc",
	.dev = "/dev",
	.node = machine_node,
};

static int __printf(4, 0) sysfs_path(const struct ns_env *env, char *path, size_t len,
				     const char *fmt, va_list ap)
{
	int n = snprintf(path, len, "%s/", env->sys);
	int m;

	if (n < 0 || (size_t)n >= len)
		return -ENAMETOOLONG;
	m = vsnprintf(path + n, len - n, fmt, ap);
	if (m < 0 || (size_t)m >= len - n)
		return -ENAMETOOLONG;
	return 0;
}

static int __printf(4, 0) read_attr(const struct ns_env *env, char *buf, size_t len,
				    const char *fmt, va_list ap)
{
	char path[PATH_MAX];
	int rc = sysfs_path(env, path, sizeof(path), fmt, ap);

	buf[0] = 0;
	return rc ? rc : sysfs_read_line(path, buf, len);
}

int ns_attr(const struct ns_env *env, char *buf, size_t len,
	    const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = read_attr(env, buf, len, fmt, ap);
	va_end(ap);
	return rc;
}

int ns_attr_number(const struct ns_env *env, unsigned long long *value,
		   const char *fmt, ...)
{
	char buf[64], *end;
	va_list ap;
	int rc;

	*value = 0;
	va_start(ap, fmt);
	rc = read_attr(env, buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (rc)
		return rc;
	errno = 0;
	*value = strtoull(buf, &end, 0);
	if (errno || end == buf || *end)
		return -EINVAL;
	return 0;
}

int ns_attr_dev(const struct ns_env *env, dev_t *rdev,
		const char *fmt, ...)
{
	unsigned int maj, min;
	va_list ap;
	char buf[64];
	int rc;

	*rdev = 0;
	va_start(ap, fmt);
	rc = read_attr(env, buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (rc)
		return rc;
	if (sscanf(buf, "%u:%u", &maj, &min) != 2)
		return -EINVAL;
	*rdev = makedev(maj, min);
	return 0;
}

bool ns_exists(const struct ns_env *env, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = sysfs_path(env, path, sizeof(path), fmt, ap);
	va_end(ap);
	return !rc && !access(path, F_OK);
}

/* the last component of a link's target, or the one before it */
static int link_part(const struct ns_env *env, bool parent, char *name,
		     size_t len, const char *fmt, ...)
{
	char path[PATH_MAX], target[PATH_MAX], *slash;
	va_list ap;
	ssize_t n;
	int rc;

	name[0] = 0;
	va_start(ap, fmt);
	rc = sysfs_path(env, path, sizeof(path), fmt, ap);
	va_end(ap);
	if (rc)
		return rc;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = 0;
	slash = strrchr(target, '/');
	if (parent && slash) {
		*slash = 0;
		slash = strrchr(target, '/');
	}
	slash = slash ? slash + 1 : target;
	if (strlen(slash) >= len)
		return -ENAMETOOLONG;
	ns_copy(name, len, slash);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

void ns_list_free(char **names, int nr)
{
	while (nr-- > 0)
		free(names[nr]);
	free(names);
}

int ns_list(const struct ns_env *env, const char *dir,
	    bool (*keep)(const char *name), char ***names)
{
	char path[PATH_MAX], **list = NULL, **more;
	struct dirent *entry;
	int nr = 0;
	DIR *d;

	*names = NULL;
	if (snprintf(path, sizeof(path), "%s/%s", env->sys, dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	d = opendir(path);
	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.' || (keep && !keep(entry->d_name)))
			continue;
		more = reallocarray(list, nr + 1, sizeof(*list));
		if (!more)
			goto nomem;
		list = more;
		list[nr] = strdup(entry->d_name);
		if (!list[nr])
			goto nomem;
		nr++;
	}
	closedir(d);
	if (nr)
		qsort(list, nr, sizeof(*list), by_number);
	*names = list;
	return nr;

nomem:
	closedir(d);
	ns_list_free(list, nr);
	return -ENOMEM;
}

int ns_driver_in(const struct ns_env *env, const char *dax, char *name,
		 size_t len)
{
	int rc = link_part(env, false, name, len, DAX "/%s/driver", dax);

	if (rc == -ENOENT)
		return ns_exists(env, DAX "/%s", dax) ? 0 : -ENODEV;
	return rc;
}

int ns_read_dax(const struct ns_env *env, const char *dax,
		struct test_ns *v)
{
	char mode[16];
	unsigned long long val;
	int rc;

	if (!ns_name_ok(dax) || strlen(dax) >= sizeof(v->dax))
		return -EINVAL;
	rc = ns_driver_in(env, dax, v->driver, sizeof(v->driver));
	if (rc)
		return rc;
	ns_copy(v->dax, sizeof(v->dax), dax);
	if (snprintf(v->node, sizeof(v->node), "%s/%s", env->dev, dax) >= (int)sizeof(v->node))
		return -ENAMETOOLONG;
	rc = ns_attr_number(env, &val, DAX "/%s/size", dax);
	if (rc)
		return rc;
	v->size = val;
	rc = ns_attr_number(env, &val, DAX "/%s/align", dax);
	if (rc == -ENOENT)
		rc = ns_attr_number(env, &val, DAX "/%s/../dax_region/align", dax);
	if (rc)
		return rc;
	v->align = val;
	rc = ns_attr_dev(env, &v->rdev, DAX "/%s/dev", dax);
	if (rc)
		return rc;
	/*
	 * The parent is libnvdimm's device, which has attributes for the
	 * namespace and the place of the memory map.  hmem and CXL have none.
	 */
	if (!ns_attr(env, v->ndns, sizeof(v->ndns), DAX "/%s/../namespace", dax) &&
	    !ns_name_ok(v->ndns))
		v->ndns[0] = 0;
	if (!ns_attr(env, mode, sizeof(mode), DAX "/%s/../mode", dax))
		v->map_dev = !strcmp(mode, "pmem");
	return 0;
}

/* the dax device that a namespace appears as; -ENODEV while it is disabled */
static int find_dax(const struct ns_env *env, const char *ndns,
		    struct test_ns *v)
{
	char owner[32], **names;
	int nr, i, rc = -ENODEV;

	nr = ns_list(env, DAX, NULL, &names);
	if (nr < 0)
		return -ENODEV;
	for (i = 0; i < nr && rc == -ENODEV; i++)
		if (!ns_attr(env, owner, sizeof(owner), DAX "/%s/../namespace", names[i]) &&
		    !strcmp(owner, ndns))
			rc = ns_read_dax(env, names[i], v);
	ns_list_free(names, nr);
	return rc;
}

/* the block device that a libnvdimm device appears as */
static void find_block(const struct ns_env *env, const char *nd_dev,
		       struct test_ns *v)
{
	char dir[128], **names;
	int nr;

	snprintf(dir, sizeof(dir), ND "/%s/block", nd_dev);
	nr = ns_list(env, dir, NULL, &names);
	if (nr < 0)
		return;
	if (nr && strlen(names[0]) < sizeof(v->block))
		ns_copy(v->block, sizeof(v->block), names[0]);
	ns_list_free(names, nr);
}

static const char *mode_word(const char *kernel)
{
	if (!strcmp(kernel, "dax"))
		return "devdax";
	if (!strcmp(kernel, "memory"))
		return "fsdax";
	if (!strcmp(kernel, "safe"))
		return "sector";
	return "raw";
}

int ns_read_namespace(const struct ns_env *env, const char *ndns,
		      struct test_ns *v, char *mode, size_t len)
{
	char word[16], holder[32], name[32];
	unsigned long long val;
	int rc;

	if (!ns_name_ok(ndns) || strlen(ndns) >= sizeof(name))
		return -EINVAL;
	/* @ndns may be a part of *v */
	ns_copy(name, sizeof(name), ndns);
	ndns = name;
	memset(v, 0, sizeof(*v));
	rc = ns_attr_number(env, &v->capacity, ND "/%s/size", ndns);
	if (rc)
		return rc == -ENOENT ? -ENODEV : rc;
	rc = ns_attr(env, word, sizeof(word), ND "/%s/mode", ndns);
	if (rc)
		return rc;
	ns_copy(v->ndns, sizeof(v->ndns), ndns);
	snprintf(mode, len, "%s", mode_word(word));

	/* not every kind of namespace has all of these */
	ns_attr(env, v->label, sizeof(v->label), ND "/%s/alt_name", ndns);
	ns_attr(env, v->uuid, sizeof(v->uuid), ND "/%s/uuid", ndns);
	ns_attr(env, v->claim, sizeof(v->claim), ND "/%s/claim_class", ndns);
	ns_attr_number(env, &v->start, ND "/%s/resource", ndns);
	ns_attr(env, v->provider, sizeof(v->provider), ND "/%s/../../provider", ndns);
	link_part(env, true, v->region, sizeof(v->region), ND "/%s", ndns);

	ns_attr(env, holder, sizeof(holder), ND "/%s/holder", ndns);
	if (!ns_name_ok(holder)) {
		find_block(env, ndns, v);
		return 0;
	}
	ns_copy(v->claim_dev, sizeof(v->claim_dev), holder);
	ns_attr(env, v->info_uuid, sizeof(v->info_uuid), ND "/%s/uuid", holder);
	if (!ns_attr_number(env, &val, ND "/%s/align", holder))
		v->align = val;
	if (!ns_attr(env, word, sizeof(word), ND "/%s/mode", holder))
		v->map_dev = !strcmp(word, "pmem");
	if (!strcmp(mode, "devdax")) {
		rc = find_dax(env, ndns, v);
		return rc == -ENODEV ? 0 : rc;
	}
	find_block(env, holder, v);
	if (!strcmp(mode, "sector")) {
		/* a list of all sizes, the chosen one in brackets */
		char sizes[64], *chosen;

		ns_attr(env, sizes, sizeof(sizes), ND "/%s/sector_size", holder);
		chosen = strchr(sizes, '[');
		v->sector = atoi(chosen ? chosen + 1 : sizes);
	}
	return 0;
}

static bool is_namespace_name(const char *name)
{
	return !strncmp(name, "namespace", 9);
}

int ns_name_by_uuid(const struct ns_env *env, const struct test_ns *v,
		    char *name, size_t len)
{
	char uuid[40], **names;
	int nr, i, rc = -ENODEV;

	if (!v->uuid[0]) {
		snprintf(name, len, "%s", v->ndns);
		return 0;
	}
	nr = ns_list(env, ND, is_namespace_name, &names);
	if (nr < 0)
		return -ENODEV;
	for (i = 0; i < nr && rc; i++)
		if (!ns_attr(env, uuid, sizeof(uuid), ND "/%s/uuid", names[i]) &&
		    !strcmp(uuid, v->uuid)) {
			snprintf(name, len, "%s", names[i]);
			rc = 0;
		}
	ns_list_free(names, nr);
	return rc;
}

bool ns_offers_align(const struct ns_env *env, const char *region,
		     size_t align, char *offered, size_t len)
{
	char seed[32], *end;
	const char *c;
	size_t n;

	if (ns_attr(env, seed, sizeof(seed), ND "/%s/dax_seed", region) ||
	    !ns_name_ok(seed) ||
	    ns_attr(env, offered, len, ND "/%s/supported_alignments", seed))
		return true;
	/* the list ends with a blank */
	for (n = strlen(offered); n && offered[n - 1] == ' '; n--)
		offered[n - 1] = 0;
	for (c = offered; *c; c = end + strspn(end, " ")) {
		if (strtoull(c, &end, 0) == align)
			return true;
		if (end == c)
			break;
	}
	return false;
}

/* writes a device's name to a file of the driver device_dax */
static int write_driver(const struct test_ns *v, const char *file)
{
	char path[PATH_MAX];

	if (!ns_name_ok(v->dax))
		return -EINVAL;
	snprintf(path, sizeof(path), "%s/bus/dax/drivers/device_dax/%s", ns_machine.sys, file);
	return sysfs_write(path, v->dax);
}

int ns_driver(const struct test_ns *v, char *name, size_t len)
{
	return ns_driver_in(&ns_machine, v->dax, name, len);
}

int ns_bind(const struct test_ns *v)
{
	char driver[32];
	int rc, seen;

	rc = ns_driver(v, driver, sizeof(driver));
	if (rc)
		return rc;
	if (!strcmp(driver, "device_dax"))
		return 0;
	if (driver[0])
		return -EBUSY;
	rc = write_driver(v, "bind");
	seen = ns_driver(v, driver, sizeof(driver));
	if (seen)
		return seen;
	if (!strcmp(driver, "device_dax"))
		return 0;
	/* some kernels report success although the driver refused the device */
	return rc ? rc : -ENXIO;
}

int ns_unbind(const struct test_ns *v)
{
	return write_driver(v, "unbind");
}

int ns_check_same_in(const struct ns_env *env, const struct test_ns *v,
		     char *why, size_t len)
{
	struct test_ns now = { 0 };
	struct stat st;
	int rc;

	if (len)
		why[0] = 0;
	rc = ns_read_dax(env, v->dax, &now);
	if (rc == -ENODEV)
		return ns_say(-ESTALE, why, len, "%s is gone", v->dax);
	if (rc)
		return ns_say(rc, why, len, "%s cannot be read from sysfs: %s", v->dax,
			      strerror(-rc));
	if (now.rdev != v->rdev)
		return ns_say(-ESTALE, why, len, "%s has device number %u:%u, it had %u:%u",
			      v->dax, major(now.rdev), minor(now.rdev), major(v->rdev),
			      minor(v->rdev));
	if (now.size != v->size)
		return ns_say(-ESTALE, why, len, "%s has %zu bytes, it had %zu", v->dax,
			      now.size, v->size);
	if (now.align != v->align)
		return ns_say(-ESTALE, why, len, "%s is aligned to %zu bytes, it was to %zu",
			      v->dax, now.align, v->align);
	rc = env->node(v->node, &st);
	if (rc)
		return ns_say(-ESTALE, why, len, "%s is gone: %s", v->node, strerror(-rc));
	if (!S_ISCHR(st.st_mode) || st.st_rdev != v->rdev)
		return ns_say(-ESTALE, why, len, "%s is another device than it was", v->node);
	return 0;
}

int ns_check_same(const struct test_ns *v, char *why, size_t len)
{
	return ns_check_same_in(&ns_machine, v, why, len);
}
