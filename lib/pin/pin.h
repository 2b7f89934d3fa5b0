/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ways in which user space makes the kernel hold references to its pages.
 * One table (pin_methods), one entry and one file for each family.
 *
 * Not among them is iommufd, which no kernel of Debian's has.
 */
#ifndef DAX_LIB_PIN_H
#define DAX_LIB_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pin;
struct pin_targets;

/*
 * What a method does with the memory.  A method moves bytes from the memory
 * (SOURCE), into it (SINK), or only holds it (neither).
 */
#define PIN_SOURCE	0x01u	/* the kernel reads the memory */
#define PIN_SINK	0x02u	/* the kernel writes into the memory */
#define PIN_HELD	0x04u	/* stays out from pin_take() to pin_release() */
#define PIN_TIMED	0x08u	/* a clock lets go: pin_release() only waits */
#define PIN_LONGTERM	0x10u	/* FOLL_LONGTERM: fsdax must refuse it */
#define PIN_OUTLIVES	0x20u	/* a child of fork keeps it out when the taker is gone */
#define PIN_ELABORATE	0x40u	/* milliseconds for each: a thousand are worth it once */
#define PIN_LOST	0x80u	/* a faulty kernel never gives it back: destructive cells */

/**
 * struct pin_method - one way to pin
 * @name: the word in the cell's name, stable
 * @what: one sentence for -h
 * @flags: PIN_*
 * @variant: the family's own: which of its members this is
 * @max_len: largest range one pin can take, bytes; 0 for no limit.  What a clock
 *	holds in flight (null_blk and a @hold_ns of struct pin) is 1 MiB at most
 * @open: allocates what the pin needs before it is taken; -EOPNOTSUPP when
 *	kernel or machine lacks it, with a sentence in pin->why
 * @take: takes the pin on pin->addr, pin->len.  A SINK method's bytes come from
 *	pin->peer.  A method that is not HELD moves its bytes here
 * @live: is it still out?  1 yes, 0 no, -errno cannot tell.  Read from the
 *	kernel (a completion not there yet, bytes still in the pipe), never
 *	from our own book-keeping alone
 * @release: lets go (or, if TIMED, waits until it is let go).  A SOURCE
 *	method's bytes are in pin->peer afterwards
 * @close: frees; never fails, also after a failed @take
 * @reach: reads what is pinned into a buffer, or writes it, without a further
 *	reference: whoever's memory it is by now.  NULL where that cannot be done
 */
struct pin_method {
	const char *name;
	const char *what;
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

/* all methods, in the order of the cells; ends with an entry without a name */
extern const struct pin_method pin_methods[];

/** pin_method_find() - by name; NULL if there is none */
const struct pin_method *pin_method_find(const char *name);

/**
 * struct pin - one pin
 * @method: how
 * @targets: what holds I/O in flight, and a device for RDMA; not owned
 * @hold_ns: how long a TIMED pin is wanted out, nanoseconds; set before
 *	pin_open(), rounded up to what a target offers.  0: the transfer goes
 *	through the fast target and is over when pin_take() returns
 * @max_len: largest range that will be taken, bytes; from pin_open()
 * @addr: what is pinned; set by pin_take()
 * @len: bytes
 * @peer: anonymous memory of at least @len bytes, the other end of the data;
 *	owned by the pin, there from pin_take() on (SINK: from pin_prepare() on)
 * @peer_len: its size, bytes
 * @taken: the pin has been taken and not released
 * @why: a sentence when something failed, else empty
 * @priv: the method's own
 *
 * A pin is taken, asked and let go by one process; every pin survives munmap(2)
 * of what it pins.  No more than one thread at a time uses libdevmapper, which
 * the methods on dm-delay do.
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
 * @pin: filled; the caller owns it until pin_close()
 * @method: one of pin_methods
 * @targets: from pin_targets_create(); NULL if there are none
 * @max_len: largest range that will be taken, bytes: @peer gets this size
 *
 * Return: 0; -EOPNOTSUPP when this kernel or machine cannot, -E2BIG when @max_len
 * is more than the method takes, -ERANGE when no target holds for pin->hold_ns
 * (pin->why says so each time); else another -errno.
 */
int pin_open(struct pin *pin, const struct pin_method *method,
	     struct pin_targets *targets, size_t max_len);

/**
 * pin_prepare() - make pin->peer
 * @pin: opened
 *
 * For SINK methods, between pin_open() and pin_take(): the caller fills
 * pin->peer with the bytes that shall arrive.  Its first byte goes to the first
 * byte of the range, and pin_take() and pin_release() leave a SINK's peer as it
 * is.  pin_take() makes the peer itself where this was not called.
 *
 * Return: 0 or -ENOMEM.
 */
int pin_prepare(struct pin *pin);

/**
 * pin_take() - take the pin
 * @pin: opened
 * @addr: start; alignment as the method needs (512 bytes serves all)
 * @len: bytes, at most max_len of pin_open()
 *
 * When it returns 0 the kernel holds the references (HELD), or has held and
 * dropped them again (not HELD).
 *
 * Return: 0, or -errno as the kernel gave it (-EFAULT, -EOPNOTSUPP, ...);
 * -ETIME when a clock let go before all of it was seen in flight.
 */
int pin_take(struct pin *pin, void *addr, size_t len);

/** pin_live() - 1 while the kernel still holds it, 0 when not, or -errno */
int pin_live(struct pin *pin);

/**
 * pin_release() - let go
 * @pin: opened
 *
 * Where the kernel unpins by RCU or a work queue (AF_XDP) the references may go
 * a moment later.
 *
 * The command that lets go of dm-delay's I/O lets go all of it: of several pins
 * by *_dmdelay methods the first release ends every one.
 *
 * A transfer that the kernel cut short because the range is not mapped to its
 * end is gone on with, and fails here with -EFAULT if part of it was in flight.
 *
 * Return: 0; -EIO or the kernel's own -errno when the data transfer failed.
 */
int pin_release(struct pin *pin);

/** pin_close() - release what is taken, free everything; safe to call twice */
void pin_close(struct pin *pin);

/**
 * pin_abandon() - forget the pin without letting it go
 * @pin: opened
 *
 * For the parked holder: user memory is not freed, no descriptor is closed.
 */
void pin_abandon(struct pin *pin);

/**
 * struct pin_counters - the kernel's own book of FOLL_PIN references
 * @acquired: nr_foll_pin_acquired of /proc/vmstat, pages
 * @released: nr_foll_pin_released, pages
 *
 * Counted since 1970dc6f5226 ("mm/gup: /proc/vmstat: pin_user_pages (FOLL_PIN)
 * reporting").  Plain references (vmsplice, O_DIRECT of old kernels) are not.
 *
 * Exact is the difference, acquired - released.  @acquired alone also counts
 * what the fast path took and gave back before the slow path took it again, as
 * for FOLL_LONGTERM on device-dax.  A registered buffer keeps one reference for
 * each huge page, not for each base page, where the kernel coalesces them.
 */
struct pin_counters {
	uint64_t acquired;
	uint64_t released;
};

/**
 * pin_counters_read() - fold the per-CPU counters, then read them
 * @c: filled
 *
 * Return: 0, -EOPNOTSUPP where the kernel has none, -EACCES without root.
 */
int pin_counters_read(struct pin_counters *c);

#endif
