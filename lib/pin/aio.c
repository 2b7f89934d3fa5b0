// SPDX-License-Identifier: GPL-2.0-only
/*
 * Direct I/O by io_submit(2), held in flight by dm-delay.  By system calls, without
 * libaio, which would add nothing to them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/aio_abi.h>

#include "lib/pin/internal.h"
#include "lib/pin/io.h"

/*
 * Destroying a context waits for an RCU grace period, each time; when a process exits
 * its contexts all wait for the same one.  So contexts are kept for later pins.  A
 * child of fork() does not inherit them.
 */
#define CONTEXTS	1024

static struct idle {
	pthread_mutex_t lock;
	pid_t pid;
	unsigned int nr;
	aio_context_t ctx[CONTEXTS];
} idle = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct aio {
	struct pin_io io;
	aio_context_t ctx;
	struct iocb iocb;
	struct io_event event;
	bool submitted;		/* a completion is due */
	bool completed;		/* it is in @event */
	size_t done;		/* bytes transferred by earlier requests */
};

static int get_context(aio_context_t *ctx)
{
	int err = 0;

	pthread_mutex_lock(&idle.lock);
	if (idle.pid != getpid()) {
		idle.pid = getpid();
		idle.nr = 0;
	}
	*ctx = 0;
	if (idle.nr)
		*ctx = idle.ctx[--idle.nr];
	else if (syscall(SYS_io_setup, 1, ctx))
		err = -errno;
	pthread_mutex_unlock(&idle.lock);
	return err;
}

static void put_context(aio_context_t ctx, bool busy)
{
	bool kept = false;

	pthread_mutex_lock(&idle.lock);
	if (!busy && idle.pid == getpid() && idle.nr < CONTEXTS) {
		idle.ctx[idle.nr++] = ctx;
		kept = true;
	}
	pthread_mutex_unlock(&idle.lock);
	if (!kept)
		syscall(SYS_io_destroy, ctx);
}

static int aio_open(struct pin *pin)
{
	struct aio *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	err = pin_io_open(pin, &a->io);
	if (err) {
		free(a);
		return err;
	}
	err = get_context(&a->ctx);
	if (err) {
		pin_io_close(&a->io);
		free(a);
		if (err == -EAGAIN || err == -ENOMEM)
			return pin_fail(pin, err, "io_setup() has no room for another context");
		return pin_fail(pin, -EOPNOTSUPP, "this kernel has no io_submit()");
	}
	pin->priv = a;
	return 0;
}

/* submit what is left of the range */
static int aio_submit(struct pin *pin, struct aio *a)
{
	struct iocb *list = &a->iocb;
	int n;

	memset(&a->iocb, 0, sizeof(a->iocb));
	a->iocb.aio_fildes = a->io.fd;
	a->iocb.aio_lio_opcode = pin->method->flags & PIN_SOURCE ? IOCB_CMD_PWRITE :
								   IOCB_CMD_PREAD;
	a->iocb.aio_buf = (uintptr_t)pin->addr + a->done;
	a->iocb.aio_nbytes = pin->len - a->done;
	a->iocb.aio_offset = a->io.off + a->done;
	a->completed = false;
	n = syscall(SYS_io_submit, a->ctx, 1, &list);
	if (n < 0)
		return -errno;
	a->submitted = n == 1;
	return n == 1 ? 0 : -EAGAIN;
}

/* fetch the completion, waiting for it until the timeout (NULL: without limit) */
static int get_event(struct aio *a, struct timespec *timeout)
{
	int n = 0;

	if (!a->completed) {
		n = syscall(SYS_io_getevents, a->ctx, 1, 1, &a->event, timeout);
		a->completed = n == 1;
	}
	return n < 0 ? -errno : 0;
}

static bool aio_over(const struct pin *pin)
{
	struct timespec now = { 0 };
	struct aio *a = pin->priv;

	get_event(a, &now);
	return a->completed;
}

/*
 * More than one command: old kernels do the rest of a read that was cut short through
 * the page cache, and dm-delay holds that back as well.  If a command fails, the I/O
 * completes when its delay is over.
 */
static void aio_flush(const struct pin *pin, struct aio *a)
{
	const struct timespec pause = { .tv_nsec = PIN_IO_FLUSH_NS };

	while (a->io.delay && !aio_over(pin) && !pin_io_flush(pin, &a->io))
		nanosleep(&pause, NULL);
}

/*
 * Complete the I/O and wait for it.  A transfer that the kernel cut short
 * is continued: its own errno for the rest is the one to report.
 */
static int aio_reap(struct pin *pin, struct aio *a)
{
	long long res;
	int err;

	while (a->submitted) {
		aio_flush(pin, a);
		err = get_event(a, NULL);
		if (err == -EINTR)
			continue;
		if (err)
			return err;
		res = a->event.res;
		a->submitted = false;
		if (res <= 0)
			return res ? res : -EIO;
		a->done += res;
		if (a->done < pin->len) {
			err = aio_submit(pin, a);
			if (err)
				return err;
		}
	}
	return 0;
}

static int aio_take(struct pin *pin)
{
	struct aio *a = pin->priv;
	int err, ret;

	err = pin_io_prepare(pin, &a->io);
	if (err)
		return err;
	a->done = 0;
	err = aio_submit(pin, a);
	if (!err && a->io.held)
		err = pin_io_wait(pin, &a->io, NULL, aio_over);
	if (!err && a->io.held)
		return 0;

	/* it may have been submitted: wait for it */
	ret = aio_reap(pin, a);
	if (!ret && !a->submitted && !a->done)
		ret = err;
	ret = pin_io_finish(pin, &a->io, ret, pin_now_ns());
	if (ret || !a->io.held)
		return ret;
	return pin_fail(pin, err, "the I/O was not seen in flight");
}

static int aio_live(struct pin *pin)
{
	struct aio *a = pin->priv;
	int n;

	if (!a->submitted || aio_over(pin))
		return 0;
	n = pin_io_inflight(pin, &a->io);
	return n < 0 ? n : n > 0;
}

static int aio_release(struct pin *pin)
{
	struct aio *a = pin->priv;
	int ret;

	ret = aio_reap(pin, a);
	return pin_io_finish(pin, &a->io, ret, pin_now_ns());
}

static void aio_close(struct pin *pin)
{
	struct aio *a = pin->priv;

	if (!a)
		return;
	put_context(a->ctx, a->submitted);
	pin_io_close(&a->io);
	free(a);
	pin->priv = NULL;
}

static const struct pin_method aio_methods[] = {
	{
		.name = "aio_write_dmdelay",
		.what = "io_submit() of a direct write held in flight by dm-delay",
		.flags = PIN_SOURCE | PIN_HELD | PIN_DM_DELAY,
		.max_len = PIN_COPY_MAX,
		.open = aio_open,
		.take = aio_take,
		.live = aio_live,
		.release = aio_release,
		.close = aio_close,
	}, {
		.name = "aio_read_dmdelay",
		.what = "io_submit() of a direct read held in flight by dm-delay",
		.flags = PIN_SINK | PIN_HELD | PIN_DM_DELAY,
		.max_len = PIN_COPY_MAX,
		.open = aio_open,
		.take = aio_take,
		.live = aio_live,
		.release = aio_release,
		.close = aio_close,
	},
	{ }
};

REGISTER(pin_methods, aio_methods);
