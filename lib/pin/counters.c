// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's count of FOLL_PIN references, from /proc/vmstat. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/pin/counters.h"

/* twice the longest /proc/vmstat so far, bytes */
#define VMSTAT_MAX	16384

/* opened once: each cell reads the counters several times, and open() costs as much */
static int open_once(int *fd, const char *path, int flags)
{
	if (*fd < 0)
		*fd = open(path, flags | O_CLOEXEC);
	return *fd < 0 ? -errno : 0;
}

/*
 * The counters are per CPU and folded into the totals now and then; any access to
 * stat_refresh folds them at once.
 */
static int fold_counters(void)
{
	static int fd = -1;
	int err = open_once(&fd, "/proc/sys/vm/stat_refresh", O_WRONLY);

	if (!err && pwrite(fd, "1", 1, 0) < 0)
		err = -errno;
	return err;
}

/* the value of a line that is in @text up to its end */
static bool find_counter(const char *text, const char *name, uint64_t *value)
{
	size_t len = strlen(name);
	const char *line = text, *end;

	for (; (end = strchr(line, '\n')); line = end + 1) {
		if (strncmp(line, name, len) || line[len] != ' ')
			continue;
		*value = strtoull(line + len, NULL, 10);
		return true;
	}
	return false;
}

int pin_counters_read(struct pin_counters *c)
{
	static int fd = -1;
	char text[VMSTAT_MAX];
	size_t len = 0;
	ssize_t n;
	int err;

	err = fold_counters();
	if (err)
		return err == -ENOENT ? -EOPNOTSUPP : err;
	err = open_once(&fd, "/proc/vmstat", O_RDONLY);
	if (err)
		return err;
	/*
	 * A read returns one page, for which the kernel adds up all counters: stop
	 * as soon as both lines are there.
	 */
	while (len < sizeof(text) - 1) {
		n = pread(fd, text + len, sizeof(text) - 1 - len, len);
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += n;
		text[len] = '\0';
		if (find_counter(text, "nr_foll_pin_acquired", &c->acquired) &&
		    find_counter(text, "nr_foll_pin_released", &c->released))
			return 0;
	}
	return -EOPNOTSUPP;
}
