/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the three programs have in common: cells made from tables, the options,
 * and the frame around each cell (settle, health, verdict, settle).  Knows no
 * harness; suite_harness.h ties it to kselftest_harness.h.
 */
#ifndef DAX_SUITE_H
#define DAX_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/action/action.h"
#include "lib/task.h"
#include "lib/daxmap.h"
#include "lib/guard.h"
#include "lib/health/health.h"
#include "lib/holder/holder.h"
#include "lib/mem/memory.h"
#include "lib/pattern.h"
#include "lib/pin/pin.h"
#include "lib/timeline.h"
#include "lib/ns/ns.h"

/* page sizes a scenario runs at */
#define AT_PTE		(1u << DAXMAP_PTE)
#define AT_PMD		(1u << DAXMAP_PMD)
#define AT_PUD		(1u << DAXMAP_PUD)
#define AT_ALL		(AT_PTE | AT_PMD | AT_PUD)

/* the tag of the pattern that all of a device holds between cells */
#define TAG_MEMORY	0x4d45

struct cell;

/**
 * enum scenario_actions - which actions a scenario is crossed with
 * @NO_ACTION: none; the cell's last word is the scenario's name
 * @FIRST_ACTION: only the first of the table
 * @EVERY_ACTION: each of them, but those of drivers further up
 * @EVERY_LEVEL: each of a driver above device_dax
 * @EVERY_PARENT: each of these that has several dax devices below
 */
enum scenario_actions { NO_ACTION, FIRST_ACTION, EVERY_ACTION, EVERY_LEVEL, EVERY_PARENT };

/**
 * struct scenario - one thing that is tried, at several page sizes and pins
 * @name: last word of the cell's name, behind the action's name if there is
 *	one; "" where the action says it all
 * @what: one sentence for -h
 * @on: MEMORY_* bits; 0 for MEMORY_DEVDAX
 * @sizes: AT_* bits
 * @wants: which pins it is crossed with; NULL for none
 * @actions: which actions
 * @act: name of the one action it is made for, whatever @actions says
 * @pin_word: the pin's word in the name of cells without a method of their own;
 *	NULL for "none"
 * @map_dev: on a namespace whose memory map lies on the device
 * @destructive: a kernel that fails it is lost until reboot: run only where
 *	DAX_TEST_DESTRUCTIVE says that the machine is there for that
 * @refusal: about what a method answers: carried out also where it is known to be
 *	refused
 * @bytes: of a file, and at least of a device; 0 for what the suite has chosen
 * @no_device: needs no DAX memory
 * @ignore: HEALTH_* bits that this scenario moves by what it does
 * @seconds: time limit of the cell; 0 for SUITE_CELL_SECONDS
 * @run: arranges, acts, and says what it expects with expect()
 * @body: for a @run() that only decides where the scenario is carried out
 */
struct scenario {
	const char *name;
	const char *what;
	unsigned int on;
	unsigned int sizes;
	bool (*wants)(const struct pin_method *m);
	enum scenario_actions actions;
	const char *act;
	const char *pin_word;
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

/*
 * Limit of one cell.  Three stuck actions of OP_DEADLINE_NS and a holder's
 * answer fit; the harness ends a cell that takes longer.
 */
#define SUITE_CELL_SECONDS	120

/**
 * struct suite - one program
 * @name: its name
 * @what: what it tests, for -h
 * @scenarios: its table, ends with an entry without run()
 * @targets: it holds I/O in flight and wants slow block devices
 * @clock: and has to hold it for longer than an unbind takes
 * @hold_ns: how long a clock holds it to begin with, nanoseconds; 0 for long enough
 *	for an unbind
 * @entries: entries of a device that it would like to have at each page size; a
 *	device of one serves too, and its memory map is soon made and thrown away
 */
struct suite {
	const char *name;
	const char *what;
	const struct scenario *scenarios;
	bool targets;
	bool clock;
	uint64_t hold_ns;
	unsigned int entries;
};

/**
 * struct cell - one cell: memory x page size x pin x action
 * @name: its KTAP name
 * @scenario: what is tried
 * @memory: on what
 * @size: at which page size
 * @method: with which pin; NULL for none
 * @action: what takes the ground away; NULL for none
 * @guard: shared state of the run
 * @v: the device or file; also in guard->mem
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
	struct guard *guard;
	struct test_ns v;
	enum verdict_kind verdict;
	bool skipped;
	char why[WHY_LEN];
};

/** suite_init() - make the cells of a program; 0 or -ENOMEM */
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

/** suite_finish() - give everything back; prints what could not be */
void suite_finish(void);

/** suite_cells() - the cells picked, in order */
struct cell *suite_cells(size_t *nr);

/** suite_run() - the frame around one cell's scenario */
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

/** expect_ok() - expect a return of 0; @why may be "" */
bool expect_ok(struct cell *c, int ret, const char *what, const char *why);

/**
 * cell_adds() - what else was seen of a failure, as part of its sentence
 * @c: a failed cell
 * @fmt: a clause, as printf(3) has it
 */
void cell_adds(struct cell *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** skip() - cannot be built here, with the reason */
void skip(struct cell *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * skip_refused() - the method cannot pin this memory
 * @c: cell
 * @m: method; another than the cell's own is remembered as well
 * @why: the method's own words, or ""
 *
 * A refusal depends on the kernel, the memory and its page size: the next cells of
 * the same method skip at once, but those whose scenario is about refusals.
 */
void skip_refused(struct cell *c, const struct pin_method *m, const char *why);

/**
 * suite_drain() - wait until all that was printed has left the machine
 *
 * A serial console has a line only then.  That takes some milliseconds, which is
 * as long as much of what a cell does: for verdicts, and before what may bring the
 * machine down.
 */
void suite_drain(void);

/** note() - a diagnostic line; not yet drained */
void note(const struct cell *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** note_lines() - several, from a text of lines */
void note_lines(const struct cell *c, const char *what, const char *text);

/**
 * cell_fresh_pages() - the cell's file anew, on pages that nobody has had before
 * @c: the cell, its file not open
 *
 * For what some kernels leave behind on the pages: the file system is unmounted, its
 * device given a new memory map, and both are made again.
 *
 * Return: true, or false with the cell failed or skipped.
 */
bool cell_fresh_pages(struct cell *c);

/**
 * cell_remove_file() - remove the cell's file, in a task that may not survive it
 * @c: the cell, its file not open
 *
 * Bytes that are right are not all: whoever removes a file whose entries were
 * miscounted dies of it, and its device is lost until reboot.
 *
 * Return: true, or false with the cell failed.
 */
bool cell_remove_file(struct cell *c);

/** cell_failed() - has anything failed or been skipped so far? */
bool cell_over(const struct cell *c);

/**
 * cell_pin_proc() - start a holder that the guardian knows
 * @c: the cell
 * @h: filled
 *
 * Return: true, or false with the cell failed.
 */
bool cell_pin_proc(struct cell *c, struct pin_proc *h);

/** cell_pin_proc_ok() - expect_ok() for a holder's answer; a stuck one's stacks are told */
bool cell_pin_proc_ok(struct cell *c, int ret, const char *what, const struct pin_proc *h);

/** cell_pin_proc_stuck() - fail with VERDICT_NEVER_RETURNED, tell its stacks; false */
bool cell_pin_proc_stuck(struct cell *c, const char *what, const struct pin_proc *h);

/** cell_pin_proc_end() - end it and forget it */
void cell_pin_proc_end(struct cell *c, struct pin_proc *h);

/** suite_seed() - DAX_TEST_SEED, or a fresh one */
uint64_t suite_seed(void);

/** suite_seconds() - DAX_TEST_TIME, or a default, for cells bounded in time */
double suite_seconds(double by_default);

#endif
