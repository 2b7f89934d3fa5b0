// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/health/internal.h"
#include "lib/pin/pin.h"

/* Between two looks at the pin counters; each folds them on every CPU. */
#define SETTLE_POLL_NS	2000000L

/**
 * struct health_state - everything that is compared but the log
 * @has: HEALTH_* bits that this kernel has
 * @taint: mask
 * @pins: acquired and released
 * @thp_split: thp_split_pud of /proc/vmstat
 * @iomem: /proc/iomem
 * @devices: "bus device: driver", sorted
 */
struct health_state {
	unsigned int has;
	uint64_t taint;
	struct pin_counters pins;
	uint64_t thp_split;
	struct health_snapshot iomem;
	struct health_snapshot devices;
};

/**
 * struct health - see health.h
 * @log: own cursor
 * @log_read: the log was read to its end by health_end()
 * @taint_fd: kept open, as are the next two: opening costs more than reading
 * @iomem_fd: /proc/iomem
 * @vmstat_fd: /proc/vmstat
 * @vmstat: last text of it
 * @renumbered: see health_renumbered()
 * @was: at health_begin()
 * @now: at health_end()
 * @text: findings
 * @stray: faults of nobody's
 */
struct health {
	struct health_log log;
	bool log_read;
	int taint_fd;
	int iomem_fd;
	int vmstat_fd;
	struct health_snapshot vmstat;
	bool renumbered;
	struct health_state was;
	struct health_state now;
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
	/* room for the last line, which counts those that found none */
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

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

int health_open(struct health **out)
{
	struct health *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	err = health_log_open(&h->log);
	if (err) {
		free(h);
		return err;
	}
	/* one that is missing is an oracle less: read_state() sees it */
	h->taint_fd = open("/proc/sys/kernel/tainted", O_RDONLY | O_CLOEXEC);
	h->iomem_fd = open("/proc/iomem", O_RDONLY | O_CLOEXEC);
	h->vmstat_fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	*out = h;
	return 0;
}

static void free_state(struct health_state *s)
{
	health_snapshot_free(&s->iomem);
	health_snapshot_free(&s->devices);
}

void health_close(struct health *h)
{
	if (!h)
		return;
	health_log_close(&h->log);
	close_fd(h->taint_fd);
	close_fd(h->iomem_fd);
	close_fd(h->vmstat_fd);
	health_snapshot_free(&h->vmstat);
	free_state(&h->was);
	free_state(&h->now);
	free(h);
}

static int read_taint(int fd, uint64_t *taint)
{
	char text[32];
	ssize_t len;

	len = pread(fd, text, sizeof(text) - 1, 0);
	if (len < 0)
		return -errno;
	text[len] = '\0';
	return health_taint_parse(text, taint);
}

static int read_thp_split(struct health *h, uint64_t *value)
{
	int err = health_snapshot_file(&h->vmstat, h->vmstat_fd);

	return err ? err : health_vmstat_find(h->vmstat.text, "thp_split_pud", value);
}

/* the first error is kept, and the oracles after it are read all the same */
static void note(struct health_state *s, unsigned int bit, int ret, int *err)
{
	if (!ret)
		s->has |= bit;
	else if (ret != -EOPNOTSUPP && ret != -ENOENT && !*err)
		*err = ret;
}

static int read_state(struct health *h, struct health_state *s, unsigned int which)
{
	int err = 0;

	s->has = 0;
	if (which & HEALTH_PINS)
		note(s, HEALTH_PINS, pin_counters_read(&s->pins), &err);
	if (which & HEALTH_THP_SPLIT && h->vmstat_fd >= 0)
		note(s, HEALTH_THP_SPLIT, read_thp_split(h, &s->thp_split), &err);
	if (which & HEALTH_IOMEM && h->iomem_fd >= 0)
		note(s, HEALTH_IOMEM,
		     health_snapshot_file(&s->iomem, h->iomem_fd), &err);
	if (which & HEALTH_DEVICES)
		note(s, HEALTH_DEVICES, health_snapshot_devices(&s->devices), &err);
	if (which & HEALTH_TAINT && h->taint_fd >= 0)
		note(s, HEALTH_TAINT, read_taint(h->taint_fd, &s->taint), &err);
	return err;
}

int health_begin(struct health *h)
{
	int err = 0, ret;

	h->renumbered = false;
	health_lines_clear(&h->text);
	health_lines_clear(&h->stray);
	health_log_reset(&h->log);
	if (!h->log_read)
		err = health_log_skip(&h->log);
	/* looking makes the kernel say things, too */
	ret = read_state(h, &h->was, ~0u);
	err = err ?: ret;
	h->log.before = true;
	ret = health_log_drain(&h->log);
	err = err ?: ret;
	h->log.before = false;
	if (h->log_read) {
		health_log_report(&h->log, &h->stray);
		if (h->log.poisoned)
			health_lines_add(&h->stray, "%s", h->log.poison);
		if (h->log.overrun)
			health_lines_add(&h->stray, "log: lines were lost");
		health_lines_finish(&h->stray);
	}
	health_log_reset(&h->log);
	h->log_read = false;
	return err;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static int64_t pins_out(const struct pin_counters *c)
{
	return (int64_t)(c->acquired - c->released);
}

static int settle_pins(struct health *h)
{
	const struct timespec poll = { .tv_nsec = SETTLE_POLL_NS };
	uint64_t end = now_ns() + HEALTH_SETTLE_NS;
	bool late;
	int err;

	do {
		late = now_ns() >= end;
		err = pin_counters_read(&h->now.pins);
		if (err || pins_out(&h->now.pins) == pins_out(&h->was.pins))
			return err;
		nanosleep(&poll, NULL);
	} while (!late);
	return 0;
}

static unsigned int judge_log(struct health *h, unsigned int oracles)
{
	unsigned int found = 0;

	if (oracles & HEALTH_LOG && h->log.nr) {
		health_log_report(&h->log, &h->text);
		found |= HEALTH_LOG;
	}
	if (oracles & HEALTH_POISON && h->log.poisoned) {
		health_lines_add(&h->text, "%s%s", h->log.poison,
				 h->log.poisoned > 1 ? ", and so on" : "");
		found |= HEALTH_POISON;
	}
	if (oracles & HEALTH_OVERRUN && h->log.overrun) {
		health_lines_add(&h->text, "log: lines were lost");
		found |= HEALTH_OVERRUN;
	}
	return found;
}

static unsigned int judge_state(struct health *h, unsigned int oracles)
{
	const struct health_state *was = &h->was, *now = &h->now;
	unsigned int found = 0;
	int64_t extra;

	if (oracles & HEALTH_TAINT && now->taint & ~was->taint) {
		health_taint_report(was->taint, now->taint, &h->text);
		found |= HEALTH_TAINT;
	}
	extra = pins_out(&now->pins) - pins_out(&was->pins);
	if (oracles & HEALTH_PINS && extra) {
		health_lines_add(&h->text, "pins: %lld page references %s",
				 (long long)(extra < 0 ? -extra : extra),
				 extra < 0 ? "released that were not taken" :
					     "taken and not released");
		found |= HEALTH_PINS;
	}
	if (oracles & HEALTH_THP_SPLIT && now->thp_split != was->thp_split) {
		health_lines_add(&h->text,
				 "thp_split_pud: went from %llu to %llu",
				 (unsigned long long)was->thp_split,
				 (unsigned long long)now->thp_split);
		found |= HEALTH_THP_SPLIT;
	}
	if (oracles & HEALTH_IOMEM &&
	    !health_snapshot_same(&was->iomem, &now->iomem)) {
		health_snapshot_diff(&was->iomem, &now->iomem, "iomem", &h->text);
		found |= HEALTH_IOMEM;
	}
	if (oracles & HEALTH_DEVICES &&
	    !health_snapshot_same(&was->devices, &now->devices)) {
		health_snapshot_diff(&was->devices, &now->devices, "devices",
				     &h->text);
		found |= HEALTH_DEVICES;
	}
	return found;
}

void health_renumbered(struct health *h)
{
	h->renumbered = true;
}

static void forget_numbers(struct health_state *s)
{
	health_snapshot_anonymous(&s->iomem, true);
	health_snapshot_anonymous(&s->devices, false);
}

int health_end(struct health *h, unsigned int oracles, unsigned int *found)
{
	unsigned int ask = oracles & h->was.has;
	int err = 0, ret;

	*found = 0;
	health_lines_clear(&h->text);

	if (ask & HEALTH_PINS)
		err = settle_pins(h);
	ret = read_state(h, &h->now, ask & ~HEALTH_PINS);
	if (!err) {
		h->now.has |= ask & HEALTH_PINS;
		err = ret;
	}
	ask &= h->now.has;
	if (h->renumbered) {
		forget_numbers(&h->was);
		forget_numbers(&h->now);
	}

	/* last, so that what the other looks made the kernel say is in it */
	if (oracles & (HEALTH_LOG | HEALTH_OVERRUN | HEALTH_POISON)) {
		health_log_reset(&h->log);
		ret = health_log_drain(&h->log);
		err = err ? err : ret;
		h->log_read = true;
		*found |= judge_log(h, oracles);
	}
	*found |= judge_state(h, ask);
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

const char *health_name(unsigned int bit)
{
	switch (bit) {
	case HEALTH_LOG:
		return "log";
	case HEALTH_OVERRUN:
		return "overrun";
	case HEALTH_TAINT:
		return "taint";
	case HEALTH_PINS:
		return "pins";
	case HEALTH_IOMEM:
		return "iomem";
	case HEALTH_DEVICES:
		return "devices";
	case HEALTH_THP_SPLIT:
		return "thp_split";
	case HEALTH_POISON:
		return "poison";
	default:
		return "unknown";
	}
}

int health_clear_warn_once(void)
{
	ssize_t n;
	int fd, err = 0;

	fd = open("/sys/kernel/debug/clear_warn_once", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, "1\n", 2);
	if (n < 0)
		err = -errno;
	close(fd);
	return err;
}
