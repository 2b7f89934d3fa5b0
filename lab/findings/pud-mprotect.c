// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 1 GiB entry of a dax device is made read-only.  A store has to be refused.
 *
 * Usage: pud-mprotect daxX.Y    (aligned at 1 GiB)
 * Exit status: 0 the rule is kept, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define GIB			(1UL << 30)
#define SYSLOG_ACTION_READ_ALL	3

static int bad_puds(void)
{
	static char log[1 << 20];
	int n = klogctl(SYSLOG_ACTION_READ_ALL, log, sizeof(log) - 1), found = 0;

	log[n > 0 ? n : 0] = '\0';
	for (char *p = log; (p = strstr(p, "bad pud")); p++)
		found++;
	return found;
}

/* minor faults of a store to the word */
static long touch(volatile long *word)
{
	struct rusage before, after;

	/* the first call may fault in what it needs itself */
	getrusage(RUSAGE_SELF, &before);
	getrusage(RUSAGE_SELF, &before);
	*word += 1;
	getrusage(RUSAGE_SELF, &after);
	return after.ru_minflt - before.ru_minflt;
}

/* one GiB of the device at an address aligned like it, with as much room behind */
static char *map_gib(const char *dax)
{
	int fd = open(dax, O_RDWR | O_CLOEXEC);
	char *room = mmap(NULL, 4 * GIB, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *p = (char *)(((uintptr_t)room + GIB - 1) / GIB * GIB);

	if (fd < 0 || mmap(p, GIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
	    MAP_FAILED || touch((long *)p) != 1 || touch((long *)(p + GIB - 4096))) {
		printf("cannot try: %s does not map by 1 GiB: %s\n", dax, strerror(errno));
		exit(4);
	}
	return p;
}

static sigjmp_buf refused;

static void on_segv(int sig)
{
	(void)sig;
	siglongjmp(refused, 1);
}

int main(int argc, char **argv)
{
	char *p = map_gib(argc > 1 ? argv[1] : "dax0.0");
	int bad = bad_puds();
	volatile _Bool stored = 0;

	signal(SIGSEGV, on_segv);
	if (mprotect(p, GIB, PROT_READ)) {
		printf("expected: mprotect() of 1 GiB\nseen: %s\n", strerror(errno));
		return 1;
	}
	if (!sigsetjmp(refused, 1)) {
		*(volatile long *)p += 1;
		stored = 1;
	}
	bad = bad_puds() - bad;
	printf("expected: SIGSEGV by a store, 0 times 'bad pud' in the kernel log\n"
	       "seen: %s, %d\n", stored ? "the store succeeds" : "SIGSEGV", bad);
	return stored || bad;
}
