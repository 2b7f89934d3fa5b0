/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Oracles: checks of the kernel's own state before and after a test case, such as its
 * log, its taint, its pin counters, /proc/iomem and the devices of the dax bus.
 *
 * An oracle is an entry (struct oracle in lib/health/internal.h) beside its functions in
 * one file of lib/health/.  Each has a control, a scenario control_NAME() in
 * teardown/control.c, which provokes the fault and fails unless the oracle reports it.
 * What provokes the fault stands there, too, or in lib/health/control.c where it needs
 * neither a pin nor a device.  An oracle without a control proves nothing.
 */
#ifndef DAX_LIB_HEALTH_H
#define DAX_LIB_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A bit for each oracle that some scenario trips on purpose and therefore ignores.  The
 * others have the bit that health_bit() returns.
 */
#define HEALTH_LOG	0x01u	/* a line of the kernel log reports a fault */
#define HEALTH_OVERRUN	0x02u	/* the log wrapped: lines may be lost */
#define HEALTH_TAINT	0x04u	/* a new taint bit */
#define HEALTH_THP_SPLIT 0x08u	/* thp_split_pud changed */
#define HEALTH_POISON	0x10u	/* a line of the log reports a memory failure */
/* no oracle: devices come back with other numbers, see health_renumbered() */
#define HEALTH_NUMBERS	0x20u

/*
 * How long pin counters may take to come back.  io_uring drops a fixed buffer only
 * after a grace period of its ring and a turn of a work queue (io_ring_exit_work()
 * checks every 50 ms), bios from a softirq: some hundred milliseconds on a loaded
 * machine without KVM.  Balanced counters end the wait at once, so only a leak takes
 * that long.
 */
#define HEALTH_SETTLE_NS 2000000000ULL

struct health;

/**
 * health_open() - open what the oracles read, and allocate
 * @h: set; the caller owns it until health_close()
 *
 * The log is read through a descriptor of its own and is never cleared.  A child of
 * fork(2) shares the descriptor and its position: only one of the two may use @h at a
 * time.
 *
 * Return: 0, -ENOMEM, or -errno of an oracle that cannot be opened, such as -EPERM
 * without root.  An oracle that this kernel lacks is left out.
 */
int health_open(struct health **h);

/**
 * health_close() - close and free
 * @h: opened; NULL is ignored
 */
void health_close(struct health *h);

/**
 * health_bit() - look up an oracle
 * @name: name of its entry, such as "pins"
 *
 * Return: its bit in health_end(), or 0 when the program was built without it.
 */
unsigned int health_bit(const char *name);

/**
 * health_begin() - record the state before a test case
 * @h: opened
 *
 * Faults logged since the last health_end() belong to no test case; they are in
 * health_stray() until the next health_begin().
 *
 * Return: 0 or -errno; an oracle that this kernel lacks is left out.
 */
int health_begin(struct health *h);

/**
 * health_renumbered() - ignore numbers in device names until the next health_begin()
 * @h: opened
 *
 * For actions that remove devices which come back under another number: "dax0.1" as
 * "dax0.4".
 */
void health_renumbered(struct health *h);

/**
 * health_end() - compare the state with that of health_begin()
 * @h: begun
 * @oracles: bits of the oracles to ask; the others are not read
 * @found: set to the bits of those that found something
 *
 * Pin counters have HEALTH_SETTLE_NS to come back, because a work queue or RCU may
 * still have to release pages.
 *
 * May be called again: a log line is reported once, by the first call that asks for any
 * of HEALTH_LOG, HEALTH_POISON and HEALTH_OVERRUN.  The others compare with
 * health_begin() again.
 *
 * Return: 0 (see @found), or -errno when an oracle could not be read; the others were
 * asked nevertheless, and @found is valid.
 */
int health_end(struct health *h, unsigned int oracles, unsigned int *found);

/**
 * health_text() - the findings of health_end(), one a line
 * @h: ended; owns the text until the next health_end(), health_begin() or
 *	health_close()
 *
 * Each line is a sentence or a quoted line of the kernel log with the function in which
 * the fault happened.  Lines of the log come first.
 *
 * Return: at most 4 KiB; "" when nothing was found.
 */
const char *health_text(const struct health *h);

/**
 * health_stray() - faults logged between health_end() and health_begin()
 * @h: begun; owns the text until the next health_begin() or health_close()
 *
 * Late consequences of an earlier test case, or faults of something else on the machine.
 *
 * Return: as health_text().
 */
const char *health_stray(const struct health *h);

/**
 * health_clear_warn_once() - re-arm WARN_ONCE (debugfs clear_warn_once)
 *
 * Harmless, but system-wide: only where the user asked for it.
 *
 * Return: 0 or -errno; -ENOENT where debugfs is not mounted.
 */
int health_clear_warn_once(void);

#endif
