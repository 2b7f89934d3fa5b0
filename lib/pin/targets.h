/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices that pins need: block devices on which I/O can be held in flight, and an
 * RDMA device to register memory with.
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
 *	pin_targets_flush(); "" if there is none
 * @under: the device under @delay: the same bytes, not delayed
 * @slow_ns: completion delay of the slow device, nanoseconds; PIN_TARGETS_SLOW_NS at
 *	first.  May be changed until pin_targets_timed() has made the device, after
 *	that by pin_targets_retime()
 * @slower_ns: completion delay of the slower one, nanoseconds
 * @size: bytes of each block device
 * @id: distinguishes the configfs and dm names of this run
 * @loaded: modules that this run loaded, to be unloaded, a bit each
 * @why: why a block device is missing, a sentence; "" if all are there
 * @rdma_why: why there is no RDMA device, a sentence; "" until that is known
 *
 * Plain data: from a copy in shared memory the guardian can remove all devices.
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
 * pin_targets_create() - make the block devices that this machine can have
 * @t: filled, partly when something is missing
 * @id: unique among runs, e.g. the process id
 *
 * Return: 0 when all are there, else -errno of the first that is missing; the
 * others can be used.
 */
int pin_targets_create(struct pin_targets *t, unsigned int id);

/**
 * pin_targets_timed() - the null_blk device that holds I/O long enough
 * @t: created
 * @hold_ns: wanted, nanoseconds: up to @t->slow_ns the slow device is used, else the
 *	slower one
 * @delay_ns: set to its completion delay, nanoseconds
 * @node: set to its node
 * @len: bytes in @node
 *
 * The first caller makes it: the kernel reads three times from every new disk to look
 * for partitions, and each read takes the delay.
 *
 * Return: 0, -ERANGE when not even the slower device is slow enough, or -errno.
 */
int pin_targets_timed(const struct pin_targets *t, uint64_t hold_ns,
		      uint64_t *delay_ns, char *node, size_t len);

/**
 * pin_targets_retime() - change the delay of the slow device
 * @t: created; the device must not be in use
 * @slow_ns: its completion delay from now on, nanoseconds
 *
 * Return: 0, or -errno with the delay as it was.
 */
int pin_targets_retime(struct pin_targets *t, uint64_t slow_ns);

/**
 * pin_targets_held() - I/O that dm-delay is holding back, by its own status
 * @t: created
 * @write: count writes, else reads
 *
 * The counters of /sys/block cannot be used: since 5.18 dm-delay's I/O is counted
 * there only after the delay.
 *
 * Return: number of bios, -ENODEV without dm-delay, or another -errno.
 */
int pin_targets_held(const struct pin_targets *t, bool write);

/**
 * pin_targets_flush() - complete all I/O that dm-delay holds back
 * @t: from pin_targets_create()
 *
 * Suspending a dm-delay device submits its held bios (dm-delay's presuspend hook);
 * it is resumed afterwards.
 *
 * Return: 0, -ENODEV without dm-delay, or another -errno.
 */
int pin_targets_flush(const struct pin_targets *t);

/**
 * pin_targets_rdma() - a soft RoCE device on the loopback device
 * @t: from pin_targets_create(), in memory that the guardian sees
 * @name: set to its name
 * @len: bytes in @name
 *
 * The first caller makes it, unless there is one: its modules are large.
 *
 * Return: 0, or -errno with a sentence in @t->rdma_why.
 */
int pin_targets_rdma(struct pin_targets *t, char *name, size_t len);

/**
 * pin_targets_destroy() - remove the devices, unload the modules loaded for them
 * @t: from pin_targets_create(); may be a copy in another process, also after its
 *	creator has crashed
 *
 * Return: 0 or the first -errno; continues after an error.
 */
int pin_targets_destroy(const struct pin_targets *t);

#endif
