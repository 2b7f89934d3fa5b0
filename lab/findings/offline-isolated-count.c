// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a dax device, online for movable pages, is offlined while a process uses
 * it: its pages are migrated.  The count of isolated pages is zero before and after, and
 * the kernel complains when it is less.
 *
 * Usage: offline-isolated-count daxX.Y
 *   of a device that starts with a whole block of memory (128 MiB)
 * Exit status: 0 the count is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POOL_BYTES	(32ul << 20)
#define MEMORY		"/sys/devices/system/memory"
#define DRIVERS		"/sys/bus/dax/drivers"

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ret = errno;
	close(fd);
	return ret;
}

static unsigned long long number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	/* block_size_bytes is hexadecimal without saying so */
	return strtoull(text, NULL, strncmp(text, "0x", 2) ? 16 : 0);
}

/*
 * What the kernel says of a count when it folds its per-CPU parts: below zero it is
 * shown nowhere else.
 */
static bool complains(int log, char *line, size_t len)
{
	bool seen = false;
	char record[512];
	ssize_t n;

	put("/proc/sys/vm/stat_refresh", "1");
	while ((n = read(log, record, sizeof(record) - 1)) > 0) {
		char *text;

		record[n] = '\0';
		text = strstr(record, "vmstat_refresh: nr_isolated");
		if (!text)
			continue;
		text[strcspn(text, "\n")] = '\0';
		snprintf(line, len, "%s", text);
		seen = true;
	}
	return seen;
}

int main(int argc, char **argv)
{
	char path[128], state[128], *dax = argv[1];
	unsigned long long block, start;
	char *pool, line[96] = "nothing";
	bool bad;
	int ret, log;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc != 2) {
		fprintf(stderr, "usage: %s daxX.Y\n", argv[0]);
		return 4;
	}
	/* of the device that gives the namespace its mode: the range of the memory */
	snprintf(path, sizeof(path), "/sys/bus/dax/devices/%s/resource", dax);
	start = number(path);
	block = number(MEMORY "/block_size_bytes");
	if (!start || !block || start % block) {
		printf("cannot try: %s at %#llx, blocks of %#llx bytes\n", dax, start, block);
		return 4;
	}
	if (system("modprobe kmem"))
		printf("modprobe kmem failed\n");
	put(MEMORY "/auto_online_blocks", "offline");
	put(DRIVERS "/device_dax/unbind", dax);
	ret = put(DRIVERS "/kmem/new_id", dax);
	snprintf(state, sizeof(state), MEMORY "/memory%llu/state", start / block);
	ret = ret ?: put(state, "online_movable");
	if (ret) {
		printf("cannot try: to memory: %s\n", strerror(ret));
		return 4;
	}
	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log < 0 || complains(log, line, sizeof(line))) {
		printf("cannot try: before anything was done: %s\n", line);
		return 4;
	}
	pool = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ret = put(state, "offline");
	bad = complains(log, line, sizeof(line));
	printf("offlined: %s\n", strerror(ret));
	printf("expected: the kernel says nothing of its count of isolated pages\n");
	printf("seen: %s\n", line);
	munmap(pool, POOL_BYTES);
	put(DRIVERS "/kmem/unbind", dax);
	put(DRIVERS "/kmem/remove_id", dax);
	put(DRIVERS "/device_dax/bind", dax);
	return bad;
}
