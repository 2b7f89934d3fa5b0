// SPDX-License-Identifier: GPL-2.0
/*
 * The probes are one event each in a group of our own, and they are enabled and
 * recorded only in an instance of our own: whoever else traces on this machine
 * sees neither their buffer nor their settings change.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "lib/ktrace.h"

/* For each CPU.  A teardown is five events of some 40 bytes. */
#define BUFFER_KB	"64"

/* Tracers that still read the instance keep it busy for a moment. */
#define BUSY_RETRIES	20
#define BUSY_SLEEP_US	10000

static const struct probe {
	const char *event;
	const char *function;
	char kind;		/* 'p' on entry, 'r' on return */
	const char *text;
} probes[] = {
	{ "kill_dax", "kill_dax", 'p', "kill_dax" },
	{ "unmap_mapping_range", "unmap_mapping_range", 'p', "unmap_mapping_range" },
	{ "memunmap_pages", "memunmap_pages", 'p', "memunmap_pages" },
	{ "memunmap_pages_return", "memunmap_pages", 'r', "memunmap_pages returned" },
	{ "arch_remove_memory", "arch_remove_memory", 'p', "arch_remove_memory" },
};

/* the kernel's own event at the end of each pmd fault on a DAX file */
#define FAULT_GROUP	"fs_dax"
#define FAULT_EVENT	"dax_pmd_fault_done"

#define NR_PROBES	(sizeof(probes) / sizeof(*probes))

/* in this order: the second exists only where debugfs mounts it by itself */
static const char *const tracefs[] = {
	"/sys/kernel/tracing", "/sys/kernel/debug/tracing",
};

/* a directory descriptor, or -errno */
static int open_tracefs(void)
{
	int fd, err = -ENOENT;
	size_t i;

	for (i = 0; i < sizeof(tracefs) / sizeof(*tracefs); i++) {
		fd = open(tracefs[i], O_DIRECTORY | O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			err = -errno;
			continue;
		}
		/* the mount point is there also when nothing is mounted */
		if (!faccessat(fd, "kprobe_events", F_OK, 0))
			return fd;
		close(fd);
		err = -ENOENT;
	}
	return err;
}

static int write_to(int dir, const char *path, int flags, const char *text)
{
	size_t len = strlen(text);
	int fd, err = 0;
	ssize_t n;

	fd = openat(dir, path, O_WRONLY | O_CLOEXEC | flags);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0)
		err = -errno;
	else if ((size_t)n != len)
		err = -EIO;
	close(fd);
	return err;
}

static int write_instance(const struct ktrace *t, int dir, const char *file,
			  const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "instances/%s/%s", t->group, file);
	return write_to(dir, path, 0, text);
}

/*
 * The struct may come from memory that a dying process scribbled on, and its
 * name goes into paths and into kprobe_events.
 */
static bool group_is_ours(const struct ktrace *t)
{
	size_t prefix = strlen(KTRACE_PREFIX);
	size_t len = strnlen(t->group, sizeof(t->group));

	return len < sizeof(t->group) && len > prefix &&
	       !strncmp(t->group, KTRACE_PREFIX, prefix) &&
	       strspn(t->group + prefix, "0123456789") == len - prefix;
}

/* O_APPEND: opening for writing without it removes everybody's probes */
static int kprobe_command(int dir, const char *command)
{
	return write_to(dir, "kprobe_events", O_APPEND, command);
}

static int add_probe(const struct ktrace *t, int dir, const struct probe *p)
{
	char command[160];

	snprintf(command, sizeof(command), "%c:%s/%s %s\n", p->kind, t->group,
		 p->event, p->function);
	return kprobe_command(dir, command);
}

static int remove_probe(const struct ktrace *t, int dir, const struct probe *p)
{
	char path[128], command[160];

	snprintf(path, sizeof(path), "events/%s/%s", t->group, p->event);
	if (faccessat(dir, path, F_OK, 0))
		return errno == ENOENT ? 0 : -errno;
	snprintf(command, sizeof(command), "-:%s/%s\n", t->group, p->event);
	return kprobe_command(dir, command);
}

static int remove_instance(const struct ktrace *t, int dir)
{
	char path[64];
	int i;

	snprintf(path, sizeof(path), "instances/%s", t->group);
	for (i = 0; i < BUSY_RETRIES; i++) {
		if (!unlinkat(dir, path, AT_REMOVEDIR) || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			break;
		usleep(BUSY_SLEEP_US);
	}
	return -errno;
}

static int destroy_in(const struct ktrace *t, int dir)
{
	char path[64];
	int ret, err;
	size_t i;

	/* an enabled event cannot be removed; absent after half a create */
	snprintf(path, sizeof(path), "events/%s/enable", t->group);
	write_instance(t, dir, path, "0");
	err = remove_instance(t, dir);
	for (i = 0; i < NR_PROBES; i++) {
		ret = remove_probe(t, dir, &probes[i]);
		err = err ? err : ret;
	}
	return err;
}

int ktrace_destroy(const struct ktrace *t)
{
	int dir, err;

	if (!t->group[0])
		return 0;
	if (!group_is_ours(t))
		return -EINVAL;
	dir = open_tracefs();
	if (dir < 0)
		return dir;
	err = destroy_in(t, dir);
	close(dir);
	return err;
}

static int create_in(struct ktrace *t, int dir)
{
	/* what a new instance inherits and ktrace_read() cannot do with */
	static const char *const options[] = {
		"context-info", "noraw", "nohex", "nobin",
	};
	char path[64];
	int ret, err = -ENOENT;
	size_t i;

	for (i = 0; i < NR_PROBES; i++) {
		ret = add_probe(t, dir, &probes[i]);
		if (!ret)
			t->probes++;
		else
			err = ret;
	}
	if (!t->probes)
		return err;

	snprintf(path, sizeof(path), "instances/%s", t->group);
	if (mkdirat(dir, path, 0700))
		return -errno;
	err = write_instance(t, dir, "trace_clock", "mono");
	if (!err)
		err = write_instance(t, dir, "buffer_size_kb", BUFFER_KB);
	if (err)
		return err;
	for (i = 0; i < sizeof(options) / sizeof(*options); i++)
		write_instance(t, dir, "trace_options", options[i]);
	err = write_instance(t, dir, "tracing_on", "1");
	if (err)
		return err;
	snprintf(path, sizeof(path), "events/%s/enable", t->group);
	return write_instance(t, dir, path, "1");
}

int ktrace_create(struct ktrace *t, unsigned int id)
{
	int dir, err;

	memset(t, 0, sizeof(*t));
	dir = open_tracefs();
	if (dir < 0)
		return dir;
	snprintf(t->group, sizeof(t->group), KTRACE_PREFIX "%u", id);
	destroy_in(t, dir);
	err = create_in(t, dir);
	if (err) {
		destroy_in(t, dir);
		memset(t, 0, sizeof(*t));
	}
	close(dir);
	return err;
}

/* the path of a file of our instance is relative to this; or -errno */
static int open_instance_file(const struct ktrace *t, const char *file, int flags)
{
	char path[64];
	int dir, fd;

	if (!group_is_ours(t))
		return -EINVAL;
	dir = open_tracefs();
	if (dir < 0)
		return dir;
	snprintf(path, sizeof(path), "instances/%s/%s", t->group, file);
	fd = openat(dir, path, flags | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	close(dir);
	return fd;
}

int ktrace_clear(const struct ktrace *t)
{
	/* truncating the file empties the buffers, says ftrace.rst */
	int fd = open_instance_file(t, "trace", O_WRONLY | O_TRUNC);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* digits '.' digits, to nanoseconds; NULL when it is something else */
static const char *parse_seconds(const char *s, uint64_t *ns)
{
	uint64_t fraction = 0, unit = 1000000000ULL;
	char *end;

	if (!isdigit((unsigned char)*s))
		return NULL;
	*ns = strtoull(s, &end, 10) * 1000000000ULL;
	if (*end != '.')
		return NULL;
	for (end++; isdigit((unsigned char)*end) && unit > 1; end++) {
		fraction = fraction * 10 + (uint64_t)(*end - '0');
		unit /= 10;
	}
	*ns += fraction * unit;
	return end;
}

/*
 * "            bash-123     [001] d..1.  1234.567890: kill_dax: (kill_dax+0x0/0x80)"
 *
 * The task's name is 15 bytes at most, right-aligned in 16, and may hold blanks
 * and brackets; what stands between its pid and the time depends on options.
 *
 * Returns what stands behind the time; NULL when it is no line of this form.
 */
static const char *parse_head(const char *line, int *pid, uint64_t *ns)
{
	const char *at, *name;
	char *end;

	if (*line == '#' || strnlen(line, 18) < 18 || line[16] != '-')
		return NULL;
	*pid = (int)strtol(line + 17, &end, 10);
	if (end == line + 17)
		return NULL;
	for (at = end; (at = strchr(at, ' ')); ) {
		at += strspn(at, " ");
		name = parse_seconds(at, ns);
		if (name && name[0] == ':' && name[1] == ' ')
			return name + 2;
	}
	return NULL;
}

int ktrace_parse_line(const char *line, int *pid, uint64_t *ns, const char **text)
{
	const char *name = parse_head(line, pid, ns);
	size_t i;

	if (!name)
		return -EINVAL;
	for (i = 0; i < NR_PROBES; i++) {
		size_t len = strlen(probes[i].event);

		if (strncmp(name, probes[i].event, len) || name[len] != ':')
			continue;
		*text = probes[i].text;
		return 0;
	}
	return -EINVAL;
}

int ktrace_faults_on(struct ktrace *t)
{
	char path[64];
	int dir, err;

	if (t->faults)
		return 0;
	if (!group_is_ours(t))
		return -EINVAL;
	dir = open_tracefs();
	if (dir < 0)
		return dir;
	snprintf(path, sizeof(path), "events/" FAULT_GROUP "/" FAULT_EVENT "/enable");
	err = write_instance(t, dir, path, "1");
	close(dir);
	t->faults = !err;
	return err;
}

/* "... dax_pmd_fault_done: dev 259:0 ino 0xc shared WRITE|... max_pgoff 0x1000 NOPAGE" */
int ktrace_parse_fault(const char *line, int *tid, bool *fallback)
{
	static const char event[] = FAULT_EVENT ": ";
	uint64_t ns;
	const char *name = parse_head(line, tid, &ns);
	const char *result;

	if (!name || strncmp(name, event, sizeof(event) - 1))
		return -EINVAL;
	/* the last word says how it ended: bits with '|' between */
	result = strrchr(name, ' ');
	*fallback = strstr(result, "FALLBACK");
	return 0;
}

/* all that the instance has recorded so far, by lines */
static int open_trace(const struct ktrace *t, FILE **f)
{
	int fd = open_instance_file(t, "trace", O_RDONLY);

	if (fd < 0)
		return fd;
	*f = fdopen(fd, "r");
	if (*f)
		return 0;
	close(fd);
	return -ENOMEM;
}

int ktrace_faults_read(const struct ktrace *t, int tid, struct ktrace_faults *f)
{
	char *line = NULL;
	size_t size = 0;
	bool fallback;
	FILE *file;
	int task, ret;

	memset(f, 0, sizeof(*f));
	ret = open_trace(t, &file);
	if (ret)
		return ret;
	while (getline(&line, &size, file) > 0) {
		if (ktrace_parse_fault(line, &task, &fallback) || task != tid)
			continue;
		f->done++;
		f->fallback += fallback;
	}
	free(line);
	fclose(file);
	return 0;
}

int ktrace_read(const struct ktrace *t, int pid, uint64_t since_ns, char *buf,
		size_t len)
{
	char *line = NULL;
	size_t size = 0, used = 0;
	const char *text;
	int task, ret, n = 0;
	uint64_t ns;
	FILE *f;

	if (!len)
		return -EINVAL;
	buf[0] = '\0';
	ret = open_trace(t, &f);
	if (ret)
		return ret;
	while (getline(&line, &size, f) > 0) {
		char one[96];
		int l;

		if (ktrace_parse_line(line, &task, &ns, &text))
			continue;
		if ((pid && task != pid) || ns < since_ns)
			continue;
		n++;
		ns -= since_ns;
		l = snprintf(one, sizeof(one), "%llu.%03llu ms %s\n",
			     (unsigned long long)(ns / 1000000),
			     (unsigned long long)(ns / 1000 % 1000), text);
		if (l < 0 || (size_t)l >= len - used)
			continue;
		memcpy(buf + used, one, (size_t)l + 1);
		used += (size_t)l;
	}
	free(line);
	fclose(f);
	return n;
}
