/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the three programs have in common: scenarios and the cells made of them, the
 * options, and the frame around each cell (settle, health, verdict, settle).
 *
 * A program is its scenario groups and a struct suite.  suite/harness.h ties it to
 * kselftest_harness.h, which nothing else here knows.
 */
#ifndef DAX_SUITE_H
#define DAX_SUITE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/action/action.h"
#include "lib/task.h"
#include "lib/daxmap.h"
#include "lib/guard.h"
#include "lib/health/health.h"
#include "lib/holder/holder.h"
#include "lib/mem/memory.h"
#include "lib/pattern.h"
#include "lib/pin/pin.h"
#include "lib/pin/select.h"
#include "lib/tags.h"
#include "lib/timeline.h"
#include "lib/ns/ns.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

/* page sizes a scenario runs at */
#define AT_PTE		(1u << DAXMAP_PTE)
#define AT_PMD		(1u << DAXMAP_PMD)
#define AT_PUD		(1u << DAXMAP_PUD)
#define AT_ALL		(AT_PTE | AT_PMD | AT_PUD)

/* for @ignore of a scenario that trips no check, in a group whose others trip some */
#define HEALTH_NONE	(1u << 31)

struct cell;

/**
 * enum scenario_actions - which actions a scenario is crossed with
 * @AS_GROUP: as its group says; for a group NO_ACTION
 * @NO_ACTION: none; the cell's last word is the scenario's name
 * @FIRST_ACTION: only the plain unbind of the memory's driver
 * @EVERY_ACTION: each of them, but those of drivers further up
 * @EVERY_LEVEL: each of a driver above device_dax
 * @EVERY_PARENT: each of these that has several dax devices below
 *
 * Actions that are only for scenarios that name them are left out of all of these.
 */
enum scenario_actions {
	AS_GROUP,
	NO_ACTION,
	FIRST_ACTION,
	EVERY_ACTION,
	EVERY_LEVEL,
	EVERY_PARENT,
};

/**
 * struct scenario - one test, at several page sizes and with several pins
 * @name: with an action, what sets this scenario apart from others with it: the part
 *	of the cell's name behind the "-"; "" if the action's name is sufficient.
 *	Without an action, the last word of the cell's name
 * @what: one sentence for -h
 * @on: kinds of memory
 * @sizes: AT_* bits
 * @pins: which pins it is crossed with; NULL for none
 * @actions: which actions it is crossed with
 * @acts: the actions it is made for by their names, instead of @actions; the last
 *	is NULL
 * @words: one cell for each: the pin's word in the name of cells without a method of
 *	their own; the last is NULL.  NULL for "none"
 * @next_word: instead of @words, where they are names of registered entries: the word
 *	after @word (NULL for the first) for this memory and page size, or NULL
 * @map_dev: on a namespace whose memory map lies on the device
 * @destructive: a kernel that fails is unusable until reboot: run only where
 *	DAX_TEST_DESTRUCTIVE says that the machine is there for that
 * @refusal: tests the refusal itself: run even if this method is known to be refused
 * @bytes: of a file, and at least of a device; 0 for the suite's choice
 * @no_device: needs no DAX memory
 * @ignore: HEALTH_* checks that this scenario is expected to trip
 * @seconds: time limit of the cell; 0 for SUITE_CELL_SECONDS
 * @run: arranges, acts, and says with expect() what it expects
 * @body: for a @run() that only decides where the scenario is carried out
 */
struct scenario {
	const char *name;
	const char *what;
	struct mem_select on;
	unsigned int sizes;
	const struct pin_select *pins;
	enum scenario_actions actions;
	const char *const *acts;
	const char *const *words;
	const char *(*next_word)(const struct memory *m, enum daxmap_size size,
				 const char *word);
	bool map_dev;
	bool destructive;
	bool refusal;
	size_t bytes;
	bool no_device;
	unsigned int ignore;
	unsigned int seconds;
	void (*run)(struct cell *c);
	void (*body)(struct cell *c);
};

/* for @acts and @words, in place */
#define LIST(...)	((const char *const []){ __VA_ARGS__, NULL })

/**
 * struct scenario_group - the scenarios of one file
 * @name: the file's subject
 * @order: groups of a lower one come first in a program
 * @common: what its scenarios have in common: each member that a scenario leaves zero
 * @scenarios: the scenarios; the last is empty
 */
struct scenario_group {
	const char *name;
	int order;
	struct scenario common;
	const struct scenario *scenarios;
};

/* A file's group is in the program when the file is linked. */
REGISTRY(scenario_groups, struct scenario_group);

/*
 * Limit of one cell: three stuck actions of OP_DEADLINE_NS and the answer of a pin
 * process.  The harness ends a cell that takes longer.
 */
#define SUITE_CELL_SECONDS	120

/**
 * struct suite - one program
 * @name: its name
 * @what: what it tests, for -h
 * @targets: it holds I/O in flight and needs slow block devices
 * @clock: and has to hold it for longer than an unbind takes
 * @hold_ns: how long TIMED pins are held at first, nanoseconds; 0 for long enough for
 *	an unbind
 * @entries: wanted number of entries of a device at each page size; a device of one
 *	serves, too, and a small memory map is quickly made
 * @usage: prints more of -h; NULL for nothing
 */
struct suite {
	const char *name;
	const char *what;
	bool targets;
	bool clock;
	uint64_t hold_ns;
	unsigned int entries;
	void (*usage)(FILE *f);
};

/**
 * struct cell - one cell: memory x page size x pin x action
 * @name: its KTAP name
 * @scenario: what is tried
 * @memory: on what
 * @size: at which page size
 * @method: with which pin; NULL for none
 * @action: what takes the memory away; NULL for none
 * @word: the pin's word in its name
 * @guard: shared state of the run
 * @v: the memory under test; also in guard->mem
 * @verdict: the first failure, or VERDICT_PASS
 * @skipped: the reason is in @why
 * @why: reason of a skip, or sentence of the first failure
 */
struct cell {
	char name[112];
	const struct scenario *scenario;
	const struct memory *memory;
	enum daxmap_size size;
	const struct pin_method *method;
	const struct action *action;
	const char *word;
	struct guard *guard;
	struct test_mem v;
	enum verdict_kind verdict;
	bool skipped;
	char why[WHY_LEN];
};

/**
 * suite_init() - make the cells of a program
 * @s: the program
 *
 * Return: 0 or -ENOMEM.
 */
int suite_init(const struct suite *s);

/**
 * suite_options() - -h, -l, -t GLOB, -f FILE, and DAX_TEST_CELLS
 * @argc: of main()
 * @argv: of main()
 *
 * Return: -1 to go on, else the exit status.
 */
int suite_options(int argc, char **argv);

/**
 * suite_prepare() - root, offered devices, guardian, targets, probes
 * @why: the reason when the program has to be skipped
 * @len: bytes in @why
 *
 * Return: 0, or -errno when nothing can be run here.
 */
int suite_prepare(char *why, size_t len);

/**
 * suite_finish() - restore everything; prints what could not be restored
 */
void suite_finish(void);

/**
 * suite_cells() - the cells that were picked, in order
 * @nr: set to their number
 *
 * Return: the cells; they stay the suite's.
 */
struct cell *suite_cells(size_t *nr);

/**
 * suite_run() - the frame around one cell's scenario
 * @c: the cell; its verdict is set
 */
void suite_run(struct cell *c);

/**
 * expect() - say what must hold; the first failure is the cell's verdict
 * @c: cell
 * @kind: verdict when it does not hold
 * @cond: what must hold
 * @fmt: what was seen and what was expected, as printf(3) has it
 *
 * The verdict is printed and flushed at once, before anything that may bring
 * the machine down.
 *
 * Return: @cond.
 */
bool expect(struct cell *c, enum verdict_kind kind, bool cond, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * expect_ok() - expect that a step succeeded
 * @c: cell
 * @ret: the step's result, 0 or -errno
 * @what: the step
 * @why: a sentence with more about it, or ""
 *
 * Return: true when @ret is 0.
 */
bool expect_ok(struct cell *c, int ret, const char *what, const char *why);

/**
 * expect_errno() - expect that a step was refused
 * @c: cell
 * @ret: the step's result, 0 or -errno
 * @err: the error it has to fail with: EINVAL, ...
 * @what: the step
 *
 * Return: true when @ret is -@err.
 */
bool expect_errno(struct cell *c, int ret, int err, const char *what);

/**
 * sys_result() - result of a system call, for expect_ok() and expect_errno()
 * @ret: the value that the system call returned, negative for an error
 *
 * errno as another argument of the same call would be wrong: C may evaluate it before
 * the system call is made.
 *
 * Return: 0, or -errno.
 */
static inline int sys_result(long ret)
{
	return ret < 0 ? -errno : 0;
}

/**
 * cell_adds() - add a clause to the sentence of a failure
 * @c: a failed cell
 * @fmt: the clause, as printf(3) has it
 */
void cell_adds(struct cell *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * skip() - the cell is not supported by this kernel or machine
 * @c: cell
 * @fmt: the reason, as printf(3) has it
 */
void skip(struct cell *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * require_action() - find an action that a scenario carries out beside its cell's own
 * @c: cell; skipped when the action is not in this build
 * @name: the action's name
 *
 * Return: the action, or NULL with the cell skipped.
 */
const struct action *require_action(struct cell *c, const char *name);

/**
 * require_pin() - find a pin method that a scenario uses beside its cell's own
 * @c: cell; skipped when the method is not in this build
 * @name: the method's name
 *
 * Return: the method, or NULL with the cell skipped.
 */
const struct pin_method *require_pin(struct cell *c, const char *name);

/**
 * skip_refused() - skip: the method cannot pin this memory
 * @c: cell
 * @m: method; another than the cell's own is remembered as well
 * @why: the method's own words, or ""
 *
 * A refusal depends on the kernel, the memory and its page size: the next cells of
 * the same method skip at once, except those whose scenario tests refusals.
 */
void skip_refused(struct cell *c, const struct pin_method *m, const char *why);

/**
 * suite_drain() - wait until all output has left the machine
 *
 * A serial console shows a line only then.  That takes some milliseconds, as long as
 * much of a cell does: call it for verdicts, and before a step that may bring the
 * machine down.
 */
void suite_drain(void);

/**
 * note() - a diagnostic line; not yet drained
 * @fmt: the line, as printf(3) has it
 */
void note(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

/**
 * note_lines() - several diagnostic lines
 * @what: their heading
 * @text: the lines; nothing is printed for ""
 */
void note_lines(const char *what, const char *text);

/**
 * cell_fresh_pages() - the cell's file again, on pages that no earlier cell has used
 * @c: the cell, its file not open
 *
 * Some kernels leave wrong counts on the pages.  The file system is unmounted, its
 * device gets a new memory map, and both are made again.
 *
 * Return: true, or false with the cell failed or skipped.
 */
bool cell_fresh_pages(struct cell *c);

/**
 * cell_remove_file() - remove the cell's file, in a task that may not survive it
 * @c: the cell, its file not open
 *
 * Right bytes are not enough: on a kernel that has miscounted the file's entries, the
 * task that removes it dies, and the device is unusable until reboot.
 *
 * Return: true, or false with the cell failed or skipped.
 */
bool cell_remove_file(struct cell *c);

/**
 * cell_over() - has the cell failed or been skipped?
 * @c: cell
 *
 * Return: true if it has.
 */
bool cell_over(const struct cell *c);

/**
 * cell_pin_proc() - start a pin process that the guardian knows
 * @c: the cell
 * @h: filled
 *
 * Return: true, or false with the cell failed.
 */
bool cell_pin_proc(struct cell *c, struct pin_proc *h);

/**
 * cell_pin_proc_ok() - expect_ok() for the answer of a pin process
 * @c: the cell
 * @ret: the answer; -ETIMEDOUT fails the cell with the process's stacks
 * @what: the step
 * @h: the process
 *
 * Return: true when @ret is 0.
 */
bool cell_pin_proc_ok(struct cell *c, int ret, const char *what, const struct pin_proc *h);

/**
 * cell_pin_proc_stuck() - fail with VERDICT_NEVER_RETURNED and the stacks of a process
 * @c: the cell
 * @what: the sentence
 * @h: the process
 *
 * Return: false.
 */
bool cell_pin_proc_stuck(struct cell *c, const char *what, const struct pin_proc *h);

/**
 * cell_pin_proc_end() - end a pin process; the guardian forgets it
 * @c: the cell; failed when the process does not end
 * @h: the process; may not have been started
 */
void cell_pin_proc_end(struct cell *c, struct pin_proc *h);

/**
 * enum suite_probe - properties of the kernel that are probed once a run
 * @PROBE_SHARED_PAGES_SPIN: a pin of a page that files share never returns
 * @PROBE_NR: how many
 */
enum suite_probe {
	PROBE_SHARED_PAGES_SPIN,
	PROBE_NR,
};

/**
 * suite_probe_begin() - is the caller the first one to probe this?
 * @probe: property
 *
 * The first caller probes, and calls suite_probe_set() when the kernel has the property.
 * A caller that is killed while it probes is not followed by another one.
 *
 * Return: true once a run.
 */
bool suite_probe_begin(enum suite_probe probe);

/**
 * suite_probe_set() - the kernel has this property
 * @probe: property
 */
void suite_probe_set(enum suite_probe probe);

/**
 * suite_probe_found() - has the kernel been found to have this property?
 * @probe: property
 *
 * Return: true after suite_probe_set(), in any process of the run.
 */
bool suite_probe_found(enum suite_probe probe);

/**
 * suite_seed() - seed of a random cell
 *
 * Return: DAX_TEST_SEED, or a random one.
 */
uint64_t suite_seed(void);

/**
 * suite_seconds() - limit of a cell that is bounded in time
 * @by_default: seconds where DAX_TEST_TIME is not set
 *
 * Return: seconds.
 */
double suite_seconds(double by_default);

#endif
