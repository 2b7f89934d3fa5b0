// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choosing one of the offered namespaces for a test, and reconfiguring it if none is as
 * the test wants it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/ns/dynamic.h"
#include "lib/ns/internal.h"

/* of a namespace that was not in sector mode when it was found */
#define SECTOR_BYTES		4096

/* what libnvdimm reserves, and what it aligns memory maps to, at any page size */
#define INFO_BYTES		8192
#define STRUCT_PAGE_BYTES	64		/* MAX_STRUCT_PAGE_SIZE */
#define SUBSECTION_BYTES	(2UL << 20)	/* SUBSECTION_SIZE */

unsigned long long ns_usable_bytes(const struct test_ns *v, size_t align, bool map_dev)
{
	unsigned long long first, end;

	/*
	 * Layout by libnvdimm (nd_pfn_init()): 8 KiB for the info block, then the
	 * memory map if it is on the device, then the first aligned physical address.
	 */
	if (align < SUBSECTION_BYTES)
		align = SUBSECTION_BYTES;
	first = v->start + INFO_BYTES;
	if (map_dev)
		first += STRUCT_PAGE_BYTES *
			 ((v->capacity - INFO_BYTES) / sysconf(_SC_PAGESIZE));
	first = (first + align - 1) / align * align;
	end = (v->start + v->capacity) / align * align;
	return end > first ? end - first : 0;
}

const char *ns_key(const struct test_ns *v)
{
	return v->dax[0] ? v->dax : v->ndns;
}

static bool wants_dax(const struct ns_want *want)
{
	return !strcmp(want->mode, "devdax");
}

static bool wants_sectors(const struct ns_want *want)
{
	return !strcmp(want->mode, "sector");
}

/* the word of a label that insists on this mode */
static const char *claim_of(const struct ns_want *want)
{
	if (wants_dax(want))
		return "dax";
	if (wants_sectors(want))
		return "btt";
	return want->align ? "pfn" : "";
}

static bool is_as_wanted(const struct test_ns *v, const struct ns_want *want)
{
	if (v->align != want->align || v->map_dev != want->map_dev)
		return false;
	if (wants_dax(want))
		return v->dax[0] && v->size >= want->min_size;
	return v->block[0] && !v->sector == !wants_sectors(want) &&
	       ns_usable_bytes(v, v->align, v->map_dev) >= want->min_size;
}

/* the smallest one that is as wanted: larger ones are left to tests that need them */
static int find_ready(const struct ns_set *set, const struct ns_want *want)
{
	int best = -1;

	for (unsigned int i = 0; i < set->nr; i++) {
		if (set->avoid[i] || !is_as_wanted(&set->now[i], want))
			continue;
		if (best < 0 || set->now[i].capacity < set->now[best].capacity)
			best = i;
	}
	return best;
}

/* the smallest namespace that is large enough; of equal ones the first */
static int find_large_enough(const struct ns_set *set, const struct ns_want *want)
{
	const struct test_ns *v;
	int best = -1;
	unsigned int i;

	for (i = 0; i < set->nr; i++) {
		v = &set->now[i];
		if (set->avoid[i] || !v->ndns[0] ||
		    ns_usable_bytes(v, want->align, want->map_dev) < want->min_size)
			continue;
		if (best < 0 || v->capacity < set->now[best].capacity)
			best = i;
	}
	return best;
}

static int reconfigure(struct ns_set *set, int i, const struct ns_want *want,
		       char *why, size_t len)
{
	struct test_ns to = set->was[i];
	char mode[16], failed[256];
	struct test_ns found;
	int rc;

	if (want->align && !ns_offers_align(&ns_machine, to.region, want->align, failed,
					    sizeof(failed)))
		return ns_say(-EOPNOTSUPP, why, len,
			      "this kernel aligns device-dax to %s, not to %zu: is it built with transparent huge pages, and without PREEMPT_RT?",
			      failed, want->align);
	if (set->now[i].dax[0]) {
		rc = ns_check_dax(&ns_machine, &set->now[i], why, len);
		if (rc)
			return rc;
	}
	ns_copy(to.ndns, sizeof(to.ndns), set->now[i].ndns);
	to.align = want->align;
	to.map_dev = want->map_dev;
	to.sector = wants_sectors(want) ? SECTOR_BYTES : 0;
	to.info_uuid[0] = 0;
	ns_copy(to.claim, sizeof(to.claim), claim_of(want));
	/* before anything changes: the guardian may have to restore it */
	__atomic_store_n(&set->reconfigured[i], true, __ATOMIC_SEQ_CST);
	rc = ns_configure(&to, want->mode, failed, sizeof(failed));
	if (rc) {
		ns_restore_one(set, i);
		return ns_say(rc, why, len, "%s cannot be made %s aligned to %zu: %s",
			      to.ndns, want->mode, want->align, failed);
	}
	rc = ns_read_namespace(&ns_machine, to.ndns, &found, mode, sizeof(mode));
	if (!rc && !found.dax[0] && !found.block[0])
		rc = -ENODEV;
	if (rc)
		return ns_say(rc, why, len,
			      "%s was made %s, and no device appeared: is module %s there?",
			      to.ndns, want->mode, wants_dax(want) ? "dax_pmem" : "nd_pmem");
	set->now[i] = found;
	return 0;
}

/* says why none of them can be used */
static int say_nothing_fits(const struct ns_set *set, const struct ns_want *want,
			    char *why, size_t len)
{
	const struct test_ns *v = &set->now[0];
	size_t align = want->align, min_size = want->min_size, size = min_size + align;
	bool map_dev = want->map_dev;

	/* the memory map has an entry for each page; regions are divided by 16 MiB */
	if (map_dev)
		size += size / sysconf(_SC_PAGESIZE) * STRUCT_PAGE_BYTES;
	size = (size + NS_MIN_SIZE - 1) / NS_MIN_SIZE * NS_MIN_SIZE;
	if (set->nr == 1 && !v->ndns[0])
		return ns_say(v->size < min_size ? -ENOSPC : -EINVAL, why, len,
			      "%s has %zu bytes aligned to %zu; wanted are %zu aligned to %zu%s, and a device without a namespace cannot be reconfigured: offer another as well",
			      v->dax, v->size, v->align, min_size, align,
			      map_dev ? " with the memory map on the device" : "");
	return ns_say(-ENOSPC, why, len,
		      "no namespace is offered that has %zu bytes when aligned to %zu: make one with 'ndctl create-namespace -m %s -M %s -a %zu -s %zu -n %s'",
		      min_size, align, want->mode, map_dev ? "dev" : "mem", align, size,
		      NS_LABEL);
}

int ns_choose(struct ns_set *set, const struct ns_want *want, struct test_ns *v,
	      char *why, size_t len)
{
	int rc, n = find_ready(set, want);

	if (n < 0) {
		n = find_large_enough(set, want);
		if (n < 0)
			return say_nothing_fits(set, want, why, len);
		rc = reconfigure(set, n, want, why, len);
		if (rc)
			return rc;
		if (!is_as_wanted(&set->now[n], want))
			return ns_say(-ENOSPC, why, len,
				      "%s has %zu bytes when aligned to %zu; wanted are %zu: offer a larger one",
				      set->now[n].ndns, set->now[n].size, set->now[n].align,
				      want->min_size);
	}
	if (!wants_dax(want)) {
		*v = set->now[n];
		return 0;
	}
	rc = ns_bind(&set->now[n]);
	if (rc)
		return ns_say(rc, why, len, "%s cannot be bound to device_dax: %s",
			      set->now[n].dax, strerror(-rc));
	ns_copy(set->now[n].driver, sizeof(set->now[n].driver), "device_dax");
	*v = set->now[n];
	return 0;
}

void ns_avoid(struct ns_set *set, const struct test_ns *v)
{
	char first[32];
	unsigned int i;

	for (i = 0; i < set->nr; i++)
		if (!strcmp(ns_key(&set->now[i]), ns_key(v)))
			set->avoid[i] = true;
	dynamic_first(v, first, sizeof(first));
	if (set->dynamic.first[0] && !strcmp(first, set->dynamic.first))
		set->dynamic.avoid = true;
}
