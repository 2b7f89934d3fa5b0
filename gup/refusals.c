// SPDX-License-Identifier: GPL-2.0
/*
 * What must be refused, and that nothing is lost over it.
 *
 * What a method answers where memory cannot be pinned differs (EFAULT, a short
 * transfer, EIO from /proc/PID/mem): ordinary shared memory in the same
 * situation is the control, and DAX memory has to answer the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gup/gup.h"

/* ordinary memory is not asked for by the GiB */
#define CONTROL_BYTES	(2u << 20)

static const int rw = PROT_READ | PROT_WRITE;

static const char *said(int ret)
{
	return ret ? strerror(-ret) : "success";
}

/* a pin that may be refused, opened with right bytes at its peer */
static bool open_filled(struct test_map *g, struct pin *pin, size_t off, size_t len)
{
	int ret = 0;

	if (!plain_open(g->c, pin, len))
		return false;
	if (pin->method->flags & PIN_SINK) {
		ret = pin_prepare(pin);
		if (!ret)
			pattern_fill(pin->peer, len, TAG_SINK, g->map.off + off);
	}
	return expect_ok(g->c, ret, "memory for the pin's other end", "");
}

/* what the method answers: 0 or -errno; the pin is given back */
static int attempt(struct pin *pin, void *addr, size_t len)
{
	int ret = pin_take(pin, addr, len);

	return ret ? ret : pin_release(pin);
}

/* the same on ordinary shared memory: @len bytes, mapped up to @mapped */
static int attempt_control(struct test_map *g, size_t mapped, size_t len, int prot)
{
	size_t room = (len + 2 * g->page - 1) / g->page * g->page;
	struct pin pin;
	int ret = -ENOMEM;
	char *p;

	/* opened first: its own memory must not land in the hole */
	if (!open_filled(g, &pin, 0, len))
		return 0;
	doing("asking for a pin on ordinary memory");
	p = mmap(NULL, room, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p != MAP_FAILED) {
		memset(p, 0, mapped);
		mprotect(p, mapped, prot);
		munmap(p + mapped, room - mapped);
		ret = attempt(&pin, p, len);
		munmap(p, mapped);
	}
	pin_close(&pin);
	return ret;
}

/* the mapping's first entry, and behind it @behind bytes of nothing */
static void undo_behind(struct test_map *g, size_t within, size_t behind)
{
	struct span s = { "tail not mapped", g->entry - within, within };
	struct pin_counters before = { 0 };
	struct pin pin;
	int ret, control;
	size_t shape;

	doing("asking for a pin whose tail is not mapped");
	/* of the same shape: what fits into one bio is cut short, more is EIO */
	shape = within < CONTROL_BYTES ? within : CONTROL_BYTES;
	control = attempt_control(g, shape, shape + behind, rw);
	if (cell_over(g->c) || !test_map_remap(g, rw))
		return;
	daxmap_touch(&g->map, s.off, within, true, NULL);
	if (!open_filled(g, &pin, s.off, within + behind))
		return;
	munmap((char *)g->map.addr + g->entry, g->map.len - g->entry);
	pin_counters_read(&before);
	doing("taking a pin whose tail is not mapped");
	ret = attempt(&pin, (char *)g->map.addr + s.off, within + behind);
	pin_close(&pin);
	if (ret == -EOPNOTSUPP) {
		skip(g->c, "%s is refused on this memory", g->c->method->name);
		return;
	}
	expect(g->c, VERDICT_FAILED, ret && ret == control,
	       "%zu bytes mapped and %zu not: %s; expected %s, as on ordinary memory", within,
	       behind, said(ret), control ? said(control) : "a refusal");
	expect_balance(g->c, &before, "after the refusal");
	/* what was pinned and undone can be pinned again */
	pin_test_round(g, g->c->method, s);
}

/*
 * The fast walk takes what is mapped, meets the hole, and has to give back what
 * it took: once for a page, and once for each page of an entry.
 */
static void undo_tail(struct cell *c)
{
	struct test_map g;
	size_t most;

	if (!test_map_open(&g, c) || !test_map_prove(&g))
		goto out;
	if (g.map.len < 2 * g.entry) {
		skip(c, "the mapping has one entry only: nothing can be unmapped behind it");
		goto out;
	}
	undo_behind(&g, g.page, g.page);
	most = c->method->max_len;
	if (!cell_over(c) && g.entry > g.page && (!most || most >= g.entry + g.page))
		undo_behind(&g, g.entry, g.page);
	if (g.map.addr)
		test_map_remap(&g, rw);
out:
	test_map_close(&g);
}

static void readonly_once(struct test_map *g, const char *what, int control, bool touched)
{
	struct span s = test_map_pages(g);
	struct pin_counters before = { 0 };
	bool source = g->c->method->flags & PIN_SOURCE;
	struct pattern_error err;
	struct pin pin;
	char text[160];
	int ret;

	test_map_fill(g, &s);
	if (touched)
		daxmap_touch(&g->map, s.off, s.len, false, NULL);
	if (!open_filled(g, &pin, s.off, s.len))
		return;
	pin_counters_read(&before);
	doing("taking a pin on %s", what);
	ret = attempt(&pin, (char *)g->map.addr + s.off, s.len);
	if (ret == -EOPNOTSUPP && control != ret) {
		skip(g->c, "%s is refused on this memory", g->c->method->name);
	} else if (expect(g->c, VERDICT_FAILED, ret == control,
			  "%s: %s; expected %s, as on ordinary memory", what, said(ret),
			  said(control)) &&
		   !ret && source &&
		   pattern_check(pin.peer, s.len, TAG_MEMORY, g->map.off + s.off, &err)) {
		pattern_explain(&err, text, sizeof(text));
		expect(g->c, VERDICT_WRONG_DATA, false, "%s, what the kernel read: %s", what,
		       text);
	}
	pin_close(&pin);
	test_map_check(g, &s, TAG_MEMORY);
	expect_balance(g->c, &before, what);
}

/*
 * A mapping that may only be read: a method that writes gets its error, and the
 * bytes stay; one that reads works.
 */
static void readonly(struct cell *c)
{
	struct test_map g;
	int control;

	if (!test_map_open(&g, c) || !test_map_prove(&g))
		goto out;
	control = attempt_control(&g, 2 * g.page, 2 * g.page, PROT_READ);
	if (cell_over(c))
		goto out;
	note(c, "on ordinary memory that is read-only: %s", said(control));
	expect(c, VERDICT_FAILED, control || !(c->method->flags & PIN_SINK),
	       "ordinary memory that is read-only was written; expected a refusal");
	for (int touched = 0; touched < 2 && !cell_over(c); touched++) {
		if (test_map_remap(&g, PROT_READ))
			readonly_once(&g, "a read-only mapping", control, touched);
	}
	/* and where not even the descriptor may write */
	daxmap_unmap(&g.map);
	for (int touched = 0; touched < 2 && !cell_over(c); touched++) {
		daxmap_close(&g.map);
		if (expect_ok(c, daxmap_open(&g.map, c->v.node, c->size, g.alias.off, g.alias.len,
					     PROT_READ), "mapping read-only", ""))
			readonly_once(&g, "a mapping of a read-only descriptor", control,
				      touched);
	}
out:
	test_map_close(&g);
}

/*
 * Pins that stay for good are taken or refused, by EOPNOTSUPP alone: until
 * io_uring left it to GUP it refused every mapping of a file but hugetlbfs's
 * and shmem's.
 *
 * On a file they must be refused, 2bb6d2837083 ("mm: introduce
 * get_user_pages_longterm"): a truncate would wait for them for ever.
 */
static void register_or_refuse(struct cell *c)
{
	bool file = c->memory->caps & MEM_MOUNTED;
	struct pin_counters before = { 0 };
	struct test_map g;
	struct pin pin;
	int ret;

	if (!test_map_open(&g, c) || !test_map_prove(&g))
		goto out;
	pin_counters_read(&before);
	if (!open_filled(&g, &pin, 0, 2 * g.page))
		goto out;
	ret = attempt(&pin, g.map.addr, 2 * g.page);
	expect(c, VERDICT_FAILED, ret == -EOPNOTSUPP || (!ret && !file),
	       "a long-term pin on %s: %s; expected %s%s", c->memory->what, said(ret),
	       file ? "" : "success or ", strerror(EOPNOTSUPP));
	pin_close(&pin);
	expect_balance(c, &before, ret ? "after the refusal" : "after the release");
	note(c, "a long-term pin on %s: %s", c->memory->what, said(ret));
out:
	test_map_close(&g);
}

static void expect_refused(struct test_map *g, const char *what, const void *p)
{
	int err = errno;

	expect(g->c, VERDICT_FAILED, p == MAP_FAILED && err == EINVAL, "%s: %s; expected %s",
	       what, p == MAP_FAILED ? strerror(err) : "success", strerror(EINVAL));
	if (p != MAP_FAILED)
		munmap((void *)p, g->entry);
}

/* device-dax has no pages to copy to: private mappings have no meaning */
static void refuse_map_private(struct cell *c)
{
	struct test_map g;

	if (test_map_open(&g, c)) {
		expect_refused(&g, "mmap(MAP_PRIVATE)",
			       mmap(NULL, g.entry, rw, MAP_PRIVATE, g.map.fd, g.map.off));
		expect_refused(&g, "mmap(MAP_PRIVATE), read-only",
			       mmap(NULL, g.entry, PROT_READ, MAP_PRIVATE, g.map.fd, g.map.off));
	}
	test_map_close(&g);
}

/*
 * Address, length and offset must be whole entries.  What is mapped all the same
 * is not touched: an entry made of an unaligned frame can bring the machine down.
 */
static void refuse_misaligned(struct cell *c)
{
	struct test_map g;
	char *room;

	if (!test_map_open(&g, c))
		goto out;
	expect_refused(&g, "mmap() at an offset inside a base page",
		       mmap(NULL, g.entry, rw, MAP_SHARED, g.map.fd, g.map.off + 512));
	if (g.entry == g.page)
		goto out;
	room = mmap(NULL, 3 * g.entry, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
	room += g.entry - (uintptr_t)room % g.entry;
	expect_refused(&g, "mmap() at an address inside an entry",
		       mmap(room + g.page, g.entry, rw, MAP_SHARED | MAP_FIXED, g.map.fd, g.map.off));
	expect_refused(&g, "mmap() of a part of an entry",
		       mmap(room, g.entry - g.page, rw, MAP_SHARED | MAP_FIXED, g.map.fd, g.map.off));
	expect_refused(&g, "mmap() at an offset inside an entry, anywhere",
		       mmap(NULL, g.entry, rw, MAP_SHARED, g.map.fd, g.alias.off + g.page));
	expect_refused(&g, "mmap() at an offset inside an entry, at an aligned address",
		       mmap(room, g.entry, rw, MAP_SHARED | MAP_FIXED, g.map.fd,
			    g.alias.off + g.page));
out:
	test_map_close(&g);
}

/* nothing of the mapping is gone: touching it again takes no fault */
static void expect_whole(struct test_map *g, const char *after)
{
	unsigned long faults = 0;

	doing("touching all after %s", after);
	for (size_t off = 0; off < g->map.len; off += g->entry) {
		unsigned long first = 0, last = 0;

		daxmap_touch(&g->map, off, g->page, true, &first);
		daxmap_touch(&g->map, off + g->entry - g->page, g->page, true, &last);
		faults += first + last;
	}
	expect(g->c, VERDICT_FAILED, !faults,
	       "touching all after %s was refused took %lu faults; expected none", after,
	       faults);
}

static void expect_einval(struct test_map *g, bool refused, const char *what)
{
	int err = errno;

	expect(g->c, VERDICT_FAILED, refused && err == EINVAL, "%s: %s; expected %s", what,
	       refused ? strerror(err) : "success", strerror(EINVAL));
	if (refused)
		expect_whole(g, what);
}

/*
 * Guards 9702cffdbf21 ("device-dax: implement ->split() to catch invalid munmap
 * attempts"): it was a BUG().
 */
static void refuse_split_munmap(struct cell *c)
{
	struct test_map g;
	char *p;

	if (!test_map_open(&g, c) || !test_map_prove(&g))
		goto out;
	p = g.map.addr;
	expect_einval(&g, munmap(p, g.page), "munmap() of the first page of an entry");
	expect_einval(&g, munmap(p + g.page, g.page), "munmap() in the middle of an entry");
	expect_einval(&g, munmap(p + g.entry - g.page, g.page),
		      "munmap() of the last page of an entry");
	expect_einval(&g, munmap(p + g.page, g.map.len - g.page),
		      "munmap() of all but the first page");
	expect_einval(&g, mprotect(p + g.page, g.page, PROT_READ),
		      "mprotect() in the middle of an entry");
out:
	test_map_close(&g);
}

/* Guards 73d5e0629919 ("mremap: check if it's possible to split original vma"). */
static void refuse_split_mremap(struct cell *c)
{
	struct test_map g;
	char *p;

	if (!test_map_open(&g, c) || !test_map_prove(&g))
		goto out;
	p = g.map.addr;
	expect_einval(&g, mremap(p, g.page, 2 * g.page, MREMAP_MAYMOVE) == MAP_FAILED,
		      "mremap() of the first page of an entry");
	expect_einval(&g, mremap(p + g.page, g.page, 2 * g.page, MREMAP_MAYMOVE) == MAP_FAILED,
		      "mremap() in the middle of an entry");
	expect_einval(&g, mremap(p, g.map.len, g.map.len - g.page, 0) == MAP_FAILED,
		      "mremap() to all but the last page");
	expect_einval(&g, mremap(p, g.entry, g.page, MREMAP_MAYMOVE) == MAP_FAILED,
		      "mremap() of an entry to its first page");
out:
	test_map_close(&g);
}

static const struct scenario_group refusals = {
	.name = "refusals",
	.order = 20,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_ALL,
		.refusal = true,
		.run = run_alone,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "undo_tail",
			.what = "the range's tail is not mapped: refused, and what was taken is given back",
			.pins = PINS_ANY,
			.body = undo_tail,
		}, {
			.name = "readonly",
			.what = "the mapping is read-only: refused if the method writes, else right bytes",
			.pins = PINS_ANY,
			.body = readonly,
		}, {
			.name = "register_or_refuse",
			.what = "a pin that stays for good: taken, or EOPNOTSUPP and nothing leaks",
			.pins = PINS_LONGTERM,
			.body = register_or_refuse,
		},
		{ }
	},
};

REGISTER(scenario_groups, &refusals);

static const struct scenario_group refusals_files = {
	.name = "refusals_files",
	.order = 65,
	.common = {
		.on = ON_FILES,
		.sizes = AT_FILE,
		.refusal = true,
		.run = run_alone,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "undo_tail",
			.what = "the range's tail is not mapped: refused, and what was taken is given back",
			.pins = PINS_SHORTTERM,
			.on = ON_NOT_SHARING,
			.body = undo_tail,
		}, {
			.name = "readonly",
			.what = "the mapping is read-only: refused if the method writes, else right bytes",
			.pins = PINS_SHORTTERM,
			.on = ON_NOT_SHARING,
			.body = readonly,
		}, {
			.name = "undo_tail",
			.what = "the range's tail is not mapped: refused, and what was taken is given back",
			.pins = PINS_FILE,
			.on = ON_SHARING,
			.body = undo_tail,
		}, {
			.name = "readonly",
			.what = "the mapping is read-only: refused if the method writes, else right bytes",
			.pins = PINS_FILE,
			.on = ON_SHARING,
			.body = readonly,
		}, {
			.name = "register_or_refuse",
			.what = "a pin that stays for good: EOPNOTSUPP",
			.pins = PINS_LONGTERM,
			.body = register_or_refuse,
		},
		{ }
	},
};

REGISTER(scenario_groups, &refusals_files);

static const struct scenario_group refused_mappings = {
	.name = "refused_mappings",
	.order = 130,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_PMD | AT_PUD,
		.run = run_alone,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "refuse_map_private",
			.what = "mmap(MAP_PRIVATE): EINVAL",
			.sizes = AT_ALL,
			.body = refuse_map_private,
		}, {
			.name = "refuse_misaligned",
			.what = "mmap() of parts of entries, or across them: EINVAL",
			.sizes = AT_ALL,
			.body = refuse_misaligned,
		}, {
			.name = "refuse_split_munmap",
			.what = "munmap() inside an entry: EINVAL, and the mapping is whole",
			.body = refuse_split_munmap,
		}, {
			.name = "refuse_split_mremap",
			.what = "mremap() inside an entry: EINVAL, and the mapping is whole",
			.body = refuse_split_mremap,
		},
		{ }
	},
};

REGISTER(scenario_groups, &refused_mappings);
