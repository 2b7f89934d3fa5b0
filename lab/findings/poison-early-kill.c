// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page of a DAX file is lost (MADV_HWPOISON).  Another process that has it mapped, and
 * has asked to be told early (PR_MCE_KILL_EARLY), has to be told.
 *
 * Usage: poison-early-kill DIR...    (of a file system mounted with dax)
 * Exit status: 0 it is told, 1 it is not, 4 cannot be tried here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES	4096

int main(int argc, char **argv)
{
	char path[256], *at;
	int fd, fds[2], status;
	pid_t pid;

	setvbuf(stdout, NULL, _IONBF, 0);
	snprintf(path, sizeof(path), "%s/mine", argc > 1 ? argv[1] : ".");
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	at = fd < 0 || fallocate(fd, 0, 0, BYTES) || pipe(fds) ? MAP_FAILED :
	     mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		printf("cannot try: %s: %s\n", path, strerror(errno));
		return 4;
	}
	/* this one is told, whatever comes of the other */
	signal(SIGBUS, SIG_IGN);
	*at = 'A';
	pid = fork();
	if (!pid) {
		signal(SIGBUS, SIG_DFL);
		prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
		*at = 'B';
		if (write(fds[1], "", 1) == 1)
			pause();
		_exit(0);
	}
	if (read(fds[0], path, 1) != 1)
		return 4;
	/* a third one says so: the kernel ends it, as it caused that */
	if (!fork()) {
		*at = 'C';
		signal(SIGBUS, SIG_DFL);
		madvise(at, BYTES, MADV_HWPOISON);
		_exit(4);
	}
	for (int i = 0; i < 20; i++)
		usleep(100000);
	printf("expected: the other process gets SIGBUS\n");
	if (waitpid(pid, &status, WNOHANG) != pid) {
		printf("seen: it gets nothing\n");
		kill(pid, SIGKILL);
		return 1;
	}
	printf("seen: signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	return !(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}
