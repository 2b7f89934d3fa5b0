// SPDX-License-Identifier: GPL-2.0
/*
 * The frame around each cell, and what is told of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#include "suite/internal.h"

/*
 * A pin's clock in rounds of unbind and bind; two rounds pass until it is safe.  It
 * is set anew when it has come to be less than the least, or more than the most, of
 * what then is the longest of the last rounds and needs less on top.
 */
#define HOLD_ROUNDS	6
#define HOLD_LEAST	3
#define HOLD_ANEW	4
#define HOLD_MOST	9

/* Smallest devices the scenarios work on, by page size: 8 entries of a pmd,
 * and one of a pud.
 */
static const size_t min_bytes[DAXMAP_NR] = { 16u << 20, 16u << 20, 1u << 30 };

/* Methods times kinds of memory and page sizes; what does not fit is tried each time. */
#define REFUSALS	128

struct refusal {
	const struct pin_method *method;
	const struct memory *memory;
	enum daxmap_size size;
	bool map_dev;
	char why[WHY_LEN];
};

static struct guard *guard;
static struct health *health;

/* shared: most of it is found out in children */
static struct refusal *refusals;

void suite_drain(void)
{
	fflush(stdout);
	if (tcdrain(STDOUT_FILENO))
		fsync(STDOUT_FILENO);
}

/* what must not be lost, whatever comes next */
static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	suite_drain();
}

int suite_prepare(char *why, size_t len)
{
	int ret;

	if (geteuid()) {
		snprintf(why, len, "%s binds and unbinds drivers: run it as root", suite->name);
		return -EPERM;
	}
	refusals = mmap(NULL, REFUSALS * sizeof(*refusals), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (refusals == MAP_FAILED) {
		ret = -errno;
		snprintf(why, len, "no shared memory: %s", strerror(-ret));
		return ret;
	}
	ret = guard_create(&guard);
	if (ret) {
		snprintf(why, len, "cannot start the guardian process: %s", strerror(-ret));
		return ret;
	}
	ret = ns_set_find(&guard->set, why, len);
	if (ret)
		return ret;
	/* some may have been refused beside those that serve */
	if (why[0])
		printf("# %s\n", why);
	if (getenv("DAX_TEST_CLEAR_WARN_ONCE"))
		health_clear_warn_once();
	ret = health_open(&health);
	if (ret) {
		snprintf(why, len, "cannot open the kernel log and counters: %s", strerror(-ret));
		return ret;
	}
	if (suite->targets && pin_targets_create(&guard->targets, getpid()))
		printf("# %s\n", guard->targets.why);
	if (suite->hold_ns)
		guard->targets.slow_ns = suite->hold_ns;
	if (suite->targets)
		ktrace_create(&guard->ktrace, getpid());
	fflush(stdout);
	return 0;
}

void suite_finish(void)
{
	int ret;

	if (!guard)
		return;
	ret = guard_finish(guard);
	if (ret)
		say("# %s: not everything could be given back: %s\n", suite->name,
		    strerror(-ret));
	health_close(health);
}

bool cell_over(const struct cell *c)
{
	return c->skipped || c->verdict != VERDICT_PASS;
}

void note(const struct cell *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	(void)c;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* a '#' inside would be read as a directive */
	for (char *p = text; *p; p++)
		if (*p == '#' || *p == '\n')
			*p = ' ';
	printf("#   %s\n", text);
	fflush(stdout);
}

void note_lines(const struct cell *c, const char *what, const char *text)
{
	if (!text[0])
		return;
	note(c, "%s:", what);
	while (*text) {
		int n = strcspn(text, "\n");

		note(c, "    %.*s", n, text);
		text += n;
		text += *text == '\n';
	}
}

bool expect(struct cell *c, enum verdict_kind kind, bool cond, const char *fmt, ...)
{
	char text[sizeof(c->why)];
	va_list ap;

	if (cond)
		return true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if (*p == '#' || *p == '\n')
			*p = ' ';
	if (c->verdict != VERDICT_PASS) {
		note(c, "also %s: %s", verdict_name(kind), text);
		return false;
	}
	c->verdict = kind;
	memcpy(c->why, text, sizeof(c->why));
	say("# VERDICT %s %s: %s\n", c->name, verdict_name(kind), text);
	printf("#   again: %s -t %s\n", suite->name, c->name);
	fflush(stdout);
	return false;
}

bool expect_ok(struct cell *c, int ret, const char *what, const char *why)
{
	return expect(c, ret == -EILSEQ ? VERDICT_WRONG_DATA : VERDICT_FAILED, !ret,
		      "%s: %s%s%s", what, strerror(-ret), why[0] ? ": " : "", why);
}

bool expect_errno(struct cell *c, int ret, int err, const char *what)
{
	return expect(c, VERDICT_FAILED, ret == -err, "%s: %s; expected %s", what,
		      ret ? strerror(-ret) : "done", strerror(err));
}

void cell_adds(struct cell *c, const char *fmt, ...)
{
	size_t n = strlen(c->why);
	va_list ap;

	if (c->verdict == VERDICT_PASS || n + 3 >= sizeof(c->why))
		return;
	memcpy(c->why + n, "; ", 3);
	va_start(ap, fmt);
	vsnprintf(c->why + n + 2, sizeof(c->why) - n - 2, fmt, ap);
	va_end(ap);
	say("# VERDICT %s %s: %s\n", c->name, verdict_name(c->verdict), c->why);
}

void skip(struct cell *c, const char *fmt, ...)
{
	va_list ap;

	if (cell_over(c))
		return;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	c->skipped = true;
}

/* what is known of this method on the cell's memory, or room to note it; or NULL */
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

static bool known_refusal(struct cell *c)
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

bool cell_pin_proc(struct cell *c, struct pin_proc *h)
{
	int ret = pin_proc_start(h, &c->guard->tl, &c->guard->targets);

	if (!ret)
		ret = guard_add_proc(c->guard, h->pid);
	return expect_ok(c, ret, "starting the holder", "");
}

bool cell_pin_proc_stuck(struct cell *c, const char *what, const struct pin_proc *h)
{
	static char stacks[4096];

	expect(c, VERDICT_NEVER_RETURNED, false, "%s", what);
	op_stacks(h->pid, stacks, sizeof(stacks));
	note_lines(c, "the holder is stuck", stacks);
	return false;
}

bool cell_pin_proc_ok(struct cell *c, int ret, const char *what, const struct pin_proc *h)
{
	char text[128];

	if (ret != -ETIMEDOUT)
		return expect_ok(c, ret, what, h->why);
	snprintf(text, sizeof(text), "%s: process %d does not answer", what, h->pid);
	return cell_pin_proc_stuck(c, text, h);
}

void cell_pin_proc_end(struct cell *c, struct pin_proc *h)
{
	pid_t pid = h->pid;

	if (pid <= 0)
		return;
	if (cell_pin_proc_ok(c, pin_proc_end(h), "ending the holder", h))
		guard_drop_proc(c->guard, pid);
}

uint64_t suite_seed(void)
{
	const char *env = getenv("DAX_TEST_SEED");
	uint64_t seed = 0;

	if (env && env[0])
		return strtoull(env, NULL, 0);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = timeline_now();
	/* short enough to be typed again */
	return seed & 0xffffffff;
}

double suite_seconds(double by_default)
{
	const char *env = getenv("DAX_TEST_TIME");
	double s = env ? strtod(env, NULL) : 0;

	return s > 0 ? s : by_default;
}

/* where the memory comes from is no part of the name, and told when it changes */
static void tell_provider(const struct cell *c)
{
	if (!strcmp(guard->provider, c->v.ns.provider))
		return;
	memcpy(guard->provider, c->v.ns.provider, sizeof(guard->provider));
	note(c, "memory from here on: %s of bus %s", ns_key(&c->v.ns), c->v.ns.provider);
}

static bool take_memory(struct cell *c)
{
	struct memory_want want = {
		.size = c->size,
		.bytes = c->scenario->bytes ?: min_bytes[c->size],
		.rather = suite->entries * daxmap_bytes(c->size),
		.map_dev = c->scenario->map_dev,
	};
	char why[WHY_LEN] = "";
	int ret = memory_take(c->memory, guard, &want, &c->v, why, sizeof(why));

	if (ret) {
		skip(c, "no %s %s for this cell: %s", daxmap_name(c->size), c->memory->name, why);
		/* whoever drives a machine that may be rebooted takes this word */
		if (ret == -EBUSY)
			say("# REBOOT %s\n", why);
		return false;
	}
	guard->mem = c->v;
	guard->undo = NULL;
	guard->busy = true;
	tell_provider(c);
	return true;
}

bool cell_fresh_pages(struct cell *c)
{
	return expect_ok(c, guard_fresh_pages(guard), "a fresh memory map", "") && take_memory(c);
}

bool cell_remove_file(struct cell *c)
{
	int ret = guard_bind_call(guard, action_find("unlink")->run);
	bool lost = ret == -ECHILD || ret == -ETIMEDOUT;

	if (lost)
		guard_set_wedged(guard);
	return expect(c, lost ? VERDICT_NEVER_RETURNED : VERDICT_FAILED, !ret,
		      "removing the file: %s", ret == -ECHILD ? "its task died" : strerror(-ret));
}

static void clock_of(uint64_t wanted)
{
	struct pin_targets *t = &guard->targets;

	if (wanted > t->slower_ns / 2)
		wanted = t->slower_ns / 2;
	if (wanted < PIN_TARGETS_SLOW_NS)
		wanted = PIN_TARGETS_SLOW_NS;
	if (wanted != t->slow_ns)
		pin_targets_retime(t, wanted);
}

/* has the load of the machine changed since the clock was set? */
static void mind_clock(void)
{
	uint64_t now = guard->targets.slow_ns, round = 2 * guard->usual_ns;

	if (now < HOLD_LEAST * round || now > HOLD_MOST * round)
		clock_of(HOLD_ANEW * round);
}

/*
 * A pin that a clock ends must outlast an unbind that does not wait, and the bind
 * after it: letting go in between is what takes the kernel down.  So the clock is
 * set by what this machine, as loaded as it is, needs for a round.  How long an
 * unbind takes that nothing holds up is known afterwards, too, and is kept an eye on:
 * a bind takes about as long.
 */
static bool set_clock(struct cell *c)
{
	uint64_t start = timeline_now();
	int ret;

	if (guard->clock_set) {
		if (c->method && c->method->flags & PIN_TIMED)
			mind_clock();
		return true;
	}
	ret = guard_unbind_dax(guard);
	ret = ret ?: guard_bind_dax(guard);
	if (!expect_ok(c, ret, "unbind and bind without pins", ""))
		return false;
	clock_of(HOLD_ROUNDS * (timeline_now() - start));
	guard->clock_set = true;
	return true;
}

static void judge_health(struct cell *c)
{
	unsigned int oracles = ~(c->scenario->ignore);
	unsigned int found = 0;
	const char *text;
	int ret;

	if (c->scenario->ignore & HEALTH_NUMBERS)
		health_renumbered(health);
	ret = health_end(health, oracles, &found);
	expect_ok(c, ret, "reading the kernel's health", "");
	if (!found)
		return;
	text = health_text(health);
	expect(c, VERDICT_UNHEALTHY, false, "the kernel complained: %.*s",
	       (int)strcspn(text, "\n"), text);
	note_lines(c, "health", text);
}

void suite_run(struct cell *c)
{
	int ret;

	c->guard = guard;
	guard_set_cell(guard);
	if (c->scenario->destructive && !getenv("DAX_TEST_DESTRUCTIVE")) {
		skip(c, "a faulty kernel is lost until reboot: DAX_TEST_DESTRUCTIVE=1 to try");
		return;
	}
	if (c->action && c->action->lacks) {
		skip(c, "%s: %s", c->action->name, c->action->lacks);
		return;
	}
	if (known_refusal(c))
		return;
	/* what a cell that was killed in the middle left behind */
	ret = guard_settle(guard);
	if (ret)
		note(c, "an earlier cell left %s behind: %s", ns_key(&guard->mem.ns),
		     strerror(-ret));
	guard->dirty = false;
	timeline_reset(&guard->tl);
	if (!c->scenario->no_device && !take_memory(c))
		return;
	if (!expect_ok(c, health_begin(health), "reading the kernel's health", ""))
		return;
	if (suite->clock && c->v.ns.dax[0] && !set_clock(c))
		return;
	note_lines(c, "since the last cell, by nobody's doing", health_stray(health));
	c->scenario->run(c);
	ret = guard_settle(guard);
	if (ret == -EBUSY) {
		note(c, "%s stays wedged; cells that need it are skipped", ns_key(&c->v.ns));
		/* whoever drives a machine that may be rebooted takes this word */
		say("# REBOOT %s is wedged\n", ns_key(&c->v.ns));
	}
	if (ret != -EBUSY)
		expect_ok(c, ret, "giving the device back", "");
	if (ret != -EBUSY && !c->skipped)
		judge_health(c);
}
