// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dax device becomes memory and is taken away again, forty times: what the kernel needed
 * to describe that memory is free again each time.
 *
 * Usage: memmap-freed-in-part daxX.Y
 * Exit status: 0 the memory is free again, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRIVERS		"/sys/bus/dax/drivers"
#define WARM		2	/* caches and lists that grow once */
#define ROUNDS		40
/* MemFree is not exact: some 20 MiB come and go by themselves */
#define MOST_KIB	1024	/* each round */

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ret = errno;
	close(fd);
	return ret;
}

static long free_kib(void)
{
	char line[128];
	long kib = -1;
	FILE *f;

	put("/proc/sys/vm/drop_caches", "3");
	f = fopen("/proc/meminfo", "r");
	while (f && kib < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "MemFree: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

int main(int argc, char **argv)
{
	char *dax = argv[1];
	long before = 0, lost;
	int ret = 0;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc != 2) {
		fprintf(stderr, "usage: %s daxX.Y\n", argv[0]);
		return 4;
	}
	if (system("modprobe kmem"))
		printf("modprobe kmem failed\n");
	put("/sys/devices/system/memory/auto_online_blocks", "offline");
	for (int i = 0; i < WARM + ROUNDS && !ret; i++) {
		if (i == WARM)
			before = free_kib();
		ret = put(DRIVERS "/device_dax/unbind", dax);
		/* this binds it, too */
		ret = ret ?: put(DRIVERS "/kmem/new_id", dax);
		ret = ret ?: put(DRIVERS "/kmem/unbind", dax);
		ret = ret ?: put(DRIVERS "/kmem/remove_id", dax);
		ret = ret ?: put(DRIVERS "/device_dax/bind", dax);
	}
	lost = before - free_kib();
	if (ret) {
		printf("cannot try: to memory and back: %s\n", strerror(ret));
		return 4;
	}
	printf("expected: in %d rounds MemFree loses less than %d KiB in each\n", ROUNDS,
	       MOST_KIB);
	printf("seen: it lost %ld KiB, %ld in each\n", lost, lost / ROUNDS);
	return lost >= ROUNDS * MOST_KIB;
}
