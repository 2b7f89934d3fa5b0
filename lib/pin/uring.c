// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring: reads and writes in flight, and registered buffers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "lib/pin/internal.h"
#include "lib/pin/io.h"

/* bits of @variant, beside PIN_IO_EITHER */
#define URING_IO	0x2u	/* a read or write is submitted */
#define URING_FIXED	0x4u	/* the memory is a registered buffer */

#ifdef HAVE_LIBURING

#include <liburing.h>

/* one request at a time; a smaller ring would not save memory */
#define RING_ENTRIES	4

/* the kernel takes no larger buffer (io_buffer_validate()) */
#define BUFFER_MAX	(1UL << 30)

struct uring {
	struct pin_io io;
	struct io_uring ring;
	bool registered;	/* buffers are */
	bool submitted;		/* a completion is due */
	size_t done;		/* bytes transferred by earlier requests */
};

static bool does_io(const struct pin *pin)
{
	return pin->method->variant & URING_IO;
}

static bool is_fixed(const struct pin *pin)
{
	return pin->method->variant & URING_FIXED;
}

static int uring_open(struct pin *pin)
{
	struct uring *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	err = io_uring_queue_init(RING_ENTRIES, &u->ring, 0);
	if (err) {
		free(u);
		if (err == -ENOMEM || err == -EMFILE || err == -ENFILE)
			return err;
		/* not built in, or switched off by the sysctl io_uring_disabled */
		return pin_fail(pin, -EOPNOTSUPP, "this kernel has no io_uring");
	}
	if (does_io(pin))
		err = pin_io_open(pin, &u->io);
	if (err) {
		io_uring_queue_exit(&u->ring);
		free(u);
		return err;
	}
	pin->priv = u;
	return 0;
}

static int uring_register(struct uring *u, char *addr, size_t len)
{
	unsigned int i, nr = (len + BUFFER_MAX - 1) / BUFFER_MAX;
	struct iovec *iov = calloc(nr, sizeof(*iov));
	int err;

	if (!iov)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		iov[i].iov_base = addr + i * BUFFER_MAX;
		iov[i].iov_len = len - i * BUFFER_MAX < BUFFER_MAX ?
				 len - i * BUFFER_MAX : BUFFER_MAX;
	}
	err = io_uring_register_buffers(&u->ring, iov, nr);
	free(iov);
	u->registered = !err;
	return err;
}

static int uring_unregister(struct uring *u)
{
	if (!u->registered)
		return 0;
	u->registered = false;
	return io_uring_unregister_buffers(&u->ring);
}

/* submit what is left of the range */
static int uring_submit(struct pin *pin, struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	bool write = pin->method->flags & PIN_SOURCE;
	char *buf = (char *)pin->addr + u->done;
	unsigned int len = pin->len - u->done;
	off_t off = u->io.off + u->done;
	int n;

	if (!sqe)
		return -EBUSY;
	/* a range of a method that does I/O fits into the first buffer */
	if (is_fixed(pin) && write)
		io_uring_prep_write_fixed(sqe, u->io.fd, buf, len, off, 0);
	else if (is_fixed(pin))
		io_uring_prep_read_fixed(sqe, u->io.fd, buf, len, off, 0);
	else if (write)
		io_uring_prep_write(sqe, u->io.fd, buf, len, off);
	else
		io_uring_prep_read(sqe, u->io.fd, buf, len, off);
	n = io_uring_submit(&u->ring);
	if (n < 0)
		return n;
	u->submitted = true;
	return 0;
}

/* has the request completed? */
static bool uring_over(const struct pin *pin)
{
	struct uring *u = pin->priv;
	struct io_uring_cqe *cqe;

	return !io_uring_peek_cqe(&u->ring, &cqe);
}

/*
 * More than one command: at the first one a thread of io_uring may still have been
 * submitting parts of a large range to dm-delay.  If a command fails, the I/O
 * completes when its delay is over.
 */
static void uring_flush(const struct pin *pin, struct uring *u)
{
	const struct timespec pause = { .tv_nsec = PIN_IO_FLUSH_NS };

	while (u->io.delay && !uring_over(pin) && !pin_io_flush(pin, &u->io))
		nanosleep(&pause, NULL);
}

/*
 * Complete the I/O and wait for it.  A transfer that the kernel cut short
 * is continued: its own errno for the rest is the one to report.
 */
static int uring_reap(struct pin *pin, struct uring *u)
{
	struct io_uring_cqe *cqe;
	int err, res;

	while (u->submitted) {
		uring_flush(pin, u);
		err = io_uring_wait_cqe(&u->ring, &cqe);
		if (err == -EINTR)
			continue;
		if (err)
			return err;
		res = cqe->res;
		io_uring_cqe_seen(&u->ring, cqe);
		u->submitted = false;
		if (res <= 0)
			return res ? res : -EIO;
		u->done += res;
		if (u->done < pin->len) {
			err = uring_submit(pin, u);
			if (err)
				return err;
		}
	}
	return 0;
}

static int uring_take_io(struct pin *pin, struct uring *u)
{
	int err, ret;

	u->done = 0;
	err = uring_submit(pin, u);
	if (!err && u->io.held)
		err = pin_io_wait(pin, &u->io, NULL, uring_over);
	if (!err && u->io.held)
		return 0;

	/* it may have been submitted: wait for it */
	ret = uring_reap(pin, u);
	ret = pin_io_finish(pin, &u->io, ret, pin_now_ns());
	if (ret || !u->io.held)
		return ret;
	return pin_fail(pin, err, "the I/O was not seen in flight");
}

static int uring_take(struct pin *pin)
{
	struct uring *u = pin->priv;
	int err;

	/* first the buffer: a refusal need not wait for I/O */
	if (is_fixed(pin)) {
		err = uring_register(u, pin->addr, pin->len);
		if (err)
			return pin_fail(pin, err, "the buffer was refused");
	}
	if (!does_io(pin))
		return 0;
	err = pin_io_prepare(pin, &u->io);
	if (!err)
		err = uring_take_io(pin, u);
	if (err)
		uring_unregister(u);
	return err;
}

/* does the ring still have its table of buffers?  The kernel refuses a second one. */
static int uring_registered(struct uring *u)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	int err = io_uring_register_buffers(&u->ring, &iov, 1);

	if (err == -EBUSY)
		return 1;
	if (err)
		return err;
	io_uring_unregister_buffers(&u->ring);
	return 0;
}

static int uring_live(struct pin *pin)
{
	struct uring *u = pin->priv;
	int n = 0;

	if (does_io(pin) && u->submitted) {
		/* in this order: the system call may post a completion */
		n = pin_io_inflight(pin, &u->io);
		if (n > 0 && uring_over(pin))
			n = 0;
	}
	/* last: old kernels wait for I/O before they look at the table */
	if (!n && is_fixed(pin))
		return uring_registered(u);
	return n < 0 ? n : n > 0;
}

static int uring_release(struct pin *pin)
{
	struct uring *u = pin->priv;
	int ret = 0, gone;

	if (does_io(pin) && u->submitted) {
		ret = uring_reap(pin, u);
		ret = pin_io_finish(pin, &u->io, ret, pin_now_ns());
	}
	gone = uring_unregister(u);
	return ret ? ret : gone;
}

static void uring_close(struct pin *pin)
{
	struct uring *u = pin->priv;

	if (!u)
		return;
	io_uring_queue_exit(&u->ring);
	if (does_io(pin))
		pin_io_close(&u->io);
	free(u);
	pin->priv = NULL;
}

/* one transfer between a registered buffer and a file, waited for */
static int uring_transfer(struct uring *u, int fd, void *addr, unsigned int len, bool write)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	struct io_uring_cqe *cqe;
	int ret;

	if (!sqe)
		return -EBUSY;
	/* a write into the memory is a read of the file */
	if (write)
		io_uring_prep_read_fixed(sqe, fd, addr, len, 0, 0);
	else
		io_uring_prep_write_fixed(sqe, fd, addr, len, 0, 0);
	ret = io_uring_submit_and_wait(&u->ring, 1);
	if (ret < 0)
		return ret;
	ret = io_uring_wait_cqe(&u->ring, &cqe);
	if (ret)
		return ret;
	ret = cqe->res;
	io_uring_cqe_seen(&u->ring, cqe);
	return ret < 0 ? ret : (unsigned int)ret == len ? 0 : -EIO;
}

/* the table of buffers holds the reference: a transfer takes none (io_import_fixed()) */
static int uring_reach(struct pin *pin, void *buf, bool write)
{
	struct uring *u = pin->priv;
	int fd, ret = 0;

	if (!u->registered)
		return -EOPNOTSUPP;
	fd = memfd_create("ksft-dax-reach", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write && pwrite(fd, buf, pin->len, 0) != (ssize_t)pin->len)
		ret = -EIO;
	ret = ret ?: uring_transfer(u, fd, pin->addr, pin->len, write);
	if (!ret && !write && pread(fd, buf, pin->len, 0) != (ssize_t)pin->len)
		ret = -EIO;
	close(fd);
	return ret;
}

#define URING_FUNCTIONS				\
	.open = uring_open,			\
	.take = uring_take,			\
	.live = uring_live,			\
	.release = uring_release,		\
	.close = uring_close
#else
#define URING_FUNCTIONS	.lacks = "built without liburing"
#define uring_reach	NULL
#endif

static const struct pin_method uring_methods[] = {
	{
		.name = "uring_write",
		.what = "io_uring write held in flight by null_blk's completion delay",
		.flags = PIN_SOURCE | PIN_HELD | PIN_TIMED,
		.variant = URING_IO,
		.max_len = PIN_COPY_MAX,
		URING_FUNCTIONS,
	}, {
		.name = "uring_read",
		.what = "io_uring read held in flight by null_blk's completion delay",
		.flags = PIN_SINK | PIN_HELD | PIN_TIMED,
		.variant = URING_IO,
		.max_len = PIN_COPY_MAX,
		URING_FUNCTIONS,
	}, {
		.name = "uring_write_dmdelay",
		.what = "io_uring write held in flight by dm-delay",
		.flags = PIN_SOURCE | PIN_HELD | PIN_DM_DELAY,
		.variant = URING_IO,
		.max_len = PIN_COPY_MAX,
		URING_FUNCTIONS,
	}, {
		.name = "uring_read_dmdelay",
		.what = "io_uring read held in flight by dm-delay",
		.flags = PIN_SINK | PIN_HELD | PIN_DM_DELAY,
		.variant = URING_IO,
		.max_len = PIN_COPY_MAX,
		URING_FUNCTIONS,
	}, {
		.name = "uring_fixed",
		.what = "io_uring registered buffer, no I/O",
		.flags = PIN_HELD | PIN_LONGTERM | PIN_OUTLIVES | PIN_REACH,
		.variant = URING_FIXED,
		URING_FUNCTIONS,
		.reach = uring_reach,
	}, {
		.name = "uring_write_fixed",
		.what = "io_uring registered buffer and a write from it in flight",
		.flags = PIN_SOURCE | PIN_HELD | PIN_LONGTERM,
		.variant = URING_IO | URING_FIXED | PIN_IO_EITHER,
		.max_len = PIN_COPY_MAX,
		URING_FUNCTIONS,
	}, {
		.name = "uring_read_fixed",
		.what = "io_uring registered buffer and a read into it in flight",
		.flags = PIN_SINK | PIN_HELD | PIN_LONGTERM,
		.variant = URING_IO | URING_FIXED | PIN_IO_EITHER,
		.max_len = PIN_COPY_MAX,
		URING_FUNCTIONS,
	},
	{ }
};

REGISTER(pin_methods, uring_methods);
