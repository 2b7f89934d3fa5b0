// SPDX-License-Identifier: GPL-2.0-only
/*
 * CONFIG_GUP_TEST: the kernel's functions themselves, one ioctl each, on whole pages.
 *
 * The interface is mm/gup_test.h, which is no UAPI header: it is there in a kernel tree
 * only, and this file is built outside of one, too.  So numbers and structures are
 * repeated here.  They have not changed since 5.11, but the held pin is newer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/types.h>

#include "lib/pin/internal.h"

#define GUP_TEST_FILE	"/sys/kernel/debug/gup_test"

/* argument of ioctls 1 to 6 */
struct gup_call {
	__u64 get_delta_usec;
	__u64 put_delta_usec;
	__u64 addr;
	__u64 size;
	__u32 nr_pages_per_call;
	__u32 gup_flags;
	__u32 test_flags;
	__u32 which_pages[8];
};

/* argument of ioctl 7 */
struct gup_hold {
	__u64 addr;
	__u64 size;
	__u32 flags;
};

/* @variant is the number of the ioctl; this one holds the pin */
#define GUP_HOLD	7

#define GUP_CALL(nr)	_IOWR('g', nr, struct gup_call)
#define GUP_HOLD_START	_IOW('g', GUP_HOLD, struct gup_hold)
#define GUP_HOLD_STOP	_IO('g', 8)
#define GUP_HOLD_READ	_IOW('g', 9, __u64)

/* plain references by the fast path: not counted by the pin counters */
#define GUP_FAST	1
#define GUP_DUMP	6

/* FOLL_WRITE of include/linux/mm*.h */
#define GUP_WRITE	0x1

#define GUP_HOLD_WRITE	0x1
#define GUP_HOLD_FAST	0x2

struct gup_test {
	int fd;
};

static bool is_hold(const struct pin *pin)
{
	return pin->method->variant == GUP_HOLD;
}

/*
 * Kernels without the held pin return EINVAL for any argument.  Others return EFAULT
 * for a bad pointer: at START while nothing is held, at READ while something is.
 */
static bool has_hold(int fd)
{
	return (ioctl(fd, GUP_HOLD_START, NULL) < 0 && errno == EFAULT) ||
	       (ioctl(fd, GUP_HOLD_READ, NULL) < 0 && errno == EFAULT);
}

static int gup_test_open(struct pin *pin)
{
	struct gup_test *g;
	int fd;

	fd = open(GUP_TEST_FILE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return pin_fail(pin, -EOPNOTSUPP, errno == EACCES || errno == EPERM ?
				"no permission for debugfs" :
				"no gup_test in debugfs: the kernel needs CONFIG_GUP_TEST");
	if (is_hold(pin) && !has_hold(fd)) {
		close(fd);
		return pin_fail(pin, -EOPNOTSUPP, "this kernel's gup_test cannot hold a pin");
	}
	g = calloc(1, sizeof(*g));
	if (!g) {
		close(fd);
		return -ENOMEM;
	}
	g->fd = fd;
	pin->priv = g;
	return 0;
}

static int call(int fd, unsigned int nr, uintptr_t addr, size_t size)
{
	struct gup_call gup = {
		.addr = addr,
		.size = size,
		.nr_pages_per_call = size / sysconf(_SC_PAGESIZE),
		.gup_flags = GUP_WRITE,
		/* counted from 1: dump the first page */
		.which_pages = { nr == GUP_DUMP },
	};

	if (ioctl(fd, GUP_CALL(nr), &gup))
		return -errno;
	/* the kernel returns the size that it reached, not an errno */
	return gup.size == size ? 0 : -EFAULT;
}

static int gup_test_take(struct pin *pin)
{
	struct gup_test *g = pin->priv;
	size_t size, page = sysconf(_SC_PAGESIZE);
	struct gup_hold hold;
	uintptr_t addr;
	int err;

	pin_pages(pin, &addr, &size);
	if (is_hold(pin)) {
		memset(&hold, 0, sizeof(hold));
		hold.addr = addr;
		hold.size = size;
		hold.flags = GUP_HOLD_WRITE | GUP_HOLD_FAST;
		return ioctl(g->fd, GUP_HOLD_START, &hold) ? -errno : 0;
	}

	err = call(g->fd, pin->method->variant, addr, size);
	/* a call that stopped half way may look the same: try the last page again */
	if (!err)
		err = call(g->fd, GUP_FAST, addr + size - page, page);
	return err;
}

/*
 * READ copies the pages to the given address.  Address 0 gives EFAULT while pages are
 * held, EINVAL when they are not.
 */
static int gup_test_live(struct pin *pin)
{
	struct gup_test *g = pin->priv;
	__u64 nowhere = 0;

	if (!ioctl(g->fd, GUP_HOLD_READ, &nowhere))
		return -EPROTO;
	return errno == EFAULT ? 1 : errno == EINVAL ? 0 : -errno;
}

static int gup_test_release(struct pin *pin)
{
	struct gup_test *g = pin->priv;
	uintptr_t addr;
	__u64 to = (uintptr_t)pin->peer;
	size_t size;
	int err = 0;

	/* whole pages; then move the range to the start of the peer */
	pin_pages(pin, &addr, &size);
	if (ioctl(g->fd, GUP_HOLD_READ, &to))
		err = -errno;
	else
		memmove(pin->peer, (char *)pin->peer + ((uintptr_t)pin->addr - addr), pin->len);
	if (ioctl(g->fd, GUP_HOLD_STOP) && !err)
		err = -errno;
	return err;
}

static void gup_test_close(struct pin *pin)
{
	struct gup_test *g = pin->priv;

	if (!g)
		return;
	/* the kernel unpins at any close of the file: the last step */
	close(g->fd);
	free(g);
	pin->priv = NULL;
}

#define GUP_TEST_FUNCTIONS			\
	.open = gup_test_open,			\
	.take = gup_test_take,			\
	.live = gup_test_live,			\
	.release = gup_test_release,		\
	.close = gup_test_close

static const struct pin_method gup_test_methods[] = {
	{
		.name = "gup_fast",
		.what = "get_user_pages_fast() by GUP_TEST",
		.variant = 1,
		GUP_TEST_FUNCTIONS,
	}, {
		.name = "pin_fast",
		.what = "pin_user_pages_fast() by GUP_TEST",
		.variant = 2,
		GUP_TEST_FUNCTIONS,
	}, {
		.name = "pin_longterm",
		.what = "pin_user_pages(FOLL_LONGTERM) by GUP_TEST",
		.flags = PIN_LONGTERM,
		.variant = 3,
		GUP_TEST_FUNCTIONS,
	}, {
		.name = "gup_basic",
		.what = "get_user_pages() by GUP_TEST",
		.variant = 4,
		GUP_TEST_FUNCTIONS,
	}, {
		.name = "pin_basic",
		.what = "pin_user_pages() by GUP_TEST",
		.variant = 5,
		GUP_TEST_FUNCTIONS,
	}, {
		.name = "gup_dump",
		.what = "get_user_pages() and dump_page() of the first page by GUP_TEST",
		.variant = 6,
		GUP_TEST_FUNCTIONS,
	}, {
		.name = "gup_longterm_hold",
		.what = "pin_user_pages_fast(FOLL_LONGTERM) held by GUP_TEST",
		.flags = PIN_SOURCE | PIN_HELD | PIN_LONGTERM,
		.variant = GUP_HOLD,
		.max_len = PIN_COPY_MAX,
		GUP_TEST_FUNCTIONS,
	},
	{ }
};

REGISTER(pin_methods, gup_test_methods);
