// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packet memory (UMEM) of an AF_XDP socket.  The kernel pins it (FOLL_LONGTERM) as soon
 * as it is registered.  It needs no network device: on kernels whose io_uring refuses
 * files this is the only such pin without hardware.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_xdp.h>

#include "lib/pin/internal.h"

#ifndef SOL_XDP
#define SOL_XDP		283
#endif

/* the smallest that the kernel accepts (XDP_UMEM_MIN_CHUNK_SIZE); divides every page */
#define CHUNK		2048

struct xdp {
	int fd;
};

static int xdp_socket(struct xdp *x)
{
	x->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	return x->fd < 0 ? -errno : 0;
}

static int xdp_open(struct pin *pin)
{
	struct xdp *x = calloc(1, sizeof(*x));
	int err;

	if (!x)
		return -ENOMEM;
	err = xdp_socket(x);
	if (err) {
		free(x);
		if (err == -EMFILE || err == -ENFILE || err == -ENOMEM)
			return err;
		return pin_fail(pin, -EOPNOTSUPP, "no AF_XDP socket: %s", strerror(-err));
	}
	pin->priv = x;
	return 0;
}

static int xdp_register(int fd, uintptr_t addr, size_t size)
{
	struct xdp_umem_reg umem;

	memset(&umem, 0, sizeof(umem));
	umem.addr = addr;
	umem.len = size;
	umem.chunk_size = CHUNK;
	return setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) ? -errno : 0;
}

/* only closing the socket unpins the memory: each pin needs a new one */
static void xdp_disconnect(struct xdp *x)
{
	if (x->fd >= 0)
		close(x->fd);
	x->fd = -1;
}

static int xdp_take(struct pin *pin)
{
	struct xdp *x = pin->priv;
	uintptr_t addr;
	size_t size;
	int err = 0;

	if (x->fd < 0)
		err = xdp_socket(x);
	if (err)
		return err;
	pin_pages(pin, &addr, &size);
	err = xdp_register(x->fd, addr, size);
	if (err)
		return pin_fail(pin, err, "the memory was refused");
	return 0;
}

/* the kernel checks for an earlier registration before all else */
static int xdp_live(struct pin *pin)
{
	struct xdp *x = pin->priv;
	int err = xdp_register(x->fd, 0, 0);

	if (err == -EBUSY)
		return 1;
	return err == -EINVAL ? 0 : err;
}

static int xdp_release(struct pin *pin)
{
	xdp_disconnect(pin->priv);
	return 0;
}

static void xdp_close(struct pin *pin)
{
	struct xdp *x = pin->priv;

	if (!x)
		return;
	xdp_disconnect(x);
	free(x);
	pin->priv = NULL;
}

static const struct pin_method xdp_methods[] = {
	{
		.name = "xdp_umem",
		.what = "packet memory (UMEM) of an AF_XDP socket",
		.flags = PIN_HELD | PIN_LONGTERM | PIN_OUTLIVES,
		.max_len = PIN_ARRAY_MAX,
		.open = xdp_open,
		.take = xdp_take,
		.live = xdp_live,
		.release = xdp_release,
		.close = xdp_close,
	},
	{ }
};

REGISTER(pin_methods, xdp_methods);
