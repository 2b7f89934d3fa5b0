/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gup_devdax: pins on DAX memory.  Each file of this folder has the scenarios of one
 * subject and ends with their groups; spans.c has the simplest ones.  They share the
 * memory of a cell, mapped twice (mapping.c), one pin with everything that has to be
 * true of it (pin_test.c), and the process that a scenario runs in (isolate.c).
 */
#ifndef DAX_GUP_H
#define DAX_GUP_H

#include "suite/suite.h"

/* page sizes of a file */
#define AT_FILE		(AT_PTE | AT_PMD)

#define PROT_RW		(PROT_READ | PROT_WRITE)

/* O_DIRECT takes ranges with this alignment, bytes, and so do all pin methods */
#define SECTOR_BYTES	512

/**
 * struct test_map - the DAX memory of one cell, mapped twice
 * @c: the cell
 * @map: the mapping under test: the last bytes of the device or file
 * @alias: a second mapping of the same bytes.  The test fills and checks them here, so
 *	that only the pin touches @map, and stores through @map have to arrive here
 * @page: size of a base page, bytes
 * @entry: bytes mapped by one entry of the cell's page size
 */
struct test_map {
	struct cell *c;
	struct daxmap map;
	struct daxmap alias;
	size_t page;
	size_t entry;
};

/**
 * struct span - a range of the mapping under test
 * @name: its name in messages
 * @off: offset from the start of the mapping, bytes
 * @len: length, bytes
 */
struct span {
	const char *name;
	size_t off;
	size_t len;
};

/**
 * struct pin_test - one pin on one span
 * @tm: the memory
 * @span: the range
 * @pin: the pin
 * @method: its method
 * @tag: pattern that a SINK method brings into the memory
 * @pages: number of base pages that the range touches
 * @before: the kernel's pin counters before the pin was taken
 * @counted: the kernel counts the pins of this method
 * @over: a TIMED pin had completed before it could be proven
 * @as_is: do not fill the memory before the pin is taken
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

/**
 * cell_is_sink() - does the cell's pin write into the memory?
 * @c: the cell; it may be one without a pin
 *
 * Return: true if it does.
 */
static inline bool cell_is_sink(const struct cell *c)
{
	return c->method && c->method->flags & PIN_SINK;
}

/* isolate.c */

/**
 * run_isolated() - scenario.run: call scenario.body in a process of its own
 * @c: the cell
 *
 * A body that hangs or dies costs one cell only.  The @c that it gets is a copy in
 * shared memory, whose verdict is taken over when the process has ended.
 */
void run_isolated(struct cell *c);

/**
 * set_step() - record the step that the body is about to carry out
 * @fmt: the step, as printf(3) has it
 *
 * If the body hangs or dies, its message names the last step.
 */
void set_step(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * flush_delayed_io() - complete all I/O that dm-delay holds
 * @c: the cell
 */
void flush_delayed_io(const struct cell *c);

/**
 * await_child() - wait for a child that holds pins to exit
 * @c: the cell
 * @pid: the child.  dm-delay's I/O is completed again and again meanwhile: the child may
 *	wait for it
 * @what: the child, for the message of a failure
 *
 * A child that does not exit in time is killed, but not waited for.
 *
 * Return: true when it exited with status 0, else false with the cell failed.
 */
bool await_child(struct cell *c, pid_t pid, const char *what);

/* mapping.c */

/**
 * test_map_open() - map the cell's memory twice, MAP_SHARED
 * @tm: filled; the caller calls test_map_close(), after a failure, too
 * @c: the cell
 *
 * Nothing is touched.
 *
 * Return: true, or false with the cell failed.
 */
bool test_map_open(struct test_map *tm, struct cell *c);

/**
 * test_map_open_as() - test_map_open() with flags of mmap(2) for the mapping under test
 * @tm: filled
 * @c: the cell
 * @flags: MAP_PRIVATE, MAP_SHARED_VALIDATE | MAP_SYNC, ...
 *
 * Return: true, or false with the cell failed, or skipped where MAP_SYNC is refused.
 */
bool test_map_open_as(struct test_map *tm, struct cell *c, int flags);

/**
 * test_map_close() - unmap and close both mappings
 * @tm: from test_map_open(), also if that has failed
 */
void test_map_close(struct test_map *tm);

/**
 * test_map_open_small() - map the bytes of the mapping under test by pte entries
 * @tm: mapped
 * @small: filled; the caller owns it until daxmap_close()
 *
 * Return: true, or false with the cell failed.
 */
bool test_map_open_small(struct test_map *tm, struct daxmap *small);

/**
 * test_map_prove() - store to all of the mapping and expect one fault for each entry
 * @tm: mapped, the mapping under test not yet touched
 *
 * Return: true, or false with the cell failed.
 */
bool test_map_prove(struct test_map *tm);

/**
 * test_map_remap() - replace the mapping under test by one that was never touched
 * @tm: mapped; the mapping under test may have been unmapped
 * @prot: PROT_* bits
 *
 * A mapping is replaced at its address.
 *
 * Return: true, or false with the cell failed.
 */
bool test_map_remap(struct test_map *tm, int prot);

/**
 * test_map_touch_entry() - touch the first and the last page of an entry
 * @tm: mapped
 * @off: offset of any byte of the entry, from the start of the mapping
 * @write: store the words that are there instead of only loading them
 *
 * No smaller entry maps both pages: they prove the size of an entry as well as all of
 * its pages, and take less time, most of all under emulation.
 *
 * Return: the number of faults.
 */
unsigned long test_map_touch_entry(const struct test_map *tm, size_t off, bool write);

/**
 * test_map_touch_all() - test_map_touch_entry() for each entry of the mapping
 * @tm: mapped
 * @write: store the words that are there instead of only loading them
 *
 * Return: the number of faults.
 */
unsigned long test_map_touch_all(const struct test_map *tm, bool write);

/**
 * test_map_addr() - find a byte in the mapping under test
 * @tm: mapped
 * @off: offset from the start of the mapping, bytes
 *
 * Return: its address.
 */
static inline void *test_map_addr(const struct test_map *tm, size_t off)
{
	return (char *)tm->map.addr + off;
}

/**
 * test_map_alias_addr() - find a byte in the alias mapping
 * @tm: mapped
 * @off: offset from the start of the mapping, bytes
 *
 * Return: its address.
 */
static inline void *test_map_alias_addr(const struct test_map *tm, size_t off)
{
	return (char *)tm->alias.addr + off;
}

/**
 * test_map_store() - store a pattern through the mapping under test
 * @tm: mapped
 * @off: offset from the start of the mapping, bytes, a multiple of 8
 * @len: bytes, a multiple of 8
 * @tag: the pattern
 */
void test_map_store(struct test_map *tm, size_t off, size_t len, uint16_t tag);

/**
 * test_map_store_alias() - store a pattern through the alias mapping
 * @tm: mapped
 * @off: offset from the start of the mapping, bytes, a multiple of 8
 * @len: bytes, a multiple of 8
 * @tag: the pattern
 */
void test_map_store_alias(struct test_map *tm, size_t off, size_t len, uint16_t tag);

/**
 * test_map_fill() - store TAG_MEMORY into a span and the page on either side of it
 * @tm: mapped; the alias mapping is used
 * @s: the span
 */
void test_map_fill(struct test_map *tm, const struct span *s);

/**
 * test_map_check() - expect a pattern in a span, and TAG_MEMORY on either side of it
 * @tm: mapped; the alias mapping is used
 * @s: the span
 * @tag: the pattern expected in it
 *
 * Return: true, or false with the cell failed.
 */
bool test_map_check(struct test_map *tm, const struct span *s, uint16_t tag);

/**
 * test_map_check_buf() - expect that a buffer holds the bytes of a range
 * @tm: mapped
 * @what: the buffer, for the message of a failure
 * @buf: the buffer
 * @off: offset of the range from the start of the mapping, bytes
 * @len: bytes
 * @tag: the pattern, or TAG_ZEROES
 *
 * Return: true, or false with the cell failed.
 */
bool test_map_check_buf(struct test_map *tm, const char *what, const void *buf, size_t off,
			size_t len, uint16_t tag);

/**
 * test_map_check_mapped() - expect bytes in the mapping under test
 * @tm: mapped
 * @what: the bytes, for the message of a failure
 * @off: offset from the start of the mapping, bytes
 * @len: bytes
 * @tag: the pattern, or TAG_ZEROES
 *
 * Return: true, or false with the cell failed.
 */
bool test_map_check_mapped(struct test_map *tm, const char *what, size_t off, size_t len,
			   uint16_t tag);

/**
 * test_map_check_file() - expect bytes in a file, read with pread(2)
 * @tm: mapped
 * @what: the bytes, for the message of a failure
 * @fd: the file
 * @pos: offset in the file, bytes
 * @off: offset from the start of the mapping of the range whose bytes they have to be
 * @len: bytes; nothing is read if 0
 * @tag: the pattern, or TAG_ZEROES
 *
 * Return: true, or false with the cell failed.
 */
bool test_map_check_file(struct test_map *tm, const char *what, int fd, off_t pos, size_t off,
			 size_t len, uint16_t tag);

/**
 * expect_transfer() - expect that a system call transferred all bytes
 * @c: the cell
 * @what: the transfer
 * @n: what the system call returned; with -1 errno is its error
 * @len: bytes that it was asked for
 *
 * Return: true, or false with the cell failed.
 */
bool expect_transfer(struct cell *c, const char *what, ssize_t n, size_t len);

/**
 * test_map_spans() - the spans that a method is tried on
 * @tm: mapped
 * @m: the method: the longest span depends on what it can take
 *
 * Return: an array that ends with an entry without a name.  The next call overwrites it.
 */
const struct span *test_map_spans(const struct test_map *tm, const struct pin_method *m);

/**
 * test_map_pages() - choose the span of cells that use only one
 * @tm: mapped
 *
 * Return: two pages, in a mapping of several entries across the boundary of two.
 */
struct span test_map_pages(const struct test_map *tm);

/* pin_test.c */

/**
 * pin_open_or_skip() - open a pin of the cell's method, its other end filled
 * @c: the cell
 * @pin: filled; the caller calls pin_close(), after a failure, too
 * @len: length of the range, bytes
 * @pos: offset of the range in device or file, bytes: a SINK method then brings
 *	TAG_SINK for this offset
 *
 * Return: true, or false with the cell failed, or skipped where the machine lacks what
 * the method needs.
 */
bool pin_open_or_skip(struct cell *c, struct pin *pin, size_t len, uint64_t pos);

/**
 * pin_test_init() - prepare a test of a pin
 * @pt: filled; nothing is opened
 * @tm: the memory
 * @m: the method
 * @s: the range
 */
void pin_test_init(struct pin_test *pt, struct test_map *tm, const struct pin_method *m,
		   struct span s);

/**
 * pin_test_take() - fill the memory, take the pin, prove it
 * @pt: initialised
 * @hold_ns: how long a TIMED pin has to be held, nanoseconds; 0 for no delay
 *
 * Return: true with the pin taken; it ends with pin_test_finish() or pin_test_close().
 * False with the pin closed, and the cell failed or skipped, or @pt->over set.
 */
bool pin_test_take(struct pin_test *pt, uint64_t hold_ns);

/**
 * pin_test_expect_live() - expect that the kernel still holds the pin
 * @pt: taken
 *
 * A TIMED pin may have completed.
 *
 * Return: true, or false with the cell failed.
 */
bool pin_test_expect_live(struct pin_test *pt);

/**
 * pin_test_release() - release the pin and nothing else
 * @pt: taken
 *
 * The other end of its transfer stays until pin_test_close(), for checks.
 *
 * Return: true, or false with the cell failed.
 */
bool pin_test_release(struct pin_test *pt);

/**
 * pin_test_close() - close the pin, which releases it if it is still taken
 * @pt: initialised; safe to call twice
 */
void pin_test_close(struct pin_test *pt);

/**
 * pin_test_finish() - release the pin, check the bytes at both ends, and the counters
 * @pt: taken; closed afterwards
 *
 * Return: true, or false with the cell failed.
 */
bool pin_test_finish(struct pin_test *pt);

/**
 * pin_test_round() - take a pin and finish it
 * @tm: the memory
 * @m: the method
 * @s: the range
 *
 * Return: true, or false with the cell failed or skipped.
 */
bool pin_test_round(struct test_map *tm, const struct pin_method *m, struct span s);

/**
 * expect_balance() - expect that all pins taken since a moment have been released
 * @c: the cell
 * @before: the kernel's counters at that moment
 * @what: for the message of a failure
 *
 * Waits up to HEALTH_SETTLE_NS: some pins are released from a work queue or by RCU.
 *
 * Return: true, or false with the cell failed.
 */
bool expect_balance(struct cell *c, const struct pin_counters *before, const char *what);

/* holes_eof.c */

/**
 * test_map_punch() - punch a hole where the file is mapped
 * @tm: mapped; the length of the file does not change
 *
 * Return: true, or false with the cell failed.
 */
bool test_map_punch(struct test_map *tm);

#endif
