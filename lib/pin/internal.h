/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the families of pin methods share with pin.c.  For this folder only.
 */
#ifndef DAX_LIB_PIN_INTERNAL_H
#define DAX_LIB_PIN_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "lib/pin/pin.h"
#include "lib/registry.h"

/*
 * Methods that move bytes need the peer, the target's storage and temporarily a
 * pipe of the same length: three times the range, in a guest of 2 GiB.
 */
#define PIN_COPY_MAX	(64UL << 20)

/*
 * The kernel keeps a pointer to each page of a registered range in one array,
 * some kernels in physically contiguous memory: 2 MiB of it.
 */
#define PIN_ARRAY_MAX	(1UL << 30)

/**
 * pin_fail() - explain a failure
 * @pin: pin->why is set
 * @err: -errno
 * @fmt: a sentence
 *
 * Return: @err.
 */
int pin_fail(struct pin *pin, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * pin_pages() - the whole pages that the range of a pin touches
 * @pin: its addr and len are set
 * @addr: set to the start of the first page
 * @size: set to the length of all, bytes
 */
void pin_pages(const struct pin *pin, uintptr_t *addr, size_t *size);

/**
 * pin_read_line() - the first line of a small file
 * @path: its path
 * @text: set to the line, without its end
 * @size: bytes in @text
 *
 * Return: length of the line or -errno.
 */
int pin_read_line(const char *path, char *text, size_t size);

/**
 * pin_pipe_open() - a pipe with room for pages taken by reference
 * @fds: set to read end, write end; the caller closes them
 * @len: bytes; may begin and end inside a page
 *
 * Return: 0, -EPERM without CAP_SYS_RESOURCE for more than pipe-max-size, or
 * another -errno of pipe2(2) or F_SETPIPE_SZ.
 */
int pin_pipe_open(int fds[2], size_t len);

/**
 * pin_pipe_fill() - put memory into a pipe by reference, with vmsplice(2)
 * @fd: write end
 * @buf: the memory
 * @len: bytes
 *
 * Return: 0, -E2BIG when the pipe is full, or another -errno.
 */
int pin_pipe_fill(int fd, const void *buf, size_t len);

/**
 * pin_pipe_drain() - read from a pipe
 * @fd: read end
 * @buf: at least @len bytes
 * @len: bytes, exactly this many
 *
 * Return: 0, -EIO at EOF, or another -errno.
 */
int pin_pipe_drain(int fd, void *buf, size_t len);

#endif
