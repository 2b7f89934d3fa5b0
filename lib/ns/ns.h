/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whose memory may be touched.  The only user of libndctl and libdaxctl.
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

/* room for a mount point of ours, and for a file below it, in bytes */
#define MOUNT_LEN	64
#define NODE_LEN	96

/**
 * struct ns_above - a device that others are below of
 * @name: "region0"
 * @driver: directory of the driver it is bound to
 * @module: the driver's; "" when it is built into the kernel
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
 * @claim: mode the label insists on, by the kernel's word; "" for any
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
 * @above: a device that it is below of, see level_find() in ns_level.h
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
 * struct ns_want - what a cell needs
 * @mode: "devdax", "fsdax", "raw" or "sector"
 * @align: bytes: 4 KiB, 2 MiB, 1 GiB; 0 for modes without
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
 * struct dynamic - a dax region whose devices may be made and thrown away
 * @first: name of its first device, "dax0.0"; "" where no region was offered
 * @was: that device as it was found
 * @changed: it is another now, or was about to be
 * @avoid: touch it no more
 */
struct dynamic {
	char first[32];
	struct test_ns was;
	bool changed;
	bool avoid;
};

/**
 * struct ns_set - everything that was offered, and what it was like
 * @nr: number of entries
 * @now: as they are
 * @was: as they were found, for ns_set_restore()
 * @mode: the mode each namespace was found in: "devdax", "fsdax", "sector", "raw"
 * @reconfigured: ns_get() has changed the namespace, or was about to
 * @avoid: touch it no more, see ns_avoid()
 * @dynamic: the region that was offered, see ns_dynamic.h
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
 * ns_set_find() - find what was offered
 * @set: filled
 * @why: a sentence: what is wrong and what to do
 * @len: bytes in @why
 *
 * Offered are namespaces whose label name begins with "ksft-dax", or, when the
 * variable is set, exactly those in DAX_TEST_NAMESPACE= ("namespace0.1") and
 * DAX_TEST_DEV= ("dax0.1" or "/dev/dax0.1"), several separated by blanks or
 * commas.  Never one that is mounted, swapped to, held by another driver, open
 * or mapped in another program, or on a bus whose provider is nfit_test's; and
 * one that holds something (libblkid) only when named by variable.  Changes
 * nothing and needs no library; without libblkid, other modes than devdax have
 * to be named.  DAX_TEST_REGION= offers a dynamic dax region beside them.
 *
 * One refusal of what was named refuses all.  Of what is labelled, the rest
 * serves, and @why tells of the first that was refused although 0 is returned.
 *
 * Return: 0 with at least one, -ENODEV when nothing was offered, -EBUSY when
 * it is in use or holds something, -EINVAL when it is not usable, -EPERM
 * without root.
 */
int ns_set_find(struct ns_set *set, char *why, size_t len);

/**
 * ns_get() - a device-dax device, or a pmem block device, as wanted
 * @set: found; changed when a namespace has to be reconfigured
 * @want: what is wanted
 * @v: filled
 * @why: a sentence when it fails
 * @len: bytes in @why
 *
 * Takes one that already is as wanted, else reconfigures the smallest offered
 * namespace that is large enough (recorded in @set before it is touched).  A
 * fixed order, so that every cell of a page size gets the same device.  A dax
 * device is bound to device_dax.  What fails to be reconfigured is restored.
 *
 * Return: 0, -ENOSPC when none is large enough, -EOPNOTSUPP when one has to be
 * reconfigured and the libraries or the alignment are not there, else -errno.
 */
int ns_get(struct ns_set *set, const struct ns_want *want, struct test_ns *v,
	   char *why, size_t len);

/** ns_key() - the name a device is remembered by: that of @dax, or @ndns */
const char *ns_key(const struct test_ns *v);

/**
 * ns_avoid() - touch a device no more
 * @set: found
 * @v: from ns_get()
 *
 * For a device whose unbind hangs, or whose holder is parked with pins out:
 * every attempt to configure it would hang as well, or take the memory map
 * from under the pins once more.  ns_get() passes it over and
 * ns_set_restore() leaves it as it is.
 */
void ns_avoid(struct ns_set *set, const struct test_ns *v);

/**
 * ns_set_restore() - mode, alignment, label name and driver as found
 * @set: as left by ns_get(), or as a killed program left it
 *
 * Looks at what each namespace is now, so it serves after a SIGKILL at any
 * point of ns_get(); the data is not brought back.  The calling process
 * has no descriptor or mapping of the devices any more.  Waits two to
 * three seconds for those of other processes to go away.
 *
 * Return: 0; -EBUSY when a device is still in use or to be avoided; -EIO when
 * the kernel made something else of it; or the first -errno.  Goes on after an
 * error.
 */
int ns_set_restore(struct ns_set *set);

/** ns_driver() - name of the bound driver; "" when unbound; or -errno */
int ns_driver(const struct test_ns *v, char *name, size_t len);

/** ns_bind() - bind device_dax through sysfs; 0 when bound, or -errno */
int ns_bind(const struct test_ns *v);

/**
 * ns_unbind() - unbind device_dax through sysfs, in the calling task
 * @v: the device
 *
 * Blocks as long as the kernel waits for references.
 *
 * Return: 0 or -errno.
 */
int ns_unbind(const struct test_ns *v);

/** ns_disable() - the same through libdaxctl: daxctl_dev_disable() */
int ns_disable(const struct test_ns *v);

/** ns_disable_namespace() - ndctl_namespace_disable_safe(); may block; 0 or -errno */
int ns_disable_namespace(const struct test_ns *v);

/** ns_enable_namespace() - ndctl_namespace_enable(); 0 or -errno */
int ns_enable_namespace(const struct test_ns *v);

/** ns_disable_region() - ndctl_region_disable_preserve(); may block; 0 or -errno */
int ns_disable_region(const struct test_ns *v);

/** ns_enable_region() - ndctl_region_enable(); its devices come some time later */
int ns_enable_region(const struct test_ns *v);

/** ns_destroy_enabled() - ndctl_namespace_delete() without disabling it first */
int ns_destroy_enabled(const struct test_ns *v);

/** ns_enable() - bind device_dax through libdaxctl */
int ns_enable(const struct test_ns *v);

/** ns_to_ram() - unbind device_dax, which may block, and bind kmem; 0 or -errno */
int ns_to_ram(const struct test_ns *v);

/**
 * ns_again() - the same device, by whatever name it has now
 * @was: as remembered
 * @now: filled when it is there; @was is fine
 * @why: says what is missing, or differs
 * @len: bytes in @why
 *
 * By the label's uuid: when a region comes back its devices may be numbered anew.  A
 * device without a namespace keeps its name.
 * It is there with the same mode, size and alignment, bound to the same driver, and
 * with its node.
 *
 * Return: 0, -ENODEV while something is missing, -ESTALE when something differs.
 */
int ns_again(const struct test_ns *was, struct test_ns *now, char *why, size_t len);

/** ns_present() - the namespace by its uuid, whatever it is now; 0 or -ENODEV */
int ns_present(const struct test_ns *was, struct test_ns *now);

/**
 * ns_set_again() - ns_again() for all that was offered
 * @set: @now of each is as it is afterwards
 * @why: the first that is not as it was
 * @len: bytes in @why
 *
 * Waits up to ten seconds for those that are still to come.
 *
 * Return: as ns_again(), for the first that is not there.
 */
int ns_set_again(struct ns_set *set, char *why, size_t len);

/**
 * ns_same() - is it still the device it was?
 * @v: as remembered
 * @why: says what differs: node, device number, size or alignment
 * @len: bytes in @why
 *
 * Return: 0, -ESTALE when something differs, or -errno.
 */
int ns_same(const struct test_ns *v, char *why, size_t len);

#endif
