// SPDX-License-Identifier: GPL-2.0-only
/*
 * process_vm_readv() and process_vm_writev(): the kernel pins the pages of the remote
 * process and copies.  The remote process is this one, for which the kernel does the
 * same; the local buffer is the peer, which is not pinned.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/pin/internal.h"

static int process_vm_open(struct pin *pin)
{
	/* no bytes: only whether the kernel has the call */
	if (process_vm_readv(getpid(), NULL, 0, NULL, 0, 0) < 0)
		return pin_fail(pin, -EOPNOTSUPP, "this kernel has no process_vm_readv()");
	return 0;
}

static int process_vm_take(struct pin *pin)
{
	struct iovec local, remote;
	size_t done = 0;
	ssize_t n;

	while (done < pin->len) {
		local.iov_base = (char *)pin->peer + done;
		local.iov_len = pin->len - done;
		remote.iov_base = (char *)pin->addr + done;
		remote.iov_len = pin->len - done;
		if (pin->method->flags & PIN_SOURCE)
			n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
		else
			n = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	return 0;
}

static const struct pin_method process_vm_methods[] = {
	{
		.name = "process_vm_readv",
		.what = "process_vm_readv() from the memory",
		.flags = PIN_SOURCE,
		.max_len = PIN_COPY_MAX,
		.open = process_vm_open,
		.take = process_vm_take,
	}, {
		.name = "process_vm_writev",
		.what = "process_vm_writev() into the memory",
		.flags = PIN_SINK,
		.max_len = PIN_COPY_MAX,
		.open = process_vm_open,
		.take = process_vm_take,
	},
	{ }
};

REGISTER(pin_methods, process_vm_methods);
