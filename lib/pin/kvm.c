// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory is that of a guest, whose only CPU copies the bytes.
 *
 * KVM holds no reference to a guest's pages.  It maps them, and an MMU notifier on the
 * host's mapping removes them from the guest (Documentation/virt/kvm/mmu.rst): when
 * the host's mapping is revoked, so is the guest's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/pin/internal.h"

#ifdef __x86_64__
#include <linux/kvm.h>

/* guest physical addresses of code, memory and peer, in flat mode below 4 GiB */
#define GUEST_CODE	0x0UL
#define GUEST_MEMORY	0x40000000UL
#define GUEST_PEER	0xc0000000UL

/* low bits of the host's address kept in the guest's, for the largest entries */
#define GUEST_SAME	((1UL << 30) - 1)

/* three pages that Intel hardware needs (KVM_SET_TSS_ADDR) */
#define GUEST_TSS	0xfffbd000UL

enum { SLOT_CODE, SLOT_MEMORY, SLOT_PEER };

/* cld; rep movsl; mov %edx, %ecx; rep movsb; hlt */
static const unsigned char copy[] = { 0xfc, 0xf3, 0xa5, 0x89, 0xd1, 0xf3, 0xa4, 0xf4 };

/**
 * struct kvm - a virtual machine
 * @dev: /dev/kvm
 * @vm: the machine
 * @cpu: its CPU
 * @run: shared with the kernel, @run_len bytes
 * @code: a page
 */
struct kvm {
	int dev;
	int vm;
	int cpu;
	struct kvm_run *run;
	size_t run_len;
	void *code;
};

static int page(void)
{
	return sysconf(_SC_PAGESIZE);
}

static int kvm_set_slot(struct kvm *k, unsigned int slot, unsigned long guest, uintptr_t host,
			size_t len)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .guest_phys_addr = guest, .memory_size = len,
		.userspace_addr = host,
	};
	struct kvm_userspace_memory_region none = { .slot = slot };

	/* a slot cannot change its size: remove it first, if it is there */
	ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &none);
	return ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

static int kvm_set_mode(struct kvm *k)
{
	struct kvm_segment data = {
		.limit = 0xffffffff, .selector = 0x10, .type = 3, .present = 1, .db = 1,
		.s = 1, .g = 1,
	};
	struct kvm_sregs s;

	if (ioctl(k->cpu, KVM_GET_SREGS, &s))
		return -errno;
	s.ds = data;
	s.es = data;
	s.ss = data;
	s.cs = data;
	s.cs.selector = 0x08;
	s.cs.type = 11;
	s.cr0 |= 1;
	return ioctl(k->cpu, KVM_SET_SREGS, &s) ? -errno : 0;
}

static int kvm_make(struct kvm *k)
{
	/* a signal may interrupt the creation */
	do
		k->vm = ioctl(k->dev, KVM_CREATE_VM, 0);
	while (k->vm < 0 && errno == EINTR);
	if (k->vm < 0)
		return -errno;
	/* AMD hardware does not need it */
	ioctl(k->vm, KVM_SET_TSS_ADDR, GUEST_TSS);
	k->cpu = ioctl(k->vm, KVM_CREATE_VCPU, 0);
	if (k->cpu < 0)
		return -errno;
	k->run_len = ioctl(k->dev, KVM_GET_VCPU_MMAP_SIZE, 0);
	k->run = mmap(NULL, k->run_len, PROT_READ | PROT_WRITE, MAP_SHARED, k->cpu, 0);
	if (k->run == MAP_FAILED)
		return -errno;
	k->code = mmap(NULL, page(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (k->code == MAP_FAILED)
		return -errno;
	memcpy(k->code, copy, sizeof(copy));
	return kvm_set_slot(k, SLOT_CODE, GUEST_CODE, (uintptr_t)k->code, page()) ?:
	       kvm_set_mode(k);
}

static void kvm_close(struct pin *pin)
{
	struct kvm *k = pin->priv;

	if (!k)
		return;
	if (k->run != MAP_FAILED)
		munmap(k->run, k->run_len);
	if (k->cpu >= 0)
		close(k->cpu);
	if (k->vm >= 0)
		close(k->vm);
	if (k->code != MAP_FAILED)
		munmap(k->code, page());
	if (k->dev >= 0)
		close(k->dev);
	free(k);
	pin->priv = NULL;
}

static int kvm_open(struct pin *pin)
{
	struct kvm *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return -ENOMEM;
	pin->priv = k;
	k->vm = -1;
	k->cpu = -1;
	k->run = MAP_FAILED;
	k->code = MAP_FAILED;
	k->dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	err = k->dev < 0 ? -errno : kvm_make(k);
	if (!err)
		return 0;
	kvm_close(pin);
	return pin_fail(pin, -EOPNOTSUPP, "no virtual machine by /dev/kvm: %s", strerror(-err));
}

/* whole pages: the peer is a mapping of its own */
static uintptr_t peer_end(const struct pin *pin)
{
	return ((uintptr_t)pin->peer + pin->peer_len + page() - 1) / page() * page();
}

/* the guest's CPU copies all of the range, from the memory or into it */
static int kvm_run(struct pin *pin, bool write)
{
	uintptr_t at = GUEST_MEMORY + ((uintptr_t)pin->addr & GUEST_SAME);
	uintptr_t peer = GUEST_PEER + (uintptr_t)pin->peer % page();
	struct kvm_regs r = {
		.rsi = write ? peer : at, .rdi = write ? at : peer,
		.rcx = pin->len / 4, .rdx = pin->len % 4, .rflags = 2,
	};
	struct kvm *k = pin->priv;

	if (ioctl(k->cpu, KVM_SET_REGS, &r))
		return -errno;
	while (ioctl(k->cpu, KVM_RUN, 0))
		if (errno != EINTR)
			return -errno;
	if (k->run->exit_reason == KVM_EXIT_HLT)
		return 0;
	/* an address that the host does not map is taken for that of a device */
	if (k->run->exit_reason == KVM_EXIT_MMIO)
		return -EFAULT;
	return pin_fail(pin, -EIO, "the guest's CPU stopped with exit reason %u",
			k->run->exit_reason);
}

static int kvm_take(struct pin *pin)
{
	struct kvm *k = pin->priv;
	uintptr_t at, peer = (uintptr_t)pin->peer / page() * page();
	size_t len;
	int err;

	pin_pages(pin, &at, &len);
	err = kvm_set_slot(k, SLOT_MEMORY, GUEST_MEMORY + (at & GUEST_SAME), at, len);
	err = err ?: kvm_set_slot(k, SLOT_PEER, GUEST_PEER, peer, peer_end(pin) - peer);
	return err ?: kvm_run(pin, pin->method->flags & PIN_SINK);
}

static int kvm_reach(struct pin *pin, void *buf, bool write)
{
	int err;

	if (write)
		memcpy(pin->peer, buf, pin->len);
	err = kvm_run(pin, write);
	if (!err && !write)
		memcpy(buf, pin->peer, pin->len);
	return err;
}

#define KVM_FUNCTIONS				\
	.open = kvm_open,			\
	.take = kvm_take,			\
	.close = kvm_close,			\
	.reach = kvm_reach
#else
#define KVM_FUNCTIONS	.lacks = "the code of the guest is written for x86-64"
#endif

static const struct pin_method kvm_methods[] = {
	{
		.name = "kvm_read",
		.what = "the memory of a guest, read by its CPU (KVM)",
		.flags = PIN_SOURCE | PIN_REACH,
		.max_len = PIN_COPY_MAX,
		KVM_FUNCTIONS,
	}, {
		.name = "kvm_write",
		.what = "the memory of a guest, written by its CPU (KVM)",
		.flags = PIN_SINK | PIN_REACH,
		.max_len = PIN_COPY_MAX,
		KVM_FUNCTIONS,
	},
	{ }
};

REGISTER(pin_methods, kvm_methods);
