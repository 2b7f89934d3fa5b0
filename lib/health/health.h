/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel says about itself: log, taint, pin counters, /proc/iomem and
 * the devices of the dax and nd buses, before and after.
 */
#ifndef DAX_LIB_HEALTH_H
#define DAX_LIB_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* one bit for each oracle, in the result of health_end() */
#define HEALTH_LOG	0x01u	/* a line of the kernel log that tells of a fault */
#define HEALTH_OVERRUN	0x02u	/* the log wrapped: something may be missed */
#define HEALTH_TAINT	0x04u	/* a new taint bit */
#define HEALTH_PINS	0x08u	/* acquired - released is not what it was */
#define HEALTH_IOMEM	0x10u	/* /proc/iomem differs */
#define HEALTH_DEVICES	0x20u	/* devices under /sys/bus/{dax,nd} differ */
#define HEALTH_THP_SPLIT 0x40u	/* thp_split_pud moved although nobody looked */
#define HEALTH_POISON	0x80u	/* a line of the log that tells of memory failure */
/* no oracle: what a listing names by number has another one, see health_renumbered() */
#define HEALTH_NUMBERS	0x100u

/*
 * How long pin counters may take to come back.  io_uring lets go of a fixed
 * buffer only after a grace period of its ring and a turn of a work queue
 * (io_ring_exit_work() looks every 50 ms), bios from a softirq: some hundred
 * milliseconds on a loaded machine without KVM.  Balanced counters end the wait
 * at once, so only a leak pays for it.
 */
#define HEALTH_SETTLE_NS 2000000000ULL

struct health;

/**
 * health_open() - open the log and allocate
 * @h: set; the caller owns it until health_close()
 *
 * The log is read through an own descriptor of /dev/kmsg; it is never cleared.
 * A child shares that descriptor and its cursor: after fork(2) only one of the
 * two may go on with @h.
 *
 * Return: 0, -ENOMEM, or -errno of open(2) (-EPERM without root).
 */
int health_open(struct health **h);

/** health_close() - free; NULL is fine */
void health_close(struct health *h);

/**
 * health_begin() - remember how things are
 * @h: opened
 *
 * What the log told since the last health_end() belongs to no cell; it is in
 * health_stray() until the next health_begin().
 *
 * Return: 0 or -errno; an oracle this kernel lacks is left out, not an error.
 */
int health_begin(struct health *h);

/**
 * health_renumbered() - until the next health_begin(), numbers in names do not count
 * @h: opened
 *
 * For what takes devices away that come back as others: "dax0.1" as "dax0.4".
 */
void health_renumbered(struct health *h);

/**
 * health_end() - compare with health_begin()
 * @h: begun
 * @oracles: HEALTH_* bits to ask; the others are not looked at
 * @found: HEALTH_* bits that said no
 *
 * Pin counters are given HEALTH_SETTLE_NS to come back: releases may still be
 * on their way through a work queue or RCU.
 *
 * May be called again: log lines are told once, by the first call that asks
 * for HEALTH_LOG or HEALTH_OVERRUN; the others compare with health_begin() anew.
 *
 * Return: 0 (look at @found), or -errno when an oracle could not be read; the
 * others were asked all the same, and @found is valid.
 */
int health_end(struct health *h, unsigned int oracles, unsigned int *found);

/**
 * health_text() - what was found, one finding a line
 * @h: ended; the text lives until the next health_end(), health_begin() or
 *	health_close()
 *
 * Each line is a sentence or a quoted line of the kernel log, the first fault
 * of the log first, with the function it happened in.  At most 4 KiB; "" when
 * nothing was found.
 */
const char *health_text(const struct health *h);

/**
 * health_stray() - faults the log told of between the last health_end() and
 *	this health_begin()
 * @h: begun
 *
 * Late consequences of an earlier cell, or somebody else's.  "" when there are
 * none.
 */
const char *health_stray(const struct health *h);

/**
 * health_log_is_fault() - does a line of the kernel log tell of a fault?
 * @line: the message without its prefix
 *
 * Exposed for unit tests.  Known strings are in one table.
 */
bool health_log_is_fault(const char *line);

/** health_name() - the word for one HEALTH_* bit: "log", "taint", ... */
const char *health_name(unsigned int bit);

/**
 * health_clear_warn_once() - let every WARN_ONCE speak again
 *
 * Writes debugfs clear_warn_once; harmless, but system-wide: the caller asks
 * for leave first.
 *
 * Return: 0 or -errno (-ENOENT where debugfs is not mounted).
 */
int health_clear_warn_once(void);

#endif
