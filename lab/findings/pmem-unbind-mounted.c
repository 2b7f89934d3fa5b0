// SPDX-License-Identifier: GPL-2.0-only
/*
 * nd_pmem is unbound under a mounted file system while a file is mapped.  The unbind
 * has to revoke the mapping, and to wait for pages that are pinned; else whoever gets
 * the device next shares it with the mapping.
 *
 * Usage: pmem-unbind-mounted [-p] [-t] [-r] DIR BLOCK DEVICE
 *   DIR of a file system mounted with dax, BLOCK /dev/pmemX, DEVICE pfnX.Y below it;
 *   what is on it is lost
 *   -p  a page is in a pipe all the while
 *   -t  a thread touches the mapping all the while
 *   -r  unmap before the driver is bound again: an oops on some kernels, in a
 *       throw-away machine only
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES	4096

static char *map;
static __thread sigjmp_buf env;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	/* sent, not raised by a touch: xfs tells all who map it */
	if (info->si_code == BUS_MCEERR_AO)
		return;
	siglongjmp(env, 1);
}

/* the byte at the start of the mapping; -1 for SIGBUS */
static int look(void)
{
	if (sigsetjmp(env, 1))
		return -1;
	return *(volatile char *)map;
}

static void *touch(void *arg)
{
	while (look() >= 0)
		;
	return arg;
}

static void cannot(const char *what)
{
	printf("cannot try: %s: %s\n", what, strerror(errno));
	exit(4);
}

static int driver(const char *what, const char *device)
{
	char path[64];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/sys/bus/nd/drivers/nd_pmem/%s", what);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, device, strlen(device)) < 0)
		ret = errno;
	close(fd);
	return ret;
}

static off_t place(int fd)
{
	struct {
		struct fiemap head;
		struct fiemap_extent extent;
	} m = { .head = { .fm_length = BYTES, .fm_extent_count = 1,
			  .fm_flags = FIEMAP_FLAG_SYNC } };

	if (ioctl(fd, FS_IOC_FIEMAP, &m) || !m.head.fm_mapped_extents)
		cannot("FIEMAP");
	return m.extent.fe_physical;
}

/* the next owner writes to the device */
static void next_owner(const char *block, off_t at)
{
	static char buf[BYTES] __attribute__((aligned(BYTES)));
	int fd = open(block, O_RDWR | O_DIRECT | O_CLOEXEC);

	memset(buf, 'B', BYTES);
	if (fd < 0 || pwrite(fd, buf, BYTES, at) != BYTES)
		cannot(block);
	close(fd);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_RESTART };
	bool pinned = false, threaded = false, raw = false, early, stays;
	int opt, fd, fds[2], status, bad = 0;
	char path[256], buf[BYTES];
	struct iovec iov = { .iov_len = BYTES };
	pthread_t thread;
	off_t at;
	pid_t pid;

	setvbuf(stdout, NULL, _IONBF, 0);
	while ((opt = getopt(argc, argv, "ptr")) != -1) {
		pinned |= opt == 'p';
		threaded |= opt == 't';
		raw |= opt == 'r';
	}
	if (argc - optind != 3) {
		fprintf(stderr, "usage: %s [-p] [-t] [-r] DIR BLOCK DEVICE\n", argv[0]);
		return 4;
	}
	/* in the last of two groups of xfs: see xfs-unbind-endless */
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/group%d", argv[optind], i);
		mkdir(path, 0700);
	}
	snprintf(path, sizeof(path), "%s/group1/mine", argv[optind]);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fallocate(fd, 0, 0, BYTES))
		cannot(path);
	map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		cannot("mmap");
	memset(map, 'A', BYTES);
	if (fsync(fd))
		cannot("fsync");
	at = place(fd);
	iov.iov_base = map;
	if (pinned && (pipe2(fds, O_CLOEXEC) || vmsplice(fds[1], &iov, 1, 0) != BYTES))
		cannot("vmsplice");
	sigaction(SIGBUS, &sa, NULL);
	if (threaded && pthread_create(&thread, NULL, touch, NULL))
		cannot("a thread");

	/* in a process of its own: it must wait for this one */
	pid = fork();
	if (!pid)
		_exit(driver("unbind", argv[optind + 2]));
	for (int i = 0; i < 20 && waitpid(pid, &status, WNOHANG) != pid; i++)
		usleep(100000);
	early = kill(pid, 0);
	if (pinned) {
		printf("expected: unbind waits while a page is pinned\n");
		printf("seen: unbind %s with the page pinned\n", early ? "returned" : "waits");
		bad |= early;
	}
	stays = look() >= 0;
	printf("expected: the mapping is revoked: SIGBUS\n");
	printf("seen: %s\n", stays ? "it can be touched" : "SIGBUS");
	bad |= stays;
	if (pinned && !early) {
		if (read(fds[0], buf, BYTES) != BYTES || buf[0] != 'A')
			printf("the pipe does not give the file's bytes\n");
		waitpid(pid, &status, 0);
		pinned = false;
	}
	if (raw) {
		munmap(map, BYTES);
		printf("unmapped, the device is still unbound\n");
	}
	if (driver("bind", argv[optind + 2]))
		cannot("bind");
	if (stays && !raw) {
		next_owner(argv[optind + 1], at);
		printf("expected: the old mapping shows nothing of the next owner's\n");
		printf("seen: '%c'%s\n", look(), look() == 'B' ? ", which is the next owner's" : "");
	}
	if (pinned)
		close(fds[0]);
	return bad;
}
