/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A process that maps DAX memory and holds pins on it, driven from outside.
 *
 * Holder and action are separate processes: on a kernel that keeps the rule one
 * process that does both waits for itself, in state D.
 */
#ifndef DAX_LIB_HOLDER_H
#define DAX_LIB_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/daxmap.h"
#include "lib/pin/pin.h"
#include "lib/timeline.h"

#define HOLDER_MAPS	4	/* mappings a holder can have at a time */
#define HOLDER_PINS	8	/* pins a holder can have at a time */

/**
 * struct holder - the driver's end
 * @pid: the process; 0 when there is none; in its own session
 * @sock: commands and replies
 * @stuck: it has left a command unanswered and is not asked again
 * @seen: whose pattern the bytes of the last SOURCE pin were, by their first word
 * @off: offset in the device or file that each map slot begins at
 * @why: a sentence about the last command that failed
 */
struct holder {
	pid_t pid;
	int sock;
	bool stuck;
	unsigned long seen;
	off_t off[HOLDER_MAPS];
	char why[192];
};

/**
 * holder_start() - start the process
 * @h: filled
 * @tl: where revocation and release are marked; shared memory
 * @targets: for pins; may be NULL
 *
 * Return: 0 or -errno.
 */
int holder_start(struct holder *h, struct timeline *tl,
		 struct pin_targets *targets);

/*
 * Every command below returns 0 or the -errno the holder met, -EPIPE when the
 * holder is dead and -ETIMEDOUT when it does not answer within HOLDER_ANSWER_NS.
 */

/** holder_map() - daxmap_open() into map slot @map; nothing is touched */
int holder_map(struct holder *h, unsigned int map, const char *path,
	       enum daxmap_size size, off_t off, size_t len, int prot);

/** holder_move() - mremap() of the slot to another address */
int holder_move(struct holder *h, unsigned int map);

/** holder_unmap() - munmap() of the slot, its descriptor stays open */
int holder_unmap(struct holder *h, unsigned int map);

/** holder_unmap_part() - munmap() of @len bytes of the slot from @off, both in bytes */
int holder_unmap_part(struct holder *h, unsigned int map, size_t off, size_t len);

/** holder_close() - unmap and close the slot */
int holder_close(struct holder *h, unsigned int map);

/**
 * holder_touch() - load one word
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 *
 * Return: 0 when it can be read, -EFAULT when it raised SIGBUS.
 */
int holder_touch(struct holder *h, unsigned int map, size_t off);

/** holder_prove() - daxmap_prove() of the whole slot by stores; -ERANGE says no */
int holder_prove(struct holder *h, unsigned int map, unsigned long *faults);

/** holder_fill() - pattern_fill(), offsets counted from the device's start */
int holder_fill(struct holder *h, unsigned int map, size_t off, size_t len,
		uint16_t tag);

/** holder_check() - pattern_check() likewise; -EILSEQ with h->why */
int holder_check(struct holder *h, unsigned int map, size_t off, size_t len,
		 uint16_t tag);

/**
 * holder_check_as() - holder_check() of bytes that belong elsewhere
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 * @len: bytes
 * @tag: who should have written it
 * @as: the offset that the first of them was written for
 */
int holder_check_as(struct holder *h, unsigned int map, size_t off, size_t len,
		    uint16_t tag, uint64_t as);

/** holder_zeroes() - is it all zeroes?  -EILSEQ with h->why */
int holder_zeroes(struct holder *h, unsigned int map, size_t off, size_t len);

/** holder_strew() - write the words that holder_sample() will look at */
int holder_strew(struct holder *h, unsigned int map, size_t off, size_t len,
		 size_t stride, uint16_t tag);

/**
 * holder_sample() - pattern_check() of one word in every @stride bytes
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 * @len: bytes
 * @stride: bytes, a multiple of 8
 * @tag: who should have written it
 */
int holder_sample(struct holder *h, unsigned int map, size_t off, size_t len,
		  size_t stride, uint16_t tag);

/**
 * holder_watch() - touch one word again and again in a thread
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 *
 * The first SIGBUS is marked TL_REVOKED and ends the thread.
 */
int holder_watch(struct holder *h, unsigned int map, size_t off);

/**
 * holder_press() - holder_watch() without a rest between two touches
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 *
 * Whatever opens a window of a few microseconds meets a touch in it.
 */
int holder_press(struct holder *h, unsigned int map, size_t off);

/**
 * holder_hammer() - read and write every page of the slot in a thread
 * @h: started
 * @map: map slot
 *
 * A SIGBUS is marked TL_REVOKED; the thread goes on until holder_calm().
 */
int holder_hammer(struct holder *h, unsigned int map);

/**
 * holder_churn() - mmap, touch and unmap in a thread
 * @h: started
 * @path: device node
 * @size: page size
 * @reopen: open and close it each time round, too
 *
 * Refusals and SIGBUS are expected while the device is away; the thread goes
 * on until holder_calm().
 */
int holder_churn(struct holder *h, const char *path, enum daxmap_size size,
		 bool reopen);

/* how holder_io() goes about it; reads unless HOLDER_WRITE */
#define HOLDER_WRITE	0x1u
#define HOLDER_DIRECT	0x2u	/* O_DIRECT */
#define HOLDER_SYNC	0x4u	/* fsync(2) after each write */

/**
 * holder_io() - read or write pages of a file or block device in a thread
 * @h: started
 * @path: opened once
 * @len: of which so many bytes, a multiple of a page
 * @tag: the pattern that is there, and that is written
 * @how: HOLDER_* bits
 *
 * Errors are expected while the device is away; the thread goes on until
 * holder_calm(), which returns -EILSEQ when other bytes were read.
 */
int holder_io(struct holder *h, const char *path, size_t len, uint16_t tag,
	      unsigned int how);

/**
 * holder_round() - wait until each thread has got round once more
 * @h: started
 *
 * What a thread of holder_churn() had open when this was called is closed when
 * it returns.
 */
int holder_round(struct holder *h);

/**
 * holder_calm() - end the threads
 * @h: started
 * @rounds: how often they got round in all; may be NULL
 *
 * Return: 0, or -EILSEQ with h->why when a thread of holder_io() read other bytes.
 */
int holder_calm(struct holder *h, unsigned long *rounds);

/**
 * holder_pin() - open and take a pin
 * @h: started
 * @pin: pin slot
 * @method: how
 * @map: map slot
 * @off: bytes from the start of the mapping
 * @len: bytes
 * @hold_ns: for a method that a clock ends
 * @tag: a SINK method brings this pattern into the memory; a SOURCE method has
 *	to find it there
 */
int holder_pin(struct holder *h, unsigned int pin,
	       const struct pin_method *method, unsigned int map, size_t off,
	       size_t len, uint64_t hold_ns, uint16_t tag);

/** holder_live() - 1 while the kernel says the pin is out, 0 when not, -errno */
int holder_live(struct holder *h, unsigned int pin);

/**
 * holder_release() - let go; marks TL_RELEASING and TL_RELEASED
 * @h: started
 * @pin: pin slot
 *
 * Return: 0; -EILSEQ when a SOURCE method got other bytes than the memory's.
 */
int holder_release(struct holder *h, unsigned int pin);

/**
 * holder_reach() - read or write what is pinned, and leave it pinned
 * @h: started
 * @pin: pin slot, of a method that can, of a page at most
 * @tag: of the pattern that is written; 0 to read
 * @seen: whose pattern was read, by its first word; may be NULL
 *
 * Return: 0; -EILSEQ when there are other bytes than the memory's, with a sentence
 * in @h->why; -EOPNOTSUPP; or another -errno.
 */
int holder_reach(struct holder *h, unsigned int pin, uint16_t tag, unsigned long *seen);

/** holder_heir() - fork; the child keeps the pins, drops the mappings, sleeps */
int holder_heir(struct holder *h, pid_t *heir);

/**
 * holder_end() - let go of everything and exit
 * @h: started
 *
 * Return: 0, or -ETIMEDOUT when it is stuck.
 */
int holder_end(struct holder *h);

/** holder_kill() - SIGKILL, without waiting for the end */
void holder_kill(struct holder *h);

/** holder_reap() - wait for the end after holder_kill(); 0 or -ETIMEDOUT */
int holder_reap(struct holder *h, uint64_t ns);

#endif
