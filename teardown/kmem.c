// SPDX-License-Identifier: GPL-2.0
/*
 * A dax device turned into ordinary memory and back.
 *
 * Becoming memory begins with an unbind of device_dax, which has to wait for pins; else
 * what they reach is whatever the kernel gives the pages to next.  Once the memory is
 * online, a pin in it holds up its offlining (offline_pages() migrates what is movable,
 * and comes back for the rest until a signal), and nothing else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "teardown/teardown.h"

/* An unbind, and hot-adding of a gigabyte under emulation. */
#define RAM_USUAL_NS	(500 * NSEC_PER_MSEC)

/* More than the block has: the rest of it is kept by the zone's watermarks. */
#define BESIDE_BYTES	(16UL << 20)

/* Of memory for a pin: enough that some of it comes from the block. */
#define POOL_BYTES	(32UL << 20)

/* Memory is bound and unbound so often, and looked at after the first of them. */
#define LEAK_ROUNDS	100
#define LEAK_WARM	10

/*
 * Of a round.  A gigabyte's memory map is 16 MiB; what the rest of the machine takes
 * meanwhile was 17 MiB in ninety rounds, after a thousand cells.
 */
#define LEAK_BYTES	(1L << 20)

static bool begin(struct cell *c, struct teardown *s)
{
	size_t block = action_ram_block();

	memset(s, 0, sizeof(*s));
	s->c = c;
	s->rule.action = c->action->verb;
	s->usual_ns = RAM_USUAL_NS;
	if (!block) {
		skip(c, "this kernel has no memory hotplug");
		return false;
	}
	s->data = level_data(&c->v.ns);
	if (!s->data || s->data % block || c->v.size < block) {
		skip(c, "%s has no whole block of memory, %zu MiB, at its start", c->v.ns.dax,
		     block >> 20);
		return false;
	}
	c->guard->undo = c->action->undo;
	/* whoever has the memory next leaves something there */
	c->guard->filled &= ~(1u << c->size);
	return true;
}

/* another process takes all of what is online, and writes it */
static bool move_in(struct teardown *s, size_t *len)
{
	int ret = cell_pin_proc(s->c, &s->viewer) ? 0 : -ECHILD;

	*len = action_ram_block() + BESIDE_BYTES;
	ret = ret ?: pin_proc_map(&s->viewer, MAP_MAIN, "/dev/zero", DAXMAP_PTE, 0, *len,
				  PROT_READ | PROT_WRITE);
	ret = ret ?: pin_proc_fill(&s->viewer, MAP_MAIN, 0, *len, TAG_OWNER);
	return expect_ok(s->c, ret, "filling the memory", s->viewer.why);
}

/* the device is one again, as large as before */
static void go_back(struct teardown *s)
{
	struct cell *c = s->c;
	char why[160] = "";

	if (expect_done(c, teardown_undo(c), "turning the memory back into a device"))
		expect_ok(c, ns_same(&c->v.ns, why, sizeof(why)), "the device afterwards", why);
}

static void ram_alone(struct cell *c)
{
	struct teardown s;
	size_t len;
	int ret;

	if (!begin(c, &s))
		return;
	ret = guard_bind_call(c->guard, c->action->run);
	if (expect_done(c, ret, c->action->verb) && move_in(&s, &len)) {
		ret = pin_proc_check(&s.viewer, MAP_MAIN, 0, len, TAG_OWNER);
		expect_ok(c, ret, "bytes in the new memory", s.viewer.why);
	}
	cell_pin_proc_end(c, &s.viewer);
	go_back(&s);
}

/* memory of another process, read and written through the pin, which stays out */
static void reach(struct teardown *s)
{
	struct cell *c = s->c;
	bool reads, writes;
	unsigned long tag = 0;
	size_t len;
	int ret;

	if (!s->method[0]->reach || !move_in(s, &len))
		return;
	ret = pin_proc_reach(&s->h, 0, 0, &tag);
	/* of its own bytes it may see what is left, or zeroes: only theirs are a hole */
	reads = ret == -EILSEQ && tag == TAG_OWNER;
	note(c, "read through the pin: %s", ret == -EILSEQ ? s->h.why : strerror(-ret));
	ret = pin_proc_reach(&s->h, 0, TAG_SINK, NULL);
	ret = ret ?: pin_proc_check(&s->viewer, MAP_MAIN, 0, len, TAG_OWNER);
	writes = ret == -EILSEQ;
	if (writes)
		note(c, "written through the pin: %s", s->viewer.why);
	cell_adds(c, reads || writes ? "a hole: the old pin %s%s%s another process's memory" :
		  "another process's memory was not met through the pin",
		  reads ? "reads" : "", reads && writes ? " and " : "",
		  writes ? "overwrites" : "");
	cell_pin_proc_end(c, &s->viewer);
}

static void ram_pinned(struct cell *c)
{
	enum verdict_kind kind;
	struct teardown s;
	int ret;

	if (!begin(c, &s) || !teardown_setup(c, &s))
		goto out;
	s.usual_ns = RAM_USUAL_NS;
	/* the block's first pages go to whoever wants memory first */
	s.base = action_ram_block() / 2;
	ret = pin_proc_fill(&s.h, MAP_MAIN, s.base, teardown_window(), TAG_MEMORY);
	if (!expect_ok(c, ret, "filling the pages to be pinned", s.h.why) ||
	    !teardown_pin(&s, c->method, 0))
		goto out;
	teardown_drop_mappings(&s);
	s.rule.revoke = false;
	if (!teardown_start(&s))
		goto out;
	teardown_watch(&s);
	if (teardown_judge_early(&s) == VERDICT_RETURNED_EARLY) {
		reach(&s);
		c->guard->dirty = true;
		go_back(&s);
		teardown_release_late(&s);
		goto out;
	}
	teardown_release_all(&s);
	op_wait(&s.op, OP_DEADLINE_NS);
	kind = teardown_judge(&s);
	if (kind == VERDICT_NEVER_RETURNED)
		return;
	guard_set_op(c->guard, 0);
	go_back(&s);
out:
	teardown_cleanup(&s);
	c->guard->filled &= ~(1u << c->size);
}

/* a page of @pool that lies in the block; NULL when there is none */
static char *page_in_block(char *pool, uint64_t start, uint64_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	char *found = NULL;

	for (size_t off = 0; fd >= 0 && !found && off < POOL_BYTES; off += page) {
		uint64_t entry, at;

		if (pread(fd, &entry, sizeof(entry), (uintptr_t)(pool + off) / page *
			  sizeof(entry)) != sizeof(entry))
			break;
		/* bits 0-54: page frame number; Documentation/admin-guide/mm/pagemap.rst */
		at = (entry & ((1ULL << 55) - 1)) * page;
		if (entry >> 63 && at >= start && at < start + bytes)
			found = pool + off;
	}
	if (fd >= 0)
		close(fd);
	return found;
}

static int is_out(void *arg)
{
	return pin_live(arg);
}

/* the pin is out, and the memory under it is to go offline */
static void offline_under(struct teardown *s, struct pin *pin)
{
	struct cell *c = s->c;
	struct timeline *tl = &c->guard->tl;
	int ret;

	timeline_mark(tl, TL_PINNED);
	s->rule.pins = 1;
	if (!teardown_start(s))
		return;
	s->op.usual_ns = RAM_USUAL_NS;
	if (op_watch(&s->op, is_out, pin) == OP_RETURNED) {
		ret = atomic_load(&tl->result);
		note(c, "with a pin out offlining says: %s", strerror(-ret));
		expect(c, VERDICT_RETURNED_EARLY, ret, "memory went offline under a pin");
		guard_set_op(c->guard, 0);
		return;
	}
	timeline_mark(tl, TL_RELEASING);
	pin_release(pin);
	timeline_mark(tl, TL_RELEASED);
	op_wait(&s->op, OP_DEADLINE_NS);
	if (teardown_judge(s) != VERDICT_NEVER_RETURNED)
		guard_set_op(c->guard, 0);
}

static void ram_offline(struct cell *c)
{
	struct pin pin = { 0 };
	char *pool, *at = NULL;
	struct teardown s;
	int ret;

	if (!begin(c, &s))
		return;
	ret = guard_bind_call(c->guard, action_find("become_ram")->run);
	pool = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (!expect_done(c, ret, "becoming memory") ||
	    !expect(c, VERDICT_FAILED, pool != MAP_FAILED, "mapping anonymous memory"))
		goto out;
	at = page_in_block(pool, s.data, action_ram_block());
	if (!at) {
		skip(c, "the kernel gives no page of the new memory to this process");
		goto out;
	}
	ret = pin_open(&pin, c->method, &c->guard->targets, sysconf(_SC_PAGESIZE));
	ret = ret ?: pin_take(&pin, at, sysconf(_SC_PAGESIZE));
	if (ret == -EOPNOTSUPP)
		skip_refused(c, c->method, pin.why);
	else if (expect_ok(c, ret, "pinning the new memory", pin.why))
		offline_under(&s, &pin);
out:
	pin_close(&pin);
	if (pool != MAP_FAILED)
		munmap(pool, POOL_BYTES);
	if (c->verdict != VERDICT_NEVER_RETURNED)
		go_back(&s);
}

static long number_of(const char *path, const char *name)
{
	char line[128];
	FILE *f = fopen(path, "re");
	size_t n = strlen(name);
	long value = -1;

	while (f && value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, n) && strchr(": ", line[n]))
			value = atol(line + n + 1);
	if (f)
		fclose(f);
	return value;
}

static int ram_round(struct guard *g)
{
	int ret = guard_bind_call(g, action_ram_bind);

	return ret ?: guard_bind_call(g, action_find("become_ram")->undo);
}

/* MemFree, bytes, once the kernel has given back what it keeps; -1 if it does not say */
static long free_bytes(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	bool dropped = fd >= 0 && write(fd, "3", 1) == 1;
	long kib = number_of("/proc/meminfo", "MemFree");

	if (fd >= 0)
		close(fd);
	return dropped && kib >= 0 ? kib << 10 : -1;
}

/*
 * Leaks of a memory map in each round: 7838ef5a7f0f and others.  The control holds as
 * much as would be complained of, and has to be seen.
 */
static void ram_again_and_again(struct cell *c)
{
	const long most = (LEAK_ROUNDS - LEAK_WARM) * LEAK_BYTES;
	long start = 0, lost, maps = 0, seen;
	void *control;
	struct teardown s;
	int ret = 0;

	if (!begin(c, &s))
		return;
	for (int i = 0; i < LEAK_ROUNDS && !ret; i++) {
		ret = ram_round(c->guard);
		if (i != LEAK_WARM - 1)
			continue;
		start = free_bytes();
		maps = number_of("/proc/vmstat", "nr_memmap_pages");
	}
	if (!expect_done(c, ret, "binding kmem and device_dax in turn") ||
	    !expect(c, VERDICT_FAILED, start >= 0, "no caches to drop, or no MemFree"))
		return;
	lost = start - free_bytes();
	seen = number_of("/proc/vmstat", "nr_memmap_pages");
	note(c, "%d rounds: MemFree %+ld KiB, nr_memmap_pages %+ld", LEAK_ROUNDS - LEAK_WARM,
	     -lost >> 10, seen - maps);
	expect(c, VERDICT_UNHEALTHY, lost < most,
	       "%ld KiB are lost after %d rounds; expected less than %ld", lost >> 10,
	       LEAK_ROUNDS - LEAK_WARM, most >> 10);
	expect(c, VERDICT_UNHEALTHY, seen == maps,
	       "nr_memmap_pages went from %ld to %ld although the device is the same", maps, seen);
	control = mmap(NULL, 2 * most, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	expect(c, VERDICT_FAILED, start - lost - free_bytes() >= most,
	       "%ld KiB taken on purpose are not missed: this cell would see no leak",
	       2 * most >> 10);
	munmap(control, 2 * most);
}

/* A device that cannot be taken offline again is memory until reboot: destructive. */
static const struct scenario_group kmem = {
	.name = "kmem",
	.order = 120,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_PUD,
		.acts = LIST("become_ram"),
		.destructive = true,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "",
			.what = "it becomes memory, which a process uses, and a device again",
			.run = ram_alone,
		}, {
			.name = "",
			.what = "a pin from before is out: becoming memory waits for it",
			.pins = PINS_VMSPLICE_OR_REACH,
			.run = ram_pinned,
		}, {
			.name = "",
			.what = "a pin in the memory that it has become holds up offlining",
			.acts = LIST("offline_ram"),
			.pins = PIN_VMSPLICE,
			.run = ram_offline,
		}, {
			.name = "again_and_again",
			.what = "bound to kmem a hundred times: no memory is lost",
			.run = ram_again_and_again,
		},
		{ }
	},
};

REGISTER(scenario_groups, &kmem);
