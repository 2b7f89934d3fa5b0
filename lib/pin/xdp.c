// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that an AF_XDP socket would keep its packets in.  The kernel pins it
 * for good (FOLL_LONGTERM) as soon as it is registered; no network device is
 * needed, and on kernels whose io_uring refuses files this is the only such pin
 * that needs no hardware.
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

/* the smallest that the kernel takes (XDP_UMEM_MIN_CHUNK_SIZE); pages hold it evenly */
#define CHUNK		2048

struct xdp {
	int fd;
};

static int new_socket(struct xdp *x)
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
	err = new_socket(x);
	if (err) {
		free(x);
		if (err == -EMFILE || err == -ENFILE || err == -ENOMEM)
			return err;
		return pin_fail(pin, -EOPNOTSUPP, "no AF_XDP socket: %s", strerror(-err));
	}
	pin->priv = x;
	return 0;
}

static int register_pages(int fd, uintptr_t addr, size_t size)
{
	struct xdp_umem_reg umem;

	memset(&umem, 0, sizeof(umem));
	umem.addr = addr;
	umem.len = size;
	umem.chunk_size = CHUNK;
	return setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) ? -errno : 0;
}

/* only the socket's end lets go, so that each pin needs a new one */
static void let_go(struct xdp *x)
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
		err = new_socket(x);
	if (err)
		return err;
	pin_pages(pin, &addr, &size);
	err = register_pages(x->fd, addr, size);
	if (err)
		return pin_fail(pin, err, "the memory was refused");
	return 0;
}

/* the kernel looks whether there is a registration before anything else */
static int xdp_live(struct pin *pin)
{
	struct xdp *x = pin->priv;
	int err = register_pages(x->fd, 0, 0);

	if (err == -EBUSY)
		return 1;
	return err == -EINVAL ? 0 : err;
}

static int xdp_release(struct pin *pin)
{
	let_go(pin->priv);
	return 0;
}

static void xdp_close(struct pin *pin)
{
	struct xdp *x = pin->priv;

	if (!x)
		return;
	let_go(x);
	free(x);
	pin->priv = NULL;
}

static const struct pin_method xdp_methods[] = {
	{
		.name = "xdp_umem",
		.what = "packet memory of an AF_XDP socket",
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
