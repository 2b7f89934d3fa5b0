// SPDX-License-Identifier: GPL-2.0-only
/* Kernel modules. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/module.h"

bool module_loaded(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

int module_load(const char *name, const char *option)
{
	const char *const argv[] = { "modprobe", name, option, NULL };

	return command_run(argv, NULL, NULL, 0);
}

int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}
