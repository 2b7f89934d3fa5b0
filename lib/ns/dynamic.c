// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ns/dynamic.h"
#include "lib/ns/internal.h"
#include "lib/sysfs.h"
#include "lib/variable.h"

#define DAX	"bus/dax/devices"
#define DRIVER	"bus/dax/drivers/device_dax"

static int write_file(const char *path, const char *text)
{
	char full[160];

	snprintf(full, sizeof(full), "%s/%s", ns_machine.sys, path);
	return sysfs_write(full, text);
}

static int write_number(const char *name, const char *file, size_t number)
{
	char path[96], text[32];

	snprintf(path, sizeof(path), DAX "/%.31s/%s", name, file);
	snprintf(text, sizeof(text), "%zu", number);
	return write_file(path, text);
}

int dynamic_resize(const char *name, size_t bytes)
{
	return write_number(name, "size", bytes);
}

int dynamic_align(const char *name, size_t bytes)
{
	return write_number(name, "align", bytes);
}

int dynamic_region_number(const char *first, const char *file, unsigned long long *number)
{
	return ns_attr_number(&ns_machine, number, DAX "/%s/../dax_region/%s", first,
			      file);
}

int dynamic_region_write(const char *device, const char *file, const char *text)
{
	char path[112];

	snprintf(path, sizeof(path), DAX "/%.31s/../dax_region/%.31s", device, file);
	return write_file(path, text);
}

static int mapping_in(const struct ns_env *env, const char *name, unsigned int n,
		      unsigned long long *start, unsigned long long *bytes)
{
	unsigned long long end;
	int rc = ns_attr_number(env, start, DAX "/%s/mapping%u/start", name, n);

	rc = rc ? rc : ns_attr_number(env, &end, DAX "/%s/mapping%u/end", name, n);
	if (rc)
		return rc == -ENOENT ? -ENODEV : rc;
	*bytes = end - *start + 1;
	return 0;
}

int dynamic_mapping(const char *name, unsigned int n, unsigned long long *start,
		    unsigned long long *bytes)
{
	return mapping_in(&ns_machine, name, n, start, bytes);
}

static int read_in(const struct ns_env *env, const char *name, struct test_ns *v)
{
	char path[96], real[PATH_MAX];
	unsigned long long bytes;
	int rc;

	memset(v, 0, sizeof(*v));
	rc = ns_read_dax(env, name, v);
	snprintf(path, sizeof(path), "%s/" DAX "/%.31s/..", env->sys, name);
	if (!rc && realpath(path, real))
		ns_copy(v->provider, sizeof(v->provider), strrchr(real, '/') + 1);
	/* a device without bytes has no ranges */
	if (!rc && v->size)
		rc = mapping_in(env, name, 0, &v->start, &bytes);
	return rc;
}

int dynamic_read(const char *name, struct test_ns *v)
{
	return read_in(&ns_machine, name, v);
}

void dynamic_first(const struct test_ns *v, char *name, size_t len)
{
	char *dot;

	ns_copy(name, len, v->dax);
	dot = strchr(name, '.');
	if (dot && dot[1])
		memcpy(dot, ".0", 3);
}

/* prefix of the names of a region's devices, "dax0.": ns_list() passes no argument on */
static char of_region[32];

static bool is_of_region(const char *name)
{
	return !strncmp(name, of_region, strlen(of_region));
}

static int list_region(const struct ns_env *env, const char *first, char ***names)
{
	ns_copy(of_region, sizeof(of_region), first);
	if (strchr(of_region, '.'))
		strchr(of_region, '.')[1] = '\0';
	return ns_list(env, DAX, is_of_region, names);
}

static int check_region(const struct ns_env *env, const char *first, char *why, size_t len)
{
	struct test_ns v;
	char **names;
	int nr, rc = 0;

	nr = list_region(env, first, &names);
	if (nr < 0)
		return nr;
	for (int i = 0; i < nr && !rc; i++) {
		rc = read_in(env, names[i], &v);
		if (rc)
			ns_say(rc, why, len, "%s cannot be read from sysfs: %s", names[i],
			       strerror(-rc));
		else if (strcmp(names[i], first) && v.size)
			rc = ns_say(-EBUSY, why, len,
				    "%s lies in the region that DAX_TEST_REGION names: destroy all but %s there with 'daxctl destroy-device' first",
				    names[i], first);
		else if (v.size)
			rc = ns_check_dax(env, &v, why, len);
	}
	ns_list_free(names, nr);
	return rc;
}

static bool is_first(const char *name)
{
	const char *dot = strchr(name, '.');

	return !strncmp(name, "dax", 3) && dot && !strcmp(dot, ".0");
}

/* the first device of the region that has this id */
static int find_region(const struct ns_env *env, const char *id, char *first, size_t len)
{
	char text[32], **names;
	int nr, rc = -ENODEV;

	nr = ns_list(env, DAX, is_first, &names);
	if (nr < 0)
		return -ENODEV;
	for (int i = 0; i < nr && rc; i++) {
		if (ns_attr(env, text, sizeof(text), DAX "/%s/../dax_region/id",
			    names[i]) || strcmp(text, id))
			continue;
		ns_copy(first, len, names[i]);
		rc = 0;
	}
	ns_list_free(names, nr);
	return rc;
}

int dynamic_find_in(const struct ns_env *env, struct ns_set *set, const char *id,
		    char *why, size_t len)
{
	struct dynamic *d = &set->dynamic;
	char first[32] = "";
	int rc;

	memset(d, 0, sizeof(*d));
	if (!id || !id[0])
		return 0;
	if (id[strspn(id, "0123456789")] || find_region(env, id, first, sizeof(first)))
		return ns_say(-EINVAL, why, len,
			      "DAX_TEST_REGION=%.20s names no dax region: give the id of one of 'daxctl list -R'",
			      id[strspn(id, "0123456789")] ? "(no number)" : id);
	if (!ns_exists(env, DAX "/%s/../dax_region/" DYNAMIC_CREATE, first))
		return ns_say(-EINVAL, why, len,
			      "DAX_TEST_REGION=%s names the region of %s, which is static: give one of hmem or CXL",
			      id, first);
	rc = check_region(env, first, why, len);
	if (!rc)
		rc = read_in(env, first, &d->was);
	if (rc)
		return rc;
	ns_copy(d->first, sizeof(d->first), first);
	return 0;
}

static const struct variable dynamic_variables[] = {
	{ "DAX_TEST_REGION", "a dynamic dax region (hmem, CXL) that may be divided, by its id" },
	{ }
};

REGISTER(variables, dynamic_variables);

int dynamic_find(struct ns_set *set, const char *id, char *why, size_t len)
{
	return dynamic_find_in(&ns_machine, set, id, why, len);
}

int dynamic_create(const char *first, size_t bytes, char *name, size_t len)
{
	int rc = dynamic_region_write(first, DYNAMIC_CREATE, "1");

	if (rc)
		return rc;
	rc = ns_attr(&ns_machine, name, len, DAX "/%s/../dax_region/" DYNAMIC_SEED, first);
	if (!rc && !ns_name_ok(name))
		rc = -EIO;
	return rc ? rc : dynamic_resize(name, bytes);
}

int dynamic_destroy(const char *name)
{
	struct test_ns v = { 0 };
	int rc = ns_driver_in(&ns_machine, name, v.driver, sizeof(v.driver));

	ns_copy(v.dax, sizeof(v.dax), name);
	if (!rc && !strcmp(v.driver, "device_dax"))
		rc = ns_unbind(&v);
	if (!rc)
		rc = dynamic_resize(name, 0);
	/* the first one stays, without bytes */
	if (!rc && !is_first(name))
		rc = dynamic_region_write(name, DYNAMIC_DELETE, name);
	return rc;
}

int dynamic_bind(const char *name)
{
	struct test_ns v = { 0 };
	char driver[32];
	int rc;

	ns_copy(v.dax, sizeof(v.dax), name);
	/* not an error: a name that was written before is refused, with the device bound */
	write_file(DRIVER "/new_id", name);
	if (ns_driver(&v, driver, sizeof(driver)) || !driver[0])
		rc = ns_bind(&v);
	else
		rc = strcmp(driver, "device_dax") ? -EBUSY : 0;
	return rc;
}

/* destroys all devices of the region; its first one stays, without bytes */
static int clear_region(const char *first)
{
	char **names;
	int nr, rc = 0;

	nr = list_region(&ns_machine, first, &names);
	if (nr < 0)
		return nr;
	for (int i = 0; i < nr && !rc; i++) {
		rc = dynamic_destroy(names[i]);
		write_file(DRIVER "/remove_id", names[i]);
	}
	ns_list_free(names, nr);
	return rc;
}

int dynamic_make(struct dynamic *d, size_t bytes, size_t align, struct test_ns *v, char *why,
		 size_t len)
{
	char name[32] = "";
	int rc;

	__atomic_store_n(&d->changed, true, __ATOMIC_SEQ_CST);
	rc = clear_region(d->first);
	if (rc)
		return ns_say(rc, why, len, "%s: clearing its region: %s", d->first,
			      strerror(-rc));
	rc = dynamic_create(d->first, bytes, name, sizeof(name));
	if (rc)
		return ns_say(rc, why, len, "%s: creating a device of %zu bytes: %s",
			      d->first, bytes, strerror(-rc));
	rc = dynamic_align(name, align);
	if (rc)
		return ns_say(rc, why, len, "%s: aligning it to %zu bytes: %s", name, align,
			      strerror(-rc));
	rc = dynamic_bind(name);
	rc = rc ? rc : dynamic_read(name, v);
	if (rc)
		return ns_say(rc, why, len, "%s: binding it to device_dax: %s", name,
			      strerror(-rc));
	return 0;
}

int dynamic_restore(struct ns_set *set)
{
	struct dynamic *d = &set->dynamic;
	int rc;

	if (!d->changed)
		return 0;
	if (d->avoid)
		return -EBUSY;
	rc = clear_region(d->first);
	if (!rc)
		rc = dynamic_align(d->first, d->was.align);
	if (!rc)
		rc = dynamic_resize(d->first, d->was.size);
	if (!rc && d->was.driver[0])
		rc = dynamic_bind(d->first);
	if (!rc)
		d->changed = false;
	return rc;
}
