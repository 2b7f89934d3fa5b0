// SPDX-License-Identifier: GPL-2.0
/*
 * Listings that have to be the same before and after: /proc/iomem, and the
 * devices of the dax and nd buses with their drivers.
 *
 * They are compared as a whole.  Nothing in them moves by itself on a machine
 * whose devices nobody plugs: addresses, names and drivers are fixed by what is
 * bound to what, which is the very thing that is looked at.
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
#include <unistd.h>

#include "lib/health/internal.h"

/* Lines of a diff that are worth showing: one device has about four. */
#define DIFF_MAX	12

static const char *const buses[] = { "dax", "nd" };

void health_snapshot_free(struct health_snapshot *s)
{
	free(s->text);
	memset(s, 0, sizeof(*s));
}

/* room for more bytes and a NUL */
static int reserve(struct health_snapshot *s, size_t more)
{
	size_t size = s->size ? s->size : 4096;
	char *text;

	while (size - s->len <= more)
		size *= 2;
	if (size == s->size)
		return 0;
	text = realloc(s->text, size);
	if (!text)
		return -ENOMEM;
	s->text = text;
	s->size = size;
	return 0;
}

int health_snapshot_file(struct health_snapshot *s, int fd)
{
	ssize_t n;
	int err;

	s->len = 0;
	do {
		err = reserve(s, 4096);
		if (err)
			return err;
		/* pread: the descriptor is used again, from the start */
		n = pread(fd, s->text + s->len, s->size - s->len - 1,
			  (off_t)s->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		s->len += (size_t)n;
	} while (n);
	s->text[s->len] = '\0';
	return 0;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/*
 * One text after the other, NUL-terminated, becomes sorted lines: readdir(3)
 * has no order of its own.
 */
static int sort_lines(struct health_snapshot *s, unsigned int nr)
{
	struct health_snapshot sorted = { 0 };
	char **line = calloc(nr + 1, sizeof(*line));
	char *at = s->text;
	unsigned int i;
	int err;

	if (!line)
		return -ENOMEM;
	err = reserve(&sorted, s->len);
	if (err)
		goto out;
	for (i = 0; i < nr; i++) {
		line[i] = at;
		at += strlen(at) + 1;
	}
	qsort(line, nr, sizeof(*line), compare_lines);
	for (i = 0; i < nr; i++) {
		size_t len = strlen(line[i]);

		memcpy(sorted.text + sorted.len, line[i], len);
		sorted.len += len;
		sorted.text[sorted.len++] = '\n';
	}
	sorted.text[sorted.len] = '\0';
	free(s->text);
	*s = sorted;
out:
	free(line);
	return err;
}

static int add_device(struct health_snapshot *s, const char *bus, int dir,
		      const char *name)
{
	char link[NAME_MAX + sizeof("/driver")];
	char driver[PATH_MAX];
	const char *base = "no driver";
	ssize_t len;
	int err;

	snprintf(link, sizeof(link), "%s/driver", name);
	len = readlinkat(dir, link, driver, sizeof(driver) - 1);
	if (len >= 0) {
		driver[len] = '\0';
		base = strrchr(driver, '/');
		base = base ? base + 1 : driver;
	} else if (errno != ENOENT && errno != ENODEV) {
		return -errno;
	}
	err = reserve(s, strlen(bus) + strlen(name) + strlen(base) + 8);
	if (err)
		return err;
	s->len += (size_t)sprintf(s->text + s->len, "%s %s: %s", bus, name, base) + 1;
	return 0;
}

/* a namespace without bytes is there for whoever creates the next one, and nobody's */
static bool is_seed(int dir, const char *name)
{
	char path[NAME_MAX + sizeof("/size")], size[32];
	ssize_t len;
	int fd;

	if (strncmp(name, "namespace", 9))
		return false;
	snprintf(path, sizeof(path), "%s/size", name);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, size, sizeof(size));
	close(fd);
	return len == 2 && size[0] == '0';
}

static int add_bus(struct health_snapshot *s, const char *bus, unsigned int *nr)
{
	char path[64];
	struct dirent *d;
	DIR *dir;
	int err = 0;

	snprintf(path, sizeof(path), "/sys/bus/%s/devices", bus);
	dir = opendir(path);
	/* a bus that is not there has no devices; it may come with a module */
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!err) {
		errno = 0;
		d = readdir(dir);
		if (!d) {
			err = -errno;
			break;
		}
		if (d->d_name[0] == '.' || is_seed(dirfd(dir), d->d_name))
			continue;
		err = add_device(s, bus, dirfd(dir), d->d_name);
		*nr += !err;
	}
	closedir(dir);
	return err;
}

int health_snapshot_devices(struct health_snapshot *s)
{
	unsigned int nr = 0;
	size_t i;
	int err;

	s->len = 0;
	err = reserve(s, 0);
	for (i = 0; !err && i < sizeof(buses) / sizeof(*buses); i++)
		err = add_bus(s, buses[i], &nr);
	return err ? err : sort_lines(s, nr);
}

/* a number behind a letter, and what belongs to it: "region0", "dax0.1" */
static bool numbers(const char *text, size_t i)
{
	return i && isdigit((unsigned char)text[i]) && isalpha((unsigned char)text[i - 1]);
}

void health_snapshot_anonymous(struct health_snapshot *s, bool addresses)
{
	bool names = !addresses;
	unsigned int nr = 0;
	size_t to = 0;

	for (size_t i = 0; i < s->len; to++) {
		bool number = names && numbers(s->text, i);
		char c = s->text[i++];

		while (number && i < s->len && strchr("0123456789.", s->text[i]))
			i++;
		if (c == ':')
			names = true;
		s->text[to] = number ? '#' : c;
		if (c != '\n')
			continue;
		names = !addresses;
		if (!addresses)
			s->text[to] = '\0';
		nr++;
	}
	s->len = to;
	if (s->text)
		s->text[to] = '\0';
	if (!addresses)
		sort_lines(s, nr);
}

bool health_snapshot_same(const struct health_snapshot *a,
			  const struct health_snapshot *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->text, b->text, a->len));
}

static const char *next_line(const char *line, size_t *len)
{
	*len = strcspn(line, "\n");
	return line + *len + (line[*len] == '\n');
}

static unsigned int count_line(const char *text, const char *line, size_t len)
{
	unsigned int n = 0;
	const char *next;
	size_t l;

	for (; *text; text = next) {
		next = next_line(text, &l);
		n += l == len && !memcmp(text, line, len);
	}
	return n;
}

/* lines of @a that @b has less often; quadratic, but only after a failure */
static unsigned int report_missing(const char *a, const char *b,
				   const char *what, const char *verb,
				   struct health_lines *out)
{
	const char *line, *next;
	unsigned int n = 0;
	size_t len, indent;

	for (line = a; *line; line = next) {
		unsigned int in_b, before = 0;
		const char *seen;

		next = next_line(line, &len);
		in_b = count_line(b, line, len);
		/* the how many-th of its like in @a is this one? */
		for (seen = a; seen < line;) {
			size_t l;
			const char *s = seen;

			seen = next_line(s, &l);
			before += l == len && !memcmp(s, line, len);
		}
		if (before < in_b)
			continue;
		if (n++ < DIFF_MAX) {
			indent = strspn(line, " ");
			health_lines_add(out, "%s: %s: %.*s", what, verb,
					 (int)(len - indent), line + indent);
		}
	}
	return n;
}

void health_snapshot_diff(const struct health_snapshot *was,
			  const struct health_snapshot *now, const char *what,
			  struct health_lines *l)
{
	const char *a = was->text ? was->text : "";
	const char *b = now->text ? now->text : "";
	unsigned int gone, come;

	gone = report_missing(a, b, what, "gone", l);
	come = report_missing(b, a, what, "new", l);
	if (gone > DIFF_MAX || come > DIFF_MAX)
		health_lines_add(l, "%s: %u lines gone, %u new in all", what, gone, come);
	if (!gone && !come)
		health_lines_add(l, "%s: the same lines in another order", what);
}
