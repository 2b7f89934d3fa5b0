// SPDX-License-Identifier: GPL-2.0-only
/*
 * Direct I/O by pread(2) and pwrite(2).  To hold it in flight takes a thread: the call
 * does not return before the I/O has completed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/pin/internal.h"
#include "lib/pin/io.h"

struct odirect {
	struct pin_io io;
	struct pin_job job;
};

static int odirect_open(struct pin *pin)
{
	struct odirect *o = calloc(1, sizeof(*o));
	int err;

	if (!o)
		return -ENOMEM;
	err = pin_io_open(pin, &o->io);
	if (err) {
		free(o);
		return err;
	}
	pin->priv = o;
	return 0;
}

/*
 * A transfer that the kernel cuts short (the range is not mapped to its end) is
 * continued: the kernel's own errno for the rest is the one to report.
 */
static int odirect_transfer(struct pin_job *job,
			    ssize_t (*step)(int fd, char *buf, size_t len, off_t off))
{
	size_t done = 0;
	ssize_t n;

	while (done < job->len) {
		n = step(job->fd, (char *)job->buf + done, job->len - done, job->off + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	return 0;
}

static ssize_t step_write(int fd, char *buf, size_t len, off_t off)
{
	return pwrite(fd, buf, len, off);
}

static ssize_t step_read(int fd, char *buf, size_t len, off_t off)
{
	return pread(fd, buf, len, off);
}

static int run_write(struct pin_job *job)
{
	return odirect_transfer(job, step_write);
}

static int run_read(struct pin_job *job)
{
	return odirect_transfer(job, step_read);
}

static int odirect_take(struct pin *pin)
{
	struct odirect *o = pin->priv;
	struct pin_job *job = &o->job;
	int err, ret;

	err = pin_io_prepare(pin, &o->io);
	if (err)
		return err;

	job->run = pin->method->flags & PIN_SOURCE ? run_write : run_read;
	job->fd = o->io.fd;
	job->buf = pin->addr;
	job->len = pin->len;
	job->off = o->io.off;
	if (!o->io.held) {
		ret = job->run(job);
		return pin_io_finish(pin, &o->io, ret, 0);
	}

	err = pin_job_start(job);
	if (!err)
		err = pin_io_wait(pin, &o->io, job, NULL);
	if (!err)
		return 0;

	/* it may have been submitted: wait for it */
	pin_io_flush(pin, &o->io);
	ret = pin_job_join(job);
	ret = pin_io_finish(pin, &o->io, ret, job->end_ns);
	if (ret)
		return ret;
	return pin_fail(pin, err, "the I/O was not seen in flight");
}

static int odirect_live(struct pin *pin)
{
	struct odirect *o = pin->priv;
	int n;

	if (!o->io.held || pin_job_done(&o->job))
		return 0;
	n = pin_io_inflight(pin, &o->io);
	return n < 0 ? n : n > 0;
}

static int odirect_release(struct pin *pin)
{
	const struct timespec pause = { .tv_nsec = PIN_IO_FLUSH_NS };
	struct odirect *o = pin->priv;
	int err = 0, ret;

	if (!o->io.held)
		return 0;
	/*
	 * More than one command: old kernels do the rest of a read that was cut short
	 * through the page cache, and dm-delay holds that back as well.
	 */
	while (o->io.delay && !pin_job_done(&o->job)) {
		err = pin_io_flush(pin, &o->io);
		if (err)
			break;
		nanosleep(&pause, NULL);
	}
	/* if a command fails, the I/O completes when its delay is over: join anyway */
	ret = pin_job_join(&o->job);
	ret = pin_io_finish(pin, &o->io, ret, o->job.end_ns);
	return ret ? ret : err;
}

static void odirect_close(struct pin *pin)
{
	struct odirect *o = pin->priv;

	if (!o)
		return;
	pin_io_close(&o->io);
	free(o);
	pin->priv = NULL;
}

#define ODIRECT_FUNCTIONS			\
	.open = odirect_open,			\
	.take = odirect_take,			\
	.live = odirect_live,			\
	.release = odirect_release,		\
	.close = odirect_close

static const struct pin_method odirect_methods[] = {
	{
		.name = "odirect_write",
		.what = "O_DIRECT pwrite() held in flight by null_blk's completion delay",
		.flags = PIN_SOURCE | PIN_HELD | PIN_TIMED | PIN_DIRECT,
		.max_len = PIN_COPY_MAX,
		ODIRECT_FUNCTIONS,
	}, {
		.name = "odirect_read",
		.what = "O_DIRECT pread() held in flight by null_blk's completion delay",
		.flags = PIN_SINK | PIN_HELD | PIN_TIMED | PIN_DIRECT,
		.max_len = PIN_COPY_MAX,
		ODIRECT_FUNCTIONS,
	}, {
		.name = "odirect_write_dmdelay",
		.what = "O_DIRECT pwrite() held in flight by dm-delay",
		.flags = PIN_SOURCE | PIN_HELD | PIN_DM_DELAY | PIN_DIRECT,
		.max_len = PIN_COPY_MAX,
		ODIRECT_FUNCTIONS,
	}, {
		.name = "odirect_read_dmdelay",
		.what = "O_DIRECT pread() held in flight by dm-delay",
		.flags = PIN_SINK | PIN_HELD | PIN_DM_DELAY | PIN_DIRECT,
		.max_len = PIN_COPY_MAX,
		ODIRECT_FUNCTIONS,
	},
	{ }
};

REGISTER(pin_methods, odirect_methods);
