// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

static const char *const places[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

static int find(const char *name, char *path, size_t len)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, len, "%s/%s", places[i], name);
		if (!access(path, X_OK))
			return 0;
	}
	return -ENOENT;
}

bool command_exists(const char *name)
{
	char path[128];

	return !find(name, path, sizeof(path));
}

/* what it prints goes by; the last line that is not empty stays */
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

static int spawn(const char *path, const char *const argv[], int out, pid_t *pid)
{
	static char *const env[] = { (char *)"LC_ALL=C", NULL };
	posix_spawn_file_actions_t fa;
	int ret;

	ret = posix_spawn_file_actions_init(&fa);
	if (ret)
		return -ret;
	ret = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&fa, out, 1);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&fa, out, 2);
	if (!ret)
		ret = posix_spawn(pid, path, &fa, NULL, (char *const *)argv, env);
	posix_spawn_file_actions_destroy(&fa);
	return -ret;
}

int command_run(const char *const argv[], int *status, char *why, size_t len)
{
	char path[128], last[256] = "";
	int fds[2], ws, ret;
	pid_t pid;

	if (len)
		why[0] = '\0';
	ret = find(argv[0], path, sizeof(path));
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
