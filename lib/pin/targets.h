/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices that pins need: block devices that I/O can be held in flight on, and
 * one to register memory with.
 */
#ifndef DAX_LIB_PIN_TARGETS_H
#define DAX_LIB_PIN_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A kernel that does not wait for pins returns from unbind within 0.04 to 0.12 s
 * even under TCG: longer than that, and short enough for a run.
 */
#define PIN_TARGETS_SLOW_NS	300000000ULL

/**
 * struct pin_targets - the devices of one run
 * @fast: null_blk with memory behind it, completes at once; "" if there is none
 * @delay: dm-delay over a null_blk device of its own: holds I/O until
 *	pin_targets_flush() lets it go
 * @under: the device under @delay: the same bytes, by a way that does not wait
 * @slow_ns: completion delay of the slow device, nanoseconds, to begin with
 *	PIN_TARGETS_SLOW_NS; may be changed
 *	until pin_targets_timed() has made it, then by pin_targets_retime()
 * @slower_ns: completion delay of the slower one
 * @size: bytes of each block device
 * @id: distinguishes the configfs and dm names of this run
 * @loaded: modules this run loaded, for removal, a bit each
 * @why: why a block device is missing, a sentence; "" if all are there
 * @rdma_why: why there is no RDMA device, a sentence; "" until that is known
 *
 * Plain data: a copy in shared memory serves the guardian to remove it all.
 */
struct pin_targets {
	char fast[64];
	char delay[64];
	char under[64];
	uint64_t slow_ns;
	uint64_t slower_ns;
	size_t size;
	unsigned int id;
	unsigned int loaded;
	char why[160];
	char rdma_why[96];
};

/**
 * pin_targets_create() - create what this machine can
 * @t: filled, partly when something is missing
 * @id: unique among runs, e.g. the process id
 *
 * Return: 0 when all are there, else -errno of the first that is missing; the
 * others still serve.
 */
int pin_targets_create(struct pin_targets *t, unsigned int id);

/**
 * pin_targets_timed() - the null_blk device that holds I/O long enough
 * @t: created
 * @hold_ns: wanted: the slow device serves up to @t->slow_ns, else the slower
 * @delay_ns: its completion delay, nanoseconds
 * @node: its node
 * @len: bytes in @node
 *
 * Made by the first who needs it: the kernel reads three times from every new
 * disk to look for partitions, and each read takes the delay.
 *
 * Return: 0, -ERANGE when not even the slower device is slow enough, or -errno.
 */
int pin_targets_timed(const struct pin_targets *t, uint64_t hold_ns,
		      uint64_t *delay_ns, char *node, size_t len);

/**
 * pin_targets_retime() - change the delay of the slow device
 * @t: created; nobody uses the device
 * @slow_ns: its completion delay from now on, nanoseconds
 *
 * Return: 0, or -errno with the delay as it was.
 */
int pin_targets_retime(struct pin_targets *t, uint64_t slow_ns);

/**
 * pin_targets_held() - I/O that dm-delay is holding back, as it says itself
 * @t: created
 * @write: count writes, else reads
 *
 * The counters of /sys/block do not serve: since 5.18 dm-delay's I/O enters
 * them only when it is let go.
 *
 * Return: number of bios, or -errno.
 */
int pin_targets_held(const struct pin_targets *t, bool write);

/**
 * pin_targets_flush() - let go all I/O that dm-delay holds back
 * @t: from pin_targets_create()
 *
 * Suspending a dm-delay device hands its held bios down (dm-delay's presuspend
 * hook); it is resumed afterwards.
 *
 * Return: 0 or -errno.
 */
int pin_targets_flush(const struct pin_targets *t);

/**
 * pin_targets_rdma() - a soft RoCE device on the loopback device
 * @t: from pin_targets_create(), in memory that the guardian sees
 * @name: its name
 * @len: bytes in @name
 *
 * Made by the first who needs it, unless there is one: its modules are large.
 *
 * Return: 0, or -errno with a sentence in @t->rdma_why.
 */
int pin_targets_rdma(struct pin_targets *t, char *name, size_t len);

/**
 * pin_targets_destroy() - remove the devices; unload what was loaded for them
 * @t: from pin_targets_create()
 *
 * Works from a copy in another process, and after a crash of the creator.
 *
 * Return: 0 or the first -errno; goes on after an error.
 */
int pin_targets_destroy(const struct pin_targets *t);

#endif
