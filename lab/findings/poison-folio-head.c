// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page of a DAX file is lost (MADV_HWPOISON).  One process has the file mapped by pmd
 * entries, another one by pte entries, and the latter has to be told of the page.
 *
 * Usage: poison-folio-head DIR...    (of an ext4 mounted with dax)
 * Exit status: 0 it is told so, 1 it is told of another page, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES	4096ul
#define PMD	(2ul << 20)
#define LOST	(5 * BYTES)

static char *volatile told;
static volatile int lsb;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	told = info->si_addr;
	lsb = info->si_addr_lsb;
}

/* one entry's worth of the file, touched; @skew bytes from where an entry fits */
static char *map(int fd, size_t skew)
{
	char *room = mmap(NULL, 3 * PMD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = (char *)(((unsigned long)room + PMD - 1) / PMD * PMD) + skew;

	at = mmap(at, PMD, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (at == MAP_FAILED)
		exit(4);
	for (size_t off = 0; off < PMD; off += BYTES)
		at[off] = 'A';
	return at;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };
	char path[256], *at;
	int fd, fds[2];
	pid_t pid;

	setvbuf(stdout, NULL, _IONBF, 0);
	snprintf(path, sizeof(path), "%s/mine", argc > 1 ? argv[1] : ".");
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fallocate(fd, 0, 0, PMD) || pipe(fds)) {
		printf("cannot try: %s: %s\n", path, strerror(errno));
		return 4;
	}
	/* the large entry first: where there are small ones it does not fit */
	pid = fork();
	if (!pid) {
		map(fd, 0);
		if (write(fds[1], "", 1) == 1)
			pause();
		_exit(0);
	}
	if (read(fds[0], path, 1) != 1)
		return 4;
	at = map(fd, BYTES);
	sigaction(SIGBUS, &sa, NULL);
	if (madvise(at + LOST, BYTES, MADV_HWPOISON)) {
		printf("cannot try: MADV_HWPOISON: %s\n", strerror(errno));
		kill(pid, SIGKILL);
		return 4;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("expected: SIGBUS, si_addr in page %lu of the mapping\n", LOST / BYTES);
	if (told)
		printf("seen: SIGBUS, si_addr in page %ld, si_addr_lsb %d\n",
		       (long)(told - at) / (long)BYTES, lsb);
	else
		printf("seen: nothing\n");
	return !told || (told - at) / BYTES != LOST / BYTES;
}
