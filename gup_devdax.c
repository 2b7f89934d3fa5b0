// SPDX-License-Identifier: GPL-2.0
/*
 * Pins on device-dax memory: taken, counted, carrying the right bytes, given
 * back; at each page size, by each way of pinning.
 *
 * Every scenario runs in a process of its own (run_alone()), on the last bytes
 * of the device.  What a device holds between cells is nobody's concern.
 */
#include "gup.h"
#include "suite_harness.h"

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

/* one line for each: they differ in what they do, and with which pins */
#define SCENARIO(fn, at, pins, text)					\
	{								\
		.name = #fn, .what = text, .sizes = at, .wants = pins,	\
		.run = run_alone, .body = fn,				\
	}

/* what the method answers is what is looked at */
#define REFUSAL(fn, at, pins, text)					\
	{								\
		.name = #fn, .what = text, .sizes = at, .wants = pins,	\
		.refusal = true, .run = run_alone, .body = fn,		\
	}

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
	.what = "pins on device-dax memory: counted, with the right bytes, given back",
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
