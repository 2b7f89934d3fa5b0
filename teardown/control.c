// SPDX-License-Identifier: GPL-2.0-only
/*
 * Controls: provoke each oracle, and each verdict.  A control passes when the fault is
 * reported.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/health/control.h"
#include "lib/sysfs.h"
#include "lib/variable.h"
#include "teardown/teardown.h"

/* For an action that never returns: long enough for its task to block. */
#define CONTROL_WAIT_NS	(100 * NSEC_PER_MSEC)

/* separate from the cell's own, which runs around it and ignores what stays */
static bool open_health(struct cell *c, struct health **h)
{
	int ret = health_open(h);

	if (!expect_ok(c, ret, "opening what the oracles read", ""))
		return false;
	return expect_ok(c, health_begin(*h), "reading the kernel's state before the fault", "");
}

static void expect_found(struct cell *c, struct health *h, const char *oracle)
{
	unsigned int bit = health_bit(oracle), found = 0;
	int ret;

	if (!bit) {
		skip(c, "built without the oracle %s", oracle);
		return;
	}
	ret = health_end(h, bit, &found);
	if (expect_ok(c, ret, "reading the kernel's state after the fault", ""))
		expect(c, VERDICT_FAILED, found, "the oracle %s missed an injected fault", oracle);
	note_lines("found, as it should be", health_text(h));
}

static void control_log(struct cell *c)
{
	struct health *h = NULL;
	int ret;

	if (!open_health(c, &h))
		goto out;
	ret = health_control_log();
	if (ret == -EOPNOTSUPP)
		skip(c, "this kernel has no harmless fault to log (CONFIG_MEMORY_FAILURE)");
	else if (expect_ok(c, ret, "making the kernel log a fault", ""))
		expect_found(c, h, "log");
out:
	health_close(h);
}

static void control_pins(struct cell *c)
{
	const struct pin_method *m = require_pin(c, "uring_fixed");
	struct pin pin = { 0 };
	struct health *h = NULL;
	size_t len = 16 * sysconf(_SC_PAGESIZE);
	void *mem;
	int ret;

	if (!m)
		return;
	mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!expect(c, VERDICT_FAILED, mem != MAP_FAILED, "mmap() of %zu bytes: %s", len,
		    strerror(errno)) || !open_health(c, &h))
		goto out;
	ret = pin_open(&pin, m, NULL, len);
	ret = ret ?: pin_take(&pin, mem, len);
	if (ret == -EOPNOTSUPP)
		skip(c, "uring_fixed: %s", pin.why);
	else if (expect_ok(c, ret, "pinning anonymous memory", pin.why))
		expect_found(c, h, "pins");
out:
	pin_close(&pin);
	if (mem != MAP_FAILED)
		munmap(mem, len);
	health_close(h);
}

static void control_devices(struct cell *c)
{
	struct health *h = NULL;

	if (!open_health(c, &h))
		goto out;
	if (expect_ok(c, guard_unbind_dax(c->guard), "unbind", "")) {
		expect_found(c, h, "devices");
		expect_found(c, h, "iomem");
	}
	expect_ok(c, guard_bind_dax(c->guard), "bind", "");
out:
	health_close(h);
}

/* the page table walk of smaps splits PUD mappings */
static bool read_smaps(void)
{
	char buf[4096];
	int fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	do {
		n = read(fd, buf, sizeof(buf));
	} while (n > 0);
	close(fd);
	return !n;
}

static void control_thp_split(struct cell *c)
{
	struct daxmap m = { .fd = -1 };
	struct health *h = NULL;
	unsigned long faults;
	int ret;

	if (!open_health(c, &h))
		goto out;
	ret = daxmap_open(&m, c->v.node, c->size, 0, daxmap_bytes(c->size),
			  PROT_READ | PROT_WRITE);
	if (expect_ok(c, ret, "mapping the device", "") &&
	    expect_ok(c, daxmap_prove(&m, true, &faults), "proving the mapping's size", "") &&
	    expect(c, VERDICT_FAILED, read_smaps(), "cannot read /proc/self/smaps"))
		expect_found(c, h, "thp_split");
out:
	daxmap_close(&m);
	health_close(h);
}

static void control_wrong_byte(struct cell *c)
{
	size_t off = 5 * sysconf(_SC_PAGESIZE) + 64;
	struct teardown s;
	int ret;

	if (!teardown_setup(c, &s))
		goto out;
	/* the word that belongs into the next page */
	ret = pin_proc_fill(&s.h, MAP_MAIN, off, sizeof(uint64_t), TAG_MEMORY + 1);
	if (!expect_ok(c, ret, "writing a wrong word", ""))
		goto out;
	ret = pin_proc_check(&s.h, MAP_MAIN, 0, teardown_window(), TAG_MEMORY);
	expect(c, VERDICT_FAILED, ret == -EILSEQ, "the wrong word was not found: check returned %d",
	       ret);
	note("found, as it should be: %s", s.h.why);
	teardown_refill(&s);
out:
	teardown_cleanup(&s);
}

static int do_nothing(const struct test_mem *v)
{
	return 0;
}

static int never_return(const struct test_mem *v)
{
	for (;;)
		pause();
	return 0;
}

static void expect_verdict(struct teardown *s, enum verdict_kind want)
{
	char text[256];
	enum verdict_kind kind = timeline_judge(&s->c->guard->tl, &s->rule, text, sizeof(text));

	expect(s->c, VERDICT_FAILED, kind == want, "the verdict was %s; expected %s",
	       verdict_name(kind), verdict_name(want));
	note("the verdict, as it should be: %s", text);
}

/* an action that returns at once, while a page is pinned */
static void control_returned_early(struct cell *c)
{
	const struct pin_method *m = require_pin(c, "vmsplice");
	struct teardown s;

	if (!m)
		return;
	if (!teardown_setup(c, &s) || !teardown_pin(&s, m, 0))
		goto out;
	if (!expect_ok(c, op_start(&s.op, &c->guard->tl, do_nothing, &c->v),
		       "starting the action", ""))
		goto out;
	teardown_watch(&s);
	expect_verdict(&s, VERDICT_RETURNED_EARLY);
	teardown_release(&s, 0);
	op_wait(&s.op, OP_DEADLINE_NS);
out:
	teardown_cleanup(&s);
}

static void control_never_returned(struct cell *c)
{
	struct teardown s;
	int ret;

	memset(&s, 0, sizeof(s));
	s.c = c;
	s.rule.action = "the control";
	ret = op_start(&s.op, &c->guard->tl, never_return, &c->v);
	if (!expect_ok(c, ret, "starting the action", ""))
		return;
	ret = op_wait(&s.op, CONTROL_WAIT_NS);
	expect(c, VERDICT_FAILED, ret == -ETIMEDOUT, "waiting ended with %d; expected %d", ret,
	       -ETIMEDOUT);
	expect_verdict(&s, VERDICT_NEVER_RETURNED);
	kill(s.op.pid, SIGKILL);
	waitpid(s.op.pid, NULL, 0);
}

/* an action that returns and leaves the mapping as it was */
static void control_not_revoked(struct cell *c)
{
	struct teardown s;

	if (!teardown_setup(c, &s) || !teardown_watch_mapping(&s))
		goto out;
	if (!expect_ok(c, op_start(&s.op, &c->guard->tl, do_nothing, &c->v),
		       "starting the action", ""))
		goto out;
	op_wait(&s.op, OP_DEADLINE_NS);
	expect_verdict(&s, VERDICT_NOT_REVOKED);
out:
	teardown_cleanup(&s);
}

static void control_taint(struct cell *c)
{
	struct health *h = NULL;
	int ret;

	if (!open_health(c, &h))
		goto out;
	ret = health_control_taint();
	if (ret == -EALREADY)
		skip(c, "the taint bit of user space is set already");
	else if (expect_ok(c, ret, "tainting the kernel", ""))
		expect_found(c, h, "taint");
out:
	health_close(h);
}

static void control_overrun(struct cell *c)
{
	struct health *h = NULL;

	if (!open_health(c, &h))
		goto out;
	if (expect_ok(c, health_control_overrun(), "filling the kernel log", ""))
		expect_found(c, h, "overrun");
out:
	health_close(h);
}

/* what runs the machine has to lose this cell and no other */
static void control_crash(struct cell *c)
{
	int ret;

	if (!getenv("DAX_TEST_CRASH")) {
		skip(c, "this brings the machine down: DAX_TEST_CRASH=1 to try");
		return;
	}
	ret = sysfs_write("/proc/sysrq-trigger", "c");
	if (ret == -ENOENT)
		skip(c, "no /proc/sysrq-trigger");
	else
		expect(c, VERDICT_FAILED, false, "the kernel survived a crash by sysrq: %s",
		       strerror(-ret));
}

static const struct variable control_variables[] = {
	{ "DAX_TEST_CRASH=1", "control_crash brings the machine down" },
	{ }
};

REGISTER(variables, control_variables);

static const struct scenario_group control = {
	.name = "control",
	.order = 110,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_PMD,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "control_log",
			.what = "control: a fault in the kernel's log is found",
			.sizes = AT_PTE,
			.no_device = true,
			.ignore = HEALTH_LOG,
			.run = control_log,
		}, {
			.name = "control_pins",
			.what = "control: a pin held on purpose unbalances the counters",
			.sizes = AT_PTE,
			.no_device = true,
			.run = control_pins,
		}, {
			.name = "control_devices",
			.what = "control: an unbound device is missed in /proc/iomem and on its bus",
			.run = control_devices,
		}, {
			.name = "control_thp_split",
			.what = "control: looking at a 1 GiB mapping splits it, and that is seen",
			.sizes = AT_PUD,
			.ignore = HEALTH_THP_SPLIT,
			.run = control_thp_split,
		}, {
			.name = "control_wrong_byte",
			.what = "control: one wrong word is found and named",
			.sizes = AT_ALL,
			.run = control_wrong_byte,
		}, {
			.name = "control_returned_early",
			.what = "control: an action that does nothing while a pin is out is early",
			.run = control_returned_early,
		}, {
			.name = "control_never_returned",
			.what = "control: an action that does not end is never returned",
			.run = control_never_returned,
		}, {
			.name = "control_not_revoked",
			.what = "control: a mapping that can still be touched is not revoked",
			.run = control_not_revoked,
		}, {
			.name = "control_taint",
			.what = "control: a new taint bit is found",
			.sizes = AT_PTE,
			.no_device = true,
			.destructive = true,
			.ignore = HEALTH_TAINT,
			.run = control_taint,
		}, {
			.name = "control_overrun",
			.what = "control: a kernel log that wrapped is found",
			.sizes = AT_PTE,
			.no_device = true,
			.destructive = true,
			.ignore = HEALTH_OVERRUN | HEALTH_LOG,
			.run = control_overrun,
		}, {
			.name = "control_crash",
			.what = "control: a machine that dies costs one cell (DAX_TEST_CRASH)",
			.sizes = AT_PTE,
			.no_device = true,
			.destructive = true,
			.run = control_crash,
		},
		{ }
	},
};

REGISTER(scenario_groups, &control);
