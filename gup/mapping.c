// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of one cell: mapped, filled, checked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gup/gup.h"

/*
 * Methods that copy transfer no more than this at a time.  In a larger mapping their
 * longest span is this many bytes around its middle.
 */
#define COPY_BYTES	(16u << 20)

bool test_map_open(struct test_map *tm, struct cell *c)
{
	return test_map_open_as(tm, c, MAP_SHARED);
}

/*
 * Enough for every boundary and few enough to be checked word by word.  The middle of
 * the mapping is at a 1 GiB boundary of the address space; there is a pmd boundary
 * besides.  At pud all of the device is mapped: that has a 1 GiB boundary inside.
 */
static size_t mapping_bytes(const struct test_map *tm)
{
	size_t pmd = daxmap_bytes(DAXMAP_PMD), len = tm->c->v.size;

	if (tm->c->size == DAXMAP_PMD)
		len = 8 * pmd;
	else if (tm->c->size == DAXMAP_PTE)
		len = 2 * pmd + 32 * tm->page;
	return len < tm->c->v.size ? len : tm->c->v.size;
}

bool test_map_open_as(struct test_map *tm, struct cell *c, int flags)
{
	size_t len;
	off_t off;
	int ret;

	memset(tm, 0, sizeof(*tm));
	tm->c = c;
	tm->page = sysconf(_SC_PAGESIZE);
	tm->entry = daxmap_bytes(c->size);
	tm->map.fd = -1;
	tm->alias.fd = -1;
	len = mapping_bytes(tm);
	off = c->v.size - len;
	set_step("mapping %s", c->v.node);
	ret = daxmap_open(&tm->alias, c->v.node, c->size, off, len, PROT_RW);
	if (!expect_ok(c, ret, "mapping the memory a second time, to fill and check it", ""))
		return false;
	ret = daxmap_open_as(&tm->map, c->v.node, c->size, off, len, PROT_RW, flags);
	if (ret == -EOPNOTSUPP && flags & MAP_SYNC) {
		skip(c, "MAP_SYNC is refused: stores to this device are not durable by themselves");
		return false;
	}
	return expect_ok(c, ret, "mapping the memory", "");
}

void test_map_close(struct test_map *tm)
{
	set_step("unmapping %s", tm->c->v.node);
	daxmap_close(&tm->map);
	daxmap_close(&tm->alias);
}

bool test_map_open_small(struct test_map *tm, struct daxmap *small)
{
	int ret = daxmap_open(small, tm->c->v.node, DAXMAP_PTE, tm->alias.off, tm->alias.len,
			      PROT_RW);

	return expect_ok(tm->c, ret, "mapping the file by pte entries", "");
}

unsigned long test_map_touch_entry(const struct test_map *tm, size_t off, bool write)
{
	size_t first = off / tm->entry * tm->entry, last = first + tm->entry - tm->page;
	unsigned long faults = 0, more = 0;

	daxmap_touch(&tm->map, first, tm->page, write, &faults);
	if (last != first)
		daxmap_touch(&tm->map, last, tm->page, write, &more);
	return faults + more;
}

unsigned long test_map_touch_all(const struct test_map *tm, bool write)
{
	unsigned long faults = 0;

	for (size_t off = 0; off < tm->map.len; off += tm->entry)
		faults += test_map_touch_entry(tm, off, write);
	return faults;
}

/* make the fs_dax trace events of the next faults readable; false if there are none */
static bool trace_faults(const struct test_map *tm)
{
	struct ktrace *t = &tm->c->guard->ktrace;

	return tm->c->size == DAXMAP_PMD && tm->c->memory->caps & MEM_MOUNTED && t->group[0] &&
	       !ktrace_faults_on(t) && !ktrace_clear(t);
}

/*
 * Guards 6370740e5f8e ("fs/dax: Fix pmd vs pte conflict detection"): file systems fall
 * back to small entries silently.
 */
static void check_trace(const struct test_map *tm)
{
	struct ktrace_faults f;

	if (ktrace_faults_read(&tm->c->guard->ktrace, getpid(), &f))
		return;
	note("fs_dax trace events: %u pmd faults, %u fell back", f.done, f.fallback);
	expect(tm->c, VERDICT_FAILED, !f.fallback,
	       "fs_dax trace events: of %u pmd faults %u fell back to smaller entries; expected none",
	       f.done, f.fallback);
}

bool test_map_prove(struct test_map *tm)
{
	size_t entries = tm->map.len / tm->entry;
	bool traced = trace_faults(tm);
	unsigned long faults = 0;

	set_step("touching the mapping");
	if (tm->c->size == DAXMAP_PUD)
		faults = test_map_touch_all(tm, true);
	else
		daxmap_prove(&tm->map, true, &faults);
	if (traced)
		check_trace(tm);
	return expect(tm->c, VERDICT_FAILED, faults == entries,
		      "touching %zu KiB took %lu faults; expected %zu, one for each %s",
		      tm->map.len >> 10, faults, entries, daxmap_name(tm->c->size));
}

bool test_map_remap(struct test_map *tm, int prot)
{
	struct daxmap *m = &tm->map;
	void *p;
	int ret;

	set_step("mapping the memory again");
	if (!m->addr) {
		daxmap_close(m);
		ret = daxmap_open_as(m, tm->c->v.node, tm->c->size, tm->alias.off, tm->alias.len,
				     prot, m->flags);
		return expect_ok(tm->c, ret, "mapping the memory again", "");
	}
	p = mmap(m->addr, m->len, prot, m->flags | MAP_FIXED, m->fd, m->off);
	return expect(tm->c, VERDICT_FAILED, p != MAP_FAILED,
		      "mapping the memory again at the same address: %s", strerror(errno));
}

/* the span's pages and one more on either side, where there is one */
static struct span widen_span(const struct test_map *tm, const struct span *s)
{
	size_t from = s->off / tm->page * tm->page;
	size_t to = (s->off + s->len + tm->page - 1) / tm->page * tm->page;

	from -= from ? tm->page : 0;
	to += to < tm->map.len ? tm->page : 0;
	return (struct span){ s->name, from, to - from };
}

void test_map_store(struct test_map *tm, size_t off, size_t len, uint16_t tag)
{
	pattern_fill(test_map_addr(tm, off), len, tag, tm->map.off + off);
}

void test_map_store_alias(struct test_map *tm, size_t off, size_t len, uint16_t tag)
{
	pattern_fill(test_map_alias_addr(tm, off), len, tag, tm->map.off + off);
}

void test_map_fill(struct test_map *tm, const struct span *s)
{
	struct span w = widen_span(tm, s);

	set_step("%s: filling", s->name);
	test_map_store_alias(tm, w.off, w.len, TAG_MEMORY);
}

static bool check_zeroes(struct test_map *tm, const char *what, const char *buf, size_t off,
			 size_t len)
{
	size_t i = 0;

	/* comparing the buffer with itself shifted by one byte is faster than a loop */
	if (!len || (!buf[0] && !memcmp(buf, buf + 1, len - 1)))
		return true;
	while (i < len && !buf[i])
		i++;
	return expect(tm->c, VERDICT_WRONG_DATA, i == len,
		      "%s: byte 0x%zx is 0x%02x; expected zeroes", what,
		      (size_t)tm->map.off + off + i, i < len ? (unsigned char)buf[i] : 0);
}

bool test_map_check_buf(struct test_map *tm, const char *what, const void *buf, size_t off,
			size_t len, uint16_t tag)
{
	struct pattern_error err;
	char text[160] = "";

	set_step("%s: checking", what);
	if (tag == TAG_ZEROES)
		return check_zeroes(tm, what, buf, off, len);
	if (!pattern_check(buf, len, tag, tm->map.off + off, &err))
		return true;
	pattern_explain(&err, text, sizeof(text));
	return expect(tm->c, VERDICT_WRONG_DATA, false, "%s: %s", what, text);
}

bool test_map_check_mapped(struct test_map *tm, const char *what, size_t off, size_t len,
			   uint16_t tag)
{
	return test_map_check_buf(tm, what, test_map_addr(tm, off), off, len, tag);
}

bool test_map_check_file(struct test_map *tm, const char *what, int fd, off_t pos, size_t off,
			 size_t len, uint16_t tag)
{
	char text[160];
	void *buf;
	bool good;
	ssize_t n;

	if (!len)
		return true;
	buf = malloc(len);
	if (!buf)
		return expect(tm->c, VERDICT_FAILED, false, "no memory to read %zu bytes", len);
	set_step("%s: reading the file", what);
	snprintf(text, sizeof(text), "%s: reading the file", what);
	n = pread(fd, buf, len, pos);
	good = expect_transfer(tm->c, text, n, len) &&
	       test_map_check_buf(tm, what, buf, off, len, tag);
	free(buf);
	return good;
}

bool expect_transfer(struct cell *c, const char *what, ssize_t n, size_t len)
{
	return expect(c, VERDICT_FAILED, n == (ssize_t)len, "%s: %zd of %zu bytes: %s", what, n,
		      len, n < 0 ? strerror(errno) : "short transfer");
}

bool test_map_check(struct test_map *tm, const struct span *s, uint16_t tag)
{
	struct span w = widen_span(tm, s);
	size_t end = s->off + s->len;
	char what[96];

	snprintf(what, sizeof(what), "%s: the memory", s->name);
	if (!test_map_check_buf(tm, what, test_map_alias_addr(tm, s->off), s->off, s->len, tag))
		return false;
	snprintf(what, sizeof(what), "%s: the memory before it", s->name);
	if (!test_map_check_buf(tm, what, test_map_alias_addr(tm, w.off), w.off, s->off - w.off,
				TAG_MEMORY))
		return false;
	snprintf(what, sizeof(what), "%s: the memory after it", s->name);
	return test_map_check_buf(tm, what, test_map_alias_addr(tm, end), end,
				  w.off + w.len - end, TAG_MEMORY);
}

/* offset of the first boundary of @unit bytes in the address space */
static size_t first_boundary(const struct test_map *tm, size_t unit)
{
	uintptr_t addr = (uintptr_t)tm->map.addr;

	return unit - addr % unit;
}

struct span test_map_pages(const struct test_map *tm)
{
	size_t at = 8 * tm->page;

	if (tm->map.len > tm->entry)
		at = first_boundary(tm, daxmap_bytes(DAXMAP_PUD));
	return (struct span){ "two pages", at - tm->page, 2 * tm->page };
}

/* the whole mapping, or as much around its middle as the method takes */
static struct span longest_span(const struct test_map *tm, const struct pin_method *m)
{
	bool copies = m->flags & (PIN_SOURCE | PIN_SINK);
	size_t most = tm->map.len, middle = tm->map.len / 2;

	if (copies && most > COPY_BYTES)
		most = COPY_BYTES;
	if (m->max_len && most > m->max_len)
		most = m->max_len;
	if (most == tm->map.len)
		return (struct span){ "span_whole", 0, most };
	note("span_whole: %zu KiB in the middle of %zu KiB: %s %s", most >> 10,
	     tm->map.len >> 10, m->name, copies ? "copies" : "takes no more");
	return (struct span){ "span_whole", middle - most / 2, most };
}

const struct span *test_map_spans(const struct test_map *tm, const struct pin_method *m)
{
	static struct span spans[8];
	size_t page = tm->page, len = tm->map.len;
	size_t pmd = first_boundary(tm, daxmap_bytes(DAXMAP_PMD));
	size_t pud = first_boundary(tm, daxmap_bytes(DAXMAP_PUD));
	struct span *s = spans;

	*s++ = (struct span){ "span_inside_page", 3 * page + 3 * SECTOR_BYTES, SECTOR_BYTES };
	*s++ = (struct span){ "span_page", 5 * page, page };
	*s++ = (struct span){ "span_across_page", 8 * page - SECTOR_BYTES, 2 * SECTOR_BYTES };
	*s++ = (struct span){ "span_across_pmd", pmd - page, 2 * page };
	if (pud < len)
		*s++ = (struct span){ "span_across_pud", pud - page, 2 * page };
	else
		note("span_across_pud left out: the mapping has %zu MiB", len >> 20);
	*s++ = (struct span){ "span_last_page", len - page, page };
	*s++ = longest_span(tm, m);
	s->name = NULL;
	return spans;
}

bool test_map_punch(struct test_map *tm)
{
	const int how = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	set_step("punching a hole");
	return expect_ok(tm->c, sys_result(fallocate(tm->alias.fd, how, tm->map.off, tm->map.len)),
			 "punching a hole", "");
}
