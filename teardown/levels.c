// SPDX-License-Identifier: GPL-2.0
/*
 * A driver above device_dax taken away: dax_pmem, the region's, the bus's.
 *
 * Whoever unbinds a parent takes its children away first, each by its own driver's
 * rules, so that the wait for pins is theirs (device_unregister(), then
 * device_release_driver() of each child).  Afterwards nothing that was below is left,
 * and after the next bind all of it is there again, with its bytes, though perhaps
 * under another number.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "teardown/teardown.h"

/* Of another device of the region as much as a pin lies in. */
#define OTHER_BYTES	(64u << 10)

static bool begin(struct cell *c)
{
	enum level level = c->action->level;
	char why[WHY_LEN] = "";
	int ret = level_find(&c->v, level, why, sizeof(why));

	ret = ret ?: level_offered(&c->guard->set, &c->v, level, why, sizeof(why));
	if (!ret && c->action->undo == level_modprobe)
		ret = level_module_offered(&c->guard->set, &c->v, level, why, sizeof(why));
	if (ret) {
		skip(c, "%s", why[0] ? why : strerror(-ret));
		return false;
	}
	/* file systems lie on namespaces that would go, too */
	if (level > LEVEL_DAX_PMEM &&
	    !expect_ok(c, guard_drop_fs(c->guard), "unmounting what is mounted", ""))
		return false;
	note(c, "%s: %s of %s %s", c->action->verb, c->v.above.name,
	     strrchr(c->v.above.driver, '/') + 1, c->v.above.module);
	c->guard->mem = c->v;
	c->guard->undo = c->action->undo;
	return true;
}

void level_mapped(struct cell *c)
{
	if (begin(c))
		mapping_only(c);
}

void level_pinned(struct cell *c)
{
	if (begin(c))
		pinned(c);
}

/* one more pin, on another device of the region; its mapping goes at once */
static int pin_on(struct teardown *s, const struct test_ns *v, enum daxmap_size size)
{
	unsigned int slot = s->nr_pins;
	int ret;

	ret = pin_proc_map(&s->h, MAP_WHOLE, v->node, size, 0, 0, PROT_READ | PROT_WRITE);
	ret = ret ?: pin_proc_fill(&s->h, MAP_WHOLE, 0, OTHER_BYTES, TAG_MEMORY);
	ret = ret ?: pin_proc_pin(&s->h, slot, s->c->method, MAP_WHOLE, 0, s->len, 0, TAG_MEMORY);
	if (ret)
		return ret;
	s->method[slot] = s->c->method;
	s->nr_pins++;
	return pin_proc_close(&s->h, MAP_WHOLE);
}

static bool pin_others(struct teardown *s)
{
	struct cell *c = s->c;
	char why[WHY_LEN] = "";

	for (int size = 0; size < DAXMAP_NR; size++) {
		struct memory_want want = { .size = size, .bytes = daxmap_bytes(size) };
		struct test_ns v;

		if (size == (int)c->size ||
		    c->memory->take(c->memory, c->guard, &want, &v, why, sizeof(why)) ||
		    !strcmp(v.ndns, c->v.ndns) || strcmp(v.region, c->v.region))
			continue;
		if (!expect_ok(c, pin_on(s, &v, size), "pinning another device", s->h.why))
			return false;
		note(c, "%s is pinned, too", v.dax);
	}
	s->rule.pins = s->nr_pins;
	if (s->nr_pins > 1)
		return true;
	skip(c, "no other device of %s is offered: %s", c->v.region, why);
	return false;
}

/* guard_settle() gives the cell's own device a new memory map; others want one, too */
static void renew(struct teardown *s)
{
	int ret = guard_bind_call(s->c->guard, s->c->action->run);

	if (expect_ok(s->c, ret, "one more unbind", "") && teardown_bind(s))
		s->c->guard->dirty = false;
}

/* the parent has to wait for each of its children's pins, in whatever order they end */
void level_several(struct cell *c)
{
	struct teardown s;

	if (!begin(c))
		return;
	if (!teardown_setup(c, &s) || !teardown_pin(&s, c->method, 0) || !pin_others(&s) ||
	    !teardown_start(&s))
		goto out;
	/* a device that has to wait for another's turn keeps its mapping until then */
	s.rule.revoke = false;
	if (!teardown_release_each(&s)) {
		renew(&s);
		goto out;
	}
	if (teardown_finish_and_check(&s) == VERDICT_NEVER_RETURNED)
		return;
out:
	teardown_cleanup(&s);
}

/*
 * A module goes when nobody uses it, and takes its driver along, which is unbound from
 * all its devices.  Whoever has a device of device_dax open or mapped uses its module:
 * that is what struct cdev's owner is for.  A pin uses none.
 */
void module_removed(struct cell *c)
{
	struct teardown s;

	if (!begin(c))
		return;
	if (teardown_setup(c, &s)) {
		teardown_drop_mappings(&s);
		s.rule.revoke = false;
		teardown_run(&s);
	}
	teardown_cleanup(&s);
}

/* refused, with nothing changed */
static void refused(struct teardown *s, const char *because)
{
	struct cell *c = s->c;
	int ret = guard_bind_call(c->guard, c->action->run);

	if (!expect(c, ret == -ETIMEDOUT ? VERDICT_NEVER_RETURNED : VERDICT_FAILED,
		    ret == -EAGAIN, "rmmod %s: %s; expected %s, %s", c->v.above.module,
		    ret ? strerror(-ret) : "done", strerror(EAGAIN), because))
		return;
	expect(c, VERDICT_FAILED, !pin_proc_touch(&s->h, MAP_MAIN, 0),
	       "the mapping is gone although the module stayed");
}

void module_mapped(struct cell *c)
{
	struct teardown s;

	if (!begin(c))
		return;
	if (teardown_setup(c, &s))
		refused(&s, "the device is mapped");
	teardown_cleanup(&s);
}

void module_needed(struct cell *c)
{
	struct teardown s;

	if (!begin(c))
		return;
	if (teardown_setup(c, &s))
		refused(&s, "it is in use");
	teardown_cleanup(&s);
}

/* neither a descriptor nor a mapping is left, but a pin is */
void module_pinned(struct cell *c)
{
	struct teardown s;

	if (!begin(c))
		return;
	if (teardown_setup(c, &s) && teardown_pin(&s, c->method, 0)) {
		teardown_drop_mappings(&s);
		s.rule.revoke = false;
		teardown_run(&s);
	}
	teardown_cleanup(&s);
}
