// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/self/mem: for each page a plain reference and a copy.  The pin counters do not
 * count them.  The access is with FOLL_FORCE, and fails with EIO, not EFAULT.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "lib/pin/internal.h"

static int proc_mem_open(struct pin *pin)
{
	if (access("/proc/self/mem", R_OK | W_OK))
		return pin_fail(pin, -EOPNOTSUPP, "/proc/self/mem cannot be written");
	return 0;
}

static int proc_mem_move(const struct pin *pin, int fd)
{
	size_t done = 0;
	ssize_t n;

	while (done < pin->len) {
		char *peer = (char *)pin->peer + done;
		off_t at = (uintptr_t)pin->addr + done;

		if (pin->method->flags & PIN_SOURCE)
			n = pread(fd, peer, pin->len - done, at);
		else
			n = pwrite(fd, peer, pin->len - done, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	return 0;
}

static int proc_mem_take(struct pin *pin)
{
	int fd, err;

	/* not kept open: in a child of fork() it would be the parent's memory */
	fd = open("/proc/self/mem", (pin->method->flags & PIN_SOURCE ? O_RDONLY : O_WRONLY) |
		  O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = proc_mem_move(pin, fd);
	close(fd);
	return err;
}

static const struct pin_method proc_mem_methods[] = {
	{
		.name = "proc_mem_read",
		.what = "read of /proc/self/mem",
		.flags = PIN_SOURCE,
		.max_len = PIN_COPY_MAX,
		.open = proc_mem_open,
		.take = proc_mem_take,
	}, {
		.name = "proc_mem_write",
		.what = "write of /proc/self/mem",
		.flags = PIN_SINK,
		.max_len = PIN_COPY_MAX,
		.open = proc_mem_open,
		.take = proc_mem_take,
	},
	{ }
};

REGISTER(pin_methods, proc_mem_methods);
