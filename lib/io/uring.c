// SPDX-License-Identifier: GPL-2.0
/*
 * By io_uring: one request at a time, many in flight, a registered buffer and file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/io/internal.h"

#ifdef HAVE_LIBURING

#include <liburing.h>

/* at most so many requests in flight */
#define DEPTH		128

/* a range is cut into so many bytes for each request in flight */
#define PART		4096

/* the registered buffer; longer ranges go through it in turns */
#define FIXED_BYTES	(1UL << 20)

struct uring {
	struct io_uring ring;
	bool ready;
	char *fixed;
	bool files;
};

static bool is(const struct io_path *p, unsigned int variant)
{
	return p->method->variant == variant;
}

static int register_all(struct io_path *p, struct uring *u)
{
	struct iovec iov;
	int ret;

	u->fixed = aligned_alloc(sysconf(_SC_PAGESIZE), FIXED_BYTES);
	if (!u->fixed)
		return -ENOMEM;
	iov = (struct iovec){ u->fixed, FIXED_BYTES };
	ret = io_uring_register_buffers(&u->ring, &iov, 1);
	ret = ret ?: io_uring_register_files(&u->ring, &p->fd, 1);
	u->files = !ret;
	return ret;
}

int io_path_uring_open(struct io_path *p)
{
	struct uring *u = calloc(1, sizeof(*u));
	int ret;

	if (!u)
		return -ENOMEM;
	p->priv = u;
	p->fd = open(p->node, O_RDWR | O_CLOEXEC | (is(p, IO_PATH_URING_DIRECT) ? O_DIRECT : 0));
	if (p->fd < 0)
		return -errno;
	ret = io_uring_queue_init(DEPTH, &u->ring, 0);
	if (ret)
		return io_path_fail(p, -EOPNOTSUPP, "this kernel has no io_uring to offer");
	u->ready = true;
	return is(p, IO_PATH_URING_FIXED) ? register_all(p, u) : 0;
}

static void prepare(struct io_path *p, struct io_uring_sqe *sqe, off_t off, char *buf, size_t len,
		    bool write)
{
	if (is(p, IO_PATH_URING_FIXED)) {
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

/* waits for one; 0, -EAGAIN when it came short, -ENODATA, -errno */
static int reap(struct uring *u, bool write)
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

/* parts of a range, as many in flight as there is room for */
static int transfer(struct io_path *p, off_t off, char *buf, size_t len, bool write)
{
	struct uring *u = p->priv;
	bool deep = is(p, IO_PATH_URING_DEEP) || is(p, IO_PATH_URING_DIRECT);
	size_t part = deep ? PART : len, done = 0;
	unsigned int flying = 0, depth = deep ? DEPTH : 1;
	int first = 0, ret;

	while (done < len || flying) {
		struct io_uring_sqe *sqe;
		size_t now = len - done < part ? len - done : part;

		if (now && flying < depth && !first) {
			sqe = io_uring_get_sqe(&u->ring);
			prepare(p, sqe, off + done, buf + done, now, write);
			io_uring_sqe_set_data(sqe, (void *)(uintptr_t)now);
			done += now;
			flying++;
			if (done < len && flying < depth)
				continue;
			ret = io_uring_submit(&u->ring);
			if (ret < 0)
				return ret;
		}
		ret = reap(u, write);
		first = first ?: ret;
		flying--;
		if (first && !flying)
			break;
	}
	return first;
}

/* what came short is done again by plain calls: the bytes are what matters here */
static int whole(struct io_path *p, off_t off, char *buf, size_t len, bool write)
{
	int ret = transfer(p, off, buf, len, write);

	if (ret != -EAGAIN)
		return ret;
	return write ? io_path_pwrite(p->fd, off, buf, len) : io_path_pread(p->fd, off, buf, len);
}

int io_path_uring_read(struct io_path *p, off_t off, void *buf, size_t len)
{
	struct uring *u = p->priv;
	int ret = 0;

	if (!u->fixed)
		return whole(p, off, buf, len, false);
	for (size_t done = 0, now; !ret && done < len; done += now) {
		now = len - done < FIXED_BYTES ? len - done : FIXED_BYTES;
		ret = whole(p, off + done, u->fixed, now, false);
		memcpy((char *)buf + done, u->fixed, now);
	}
	return ret;
}

int io_path_uring_write(struct io_path *p, off_t off, const void *buf, size_t len)
{
	struct uring *u = p->priv;
	int ret = 0;

	if (!u->fixed)
		return whole(p, off, (char *)buf, len, true);
	for (size_t done = 0, now; !ret && done < len; done += now) {
		now = len - done < FIXED_BYTES ? len - done : FIXED_BYTES;
		memcpy(u->fixed, (const char *)buf + done, now);
		ret = whole(p, off + done, u->fixed, now, true);
	}
	return ret;
}

void io_path_uring_close(struct io_path *p)
{
	struct uring *u = p->priv;

	/* a ring that still has the file gives it back some time after its end */
	if (u && u->files)
		io_uring_unregister_files(&u->ring);
	if (u && u->ready)
		io_uring_queue_exit(&u->ring);
	if (u)
		free(u->fixed);
	free(u);
	p->priv = NULL;
}

#else

int io_path_uring_open(struct io_path *p)
{
	return io_path_fail(p, -EOPNOTSUPP, "built without liburing");
}

int io_path_uring_read(struct io_path *p, off_t off, void *buf, size_t len)
{
	(void)p;
	(void)off;
	(void)buf;
	(void)len;
	return -EOPNOTSUPP;
}

int io_path_uring_write(struct io_path *p, off_t off, const void *buf, size_t len)
{
	(void)p;
	(void)off;
	(void)buf;
	(void)len;
	return -EOPNOTSUPP;
}

void io_path_uring_close(struct io_path *p)
{
	(void)p;
}

#endif
