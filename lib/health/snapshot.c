// SPDX-License-Identifier: GPL-2.0-only
/*
 * Texts of /proc and listings, which are compared line by line before and after.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/health/internal.h"

/* Lines of a diff that are shown: one device has about four. */
#define DIFF_MAX	12

void health_snapshot_free(struct health_snapshot *s)
{
	if (s->is_open)
		close(s->fd);
	free(s->text);
	memset(s, 0, sizeof(*s));
}

int health_snapshot_open(struct health_snapshot *s, const char *path)
{
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	s->is_open = s->fd >= 0;
	return s->is_open ? 0 : -errno;
}

/* make room for more bytes and a NUL */
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

int health_snapshot_read(struct health_snapshot *s)
{
	ssize_t n;
	int err;

	s->len = 0;
	do {
		err = reserve(s, 4096);
		if (err)
			return err;
		/* from the start: the descriptor has been read before */
		n = pread(s->fd, s->text + s->len, s->size - s->len - 1,
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

int health_snapshot_add(struct health_snapshot *s, const char *fmt, ...)
{
	va_list args;
	int len, err;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	err = reserve(s, (size_t)len + 1);
	if (err)
		return err;
	va_start(args, fmt);
	s->len += (size_t)vsprintf(s->text + s->len, fmt, args);
	va_end(args);
	s->text[s->len++] = '\n';
	s->text[s->len] = '\0';
	return 0;
}

static unsigned int count_lines(const struct health_snapshot *s)
{
	unsigned int nr = 0;

	for (size_t i = 0; i < s->len; i++)
		nr += s->text[i] == '\n';
	return nr;
}

int health_snapshot_sort(struct health_snapshot *s)
{
	unsigned int nr = count_lines(s);
	char **line = calloc(nr + 1, sizeof(*line));
	char *sorted = malloc(s->len + 1), *to = sorted, *at = s->text;
	int err = -ENOMEM;

	if (!line || !sorted)
		goto out;
	for (unsigned int i = 0; i < nr; i++) {
		line[i] = at;
		at = strchr(at, '\n');
		*at++ = '\0';
	}
	qsort(line, nr, sizeof(*line), compare_lines);
	for (unsigned int i = 0; i < nr; i++) {
		to = stpcpy(to, line[i]);
		*to++ = '\n';
	}
	if (s->len)
		memcpy(s->text, sorted, s->len);
	err = 0;
out:
	free(line);
	free(sorted);
	return err;
}

/* a number after a letter, and what belongs to it: "region0", "dax0.1" */
static bool is_number(const char *text, size_t i)
{
	return i && isdigit((unsigned char)text[i]) && isalpha((unsigned char)text[i - 1]);
}

void health_snapshot_anonymous(struct health_snapshot *s, bool addresses)
{
	bool names = !addresses;
	size_t to = 0;

	if (!s->len)
		return;
	for (size_t i = 0; i < s->len; to++) {
		bool number = names && is_number(s->text, i);
		char c = s->text[i++];

		while (number && i < s->len && strchr("0123456789.", s->text[i]))
			i++;
		/* addresses end at the first colon */
		if (c == ':')
			names = true;
		if (c == '\n')
			names = !addresses;
		s->text[to] = number ? '#' : c;
	}
	s->len = to;
	s->text[to] = '\0';
	if (!addresses)
		health_snapshot_sort(s);
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

/* report lines that @a has more often than @b; quadratic, but only after a failure */
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
		/* how often has @a had this line before? */
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

int health_vmstat_find(const char *text, const char *name, uint64_t *value)
{
	size_t len = strlen(name);
	const char *line = text;

	while (line && *line) {
		if (!strncmp(line, name, len) && line[len] == ' ') {
			*value = strtoull(line + len + 1, NULL, 10);
			return 0;
		}
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return -ENOENT;
}
