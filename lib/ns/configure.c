// SPDX-License-Identifier: GPL-2.0
/*
 * Reconfigures namespaces through libndctl, binds and unbinds through
 * libdaxctl.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "lib/ns/internal.h"

#ifdef HAVE_LIBNDCTL
#include <daxctl/libdaxctl.h>
#include <ndctl/libndctl.h>

#define UUID_BYTES	16

/* a namespace in the library's hands, and the last thing the library said */
struct work {
	struct ndctl_ctx *ctx;
	struct ndctl_region *region;
	struct ndctl_namespace *ndns;
	const char *step;
	char said[160];
	int lock;
};

/* lib/ prints nothing: what the library would print becomes part of @why */
static void __printf(6, 0) keep_ndctl(struct ndctl_ctx *ctx, int priority, const char *file,
				      int line, const char *fn, const char *format,
				      va_list args)
{
	struct work *w = ndctl_get_userdata(ctx);

	(void)priority;
	(void)file;
	(void)line;
	(void)fn;
	if (!w)
		return;
	vsnprintf(w->said, sizeof(w->said), format, args);
	w->said[strcspn(w->said, "\n")] = 0;
}

static void __printf(6, 0) drop_daxctl(struct daxctl_ctx *ctx, int priority, const char *file,
				       int line, const char *fn, const char *format,
				       va_list args)
{
	(void)ctx;
	(void)priority;
	(void)file;
	(void)line;
	(void)fn;
	(void)format;
	(void)args;
}

static int uuid_of(const char *text, uuid_t uuid)
{
	unsigned int byte;
	int i;

	for (i = 0; i < UUID_BYTES; i++) {
		text += *text == '-';
		if (sscanf(text, "%2x", &byte) != 1)
			return -EINVAL;
		uuid[i] = byte;
		text += 2;
	}
	return *text ? -EINVAL : 0;
}

static int new_uuid(const char *text, uuid_t uuid)
{
	if (text[0])
		return uuid_of(text, uuid);
	if (getrandom(uuid, UUID_BYTES, 0) != UUID_BYTES)
		return -EIO;
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
	return 0;
}

/*
 * By uuid, since numbers may be dealt anew when a region comes back.  Where
 * labels do not exist a region is one namespace, and has but one name.
 */
static bool is_it(struct ndctl_namespace *ndns, const struct test_ns *to)
{
	uuid_t want, is;

	if (!to->uuid[0] || uuid_of(to->uuid, want))
		return !strcmp(ndctl_namespace_get_devname(ndns), to->ndns);
	ndctl_namespace_get_uuid(ndns, is);
	return !memcmp(want, is, UUID_BYTES);
}

static int find(struct work *w, const struct test_ns *to)
{
	struct ndctl_region *region;
	struct ndctl_namespace *ndns;
	struct ndctl_bus *bus;

	ndctl_bus_foreach(w->ctx, bus)
		ndctl_region_foreach(bus, region)
			ndctl_namespace_foreach(region, ndns)
				if (is_it(ndns, to)) {
					w->region = region;
					w->ndns = ndns;
					return 0;
				}
	return -ENODEV;
}

/*
 * The seeds of a region are there once.  A lock on its directory keeps two
 * programs apart, and a guardian away from a task that was killed and is still
 * on its way out of the kernel.
 */
static int lock_region(struct work *w, const char *region)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	char path[128];
	int tries;

	snprintf(path, sizeof(path), "/sys/bus/nd/devices/%s", region);
	w->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->lock < 0)
		return -errno;
	for (tries = 0; tries < 3000; tries++) {
		if (!flock(w->lock, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK)
			return -errno;
		nanosleep(&nap, NULL);
	}
	return -EBUSY;
}

static int begin(struct work *w, const struct test_ns *to)
{
	int rc;

	memset(w, 0, sizeof(*w));
	w->step = "waiting for another program that configures the region";
	rc = lock_region(w, to->region);
	if (rc)
		return rc;
	w->step = "opening libndctl";
	rc = ndctl_new(&w->ctx);
	if (rc)
		return rc;
	ndctl_set_userdata(w->ctx, w);
	ndctl_set_log_fn(w->ctx, keep_ndctl);
	daxctl_set_log_fn(ndctl_get_daxctl_ctx(w->ctx), drop_daxctl);
	w->step = "finding the namespace";
	return find(w, to);
}

static void end(struct work *w)
{
	if (w->ctx)
		ndctl_unref(w->ctx);
	if (w->lock >= 0)
		close(w->lock);
}

static bool is_of(struct ndctl_namespace *a, struct ndctl_namespace *b)
{
	return a && !strcmp(ndctl_namespace_get_devname(a), ndctl_namespace_get_devname(b));
}

/* the library answers with the mode that is set now */
static int set_raw(struct work *w, int raw)
{
	int rc = ndctl_namespace_set_raw_mode(w->ndns, raw);

	if (rc < 0)
		return rc;
	return rc == raw ? 0 : -EIO;
}

/*
 * To a namespace that nobody claims.  Whoever was here before may have been
 * killed after giving the namespace to a device and before enabling that.
 */
static int release(struct work *w)
{
	struct ndctl_dax *dax, *next_dax;
	struct ndctl_pfn *pfn, *next_pfn;
	struct ndctl_btt *btt, *next_btt;
	int rc;

	w->step = "disabling the namespace";
	rc = ndctl_namespace_disable_safe(w->ndns);
	if (rc < 0)
		return rc;
	w->step = "taking the namespace from its device";
	ndctl_dax_foreach_safe(w->region, dax, next_dax)
		if (is_of(ndctl_dax_get_namespace(dax), w->ndns)) {
			rc = ndctl_dax_delete(dax);
			if (rc)
				return rc;
		}
	ndctl_pfn_foreach_safe(w->region, pfn, next_pfn)
		if (is_of(ndctl_pfn_get_namespace(pfn), w->ndns)) {
			rc = ndctl_pfn_delete(pfn);
			if (rc)
				return rc;
		}
	ndctl_btt_foreach_safe(w->region, btt, next_btt)
		if (is_of(ndctl_btt_get_namespace(btt), w->ndns)) {
			rc = ndctl_btt_delete(btt);
			if (rc)
				return rc;
		}
	w->step = "ending raw mode";
	return set_raw(w, 0);
}

static int zero_block(const char *name)
{
	static const char zeroes[8192];
	char path[64];
	ssize_t n;
	int fd, rc = 0;

	if (!ns_name_ok(name))
		return -ENODEV;
	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_WRONLY | O_EXCL | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = pwrite(fd, zeroes, sizeof(zeroes), 0);
	if (n < 0 || fsync(fd))
		rc = -errno;
	else if ((size_t)n < sizeof(zeroes))
		rc = -EIO;
	close(fd);
	return rc;
}

/*
 * A namespace without info block must not have an old one, or the kernel makes
 * of it what that says.  Those of pfn, dax and btt lie in the first 8 KiB.
 */
static int erase_info(struct work *w)
{
	int rc, back;

	w->step = "erasing the info block";
	rc = set_raw(w, 1);
	if (rc)
		return rc;
	rc = ndctl_namespace_enable(w->ndns);
	if (rc >= 0)
		rc = zero_block(ndctl_namespace_get_block_device(w->ndns));
	back = ndctl_namespace_disable_safe(w->ndns);
	if (!rc && back < 0)
		rc = back;
	back = set_raw(w, 0);
	return rc ? rc : back;
}

/* what may use the namespace, as its label says; old labels cannot say it */
static void set_claim(struct work *w, const char *claim)
{
	enum ndctl_namespace_mode mode = NDCTL_NS_MODE_RAW;

	if (!strcmp(claim, "dax"))
		mode = NDCTL_NS_MODE_DEVDAX;
	else if (!strcmp(claim, "pfn"))
		mode = NDCTL_NS_MODE_FSDAX;
	else if (!strcmp(claim, "btt"))
		mode = NDCTL_NS_MODE_SECTOR;
	ndctl_namespace_set_enforce_mode(w->ndns, mode);
}

static int set_label(struct work *w, const struct test_ns *to)
{
	const char *name = ndctl_namespace_get_alt_name(w->ndns);

	if (!name || !strcmp(name, to->label))
		return 0;
	w->step = "writing the label";
	return ndctl_namespace_set_alt_name(w->ndns, to->label);
}

static enum ndctl_pfn_loc location(const struct test_ns *to)
{
	return to->map_dev ? NDCTL_PFN_LOC_PMEM : NDCTL_PFN_LOC_RAM;
}

static int make_dax(struct work *w, const struct test_ns *to, uuid_t uuid)
{
	struct ndctl_dax *dax = ndctl_region_get_dax_seed(w->region);
	int rc;

	w->step = "preparing a dax device";
	if (!dax)
		return -ENXIO;
	rc = ndctl_dax_set_uuid(dax, uuid);
	if (!rc)
		rc = ndctl_dax_set_location(dax, location(to));
	if (!rc)
		rc = ndctl_dax_set_align(dax, to->align);
	if (!rc)
		rc = ndctl_dax_set_namespace(dax, w->ndns);
	if (rc)
		return rc;
	w->step = "enabling the dax device";
	rc = ndctl_dax_enable(dax);
	if (rc)
		ndctl_dax_set_namespace(dax, NULL);
	return rc;
}

static int make_pfn(struct work *w, const struct test_ns *to, uuid_t uuid)
{
	struct ndctl_pfn *pfn = ndctl_region_get_pfn_seed(w->region);
	int rc;

	w->step = "preparing a pfn device";
	if (!pfn)
		return -ENXIO;
	rc = ndctl_pfn_set_uuid(pfn, uuid);
	if (!rc)
		rc = ndctl_pfn_set_location(pfn, location(to));
	if (!rc && ndctl_pfn_has_align(pfn))
		rc = ndctl_pfn_set_align(pfn, to->align);
	if (!rc)
		rc = ndctl_pfn_set_namespace(pfn, w->ndns);
	if (rc)
		return rc;
	w->step = "enabling the pfn device";
	rc = ndctl_pfn_enable(pfn);
	if (rc)
		ndctl_pfn_set_namespace(pfn, NULL);
	return rc;
}

static int make_btt(struct work *w, const struct test_ns *to, uuid_t uuid)
{
	struct ndctl_btt *btt = ndctl_region_get_btt_seed(w->region);
	int rc;

	w->step = "preparing a btt device";
	if (!btt)
		return -ENXIO;
	rc = ndctl_btt_set_uuid(btt, uuid);
	if (!rc)
		rc = ndctl_btt_set_sector_size(btt, to->sector);
	if (!rc)
		rc = ndctl_btt_set_namespace(btt, w->ndns);
	if (rc)
		return rc;
	w->step = "enabling the btt device";
	rc = ndctl_btt_enable(btt);
	if (rc)
		ndctl_btt_set_namespace(btt, NULL);
	return rc;
}

static int make_bare(struct work *w)
{
	int rc;

	w->step = "enabling the namespace";
	rc = ndctl_namespace_enable(w->ndns);
	return rc < 0 ? rc : 0;
}

static int configure(struct work *w, const struct test_ns *to, const char *mode)
{
	bool bare = !to->align && strcmp(mode, "sector");
	uuid_t uuid;
	int rc;

	rc = release(w);
	if (!rc)
		rc = set_label(w, to);
	if (!rc && (bare || !strcmp(mode, "sector"))) {
		/* the label must not stand in the way of raw mode */
		set_claim(w, "");
		rc = erase_info(w);
	}
	if (rc)
		return rc;
	set_claim(w, to->claim);
	if (bare)
		return make_bare(w);
	rc = new_uuid(to->info_uuid, uuid);
	if (rc)
		return rc;
	if (!strcmp(mode, "devdax"))
		return make_dax(w, to, uuid);
	if (!strcmp(mode, "fsdax"))
		return make_pfn(w, to, uuid);
	return make_btt(w, to, uuid);
}

static int finish(struct work *w, int rc, char *why, size_t len)
{
	if (rc)
		ns_say(rc, why, len, "%s: %s%s%s%s", w->step, strerror(-rc),
		       w->said[0] ? " (" : "", w->said, w->said[0] ? ")" : "");
	end(w);
	return rc;
}

int ns_configure(const struct test_ns *to, const char *mode, char *why,
		 size_t len)
{
	struct work w;
	int rc;

	rc = begin(&w, to);
	if (!rc)
		rc = configure(&w, to, mode);
	return finish(&w, rc, why, len);
}

static int destroy(struct work *w)
{
	int rc = release(w);

	if (rc)
		return rc;
	w->step = "destroying the namespace";
	return ndctl_namespace_delete(w->ndns);
}

/* the region's seed becomes what the namespace was; it takes the first room there is */
static int create(struct work *w, const struct test_ns *to)
{
	uuid_t uuid;
	int rc;

	w->step = "creating a namespace";
	w->ndns = ndctl_region_get_namespace_seed(w->region);
	if (!w->ndns)
		return -ENXIO;
	rc = uuid_of(to->uuid, uuid);
	if (!rc)
		rc = ndctl_namespace_set_uuid(w->ndns, uuid);
	if (!rc)
		rc = ndctl_namespace_set_alt_name(w->ndns, to->label);
	return rc ? rc : ndctl_namespace_set_size(w->ndns, to->capacity);
}

/* whoever destroyed it may not have come to create it */
static int find_region(struct work *w, const struct test_ns *to)
{
	struct ndctl_region *region;
	struct ndctl_bus *bus;

	ndctl_bus_foreach(w->ctx, bus)
		ndctl_region_foreach(bus, region)
			if (!strcmp(ndctl_region_get_devname(region), to->region)) {
				w->region = region;
				return 0;
			}
	return -ENODEV;
}

int ns_recreate(const struct test_ns *to, const char *mode, char *why, size_t len)
{
	struct test_ns anew = *to;
	struct work w;
	int rc;

	rc = begin(&w, to);
	/* without labels there is but one namespace, for ever */
	if (!to->uuid[0])
		return finish(&w, rc ? rc : configure(&w, to, mode), why, len);
	if (!rc)
		rc = destroy(&w);
	else if (rc == -ENODEV)
		rc = find_region(&w, to);
	if (!rc)
		rc = create(&w, to);
	if (rc)
		return finish(&w, rc, why, len);
	/* the library does not see what became of its seed but by a new look */
	end(&w);
	rc = begin(&w, &anew);
	return finish(&w, rc ? rc : configure(&w, &anew, mode), why, len);
}

int ns_destroy_enabled(const struct test_ns *v)
{
	struct work w;
	int rc;

	rc = begin(&w, v);
	if (!rc)
		rc = ndctl_namespace_delete(w.ndns);
	end(&w);
	return rc;
}

static int with_region(const struct test_ns *v, int (*act)(struct ndctl_region *region))
{
	struct work w = { .lock = -1 };
	int rc = ndctl_new(&w.ctx);

	if (rc)
		return rc;
	ndctl_set_userdata(w.ctx, &w);
	ndctl_set_log_fn(w.ctx, keep_ndctl);
	rc = find_region(&w, v);
	rc = rc ? rc : act(w.region);
	end(&w);
	return rc;
}

int ns_disable_region(const struct test_ns *v)
{
	return with_region(v, ndctl_region_disable_preserve);
}

int ns_enable_region(const struct test_ns *v)
{
	return with_region(v, ndctl_region_enable);
}

int ns_disable_namespace(const struct test_ns *v)
{
	struct work w;
	int rc = begin(&w, v);

	rc = rc ? rc : ndctl_namespace_disable_safe(w.ndns);
	end(&w);
	/* 1: nothing on it had been in use */
	return rc < 0 ? rc : 0;
}

int ns_enable_namespace(const struct test_ns *v)
{
	struct work w;
	int rc = begin(&w, v);

	rc = rc ? rc : ndctl_namespace_enable(w.ndns);
	end(&w);
	return rc < 0 ? rc : 0;
}

static int with_daxctl(const struct test_ns *v, int (*act)(struct daxctl_dev *dev))
{
	struct daxctl_region *region;
	struct daxctl_ctx *ctx;
	struct daxctl_dev *dev;
	int rc;

	rc = daxctl_new(&ctx);
	if (rc)
		return rc;
	daxctl_set_log_fn(ctx, drop_daxctl);
	rc = -ENODEV;
	daxctl_region_foreach(ctx, region)
		daxctl_dev_foreach(region, dev)
			if (rc == -ENODEV && !strcmp(daxctl_dev_get_devname(dev), v->dax))
				rc = act(dev);
	daxctl_unref(ctx);
	return rc;
}

int ns_disable(const struct test_ns *v)
{
	return with_daxctl(v, daxctl_dev_disable);
}

int ns_enable(const struct test_ns *v)
{
	return with_daxctl(v, daxctl_dev_enable_devdax);
}

int ns_to_ram(const struct test_ns *v)
{
	int rc = with_daxctl(v, daxctl_dev_disable);

	return rc ? rc : with_daxctl(v, daxctl_dev_enable_ram);
}
#else
int ns_configure(const struct test_ns *to, const char *mode, char *why,
		 size_t len)
{
	(void)to;
	(void)mode;
	return ns_say(-EOPNOTSUPP, why, len, "built without libndctl and libdaxctl");
}

int ns_recreate(const struct test_ns *to, const char *mode, char *why, size_t len)
{
	return ns_configure(to, mode, why, len);
}

int ns_destroy_enabled(const struct test_ns *v)
{
	(void)v;
	return -EOPNOTSUPP;
}

int ns_disable_region(const struct test_ns *v)
{
	(void)v;
	return -EOPNOTSUPP;
}

int ns_enable_region(const struct test_ns *v)
{
	(void)v;
	return -EOPNOTSUPP;
}

int ns_disable_namespace(const struct test_ns *v)
{
	(void)v;
	return -EOPNOTSUPP;
}

int ns_enable_namespace(const struct test_ns *v)
{
	(void)v;
	return -EOPNOTSUPP;
}

int ns_disable(const struct test_ns *v)
{
	(void)v;
	return -EOPNOTSUPP;
}

int ns_enable(const struct test_ns *v)
{
	(void)v;
	return -EOPNOTSUPP;
}

int ns_to_ram(const struct test_ns *v)
{
	(void)v;
	return -EOPNOTSUPP;
}
#endif
