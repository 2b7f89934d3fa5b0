// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages in a pipe: every kernel has this pin, it lasts as long as the pipe, and the pin
 * counters do not count it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/pin/internal.h"

struct vmsplice {
	int pipe[2];
};

static int vmsplice_open(struct pin *pin)
{
	struct vmsplice *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	err = pin_pipe_open(v->pipe, pin->max_len);
	if (err) {
		free(v);
		return pin_fail(pin, err, "no pipe that holds %zu bytes",
				pin->max_len);
	}
	pin->priv = v;
	return 0;
}

static int in_pipe(const struct vmsplice *v)
{
	int n;

	return ioctl(v->pipe[0], FIONREAD, &n) ? -errno : n;
}

static int vmsplice_take(struct pin *pin)
{
	struct vmsplice *v = pin->priv;
	int err, n;

	err = pin_pipe_fill(v->pipe[1], pin->addr, pin->len);
	if (!err)
		return 0;
	/* drop the references that got there before the error */
	n = in_pipe(v);
	if (n > 0)
		pin_pipe_drain(v->pipe[0], pin->peer, n);
	return err;
}

static int vmsplice_live(struct pin *pin)
{
	int n = in_pipe(pin->priv);

	return n < 0 ? n : n > 0;
}

static int vmsplice_release(struct pin *pin)
{
	struct vmsplice *v = pin->priv;

	return pin_pipe_drain(v->pipe[0], pin->peer, pin->len);
}

static void vmsplice_close(struct pin *pin)
{
	struct vmsplice *v = pin->priv;

	if (!v)
		return;
	close(v->pipe[0]);
	close(v->pipe[1]);
	free(v);
	pin->priv = NULL;
}

static const struct pin_method vmsplice_methods[] = {
	{
		.name = "vmsplice",
		.what = "pages put into a pipe by vmsplice()",
		.flags = PIN_SOURCE | PIN_HELD | PIN_OUTLIVES,
		.max_len = PIN_COPY_MAX,
		.open = vmsplice_open,
		.take = vmsplice_take,
		.live = vmsplice_live,
		.release = vmsplice_release,
		.close = vmsplice_close,
	},
	{ }
};

REGISTER(pin_methods, vmsplice_methods);
