/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the families of ways have in common.  Not for test programs.
 */
#ifndef DAX_LIB_IO_INTERNAL_H
#define DAX_LIB_IO_INTERNAL_H

#include "lib/io/io_method.h"

#define IO_PATH_FAMILY(name)							\
	int name##_open(struct io_path *p);					\
	int name##_read(struct io_path *p, off_t off, void *buf, size_t len);	\
	int name##_write(struct io_path *p, off_t off, const void *buf, size_t len); \
	void name##_close(struct io_path *p)

IO_PATH_FAMILY(io_path_map);
IO_PATH_FAMILY(io_path_call);
IO_PATH_FAMILY(io_path_uring);
IO_PATH_FAMILY(io_path_pass);

/* io_path_method.variant of io_path_map */
enum {
	IO_PATH_MAP_SHARED, IO_PATH_MAP_SYNC, IO_PATH_MAP_LENT, IO_PATH_MAP_LENT_DIRECT,
	IO_PATH_MAP_LENT_BLOCK,
};

/* of io_path_call */
enum { IO_PATH_CALL_BUFFERED, IO_PATH_CALL_VECTORED, IO_PATH_CALL_DIRECT };

/* of io_path_uring */
enum { IO_PATH_URING_PLAIN, IO_PATH_URING_DEEP, IO_PATH_URING_FIXED, IO_PATH_URING_DIRECT };

/* of io_path_pass */
enum { IO_PATH_PASS_SPLICE, IO_PATH_PASS_SENDFILE, IO_PATH_PASS_COPY };

/* write the sentence to p->why and return @err */
int io_path_fail(struct io_path *p, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* pread(2) and pwrite(2) until all is there; -ENODATA at the end of the file */
int io_path_pread(int fd, off_t off, void *buf, size_t len);
int io_path_pwrite(int fd, off_t off, const void *buf, size_t len);

#endif
