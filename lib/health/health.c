// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the registered oracles before and after a test case and collects their findings.
 * Knows none of them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/health/internal.h"
#include "lib/sysfs.h"

/* one for each bit of a mask */
#define ORACLES_MAX	32

/* oracles without a HEALTH_* constant have the bits from this one on */
#define FIRST_FREE_BIT	0x100u

/* the order in which oracles are read */
enum turn { TURN_SETTLES, TURN_STATE, TURN_EVENTS, TURN_NR };

/**
 * struct reading - an oracle, and what it has read
 * @oracle: the entry
 * @bit: in masks of oracles
 * @source: the reading whose states this one judges: its own unless &oracle.of
 * @before: state at health_begin()
 * @after: state at health_end(); the same as @before for events
 * @begun: health_begin() has read @before
 * @ended: this health_end() has read @after
 */
struct reading {
	const struct oracle *oracle;
	unsigned int bit;
	struct reading *source;
	void *before;
	void *after;
	bool begun;
	bool ended;
};

/**
 * struct health - see health.h
 * @reading: in the order of their turns
 * @nr: how many there are
 * @renumbered: see health_renumbered()
 * @text: findings
 * @stray: findings of health_begin()
 */
struct health {
	struct reading reading[ORACLES_MAX];
	unsigned int nr;
	bool renumbered;
	struct health_lines text;
	struct health_lines stray;
};

void health_lines_clear(struct health_lines *l)
{
	l->text[0] = '\0';
	l->len = 0;
	l->more = 0;
}

void health_lines_add(struct health_lines *l, const char *fmt, ...)
{
	/* leave room for the line of health_lines_finish() */
	size_t room = sizeof(l->text) - l->len - 64;
	va_list args;
	int len;

	if (l->more) {
		l->more++;
		return;
	}
	va_start(args, fmt);
	len = vsnprintf(l->text + l->len, room, fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len + 2 > room) {
		l->text[l->len] = '\0';
		l->more++;
		return;
	}
	l->len += (size_t)len;
	l->text[l->len++] = '\n';
	l->text[l->len] = '\0';
}

void health_lines_finish(struct health_lines *l)
{
	if (!l->more)
		return;
	l->len += (size_t)snprintf(l->text + l->len, sizeof(l->text) - l->len,
				   "(%u more lines)\n", l->more);
	l->more = 0;
}

static enum turn turn_of(const struct oracle *o)
{
	if (o->of)
		o = o->of;
	if (o->settles)
		return TURN_SETTLES;
	return o->events ? TURN_EVENTS : TURN_STATE;
}

static unsigned int bit_of(const struct oracle *oracle)
{
	unsigned int bit = FIRST_FREE_BIT;

	if (oracle->bit)
		return oracle->bit;
	for (const struct oracle *o = REGISTRY_NEXT(oracles, NULL); o != oracle;
	     o = REGISTRY_NEXT(oracles, o))
		if (!o->bit)
			bit <<= 1;
	return bit;
}

unsigned int health_bit(const char *name)
{
	const struct oracle *o = NULL;

	while ((o = REGISTRY_NEXT(oracles, o)))
		if (!strcmp(o->name, name))
			return bit_of(o);
	return 0;
}

/* this kernel has no such thing to read */
static bool is_lacking(int err)
{
	return err == -ENOENT || err == -EOPNOTSUPP;
}

static void *open_state(const struct oracle *o, int *err)
{
	void *state = calloc(1, o->size);

	*err = state ? 0 : -ENOMEM;
	if (state && o->open)
		*err = o->open(state);
	return state;
}

static void close_state(const struct oracle *o, void *state)
{
	if (state && o->free)
		o->free(state);
	free(state);
}

static void close_reading(struct reading *r)
{
	if (r->source != r)
		return;
	close_state(r->oracle, r->before);
	if (r->after != r->before)
		close_state(r->oracle, r->after);
}

static int open_reading(struct reading *r, const struct oracle *o)
{
	int err;

	r->source = r;
	r->before = open_state(o, &err);
	if (err || o->events)
		r->after = r->before;
	else
		r->after = open_state(o, &err);
	if (err)
		close_reading(r);
	return err;
}

static struct reading *find_reading(struct health *h, const struct oracle *o)
{
	for (unsigned int i = 0; i < h->nr; i++)
		if (h->reading[i].oracle == o)
			return &h->reading[i];
	return NULL;
}

static int add_oracle(struct health *h, const struct oracle *o)
{
	struct reading *r = &h->reading[h->nr];
	int err = 0;

	if (h->nr == ORACLES_MAX)
		return -ENOSPC;
	r->oracle = o;
	r->bit = bit_of(o);
	if (o->of) {
		r->source = find_reading(h, o->of);
		err = r->source ? 0 : -ENOENT;
	} else {
		err = open_reading(r, o);
	}
	if (is_lacking(err))
		return 0;
	h->nr += !err;
	return err;
}

int health_open(struct health **out)
{
	struct health *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	for (enum turn turn = 0; turn < TURN_NR; turn++) {
		const struct oracle *o = NULL;

		while ((o = REGISTRY_NEXT(oracles, o))) {
			int err = turn_of(o) == turn ? add_oracle(h, o) : 0;

			if (err) {
				health_close(h);
				return err;
			}
		}
	}
	*out = h;
	return 0;
}

void health_close(struct health *h)
{
	if (!h)
		return;
	for (unsigned int i = 0; i < h->nr; i++)
		close_reading(&h->reading[i]);
	free(h);
}

/* @err keeps the first error; the oracles after it are read nevertheless */
static bool read_state(const struct oracle *o, void *state, void *before, int *err)
{
	int ret = o->read(state, before);

	if (ret && !is_lacking(ret) && !*err)
		*err = ret;
	return !ret;
}

int health_begin(struct health *h)
{
	int err = 0;

	h->renumbered = false;
	health_lines_clear(&h->text);
	health_lines_clear(&h->stray);
	for (unsigned int i = 0; i < h->nr; i++) {
		struct reading *r = &h->reading[i];

		if (r->source == r)
			r->begun = read_state(r->oracle, r->before, NULL, &err);
		if (r->source->oracle->events && r->source->begun)
			r->oracle->judge(r->source->before, r->source->after, &h->stray);
	}
	health_lines_finish(&h->stray);
	return err;
}

void health_renumbered(struct health *h)
{
	h->renumbered = true;
}

static void renumber(struct reading *r)
{
	if (!r->oracle->renumber)
		return;
	r->oracle->renumber(r->before);
	r->oracle->renumber(r->after);
}

/* a source is read once, however many of its oracles are asked */
static bool is_wanted(const struct health *h, const struct reading *source,
		      unsigned int oracles)
{
	for (const struct reading *r = source; r < h->reading + h->nr; r++)
		if (r->source == source && oracles & r->bit)
			return source->begun;
	return false;
}

static unsigned int judge(struct health *h, unsigned int oracles, bool events)
{
	unsigned int found = 0;

	for (struct reading *r = h->reading; r < h->reading + h->nr; r++) {
		const struct reading *s = r->source;

		if (oracles & r->bit && s->ended && s->oracle->events == events &&
		    r->oracle->judge(s->before, s->after, &h->text))
			found |= r->bit;
	}
	return found;
}

int health_end(struct health *h, unsigned int oracles, unsigned int *found)
{
	int err = 0;

	health_lines_clear(&h->text);
	for (struct reading *r = h->reading; r < h->reading + h->nr; r++) {
		r->ended = is_wanted(h, r, oracles) &&
			   read_state(r->oracle, r->after, r->before, &err);
		if (r->ended && h->renumbered)
			renumber(r);
	}
	/* the log explains most: it comes first */
	*found = judge(h, oracles, true);
	*found |= judge(h, oracles, false);
	health_lines_finish(&h->text);
	return err;
}

const char *health_text(const struct health *h)
{
	return h->text.text;
}

const char *health_stray(const struct health *h)
{
	return h->stray.text;
}

int health_clear_warn_once(void)
{
	return sysfs_write("/sys/kernel/debug/clear_warn_once", "1\n");
}
