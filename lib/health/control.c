// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>

#include "lib/health/control.h"
#include "lib/health/internal.h"

#define OFFLINE_FILE	"/sys/devices/system/memory/hard_offline_page"
#define RECOVERY_FILE	"/proc/sys/vm/memory_failure_recovery"
#define TAINT_FILE	"/proc/sys/kernel/tainted"

#define TAINT_USER	0x40u

/* SYSLOG_ACTION_SIZE_BUFFER of <linux/syslog.h>, which user space has not */
#define SIZE_BUFFER	10

/* Lines one descriptor of /dev/kmsg may write before it is throttled: 10. */
#define LINES_PER_OPEN	8

/* The kernel cuts longer lines written to /dev/kmsg (PRINTKRB_RECORD_MAX). */
#define LINE_LEN	900

static int read_file(const char *path, char *text, size_t size)
{
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return 0;
}

static int write_file(const char *path, const char *text)
{
	int fd, err = 0;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int health_control_log(void)
{
	char text[32];
	int err;

	err = read_file(RECOVERY_FILE, text, sizeof(text));
	if (err)
		return err == -ENOENT ? -EOPNOTSUPP : err;
	if (text[0] != '1')
		return -EOPNOTSUPP;
	/* the last page of 2^63 bytes: no machine has memory there */
	err = write_file(OFFLINE_FILE, "0x7ffffffffffff000");
	if (err == -ENOENT)
		return -EOPNOTSUPP;
	/* the refusal is what was wanted; since PFNs without a page can fail
	 * too, it is "busy"
	 */
	if (err == -ENXIO || err == -EBUSY)
		return 0;
	return err ? err : -EILSEQ;
}

int health_control_taint(void)
{
	uint64_t taint;
	char text[32];
	int err;

	err = read_file(TAINT_FILE, text, sizeof(text));
	if (!err)
		err = health_taint_parse(text, &taint);
	if (err)
		return err;
	if (taint & TAINT_USER)
		return -EALREADY;
	snprintf(text, sizeof(text), "%u\n", TAINT_USER);
	return write_file(TAINT_FILE, text);
}

int health_control_overrun(void)
{
	int size = klogctl(SIZE_BUFFER, NULL, 0);
	char line[LINE_LEN];
	size_t written;
	int fd = -1, n = 0, err = 0;

	if (size < 0)
		return -errno;
	/* level 7, facility user: not on the console, not the kernel's word */
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
