// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reconfiguring namespaces with libndctl; bind and unbind with libdaxctl.  A build
 * without the libraries has configure_none.c instead.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/ns/internal.h"

#ifdef HAVE_LIBNDCTL
#include <daxctl/libdaxctl.h>
#include <ndctl/libndctl.h>

#define UUID_BYTES	16

/* Limit of the wait for the lock of a region, and time between two attempts. */
#define LOCK_NS		(30 * NSEC_PER_SEC)
#define LOCK_POLL_NS	(10 * NSEC_PER_MSEC)

/**
 * struct session - a namespace that libndctl works on
 * @ctx: the library
 * @region: region of the namespace
 * @ndns: the namespace
 * @step: the current step, for sentences
 * @said: the last line that the library logged
 * @lock: locked descriptor of the region's directory
 */
struct session {
	struct ndctl_ctx *ctx;
	struct ndctl_region *region;
	struct ndctl_namespace *ndns;
	const char *step;
	char said[160];
	int lock;
};

/* lib/ prints nothing: what the library logs becomes a part of @why */
static void __printf(6, 0) keep_ndctl(struct ndctl_ctx *ctx, int priority, const char *file,
				      int line, const char *fn, const char *format,
				      va_list args)
{
	struct session *w = ndctl_get_userdata(ctx);

	if (!w)
		return;
	vsnprintf(w->said, sizeof(w->said), format, args);
	w->said[strcspn(w->said, "\n")] = 0;
}

static void __printf(6, 0) drop_daxctl(struct daxctl_ctx *ctx, int priority, const char *file,
				       int line, const char *fn, const char *format,
				       va_list args)
{
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
 * By uuid, because a region that comes back may number its namespaces differently.
 * Without labels a region is one namespace, which keeps its name.
 */
static bool is_namespace(struct ndctl_namespace *ndns, const struct test_ns *to)
{
	uuid_t want, is;

	if (!to->uuid[0] || uuid_of(to->uuid, want))
		return !strcmp(ndctl_namespace_get_devname(ndns), to->ndns);
	ndctl_namespace_get_uuid(ndns, is);
	return !memcmp(want, is, UUID_BYTES);
}

static int find_namespace(struct session *w, const struct test_ns *to)
{
	struct ndctl_region *region;
	struct ndctl_namespace *ndns;
	struct ndctl_bus *bus;

	ndctl_bus_foreach(w->ctx, bus)
		ndctl_region_foreach(bus, region)
			ndctl_namespace_foreach(region, ndns)
				if (is_namespace(ndns, to)) {
					w->region = region;
					w->ndns = ndns;
					return 0;
				}
	return -ENODEV;
}

/*
 * A region has one seed device of each kind.  A lock on its directory excludes a second
 * program, and the guardian while a killed task is still in the kernel.
 */
static int lock_region(struct session *w, const char *region)
{
	uint64_t end = clock_now_ns() + LOCK_NS;
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/nd/devices/%s", region);
	w->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->lock < 0)
		return -errno;
	while (flock(w->lock, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (clock_now_ns() >= end)
			return -EBUSY;
		clock_sleep_ns(LOCK_POLL_NS);
	}
	return 0;
}

static int session_open(struct session *w, const struct test_ns *to)
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
	return find_namespace(w, to);
}

static void session_close(struct session *w)
{
	if (w->ctx)
		ndctl_unref(w->ctx);
	if (w->lock >= 0)
		close(w->lock);
}

static bool same_namespace(struct ndctl_namespace *a, struct ndctl_namespace *b)
{
	return a && !strcmp(ndctl_namespace_get_devname(a), ndctl_namespace_get_devname(b));
}

/* the library returns the mode that is set now */
static int set_raw(struct session *w, int raw)
{
	int rc = ndctl_namespace_set_raw_mode(w->ndns, raw);

	if (rc < 0)
		return rc;
	return rc == raw ? 0 : -EIO;
}

/*
 * Disables the namespace, and takes it from every device that claims it: a task may have
 * been killed after it gave the namespace to a device and before it enabled the device.
 */
static int release_namespace(struct session *w)
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
		if (same_namespace(ndctl_dax_get_namespace(dax), w->ndns)) {
			rc = ndctl_dax_delete(dax);
			if (rc)
				return rc;
		}
	ndctl_pfn_foreach_safe(w->region, pfn, next_pfn)
		if (same_namespace(ndctl_pfn_get_namespace(pfn), w->ndns)) {
			rc = ndctl_pfn_delete(pfn);
			if (rc)
				return rc;
		}
	ndctl_btt_foreach_safe(w->region, btt, next_btt)
		if (same_namespace(ndctl_btt_get_namespace(btt), w->ndns)) {
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
 * A namespace that is to have no info block must not keep an old one, or the kernel gives
 * it the mode of that.  The info blocks of pfn, dax and btt are in the first 8 KiB.
 */
static int erase_info(struct session *w)
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

/* the mode that the label insists on; old labels have no such field */
static void set_claim(struct session *w, const char *claim)
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

static int set_label(struct session *w, const struct test_ns *to)
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

static int make_dax(struct session *w, const struct test_ns *to, uuid_t uuid)
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

static int make_pfn(struct session *w, const struct test_ns *to, uuid_t uuid)
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

static int make_btt(struct session *w, const struct test_ns *to, uuid_t uuid)
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

static int make_raw(struct session *w)
{
	int rc;

	w->step = "enabling the namespace";
	rc = ndctl_namespace_enable(w->ndns);
	return rc < 0 ? rc : 0;
}

static int configure_namespace(struct session *w, const struct test_ns *to, const char *mode)
{
	bool raw = !to->align && strcmp(mode, "sector");
	uuid_t uuid;
	int rc;

	rc = release_namespace(w);
	if (!rc)
		rc = set_label(w, to);
	if (!rc && (raw || !strcmp(mode, "sector"))) {
		/* a label that insists on another mode forbids raw mode */
		set_claim(w, "");
		rc = erase_info(w);
	}
	if (rc)
		return rc;
	set_claim(w, to->claim);
	if (raw)
		return make_raw(w);
	rc = new_uuid(to->info_uuid, uuid);
	if (rc)
		return rc;
	if (!strcmp(mode, "devdax"))
		return make_dax(w, to, uuid);
	if (!strcmp(mode, "fsdax"))
		return make_pfn(w, to, uuid);
	return make_btt(w, to, uuid);
}

static int session_finish(struct session *w, int rc, char *why, size_t len)
{
	if (rc)
		ns_say(rc, why, len, "%s: %s%s%s%s", w->step, strerror(-rc),
		       w->said[0] ? " (" : "", w->said, w->said[0] ? ")" : "");
	session_close(w);
	return rc;
}

int ns_configure(const struct test_ns *to, const char *mode, char *why,
		 size_t len)
{
	struct session w;
	int rc;

	rc = session_open(&w, to);
	if (!rc)
		rc = configure_namespace(&w, to, mode);
	return session_finish(&w, rc, why, len);
}

static int destroy_namespace(struct session *w)
{
	int rc = release_namespace(w);

	if (rc)
		return rc;
	w->step = "destroying the namespace";
	return ndctl_namespace_delete(w->ndns);
}

/* the region's seed becomes the namespace again, in the first free range */
static int create_namespace(struct session *w, const struct test_ns *to)
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

/* for a namespace that was destroyed by a task killed before it created it again */
static int find_region(struct session *w, const struct test_ns *to)
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
	struct test_ns created = *to;
	struct session w;
	int rc;

	rc = session_open(&w, to);
	/* without labels a region always has its one namespace */
	if (!to->uuid[0])
		return session_finish(&w, rc ? rc : configure_namespace(&w, to, mode), why, len);
	if (!rc)
		rc = destroy_namespace(&w);
	else if (rc == -ENODEV)
		rc = find_region(&w, to);
	if (!rc)
		rc = create_namespace(&w, to);
	if (rc)
		return session_finish(&w, rc, why, len);
	/* the library only sees the new namespace after it is opened again */
	session_close(&w);
	rc = session_open(&w, &created);
	return session_finish(&w, rc ? rc : configure_namespace(&w, &created, mode), why, len);
}

int ns_destroy_enabled(const struct test_ns *v)
{
	struct session w;
	int rc;

	rc = session_open(&w, v);
	if (!rc)
		rc = ndctl_namespace_delete(w.ndns);
	session_close(&w);
	return rc;
}

static int with_region(const struct test_ns *v, int (*act)(struct ndctl_region *region))
{
	struct session w = { .lock = -1 };
	int rc = ndctl_new(&w.ctx);

	if (rc)
		return rc;
	ndctl_set_userdata(w.ctx, &w);
	ndctl_set_log_fn(w.ctx, keep_ndctl);
	rc = find_region(&w, v);
	rc = rc ? rc : act(w.region);
	session_close(&w);
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
	struct session w;
	int rc = session_open(&w, v);

	rc = rc ? rc : ndctl_namespace_disable_safe(w.ndns);
	session_close(&w);
	/* 1 when it was not enabled */
	return rc < 0 ? rc : 0;
}

int ns_enable_namespace(const struct test_ns *v)
{
	struct session w;
	int rc = session_open(&w, v);

	rc = rc ? rc : ndctl_namespace_enable(w.ndns);
	session_close(&w);
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

int ns_disable_dax(const struct test_ns *v)
{
	return with_daxctl(v, daxctl_dev_disable);
}

int ns_enable_dax(const struct test_ns *v)
{
	return with_daxctl(v, daxctl_dev_enable_devdax);
}

int ns_bind_kmem(const struct test_ns *v)
{
	int rc = with_daxctl(v, daxctl_dev_disable);

	return rc ? rc : with_daxctl(v, daxctl_dev_enable_ram);
}
#endif
