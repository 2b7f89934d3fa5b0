// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dax device becomes ordinary memory (kmem), and a device again.
 *
 * kmem can be bound only after an unbind of device_dax, which has to wait for pins.  If
 * it does not, a pin reaches the pages' next user.  Once the memory is online, a pin in
 * it blocks offlining: offline_pages() migrates the movable pages and tries the rest
 * again until a signal arrives.
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

#include "lib/sysfs.h"
#include "lib/ns/kmem.h"
#include "teardown/teardown.h"

/* duration of an unbind and of hot-adding a gigabyte, under emulation */
#define RAM_USUAL_NS	(500 * NSEC_PER_MSEC)

/* allocated in addition to the block: the zone's watermarks keep a part of it free */
#define BESIDE_BYTES	(16UL << 20)

/* allocated to find a page to pin: enough that some of it comes from the block */
#define POOL_BYTES	(32UL << 20)

/* kmem and device_dax are bound in turn this often; memory is measured after LEAK_WARM */
#define LEAK_ROUNDS	100
#define LEAK_WARM	10

/*
 * A leak of this much in each round is a failure.  The memory map of a gigabyte is
 * 16 MiB; the rest of the machine took 17 MiB during ninety rounds, after a thousand
 * cells.
 */
#define LEAK_BYTES	(1L << 20)

static bool kmem_setup(struct cell *c, struct teardown *s)
{
	size_t block = kmem_block_bytes();

	memset(s, 0, sizeof(*s));
	s->c = c;
	s->rule.action = c->action->verb;
	s->usual_ns = RAM_USUAL_NS;
	if (!block) {
		skip(c, "this kernel has no memory hotplug");
		return false;
	}
	s->data = level_data_start(&c->v.ns);
	if (!s->data || s->data % block || c->v.size < block) {
		skip(c, "%s does not begin with a whole memory block of %zu MiB", c->v.ns.dax,
		     block >> 20);
		return false;
	}
	guard_takes_away(c->guard, &c->v, c->action->undo);
	/* the memory's next user overwrites the pattern */
	guard_set_filled(c->guard, c->size, false, false);
	return true;
}

/* another process allocates as much memory as is online, and fills it */
static bool kmem_occupy(struct teardown *s, size_t *len)
{
	struct cell *c = s->c;
	int ret;

	*len = kmem_block_bytes() + BESIDE_BYTES;
	if (!cell_pin_proc(c, &s->viewer))
		return false;
	ret = pin_proc_map(&s->viewer, MAP_MAIN, "/dev/zero", DAXMAP_PTE, 0, *len,
			   PROT_READ | PROT_WRITE);
	if (!expect_ok(c, ret, "mapping anonymous memory in another process", s->viewer.why))
		return false;
	ret = pin_proc_fill(&s->viewer, MAP_MAIN, 0, *len, TAG_OWNER);
	return expect_ok(c, ret, "filling the memory of another process", s->viewer.why);
}

/* make the memory a device again, and check that it is the same one */
static void kmem_restore(struct teardown *s)
{
	struct cell *c = s->c;
	char why[WHY_LEN] = "";

	if (expect_done(c, teardown_undo(c), "turning the memory back into a device"))
		expect_ok(c, ns_check_same(&c->v.ns, why, sizeof(why)),
			  "comparing the device", why);
}

static void kmem_unpinned(struct cell *c)
{
	struct teardown s;
	size_t len;
	int ret;

	if (!kmem_setup(c, &s))
		return;
	ret = guard_bind_call(c->guard, c->action->run);
	if (expect_done(c, ret, c->action->verb) && kmem_occupy(&s, &len)) {
		ret = pin_proc_check(&s.viewer, MAP_MAIN, 0, len, TAG_OWNER);
		expect_ok(c, ret, "the bytes of another process in the new memory",
			  s.viewer.why);
	}
	cell_pin_proc_end(c, &s.viewer);
	kmem_restore(&s);
}

/*
 * After an early return: does the pin, which stays out, read or write the memory of
 * another process?
 */
static void kmem_check_reach(struct teardown *s)
{
	struct cell *c = s->c;
	bool reads, writes;
	unsigned long tag = 0;
	size_t len;
	int ret;

	if (!s->method[0]->reach || !kmem_occupy(s, &len))
		return;
	ret = pin_proc_reach(&s->h, 0, 0, &tag);
	/* its own old bytes or zeroes do no harm */
	reads = ret == -EILSEQ && tag == TAG_OWNER;
	note("reading through the pin: %s", ret == -EILSEQ ? s->h.why : strerror(-ret));
	ret = pin_proc_reach(&s->h, 0, TAG_SINK, NULL);
	if (ret)
		note("writing through the pin: %s", strerror(-ret));
	else
		ret = pin_proc_check(&s->viewer, MAP_MAIN, 0, len, TAG_OWNER);
	writes = ret == -EILSEQ;
	if (writes)
		note("writing through the pin: %s", s->viewer.why);
	if (reads || writes)
		cell_adds(c, "the old pin %s%s%s another process's memory",
			  reads ? "reads" : "", reads && writes ? " and " : "",
			  writes ? "overwrites" : "");
	else
		cell_adds(c, "the old pin did not reach another process's memory");
	cell_pin_proc_end(c, &s->viewer);
}

static void kmem_pinned(struct cell *c)
{
	enum verdict_kind kind;
	struct teardown s;
	int ret;

	if (!kmem_setup(c, &s) || !teardown_setup(c, &s))
		goto out;
	s.usual_ns = RAM_USUAL_NS;
	/* the block's first pages are allocated first */
	s.base = kmem_block_bytes() / 2;
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
		kmem_check_reach(&s);
		guard_needs_new_memmap(c->guard);
		kmem_restore(&s);
		teardown_release_late(&s);
		goto out;
	}
	teardown_release_all(&s);
	op_wait(&s.op, OP_DEADLINE_NS);
	kind = teardown_judge(&s);
	if (kind == VERDICT_NEVER_RETURNED)
		return;
	guard_set_op(c->guard, 0);
	kmem_restore(&s);
out:
	teardown_cleanup(&s);
	guard_set_filled(c->guard, c->size, false, false);
}

/* a page of @pool that lies in the memory block; NULL when there is none */
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

static int is_pin_live(void *arg)
{
	return pin_live(arg);
}

/* offline the block while the pin is out, then release the pin */
static void kmem_offline_pinned(struct teardown *s, struct pin *pin)
{
	struct cell *c = s->c;
	struct timeline *tl = &c->guard->tl;
	int ret;

	timeline_mark(tl, TL_PINNED);
	s->rule.pins = 1;
	if (!teardown_start(s))
		return;
	s->op.usual_ns = RAM_USUAL_NS;
	if (op_watch(&s->op, is_pin_live, pin) == OP_RETURNED) {
		ret = atomic_load(&tl->result);
		note("offlining with a pin out: %s", strerror(-ret));
		expect(c, VERDICT_RETURNED_EARLY, ret,
		       "offlining succeeded with a pin out; expected it to wait or fail");
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

static void kmem_offline(struct cell *c)
{
	const struct action *online = require_action(c, "become_ram");
	struct pin pin = { 0 };
	char *pool, *at = NULL;
	struct teardown s;
	int ret;

	if (!online || !kmem_setup(c, &s))
		return;
	ret = guard_bind_call(c->guard, online->run);
	pool = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (!expect_done(c, ret, online->verb) ||
	    !expect(c, VERDICT_FAILED, pool != MAP_FAILED, "mapping anonymous memory"))
		goto out;
	at = page_in_block(pool, s.data, kmem_block_bytes());
	if (!at) {
		skip(c, "the kernel allocated no page of the new memory to this process");
		goto out;
	}
	ret = pin_open(&pin, c->method, &c->guard->targets, sysconf(_SC_PAGESIZE));
	if (!ret)
		ret = pin_take(&pin, at, sysconf(_SC_PAGESIZE));
	if (ret == -EOPNOTSUPP)
		skip_refused(c, c->method, pin.why);
	else if (expect_ok(c, ret, "pinning the new memory", pin.why))
		kmem_offline_pinned(&s, &pin);
out:
	pin_close(&pin);
	if (pool != MAP_FAILED)
		munmap(pool, POOL_BYTES);
	if (c->verdict != VERDICT_NEVER_RETURNED)
		kmem_restore(&s);
}

/* number behind @name in a file of such lines; -1 when there is none */
static long read_number(const char *path, const char *name)
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

static int bind_kmem(const struct test_mem *mem)
{
	return kmem_bind_driver(&mem->ns);
}

static int bind_in_turn(struct cell *c)
{
	int ret = guard_bind_call(c->guard, bind_kmem);

	return ret ?: guard_bind_call(c->guard, c->action->undo);
}

/* MemFree after the caches were dropped, bytes; -1 when that is not possible */
static long free_bytes(void)
{
	int ret = sysfs_write("/proc/sys/vm/drop_caches", "3");
	long kib = read_number("/proc/meminfo", "MemFree");

	return !ret && kib >= 0 ? kib << 10 : -1;
}

/*
 * A memory map may leak in each round: 7838ef5a7f0f and others.  The control leaks that
 * much on purpose and must be detected.
 */
static void kmem_again_and_again(struct cell *c)
{
	const long most = (LEAK_ROUNDS - LEAK_WARM) * LEAK_BYTES;
	long start = 0, lost, maps = 0, seen;
	void *control;
	struct teardown s;
	int ret = 0;

	if (!kmem_setup(c, &s))
		return;
	for (int i = 0; i < LEAK_ROUNDS && !ret; i++) {
		ret = bind_in_turn(c);
		if (i != LEAK_WARM - 1)
			continue;
		start = free_bytes();
		maps = read_number("/proc/vmstat", "nr_memmap_pages");
	}
	if (!expect_done(c, ret, "binding kmem and device_dax in turn") ||
	    !expect(c, VERDICT_FAILED, start >= 0, "cannot drop the caches or read MemFree"))
		return;
	lost = start - free_bytes();
	seen = read_number("/proc/vmstat", "nr_memmap_pages");
	note("%d rounds: MemFree %+ld KiB, nr_memmap_pages %+ld", LEAK_ROUNDS - LEAK_WARM,
	     -lost >> 10, seen - maps);
	expect(c, VERDICT_UNHEALTHY, lost < most,
	       "%ld KiB of memory are lost after %d rounds; expected less than %ld", lost >> 10,
	       LEAK_ROUNDS - LEAK_WARM, most >> 10);
	expect(c, VERDICT_UNHEALTHY, seen == maps,
	       "nr_memmap_pages changed from %ld to %ld; expected no change for the same device",
	       maps, seen);
	control = mmap(NULL, 2 * most, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	expect(c, VERDICT_FAILED, start - lost - free_bytes() >= most,
	       "MemFree does not show %ld KiB allocated on purpose: a leak would go unnoticed",
	       2 * most >> 10);
	munmap(control, 2 * most);
}

/* Destructive: a device that cannot be offlined again stays memory until reboot. */
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
			.what = "no pin: it becomes memory, which a process uses, and a device again",
			.run = kmem_unpinned,
		}, {
			.name = "",
			.what = "an old pin is out: becoming memory waits for it",
			.pins = PINS_VMSPLICE_OR_REACH,
			.run = kmem_pinned,
		}, {
			.name = "",
			.what = "a page of the memory that it has become is pinned: offlining waits or fails",
			.acts = LIST("offline_ram"),
			.pins = PIN_VMSPLICE,
			.run = kmem_offline,
		}, {
			.name = "again_and_again",
			.what = "bound to kmem and device_dax in turn, a hundred times: no memory is lost",
			.run = kmem_again_and_again,
		},
		{ }
	},
};

REGISTER(scenario_groups, &kmem);
