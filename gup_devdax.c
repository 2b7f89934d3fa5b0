// SPDX-License-Identifier: GPL-2.0
/*
 * Pins on DAX memory, device-dax and files: taken, counted, carrying the right
 * bytes, given back; at each page size, by each way of pinning.
 *
 * Every scenario runs in a process of its own (run_alone()), on the last bytes
 * of the device or file.  What a device holds between cells is nobody's concern.
 */
#include <string.h>

#include "gup/gup.h"
#include "suite/harness.h"

static bool is_any(const struct pin_method *m)
{
	(void)m;
	return true;
}

/* held until it is let go, not until a clock says so */
static bool can_hold_on(const struct pin_method *m)
{
	return (m->flags & (PIN_HELD | PIN_TIMED)) == PIN_HELD;
}

static bool is_timed(const struct pin_method *m)
{
	return m->flags & PIN_TIMED;
}

static bool can_hold(const struct pin_method *m)
{
	return m->flags & PIN_HELD;
}

/* the pin is a buffer's, or a pipe's */
static bool can_hold_buffer(const struct pin_method *m)
{
	return can_hold_on(m) && m->flags & (PIN_LONGTERM | PIN_OUTLIVES);
}

/* and is quickly made */
static bool can_hold_many(const struct pin_method *m)
{
	return can_hold_buffer(m) && !(m->flags & PIN_ELABORATE);
}

/* and is not, or the pin is that of I/O in flight, until a command lets go */
static bool can_hold_few(const struct pin_method *m)
{
	return can_hold_on(m) && !can_hold_many(m);
}

static bool is_longterm(const struct pin_method *m)
{
	return m->flags & PIN_LONGTERM;
}

/* what a file allows */
static bool is_shortterm(const struct pin_method *m)
{
	return !is_longterm(m);
}

static bool is_direct(const struct pin_method *m)
{
	return !strncmp(m->name, "odirect_", strlen("odirect_"));
}

static bool can_hold_file_lent(const struct pin_method *m)
{
	return !strcmp(m->name, "vmsplice");
}

/*
 * How a file's pages are counted does not depend on what keeps the pin out.  Of
 * those that can, one that lends pages, and direct I/O in both directions.
 */
static bool can_hold_file(const struct pin_method *m)
{
	return can_hold_file_lent(m) || (can_hold_on(m) && is_direct(m));
}

static bool can_hold_file_source(const struct pin_method *m)
{
	return can_hold_file(m) && m->flags & PIN_SOURCE;
}

static bool can_hold_file_sink(const struct pin_method *m)
{
	return can_hold_file(m) && m->flags & PIN_SINK;
}

static bool is_timed_file(const struct pin_method *m)
{
	return is_timed(m) && is_direct(m);
}

/* one line for each: they differ in what they do, and with which pins */
#define SCENARIO_ON(memory, fn, at, pins, text)				\
	{								\
		.name = #fn, .what = text, .on = memory, .sizes = at,	\
		.wants = pins, .run = run_alone, .body = fn,		\
	}

#define SCENARIO(fn, at, pins, text) SCENARIO_ON(MEMORY_DEVDAX, fn, at, pins, text)

#define AT_FILE		(AT_PTE | AT_PMD)

#define FILES(fn, pins, text) SCENARIO_ON(MEMORY_FILES, fn, AT_FILE, pins, text)

/* what the method answers is what is looked at */
#define REFUSAL_ON(memory, fn, at, pins, text)				\
	{								\
		.name = #fn, .what = text, .on = memory, .sizes = at,	\
		.wants = pins, .refusal = true, .run = run_alone,	\
		.body = fn,						\
	}

#define REFUSAL(fn, at, pins, text) REFUSAL_ON(MEMORY_DEVDAX, fn, at, pins, text)

static const struct scenario scenarios[] = {
	SCENARIO(spans_fast, AT_ALL, is_any,
		 "inside a page to the whole mapping, the memory already mapped"),
	SCENARIO(spans_slow, AT_ALL, is_any,
		 "the same, the memory not mapped: the pin faults it in"),
	REFUSAL(undo_tail, AT_ALL, is_any,
		"the range's tail is not mapped: refused, and what was taken is given back"),
	REFUSAL(readonly, AT_ALL, is_any,
		"the mapping is read-only: refused if the method writes, else right bytes"),
	REFUSAL(register_or_refuse, AT_ALL, is_longterm,
		"a pin that stays for good: taken, or EOPNOTSUPP and nothing leaks"),
	SCENARIO(munmap_held, AT_ALL, can_hold_on, "munmap() with a pin out"),
	SCENARIO(mremap_held, AT_ALL, can_hold_on, "mremap() to another address with a pin out"),
	SCENARIO(mprotect_held, AT_ALL, can_hold_on,
		 "mprotect() to read-only and back with a pin out"),
	SCENARIO(dontneed_held, AT_ALL, can_hold_on, "MADV_DONTNEED with a pin out"),
	SCENARIO(fork_held, AT_ALL, can_hold_on,
		 "fork() with a pin out; the child touches all and exits"),
	SCENARIO(all_held, AT_ALL, is_timed,
		 "fork(), mprotect(), MADV_DONTNEED, mremap(), munmap() while a clock runs"),
	SCENARIO(exec_held, AT_ALL, can_hold, "exec() with a pin out"),
	SCENARIO(exit_held, AT_ALL, can_hold, "exit() with a pin out"),
	SCENARIO(thousand, AT_ALL, can_hold_many,
		 "a thousand pins on one page, released forwards, backwards and shuffled"),
	/* the page size shows when it is pinned; what a bio holds is let go alike */
	SCENARIO(thousand, AT_PMD, can_hold_few,
		 "a thousand pins on one page, released forwards, backwards and shuffled"),
	{
		.name = "threads",
		.what = "threads fault, pin, unpin and unmap the same for DAX_TEST_TIME seconds",
		.sizes = AT_ALL, .pin_word = "random", .run = run_alone, .body = threads,
	},
	FILES(spans_fast, is_shortterm,
	      "inside a page to the whole mapping, the memory already mapped"),
	FILES(spans_slow, is_shortterm, "the same, the memory not mapped: the pin faults it in"),
	REFUSAL_ON(MEMORY_EXT4, undo_tail, AT_FILE, is_shortterm,
		   "the range's tail is not mapped: refused, and what was taken is given back"),
	REFUSAL_ON(MEMORY_EXT4, readonly, AT_FILE, is_shortterm,
		   "the mapping is read-only: refused if the method writes, else right bytes"),
	REFUSAL_ON(MEMORY_XFS, undo_tail, AT_FILE, can_hold_file,
		   "the range's tail is not mapped: refused, and what was taken is given back"),
	REFUSAL_ON(MEMORY_XFS, readonly, AT_FILE, can_hold_file,
		   "the mapping is read-only: refused if the method writes, else right bytes"),
	REFUSAL_ON(MEMORY_FILES, register_or_refuse, AT_FILE, is_longterm,
		   "a pin that stays for good: EOPNOTSUPP"),
	FILES(munmap_held, can_hold_file, "munmap() with a pin out"),
	FILES(mremap_held, can_hold_file, "mremap() to another address with a pin out"),
	FILES(mprotect_held, can_hold_file, "mprotect() to read-only and back with a pin out"),
	FILES(dontneed_held, can_hold_file, "MADV_DONTNEED with a pin out"),
	FILES(fork_held, can_hold_file,
	      "fork() with a pin out; the child touches all and exits"),
	FILES(all_held, is_timed_file,
	      "fork(), mprotect(), MADV_DONTNEED, mremap(), munmap() while a clock runs"),
	FILES(exec_held, can_hold_file, "exec() with a pin out"),
	FILES(exit_held, can_hold_file, "exit() with a pin out"),
	FILES(thousand, can_hold_file_lent,
	      "a thousand pins on one page, released forwards, backwards and shuffled"),
	{
		.name = "threads",
		.what = "threads fault, pin, unpin and unmap the same for DAX_TEST_TIME seconds",
		.on = MEMORY_FILES, .sizes = AT_FILE, .pin_word = "random", .run = run_alone,
		.body = threads,
	},
	SCENARIO_ON(MEMORY_FILES, spans_sync, AT_PMD, can_hold_file,
		    "as spans_slow and spans_fast, mapped with MAP_SYNC"),
	/* a commit for each of a thousand faults takes its time */
	SCENARIO_ON(MEMORY_FILES, spans_sync, AT_PTE, can_hold_file_lent,
		    "as spans_slow and spans_fast, mapped with MAP_SYNC"),
	{
		.name = "spans_map_dev",
		.what = "as spans_slow and spans_fast, the memory map lies on the device (altmap)",
		.on = MEMORY_FILES, .sizes = AT_FILE, .wants = can_hold_file, .map_dev = true,
		.run = run_alone, .body = spans_both,
	},
	FILES(hole, can_hold_file, "a hole: a load finds zeroes, a store gets blocks"),
	FILES(hole_filled, NULL, "a hole that is mapped is written: the mapping shows it"),
	FILES(hole_filled, can_hold_file_source, "the same, a pin on the zeroes is out"),
	FILES(unwritten, can_hold_file,
	      "blocks never written: zeroes, also beside what a pin brings"),
	FILES(end_of_file, can_hold_file,
	      "the last page, and behind it: answered as on cached memory"),
	FILES(end_extended, can_hold_file_sink,
	      "what is brought behind the end is not there when the file grows"),
	SCENARIO_ON(MEMORY_FILES, mixed_entries, AT_PMD, can_hold_file,
		    "large entries beside places that were mapped by small ones before"),
	SCENARIO_ON(MEMORY_FILES, two_sizes, AT_PMD, can_hold_file,
		    "one process maps by large entries, another by small ones"),
	SCENARIO_ON(MEMORY_FILES, smaller_again, AT_PMD, can_hold_file,
		    "freed under large entries, mapped again by small ones, and back"),
	SCENARIO_ON(MEMORY_FILES, fsync_two_sizes, AT_PMD, NULL,
		    "fsync() makes a large and a small entry of the same page read-only"),
	SCENARIO_ON(MEMORY_FILES, fault_storm, AT_PMD, NULL,
		    "threads fault the same by large and small entries, one takes it away"),
	FILES(private_pinned, can_hold_file,
	      "MAP_PRIVATE: a pin that reads is on the file, one that writes on a copy"),
	FILES(private_race, NULL, "MAP_PRIVATE: a page copied while another thread forgets it"),
	{
		.name = "reflink_pinned",
		.what = "extents shared with another file: a store makes a copy, a pin stays",
		.on = MEMORY_XFS, .sizes = AT_PTE, .wants = can_hold_file,
		.run = with_fresh_pages, .body = reflink_pinned,
	},
	{
		.name = "reflink_pinned",
		.what = "extents shared with another file: a store makes a copy, a pin stays",
		.on = MEMORY_XFS, .sizes = AT_PMD, .wants = can_hold_file_sink,
		.run = with_fresh_pages, .body = reflink_pinned,
	},
	{
		.name = "reflink_freed",
		.what = "likewise, and then the other file gives its extents back: it waits",
		.on = MEMORY_XFS, .sizes = AT_PTE, .wants = can_hold_file_lent,
		.run = with_fresh_pages, .body = reflink_freed,
	},
	{
		.name = "reflink_split",
		.what = "a large entry shared with another file: a store makes a copy, a pin stays",
		.on = MEMORY_XFS, .sizes = AT_PMD, .wants = can_hold_file_lent,
		.destructive = true, .run = with_fresh_pages, .body = reflink_pinned,
	},
	{
		.name = "copy_removed",
		.what = "a part of an entry is shared, stored to, and the file removed",
		.on = MEMORY_XFS, .sizes = AT_FILE, .destructive = true, .run = copy_removed,
	},
	FILES(odirect_self, NULL, "O_DIRECT from and to the mapping of the very same file"),
	FILES(odirect_same_fs, NULL, "the same, of another file of this file system"),
	{
		.name = "odirect_other_fs",
		.what = "the same, of a file on another DAX file system",
		.on = MEMORY_FILES, .sizes = AT_FILE, .run = with_other_fs,
		.body = odirect_other_fs,
	},
	SCENARIO(refuse_map_private, AT_ALL, NULL, "mmap(MAP_PRIVATE): EINVAL"),
	SCENARIO(refuse_misaligned, AT_ALL, NULL,
		 "mmap() of parts of entries, or across them: EINVAL"),
	SCENARIO(refuse_split_munmap, AT_PMD | AT_PUD, NULL,
		 "munmap() inside an entry: EINVAL, and the mapping is whole"),
	SCENARIO(refuse_split_mremap, AT_PMD | AT_PUD, NULL,
		 "mremap() inside an entry: EINVAL, and the mapping is whole"),
	{ 0 }
};

static const struct suite suite = {
	.name = "gup_devdax",
	.what = "pins on DAX memory: counted, with the right bytes, given back",
	.scenarios = scenarios,
	.targets = true,
	/* what is done meanwhile takes some tens of milliseconds */
	.hold_ns = 150 * NSEC_PER_MSEC,
	.entries = 2,
};

int main(int argc, char **argv)
{
	return suite_main(&suite, argc, argv);
}
