/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel modules: loaded by modprobe, which knows their dependencies, and removed by
 * delete_module(2).
 */
#ifndef DAX_LIB_MODULE_H
#define DAX_LIB_MODULE_H

#include <stdbool.h>

/**
 * module_loaded() - is it loaded?
 * @name: its name with underscores, as in /sys/module
 *
 * Return: true if it is, also for most that are built in.
 */
bool module_loaded(const char *name);

/**
 * module_load() - load a module and all that it depends on
 * @name: its name
 * @option: a parameter, "name=value"; NULL for none
 *
 * Return: 0 (also when it is there already), -ENOENT without modprobe, -EIO when
 * modprobe failed, or another -errno.
 */
int module_load(const char *name, const char *option);

/**
 * module_unload() - remove a module
 * @name: its name
 *
 * A module in use stays (no O_TRUNC), and so do those that it depends on.
 *
 * Return: 0; -EAGAIN while it is in use; -EWOULDBLOCK likewise while another module
 * needs it; -ENOENT when it is not loaded; or another -errno.
 */
int module_unload(const char *name);

#endif
