// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is a device in use?  Mounts, swap, device mapper, loop devices, descriptors and mappings
 * of other programs, and contents that libblkid recognises.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifdef HAVE_LIBBLKID
#include <blkid/blkid.h>
#endif

#include "lib/ns/internal.h"

/* the device whose users are searched for */
struct wanted {
	dev_t rdev;
	mode_t type;
	const char *name;
};

/*
 * A descriptor of another program may be on a network file system that does not answer:
 * ask only for attributes that are known locally.
 */
static bool is_wanted_fd(int dirfd, const char *fd, const struct wanted *w)
{
	struct statx stx;

	if (statx(dirfd, fd, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &stx))
		return false;
	return (stx.stx_mode & S_IFMT) == w->type &&
	       makedev(stx.stx_rdev_major, stx.stx_rdev_minor) == w->rdev;
}

static bool has_open(int pid_fd, const struct wanted *w)
{
	struct dirent *entry;
	bool found = false;
	DIR *dir;
	int fd;

	fd = openat(pid_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return false;
	}
	while (!found && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			found = is_wanted_fd(dirfd(dir), entry->d_name, w);
	closedir(dir);
	return found;
}

/*
 * A mapping outlives its descriptor.  /proc/PID/maps shows the inode of the node, not the
 * device number, so it is recognised by its name.
 */
static bool has_mapped(int pid_fd, const struct wanted *w)
{
	size_t room = 0, len = strlen(w->name);
	char *line = NULL, *slash;
	bool found = false;
	FILE *maps;
	int fd;

	fd = openat(pid_fd, "maps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	maps = fdopen(fd, "r");
	if (!maps) {
		close(fd);
		return false;
	}
	while (!found && getline(&line, &room, maps) > 0) {
		slash = strrchr(line, '/');
		if (slash && !strncmp(slash + 1, w->name, len))
			found = isspace((unsigned char)slash[1 + len]);
	}
	free(line);
	fclose(maps);
	return found;
}

static void describe_process(int pid_fd, const char *pid, char *who, size_t len)
{
	char comm[32] = "?";
	ssize_t n = -1, i;
	int fd;

	fd = openat(pid_fd, "comm", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, comm, sizeof(comm) - 1);
		close(fd);
	}
	if (n > 0) {
		comm[n] = 0;
		comm[strcspn(comm, "\n")] = 0;
	}
	/* the name may hold anything: keep control characters off the terminal */
	for (i = 0; comm[i]; i++)
		if (!isprint((unsigned char)comm[i]))
			comm[i] = '?';
	snprintf(who, len, "%s (pid %s)", comm, pid);
}

int ns_node_user(const struct ns_env *env, dev_t rdev, mode_t type,
		 const char *name, char *who, size_t len)
{
	const struct wanted w = { .rdev = rdev, .type = type, .name = name };
	struct dirent *entry;
	int pid_fd, found = 0;
	char self[16];
	DIR *proc;

	proc = opendir(env->proc);
	if (!proc)
		return -errno;
	snprintf(self, sizeof(self), "%d", getpid());
	while (!found && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !strcmp(entry->d_name, self))
			continue;
		pid_fd = openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (pid_fd < 0)
			continue;
		if (has_open(pid_fd, &w) || has_mapped(pid_fd, &w)) {
			describe_process(pid_fd, entry->d_name, who, len);
			found = 1;
		}
		close(pid_fd);
	}
	closedir(proc);
	return found;
}

/* the mount point of a device; octal escapes in it stay as they are */
static int mounted_on(const struct ns_env *env, dev_t rdev, char *where, size_t len)
{
	char path[PATH_MAX], point[256], *line = NULL;
	unsigned int maj, min;
	size_t room = 0;
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/self/mountinfo", env->proc);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!found && getline(&line, &room, f) > 0)
		if (sscanf(line, "%*u %*u %u:%u %*s %255s", &maj, &min, point) == 3 &&
		    makedev(maj, min) == rdev) {
			snprintf(where, len, "%s", point);
			found = 1;
		}
	free(line);
	fclose(f);
	return found;
}

static int is_swap(const struct ns_env *env, const char *block)
{
	char path[PATH_MAX], area[256], *line = NULL;
	size_t room = 0;
	int found = 0;
	FILE *f;

	/* a kernel without swap has no such file */
	snprintf(path, sizeof(path), "%s/swaps", env->proc);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (!found && getline(&line, &room, f) > 0)
		if (sscanf(line, "%255s", area) == 1) {
			char *slash = strrchr(area, '/');

			found = slash && !strcmp(slash + 1, block);
		}
	free(line);
	fclose(f);
	return found;
}

/* a loop device is neither in holders/ nor a process */
static bool is_loop(const struct ns_env *env, const char *block, char *who, size_t len)
{
	char file[PATH_MAX], *slash, **names;
	bool found = false;
	int nr, i;

	nr = ns_list(env, "class/block", NULL, &names);
	if (nr < 0)
		return false;
	for (i = 0; i < nr && !found; i++) {
		if (strncmp(names[i], "loop", 4) ||
		    ns_attr(env, file, sizeof(file), "class/block/%s/loop/backing_file",
			    names[i]))
			continue;
		slash = strrchr(file, '/');
		found = slash && !strcmp(slash + 1, block);
		if (found)
			snprintf(who, len, "is the backing file of %s", names[i]);
	}
	ns_list_free(names, nr);
	return found;
}

static int part_user(const struct ns_env *env, const char *block, char *who, size_t len)
{
	char dir[128], text[256], **names;
	dev_t rdev;
	int rc;

	rc = ns_attr_dev(env, &rdev, "class/block/%s/dev", block);
	if (rc)
		return rc;
	rc = mounted_on(env, rdev, text, sizeof(text));
	if (rc < 0)
		return rc;
	if (rc)
		return ns_say(1, who, len, "is mounted on %s", text);
	if (is_swap(env, block))
		return ns_say(1, who, len, "is used as swap");
	snprintf(dir, sizeof(dir), "class/block/%s/holders", block);
	rc = ns_list(env, dir, NULL, &names);
	if (rc > 0) {
		ns_say(1, who, len, "is held by %s", names[0]);
		ns_list_free(names, rc);
		return 1;
	}
	if (!rc)
		ns_list_free(names, rc);
	if (is_loop(env, block, who, len))
		return 1;
	rc = ns_node_user(env, rdev, S_IFBLK, block, text, sizeof(text));
	if (rc < 0)
		return rc;
	if (rc)
		return ns_say(1, who, len, "is open in %s", text);
	return 0;
}

int ns_block_user(const struct ns_env *env, const char *block,
		  char *who, size_t len)
{
	char dir[128], path[PATH_MAX], **parts;
	int nr, i, fd, rc;

	if (!ns_name_ok(block))
		return -EINVAL;
	rc = part_user(env, block, who, len);
	if (rc)
		return rc;
	snprintf(dir, sizeof(dir), "class/block/%s", block);
	nr = ns_list(env, dir, NULL, &parts);
	if (nr < 0)
		return nr;
	for (i = 0; i < nr && !rc; i++)
		if (ns_exists(env, "%s/%s/partition", dir, parts[i]))
			rc = part_user(env, parts[i], who, len);
	ns_list_free(parts, nr);
	if (rc)
		return rc;
	/*
	 * The checks so far saw this mount namespace only.  O_EXCL fails for
	 * every mount and every other claim.
	 */
	snprintf(path, sizeof(path), "%s/%s", env->dev, block);
	fd = open(path, O_RDONLY | O_EXCL | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EBUSY)
		return ns_say(1, who, len, "is in use");
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

#ifdef HAVE_LIBBLKID
static int probe_contents(blkid_probe pr, char *what, size_t len)
{
	const char *type = NULL;
	int rc;

	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE);
	blkid_probe_enable_partitions(pr, 1);
	rc = blkid_do_safeprobe(pr);
	if (rc == 1)
		return 0;
	if (rc == -2)
		return ns_say(1, what, len, "several file systems or partition tables");
	if (rc)
		return -EIO;
	if (blkid_probe_lookup_value(pr, "TYPE", &type, NULL) &&
	    blkid_probe_lookup_value(pr, "PTTYPE", &type, NULL))
		type = "unknown";
	return ns_say(1, what, len, "%s", type);
}

int ns_block_holds(const struct ns_env *env, const char *block,
		   char *what, size_t len)
{
	char path[PATH_MAX];
	blkid_probe pr;
	int fd, rc;

	if (!ns_name_ok(block))
		return -EINVAL;
	snprintf(path, sizeof(path), "%s/%s", env->dev, block);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	pr = blkid_new_probe();
	if (!pr) {
		close(fd);
		return -ENOMEM;
	}
	rc = blkid_probe_set_device(pr, fd, 0, 0) ? -EIO : probe_contents(pr, what, len);
	blkid_free_probe(pr);
	close(fd);
	return rc;
}
#else
int ns_block_holds(const struct ns_env *env, const char *block,
		   char *what, size_t len)
{
	return ns_say(-EOPNOTSUPP, what, len, "built without libblkid");
}
#endif
