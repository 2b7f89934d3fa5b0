/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ways to make an oracle of health.h say no, on a kernel in good health: the
 * proof that it is awake.  pins, iomem, devices and thp_split need none of
 * these: hold a fixed buffer, unbind a device, read smaps of a 1 GiB mapping.
 */
#ifndef DAX_LIB_HEALTH_CONTROL_H
#define DAX_LIB_HEALTH_CONTROL_H

/**
 * health_control_log() - make the kernel log a fault of its own
 *
 * Asks to take a page out of service that does not exist, beyond all physical
 * addresses.  memory_failure() says so in the log ("Memory failure: 0x...:
 * memory outside kernel control") and changes nothing: no page is lost, no
 * taint bit set.  It may be repeated at will.
 *
 * Return: 0 when the kernel refused as it should, -EOPNOTSUPP without
 * CONFIG_MEMORY_FAILURE or where vm.memory_failure_recovery is off (the kernel
 * would panic), else -errno.
 */
int health_control_log(void);

/**
 * health_control_taint() - set a taint bit
 *
 * Sets bit 6 (U), which is there for user space to set.  It stays until the
 * next boot: only where that is all right (a throw-away machine).
 *
 * Return: 0, -EALREADY when it is set already, else -errno.
 */
int health_control_taint(void);

/**
 * health_control_overrun() - fill the kernel log until it wraps
 *
 * Pushes everything out that was in the log: only where nobody wants it any
 * more (a throw-away machine).
 *
 * Return: 0 or -errno.
 */
int health_control_overrun(void);

#endif
