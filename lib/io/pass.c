// SPDX-License-Identifier: GPL-2.0
/*
 * By calls that move bytes from one descriptor to another: a pipe, a file in memory,
 * another file of the same file system.
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
struct ends {
	int out;
	int in;
};

static int open_pipe(struct io_path *p)
{
	struct ends *e = malloc(sizeof(*e));
	int fds[2];

	if (!e)
		return -ENOMEM;
	if (pipe2(fds, O_CLOEXEC)) {
		free(e);
		return -errno;
	}
	e->out = fds[0];
	e->in = fds[1];
	p->priv = e;
	return 0;
}

int io_path_pass_open(struct io_path *p)
{
	p->fd = open(p->node, O_RDWR | O_CLOEXEC);
	if (p->fd < 0)
		return -errno;
	switch (p->method->variant) {
	case IO_PATH_PASS_SPLICE:
		return open_pipe(p);
	case IO_PATH_PASS_SENDFILE:
		p->other = memfd_create("passed", MFD_CLOEXEC);
		break;
	default:
		p->other = open(p->beside.file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		break;
	}
	return p->other < 0 ? -errno : 0;
}

/* what went into the pipe is all taken out before more goes in */
static int splice_read(struct io_path *p, off_t off, char *buf, size_t len)
{
	const struct ends *e = p->priv;
	loff_t at = off;

	for (size_t done = 0; done < len;) {
		ssize_t n = splice(p->fd, &at, e->in, NULL, len - done, 0);

		if (n <= 0)
			return n ? -errno : -ENODATA;
		for (ssize_t got = 0, m; got < n; got += m) {
			m = read(e->out, buf + done + got, n - got);
			if (m <= 0)
				return m ? -errno : -EIO;
		}
		done += n;
	}
	return 0;
}

static int splice_write(struct io_path *p, off_t off, const char *buf, size_t len)
{
	const struct ends *e = p->priv;
	size_t room = fcntl(e->in, F_GETPIPE_SZ);
	loff_t at = off;

	for (size_t done = 0; done < len;) {
		ssize_t n = write(e->in, buf + done, len - done < room ? len - done : room);

		if (n <= 0)
			return n ? -errno : -EIO;
		for (ssize_t put = 0, m; put < n; put += m) {
			m = splice(e->out, NULL, p->fd, &at, n - put, 0);
			if (m <= 0)
				return m ? -errno : -EIO;
		}
		done += n;
	}
	return 0;
}

/* sendfile(2) writes where its output's position is */
static int send_all(int out, off_t out_off, int in, off_t in_off, size_t len)
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

static int copy_all(int out, off_t out_off, int in, off_t in_off, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = copy_file_range(in, &in_off, out, &out_off, len - done, 0);

		if (n <= 0)
			return n ? -errno : -ENODATA;
		done += n;
	}
	return 0;
}

static int move(const struct io_path *p, int out, off_t out_off, int in, off_t in_off, size_t len)
{
	return p->method->variant == IO_PATH_PASS_COPY ? copy_all(out, out_off, in, in_off, len) :
							send_all(out, out_off, in, in_off, len);
}

int io_path_pass_read(struct io_path *p, off_t off, void *buf, size_t len)
{
	int ret;

	if (p->method->variant == IO_PATH_PASS_SPLICE)
		return splice_read(p, off, buf, len);
	ret = move(p, p->other, 0, p->fd, off, len);
	return ret ?: io_path_pread(p->other, 0, buf, len);
}

int io_path_pass_write(struct io_path *p, off_t off, const void *buf, size_t len)
{
	int ret;

	if (p->method->variant == IO_PATH_PASS_SPLICE)
		return splice_write(p, off, buf, len);
	ret = io_path_pwrite(p->other, 0, buf, len);
	return ret ?: move(p, p->fd, off, p->other, 0, len);
}

void io_path_pass_close(struct io_path *p)
{
	struct ends *e = p->priv;

	if (e) {
		close(e->out);
		close(e->in);
	}
	free(e);
	p->priv = NULL;
}
