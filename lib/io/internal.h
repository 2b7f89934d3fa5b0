/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions shared by the families of I/O methods.  Not for test programs.
 */
#ifndef DAX_LIB_IO_INTERNAL_H
#define DAX_LIB_IO_INTERNAL_H

#include "lib/io/io_method.h"
#include "lib/registry.h"

REGISTRY(io_methods, struct io_method);

/* write the sentence to p->why and return @err */
int io_path_fail(struct io_path *p, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* open p->node for reading and writing, with @flags of open(2) added, as p->fd; 0 or -errno */
int io_path_open_node(struct io_path *p, int flags);

/* create or open p->scratch.file as p->scratch_fd; 0 or -errno */
int io_path_open_scratch_file(struct io_path *p, int flags);

/* pread(2) and pwrite(2) of a whole range; -ENODATA at the end of the file */
int io_path_pread(int fd, off_t off, void *buf, size_t len);
int io_path_pwrite(int fd, off_t off, const void *buf, size_t len);

#endif
