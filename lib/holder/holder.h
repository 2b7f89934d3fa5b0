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

#define PIN_PROC_MAPS	4	/* mappings a holder can have at a time */
#define PIN_PROC_PINS	8	/* pins a holder can have at a time */

/**
 * struct pin_proc - the driver's end
 * @pid: the process; 0 when there is none; in its own session
 * @sock: commands and replies
 * @stuck: it has left a command unanswered and is not asked again
 * @seen: whose pattern the bytes of the last SOURCE pin were, by their first word
 * @off: offset in the device or file that each map slot begins at
 * @why: a sentence about the last command that failed
 */
struct pin_proc {
	pid_t pid;
	int sock;
	bool stuck;
	unsigned long seen;
	off_t off[PIN_PROC_MAPS];
	char why[192];
};

/**
 * pin_proc_start() - start the process
 * @h: filled
 * @tl: where revocation and release are marked; shared memory
 * @targets: for pins; may be NULL
 *
 * Return: 0 or -errno.
 */
int pin_proc_start(struct pin_proc *h, struct timeline *tl,
		   struct pin_targets *targets);

/*
 * Every command below returns 0 or the -errno the holder met, -EPIPE when the
 * holder is dead and -ETIMEDOUT when it does not answer within PIN_PROC_ANSWER_NS.
 */

/** pin_proc_map() - daxmap_open() into map slot @map; nothing is touched */
int pin_proc_map(struct pin_proc *h, unsigned int map, const char *path,
		 enum daxmap_size size, off_t off, size_t len, int prot);

/** pin_proc_move() - mremap() of the slot to another address */
int pin_proc_move(struct pin_proc *h, unsigned int map);

/** pin_proc_unmap() - munmap() of the slot, its descriptor stays open */
int pin_proc_unmap(struct pin_proc *h, unsigned int map);

/** pin_proc_unmap_part() - munmap() of @len bytes of the slot from @off, both in bytes */
int pin_proc_unmap_part(struct pin_proc *h, unsigned int map, size_t off, size_t len);

/** pin_proc_close() - unmap and close the slot */
int pin_proc_close(struct pin_proc *h, unsigned int map);

/**
 * pin_proc_touch() - load one word
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 *
 * Return: 0 when it can be read, -EFAULT when it raised SIGBUS.
 */
int pin_proc_touch(struct pin_proc *h, unsigned int map, size_t off);

/** pin_proc_prove() - daxmap_prove() of the whole slot by stores; -ERANGE says no */
int pin_proc_prove(struct pin_proc *h, unsigned int map, unsigned long *faults);

/** pin_proc_fill() - pattern_fill(), offsets counted from the device's start */
int pin_proc_fill(struct pin_proc *h, unsigned int map, size_t off, size_t len,
		  uint16_t tag);

/** pin_proc_check() - pattern_check() likewise; -EILSEQ with h->why */
int pin_proc_check(struct pin_proc *h, unsigned int map, size_t off, size_t len,
		   uint16_t tag);

/**
 * pin_proc_check_as() - pin_proc_check() of bytes that belong elsewhere
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 * @len: bytes
 * @tag: who should have written it
 * @as: the offset that the first of them was written for
 */
int pin_proc_check_as(struct pin_proc *h, unsigned int map, size_t off, size_t len,
		      uint16_t tag, uint64_t as);

/** pin_proc_zeroes() - is it all zeroes?  -EILSEQ with h->why */
int pin_proc_zeroes(struct pin_proc *h, unsigned int map, size_t off, size_t len);

/** pin_proc_fill_sampled() - write the words that pin_proc_check_sampled() will look at */
int pin_proc_fill_sampled(struct pin_proc *h, unsigned int map, size_t off, size_t len,
			  size_t stride, uint16_t tag);

/**
 * pin_proc_check_sampled() - pattern_check() of one word in every @stride bytes
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 * @len: bytes
 * @stride: bytes, a multiple of 8
 * @tag: who should have written it
 */
int pin_proc_check_sampled(struct pin_proc *h, unsigned int map, size_t off, size_t len,
			   size_t stride, uint16_t tag);

/**
 * pin_proc_watch() - touch one word again and again in a thread
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 *
 * The first SIGBUS is marked TL_REVOKED and ends the thread.
 */
int pin_proc_watch(struct pin_proc *h, unsigned int map, size_t off);

/**
 * pin_proc_watch_busy() - pin_proc_watch() without a rest between two touches
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 *
 * Whatever opens a window of a few microseconds meets a touch in it.
 */
int pin_proc_watch_busy(struct pin_proc *h, unsigned int map, size_t off);

/**
 * pin_proc_store_loop() - read and write every page of the slot in a thread
 * @h: started
 * @map: map slot
 *
 * A SIGBUS is marked TL_REVOKED; the thread goes on until pin_proc_stop_threads().
 */
int pin_proc_store_loop(struct pin_proc *h, unsigned int map);

/**
 * pin_proc_remap_loop() - mmap, touch and unmap in a thread
 * @h: started
 * @path: device node
 * @size: page size
 * @reopen: open and close it each time round, too
 *
 * Refusals and SIGBUS are expected while the device is away; the thread goes
 * on until pin_proc_stop_threads().
 */
int pin_proc_remap_loop(struct pin_proc *h, const char *path, enum daxmap_size size,
			bool reopen);

/* how pin_proc_io() goes about it; reads unless PIN_PROC_WRITE */
#define PIN_PROC_WRITE	0x1u
#define PIN_PROC_DIRECT	0x2u	/* O_DIRECT */
#define PIN_PROC_SYNC	0x4u	/* fsync(2) after each write */

/**
 * pin_proc_io() - read or write pages of a file or block device in a thread
 * @h: started
 * @path: opened once
 * @len: of which so many bytes, a multiple of a page
 * @tag: the pattern that is there, and that is written
 * @how: PIN_PROC_* bits
 *
 * Errors are expected while the device is away; the thread goes on until
 * pin_proc_stop_threads(), which returns -EILSEQ when other bytes were read.
 */
int pin_proc_io(struct pin_proc *h, const char *path, size_t len, uint16_t tag,
		unsigned int how);

/**
 * pin_proc_wait_iteration() - wait until each thread has got round once more
 * @h: started
 *
 * What a thread of pin_proc_remap_loop() had open when this was called is closed when
 * it returns.
 */
int pin_proc_wait_iteration(struct pin_proc *h);

/**
 * pin_proc_stop_threads() - end the threads
 * @h: started
 * @rounds: how often they got round in all; may be NULL
 *
 * Return: 0, or -EILSEQ with h->why when a thread of pin_proc_io() read other bytes.
 */
int pin_proc_stop_threads(struct pin_proc *h, unsigned long *rounds);

/**
 * pin_proc_pin() - open and take a pin
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
int pin_proc_pin(struct pin_proc *h, unsigned int pin,
		 const struct pin_method *method, unsigned int map, size_t off,
		 size_t len, uint64_t hold_ns, uint16_t tag);

/** pin_proc_live() - 1 while the kernel says the pin is out, 0 when not, -errno */
int pin_proc_live(struct pin_proc *h, unsigned int pin);

/**
 * pin_proc_release() - let go; marks TL_RELEASING and TL_RELEASED
 * @h: started
 * @pin: pin slot
 *
 * Return: 0; -EILSEQ when a SOURCE method got other bytes than the memory's.
 */
int pin_proc_release(struct pin_proc *h, unsigned int pin);

/**
 * pin_proc_reach() - read or write what is pinned, and leave it pinned
 * @h: started
 * @pin: pin slot, of a method that can, of a page at most
 * @tag: of the pattern that is written; 0 to read
 * @seen: whose pattern was read, by its first word; may be NULL
 *
 * Return: 0; -EILSEQ when there are other bytes than the memory's, with a sentence
 * in @h->why; -EOPNOTSUPP; or another -errno.
 */
int pin_proc_reach(struct pin_proc *h, unsigned int pin, uint16_t tag, unsigned long *seen);

/** pin_proc_fork_child() - fork; the child keeps the pins, drops the mappings, sleeps */
int pin_proc_fork_child(struct pin_proc *h, pid_t *heir);

/**
 * pin_proc_end() - let go of everything and exit
 * @h: started
 *
 * Return: 0, or -ETIMEDOUT when it is stuck.
 */
int pin_proc_end(struct pin_proc *h);

/** pin_proc_kill() - SIGKILL, without waiting for the end */
void pin_proc_kill(struct pin_proc *h);

/** pin_proc_reap() - wait for the end after pin_proc_kill(); 0 or -ETIMEDOUT */
int pin_proc_reap(struct pin_proc *h, uint64_t ns);

#endif
