// SPDX-License-Identifier: GPL-2.0
/*
 * The table of pin methods, what is the same for all of them, and the kernel's
 * own count of pins.
 */
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

#include "lib/pin/pin.h"
#include "lib/pin/internal.h"

/* a thousand pins of five descriptors each, and the program's own */
#define DESCRIPTORS	8192

#define FAMILY(family)			\
	.open = family##_open,		\
	.take = family##_take,		\
	.live = family##_live,		\
	.release = family##_release,	\
	.close = family##_close

#define HELD_IO	(PIN_HELD | PIN_TIMED)

const struct pin_method pin_methods[] = {
	{
		.name = "odirect_write",
		.what = "O_DIRECT pwrite() held in flight by null_blk's completion delay",
		.flags = PIN_SOURCE | HELD_IO,
		.variant = PIN_IO_SUBMIT,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_odirect),
	}, {
		.name = "odirect_read",
		.what = "O_DIRECT pread() held in flight by null_blk's completion delay",
		.flags = PIN_SINK | HELD_IO,
		.variant = PIN_IO_SUBMIT,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_odirect),
	}, {
		.name = "odirect_write_dmdelay",
		.what = "O_DIRECT pwrite() held in flight by dm-delay",
		.flags = PIN_SOURCE | PIN_HELD,
		.variant = PIN_IO_SUBMIT | PIN_IO_DELAY,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_odirect),
	}, {
		.name = "odirect_read_dmdelay",
		.what = "O_DIRECT pread() held in flight by dm-delay",
		.flags = PIN_SINK | PIN_HELD,
		.variant = PIN_IO_SUBMIT | PIN_IO_DELAY,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_odirect),
	}, {
		.name = "aio_write_dmdelay",
		.what = "io_submit() of a direct write held in flight by dm-delay",
		.flags = PIN_SOURCE | PIN_HELD,
		.variant = PIN_IO_SUBMIT | PIN_IO_DELAY,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_aio),
	}, {
		.name = "aio_read_dmdelay",
		.what = "io_submit() of a direct read held in flight by dm-delay",
		.flags = PIN_SINK | PIN_HELD,
		.variant = PIN_IO_SUBMIT | PIN_IO_DELAY,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_aio),
	}, {
		.name = "uring_write",
		.what = "io_uring write held in flight by null_blk's completion delay",
		.flags = PIN_SOURCE | HELD_IO,
		.variant = PIN_IO_SUBMIT,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_uring),
	}, {
		.name = "uring_read",
		.what = "io_uring read held in flight by null_blk's completion delay",
		.flags = PIN_SINK | HELD_IO,
		.variant = PIN_IO_SUBMIT,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_uring),
	}, {
		.name = "uring_write_dmdelay",
		.what = "io_uring write held in flight by dm-delay",
		.flags = PIN_SOURCE | PIN_HELD,
		.variant = PIN_IO_SUBMIT | PIN_IO_DELAY,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_uring),
	}, {
		.name = "uring_read_dmdelay",
		.what = "io_uring read held in flight by dm-delay",
		.flags = PIN_SINK | PIN_HELD,
		.variant = PIN_IO_SUBMIT | PIN_IO_DELAY,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_uring),
	}, {
		.name = "uring_fixed",
		.what = "io_uring registered buffer, no I/O",
		.flags = PIN_HELD | PIN_LONGTERM | PIN_OUTLIVES,
		.variant = PIN_IO_FIXED,
		FAMILY(pin_uring),
		.reach = pin_uring_reach,
	}, {
		.name = "uring_write_fixed",
		.what = "io_uring registered buffer and a write from it in flight",
		.flags = PIN_SOURCE | PIN_HELD | PIN_LONGTERM,
		.variant = PIN_IO_SUBMIT | PIN_IO_FIXED | PIN_IO_EITHER,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_uring),
	}, {
		.name = "uring_read_fixed",
		.what = "io_uring registered buffer and a read into it in flight",
		.flags = PIN_SINK | PIN_HELD | PIN_LONGTERM,
		.variant = PIN_IO_SUBMIT | PIN_IO_FIXED | PIN_IO_EITHER,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_uring),
	}, {
		.name = "vmsplice",
		.what = "pages lent to a pipe by vmsplice()",
		.flags = PIN_SOURCE | PIN_HELD | PIN_OUTLIVES,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_vmsplice),
	}, {
		.name = "tee",
		.what = "pages lent to a pipe and copied by tee() to another, which stays",
		.flags = PIN_SOURCE | PIN_HELD | PIN_OUTLIVES,
		.variant = PIN_SPLICE_TEE,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_splice),
	}, {
		.name = "splice",
		.what = "pages lent to a pipe and moved by splice() to another",
		.flags = PIN_SOURCE | PIN_HELD | PIN_OUTLIVES,
		.variant = PIN_SPLICE_MOVE,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_splice),
	}, {
		.name = "msg_zerocopy",
		.what = "MSG_ZEROCOPY in the send queue to a TCP socket that nobody reads",
		.flags = PIN_SOURCE | PIN_HELD | PIN_OUTLIVES | PIN_ELABORATE,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_zerocopy),
	}, {
		.name = "xdp_umem",
		.what = "packet memory of an AF_XDP socket",
		.flags = PIN_HELD | PIN_LONGTERM | PIN_OUTLIVES,
		.max_len = PIN_ARRAY_MAX,
		FAMILY(pin_xdp),
	}, {
		.name = "rdma_mr",
		.what = "RDMA memory region, by soft RoCE over the loopback device",
		.flags = PIN_HELD | PIN_LONGTERM | PIN_OUTLIVES,
		.max_len = PIN_ARRAY_MAX,
		FAMILY(pin_rdma),
	}, {
		.name = "vfio_dma",
		.what = "memory mapped for DMA by VFIO (DAX_TEST_VFIO)",
		.flags = PIN_HELD | PIN_LONGTERM | PIN_LOST,
		FAMILY(pin_vfio),
	}, {
		.name = "process_vm_readv",
		.what = "process_vm_readv() from the memory",
		.flags = PIN_SOURCE,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_process_vm),
	}, {
		.name = "process_vm_writev",
		.what = "process_vm_writev() into the memory",
		.flags = PIN_SINK,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_process_vm),
	}, {
		.name = "kvm_read",
		.what = "the memory is a virtual machine's, whose CPU reads it",
		.flags = PIN_SOURCE,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_kvm),
		.reach = pin_kvm_reach,
	}, {
		.name = "kvm_write",
		.what = "the memory is a virtual machine's, whose CPU writes it",
		.flags = PIN_SINK,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_kvm),
		.reach = pin_kvm_reach,
	}, {
		.name = "proc_mem_read",
		.what = "read of /proc/self/mem",
		.flags = PIN_SOURCE,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_proc_mem),
	}, {
		.name = "proc_mem_write",
		.what = "write of /proc/self/mem",
		.flags = PIN_SINK,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_proc_mem),
	}, {
		.name = "gup_fast",
		.what = "get_user_pages_fast() by GUP_TEST",
		.variant = 1,
		FAMILY(pin_gup_test),
	}, {
		.name = "pin_fast",
		.what = "pin_user_pages_fast() by GUP_TEST",
		.variant = 2,
		FAMILY(pin_gup_test),
	}, {
		.name = "pin_longterm",
		.what = "pin_user_pages(FOLL_LONGTERM) by GUP_TEST",
		.flags = PIN_LONGTERM,
		.variant = 3,
		FAMILY(pin_gup_test),
	}, {
		.name = "gup_basic",
		.what = "get_user_pages() by GUP_TEST",
		.variant = 4,
		FAMILY(pin_gup_test),
	}, {
		.name = "pin_basic",
		.what = "pin_user_pages() by GUP_TEST",
		.variant = 5,
		FAMILY(pin_gup_test),
	}, {
		.name = "gup_dump",
		.what = "get_user_pages() and dump_page() of the first page by GUP_TEST",
		.variant = 6,
		FAMILY(pin_gup_test),
	}, {
		.name = "gup_longterm_hold",
		.what = "pin_user_pages_fast(FOLL_LONGTERM) held by GUP_TEST",
		.flags = PIN_SOURCE | PIN_HELD | PIN_LONGTERM,
		.variant = PIN_GUP_TEST_HOLD,
		.max_len = PIN_COPY_MAX,
		FAMILY(pin_gup_test),
	},
	{ }
};

const struct pin_method *pin_method_find(const char *name)
{
	const struct pin_method *m;

	for (m = pin_methods; m->name; m++)
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
	/* root may raise the hard limit too; everybody may go up to it */
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

	raise_limit(RLIMIT_NOFILE, DESCRIPTORS);
	/* kernels before 5.12 charge rings and registered buffers to it */
	raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
	return method->open(pin);
}

int pin_prepare(struct pin *pin)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t len;
	void *peer;

	if (pin->peer || !(pin->method->flags & (PIN_SOURCE | PIN_SINK)))
		return 0;
	/* whole pages, and those that a range touches that begins inside one */
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
	pin->method->close(pin);
	if (pin->peer)
		munmap(pin->peer, pin->peer_len);
	pin->peer = NULL;
	pin->method = NULL;
}

void pin_abandon(struct pin *pin)
{
	pin->priv = NULL;
	pin->peer = NULL;
	pin->taken = false;
	pin->method = NULL;
}

/* Longest /proc/vmstat there is, twice over. */
#define VMSTAT_MAX	16384

/* opened once, for every cell asks several times and opening costs as much */
static int open_once(int *fd, const char *path, int flags)
{
	if (*fd < 0)
		*fd = open(path, flags | O_CLOEXEC);
	return *fd < 0 ? -errno : 0;
}

/*
 * The counters are kept for each CPU and summed up now and then; any access to
 * stat_refresh sums them up at once.
 */
static int fold_counters(void)
{
	static int fd = -1;
	int err = open_once(&fd, "/proc/sys/vm/stat_refresh", O_WRONLY);

	if (!err && pwrite(fd, "1", 1, 0) < 0)
		err = -errno;
	return err;
}

/* the value of a line that has been read to its end */
static bool find_counter(const char *text, const char *name, uint64_t *value)
{
	size_t len = strlen(name);
	const char *line = text, *end;

	for (; (end = strchr(line, '\n')); line = end + 1) {
		if (strncmp(line, name, len) || line[len] != ' ')
			continue;
		*value = strtoull(line + len, NULL, 10);
		return true;
	}
	return false;
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

int pin_counters_read(struct pin_counters *c)
{
	static int fd = -1;
	char text[VMSTAT_MAX];
	size_t len = 0;
	ssize_t n;
	int err;

	err = fold_counters();
	if (err)
		return err == -ENOENT ? -EOPNOTSUPP : err;
	err = open_once(&fd, "/proc/vmstat", O_RDONLY);
	if (err)
		return err;
	/* a page at a time, and for each the kernel sums up everything anew */
	while (len < sizeof(text) - 1) {
		n = pread(fd, text + len, sizeof(text) - 1 - len, len);
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += n;
		text[len] = '\0';
		if (find_counter(text, "nr_foll_pin_acquired", &c->acquired) &&
		    find_counter(text, "nr_foll_pin_released", &c->released))
			return 0;
	}
	return -EOPNOTSUPP;
}
