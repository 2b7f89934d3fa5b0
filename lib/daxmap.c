// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/daxmap.h"
#include "lib/sysfs.h"

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static uintptr_t round_up_to(uintptr_t value, size_t unit)
{
	return (value + unit - 1) / unit * unit;
}

size_t daxmap_bytes(enum daxmap_size size)
{
	size_t bytes = page_size();
	size_t entries = bytes / sizeof(uint64_t);
	int level;

	for (level = DAXMAP_PTE; level < (int)size; level++)
		bytes *= entries;
	return bytes;
}

const char *daxmap_name(enum daxmap_size size)
{
	static const char * const names[DAXMAP_NR] = { "pte", "pmd", "pud" };

	return size < DAXMAP_NR ? names[size] : "?";
}

/* bytes of a device-dax character device, from sysfs: it has no st_size */
static int chardev_bytes(dev_t rdev, size_t *bytes)
{
	char path[64], text[32], *end;
	int err;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/size", major(rdev), minor(rdev));
	err = sysfs_read_line(path, text, sizeof(text));
	if (err)
		return err;
	*bytes = strtoull(text, &end, 10);
	return end == text ? -EINVAL : 0;
}

static int all_bytes(int fd, size_t *bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISCHR(st.st_mode))
		return chardev_bytes(st.st_rdev, bytes);
	*bytes = st.st_size;
	return 0;
}

/*
 * The address of a mapping inside a reservation that starts at @base.
 *
 * The middle of a small mapping lies on a pud boundary: walkers that cross from one page
 * table to the next have their corner cases there.  Address and offset are congruent at
 * the wanted level, and deliberately not at the next one: a file system maps by the
 * largest entry that fits, so that "pte" would become "pmd" wherever blocks are aligned.
 */
static uintptr_t place(uintptr_t base, size_t len, off_t off, enum daxmap_size size)
{
	size_t pud = daxmap_bytes(DAXMAP_PUD);
	size_t entry = daxmap_bytes(size);
	uintptr_t addr = round_up_to(base, pud);
	size_t next;

	if (len > entry && len < pud)
		addr += pud - len / 2 / entry * entry;
	addr += (uintptr_t)off % entry;

	if (size == DAXMAP_PUD)
		return addr;
	next = daxmap_bytes(size + 1);
	if (addr % next == (uintptr_t)off % next)
		addr += entry;
	return addr;
}

/* Reserve more than is needed, map over the wanted part, unmap the rest. */
static int map_placed(struct daxmap *m, int prot)
{
	size_t span = round_up_to(m->len, page_size());
	size_t room = span + 4 * daxmap_bytes(DAXMAP_PUD);
	uintptr_t base, addr, end;
	void *p;
	int err;

	p = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	base = (uintptr_t)p;
	addr = place(base, span, m->off, m->size);
	/* for a misaligned offset: mmap() has to refuse the offset, not the address */
	addr -= addr % page_size();

	p = mmap((void *)addr, m->len, prot, m->flags | MAP_FIXED, m->fd, m->off);
	if (p == MAP_FAILED) {
		err = -errno;
		munmap((void *)base, room);
		return err;
	}
	m->addr = p;
	m->prot = prot;
	end = addr + span;
	if (addr > base)
		munmap((void *)base, addr - base);
	if (base + room > end)
		munmap((void *)end, base + room - end);
	return 0;
}

int daxmap_open(struct daxmap *m, const char *path, enum daxmap_size size,
		off_t off, size_t len, int prot)
{
	return daxmap_open_as(m, path, size, off, len, prot, MAP_SHARED);
}

int daxmap_open_as(struct daxmap *m, const char *path, enum daxmap_size size,
		   off_t off, size_t len, int prot, int flags)
{
	size_t all = 0;
	int err;

	memset(m, 0, sizeof(*m));
	m->off = off;
	m->len = len;
	m->size = size;
	m->flags = flags;
	m->fd = open(path, (prot & PROT_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (m->fd < 0)
		return -errno;

	err = 0;
	if (!len) {
		err = all_bytes(m->fd, &all);
		if (!err && (off < 0 || (size_t)off >= all))
			err = -EINVAL;
		if (!err)
			m->len = all - off;
	}
	if (!err)
		err = map_placed(m, prot);
	if (err)
		daxmap_close(m);
	return err;
}

int daxmap_remap(struct daxmap *m, int prot)
{
	return m->fd < 0 || m->addr ? -EINVAL : map_placed(m, prot);
}

int daxmap_move(struct daxmap *m)
{
	struct daxmap to = *m;
	void *p;
	int err;

	if (!m->addr)
		return -EINVAL;
	/* reserve an aligned range; the move replaces it */
	to.fd = -1;
	to.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	err = map_placed(&to, PROT_NONE);
	if (err)
		return err;
	p = mremap(m->addr, m->len, m->len, MREMAP_MAYMOVE | MREMAP_FIXED, to.addr);
	if (p == MAP_FAILED) {
		err = -errno;
		munmap(to.addr, to.len);
		return err;
	}
	m->addr = p;
	return 0;
}

int daxmap_unmap(struct daxmap *m)
{
	if (!m->addr)
		return 0;
	if (munmap(m->addr, m->len))
		return -errno;
	m->addr = NULL;
	return 0;
}

void daxmap_close(struct daxmap *m)
{
	daxmap_unmap(m);
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

/*
 * A store is one atomic addition of zero: a load and a store would take two faults where
 * the load maps read-only, and the addition keeps bytes that a concurrent transfer
 * writes.  The empty asm hides from the compiler that it is zero (it would make a load of
 * it) and that the loaded value is not used.  No sanitizer: its shadow memory faults too.
 */
static __attribute__((no_sanitize_address))
void touch(char *start, size_t len, size_t step, bool write)
{
	uint64_t *word, zero = 0;
	size_t at;

	asm volatile("" : "+r" (zero));
	for (at = 0; at < len; at += step) {
		word = (uint64_t *)(start + at);
		if (write)
			__atomic_fetch_add(word, zero, __ATOMIC_RELAXED);
		else
			asm volatile("" : : "r" (*word) : "memory");
	}
}

/* a fault for which a file system allocates blocks counts as a major one */
static int all_faults(unsigned long *n)
{
	struct rusage ru;

	if (getrusage(RUSAGE_THREAD, &ru))
		return -errno;
	*n = ru.ru_minflt + ru.ru_majflt;
	return 0;
}

/* access a word every @step bytes, count the faults */
static int touch_counted(char *start, size_t len, size_t step, bool write,
			 unsigned long *faults)
{
	uint64_t own[2] = { 0, 0 };
	unsigned long t0 = 0, t1 = 0, t2 = 0;
	int err;

	/*
	 * The first round faults in code, stack and libc and is not counted;
	 * the second measures the faults of counting itself.
	 */
	err = all_faults(&t0);
	touch((char *)own, sizeof(own), sizeof(own), write);
	if (!err)
		err = all_faults(&t0);
	touch((char *)own, sizeof(own), sizeof(own), write);
	if (!err)
		err = all_faults(&t1);
	touch(start, len, step, write);
	if (!err)
		err = all_faults(&t2);
	if (err)
		return err;
	*faults = t2 - t1 > t1 - t0 ? t2 - t1 - (t1 - t0) : 0;
	return 0;
}

int daxmap_touch(const struct daxmap *m, size_t off, size_t len, bool write,
		 unsigned long *faults)
{
	unsigned long seen;
	int err = touch_counted((char *)m->addr + off, len, page_size(), write, &seen);

	if (!err && faults)
		*faults = seen;
	return err;
}

int daxmap_prove(const struct daxmap *m, bool write, unsigned long *faults)
{
	size_t entry = daxmap_bytes(m->size);
	size_t step = m->size == DAXMAP_PTE ? entry : daxmap_bytes(m->size - 1);
	size_t want = (m->len + entry - 1) / entry;
	unsigned long seen;
	int err;

	err = touch_counted(m->addr, m->len, step, write, &seen);
	if (err)
		return err;
	if (faults)
		*faults = seen;
	return seen == want ? 0 : -ERANGE;
}
