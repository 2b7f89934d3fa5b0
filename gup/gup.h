/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of gup_devdax share: the memory a cell works on, one pin with
 * everything that has to be true of it, and the scenarios' bodies.
 */
#ifndef DAX_GUP_H
#define DAX_GUP_H

#include "suite/suite.h"

/* page sizes of a file */
#define AT_FILE		(AT_PTE | AT_PMD)

/**
 * struct test_map - DAX memory made ready for one cell
 * @c: cell
 * @map: the mapping under test: the last bytes of the device or file
 * @alias: the same bytes mapped once more: here they are filled and checked, so
 *	that nothing but the pin touches @m, and its bytes are seen elsewhere
 * @page: bytes of a base page
 * @entry: bytes of an entry of the cell's page size
 */
struct test_map {
	struct cell *c;
	struct daxmap map;
	struct daxmap alias;
	size_t page;
	size_t entry;
};

/**
 * struct span - a range of the mapping
 * @name: for sentences
 * @off: bytes from the start of the mapping
 * @len: bytes
 */
struct span {
	const char *name;
	size_t off;
	size_t len;
};

/**
 * struct pin_test - one pin on one span
 * @tm: memory
 * @span: the range
 * @pin: the pin
 * @method: how
 * @tag: what a SINK brings
 * @pages: base pages that the range touches
 * @before: the kernel's counters before it was taken
 * @counted: the kernel counts this method
 * @over: its clock had let go of it before it could be seen
 * @as_is: the memory is taken as it lies, not filled before
 */
struct pin_test {
	struct test_map *tm;
	struct span span;
	struct pin pin;
	const struct pin_method *method;
	uint16_t tag;
	size_t pages;
	struct pin_counters before;
	bool counted;
	bool over;
	bool as_is;
};

/* isolate.c */

/**
 * run_isolated() - scenario.run: carry out scenario.body in a process of its own
 * @c: the cell
 *
 * What hangs or dies costs one cell.  The body's @c lies in shared memory.
 */
void run_isolated(struct cell *c);

/** set_step() - remember what is being tried, for the report if it never ends */
void set_step(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * await_child() - wait for the end of a process that holds pins
 * @c: cell
 * @pid: a child; all I/O that dm-delay holds back is let go while it lasts
 * @what: for the sentence when it fails
 *
 * Return: true when it exited with status 0.
 */
bool await_child(struct cell *c, pid_t pid, const char *what);

/* mapping.c */

/** test_map_open() - map, nothing is touched; false with the cell over */
bool test_map_open(struct test_map *tm, struct cell *c);

/** test_map_open_as() - likewise, with MAP_* bits; skips where MAP_SYNC is refused */
bool test_map_open_as(struct test_map *tm, struct cell *c, int flags);

void test_map_close(struct test_map *tm);

/** test_map_prove() - touch all of it by stores: exactly one fault for an entry */
bool test_map_prove(struct test_map *tm);

/** test_map_remap() - the mapping under test as if never touched, with @prot */
bool test_map_remap(struct test_map *tm, int prot);

/** test_map_fill() - TAG_MEMORY in a span and in a page on either side of it */
void test_map_fill(struct test_map *tm, const struct span *s);

/**
 * test_map_check() - are the bytes of a span the right ones?
 * @tm: memory
 * @s: span
 * @tag: what is expected in it; around it TAG_MEMORY
 *
 * Return: false with the cell failed.
 */
bool test_map_check(struct test_map *tm, const struct span *s, uint16_t tag);

/** test_map_bytes() - are these the bytes of @tag at @off of the mapping? */
bool test_map_bytes(struct test_map *tm, const char *what, const void *buf, size_t off, size_t len,
		    uint16_t tag);

/** test_map_spans() - the spans of a mapping; ends with an entry without a name */
const struct span *test_map_spans(const struct test_map *tm, const struct pin_method *m);

/** test_map_pages() - two pages across a page boundary, for cells with one span */
struct span test_map_pages(const struct test_map *tm);

/** pin_test_init() - nothing is opened or taken */
void pin_test_init(struct pin_test *pt, struct test_map *tm, const struct pin_method *m, struct span s);

/**
 * pin_test_take() - fill the memory, take the pin, prove it
 * @pt: initialised
 * @hold_ns: for a pin that a clock ends; 0: let it be over at once
 *
 * Return: false with the cell over, or with @pt->over set; the pin is closed then.
 */
bool pin_test_take(struct pin_test *pt, uint64_t hold_ns);

/** pin_test_live() - expect that the pin is still out; a clock's may be over */
bool pin_test_live(struct pin_test *pt);

/** pin_test_release() - let go; right bytes at both ends, balanced counters */
bool pin_test_release(struct pin_test *pt);

/** pin_test_end() - let go, but keep the pin's other end for a look, until pin_test_drop() */
bool pin_test_end(struct pin_test *pt);

/** pin_test_drop() - let go in whatever state; for the way out of a failed cell */
void pin_test_drop(struct pin_test *pt);

/** pin_test_round() - take and release */
bool pin_test_round(struct test_map *tm, const struct pin_method *m, struct span s);

/**
 * expect_balance() - expect that all pins taken since are given back
 * @c: cell
 * @before: counters from before
 * @what: for the sentence
 *
 * Waits HEALTH_SETTLE_NS for what comes by a work queue or RCU.
 *
 * Return: false with the cell failed.
 */
bool expect_balance(struct cell *c, const struct pin_counters *before, const char *what);

/** pin_open_or_skip() - the cell's method, opened for @len bytes; skips if it cannot */
bool pin_open_or_skip(struct cell *c, struct pin *pin, size_t len);

/* holes_eof.c */

/** test_map_punch() - the file is a hole where it is mapped, its length stays */
bool test_map_punch(struct test_map *tm);

#endif
