// SPDX-License-Identifier: GPL-2.0-only
/*
 * Methods that a kernel has refused: the next cells of the same method skip at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "suite/internal.h"

/* Methods times kinds of memory and page sizes; what does not fit is tried each time. */
#define REFUSALS	128

struct refusal {
	const struct pin_method *method;
	const struct memory *memory;
	enum daxmap_size size;
	bool map_dev;
	char why[WHY_LEN];
};

/* shared: most refusals are met in child processes */
static struct refusal *refusals;

int refusals_create(void)
{
	refusals = mmap(NULL, REFUSALS * sizeof(*refusals), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return refusals == MAP_FAILED ? -errno : 0;
}

/* the refusal of this method on the cell's memory, or room for one; or NULL */
static struct refusal *find_refusal(const struct cell *c, const struct pin_method *m)
{
	for (struct refusal *r = refusals; r < refusals + REFUSALS; r++)
		if (!r->method || (r->method == m && r->memory == c->memory &&
				   r->size == c->size && r->map_dev == c->scenario->map_dev))
			return r;
	return NULL;
}

void skip_refused(struct cell *c, const struct pin_method *m, const char *why)
{
	struct refusal *r = find_refusal(c, m);

	if (cell_over(c))
		return;
	skip(c, "%s: %s", m->name, why[0] ? why : strerror(EOPNOTSUPP));
	if (!r || r->method)
		return;
	r->memory = c->memory;
	r->size = c->size;
	r->map_dev = c->scenario->map_dev;
	memcpy(r->why, c->why, sizeof(r->why));
	r->method = m;
}

bool skip_known_refusal(struct cell *c)
{
	const struct refusal *r;

	if (!c->method || c->scenario->refusal)
		return false;
	r = find_refusal(c, c->method);
	if (!r || !r->method)
		return false;
	skip(c, "%s", r->why);
	return true;
}
