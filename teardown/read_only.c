// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that nothing can be written to: pins that read them, refusals of pins that would
 * write, and the block device unbound below them.
 *
 * The rule is that of files that can be written, see fsdax_unbind.c.  After an early
 * return the struct pages are gone; munmap() or umount may oops.  So the driver is bound
 * first, then pins and mappings go, and one more unbind and bind resets the memory map.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "teardown/pmem_unbind.h"
#include "teardown/teardown.h"

static bool expect_balance(struct cell *c, const struct pin_counters *before)
{
	struct pin_counters after;
	int64_t out;

	if (!expect_ok(c, pin_counters_read(&after), "reading the pin counters", ""))
		return false;
	out = (after.acquired - after.released) - (before->acquired - before->released);
	return expect(c, VERDICT_UNHEALTHY, !out,
		      "%lld pages stay pinned after the refusal; expected none", (long long)out);
}

/* a pin that would write is refused, and leaves nothing behind */
static void refused(struct cell *c)
{
	const struct pin_method *m = c->method;
	struct pin_counters before;
	struct teardown s;
	bool counted;
	int ret;

	if (!teardown_setup(c, &s))
		goto out;
	counted = !pin_counters_read(&before);
	ret = pin_proc_pin(&s.h, 0, m, MAP_MAIN, 3 * s.len, s.len, 0, TAG_SINK);
	if (ret == -EOPNOTSUPP) {
		skip_refused(c, m, s.h.why);
		goto out;
	}
	/* a write to /proc/PID/mem makes EIO of the EFAULT */
	if (expect(c, VERDICT_FAILED, ret == -EFAULT || ret == -EIO,
		   "%s on a read-only file: %s; expected %s", m->name,
		   ret ? strerror(-ret) : "done", strerror(EFAULT)) && counted)
		expect_balance(c, &before);
	ret = pin_proc_check(&s.h, MAP_MAIN, 0, s.map_len, TAG_MEMORY);
	expect_ok(c, ret, "the file after the refusal", s.h.why);
out:
	teardown_cleanup(&s);
}

static void pinned(struct cell *c)
{
	struct teardown s;

	if (teardown_setup(c, &s) && teardown_pin(&s, c->method, TEARDOWN_HOLD_NS))
		teardown_release_all(&s);
	teardown_cleanup(&s);
}

/* the users go while the memory map is there, and then the file system */
static void restore(struct teardown *s)
{
	struct cell *c = s->c;
	int ret;

	guard_needs_new_memmap(c->guard);
	if (!pmem_call(c, c->action->undo, "bind"))
		return;
	teardown_release_late(s);
	ret = pin_proc_close(&s->h, MAP_MAIN);
	if (ret == -EPIPE)
		note("the kernel has killed the process that had the file mapped");
	else
		expect_ok(c, ret, "closing the file", s->h.why);
	if (!pmem_call(c, c->action->run, "unbind once more, for a new memory map") ||
	    !pmem_call(c, c->action->undo, "bind after it"))
		return;
	guard_has_new_memmap(c->guard);
	pmem_expect_done(c, guard_unmount(c->guard), "unmount");
}

/* as for any file: mappings are revoked, a pin is waited for */
static void unbind_below(struct cell *c)
{
	struct teardown s;

	guard_needs_mkfs(c->guard);
	if (!teardown_setup(c, &s))
		goto out;
	s.usual_ns = PMEM_USUAL_NS;
	if (c->method && !teardown_pin(&s, c->method, TEARDOWN_HOLD_NS))
		goto out;
	if (!pmem_unbind(&s))
		goto out;
	teardown_check_sigbus(&s);
	restore(&s);
out:
	teardown_cleanup(&s);
}

static const struct scenario_group read_only_files = {
	.name = "read_only",
	.order = 42,
	.common = {
		.on = ON_READ_ONLY,
		.sizes = AT_PTE,
		.bytes = 256u << 10,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "read_only",
			.what = "a pin that reads the file delivers its bytes",
			.pins = PINS(.all = PIN_SOURCE | PIN_HELD, .none = PIN_LONGTERM),
			.run = pinned,
		}, {
			.name = "read_only",
			.what = "a pin that would write into the file is refused",
			.pins = PINS(.all = PIN_SINK, .none = PIN_LONGTERM | PIN_REACH),
			.refusal = true,
			.run = refused,
		}, {
			.name = "",
			.what = "a read-only file is mapped: touching it is SIGBUS afterwards",
			.acts = LIST("unbind_nd_pmem"),
			.ignore = HEALTH_POISON,
			.run = unbind_below,
		}, {
			.name = "",
			.what = "a page of a read-only file is pinned: the unbind waits",
			.pins = PINS_FILE_SOURCE,
			.acts = LIST("unbind_nd_pmem"),
			.ignore = HEALTH_POISON,
			.run = unbind_below,
		},
		{ }
	},
};

REGISTER(scenario_groups, &read_only_files);
