// SPDX-License-Identifier: GPL-2.0-only
/* Finding the namespaces that were offered, and refusing those in use. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/ns/dynamic.h"
#include "lib/ns/internal.h"
#include "lib/variable.h"

int ns_say(int rc, char *why, size_t len, const char *fmt, ...)
{
	va_list ap;

	if (len) {
		va_start(ap, fmt);
		vsnprintf(why, len, fmt, ap);
		va_end(ap);
	}
	return rc;
}

void ns_copy(char *to, size_t len, const char *from)
{
	size_t i;

	for (i = 0; i + 1 < len && from[i]; i++)
		to[i] = from[i];
	to[i] = 0;
}

bool ns_name_ok(const char *name)
{
	const char *c;

	/* neither a hidden entry nor "..", nor what a tool takes for an option */
	if (!isalnum((unsigned char)name[0]))
		return false;
	for (c = name; *c; c++)
		if (!isascii((unsigned char)*c) ||
		    (!isalnum((unsigned char)*c) && !strchr("._-", *c)))
			return false;
	return c - name < 32;
}

int ns_next_name(const char **list, const char *prefix, char *name,
		 size_t len)
{
	const char *separators = ", \t\n";
	const char *start = *list + strspn(*list, separators);
	size_t n = strcspn(start, separators), i;

	*list = start + n;
	if (!n)
		return 0;
	if (prefix && n > strlen(prefix) && !strncmp(start, prefix, strlen(prefix))) {
		start += strlen(prefix);
		n -= strlen(prefix);
	}
	snprintf(name, len, "%.*s", (int)n, start);
	if (n < len && ns_name_ok(name))
		return 1;
	/* it is going to be printed */
	for (i = 0; name[i]; i++)
		if (!isprint((unsigned char)name[i]))
			name[i] = '?';
	return -EINVAL;
}

static bool is_dax_name(const char *name)
{
	return !strncmp(name, "dax", 3);
}

static bool is_namespace_name(const char *name)
{
	return !strncmp(name, "namespace", 9);
}

/* the name in sentences: the one that the user knows */
static const char *name_of(const struct test_ns *v)
{
	return v->ndns[0] ? v->ndns : v->dax;
}

static int check_place(const struct ns_env *env, const struct test_ns *v,
		       char *why, size_t len)
{
	unsigned long long read_only = 0;

	/* nfit_test replaces devm_memremap_pages(), which is under test here */
	if (!strncmp(v->provider, "nfit_test", 9))
		return ns_say(-EINVAL, why, len,
			      "%s belongs to nfit_test, which replaces the kernel's teardown: use an emulated NVDIMM or memmap= instead",
			      name_of(v));
	if (v->region[0])
		ns_attr_number(env, &read_only, "bus/nd/devices/%s/read_only", v->region);
	if (read_only)
		return ns_say(-EINVAL, why, len,
			      "%s lies in %s, which is read-only: write 0 to /sys/bus/nd/devices/%s/read_only first",
			      name_of(v), v->region, v->region);
	return 0;
}

static int check_size(const struct test_ns *v, char *why, size_t len)
{
	unsigned long long size = v->ndns[0] ? v->capacity : v->size;

	if (size >= NS_MIN_SIZE)
		return 0;
	return ns_say(-EINVAL, why, len,
		      "%s has %llu bytes, which is too small: offer one of at least 16 MiB",
		      name_of(v), size);
}

int ns_check_dax(const struct ns_env *env, const struct test_ns *v, char *why,
		 size_t len)
{
	struct stat st;
	char who[64];
	int rc;

	if (v->driver[0] && strcmp(v->driver, "device_dax"))
		return ns_say(-EBUSY, why, len,
			      "%s is bound to driver %s: give it back with 'daxctl reconfigure-device -m devdax %s' first",
			      v->dax, v->driver, v->dax);
	rc = env->node(v->node, &st);
	if (rc)
		return ns_say(-EINVAL, why, len,
			      "%s: lstat() failed (%s): is udev or devtmpfs running?",
			      v->node, strerror(-rc));
	if (!S_ISCHR(st.st_mode) || st.st_rdev != v->rdev)
		return ns_say(-EINVAL, why, len,
			      "%s is not the node of device %s: remove it and let udev make it again",
			      v->node, v->dax);
	rc = ns_node_user(env, v->rdev, S_IFCHR, v->dax, who, sizeof(who));
	if (rc < 0)
		return ns_say(rc, why, len, "cannot see who uses %s, %s is not readable: %s",
			      v->dax, env->proc, strerror(-rc));
	if (rc)
		return ns_say(-EBUSY, why, len, "%s is open in %s: end that program first",
			      v->dax, who);
	return 0;
}

static int check_block(const struct ns_env *env, const struct test_ns *v,
		       const char *mode, bool named, char *why, size_t len)
{
	char text[320];
	int rc;

	rc = ns_block_user(env, v->block, text, sizeof(text));
	if (rc < 0)
		return ns_say(rc, why, len, "cannot see who uses %s of %s: %s", v->block,
			      v->ndns, strerror(-rc));
	if (rc)
		return ns_say(-EBUSY, why, len,
			      "%s of %s %s: stop using it first, or offer another namespace",
			      v->block, v->ndns, text);
	if (named)
		return 0;
	rc = ns_block_holds(env, v->block, text, sizeof(text));
	if (rc == -EOPNOTSUPP)
		return ns_say(-EBUSY, why, len,
			      "%s is in %s mode and this program was built without libblkid to see what it holds: if that may be lost, name it in DAX_TEST_NAMESPACE=%s",
			      v->ndns, mode, v->ndns);
	if (rc < 0)
		return ns_say(rc, why, len, "cannot see what %s of %s holds: %s", v->block,
			      v->ndns, strerror(-rc));
	if (rc)
		return ns_say(-EBUSY, why, len,
			      "%s of %s holds something (%s): if that may be lost, name it in DAX_TEST_NAMESPACE=%s",
			      v->block, v->ndns, text, v->ndns);
	return 0;
}

static int check_offered(const struct ns_env *env, const struct test_ns *v,
			 const char *mode, bool named, char *why, size_t len)
{
	int rc = check_place(env, v, why, len);

	if (rc)
		return rc;
	rc = check_size(v, why, len);
	if (rc)
		return rc;
	if (v->dax[0])
		return ns_check_dax(env, v, why, len);
	if (v->block[0])
		return check_block(env, v, mode, named, why, len);
	return ns_say(-EINVAL, why, len,
		      "%s is disabled, so its contents cannot be checked: 'ndctl enable-namespace %s' first",
		      v->ndns, v->ndns);
}

static int set_add(struct ns_set *set, const struct test_ns *v, const char *mode,
		   char *why, size_t len)
{
	unsigned int i;

	for (i = 0; i < set->nr; i++)
		if (!strcmp(set->now[i].ndns, v->ndns) && !strcmp(set->now[i].dax, v->dax))
			return 0;
	if (set->nr == NS_MAX)
		return ns_say(-EINVAL, why, len,
			      "more than %d devices are offered: offer fewer", NS_MAX);
	set->was[set->nr] = *v;
	set->now[set->nr] = *v;
	snprintf(set->mode[set->nr], sizeof(set->mode[0]), "%s", mode);
	set->nr++;
	return 0;
}

static int add_namespace(const struct ns_env *env, const char *name,
			 struct ns_set *set, char *why, size_t len)
{
	struct test_ns v;
	char mode[16];
	int rc;

	if (!is_namespace_name(name))
		return ns_say(-EINVAL, why, len,
			      "DAX_TEST_NAMESPACE names %s, which is not a namespace: give one of 'ndctl list -N', such as namespace0.0",
			      name);
	rc = ns_read_namespace(env, name, &v, mode, sizeof(mode));
	if (rc == -ENODEV)
		return ns_say(-EINVAL, why, len,
			      "DAX_TEST_NAMESPACE names %s, which does not exist: give one of 'ndctl list -N'",
			      name);
	if (rc)
		return ns_say(rc, why, len, "%s cannot be read from sysfs: %s", name,
			      strerror(-rc));
	rc = check_offered(env, &v, mode, true, why, len);
	return rc ? rc : set_add(set, &v, mode, why, len);
}

static int add_dax(const struct ns_env *env, const char *name,
		   struct ns_set *set, char *why, size_t len)
{
	struct test_ns v = { 0 };
	char path[64], mode[16] = "devdax";
	struct stat st;
	int rc;

	snprintf(path, sizeof(path), "%s/%s", env->dev, name);
	if (!env->node(path, &st) && S_ISBLK(st.st_mode))
		return ns_say(-EINVAL, why, len,
			      "DAX_TEST_DEV names %s, a block device: give a device-dax device such as /dev/dax0.0, or its namespace in DAX_TEST_NAMESPACE=",
			      path);
	rc = is_dax_name(name) ? ns_read_dax(env, name, &v) : -ENODEV;
	if (rc == -ENODEV)
		return ns_say(-EINVAL, why, len,
			      "DAX_TEST_DEV names %s, and there is no such device-dax device: give one of 'daxctl list'",
			      name);
	if (!rc && v.ndns[0])
		rc = ns_read_namespace(env, v.ndns, &v, mode, sizeof(mode));
	if (rc)
		return ns_say(rc, why, len, "%s cannot be read from sysfs: %s", name,
			      strerror(-rc));
	rc = check_offered(env, &v, mode, true, why, len);
	return rc ? rc : set_add(set, &v, mode, why, len);
}

static int add_named(const struct ns_env *env, const char *variable,
		     const char *list, const char *prefix,
		     int (*add_one)(const struct ns_env *env, const char *name,
				    struct ns_set *set, char *why, size_t len),
		     struct ns_set *set, char *why, size_t len)
{
	char name[33];
	int rc;

	while ((rc = ns_next_name(&list, prefix, name, sizeof(name))) > 0) {
		rc = add_one(env, name, set, why, len);
		if (rc)
			return rc;
	}
	if (rc)
		return ns_say(rc, why, len,
			      "%s holds '%s', which is not a device name: those have only letters, digits, '.', '_' and '-'",
			      variable, name);
	return 0;
}

/* refusals do not exclude the other namespaces; the first one is reported */
static int add_labelled(const struct ns_env *env, struct ns_set *set,
			char *why, size_t len)
{
	char **names, mode[16], refusal[256];
	int nr, i, rc, first = 0;
	struct test_ns v;

	nr = ns_list(env, "bus/nd/devices", is_namespace_name, &names);
	if (nr < 0)
		return 0;
	for (i = 0; i < nr; i++) {
		if (ns_read_namespace(env, names[i], &v, mode, sizeof(mode)) ||
		    strncmp(v.label, NS_LABEL, strlen(NS_LABEL)))
			continue;
		rc = check_offered(env, &v, mode, false, refusal, sizeof(refusal));
		if (!rc)
			rc = set_add(set, &v, mode, refusal, sizeof(refusal));
		if (rc && !first)
			first = ns_say(rc, why, len, "%s", refusal);
	}
	ns_list_free(names, nr);
	return set->nr ? 0 : first;
}

static const char *value_of(const char *variable)
{
	return variable && variable[strspn(variable, ", \t\n")] ? variable : NULL;
}

int ns_find_in(const struct ns_env *env, const char *ndns,
	       const char *dev, struct ns_set *set, char *why,
	       size_t len)
{
	int rc = 0;

	memset(set, 0, sizeof(*set));
	if (len)
		why[0] = 0;
	ndns = value_of(ndns);
	dev = value_of(dev);
	if (ndns)
		rc = add_named(env, "DAX_TEST_NAMESPACE", ndns, NULL, add_namespace, set, why, len);
	if (!rc && dev)
		rc = add_named(env, "DAX_TEST_DEV", dev, "/dev/", add_dax, set, why, len);
	if (!ndns && !dev)
		rc = add_labelled(env, set, why, len);
	if (rc) {
		set->nr = 0;
		return rc;
	}
	if (!set->nr)
		return ns_say(-ENODEV, why, len,
			      "no persistent memory is offered for tests: 'ndctl create-namespace -m devdax -M mem -s 256M -n %s' makes a namespace that is, 'export DAX_TEST_NAMESPACE=namespaceX.Y' offers one that exists (its data will be lost)",
			      NS_LABEL);
	return 0;
}

static const struct variable ns_variables[] = {
	{ "DAX_TEST_NAMESPACE",
	  "namespaces whose data may be lost: \"namespace0.1 namespace1.0\"" },
	{ "DAX_TEST_DEV", "device-dax devices that may be used: \"/dev/dax0.1\"" },
	{ }
};

REGISTER(variables, ns_variables);

int ns_set_find(struct ns_set *set, char *why, size_t len)
{
	int rc, region;

	if (geteuid()) {
		memset(set, 0, sizeof(*set));
		return ns_say(-EPERM, why, len,
			      "only root may take drivers off devices: run it as root");
	}
	rc = ns_find_in(&ns_machine, getenv("DAX_TEST_NAMESPACE"),
			getenv("DAX_TEST_DEV"), set, why, len);
	if (rc && rc != -ENODEV)
		return rc;
	region = dynamic_find(set, getenv("DAX_TEST_REGION"), why, len);
	if (region)
		return region;
	/* a machine may have a dynamic region and no namespaces */
	return set->dynamic.first[0] ? 0 : rc;
}
