/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the families of pin methods share with pin.c.  Not for test programs.
 */
#ifndef DAX_LIB_PIN_INTERNAL_H
#define DAX_LIB_PIN_INTERNAL_H

#include <stddef.h>

#include "lib/pin/pin.h"

/*
 * Methods that move bytes need the peer, the target's storage and for a moment
 * a pipe of the same length: three times the range, in a guest of 2 GiB.
 */
#define PIN_COPY_MAX	(64UL << 20)

/*
 * The kernel keeps a pointer to each page of a registered range in one array,
 * some kernels in physically contiguous memory: 2 MiB of it.
 */
#define PIN_ARRAY_MAX	(1UL << 30)

/* the five functions of a family, named after it */
#define PIN_FAMILY(name)			\
	int name##_open(struct pin *pin);	\
	int name##_take(struct pin *pin);	\
	int name##_live(struct pin *pin);	\
	int name##_release(struct pin *pin);	\
	void name##_close(struct pin *pin)

PIN_FAMILY(pin_odirect);
PIN_FAMILY(pin_aio);
PIN_FAMILY(pin_uring);
int pin_uring_reach(struct pin *pin, void *buf, bool write);
PIN_FAMILY(pin_vmsplice);
PIN_FAMILY(pin_splice);
PIN_FAMILY(pin_zerocopy);
PIN_FAMILY(pin_xdp);
PIN_FAMILY(pin_rdma);
PIN_FAMILY(pin_vfio);
PIN_FAMILY(pin_process_vm);
PIN_FAMILY(pin_proc_mem);
PIN_FAMILY(pin_kvm);
int pin_kvm_reach(struct pin *pin, void *buf, bool write);
PIN_FAMILY(pin_gup_test);

/* pin_method.variant of pin_odirect, pin_aio and pin_uring */
#define PIN_IO_SUBMIT	0x1u	/* a read or write is submitted */
#define PIN_IO_FIXED	0x2u	/* the memory is a registered buffer */
#define PIN_IO_DELAY	0x4u	/* to dm-delay; else to null_blk */
#define PIN_IO_EITHER	0x8u	/* where it is to be held, to dm-delay if there is one */

/* pin_method.variant of pin_splice: how pages get into the second pipe */
#define PIN_SPLICE_TEE	1
#define PIN_SPLICE_MOVE	2

/* pin_method.variant of pin_gup_test is the number of its ioctl; this one holds */
#define PIN_GUP_TEST_HOLD	7

/* write the sentence to pin->why and return @err */
int pin_fail(struct pin *pin, int err, const char *fmt, ...);

/* the whole pages that the range of a pin touches */
void pin_pages(const struct pin *pin, uintptr_t *addr, size_t *size);

/* the first line of a small file, without its end; length or -errno */
int pin_read_line(const char *path, char *text, size_t size);

/**
 * pin_pipe_open() - a pipe with room for pages taken by reference
 * @fds: read end, write end
 * @len: bytes; may begin and end inside a page
 *
 * Return: 0, -EPERM without CAP_SYS_RESOURCE for more than pipe-max-size, or
 * another -errno of pipe2(2) or F_SETPIPE_SZ.
 */
int pin_pipe_open(int fds[2], size_t len);

/* vmsplice(2) all of it; -E2BIG when the pipe is full */
int pin_pipe_fill(int fd, const void *buf, size_t len);

/* read(2) exactly @len bytes */
int pin_pipe_drain(int fd, void *buf, size_t len);

#endif
