// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/command.h"

static const char *const directories[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin", NULL };

static int find_program(const char *name, char *path, size_t len)
{
	for (int i = 0; directories[i]; i++) {
		snprintf(path, len, "%s/%s", directories[i], name);
		if (!access(path, X_OK))
			return 0;
	}
	return -ENOENT;
}

bool command_exists(const char *name)
{
	char path[128];

	return !find_program(name, path, sizeof(path));
}

/* reads all output and keeps the last line that is not empty */
static void keep_last_line(int fd, char *why, size_t len)
{
	char c;
	size_t n = 0;
	bool fresh = true;

	while (read(fd, &c, 1) == 1) {
		if (c == '\n' || c == '\r') {
			fresh = true;
			continue;
		}
		if (fresh)
			n = 0;
		fresh = false;
		if (n + 1 < len) {
			why[n++] = c < ' ' ? ' ' : c;
			why[n] = '\0';
		}
	}
}

/* killed with its parent: a mkfs must not go on after the cleanup of its parent's run */
static void __attribute__((noreturn))
run_program(const char *path, const char *const argv[], int out, pid_t parent)
{
	static char *const env[] = { (char *)"LC_ALL=C", NULL };
	int null = open("/dev/null", O_RDONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent && null >= 0 && dup2(null, 0) >= 0 && dup2(out, 1) >= 0 &&
	    dup2(out, 2) >= 0)
		execve(path, (char *const *)argv, env);
	_exit(127);
}

static int spawn(const char *path, const char *const argv[], int out, pid_t *pid)
{
	pid_t parent = getpid();

	*pid = fork();
	if (!*pid)
		run_program(path, argv, out, parent);
	return *pid < 0 ? -errno : 0;
}

int command_run(const char *const argv[], int *status, char *why, size_t len)
{
	char path[128], last[256] = "";
	int fds[2], ws, ret;
	pid_t pid;

	if (len)
		why[0] = '\0';
	ret = find_program(argv[0], path, sizeof(path));
	if (ret) {
		snprintf(why, len, "there is no program %s", argv[0]);
		return ret;
	}
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	ret = spawn(path, argv, fds[1], &pid);
	close(fds[1]);
	if (!ret) {
		keep_last_line(fds[0], last, sizeof(last));
		while (waitpid(pid, &ws, 0) < 0 && errno == EINTR)
			;
		snprintf(why, len, "%s: %s", argv[0], last);
		if (!WIFEXITED(ws) || (!status && WEXITSTATUS(ws)))
			ret = -EIO;
		else if (status)
			*status = WEXITSTATUS(ws);
	}
	close(fds[0]);
	return ret;
}
