// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that get from one pipe into another: by tee(2), which takes a further
 * reference for the copy, and by splice(2), which moves the reference.  The first pipe
 * is closed when the pin has been taken.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/pin/internal.h"

/* @variant: how pages get into the second pipe */
enum { SPLICE_TEE, SPLICE_MOVE };

struct second {
	int pipe[2];
};

static int splice_open(struct pin *pin)
{
	struct second *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	err = pin_pipe_open(s->pipe, pin->max_len);
	if (err) {
		free(s);
		return pin_fail(pin, err, "no pipe that holds %zu bytes",
				pin->max_len);
	}
	pin->priv = s;
	return 0;
}

static int in_pipe(const struct second *s)
{
	int n;

	return ioctl(s->pipe[0], FIONREAD, &n) ? -errno : n;
}

/* tee(2) starts at the first page each time: one call must copy all */
static int copy_pages(int from, int to, size_t len)
{
	ssize_t n;

	do {
		n = tee(from, to, len, SPLICE_F_NONBLOCK);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int move_pages(int from, int to, size_t len)
{
	ssize_t n;

	while (len) {
		n = splice(from, NULL, to, NULL, len, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		len -= n;
	}
	return 0;
}

static int splice_take(struct pin *pin)
{
	struct second *s = pin->priv;
	int first[2], err, n;

	err = pin_pipe_open(first, pin->len);
	if (err)
		return err;
	err = pin_pipe_fill(first[1], pin->addr, pin->len);
	if (!err && pin->method->variant == SPLICE_TEE)
		err = copy_pages(first[0], s->pipe[1], pin->len);
	else if (!err)
		err = move_pages(first[0], s->pipe[1], pin->len);
	/* no other process has it open: this drops the references that it still holds */
	close(first[0]);
	close(first[1]);
	if (!err)
		return 0;
	/* drop the references that got there before the error */
	n = in_pipe(s);
	if (n > 0)
		pin_pipe_drain(s->pipe[0], pin->peer, n);
	return err;
}

static int splice_live(struct pin *pin)
{
	int n = in_pipe(pin->priv);

	return n < 0 ? n : n > 0;
}

static int splice_release(struct pin *pin)
{
	struct second *s = pin->priv;

	return pin_pipe_drain(s->pipe[0], pin->peer, pin->len);
}

static void splice_close(struct pin *pin)
{
	struct second *s = pin->priv;

	if (!s)
		return;
	close(s->pipe[0]);
	close(s->pipe[1]);
	free(s);
	pin->priv = NULL;
}

static const struct pin_method splice_methods[] = {
	{
		.name = "tee",
		.what = "pages put into a pipe by vmsplice(), and by tee() into another, which stays",
		.flags = PIN_SOURCE | PIN_HELD | PIN_OUTLIVES,
		.variant = SPLICE_TEE,
		.max_len = PIN_COPY_MAX,
		.open = splice_open,
		.take = splice_take,
		.live = splice_live,
		.release = splice_release,
		.close = splice_close,
	}, {
		.name = "splice",
		.what = "pages put into a pipe by vmsplice(), and moved to another by splice()",
		.flags = PIN_SOURCE | PIN_HELD | PIN_OUTLIVES,
		.variant = SPLICE_MOVE,
		.max_len = PIN_COPY_MAX,
		.open = splice_open,
		.take = splice_take,
		.live = splice_live,
		.release = splice_release,
		.close = splice_close,
	},
	{ }
};

REGISTER(pin_methods, splice_methods);
