// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a cell says: verdicts, skips, and notes about them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "suite/internal.h"

void suite_drain(void)
{
	fflush(stdout);
	if (tcdrain(STDOUT_FILENO))
		fsync(STDOUT_FILENO);
}

void suite_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	suite_drain();
}

bool cell_over(const struct cell *c)
{
	return c->skipped || c->verdict != VERDICT_PASS;
}

void note(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* a '#' inside would be read as a directive */
	for (char *p = text; *p; p++)
		if (*p == '#' || *p == '\n')
			*p = ' ';
	printf("#   %s\n", text);
	fflush(stdout);
}

void note_lines(const char *what, const char *text)
{
	if (!text[0])
		return;
	note("%s:", what);
	while (*text) {
		int n = strcspn(text, "\n");

		note("    %.*s", n, text);
		text += n;
		text += *text == '\n';
	}
}

bool expect(struct cell *c, enum verdict_kind kind, bool cond, const char *fmt, ...)
{
	char text[sizeof(c->why)];
	va_list ap;

	if (cond)
		return true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if (*p == '#' || *p == '\n')
			*p = ' ';
	if (c->verdict != VERDICT_PASS) {
		note("also %s: %s", verdict_name(kind), text);
		return false;
	}
	c->verdict = kind;
	memcpy(c->why, text, sizeof(c->why));
	suite_say("# VERDICT %s %s: %s\n", c->name, verdict_name(kind), text);
	printf("#   again: %s -t %s\n", suite->name, c->name);
	fflush(stdout);
	return false;
}

bool expect_ok(struct cell *c, int ret, const char *what, const char *why)
{
	return expect(c, ret == -EILSEQ ? VERDICT_WRONG_DATA : VERDICT_FAILED, !ret,
		      "%s: %s%s%s", what, strerror(-ret), why[0] ? ": " : "", why);
}

bool expect_errno(struct cell *c, int ret, int err, const char *what)
{
	return expect(c, VERDICT_FAILED, ret == -err, "%s: %s; expected %s", what,
		      ret ? strerror(-ret) : "done", strerror(err));
}

void cell_adds(struct cell *c, const char *fmt, ...)
{
	size_t n = strlen(c->why);
	va_list ap;

	if (c->verdict == VERDICT_PASS || n + 3 >= sizeof(c->why))
		return;
	memcpy(c->why + n, "; ", 3);
	va_start(ap, fmt);
	vsnprintf(c->why + n + 2, sizeof(c->why) - n - 2, fmt, ap);
	va_end(ap);
	suite_say("# VERDICT %s %s: %s\n", c->name, verdict_name(c->verdict), c->why);
}

void skip(struct cell *c, const char *fmt, ...)
{
	va_list ap;

	if (cell_over(c))
		return;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	c->skipped = true;
}

const struct action *require_action(struct cell *c, const char *name)
{
	const struct action *a = action_find(name);

	if (a && !a->lacks)
		return a;
	skip(c, "action %s: %s", name, a ? a->lacks : "not in this build");
	return NULL;
}

const struct pin_method *require_pin(struct cell *c, const char *name)
{
	const struct pin_method *m = pin_method_find(name);

	if (!m)
		skip(c, "pin %s: not in this build", name);
	return m;
}
