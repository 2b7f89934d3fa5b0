// SPDX-License-Identifier: GPL-2.0-only
/* io_uring: one request at a time, many in flight, a registered buffer and file. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/io/internal.h"

enum { URING_PLAIN, URING_DEEP, URING_FIXED, URING_DIRECT };

#ifdef HAVE_LIBURING

#include <liburing.h>

/* most requests in flight */
#define DEPTH		128

/* size of the registered buffer, bytes; longer ranges go through it part by part */
#define FIXED_BYTES	(1UL << 20)

struct uring {
	struct io_uring ring;
	bool ready;
	char *fixed;
	bool files;
};

static bool uring_path_is(const struct io_path *p, unsigned int variant)
{
	return p->method->variant == variant;
}

static int uring_path_register(struct io_path *p, struct uring *u)
{
	struct iovec iov;
	int ret;

	u->fixed = aligned_alloc(sysconf(_SC_PAGESIZE), FIXED_BYTES);
	if (!u->fixed)
		return -ENOMEM;
	iov = (struct iovec){ u->fixed, FIXED_BYTES };
	ret = io_uring_register_buffers(&u->ring, &iov, 1);
	if (ret)
		return io_path_fail(p, ret, "registering a buffer");
	ret = io_uring_register_files(&u->ring, &p->fd, 1);
	if (ret)
		return io_path_fail(p, ret, "registering a file");
	u->files = true;
	return 0;
}

static int uring_path_open(struct io_path *p)
{
	struct uring *u = calloc(1, sizeof(*u));
	int ret;

	if (!u)
		return -ENOMEM;
	p->priv = u;
	ret = io_path_open_node(p, uring_path_is(p, URING_DIRECT) ? O_DIRECT : 0);
	if (ret)
		return ret;
	ret = io_uring_queue_init(DEPTH, &u->ring, 0);
	if (ret)
		return io_path_fail(p, -EOPNOTSUPP, "io_uring_queue_init(): %s",
				    strerror(-ret));
	u->ready = true;
	return uring_path_is(p, URING_FIXED) ? uring_path_register(p, u) : 0;
}

static void uring_path_prepare(struct io_path *p, struct io_uring_sqe *sqe, off_t off, char *buf,
			       size_t len, bool write)
{
	if (uring_path_is(p, URING_FIXED)) {
		if (write)
			io_uring_prep_write_fixed(sqe, 0, buf, len, off, 0);
		else
			io_uring_prep_read_fixed(sqe, 0, buf, len, off, 0);
		sqe->flags |= IOSQE_FIXED_FILE;
	} else if (write) {
		io_uring_prep_write(sqe, p->fd, buf, len, off);
	} else {
		io_uring_prep_read(sqe, p->fd, buf, len, off);
	}
}

/* waits for one; 0, -EAGAIN after a short transfer, -ENODATA at EOF, or -errno */
static int uring_path_reap(struct uring *u, bool write)
{
	struct io_uring_cqe *cqe;
	size_t want;
	int ret;

	do
		ret = io_uring_wait_cqe(&u->ring, &cqe);
	while (ret == -EINTR);
	if (ret)
		return ret;
	want = (uintptr_t)io_uring_cqe_get_data(cqe);
	ret = cqe->res;
	io_uring_cqe_seen(&u->ring, cqe);
	if (ret < 0)
		return ret;
	if (!ret)
		return write ? -EIO : -ENODATA;
	return (size_t)ret == want ? 0 : -EAGAIN;
}

/* a deep method divides the range into pages, as many in flight as the ring has room for */
static int uring_path_transfer(struct io_path *p, off_t off, char *buf, size_t len, bool write)
{
	struct uring *u = p->priv;
	bool deep = uring_path_is(p, URING_DEEP) || uring_path_is(p, URING_DIRECT);
	size_t part = deep ? (size_t)sysconf(_SC_PAGESIZE) : len, done = 0;
	unsigned int in_flight = 0, depth = deep ? DEPTH : 1;
	int first = 0, ret;

	while (done < len || in_flight) {
		struct io_uring_sqe *sqe;
		size_t now = len - done < part ? len - done : part;

		if (now && in_flight < depth && !first) {
			sqe = io_uring_get_sqe(&u->ring);
			uring_path_prepare(p, sqe, off + done, buf + done, now, write);
			io_uring_sqe_set_data(sqe, (void *)(uintptr_t)now);
			done += now;
			in_flight++;
			if (done < len && in_flight < depth)
				continue;
			ret = io_uring_submit(&u->ring);
			if (ret < 0)
				return ret;
		}
		ret = uring_path_reap(u, write);
		first = first ?: ret;
		in_flight--;
		if (first && !in_flight)
			break;
	}
	return first;
}

/* a short transfer is repeated by plain system calls: only the bytes are under test */
static int uring_path_move(struct io_path *p, off_t off, char *buf, size_t len, bool write)
{
	int ret = uring_path_transfer(p, off, buf, len, write);

	if (ret != -EAGAIN)
		return ret;
	return write ? io_path_pwrite(p->fd, off, buf, len) : io_path_pread(p->fd, off, buf, len);
}

static int uring_path_read(struct io_path *p, off_t off, void *buf, size_t len)
{
	struct uring *u = p->priv;
	int ret = 0;

	if (!u->fixed)
		return uring_path_move(p, off, buf, len, false);
	for (size_t done = 0, now; !ret && done < len; done += now) {
		now = len - done < FIXED_BYTES ? len - done : FIXED_BYTES;
		ret = uring_path_move(p, off + done, u->fixed, now, false);
		memcpy((char *)buf + done, u->fixed, now);
	}
	return ret;
}

static int uring_path_write(struct io_path *p, off_t off, const void *buf, size_t len)
{
	struct uring *u = p->priv;
	int ret = 0;

	if (!u->fixed)
		return uring_path_move(p, off, (char *)buf, len, true);
	for (size_t done = 0, now; !ret && done < len; done += now) {
		now = len - done < FIXED_BYTES ? len - done : FIXED_BYTES;
		memcpy(u->fixed, (const char *)buf + done, now);
		ret = uring_path_move(p, off + done, u->fixed, now, true);
	}
	return ret;
}

static void uring_path_close(struct io_path *p)
{
	struct uring *u = p->priv;

	/* a ring drops its registered files some time after it was closed */
	if (u && u->files)
		io_uring_unregister_files(&u->ring);
	if (u && u->ready)
		io_uring_queue_exit(&u->ring);
	if (u)
		free(u->fixed);
	free(u);
	p->priv = NULL;
}

#define URING_FUNCTIONS		\
	.open = uring_path_open,	\
	.read = uring_path_read,	\
	.write = uring_path_write,	\
	.close = uring_path_close
#else
#define URING_FUNCTIONS	.lacks = "built without liburing"
#endif

static const struct io_method uring_methods[] = {
	{
		.name = "uring",
		.what = "io_uring, one request at a time",
		.on = ON_PMEM_WRITABLE,
		.flags = IO_SELF,
		.variant = URING_PLAIN,
		URING_FUNCTIONS,
	}, {
		.name = "uring_deep",
		.what = "io_uring, up to 128 requests in flight",
		.on = ON_PMEM_WRITABLE,
		.flags = IO_SELF,
		.variant = URING_DEEP,
		URING_FUNCTIONS,
	}, {
		.name = "uring_fixed",
		.what = "io_uring, a registered buffer and a registered file",
		.on = ON_PMEM_WRITABLE,
		.variant = URING_FIXED,
		URING_FUNCTIONS,
	}, {
		.name = "uring_direct",
		.what = "io_uring, O_DIRECT, up to 128 requests in flight",
		.on = ON_PMEM_WRITABLE,
		.flags = IO_ALIGNED | IO_SELF,
		.variant = URING_DIRECT,
		URING_FUNCTIONS,
	},
	{ }
};

REGISTER(io_methods, uring_methods);
