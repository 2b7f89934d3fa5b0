/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mappings of DAX memory with a wanted page size, and the proof of that size.
 */
#ifndef DAX_LIB_DAXMAP_H
#define DAX_LIB_DAXMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>

/* what old headers lack; mmap(2), Linux 4.15 */
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE	0x03
#endif
#ifndef MAP_SYNC
#define MAP_SYNC	0x80000
#endif

/**
 * enum daxmap_size - page table level that maps the memory
 * @DAXMAP_PTE: base pages, 4 KiB on x86-64
 * @DAXMAP_PMD: 2 MiB on x86-64
 * @DAXMAP_PUD: 1 GiB on x86-64
 * @DAXMAP_NR: number of levels
 */
enum daxmap_size { DAXMAP_PTE, DAXMAP_PMD, DAXMAP_PUD, DAXMAP_NR };

/**
 * daxmap_bytes() - bytes mapped by one entry of a level on this machine
 * @size: the level
 *
 * Computed from the base page size: a page table holds pagesize / 8 entries.
 *
 * Return: bytes.
 */
size_t daxmap_bytes(enum daxmap_size size);

/**
 * daxmap_name() - name of a level
 * @size: the level
 *
 * Return: "pte", "pmd" or "pud"; "?" for another value.
 */
const char *daxmap_name(enum daxmap_size size);

/**
 * struct daxmap - one mapping
 * @fd: open descriptor of the device or file, owned; -1 once closed
 * @addr: start; NULL once unmapped
 * @len: bytes
 * @off: offset in the device or file, bytes
 * @size: the level it is placed for
 * @prot: PROT_* bits of the last mmap(2)
 * @flags: MAP_SHARED, MAP_SHARED_VALIDATE | MAP_SYNC, or MAP_PRIVATE
 */
struct daxmap {
	int fd;
	void *addr;
	size_t len;
	off_t off;
	enum daxmap_size size;
	int prot;
	int flags;
};

/**
 * daxmap_open() - open a device or file and map a part of it MAP_SHARED
 * @m: filled; the caller owns it until daxmap_close()
 * @path: device node or file
 * @size: level wanted: address and offset are congruent at this alignment
 * @off: offset in @path, bytes, a multiple of the level's size
 * @len: bytes, a multiple of the level's size; 0 for all of the device
 * @prot: PROT_* bits
 *
 * The address is chosen so that a mapping smaller than a pud entry (and larger than one
 * entry of its level) crosses a boundary of pud entries in its middle, where page table
 * walkers have their corner cases.  Nothing is touched.
 *
 * Return: 0, or -errno of open(2) or mmap(2).
 */
int daxmap_open(struct daxmap *m, const char *path, enum daxmap_size size,
		off_t off, size_t len, int prot);

/**
 * daxmap_open_as() - daxmap_open() with other flags than MAP_SHARED
 * @m: filled; the caller owns it until daxmap_close()
 * @path: device node or file
 * @size: level wanted
 * @off: offset in @path, bytes
 * @len: bytes
 * @prot: PROT_* bits
 * @flags: MAP_PRIVATE, or MAP_SHARED_VALIDATE and MAP_SYNC
 *
 * Return: as daxmap_open(); -EOPNOTSUPP for MAP_SYNC on memory that does not support it.
 */
int daxmap_open_as(struct daxmap *m, const char *path, enum daxmap_size size,
		   off_t off, size_t len, int prot, int flags);

/**
 * daxmap_unmap() - unmap, and keep the descriptor
 * @m: mapped, or unmapped already
 *
 * Return: 0 or -errno of munmap(2).
 */
int daxmap_unmap(struct daxmap *m);

/**
 * daxmap_remap() - map again after daxmap_unmap()
 * @m: open and unmapped
 * @prot: PROT_* bits
 *
 * Return: 0, -EINVAL when it is mapped or closed, or -errno of mmap(2).
 */
int daxmap_remap(struct daxmap *m, int prot);

/**
 * daxmap_move() - mremap(2) to another address of the same alignment
 * @m: mapped
 *
 * Return: 0; or -errno of mmap(2) or mremap(2), and then it has not moved.
 */
int daxmap_move(struct daxmap *m);

/**
 * daxmap_close() - unmap and close
 * @m: any state after daxmap_open(); a second call is harmless
 */
void daxmap_close(struct daxmap *m);

/**
 * daxmap_touch() - load or store one word of every base page, and count the faults
 * @m: mapping
 * @off: bytes from the start of the mapping
 * @len: bytes
 * @write: store the word that is there, instead of only loading it
 * @faults: set to the number of faults, minor and major, of this thread, without those
 *	of counting itself; may be NULL
 *
 * An access may raise SIGBUS.
 *
 * Return: 0, or -errno of getrusage(2).
 */
int daxmap_touch(const struct daxmap *m, size_t off, size_t len, bool write,
		 unsigned long *faults);

/**
 * daxmap_prove() - touch a fresh mapping and prove its page size
 * @m: mapping not yet touched
 * @write: touch by stores
 * @faults: set to the number of faults; may be NULL
 *
 * A mapping takes exactly one fault for each entry of its level.  One word is touched for
 * each entry of the level below: a smaller mapping takes a fault each time, and a pud
 * entry is proven by 512 words instead of 262144.  smaps and pagemap are not read: that
 * splits a pud entry on some kernels (history of walk_pud_range()).
 *
 * Return: 0 when the number of faults is that of the entries, -ERANGE when it is not, or
 * -errno of getrusage(2).
 */
int daxmap_prove(const struct daxmap *m, bool write, unsigned long *faults);

#endif
