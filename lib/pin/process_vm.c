// SPDX-License-Identifier: GPL-2.0
/*
 * process_vm_readv() and process_vm_writev(): the kernel pins the pages of the
 * remote process and copies.  Remote is the process itself, which takes the
 * same way through the kernel; local is the peer, which is not pinned.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/pin/internal.h"

int pin_process_vm_open(struct pin *pin)
{
	/* nothing to move: only whether the kernel has the call */
	if (process_vm_readv(getpid(), NULL, 0, NULL, 0, 0) < 0)
		return pin_fail(pin, -EOPNOTSUPP, "this kernel has no process_vm_readv()");
	return 0;
}

int pin_process_vm_take(struct pin *pin)
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

int pin_process_vm_live(struct pin *pin)
{
	(void)pin;
	return 0;
}

int pin_process_vm_release(struct pin *pin)
{
	(void)pin;
	return 0;
}

void pin_process_vm_close(struct pin *pin)
{
	(void)pin;
}
