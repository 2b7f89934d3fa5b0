/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Soft RoCE devices: what "rdma link" of iproute2 does, by netlink.  Shared by
 * pin_targets and pin_rdma.  Not for test programs.
 */
#ifndef DAX_LIB_PIN_RDMA_LINK_H
#define DAX_LIB_PIN_RDMA_LINK_H

#include <stdbool.h>
#include <stddef.h>

/** pin_rdma_link_exists() - is there an RDMA device of this name? */
bool pin_rdma_link_exists(const char *name);

/**
 * pin_rdma_link_on() - the soft RoCE device on a network device
 * @netdev: name of the network device
 * @name: filled
 * @len: bytes in @name
 *
 * Return: 0, or -ENODEV when there is none.
 */
int pin_rdma_link_on(const char *netdev, char *name, size_t len);

/** pin_rdma_link_none() - is there no RDMA device at all? */
bool pin_rdma_link_none(void);

/**
 * pin_rdma_link_add() - make a soft RoCE device
 * @name: its name
 * @netdev: name of the network device it lies on
 *
 * Return: 0, -EEXIST when the name is taken or @netdev has one already, -EINVAL
 * when the kernel knows no soft RoCE, or another -errno.
 */
int pin_rdma_link_add(const char *name, const char *netdev);

/**
 * pin_rdma_link_remove() - remove it, if it exists
 * @name: its name
 *
 * The kernel waits without limit for those who have it open, so that it is not
 * asked while anybody has.
 *
 * Return: 0, -EBUSY when somebody has it open, or another -errno.
 */
int pin_rdma_link_remove(const char *name);

#endif
