/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Soft RoCE devices, as "rdma link" of iproute2 makes and removes them.  For this
 * folder only.
 */
#ifndef DAX_LIB_PIN_RDMA_LINK_H
#define DAX_LIB_PIN_RDMA_LINK_H

#include <stdbool.h>
#include <stddef.h>

/**
 * pin_rdma_link_exists() - is there an RDMA device of this name?
 * @name: its name
 *
 * Return: true if there is.
 */
bool pin_rdma_link_exists(const char *name);

/**
 * pin_rdma_link_on() - the soft RoCE device on a network device
 * @netdev: name of the network device
 * @name: set to its name
 * @len: bytes in @name
 *
 * Return: 0, or -ENODEV when there is none.
 */
int pin_rdma_link_on(const char *netdev, char *name, size_t len);

/**
 * pin_rdma_link_none() - is there no RDMA device at all?
 *
 * Return: true if there is none.
 */
bool pin_rdma_link_none(void);

/**
 * pin_rdma_link_add() - make a soft RoCE device
 * @name: its name
 * @netdev: name of its network device
 *
 * Return: 0, -EEXIST when the name is in use or @netdev has one already, -EINVAL when
 * the kernel has no soft RoCE, or another -errno.
 */
int pin_rdma_link_add(const char *name, const char *netdev);

/**
 * pin_rdma_link_remove() - remove it, if it exists
 * @name: its name
 *
 * The kernel would wait without limit until no process has it open: it is not asked to
 * while one has.
 *
 * Return: 0, -EBUSY while a process has it open, or another -errno.
 */
int pin_rdma_link_remove(const char *name);

#endif
