// SPDX-License-Identifier: GPL-2.0-only
/*
 * nd_pmem is unbound under a mounted xfs with a reverse map and two allocation groups,
 * and a file of the first group is in memory.  The unbind has to return.
 *
 * Usage: xfs-unbind-endless DIR BLOCK DEVICE
 *   DIR the root of an xfs mounted with dax, DEVICE pfnX.Y below it
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES	4096
#define SECONDS	20

static int unbind(const char *device)
{
	int fd = open("/sys/bus/nd/drivers/nd_pmem/unbind", O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, device, strlen(device)) < 0 ? errno : 0;
}

/* state, and clock ticks spent in the kernel */
static void show(pid_t pid)
{
	char path[32], state = '?';
	unsigned long ticks = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fscanf(f, "%*d (%*[^)]) %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %lu", &state,
		   &ticks) == 2)
		printf("seen: state %c, %.1f s of processor time in the kernel\n", state,
		       (double)ticks / sysconf(_SC_CLK_TCK));
	fclose(f);
}

int main(int argc, char **argv)
{
	char path[256], buf[BYTES] = "";
	int fd, status;
	pid_t pid;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc != 4) {
		fprintf(stderr, "usage: %s DIR BLOCK DEVICE\n", argv[0]);
		return 4;
	}
	/* in the root directory: its files lie in the first group */
	snprintf(path, sizeof(path), "%s/mine", argv[1]);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, buf, BYTES) != BYTES || fsync(fd)) {
		printf("cannot try: %s: %s\n", path, strerror(errno));
		return 4;
	}
	close(fd);

	pid = fork();
	if (!pid)
		_exit(unbind(argv[3]));
	printf("expected: unbind returns\n");
	for (int i = 0; i < 10 * SECONDS; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			printf("seen: it returned within %.1f s\n", (i + 1) / 10.0);
			return 0;
		}
		usleep(100000);
	}
	printf("seen: not within %d s\n", SECONDS);
	show(pid);
	return 1;
}
