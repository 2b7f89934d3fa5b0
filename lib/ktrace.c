// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probes are one event each in an event group of this run, and they are enabled and
 * recorded only in a tracefs instance of this run: buffers and settings of others who
 * trace on this machine do not change.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/ktrace.h"
#include "lib/sysfs.h"

/* For each CPU.  A teardown is five events of some 40 bytes. */
#define BUFFER_KB	"64"

/* A tracer that still reads the instance keeps it busy for a moment. */
#define BUSY_RETRIES	20
#define BUSY_SLEEP_NS	(10 * NSEC_PER_MSEC)

/* the longest path below tracefs, and the longest probe */
#define PATH_LEN	192

/*
 * The kernel functions and the event (FAULT_EVENT) that are relied on, all of them in
 * 5.10 to 7.3.  Where one is missing or cannot be probed its line is missing in the
 * report; no verdict depends on it.
 */
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

/* logged at the end of each pmd fault on a DAX file */
#define FAULT_GROUP	"fs_dax"
#define FAULT_EVENT	"dax_pmd_fault_done"

#define NR_PROBES	(sizeof(probes) / sizeof(*probes))

/* in this order: the second exists only where debugfs mounts it */
static const char *const mounts[] = {
	"/sys/kernel/tracing", "/sys/kernel/debug/tracing",
};

/*
 * The struct may come from memory that a dying process has overwritten, and its group
 * goes into paths and into kprobe_events.
 */
static bool group_is_ours(const struct ktrace *t)
{
	size_t prefix = strlen(KTRACE_PREFIX);
	size_t len = strnlen(t->group, sizeof(t->group));

	return len < sizeof(t->group) && len > prefix &&
	       !strncmp(t->group, KTRACE_PREFIX, prefix) &&
	       strspn(t->group + prefix, "0123456789") == len - prefix;
}

/* the path of a file below tracefs: 0 or -errno */
static int path_in_tracefs(char *path, const char *fmt, ...)
{
	int err = -ENOENT;
	va_list args;

	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		int len = snprintf(path, PATH_LEN, "%s/kprobe_events", mounts[i]);

		/* the mount point exists also when nothing is mounted */
		if (access(path, F_OK)) {
			err = -errno;
			continue;
		}
		len -= (int)strlen("kprobe_events");
		va_start(args, fmt);
		vsnprintf(path + len, PATH_LEN - (size_t)len, fmt, args);
		va_end(args);
		return 0;
	}
	return err;
}

static int path_in_instance(char *path, const struct ktrace *t, const char *file)
{
	if (!group_is_ours(t))
		return -EINVAL;
	return path_in_tracefs(path, "instances/%s/%s", t->group, file);
}

static int write_instance(const struct ktrace *t, const char *file, const char *text)
{
	char path[PATH_LEN];
	int err = path_in_instance(path, t, file);

	return err ? err : sysfs_write(path, text);
}

/* all events of this run's group */
static int enable_events(const struct ktrace *t, const char *on)
{
	char file[64];

	snprintf(file, sizeof(file), "events/%s/enable", t->group);
	return write_instance(t, file, on);
}

static int kprobe_command(const char *command)
{
	char path[PATH_LEN];
	int err = path_in_tracefs(path, "kprobe_events");

	return err ? err : sysfs_write(path, command);
}

static int add_probe(const struct ktrace *t, const struct probe *p)
{
	char command[PATH_LEN];

	snprintf(command, sizeof(command), "%c:%s/%s %s\n", p->kind, t->group,
		 p->event, p->function);
	return kprobe_command(command);
}

static int remove_probe(const struct ktrace *t, const struct probe *p)
{
	char path[PATH_LEN], command[PATH_LEN];
	int err = path_in_tracefs(path, "events/%s/%s", t->group, p->event);

	if (err)
		return err;
	if (access(path, F_OK))
		return errno == ENOENT ? 0 : -errno;
	snprintf(command, sizeof(command), "-:%s/%s\n", t->group, p->event);
	return kprobe_command(command);
}

static int remove_instance(const struct ktrace *t)
{
	char path[PATH_LEN];
	int err = path_in_tracefs(path, "instances/%s", t->group);

	if (err)
		return err;
	for (int i = 0; i < BUSY_RETRIES; i++) {
		if (!rmdir(path) || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			break;
		clock_sleep_ns(BUSY_SLEEP_NS);
	}
	return -errno;
}

int ktrace_destroy(const struct ktrace *t)
{
	int ret, err;

	if (!t->group[0])
		return 0;
	if (!group_is_ours(t))
		return -EINVAL;
	/* an enabled event cannot be removed; fails where creation has failed before */
	enable_events(t, "0");
	err = remove_instance(t);
	for (size_t i = 0; i < NR_PROBES; i++) {
		ret = remove_probe(t, &probes[i]);
		err = err ? err : ret;
	}
	return err;
}

static int add_probes(struct ktrace *t)
{
	int ret, err = -ENOENT;

	for (size_t i = 0; i < NR_PROBES; i++) {
		ret = add_probe(t, &probes[i]);
		if (!ret)
			t->probes++;
		else
			err = ret;
	}
	return t->probes ? 0 : err;
}

static int create_instance(const struct ktrace *t)
{
	/* a new instance inherits options that ktrace_read() cannot parse */
	static const char *const options[] = {
		"context-info", "noraw", "nohex", "nobin",
	};
	char path[PATH_LEN];
	int err;

	err = path_in_tracefs(path, "instances/%s", t->group);
	if (err)
		return err;
	if (mkdir(path, 0700))
		return -errno;
	err = write_instance(t, "trace_clock", "mono");
	if (err)
		return err;
	err = write_instance(t, "buffer_size_kb", BUFFER_KB);
	if (err)
		return err;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		write_instance(t, "trace_options", options[i]);
	err = write_instance(t, "tracing_on", "1");
	return err ? err : enable_events(t, "1");
}

int ktrace_create(struct ktrace *t, unsigned int id)
{
	int err;

	memset(t, 0, sizeof(*t));
	snprintf(t->group, sizeof(t->group), KTRACE_PREFIX "%u", id);
	/* left behind by a run that was killed */
	ktrace_destroy(t);
	err = add_probes(t);
	if (!err)
		err = create_instance(t);
	if (err) {
		ktrace_destroy(t);
		memset(t, 0, sizeof(*t));
	}
	return err;
}

int ktrace_clear(const struct ktrace *t)
{
	char path[PATH_LEN];
	int fd, err;

	err = path_in_instance(path, t, "trace");
	if (err)
		return err;
	/* truncating the file empties the buffers, see ftrace.rst */
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* digits '.' digits, to nanoseconds; returns their end, NULL for anything else */
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
 * The task's name has at most 15 bytes, right-aligned in 16, and may contain blanks
 * and brackets; the fields between its pid and the time depend on options.
 *
 * Returns the text after the time; NULL for a line of another form.
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
	int err;

	if (t->faults)
		return 0;
	err = write_instance(t, "events/" FAULT_GROUP "/" FAULT_EVENT "/enable", "1");
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
	/* the last word is the result: flags separated by '|' */
	result = strrchr(name, ' ');
	*fallback = strstr(result, "FALLBACK");
	return 0;
}

/* the events recorded so far, as lines */
static int open_trace(const struct ktrace *t, FILE **f)
{
	char path[PATH_LEN];
	int err = path_in_instance(path, t, "trace");

	if (err)
		return err;
	*f = fopen(path, "re");
	return *f ? 0 : -errno;
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
