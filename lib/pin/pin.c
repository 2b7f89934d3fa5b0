// SPDX-License-Identifier: GPL-2.0-only
/* Pins: finding a method, and the steps that are the same for all methods. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/pattern.h"
#include "lib/pin/internal.h"
#include "lib/pin/pin.h"

/* for a thousand pins of five descriptors each, and the program's own */
#define DESCRIPTORS	8192

REGISTRY(pin_methods, struct pin_method);

const struct pin_method *pin_method_next(const struct pin_method *m)
{
	return REGISTRY_NEXT(pin_methods, m);
}

const struct pin_method *pin_method_find(const char *name)
{
	const struct pin_method *m;

	for_each_pin_method(m)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

int pin_fail(struct pin *pin, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(pin->why, sizeof(pin->why), fmt, ap);
	va_end(ap);
	return err;
}

int pin_read_line(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n;
	text[n] = '\0';
	n = strcspn(text, "\n");
	text[n] = '\0';
	return n;
}

void pin_pages(const struct pin *pin, uintptr_t *addr, size_t *size)
{
	uintptr_t page = sysconf(_SC_PAGESIZE);
	uintptr_t start = (uintptr_t)pin->addr / page * page;
	uintptr_t end = ((uintptr_t)pin->addr + pin->len + page - 1) / page * page;

	*addr = start;
	*size = end - start;
}

static void raise_limit(int resource, rlim_t want)
{
	struct rlimit rl;

	if (getrlimit(resource, &rl) || rl.rlim_cur >= want)
		return;
	/* root may raise the hard limit, too; others may raise the soft limit up to it */
	rl.rlim_cur = want;
	if (rl.rlim_max < want) {
		struct rlimit both = { .rlim_cur = want, .rlim_max = want };

		if (!setrlimit(resource, &both))
			return;
		rl.rlim_cur = rl.rlim_max;
	}
	setrlimit(resource, &rl);
}

int pin_open(struct pin *pin, const struct pin_method *method,
	     struct pin_targets *targets, size_t max_len)
{
	uint64_t hold_ns = pin->hold_ns;

	memset(pin, 0, sizeof(*pin));
	pin->method = method;
	pin->targets = targets;
	pin->hold_ns = hold_ns;
	pin->max_len = max_len;
	if (method->max_len && max_len > method->max_len)
		return pin_fail(pin, -E2BIG, "%s takes no more than %zu bytes", method->name,
				method->max_len);
	if (method->lacks)
		return pin_fail(pin, -EOPNOTSUPP, "%s", method->lacks);

	raise_limit(RLIMIT_NOFILE, DESCRIPTORS);
	/* kernels before 5.12 charge rings and registered buffers to it */
	raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
	return method->open(pin);
}

int pin_open_filled(struct pin *pin, const struct pin_method *method,
		    struct pin_targets *targets, size_t len, uint16_t tag, uint64_t off)
{
	int err = pin_open(pin, method, targets, len);

	if (err || !(method->flags & PIN_SINK))
		return err;
	err = pin_prepare(pin);
	if (!err)
		pattern_fill(pin->peer, len, tag, off);
	return err;
}

int pin_prepare(struct pin *pin)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t len;
	void *peer;

	if (pin->peer || !(pin->method->flags & (PIN_SOURCE | PIN_SINK)))
		return 0;
	/* whole pages, and one more: the range may begin inside a page */
	len = (pin->max_len + 2 * page - 1) / page * page;
	peer = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (peer == MAP_FAILED)
		return -errno;
	pin->peer = peer;
	pin->peer_len = len;
	return 0;
}

int pin_take(struct pin *pin, void *addr, size_t len)
{
	int err;

	if (pin->taken)
		return -EBUSY;
	if (!len || len > pin->max_len)
		return -EINVAL;
	err = pin_prepare(pin);
	if (err)
		return err;
	pin->why[0] = '\0';
	pin->addr = addr;
	pin->len = len;
	err = pin->method->take(pin);
	pin->taken = !err;
	return err;
}

int pin_live(struct pin *pin)
{
	if (!pin->taken || !(pin->method->flags & PIN_HELD))
		return 0;
	return pin->method->live(pin);
}

int pin_release(struct pin *pin)
{
	if (!pin->taken)
		return 0;
	pin->taken = false;
	if (!(pin->method->flags & PIN_HELD))
		return 0;
	return pin->method->release(pin);
}

void pin_close(struct pin *pin)
{
	if (!pin->method)
		return;
	pin_release(pin);
	if (pin->method->close)
		pin->method->close(pin);
	if (pin->peer)
		munmap(pin->peer, pin->peer_len);
	pin->peer = NULL;
	pin->method = NULL;
}
