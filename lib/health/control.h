/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Provoke faults that oracles have to report, on a healthy kernel: for the controls in
 * teardown/control.c.  Oracles whose fault takes a pin or a device (a fixed buffer that
 * is held, an unbound device) are provoked there.
 */
#ifndef DAX_LIB_HEALTH_CONTROL_H
#define DAX_LIB_HEALTH_CONTROL_H

/**
 * health_control_log() - make the kernel log a fault
 *
 * Asks to take a page out of service that does not exist, beyond all physical
 * addresses.  memory_failure() logs "Memory failure: 0x...: memory outside kernel
 * control" and changes nothing: no page is lost, no taint bit set.  May be repeated.
 *
 * Return: 0 when the kernel refused as it should, -EILSEQ when it did not, -EOPNOTSUPP
 * without CONFIG_MEMORY_FAILURE or where vm.memory_failure_recovery is off (the kernel
 * would panic), else -errno.
 */
int health_control_log(void);

/**
 * health_control_taint() - set a taint bit
 *
 * Sets bit 6 (U), which user space may set.  It stays until the next boot: only for
 * machines that can be rebooted.
 *
 * Return: 0, -EALREADY when it is set already, else -errno.
 */
int health_control_taint(void);

/**
 * health_control_overrun() - fill the kernel log until it wraps
 *
 * All earlier lines of the log are lost: only for machines on which they are not
 * needed.
 *
 * Return: 0 or -errno.
 */
int health_control_overrun(void);

#endif
