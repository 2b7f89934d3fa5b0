/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Block I/O that is held in flight, and the bytes at its other end: what
 * pin_odirect, pin_aio and pin_uring share.  Not for test programs.
 */
#ifndef DAX_LIB_PIN_IO_H
#define DAX_LIB_PIN_IO_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/pin/pin.h"

/* bit of @variant: on dm-delay if there is one, else on null_blk with a delay */
#define PIN_IO_EITHER	0x1u

/**
 * struct pin_job - one blocking transfer, made by a thread of its own
 * @thread: the thread
 * @run: makes the transfer; 0 or -errno
 * @fd: block device, opened O_DIRECT
 * @buf: memory
 * @len: bytes
 * @off: offset in the block device
 * @started: the thread exists and has not been joined
 * @tid: its thread id; 0 until it runs
 * @done: @run has returned
 * @ret: what it returned
 * @begin_ns: CLOCK_MONOTONIC when the I/O began, where @run notes it
 * @end_ns: when @run had returned
 */
struct pin_job {
	pthread_t thread;
	int (*run)(struct pin_job *job);
	int fd;
	void *buf;
	size_t len;
	off_t off;
	bool started;
	int tid;
	int done;
	int ret;
	uint64_t begin_ns;
	uint64_t end_ns;
};

/* start the thread; 0 or -errno */
int pin_job_start(struct pin_job *job);

/* wait for the end of the thread; what @run returned, 0 if it never started */
int pin_job_join(struct pin_job *job);

bool pin_job_done(const struct pin_job *job);

/**
 * struct pin_io - a pin's I/O on a target
 * @fd: the target, O_DIRECT
 * @store_fd: the same bytes, by a way that dm-delay does not hold up; may be @fd
 * @off: start of the region that belongs to this pin alone
 * @held: I/O stays in flight for a while
 * @delay: the target is dm-delay: a command lets go
 * @delay_ns: the target is null_blk with this completion delay; else 0
 * @inflight: path of the target's counters of requests in flight
 * @base: requests in flight before ours
 * @max_request: bytes that fit into one request; 0 if not known
 * @store: reads a SOURCE's bytes back from a slow target meanwhile
 */
struct pin_io {
	int fd;
	int store_fd;
	off_t off;
	bool held;
	bool delay;
	uint64_t delay_ns;
	char inflight[48];
	int base;
	size_t max_request;
	struct pin_job store;
};

/* choose target and region; -EOPNOTSUPP, -ERANGE or another -errno, with why */
int pin_io_open(struct pin *pin, struct pin_io *io);

/* before the pin's own I/O: bring a SINK's bytes from the peer to the target */
int pin_io_prepare(struct pin *pin, struct pin_io *io);

/**
 * pin_io_wait() - wait until the pin's own I/O is in flight, all of it
 * @pin: started
 * @io: prepared
 * @job: the thread that makes the I/O; NULL when it is asynchronous
 * @over: has it ended already?
 *
 * Also starts to read back what a SOURCE has put on a slow target.
 *
 * Return: 0, -ETIME when it has ended, -ETIMEDOUT, or another -errno.
 */
int pin_io_wait(struct pin *pin, struct pin_io *io, const struct pin_job *job,
		bool (*over)(const struct pin *pin));

/* requests of the pin's direction in flight on the target, or -errno */
int pin_io_inflight(const struct pin *pin, const struct pin_io *io);

/* let go what waits for a command; nothing to do for a timed target */
int pin_io_let_go(const struct pin *pin, const struct pin_io *io);

/**
 * pin_io_finish() - after the pin's own I/O: a SOURCE's bytes get to the peer
 * @pin: its I/O has ended
 * @io: the I/O
 * @ret: how it ended, 0 or -errno
 * @end_ns: CLOCK_MONOTONIC when it was seen to have ended
 *
 * Return: @ret, or the -errno of the transfer between peer and target.
 */
int pin_io_finish(struct pin *pin, struct pin_io *io, int ret, uint64_t end_ns);

/* CLOCK_MONOTONIC, nanoseconds */
uint64_t pin_now_ns(void);

/* give region and descriptors back; safe when pin_io_open() failed */
void pin_io_close(struct pin_io *io);

#endif
