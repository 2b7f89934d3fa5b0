// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins and mappings that must be refused, without losing a reference.
 *
 * Methods differ in the error that they return for memory that cannot be pinned (EFAULT,
 * a short transfer, EIO from /proc/PID/mem).  Anonymous shared memory in the same
 * situation is the control: DAX memory has to give the same result.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gup/gup.h"

/* Most pages of control memory: more than one bio holds, less than a pud entry. */
#define CONTROL_PAGES	512

static const char *result_text(int ret)
{
	return ret ? strerror(-ret) : "success";
}

static bool open_filled(struct test_map *tm, struct pin *pin, size_t off, size_t len)
{
	return pin_open_or_skip(tm->c, pin, len, tm->map.off + off);
}

/* take the pin and release it: 0 or -errno */
static int take_and_release(struct pin *pin, void *addr, size_t len)
{
	int ret = pin_take(pin, addr, len);

	return ret ? ret : pin_release(pin);
}

/*
 * The same on anonymous shared memory: a range of @len bytes of which @mapped, from its
 * start, are mapped.  0 or -errno.
 */
static int pin_control(struct test_map *tm, size_t mapped, size_t len, int prot)
{
	size_t room = (len + 2 * tm->page - 1) / tm->page * tm->page;
	struct pin pin;
	int ret = 0;
	char *p;

	/* opened first: its own memory must not be mapped into the hole */
	if (!open_filled(tm, &pin, 0, len))
		return 0;
	set_step("taking a pin on anonymous memory");
	p = mmap(NULL, room, PROT_RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (expect(tm->c, VERDICT_FAILED, p != MAP_FAILED, "mapping anonymous memory: %s",
		   strerror(errno))) {
		memset(p, 0, mapped);
		mprotect(p, mapped, prot);
		munmap(p + mapped, room - mapped);
		ret = take_and_release(&pin, p, len);
		munmap(p, mapped);
	}
	pin_close(&pin);
	return ret;
}

/* a range of which @within bytes are the end of the first entry; @behind are not mapped */
static void pin_across_end(struct test_map *tm, size_t within, size_t behind)
{
	struct span s = { "the mapped part of a range", tm->entry - within, within };
	struct pin_counters before = { 0 };
	struct pin pin;
	int ret, control;
	size_t shape = CONTROL_PAGES * tm->page;

	/* what fits into one bio is cut short, a longer range fails with EIO */
	if (shape > within)
		shape = within;
	control = pin_control(tm, shape, shape + behind, PROT_RW);
	if (cell_over(tm->c) || !test_map_remap(tm, PROT_RW))
		return;
	daxmap_touch(&tm->map, s.off, within, true, NULL);
	if (!open_filled(tm, &pin, s.off, within + behind))
		return;
	munmap(test_map_addr(tm, tm->entry), tm->map.len - tm->entry);
	pin_counters_read(&before);
	set_step("taking a pin on a range whose end is not mapped");
	ret = take_and_release(&pin, test_map_addr(tm, s.off), within + behind);
	pin_close(&pin);
	if (ret == -EOPNOTSUPP) {
		skip(tm->c, "%s is refused on this memory", tm->c->method->name);
		return;
	}
	expect(tm->c, VERDICT_FAILED, ret && ret == control,
	       "a pin on %zu bytes mapped and %zu not mapped: %s; expected %s, as on anonymous memory",
	       within, behind, result_text(ret), control ? result_text(control) : "a refusal");
	expect_balance(tm->c, &before, "after the refusal");
	/* the pages that were pinned and unpinned again can be pinned */
	pin_test_round(tm, tm->c->method, s);
}

/*
 * The fast walk pins the mapped pages, finds the hole, and has to unpin them: one page,
 * and each page of an entry.
 */
static void undo_tail(struct cell *c)
{
	struct test_map tm;
	size_t most;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm))
		goto out;
	if (tm.map.len < 2 * tm.entry) {
		skip(c, "the mapping has one entry only: nothing can be unmapped behind it");
		goto out;
	}
	pin_across_end(&tm, tm.page, tm.page);
	most = c->method->max_len;
	if (!cell_over(c) && tm.entry > tm.page && (!most || most >= tm.entry + tm.page))
		pin_across_end(&tm, tm.entry, tm.page);
	if (tm.map.addr)
		test_map_remap(&tm, PROT_RW);
out:
	test_map_close(&tm);
}

/* a pin on a mapping that is read-only: the control's result, and the bytes stay */
static void pin_readonly(struct test_map *tm, const char *what, int control, bool touched)
{
	struct span s = test_map_pages(tm);
	struct pin_counters before = { 0 };
	bool source = tm->c->method->flags & PIN_SOURCE;
	struct pin pin;
	char text[160];
	int ret;

	test_map_fill(tm, &s);
	if (touched)
		daxmap_touch(&tm->map, s.off, s.len, false, NULL);
	if (!open_filled(tm, &pin, s.off, s.len))
		return;
	pin_counters_read(&before);
	set_step("taking a pin on %s", what);
	ret = take_and_release(&pin, test_map_addr(tm, s.off), s.len);
	if (ret == -EOPNOTSUPP && control != ret) {
		skip(tm->c, "%s is refused on this memory", tm->c->method->name);
	} else if (expect(tm->c, VERDICT_FAILED, ret == control,
			  "a pin on %s: %s; expected %s, as on anonymous memory", what,
			  result_text(ret), result_text(control)) &&
		   !ret && source) {
		snprintf(text, sizeof(text), "the bytes read through a pin on %s", what);
		test_map_check_buf(tm, text, pin.peer, s.off, s.len, TAG_MEMORY);
	}
	pin_close(&pin);
	test_map_check(tm, &s, TAG_MEMORY);
	expect_balance(tm->c, &before, what);
}

/* map with a descriptor that is open for reading only */
static bool open_readonly(struct test_map *tm)
{
	int ret;

	daxmap_close(&tm->map);
	ret = daxmap_open(&tm->map, tm->c->v.node, tm->c->size, tm->alias.off, tm->alias.len,
			  PROT_READ);
	return expect_ok(tm->c, ret, "mapping a descriptor that is open for reading", "");
}

/* A pin that writes fails and changes no byte, one that reads succeeds. */
static void readonly(struct cell *c)
{
	struct test_map tm;
	int control;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm))
		goto out;
	control = pin_control(&tm, 2 * tm.page, 2 * tm.page, PROT_READ);
	if (cell_over(c))
		goto out;
	note("a pin on anonymous memory that is read-only: %s", result_text(control));
	expect(c, VERDICT_FAILED, control || !cell_is_sink(c),
	       "a pin wrote to anonymous memory that is read-only; expected a refusal");
	for (int touched = 0; touched < 2 && !cell_over(c); touched++) {
		if (test_map_remap(&tm, PROT_READ))
			pin_readonly(&tm, "a read-only mapping", control, touched);
	}
	/* and of a descriptor that does not allow writes either */
	for (int touched = 0; touched < 2 && !cell_over(c); touched++) {
		if (open_readonly(&tm))
			pin_readonly(&tm, "a mapping of a read-only descriptor", control,
				     touched);
	}
out:
	test_map_close(&tm);
}

/*
 * A long-term pin is taken, or refused with EOPNOTSUPP and no other error: before
 * io_uring left the check to GUP it refused mappings of all files but those of hugetlbfs
 * and shmem.
 *
 * fsdax must refuse it, 2bb6d2837083 ("mm: introduce get_user_pages_longterm"): a
 * truncate would wait for it for ever.
 */
static void register_or_refuse(struct cell *c)
{
	bool allowed = c->memory->caps & MEM_LONGTERM;
	struct pin_counters before = { 0 };
	struct test_map tm;
	struct pin pin;
	int ret;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm))
		goto out;
	pin_counters_read(&before);
	if (!open_filled(&tm, &pin, 0, 2 * tm.page))
		goto out;
	ret = take_and_release(&pin, tm.map.addr, 2 * tm.page);
	expect(c, VERDICT_FAILED, ret == -EOPNOTSUPP || (!ret && allowed),
	       "a long-term pin on %s: %s; expected %s%s", c->memory->what, result_text(ret),
	       allowed ? "success or " : "", strerror(EOPNOTSUPP));
	pin_close(&pin);
	expect_balance(c, &before, ret ? "after the refusal" : "after the release");
	note("a long-term pin on %s: %s", c->memory->what, result_text(ret));
out:
	test_map_close(&tm);
}

static void expect_mmap_refused(struct test_map *tm, const char *what, void *addr, size_t len,
				int prot, int flags, off_t off)
{
	void *p = mmap(addr, len, prot, flags, tm->map.fd, off);
	int ret = p == MAP_FAILED ? -errno : 0;

	expect_errno(tm->c, ret, EINVAL, what);
	if (!ret)
		munmap(p, len);
}

/* device-dax has no pages to copy to */
static void refuse_map_private(struct cell *c)
{
	struct test_map tm;

	if (test_map_open(&tm, c)) {
		expect_mmap_refused(&tm, "mmap(MAP_PRIVATE)", NULL, tm.entry, PROT_RW,
				    MAP_PRIVATE, tm.map.off);
		expect_mmap_refused(&tm, "mmap(MAP_PRIVATE), read-only", NULL, tm.entry,
				    PROT_READ, MAP_PRIVATE, tm.map.off);
	}
	test_map_close(&tm);
}

/*
 * Address, length and offset must be multiples of an entry.  A mapping that is not
 * refused is not touched: an entry with an unaligned pfn may crash the machine.
 */
static void refuse_misaligned(struct cell *c)
{
	const int fixed = MAP_SHARED | MAP_FIXED;
	struct test_map tm;
	off_t inside;
	char *room;

	if (!test_map_open(&tm, c))
		goto out;
	expect_mmap_refused(&tm, "mmap() at an offset inside a base page", NULL, tm.entry, PROT_RW,
			    MAP_SHARED, tm.map.off + SECTOR_BYTES);
	if (tm.entry == tm.page)
		goto out;
	inside = tm.map.off + tm.page;
	room = mmap(NULL, 3 * tm.entry, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
	if (!expect(c, VERDICT_FAILED, room != MAP_FAILED, "reserving address space: %s",
		    strerror(errno)))
		goto out;
	room += tm.entry - (uintptr_t)room % tm.entry;
	expect_mmap_refused(&tm, "mmap() at an address inside an entry", room + tm.page, tm.entry,
			    PROT_RW, fixed, tm.map.off);
	expect_mmap_refused(&tm, "mmap() of a part of an entry", room, tm.entry - tm.page,
			    PROT_RW, fixed, tm.map.off);
	expect_mmap_refused(&tm, "mmap() at an offset inside an entry, at any address", NULL,
			    tm.entry, PROT_RW, MAP_SHARED, inside);
	expect_mmap_refused(&tm, "mmap() at an offset inside an entry, at an aligned address",
			    room, tm.entry, PROT_RW, fixed, inside);
out:
	test_map_close(&tm);
}

/* a part of the mapping was to be split off: EINVAL, and all of it is still mapped */
static void expect_split_refused(struct test_map *tm, bool failed, const char *what)
{
	int ret = failed ? -errno : 0;
	unsigned long faults;

	expect_errno(tm->c, ret, EINVAL, what);
	if (!ret)
		return;
	set_step("touching the mapping after %s", what);
	faults = test_map_touch_all(tm, true);
	expect(tm->c, VERDICT_FAILED, !faults,
	       "touching the mapping after %s was refused took %lu faults; expected none", what,
	       faults);
}

/*
 * Guards 9702cffdbf21 ("device-dax: implement ->split() to catch invalid munmap
 * attempts"): it was a BUG().
 */
static void refuse_split_munmap(struct cell *c)
{
	struct test_map tm;
	char *p;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm))
		goto out;
	p = tm.map.addr;
	expect_split_refused(&tm, munmap(p, tm.page), "munmap() of the first page of an entry");
	expect_split_refused(&tm, munmap(p + tm.page, tm.page),
			     "munmap() in the middle of an entry");
	expect_split_refused(&tm, munmap(p + tm.entry - tm.page, tm.page),
			     "munmap() of the last page of an entry");
	expect_split_refused(&tm, munmap(p + tm.page, tm.map.len - tm.page),
			     "munmap() of all but the first page");
	expect_split_refused(&tm, mprotect(p + tm.page, tm.page, PROT_READ),
			     "mprotect() in the middle of an entry");
out:
	test_map_close(&tm);
}

static void expect_mremap_refused(struct test_map *tm, const char *what, size_t off, size_t len,
				  size_t new_len, int flags)
{
	void *p = mremap(test_map_addr(tm, off), len, new_len, flags);

	expect_split_refused(tm, p == MAP_FAILED, what);
}

/* Guards 73d5e0629919 ("mremap: check if it's possible to split original vma"). */
static void refuse_split_mremap(struct cell *c)
{
	struct test_map tm;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm))
		goto out;
	expect_mremap_refused(&tm, "mremap() of the first page of an entry", 0, tm.page,
			      2 * tm.page, MREMAP_MAYMOVE);
	expect_mremap_refused(&tm, "mremap() in the middle of an entry", tm.page, tm.page,
			      2 * tm.page, MREMAP_MAYMOVE);
	expect_mremap_refused(&tm, "mremap() to all but the last page", 0, tm.map.len,
			      tm.map.len - tm.page, 0);
	expect_mremap_refused(&tm, "mremap() of an entry to its first page", 0, tm.entry,
			      tm.page, MREMAP_MAYMOVE);
out:
	test_map_close(&tm);
}

static const struct scenario_group refusals = {
	.name = "refusals",
	.order = 20,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_ALL,
		.refusal = true,
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "undo_tail",
			.what = "the end of the range is not mapped: refused, and the pages pinned are unpinned",
			.pins = PINS_ANY,
			.body = undo_tail,
		}, {
			.name = "readonly",
			.what = "a read-only mapping: refused if the method writes, else the right bytes",
			.pins = PINS_ANY,
			.body = readonly,
		}, {
			.name = "register_or_refuse",
			.what = "a long-term pin: taken, or EOPNOTSUPP and no page leaks",
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
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "undo_tail",
			.what = "the end of the range is not mapped: refused, and the pages pinned are unpinned",
			.pins = PINS_SHORTTERM,
			.on = ON_NOT_SHARING,
			.body = undo_tail,
		}, {
			.name = "readonly",
			.what = "a read-only mapping: refused if the method writes, else the right bytes",
			.pins = PINS_SHORTTERM,
			.on = ON_NOT_SHARING,
			.body = readonly,
		}, {
			.name = "undo_tail",
			.what = "the end of the range is not mapped: refused, and the pages pinned are unpinned",
			.pins = PINS_FILE,
			.on = ON_SHARING,
			.body = undo_tail,
		}, {
			.name = "readonly",
			.what = "a read-only mapping: refused if the method writes, else the right bytes",
			.pins = PINS_FILE,
			.on = ON_SHARING,
			.body = readonly,
		}, {
			.name = "register_or_refuse",
			.what = "a long-term pin: EOPNOTSUPP",
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
		.run = run_isolated,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "refuse_map_private",
			.what = "mmap(MAP_PRIVATE): EINVAL",
			.sizes = AT_ALL,
			.body = refuse_map_private,
		}, {
			.name = "refuse_misaligned",
			.what = "mmap() of parts of entries, or across two: EINVAL",
			.sizes = AT_ALL,
			.body = refuse_misaligned,
		}, {
			.name = "refuse_split_munmap",
			.what = "munmap() inside an entry: EINVAL, and all of the mapping stays",
			.body = refuse_split_munmap,
		}, {
			.name = "refuse_split_mremap",
			.what = "mremap() inside an entry: EINVAL, and all of the mapping stays",
			.body = refuse_split_mremap,
		},
		{ }
	},
};

REGISTER(scenario_groups, &refused_mappings);
