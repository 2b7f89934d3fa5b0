/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the families of ways have in common.  Not for test programs.
 */
#ifndef DAX_LIB_IOPATH_INTERNAL_H
#define DAX_LIB_IOPATH_INTERNAL_H

#include "lib/io/io_method.h"

#define IOPATH_FAMILY(name)							\
	int name##_open(struct iopath *p);					\
	int name##_read(struct iopath *p, off_t off, void *buf, size_t len);	\
	int name##_write(struct iopath *p, off_t off, const void *buf, size_t len); \
	void name##_close(struct iopath *p)

IOPATH_FAMILY(iopath_map);
IOPATH_FAMILY(iopath_call);
IOPATH_FAMILY(iopath_uring);
IOPATH_FAMILY(iopath_pass);

/* iopath_method.variant of iopath_map */
enum {
	IOPATH_MAP_SHARED, IOPATH_MAP_SYNC, IOPATH_MAP_LENT, IOPATH_MAP_LENT_DIRECT,
	IOPATH_MAP_LENT_BLOCK,
};

/* of iopath_call */
enum { IOPATH_CALL_BUFFERED, IOPATH_CALL_VECTORED, IOPATH_CALL_DIRECT };

/* of iopath_uring */
enum { IOPATH_URING_PLAIN, IOPATH_URING_DEEP, IOPATH_URING_FIXED, IOPATH_URING_DIRECT };

/* of iopath_pass */
enum { IOPATH_PASS_SPLICE, IOPATH_PASS_SENDFILE, IOPATH_PASS_COPY };

/* write the sentence to p->why and return @err */
int iopath_fail(struct iopath *p, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* pread(2) and pwrite(2) until all is there; -ENODATA at the end of the file */
int iopath_pread(int fd, off_t off, void *buf, size_t len);
int iopath_pwrite(int fd, off_t off, const void *buf, size_t len);

#endif
