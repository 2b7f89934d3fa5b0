// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>

#include "lib/health/control.h"
#include "lib/sysfs.h"

#define OFFLINE_FILE	"/sys/devices/system/memory/hard_offline_page"
#define RECOVERY_FILE	"/proc/sys/vm/memory_failure_recovery"
#define TAINT_FILE	"/proc/sys/kernel/tainted"

/* bit 6, "U" in admin-guide/tainted-kernels */
#define TAINT_USER	0x40u

/* SYSLOG_ACTION_SIZE_BUFFER of <linux/syslog.h>, which is not a uapi header */
#define SIZE_BUFFER	10

/* The kernel drops lines after the first 10 of a descriptor of /dev/kmsg. */
#define LINES_PER_OPEN	8

/* The kernel cuts longer lines written to /dev/kmsg (PRINTKRB_RECORD_MAX). */
#define LINE_LEN	900

int health_control_log(void)
{
	char text[8];
	int err;

	err = sysfs_read_line(RECOVERY_FILE, text, sizeof(text));
	if (err)
		return err == -ENOENT ? -EOPNOTSUPP : err;
	if (strcmp(text, "1"))
		return -EOPNOTSUPP;
	/* the last page below 2^63: no machine has memory there */
	err = sysfs_write(OFFLINE_FILE, "0x7ffffffffffff000");
	if (err == -ENOENT)
		return -EOPNOTSUPP;
	/* the expected refusal; newer kernels say "busy" for a PFN without a page */
	if (err == -ENXIO || err == -EBUSY)
		return 0;
	return err ? err : -EILSEQ;
}

int health_control_taint(void)
{
	char text[32];
	int err;

	err = sysfs_read_line(TAINT_FILE, text, sizeof(text));
	if (err)
		return err;
	if (strtoull(text, NULL, 10) & TAINT_USER)
		return -EALREADY;
	snprintf(text, sizeof(text), "%u\n", TAINT_USER);
	return sysfs_write(TAINT_FILE, text);
}

int health_control_overrun(void)
{
	int size = klogctl(SIZE_BUFFER, NULL, 0);
	char line[LINE_LEN];
	size_t written;
	int fd = -1, n = 0, err = 0;

	if (size < 0)
		return -errno;
	/* level 7, facility user: not printed on the console, and no kernel message */
	memset(line, '.', sizeof(line));
	memcpy(line, "<15>", 4);
	line[sizeof(line) - 1] = '\n';
	for (written = 0; written < 2 * (size_t)size; written += sizeof(line)) {
		if (n++ % LINES_PER_OPEN == 0) {
			if (fd >= 0)
				close(fd);
			fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
			if (fd < 0)
				return -errno;
		}
		if (write(fd, line, sizeof(line)) < 0) {
			err = -errno;
			break;
		}
	}
	close(fd);
	return err;
}
