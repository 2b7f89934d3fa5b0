/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test namespaces: opt-in, setup, restore.
 *
 * Finds the namespaces and devices that the user offers, refuses those in use, brings one
 * of them into the mode that a test needs, and restores all of them at the end.  Binds and
 * unbinds their drivers.  The only user of libndctl and libdaxctl.
 */
#ifndef DAX_LIB_NS_NS_H
#define DAX_LIB_NS_NS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NS_MAX	16

/* room for the longest sentence, in bytes */
#define WHY_LEN	352

/* room for a mount point of the suite, and for a file below it, in bytes */
#define MOUNT_LEN	64
#define NODE_LEN	96

/**
 * struct ns_above - a parent device, see level_find() in level.h
 * @name: "region0"
 * @driver: sysfs directory of its driver
 * @module: module of the driver; "" when it is built into the kernel
 */
struct ns_above {
	char name[48];
	char driver[112];
	char module[32];
};

/**
 * struct test_ns - a namespace that may be used, or a device-dax device without one
 * @ndns: namespace, "namespace0.1"; "" for a device without one
 * @region: "region0"
 * @provider: provider of the nvdimm bus
 * @uuid: of the namespace's label; "" where there are no labels
 * @label: the namespace's label name
 * @claim: mode that the label insists on, by the kernel's word; "" for any
 * @start: physical address of the namespace, or of a dynamic device's first range
 * @capacity: bytes of the namespace, the memory map and padding included
 * @info_uuid: of the info block that gives the namespace its mode; "" if none
 * @align: bytes; 0 without info block
 * @map_dev: the memory map lies on the device (altmap)
 * @sector: bytes of a sector in sector mode; else 0
 * @claim_dev: libnvdimm's device that gives the namespace its mode: "pfn0.1"; "" if none
 * @dax: "dax0.1"; "" in other modes than devdax
 * @node: node of @dax: "/dev/dax0.1"
 * @driver: driver of @dax: "device_dax", or "" when unbound
 * @size: usable bytes of @dax
 * @rdev: device number of @dax's node
 * @block: "pmem0.1" in other modes than devdax
 * @above: a parent device, set by level_find()
 *
 * Plain data, so that it can lie in shared memory.
 */
struct test_ns {
	char ndns[32];
	char region[32];
	char provider[64];
	char uuid[40];
	char label[64];
	char claim[16];
	unsigned long long start;
	unsigned long long capacity;
	char info_uuid[40];
	size_t align;
	bool map_dev;
	unsigned int sector;
	char claim_dev[32];
	char dax[32];
	char node[NODE_LEN];
	char driver[32];
	size_t size;
	dev_t rdev;
	char block[32];
	struct ns_above above;
};

/**
 * struct ns_want - what a test needs
 * @mode: "devdax", "fsdax", "raw" or "sector"
 * @align: bytes mapped by an entry of a page table level; 0 for modes without
 * @min_size: usable bytes
 * @map_dev: memory map on the device instead of in memory
 */
struct ns_want {
	const char *mode;
	size_t align;
	size_t min_size;
	bool map_dev;
};

/**
 * struct dynamic - a dynamic dax region, see dynamic.h
 * @first: name of its first device, "dax0.0"; "" where no region was offered
 * @was: that device as it was found
 * @changed: it was changed, or is about to be
 * @avoid: excluded from further use
 */
struct dynamic {
	char first[32];
	struct test_ns was;
	bool changed;
	bool avoid;
};

/**
 * struct ns_set - the namespaces and devices that were offered
 * @nr: number of entries in @now, @was, @mode, @reconfigured and @avoid
 * @now: their present state
 * @was: the state they were found in, for ns_set_restore()
 * @mode: the mode each namespace was found in: "devdax", "fsdax", "sector", "raw"
 * @reconfigured: ns_choose() has changed the namespace, or is about to
 * @avoid: excluded from further use, see ns_avoid()
 * @dynamic: the dynamic region that was offered
 *
 * Plain data: a copy in shared memory serves the guardian.
 */
struct ns_set {
	unsigned int nr;
	struct test_ns now[NS_MAX];
	struct test_ns was[NS_MAX];
	char mode[NS_MAX][16];
	bool reconfigured[NS_MAX];
	bool avoid[NS_MAX];
	struct dynamic dynamic;
};

/**
 * ns_set_find() - find the namespaces and devices that are offered
 * @set: filled
 * @why: set to a sentence: what is wrong and what to do
 * @len: bytes in @why
 *
 * Offered are namespaces whose label name begins with "ksft-dax", or, when the
 * variable is set, exactly those in DAX_TEST_NAMESPACE= ("namespace0.1") and
 * DAX_TEST_DEV= ("dax0.1" or "/dev/dax0.1"), several separated by blanks or
 * commas.  DAX_TEST_REGION= also offers a dynamic dax region.
 *
 * Refused is a namespace that is mounted, used as swap, held by another driver, open or
 * mapped in another program, or on a bus of nfit_test; and one with contents that
 * libblkid recognises, unless a variable names it.  Without libblkid, namespaces of other
 * modes than devdax have to be named.  Changes nothing, and needs no library.
 *
 * If one that was named is refused, all are.  Of those with a label the rest can be used:
 * then 0 is returned, and @why describes the first that was refused.
 *
 * Return: 0 with at least one, -ENODEV when none is offered, -EBUSY when it is in use or
 * has contents, -EINVAL when it is not usable, -EPERM without root.
 */
int ns_set_find(struct ns_set *set, char *why, size_t len);

/**
 * ns_choose() - choose a namespace in the mode that a test needs
 * @set: from ns_set_find(); updated when a namespace has to be reconfigured
 * @want: what the test needs
 * @v: filled
 * @why: set to a sentence when it fails
 * @len: bytes in @why
 *
 * Chooses one that is as wanted already, else reconfigures the smallest namespace that is
 * large enough (noted in @set before it is changed).  The order is fixed, so that all
 * tests of a page size get the same device.  A dax device is bound to device_dax.  A
 * namespace whose reconfiguration fails is restored.
 *
 * Return: 0; -ENOSPC when none is large enough; -EOPNOTSUPP when one has to be
 * reconfigured and the libraries are missing or the kernel lacks the alignment; or
 * another -errno.
 */
int ns_choose(struct ns_set *set, const struct ns_want *want, struct test_ns *v,
	      char *why, size_t len);

/**
 * ns_key() - name of a device in messages and lists
 * @v: the device
 *
 * Return: @v->dax, or @v->ndns in other modes than devdax; valid as long as @v.
 */
const char *ns_key(const struct test_ns *v);

/**
 * ns_avoid() - exclude a device from further use
 * @set: from ns_set_find()
 * @v: from ns_choose()
 *
 * For a device whose unbind is stuck, or whose pins stay out until reboot: configuring it
 * would block as well, or remove the memory map from under the pins once more.  ns_choose()
 * does not choose it, and ns_set_restore() leaves it as it is.
 */
void ns_avoid(struct ns_set *set, const struct test_ns *v);

/**
 * ns_set_restore() - restore mode, alignment, label name and driver
 * @set: from ns_set_find()
 *
 * Reads the present state of each namespace first, so it also works after a SIGKILL at any
 * point of ns_choose().  Contents are not restored.  The calling process has no descriptor
 * or mapping of the devices; other processes get three seconds to close theirs.  Goes on
 * after an error.
 *
 * Return: 0; -EBUSY when a device is still in use or excluded by ns_avoid(); -EIO when the
 * namespace is in another state afterwards; or the first -errno.
 */
int ns_set_restore(struct ns_set *set);

/**
 * ns_driver() - name of a dax device's driver
 * @v: the device
 * @name: set; "" when it is not bound
 * @len: bytes in @name
 *
 * Return: 0, -ENODEV when there is no such device, or another -errno.
 */
int ns_driver(const struct test_ns *v, char *name, size_t len);

/**
 * ns_bind() - bind a dax device to device_dax through sysfs
 * @v: the device
 *
 * Return: 0 (also when it is bound already), -EBUSY when another driver is bound, -ENXIO
 * when the driver refused it, or another -errno.
 */
int ns_bind(const struct test_ns *v);

/**
 * ns_unbind() - unbind a dax device from device_dax through sysfs, in the calling task
 * @v: the device
 *
 * Blocks as long as the kernel waits for references.
 *
 * Return: 0, or -errno of write(2).
 */
int ns_unbind(const struct test_ns *v);

/*
 * Each of the next functions returns -EOPNOTSUPP without libndctl and libdaxctl, -ENODEV
 * when there is no such device, or the error of the library's function.
 */

/**
 * ns_disable_dax() - unbind a dax device with daxctl_dev_disable(), in the calling task
 * @v: the device
 *
 * Blocks as long as the kernel does.
 *
 * Return: 0 or -errno, see above.
 */
int ns_disable_dax(const struct test_ns *v);

/**
 * ns_disable_namespace() - disable with ndctl_namespace_disable_safe()
 * @v: the namespace
 *
 * Blocks as long as the kernel does.
 *
 * Return: 0 or -errno, see above.
 */
int ns_disable_namespace(const struct test_ns *v);

/**
 * ns_enable_namespace() - enable with ndctl_namespace_enable()
 * @v: the namespace
 *
 * Return: 0 or -errno, see above.
 */
int ns_enable_namespace(const struct test_ns *v);

/**
 * ns_disable_region() - disable a region with ndctl_region_disable_preserve()
 * @v: a namespace of the region
 *
 * Blocks as long as the kernel does.
 *
 * Return: 0 or -errno, see above.
 */
int ns_disable_region(const struct test_ns *v);

/**
 * ns_enable_region() - enable a region with ndctl_region_enable()
 * @v: a namespace of the region
 *
 * The kernel probes its devices in work items, which may not be done yet.
 *
 * Return: 0 or -errno, see above.
 */
int ns_enable_region(const struct test_ns *v);

/**
 * ns_destroy_enabled() - ndctl_namespace_delete() of a namespace that is not disabled
 * @v: the namespace
 *
 * Return: 0 or -errno, see above; the kernel has to refuse it.
 */
int ns_destroy_enabled(const struct test_ns *v);

/**
 * ns_enable_dax() - bind a dax device with daxctl_dev_enable_devdax()
 * @v: the device
 *
 * Return: 0 or -errno, see above.
 */
int ns_enable_dax(const struct test_ns *v);

/**
 * ns_bind_kmem() - unbind device_dax and bind kmem, through libdaxctl
 * @v: the device
 *
 * Blocks as long as unbinding does.
 *
 * Return: 0 or -errno, see above.
 */
int ns_bind_kmem(const struct test_ns *v);

/**
 * ns_find_again() - find a device again, which may have another name now
 * @was: its state before
 * @now: filled when it is there; may be @was
 * @why: set to a sentence when it fails: what is missing or differs
 * @len: bytes in @why
 *
 * By the uuid of its label: a region that comes back may number its namespaces
 * differently.  A device without a namespace keeps its name.  It must have the same mode,
 * size, alignment and driver, and a node.
 *
 * Return: 0, -ENODEV while something is missing, -ESTALE when something differs.
 */
int ns_find_again(const struct test_ns *was, struct test_ns *now, char *why, size_t len);

/**
 * ns_read_again() - find a namespace by its uuid, in any state
 * @was: its state before
 * @now: filled with its present state
 *
 * Return: 0 or -ENODEV.
 */
int ns_read_again(const struct test_ns *was, struct test_ns *now);

/**
 * ns_set_find_again() - ns_find_again() for all namespaces that were offered
 * @set: @set->now is updated
 * @why: set to a sentence when it fails: the first that is not as it was
 * @len: bytes in @why
 *
 * Waits up to ten seconds for namespaces that are not there yet.
 *
 * Return: as ns_find_again(), for the first one that fails.
 */
int ns_set_find_again(struct ns_set *set, char *why, size_t len);

/**
 * ns_check_same() - is a dax device still the same?
 * @v: its state before
 * @why: set to a sentence when it is not: its node, device number, size or alignment
 * @len: bytes in @why
 *
 * Return: 0, -ESTALE when something differs, or -errno.
 */
int ns_check_same(const struct test_ns *v, char *why, size_t len);

#endif
