// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory mapped for DMA of a device that is bound to vfio: pinned (FOLL_LONGTERM) until
 * it is unmapped from the IOMMU or the container is closed.
 *
 * The user has to name the group, since the test cannot know which device is free to
 * be used.  The group is attached to the IOMMU; its device is not opened, and no DMA
 * takes place.
 *
 * Not by iommufd, which Debian's kernels do not have.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "lib/pin/internal.h"
#include "lib/variable.h"

/* IOVA at which the range is mapped: above 32 bits */
#define IOVA_FIRST	(1ULL << 32)

struct vfio {
	int group;
	int container;
};

static int vfio_attach(struct vfio *v)
{
	if (ioctl(v->group, VFIO_GROUP_SET_CONTAINER, &v->container) ||
	    ioctl(v->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -errno;
	return 0;
}

static void vfio_detach(struct vfio *v)
{
	if (v->group >= 0)
		close(v->group);
	if (v->container >= 0)
		close(v->container);
	free(v);
}

static int vfio_open(struct pin *pin)
{
	const char *path = getenv("DAX_TEST_VFIO");
	struct vfio *v;
	int err = 0;

	if (!path || !*path)
		return pin_fail(pin, -EOPNOTSUPP,
				"DAX_TEST_VFIO is not set to a group in /dev/vfio");
	v = malloc(sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->group = open(path, O_RDWR | O_CLOEXEC);
	if (v->group < 0)
		err = -errno;
	v->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (v->container < 0)
		err = err ?: -errno;
	err = err ?: vfio_attach(v);
	if (err) {
		vfio_detach(v);
		return pin_fail(pin, -EOPNOTSUPP, "%s cannot be used: %s", path, strerror(-err));
	}
	pin->priv = v;
	return 0;
}

static int vfio_map(struct pin *pin)
{
	struct vfio *v = pin->priv;
	struct vfio_iommu_type1_dma_map ask = {
		.argsz = sizeof(ask),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.iova = IOVA_FIRST,
	};
	uintptr_t addr;
	size_t size;

	pin_pages(pin, &addr, &size);
	ask.vaddr = addr;
	ask.size = size;
	return ioctl(v->container, VFIO_IOMMU_MAP_DMA, &ask) ? -errno : 0;
}

static int vfio_take(struct pin *pin)
{
	return vfio_map(pin);
}

static int vfio_release(struct pin *pin)
{
	struct vfio *v = pin->priv;
	struct vfio_iommu_type1_dma_unmap ask = {
		.argsz = sizeof(ask),
		.iova = IOVA_FIRST,
	};
	uintptr_t addr;
	size_t size;

	pin_pages(pin, &addr, &size);
	ask.size = size;
	if (ioctl(v->container, VFIO_IOMMU_UNMAP_DMA, &ask))
		return -errno;
	return ask.size == size ? 0 : -EIO;
}

/* the kernel maps no IOVA twice: while it is in use, the pin is there */
static int vfio_live(struct pin *pin)
{
	int err = vfio_map(pin);

	if (err == -EEXIST)
		return 1;
	if (!err)
		return vfio_release(pin);
	return err;
}

static void vfio_close(struct pin *pin)
{
	if (pin->priv)
		vfio_detach(pin->priv);
	pin->priv = NULL;
}

static const struct variable vfio_variables[] = {
	{ "DAX_TEST_VFIO", "a group in /dev/vfio that may be attached to the IOMMU" },
	{ }
};

REGISTER(variables, vfio_variables);

static const struct pin_method vfio_methods[] = {
	{
		.name = "vfio_dma",
		.what = "memory mapped for DMA by VFIO (DAX_TEST_VFIO)",
		.flags = PIN_HELD | PIN_LONGTERM | PIN_LOST,
		.open = vfio_open,
		.take = vfio_take,
		.live = vfio_live,
		.release = vfio_release,
		.close = vfio_close,
	},
	{ }
};

REGISTER(pin_methods, vfio_methods);
