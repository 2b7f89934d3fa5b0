/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process that maps DAX memory and holds pins on it, driven by its parent.
 *
 * Pins and the action that takes the memory away are in separate processes: on a kernel
 * that waits for pins, one process that did both would wait for itself in state D.  A
 * pin process survives SIGBUS, and keeps its pins when its parent dies.
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

#define PIN_PROC_MAPS	4	/* mappings that one process can have at a time */
#define PIN_PROC_PINS	8	/* pins that one process can have at a time */

/**
 * struct pin_proc - the parent's end
 * @pid: the process, which leads a session; 0 when there is none
 * @sock: socket for commands and replies; owned
 * @stuck: it left a command unanswered; every other command fails with -ETIMEDOUT
 * @seen: tag of the pattern in the bytes of the last SOURCE pin, by their first word
 * @off: offset in the device or file that each map slot begins at, bytes
 * @why: after a command failed: what was wrong, or the step that failed
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
 * @h: filled; the caller ends the process with pin_proc_end(), or pin_proc_kill() and
 *	pin_proc_reap()
 * @tl: where it marks revocation and release; shared memory, not owned
 * @targets: for pins that need a block device; may be NULL; not owned
 *
 * Return: 0, or -errno of socketpair(2) or fork(2).
 */
int pin_proc_start(struct pin_proc *h, struct timeline *tl,
		   struct pin_targets *targets);

/*
 * Every command below returns 0 or the -errno that the process met; -EPIPE when the
 * process is dead; -ETIMEDOUT when it does not answer within 40 s.  A failure leaves in
 * @h->why what was wrong, or at least the step: "mapping /dev/dax0.0".
 */

/**
 * pin_proc_map() - open and map memory, see daxmap_open(); nothing is touched
 * @h: started
 * @map: map slot, below PIN_PROC_MAPS; empty
 * @path: device node or file
 * @size: page size wanted
 * @off: offset in @path, bytes
 * @len: bytes; 0 for all of the device
 * @prot: PROT_* bits
 *
 * Return: 0 or -errno, see above.
 */
int pin_proc_map(struct pin_proc *h, unsigned int map, const char *path,
		 enum daxmap_size size, off_t off, size_t len, int prot);

/**
 * pin_proc_move() - move a mapping to another address with mremap(2)
 * @h: started
 * @map: map slot
 *
 * Return: 0 or -errno, see above.
 */
int pin_proc_move(struct pin_proc *h, unsigned int map);

/**
 * pin_proc_unmap() - munmap(2) a mapping; its descriptor stays open
 * @h: started
 * @map: map slot
 *
 * Return: 0 or -errno, see above.
 */
int pin_proc_unmap(struct pin_proc *h, unsigned int map);

/**
 * pin_proc_unmap_part() - munmap(2) a part of a mapping
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 * @len: bytes
 *
 * Return: 0 or -errno, see above.
 */
int pin_proc_unmap_part(struct pin_proc *h, unsigned int map, size_t off, size_t len);

/**
 * pin_proc_close() - unmap a mapping and close its descriptor
 * @h: started
 * @map: map slot; may be empty
 *
 * Return: 0 or -errno, see above.
 */
int pin_proc_close(struct pin_proc *h, unsigned int map);

/**
 * pin_proc_touch() - load one word
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 *
 * Return: 0 when it can be read, -EFAULT when it raised SIGBUS, or another -errno.
 */
int pin_proc_touch(struct pin_proc *h, unsigned int map, size_t off);

/**
 * pin_proc_prove() - prove the page size of a whole mapping by stores
 * @h: started
 * @map: map slot, not yet touched
 * @faults: set to the number of faults; may be NULL
 *
 * Return: 0; -ERANGE when the mapping has another page size, see daxmap_prove(); or
 * another -errno.
 */
int pin_proc_prove(struct pin_proc *h, unsigned int map, unsigned long *faults);

/**
 * pin_proc_fill() - write the pattern, see pattern_fill()
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 * @len: bytes, a multiple of 8
 * @tag: tag of the pattern; its offsets count from the start of the device or file
 *
 * Return: 0 or -errno, see above.
 */
int pin_proc_fill(struct pin_proc *h, unsigned int map, size_t off, size_t len,
		  uint16_t tag);

/**
 * pin_proc_check() - compare memory with the pattern, see pattern_check()
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 * @len: bytes, a multiple of 8
 * @tag: tag of the pattern that pin_proc_fill() wrote
 *
 * Return: 0; -EILSEQ when a word differs; -EFAULT when reading raised SIGBUS; or another
 * -errno.
 */
int pin_proc_check(struct pin_proc *h, unsigned int map, size_t off, size_t len,
		   uint16_t tag);

/**
 * pin_proc_check_as() - pin_proc_check() of bytes that were written for another offset
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 * @len: bytes, a multiple of 8
 * @tag: tag of the pattern
 * @as: offset in the device or file that the first of them was written for, bytes
 *
 * Return: as pin_proc_check().
 */
int pin_proc_check_as(struct pin_proc *h, unsigned int map, size_t off, size_t len,
		      uint16_t tag, uint64_t as);

/**
 * pin_proc_zeroes() - check that memory is all zeroes
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 * @len: bytes
 *
 * Return: as pin_proc_check().
 */
int pin_proc_zeroes(struct pin_proc *h, unsigned int map, size_t off, size_t len);

/**
 * pin_proc_fill_sampled() - write one word of the pattern in every @stride bytes
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 * @len: bytes
 * @stride: bytes, a multiple of 8
 * @tag: tag of the pattern
 *
 * Return: 0 or -errno, see above.
 */
int pin_proc_fill_sampled(struct pin_proc *h, unsigned int map, size_t off, size_t len,
			  size_t stride, uint16_t tag);

/**
 * pin_proc_check_sampled() - compare the words that pin_proc_fill_sampled() wrote
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 * @len: bytes
 * @stride: bytes, a multiple of 8
 * @tag: tag of the pattern
 *
 * Return: 0, -EILSEQ when a word differs, or another -errno.
 */
int pin_proc_check_sampled(struct pin_proc *h, unsigned int map, size_t off, size_t len,
			   size_t stride, uint16_t tag);

/**
 * pin_proc_watch() - start a thread that loads one word five times a millisecond
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 *
 * Its first SIGBUS is marked TL_REVOKED and ends the thread.
 *
 * Return: 0, -ENOSPC with PIN_PROC_MAPS threads, or another -errno.
 */
int pin_proc_watch(struct pin_proc *h, unsigned int map, size_t off);

/**
 * pin_proc_watch_busy() - pin_proc_watch() without a pause between two loads
 * @h: started
 * @map: map slot
 * @off: bytes from the start of the mapping
 *
 * For windows of a few microseconds in which the memory must not be accessible.
 *
 * Return: as pin_proc_watch().
 */
int pin_proc_watch_busy(struct pin_proc *h, unsigned int map, size_t off);

/**
 * pin_proc_store_loop() - start a thread that reads and writes every page of a mapping
 * @h: started
 * @map: map slot
 *
 * A SIGBUS is marked TL_REVOKED; the thread runs until pin_proc_stop_threads().
 *
 * Return: as pin_proc_watch().
 */
int pin_proc_store_loop(struct pin_proc *h, unsigned int map);

/**
 * pin_proc_remap_loop() - start a thread that maps, touches and unmaps memory
 * @h: started
 * @path: device node
 * @size: page size
 * @reopen: also open and close the node in each iteration
 *
 * Refusals and SIGBUS are expected while the device is unbound; the thread runs until
 * pin_proc_stop_threads().
 *
 * Return: as pin_proc_watch().
 */
int pin_proc_remap_loop(struct pin_proc *h, const char *path, enum daxmap_size size,
			bool reopen);

/* how pin_proc_io() accesses the file; it reads unless PIN_PROC_WRITE */
#define PIN_PROC_WRITE	0x1u
#define PIN_PROC_DIRECT	0x2u	/* O_DIRECT */
#define PIN_PROC_SYNC	0x4u	/* fsync(2) after each write */

/**
 * pin_proc_io() - start a thread that reads or writes pages of a file or block device
 * @h: started
 * @path: opened once
 * @len: length of the part that is accessed, from its start; bytes, a multiple of a page
 * @tag: tag of the pattern that is expected, or written
 * @how: PIN_PROC_* bits
 *
 * Errors are expected while the device is unbound; the thread runs until
 * pin_proc_stop_threads(), which returns -EILSEQ when other bytes were read.
 *
 * Return: as pin_proc_watch(), or -errno of open(2).
 */
int pin_proc_io(struct pin_proc *h, const char *path, size_t len, uint16_t tag,
		unsigned int how);

/**
 * pin_proc_wait_iteration() - wait until each thread has done a whole iteration
 * @h: started
 *
 * A descriptor that a thread of pin_proc_remap_loop() had open before the call is closed
 * when it returns.
 *
 * Return: 0; -ETIMEDOUT after 4 s; or another -errno.
 */
int pin_proc_wait_iteration(struct pin_proc *h);

/**
 * pin_proc_stop_threads() - end all threads and wait for them
 * @h: started
 * @rounds: set to the number of their iterations, all threads together; may be NULL
 *
 * Return: 0; -EILSEQ when a thread of pin_proc_io() read other bytes; -ETIMEDOUT after
 * 4 s; or another -errno.
 */
int pin_proc_stop_threads(struct pin_proc *h, unsigned long *rounds);

/**
 * pin_proc_pin() - open a method and take a pin with it
 * @h: started
 * @pin: pin slot, below PIN_PROC_PINS; empty
 * @method: how
 * @map: map slot
 * @off: bytes from the start of the mapping
 * @len: bytes
 * @hold_ns: how long a TIMED method holds the pin, nanoseconds
 * @tag: a SINK method writes this pattern into the memory; a SOURCE method has to find
 *	it there
 *
 * Return: 0; -EOPNOTSUPP when the method cannot pin this memory, its reason in @h->why
 * or ""; or another -errno.
 */
int pin_proc_pin(struct pin_proc *h, unsigned int pin,
		 const struct pin_method *method, unsigned int map, size_t off,
		 size_t len, uint64_t hold_ns, uint16_t tag);

/**
 * pin_proc_live() - does the kernel still hold the pin?
 * @h: started
 * @pin: pin slot
 *
 * Return: 1 while it does, 0 when it does not, or -errno.
 */
int pin_proc_live(struct pin_proc *h, unsigned int pin);

/**
 * pin_proc_release() - release a pin; marks TL_RELEASING before and TL_RELEASED after
 * @h: started
 * @pin: pin slot; empty afterwards
 *
 * @h->seen is the tag that a SOURCE method found in the memory.
 *
 * Return: 0; -ENOENT for an empty slot; -EILSEQ when a SOURCE method got other bytes than
 * the memory's; or another -errno.
 */
int pin_proc_release(struct pin_proc *h, unsigned int pin);

/**
 * pin_proc_reach() - read or write the pinned memory through the pin, which stays
 * @h: started
 * @pin: pin slot, of a page at most
 * @tag: tag of the pattern that is written; 0 to read
 * @seen: set to the tag that was read, by its first word; may be NULL
 *
 * Return: 0; -EILSEQ when other bytes were read than the pin was taken on; -EOPNOTSUPP
 * when the method cannot do this; or another -errno.
 */
int pin_proc_reach(struct pin_proc *h, unsigned int pin, uint16_t tag, unsigned long *seen);

/**
 * pin_proc_fork_child() - fork a child that inherits the pins and no mapping
 * @h: started
 * @child: set to its process id; the caller kills it
 *
 * The child sleeps until it is killed.
 *
 * Return: 0 or -errno of fork(2).
 */
int pin_proc_fork_child(struct pin_proc *h, pid_t *child);

/**
 * pin_proc_end() - release everything and end the process
 * @h: started; a second call is harmless
 *
 * A process that answers with an error is killed.
 *
 * Return: 0, or -ETIMEDOUT when it is stuck.
 */
int pin_proc_end(struct pin_proc *h);

/**
 * pin_proc_kill() - send SIGKILL, without waiting for the end
 * @h: started
 */
void pin_proc_kill(struct pin_proc *h);

/**
 * pin_proc_reap() - wait for the end after pin_proc_kill()
 * @h: started; @h->pid is 0 after its end
 * @ns: longest wait, nanoseconds
 *
 * Return: 0 or -ETIMEDOUT.
 */
int pin_proc_reap(struct pin_proc *h, uint64_t ns);

#endif
