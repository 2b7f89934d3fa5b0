/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ways in which user space makes the kernel hold references to pages of its memory.
 *
 * Each family of methods is a file in this folder that registers its entries; a file
 * that is left out of the build takes its methods along.  pin.c has the functions
 * that tests call, select.h names sets of methods, targets.h makes the devices that
 * methods need.
 */
#ifndef DAX_LIB_PIN_H
#define DAX_LIB_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/pin/counters.h"

struct pin;
struct pin_targets;

/*
 * Properties of a method.  It moves bytes from the memory (SOURCE), into it (SINK),
 * or only holds references to it (neither).
 */
#define PIN_SOURCE	0x001u	/* the kernel reads the memory */
#define PIN_SINK	0x002u	/* the kernel writes into the memory */
#define PIN_HELD	0x004u	/* the references stay from pin_take() to pin_release() */
#define PIN_TIMED	0x008u	/* completes by itself after a delay; pin_release() only waits */
#define PIN_LONGTERM	0x010u	/* FOLL_LONGTERM: fsdax must refuse it */
#define PIN_OUTLIVES	0x020u	/* inherited by fork(), survives the process that took it */
#define PIN_ELABORATE	0x040u	/* expensive to set up: milliseconds for each pin */
#define PIN_LOST	0x080u	/* some kernels never drop the references: destructive cells */
#define PIN_DM_DELAY	0x100u	/* always I/O that dm-delay holds: pin_targets_flush() ends it */
#define PIN_DIRECT	0x200u	/* a pread() or pwrite() with O_DIRECT */
#define PIN_REACH	0x400u	/* @reach of struct pin_method works */

/**
 * struct pin_method - one way to pin
 * @name: the word in the cell's name, stable
 * @what: one sentence for -h
 * @lacks: why this build cannot carry it out; NULL when it can.  With @lacks none of
 *	the functions need be set
 * @flags: PIN_*
 * @variant: for the family's own use: which of its members this is
 * @max_len: largest range that one pin can take, bytes; 0 for no limit.  I/O that
 *	null_blk's delay holds (@hold_ns of struct pin) is at most 1 MiB
 * @open: allocates what the pin needs before it is taken; -EOPNOTSUPP when kernel
 *	or machine lacks it, with a sentence in pin->why
 * @take: takes the pin on pin->addr, pin->len.  A SINK method's bytes come from
 *	pin->peer.  A method that is not HELD moves its bytes here
 * @live: does the kernel still hold the references?  1 yes, 0 no, -errno cannot be
 *	found out.  From the kernel (a completion not there yet, bytes still in the
 *	pipe), never from the test's own state alone.  HELD methods only
 * @release: drops the references (or, if TIMED, waits until they are dropped).  A
 *	SOURCE method's bytes are in pin->peer afterwards.  HELD methods only
 * @close: frees; never fails, also after a failed @take.  NULL if there is nothing
 *	to free
 * @reach: reads the pinned memory into a buffer, or writes it, without taking a
 *	further reference, also after the memory has got another owner.  With the
 *	flag PIN_REACH only
 */
struct pin_method {
	const char *name;
	const char *what;
	const char *lacks;
	unsigned int flags;
	unsigned int variant;
	size_t max_len;
	int (*open)(struct pin *pin);
	int (*take)(struct pin *pin);
	int (*live)(struct pin *pin);
	int (*release)(struct pin *pin);
	void (*close)(struct pin *pin);
	int (*reach)(struct pin *pin, void *buf, bool write);
};

/**
 * pin_method_next() - visit all methods that are linked
 * @m: a method; NULL for the first
 *
 * The order is that in which the families are linked.
 *
 * Return: the method after @m, NULL when it was the last.
 */
const struct pin_method *pin_method_next(const struct pin_method *m);

#define for_each_pin_method(m) \
	for (m = pin_method_next(NULL); m; m = pin_method_next(m))

/**
 * pin_method_find() - look a method up
 * @name: its name
 *
 * Return: the method, or NULL if there is none of that name.
 */
const struct pin_method *pin_method_find(const char *name);

/**
 * struct pin - one pin
 * @method: how
 * @targets: devices that hold I/O in flight or register memory; not owned
 * @hold_ns: how long a TIMED pin should be held, nanoseconds; set before
 *	pin_open(), rounded up to a delay that a target offers.  0: the transfer uses
 *	the target without a delay and is complete when pin_take() returns
 * @max_len: largest range that will be taken, bytes; from pin_open()
 * @addr: start of the pinned range; set by pin_take()
 * @len: its length, bytes
 * @peer: anonymous memory of at least @len bytes, the other end of the transfer;
 *	owned by the pin, there from pin_take() on (SINK: from pin_prepare() on)
 * @peer_len: its size, bytes
 * @taken: the pin has been taken and not released
 * @why: a sentence when something failed, else empty
 * @priv: the method's own
 *
 * One process takes a pin, queries it and releases it; every pin survives munmap(2)
 * of the pinned range.  No more than one thread at a time uses libdevmapper, which
 * the PIN_DM_DELAY methods do.
 */
struct pin {
	const struct pin_method *method;
	struct pin_targets *targets;
	uint64_t hold_ns;
	size_t max_len;
	void *addr;
	size_t len;
	void *peer;
	size_t peer_len;
	bool taken;
	char why[160];
	void *priv;
};

/**
 * pin_open() - make ready what the pin needs
 * @pin: with @hold_ns set, the rest is filled; the caller owns it until pin_close(),
 *	which is due after a failure, too
 * @method: how
 * @targets: from pin_targets_create(); NULL if there are none
 * @max_len: largest range that will be taken, bytes: @peer gets this size
 *
 * Return: 0; -EOPNOTSUPP when this build, kernel or machine cannot, -E2BIG when
 * @max_len is more than the method takes, -ERANGE when no target holds for
 * pin->hold_ns (pin->why says so each time); else another -errno.
 */
int pin_open(struct pin *pin, const struct pin_method *method,
	     struct pin_targets *targets, size_t max_len);

/**
 * pin_open_filled() - pin_open(), and fill a SINK method's peer with the pattern
 * @pin: as for pin_open()
 * @method: how
 * @targets: as for pin_open()
 * @len: length of the range, bytes, a multiple of 8
 * @tag: who writes, 16 bits: the tag of the pattern
 * @off: offset of the range in its own coordinates, bytes, a multiple of 8
 *
 * pin_take() of a range of @len bytes then brings pattern_fill(range, @len, @tag,
 * @off) into it if the method is a SINK.
 *
 * Return: as pin_open(), or -ENOMEM when there is no memory for the peer.
 */
int pin_open_filled(struct pin *pin, const struct pin_method *method,
		    struct pin_targets *targets, size_t len, uint16_t tag, uint64_t off);

/**
 * pin_prepare() - allocate pin->peer
 * @pin: opened
 *
 * For SINK methods, between pin_open() and pin_take(): the caller fills pin->peer
 * with the bytes to be transferred.  Its first byte goes to the first byte of the
 * range; pin_take() and pin_release() do not change a SINK's peer.  pin_take()
 * allocates the peer itself where this was not called.
 *
 * Return: 0 or -ENOMEM.
 */
int pin_prepare(struct pin *pin);

/**
 * pin_take() - take the pin
 * @pin: opened
 * @addr: start; alignment as the method needs (512 bytes is enough for all)
 * @len: bytes, at most max_len of pin_open()
 *
 * When it returns 0 the kernel holds the references (HELD), or has held and
 * dropped them again (not HELD).
 *
 * Return: 0, or -errno as the kernel gave it (-EFAULT, -EOPNOTSUPP, ...);
 * -ETIME when a TIMED pin's delay was over before all of it was seen in flight.
 */
int pin_take(struct pin *pin, void *addr, size_t len);

/**
 * pin_live() - does the kernel still hold the references?
 * @pin: opened
 *
 * Return: 1 yes, 0 no (also when it was never taken), or -errno.
 */
int pin_live(struct pin *pin);

/**
 * pin_release() - drop the references
 * @pin: opened
 *
 * Where the kernel unpins by RCU or a work queue (AF_XDP) the references may be
 * dropped a moment later.
 *
 * The command by which dm-delay completes its I/O completes all of it: of several
 * pins by PIN_DM_DELAY methods the first release ends every one.
 *
 * A transfer that the kernel cut short because the range is not mapped to its end is
 * continued, and fails here with -EFAULT if part of it was in flight.
 *
 * Return: 0; -EIO or the kernel's own -errno when the transfer failed.
 */
int pin_release(struct pin *pin);

/**
 * pin_close() - release the pin if it is taken, free everything
 * @pin: from pin_open(), also when that failed; may be closed twice
 */
void pin_close(struct pin *pin);

#endif
