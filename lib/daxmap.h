/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mappings of DAX memory at a wanted page size, and the proof of that size.
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
 * Follows the base page size: a page table page holds pagesize/8 entries.
 */
size_t daxmap_bytes(enum daxmap_size size);

/** daxmap_name() - "pte", "pmd" or "pud" */
const char *daxmap_name(enum daxmap_size size);

/**
 * struct daxmap - one mapping
 * @fd: open descriptor of the device or file, owned; -1 once closed
 * @addr: start; NULL once unmapped
 * @len: bytes
 * @off: offset in the device or file, bytes
 * @size: the level the mapping is meant to have
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
 * @off: bytes, a multiple of the level's size
 * @len: bytes, a multiple of the level's size; 0 for all of the device
 * @prot: PROT_* bits
 *
 * The address is chosen so that a mapping smaller than 1 GiB (and larger than
 * one entry) crosses a 1 GiB boundary of the address space in its middle: the
 * page table walkers have their corner cases there.  Nothing is touched.
 *
 * Return: 0, or -errno of open(2) or mmap(2).
 */
int daxmap_open(struct daxmap *m, const char *path, enum daxmap_size size,
		off_t off, size_t len, int prot);

/**
 * daxmap_open_as() - likewise, but not MAP_SHARED
 * @m: filled
 * @path: device node or file
 * @size: level wanted
 * @off: bytes
 * @len: bytes
 * @prot: PROT_* bits
 * @flags: MAP_* bits of mmap(2), how it is shared
 *
 * Return: as daxmap_open(); -EOPNOTSUPP for MAP_SYNC where stores are not durable
 * without the file system's help.
 */
int daxmap_open_as(struct daxmap *m, const char *path, enum daxmap_size size,
		   off_t off, size_t len, int prot, int flags);

/** daxmap_unmap() - munmap(2) all of it, keep the descriptor; 0 or -errno */
int daxmap_unmap(struct daxmap *m);

/** daxmap_remap() - map again after daxmap_unmap(); 0 or -errno of mmap(2) */
int daxmap_remap(struct daxmap *m, int prot);

/**
 * daxmap_move() - mremap(2) all of it to another place of the same alignment
 * @m: mapped
 *
 * Return: 0, or -errno of mmap(2) or mremap(2): then it is where it was.
 */
int daxmap_move(struct daxmap *m);

/** daxmap_close() - unmap what is mapped and close; safe to call twice */
void daxmap_close(struct daxmap *m);

/**
 * daxmap_touch() - read or write one word of every base page, count the faults
 * @m: mapping
 * @off: bytes from the start of the mapping
 * @len: bytes
 * @write: store the word that is there instead of loading it only
 * @faults: number of faults the touching took (of the thread, minor and major,
 *	the call's own overhead subtracted); may be NULL
 *
 * Never returns if a touch raises a signal that nobody catches.
 *
 * Return: 0, or -errno of getrusage(2).
 */
int daxmap_touch(const struct daxmap *m, size_t off, size_t len, bool write,
		 unsigned long *faults);

/**
 * daxmap_prove() - touch a fresh mapping and prove its page size
 * @m: mapping not yet touched
 * @write: touch by stores
 * @faults: the number of faults taken; may be NULL
 *
 * A mapping at a level takes exactly one fault for each entry.  One word is
 * touched for each entry of the level below: a smaller mapping takes a fault
 * each time, and a PUD is proven by 512 words instead of 262144.  Does not look
 * at smaps or pagemap: looking splits a PUD (history of walk_pud_range()).
 *
 * Return: 0 when the number of faults is len / entry, -ERANGE when it is not.
 */
int daxmap_prove(const struct daxmap *m, bool write, unsigned long *faults);

#endif
