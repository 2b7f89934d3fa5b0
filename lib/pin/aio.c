// SPDX-License-Identifier: GPL-2.0
/*
 * Direct I/O by io_submit(2).  The system calls themselves: libaio adds nothing
 * to them, and a kernel's tree needs no library for this.
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

/* between two commands to dm-delay */
#define LET_GO_NS	500000

/*
 * Destroying a context waits for a grace period, each time; those of a process
 * that ends all wait for the same one.  So they are kept for the next pin.  A
 * child of fork has none of its parent's.
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
			return pin_fail(pin, err, "no room for another context");
		return pin_fail(pin, -EOPNOTSUPP, "this kernel has no io_submit()");
	}
	pin->priv = a;
	return 0;
}

/* submit what is left of the range */
static int submit(struct pin *pin, struct aio *a)
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

/* ask for the completion, and wait for it at most so long (NULL: until it is there) */
static int get_event(struct aio *a, struct timespec *timeout)
{
	int n = 0;

	if (!a->completed) {
		n = syscall(SYS_io_getevents, a->ctx, 1, 1, &a->event, timeout);
		a->completed = n == 1;
	}
	return n < 0 ? -errno : 0;
}

static bool over(const struct pin *pin)
{
	struct timespec now = { 0 };
	struct aio *a = pin->priv;

	get_event(a, &now);
	return a->completed;
}

/*
 * More than one command: of a read that was cut short old kernels do the rest
 * through the page cache, and dm-delay holds that back as well.  Where it fails
 * dm-delay's own time runs out.
 */
static void let_go(const struct pin *pin, struct aio *a)
{
	const struct timespec pause = { .tv_nsec = LET_GO_NS };

	while (a->io.delay && !over(pin) && !pin_io_let_go(pin, &a->io))
		nanosleep(&pause, NULL);
}

/*
 * Let go and wait for the completion.  A transfer that the kernel cut short is
 * gone on with, so that the kernel says itself what is wrong with the rest.
 */
static int reap(struct pin *pin, struct aio *a)
{
	long long res;
	int err;

	while (a->submitted) {
		let_go(pin, a);
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
			err = submit(pin, a);
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
	err = submit(pin, a);
	if (!err && a->io.held)
		err = pin_io_wait(pin, &a->io, NULL, over);
	if (!err && a->io.held)
		return 0;

	/* what went out all the same must not be left out */
	ret = reap(pin, a);
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

	if (!a->submitted || over(pin))
		return 0;
	n = pin_io_inflight(pin, &a->io);
	return n < 0 ? n : n > 0;
}

static int aio_release(struct pin *pin)
{
	struct aio *a = pin->priv;
	int ret;

	ret = reap(pin, a);
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
