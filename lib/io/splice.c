// SPDX-License-Identifier: GPL-2.0-only
/*
 * System calls that move bytes from one descriptor to another: a pipe, a file in
 * memory, another file of the same file system.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "lib/io/internal.h"

/* both ends of a pipe */
struct splice_pipe {
	int out;
	int in;
};

static int splice_path_open(struct io_path *p)
{
	struct splice_pipe *pipe;
	int ret = io_path_open_node(p, 0), fds[2];

	if (ret)
		return ret;
	if (pipe2(fds, O_CLOEXEC))
		return io_path_fail(p, -errno, "pipe2()");
	pipe = malloc(sizeof(*pipe));
	if (!pipe) {
		close(fds[0]);
		close(fds[1]);
		return -ENOMEM;
	}
	pipe->out = fds[0];
	pipe->in = fds[1];
	p->priv = pipe;
	return 0;
}

static void splice_path_close(struct io_path *p)
{
	struct splice_pipe *pipe = p->priv;

	if (pipe) {
		close(pipe->out);
		close(pipe->in);
	}
	free(pipe);
	p->priv = NULL;
}

/* empties the pipe each time before it puts more in */
static int splice_path_read(struct io_path *p, off_t off, void *buf, size_t len)
{
	const struct splice_pipe *pipe = p->priv;
	loff_t at = off;

	for (size_t done = 0; done < len;) {
		ssize_t n = splice(p->fd, &at, pipe->in, NULL, len - done, 0);

		if (n <= 0)
			return n ? -errno : -ENODATA;
		for (ssize_t got = 0, m; got < n; got += m) {
			m = read(pipe->out, (char *)buf + done + got, n - got);
			if (m <= 0)
				return m ? -errno : -EIO;
		}
		done += n;
	}
	return 0;
}

static int splice_path_write(struct io_path *p, off_t off, const void *buf, size_t len)
{
	const struct splice_pipe *pipe = p->priv;
	size_t room = fcntl(pipe->in, F_GETPIPE_SZ);
	loff_t at = off;

	for (size_t done = 0; done < len;) {
		ssize_t n = write(pipe->in, (const char *)buf + done,
				  len - done < room ? len - done : room);

		if (n <= 0)
			return n ? -errno : -EIO;
		for (ssize_t put = 0, m; put < n; put += m) {
			m = splice(pipe->out, NULL, p->fd, &at, n - put, 0);
			if (m <= 0)
				return m ? -errno : -EIO;
		}
		done += n;
	}
	return 0;
}

/* sendfile(2) writes at the file position of its output */
static int sendfile_move(int out, off_t out_off, int in, off_t in_off, size_t len)
{
	if (lseek(out, out_off, SEEK_SET) < 0)
		return -errno;
	for (size_t done = 0; done < len;) {
		ssize_t n = sendfile(out, in, &in_off, len - done);

		if (n <= 0)
			return n ? -errno : -ENODATA;
		done += n;
	}
	return 0;
}

static int sendfile_open(struct io_path *p)
{
	int ret = io_path_open_node(p, 0);

	if (ret)
		return ret;
	p->scratch_fd = memfd_create("scratch", MFD_CLOEXEC);
	return p->scratch_fd < 0 ? io_path_fail(p, -errno, "memfd_create()") : 0;
}

static int sendfile_read(struct io_path *p, off_t off, void *buf, size_t len)
{
	int ret = sendfile_move(p->scratch_fd, 0, p->fd, off, len);

	return ret ?: io_path_pread(p->scratch_fd, 0, buf, len);
}

static int sendfile_write(struct io_path *p, off_t off, const void *buf, size_t len)
{
	int ret = io_path_pwrite(p->scratch_fd, 0, buf, len);

	return ret ?: sendfile_move(p->fd, off, p->scratch_fd, 0, len);
}

static int copy_range_move(int out, off_t out_off, int in, off_t in_off, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = copy_file_range(in, &in_off, out, &out_off, len - done, 0);

		if (n <= 0)
			return n ? -errno : -ENODATA;
		done += n;
	}
	return 0;
}

static int copy_range_open(struct io_path *p)
{
	int ret = io_path_open_node(p, 0);

	return ret ?: io_path_open_scratch_file(p, 0);
}

static int copy_range_read(struct io_path *p, off_t off, void *buf, size_t len)
{
	int ret = copy_range_move(p->scratch_fd, 0, p->fd, off, len);

	return ret ?: io_path_pread(p->scratch_fd, 0, buf, len);
}

static int copy_range_write(struct io_path *p, off_t off, const void *buf, size_t len)
{
	int ret = io_path_pwrite(p->scratch_fd, 0, buf, len);

	return ret ?: copy_range_move(p->fd, off, p->scratch_fd, 0, len);
}

static const struct io_method splice_methods[] = {
	{
		.name = "splice",
		.what = "splice() by way of a pipe",
		.on = ON_PMEM_WRITABLE,
		.flags = IO_SELF,
		.open = splice_path_open,
		.read = splice_path_read,
		.write = splice_path_write,
		.close = splice_path_close,
	}, {
		.name = "sendfile",
		.what = "sendfile() from or to a file in memory",
		.on = ON_PMEM_WRITABLE,
		.open = sendfile_open,
		.read = sendfile_read,
		.write = sendfile_write,
	}, {
		.name = "copy_file_range",
		.what = "copy_file_range() from or to a file of the same file system",
		.on = ON_FILES,
		.flags = IO_COPIES,
		.open = copy_range_open,
		.read = copy_range_read,
		.write = copy_range_write,
	},
	{ }
};

REGISTER(io_methods, splice_methods);
