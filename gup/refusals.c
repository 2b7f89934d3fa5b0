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
static bool open_filled(struct test_map *tm, struct pin *pin, size_t off, size_t len)
{
	int ret = 0;

	if (!pin_open_or_skip(tm->c, pin, len))
		return false;
	if (pin->method->flags & PIN_SINK) {
		ret = pin_prepare(pin);
		if (!ret)
			pattern_fill(pin->peer, len, TAG_SINK, tm->map.off + off);
	}
	return expect_ok(tm->c, ret, "memory for the pin's other end", "");
}

/* what the method answers: 0 or -errno; the pin is given back */
static int attempt(struct pin *pin, void *addr, size_t len)
{
	int ret = pin_take(pin, addr, len);

	return ret ? ret : pin_release(pin);
}

/* the same on ordinary shared memory: @len bytes, mapped up to @mapped */
static int attempt_control(struct test_map *tm, size_t mapped, size_t len, int prot)
{
	size_t room = (len + 2 * tm->page - 1) / tm->page * tm->page;
	struct pin pin;
	int ret = -ENOMEM;
	char *p;

	/* opened first: its own memory must not land in the hole */
	if (!open_filled(tm, &pin, 0, len))
		return 0;
	set_step("asking for a pin on ordinary memory");
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
static void undo_behind(struct test_map *tm, size_t within, size_t behind)
{
	struct span s = { "tail not mapped", tm->entry - within, within };
	struct pin_counters before = { 0 };
	struct pin pin;
	int ret, control;
	size_t shape;

	set_step("asking for a pin whose tail is not mapped");
	/* of the same shape: what fits into one bio is cut short, more is EIO */
	shape = within < CONTROL_BYTES ? within : CONTROL_BYTES;
	control = attempt_control(tm, shape, shape + behind, rw);
	if (cell_over(tm->c) || !test_map_remap(tm, rw))
		return;
	daxmap_touch(&tm->map, s.off, within, true, NULL);
	if (!open_filled(tm, &pin, s.off, within + behind))
		return;
	munmap((char *)tm->map.addr + tm->entry, tm->map.len - tm->entry);
	pin_counters_read(&before);
	set_step("taking a pin whose tail is not mapped");
	ret = attempt(&pin, (char *)tm->map.addr + s.off, within + behind);
	pin_close(&pin);
	if (ret == -EOPNOTSUPP) {
		skip(tm->c, "%s is refused on this memory", tm->c->method->name);
		return;
	}
	expect(tm->c, VERDICT_FAILED, ret && ret == control,
	       "%zu bytes mapped and %zu not: %s; expected %s, as on ordinary memory", within,
	       behind, said(ret), control ? said(control) : "a refusal");
	expect_balance(tm->c, &before, "after the refusal");
	/* what was pinned and undone can be pinned again */
	pin_test_round(tm, tm->c->method, s);
}

/*
 * The fast walk takes what is mapped, meets the hole, and has to give back what
 * it took: once for a page, and once for each page of an entry.
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
	undo_behind(&tm, tm.page, tm.page);
	most = c->method->max_len;
	if (!cell_over(c) && tm.entry > tm.page && (!most || most >= tm.entry + tm.page))
		undo_behind(&tm, tm.entry, tm.page);
	if (tm.map.addr)
		test_map_remap(&tm, rw);
out:
	test_map_close(&tm);
}

static void readonly_once(struct test_map *tm, const char *what, int control, bool touched)
{
	struct span s = test_map_pages(tm);
	struct pin_counters before = { 0 };
	bool source = tm->c->method->flags & PIN_SOURCE;
	struct pattern_error err;
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
	ret = attempt(&pin, (char *)tm->map.addr + s.off, s.len);
	if (ret == -EOPNOTSUPP && control != ret) {
		skip(tm->c, "%s is refused on this memory", tm->c->method->name);
	} else if (expect(tm->c, VERDICT_FAILED, ret == control,
			  "%s: %s; expected %s, as on ordinary memory", what, said(ret),
			  said(control)) &&
		   !ret && source &&
		   pattern_check(pin.peer, s.len, TAG_MEMORY, tm->map.off + s.off, &err)) {
		pattern_explain(&err, text, sizeof(text));
		expect(tm->c, VERDICT_WRONG_DATA, false, "%s, what the kernel read: %s", what,
		       text);
	}
	pin_close(&pin);
	test_map_check(tm, &s, TAG_MEMORY);
	expect_balance(tm->c, &before, what);
}

/*
 * A mapping that may only be read: a method that writes gets its error, and the
 * bytes stay; one that reads works.
 */
static void readonly(struct cell *c)
{
	struct test_map tm;
	int control;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm))
		goto out;
	control = attempt_control(&tm, 2 * tm.page, 2 * tm.page, PROT_READ);
	if (cell_over(c))
		goto out;
	note(c, "on ordinary memory that is read-only: %s", said(control));
	expect(c, VERDICT_FAILED, control || !(c->method->flags & PIN_SINK),
	       "ordinary memory that is read-only was written; expected a refusal");
	for (int touched = 0; touched < 2 && !cell_over(c); touched++) {
		if (test_map_remap(&tm, PROT_READ))
			readonly_once(&tm, "a read-only mapping", control, touched);
	}
	/* and where not even the descriptor may write */
	daxmap_unmap(&tm.map);
	for (int touched = 0; touched < 2 && !cell_over(c); touched++) {
		daxmap_close(&tm.map);
		if (expect_ok(c, daxmap_open(&tm.map, c->v.node, c->size, tm.alias.off, tm.alias.len,
					     PROT_READ), "mapping read-only", ""))
			readonly_once(&tm, "a mapping of a read-only descriptor", control,
				      touched);
	}
out:
	test_map_close(&tm);
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
	struct test_map tm;
	struct pin pin;
	int ret;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm))
		goto out;
	pin_counters_read(&before);
	if (!open_filled(&tm, &pin, 0, 2 * tm.page))
		goto out;
	ret = attempt(&pin, tm.map.addr, 2 * tm.page);
	expect(c, VERDICT_FAILED, ret == -EOPNOTSUPP || (!ret && !file),
	       "a long-term pin on %s: %s; expected %s%s", c->memory->what, said(ret),
	       file ? "" : "success or ", strerror(EOPNOTSUPP));
	pin_close(&pin);
	expect_balance(c, &before, ret ? "after the refusal" : "after the release");
	note(c, "a long-term pin on %s: %s", c->memory->what, said(ret));
out:
	test_map_close(&tm);
}

static void expect_refused(struct test_map *tm, const char *what, const void *p)
{
	int err = errno;

	expect(tm->c, VERDICT_FAILED, p == MAP_FAILED && err == EINVAL, "%s: %s; expected %s",
	       what, p == MAP_FAILED ? strerror(err) : "success", strerror(EINVAL));
	if (p != MAP_FAILED)
		munmap((void *)p, tm->entry);
}

/* device-dax has no pages to copy to: private mappings have no meaning */
static void refuse_map_private(struct cell *c)
{
	struct test_map tm;

	if (test_map_open(&tm, c)) {
		expect_refused(&tm, "mmap(MAP_PRIVATE)",
			       mmap(NULL, tm.entry, rw, MAP_PRIVATE, tm.map.fd, tm.map.off));
		expect_refused(&tm, "mmap(MAP_PRIVATE), read-only",
			       mmap(NULL, tm.entry, PROT_READ, MAP_PRIVATE, tm.map.fd, tm.map.off));
	}
	test_map_close(&tm);
}

/*
 * Address, length and offset must be whole entries.  What is mapped all the same
 * is not touched: an entry made of an unaligned frame can bring the machine down.
 */
static void refuse_misaligned(struct cell *c)
{
	struct test_map tm;
	char *room;

	if (!test_map_open(&tm, c))
		goto out;
	expect_refused(&tm, "mmap() at an offset inside a base page",
		       mmap(NULL, tm.entry, rw, MAP_SHARED, tm.map.fd, tm.map.off + 512));
	if (tm.entry == tm.page)
		goto out;
	room = mmap(NULL, 3 * tm.entry, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
	room += tm.entry - (uintptr_t)room % tm.entry;
	expect_refused(&tm, "mmap() at an address inside an entry",
		       mmap(room + tm.page, tm.entry, rw, MAP_SHARED | MAP_FIXED, tm.map.fd, tm.map.off));
	expect_refused(&tm, "mmap() of a part of an entry",
		       mmap(room, tm.entry - tm.page, rw, MAP_SHARED | MAP_FIXED, tm.map.fd, tm.map.off));
	expect_refused(&tm, "mmap() at an offset inside an entry, anywhere",
		       mmap(NULL, tm.entry, rw, MAP_SHARED, tm.map.fd, tm.alias.off + tm.page));
	expect_refused(&tm, "mmap() at an offset inside an entry, at an aligned address",
		       mmap(room, tm.entry, rw, MAP_SHARED | MAP_FIXED, tm.map.fd,
			    tm.alias.off + tm.page));
out:
	test_map_close(&tm);
}

/* nothing of the mapping is gone: touching it again takes no fault */
static void expect_whole(struct test_map *tm, const char *after)
{
	unsigned long faults = 0;

	set_step("touching all after %s", after);
	for (size_t off = 0; off < tm->map.len; off += tm->entry) {
		unsigned long first = 0, last = 0;

		daxmap_touch(&tm->map, off, tm->page, true, &first);
		daxmap_touch(&tm->map, off + tm->entry - tm->page, tm->page, true, &last);
		faults += first + last;
	}
	expect(tm->c, VERDICT_FAILED, !faults,
	       "touching all after %s was refused took %lu faults; expected none", after,
	       faults);
}

static void expect_einval(struct test_map *tm, bool refused, const char *what)
{
	int err = errno;

	expect(tm->c, VERDICT_FAILED, refused && err == EINVAL, "%s: %s; expected %s", what,
	       refused ? strerror(err) : "success", strerror(EINVAL));
	if (refused)
		expect_whole(tm, what);
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
	expect_einval(&tm, munmap(p, tm.page), "munmap() of the first page of an entry");
	expect_einval(&tm, munmap(p + tm.page, tm.page), "munmap() in the middle of an entry");
	expect_einval(&tm, munmap(p + tm.entry - tm.page, tm.page),
		      "munmap() of the last page of an entry");
	expect_einval(&tm, munmap(p + tm.page, tm.map.len - tm.page),
		      "munmap() of all but the first page");
	expect_einval(&tm, mprotect(p + tm.page, tm.page, PROT_READ),
		      "mprotect() in the middle of an entry");
out:
	test_map_close(&tm);
}

/* Guards 73d5e0629919 ("mremap: check if it's possible to split original vma"). */
static void refuse_split_mremap(struct cell *c)
{
	struct test_map tm;
	char *p;

	if (!test_map_open(&tm, c) || !test_map_prove(&tm))
		goto out;
	p = tm.map.addr;
	expect_einval(&tm, mremap(p, tm.page, 2 * tm.page, MREMAP_MAYMOVE) == MAP_FAILED,
		      "mremap() of the first page of an entry");
	expect_einval(&tm, mremap(p + tm.page, tm.page, 2 * tm.page, MREMAP_MAYMOVE) == MAP_FAILED,
		      "mremap() in the middle of an entry");
	expect_einval(&tm, mremap(p, tm.map.len, tm.map.len - tm.page, 0) == MAP_FAILED,
		      "mremap() to all but the last page");
	expect_einval(&tm, mremap(p, tm.entry, tm.page, MREMAP_MAYMOVE) == MAP_FAILED,
		      "mremap() of an entry to its first page");
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
		.run = run_isolated,
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
