// SPDX-License-Identifier: GPL-2.0-only
/* The devices of a run: made, used and removed through the kinds that are linked. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/module.h"
#include "lib/pin/target.h"

/* long enough for a machine under load */
#define SLOWER_NS	3000000000ULL

/* sparse: only what has been written takes memory */
#define SIZE_MIB	2304UL

REGISTRY(pin_target_kinds, struct pin_target);

int pin_target_missing(struct pin_targets *t, int err, const char *fmt, ...)
{
	va_list ap;

	if (!t->why[0]) {
		va_start(ap, fmt);
		vsnprintf(t->why, sizeof(t->why), fmt, ap);
		va_end(ap);
	}
	return err;
}

int pin_target_load(struct pin_targets *t, const char *module, const char *option,
		    unsigned int bit)
{
	int err;

	if (module_loaded(module))
		return 0;
	/* noted before: a guardian may have to unload it */
	t->loaded |= bit;
	err = module_load(module, option);
	if (err)
		t->loaded &= ~bit;
	return err;
}

void pin_target_unload(const struct pin_targets *t, const char *module, unsigned int bit)
{
	if (t->loaded & bit)
		module_unload(module);
}

int pin_target_wait_node(const char *node)
{
	const struct timespec pause = { .tv_nsec = TARGET_POLL_NS };
	struct stat st;

	for (int poll = 0; poll < TARGET_POLLS; poll++) {
		if (!stat(node, &st) && S_ISBLK(st.st_mode))
			return 0;
		nanosleep(&pause, NULL);
	}
	return -ENODEV;
}

int pin_targets_create(struct pin_targets *t, unsigned int id)
{
	const struct pin_target *const *kind;
	int err, ret = 0;

	memset(t, 0, sizeof(*t));
	t->id = id;
	t->slow_ns = PIN_TARGETS_SLOW_NS;
	t->slower_ns = SLOWER_NS;
	t->size = SIZE_MIB << 20;

	for_each_registered(pin_target_kinds, kind) {
		err = (*kind)->create ? (*kind)->create(t) : 0;
		ret = ret ?: err;
	}
	/* last: a reason that the machine gives concerns other kinds, too */
	for_each_registered(pin_target_kinds, kind)
		if ((*kind)->lacks)
			ret = ret ?: pin_target_missing(t, -EOPNOTSUPP, "%s", (*kind)->lacks);
	return ret;
}

/* the kind that made t->delay */
static const struct pin_target *holding(const struct pin_targets *t)
{
	const struct pin_target *const *kind;

	if (t->delay[0])
		for_each_registered(pin_target_kinds, kind)
			if ((*kind)->flush)
				return *kind;
	return NULL;
}

int pin_targets_held(const struct pin_targets *t, bool write)
{
	const struct pin_target *kind = holding(t);

	return kind ? kind->held(t, write) : -ENODEV;
}

int pin_targets_flush(const struct pin_targets *t)
{
	const struct pin_target *kind = holding(t);

	return kind ? kind->flush(t) : -ENODEV;
}

int pin_targets_destroy(const struct pin_targets *t)
{
	const struct pin_target *const *kind;
	int err, ret = 0;

	for_each_registered(pin_target_kinds, kind) {
		err = (*kind)->destroy ? (*kind)->destroy(t) : 0;
		ret = ret ?: err;
	}
	/* a module of one kind may be in use by a device of another */
	for_each_registered(pin_target_kinds, kind)
		if ((*kind)->unload)
			(*kind)->unload(t);
	return ret;
}
