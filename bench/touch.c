// SPDX-License-Identifier: GPL-2.0-only
/* Rounds of mmap(), first stores, more stores, munmap(). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/touch.h"
#include "lib/timeline.h"

/* 3 to 101 rounds */
#define ROUNDS_LEAST	3
#define ROUNDS_MOST	101

enum { MAP, FIRST, STEADY, UNMAP, STEPS };

struct rounds {
	uint64_t ns[STEPS][ROUNDS_MOST];
	unsigned int nr;
};

static void store_each(char *at, size_t bytes, size_t step)
{
	for (size_t off = 0; off < bytes; off += step)
		__atomic_fetch_add((uint64_t *)(at + off), 0, __ATOMIC_RELAXED);
}

static unsigned long faults(void)
{
	struct rusage ru;

	return getrusage(RUSAGE_SELF, &ru) ? 0 : ru.ru_minflt + ru.ru_majflt;
}

static int touch_round(struct daxmap *m, struct rounds *r, unsigned long *taken)
{
	size_t entry = daxmap_bytes(m->size);
	uint64_t at[STEPS + 1];
	unsigned long before;
	int ret;

	at[0] = timeline_now();
	ret = daxmap_remap(m, PROT_READ | PROT_WRITE);
	if (ret)
		return ret;
	at[1] = timeline_now();
	before = faults();
	store_each(m->addr, m->len, entry);
	at[2] = timeline_now();
	*taken = faults() - before;
	store_each(m->addr, m->len, entry);
	at[3] = timeline_now();
	ret = daxmap_unmap(m);
	at[4] = timeline_now();
	for (int i = 0; i < STEPS; i++)
		r->ns[i][r->nr] = at[i + 1] - at[i];
	r->nr++;
	return ret;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *ns, unsigned int nr)
{
	qsort(ns, nr, sizeof(*ns), by_size);
	return ns[nr / 2];
}

int touch_cost(const char *node, enum daxmap_size size, size_t bytes, uint64_t ns,
	       struct touch *t)
{
	struct rounds *r = calloc(1, sizeof(*r));
	uint64_t end = timeline_now() + ns;
	struct daxmap m;
	int ret;

	if (!r)
		return -ENOMEM;
	memset(t, 0, sizeof(*t));
	ret = daxmap_open(&m, node, size, 0, bytes, PROT_READ | PROT_WRITE);
	if (!ret) {
		ret = daxmap_unmap(&m);
		while (!ret && r->nr < ROUNDS_MOST &&
		       (r->nr < ROUNDS_LEAST || timeline_now() < end))
			ret = touch_round(&m, r, &t->faults);
		daxmap_close(&m);
	}
	if (!ret) {
		t->rounds = r->nr;
		t->entries = bytes / daxmap_bytes(size);
		t->map_ns = median(r->ns[MAP], r->nr);
		t->first_ns = median(r->ns[FIRST], r->nr);
		t->steady_ns = median(r->ns[STEADY], r->nr);
		t->unmap_ns = median(r->ns[UNMAP], r->nr);
	}
	free(r);
	return ret;
}
