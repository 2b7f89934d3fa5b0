/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Block I/O that is held in flight, and the transfer between target and peer: what
 * odirect.c, aio.c and uring.c share.  For this folder only.
 */
#ifndef DAX_LIB_PIN_IO_H
#define DAX_LIB_PIN_IO_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/pin/pin.h"

/* interval of pin_io_flush() until the I/O has completed, nanoseconds */
#define PIN_IO_FLUSH_NS	500000

/* bit of @variant: on dm-delay if there is one, else on null_blk with a delay */
#define PIN_IO_EITHER	0x1u

/**
 * struct pin_job - one blocking transfer, made by a thread of its own
 * @thread: the thread
 * @run: makes the transfer; 0 or -errno
 * @fd: block device, opened with O_DIRECT
 * @buf: memory
 * @len: bytes
 * @off: offset in the block device
 * @started: the thread exists and has not been joined
 * @tid: its thread ID; 0 until it runs
 * @done: @run has returned
 * @ret: what it returned
 * @begin_ns: CLOCK_MONOTONIC when the I/O began, if @run sets it, nanoseconds
 * @end_ns: likewise when @run had returned
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

/**
 * pin_job_start() - start the thread
 * @job: @run, @fd, @buf, @len and @off are set
 *
 * Return: 0 or -errno.
 */
int pin_job_start(struct pin_job *job);

/**
 * pin_job_join() - wait for the end of the thread
 * @job: the job
 *
 * Return: the value of @run, 0 if the thread was never started.
 */
int pin_job_join(struct pin_job *job);

/**
 * pin_job_done() - has the transfer ended?
 * @job: started
 *
 * Return: true when it has; pin_job_join() is due then, too.
 */
bool pin_job_done(const struct pin_job *job);

/**
 * struct pin_io - a pin's I/O on a target
 * @fd: the target, O_DIRECT
 * @store_fd: the same bytes, not delayed by dm-delay; may be @fd
 * @off: start of the region that belongs to this pin alone, bytes
 * @held: I/O stays in flight for some time
 * @delay: the target is dm-delay, whose I/O a command completes
 * @delay_ns: the target is null_blk with this completion delay, nanoseconds; else 0
 * @inflight: path of the target's counters of requests in flight
 * @base: requests in flight before the pin's own
 * @max_request: bytes that fit into one request; 0 if not known
 * @store: reads a SOURCE's bytes back from a slow target while they are in flight
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

/**
 * pin_io_open() - choose a target and a region of it
 * @pin: its @targets, @hold_ns and @max_len are set
 * @io: filled; the caller closes it with pin_io_close()
 *
 * Return: 0, or -EOPNOTSUPP, -ERANGE or another -errno with a reason in pin->why.
 */
int pin_io_open(struct pin *pin, struct pin_io *io);

/**
 * pin_io_prepare() - before the pin's own I/O: bring a SINK's bytes to the target
 * @pin: its peer is filled
 * @io: opened
 *
 * Return: 0 or -errno.
 */
int pin_io_prepare(struct pin *pin, struct pin_io *io);

/**
 * pin_io_wait() - wait until the pin's own I/O is in flight, all of it
 * @pin: started
 * @io: prepared
 * @job: the thread that makes the I/O; NULL when it is asynchronous
 * @over: has the I/O ended already?  Not called with a @job
 *
 * Also starts to read the bytes of a SOURCE back from a slow target.
 *
 * Return: 0, -ETIME when it has ended, -ETIMEDOUT, or another -errno.
 */
int pin_io_wait(struct pin *pin, struct pin_io *io, const struct pin_job *job,
		bool (*over)(const struct pin *pin));

/**
 * pin_io_inflight() - count requests in flight
 * @pin: of its direction
 * @io: on its target
 *
 * Return: their number, of all pins together, or -errno.
 */
int pin_io_inflight(const struct pin *pin, const struct pin_io *io);

/**
 * pin_io_flush() - complete the I/O, if that takes a command
 * @pin: the pin
 * @io: does nothing if its target is not dm-delay
 *
 * Return: 0 or -errno.
 */
int pin_io_flush(const struct pin *pin, const struct pin_io *io);

/**
 * pin_io_finish() - after the pin's own I/O: bring a SOURCE's bytes to the peer
 * @pin: its I/O has ended
 * @io: the I/O
 * @ret: how it ended, 0 or -errno
 * @end_ns: CLOCK_MONOTONIC when it was seen to have ended, nanoseconds
 *
 * Return: @ret, or the -errno of the transfer between peer and target.
 */
int pin_io_finish(struct pin *pin, struct pin_io *io, int ret, uint64_t end_ns);

/**
 * pin_now_ns() - read CLOCK_MONOTONIC
 *
 * Return: nanoseconds.
 */
uint64_t pin_now_ns(void);

/**
 * pin_io_close() - close the target, which unlocks the region
 * @io: from pin_io_open(), also when that failed
 */
void pin_io_close(struct pin_io *io);

#endif
