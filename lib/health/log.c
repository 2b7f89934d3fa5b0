// SPDX-License-Identifier: GPL-2.0-only
/*
 * log, poison, overrun: no fault and no memory failure in the kernel log, and no line
 * of it lost.
 *
 * The log is read through a descriptor of its own, line by line.  An oops has dozens of
 * lines.  Few of them say that something is wrong, the others say where: registers,
 * "Call Trace:", "Modules linked in:".  Only the former are faults; sysrq and
 * dump_stack() print the latter on a healthy kernel.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/health/internal.h"

/* The kernel formats a record into at most 8 KiB (CONSOLE_EXT_LOG_MAX). */
#define RECORD_MAX	(8192 + 1)

/* A log that grows faster than it can be read is as good as overrun. */
#define DRAIN_MAX	200000

/* where in a line the text has to be */
enum place {
	START,		/* at its beginning */
	CLAUSE,		/* there, or after a "subsystem: " */
	ANYWHERE,
};

enum role {
	HEAD,		/* begins a fault */
	REST,		/* usually the second line of one, rarely the first */
	AFTER,		/* follow-up of a reported fault */
};

/* the kernel's messages that the oracles rely on, 5.10 to 7.3 */
static const struct fault_string {
	const char *text;
	const char *also;	/* has to follow in the same line; may be NULL */
	enum place place;
	enum role role;
} fault_strings[] = {
	/* BUG(), WARN() and messages of the same form */
	{ "WARNING: ", NULL, START, HEAD },
	{ "BUG: ", NULL, CLAUSE, HEAD },
	{ "BUG ", "): ", START, HEAD },			/* SLUB */
	{ "kernel BUG at ", NULL, CLAUSE, HEAD },

	/* traps of x86, arm64, riscv, s390 and powerpc */
	{ "unable to handle page fault", NULL, CLAUSE, HEAD },
	{ "unable to handle kernel ", NULL, CLAUSE, HEAD },
	{ "Unable to handle kernel ", NULL, CLAUSE, HEAD },
	{ "kernel NULL pointer dereference", NULL, CLAUSE, HEAD },
	{ "Kernel attempted to ", " user page", START, HEAD },
	/* at the start only: "traps: name[pid] general ..." is about user space */
	{ "general protection fault", NULL, START, HEAD },
	{ "double fault", NULL, CLAUSE, HEAD },
	{ "Bad mode in ", NULL, START, HEAD },
	{ "Unhandled fault", NULL, START, HEAD },
	{ "Oops: ", NULL, START, REST },
	{ "Oops [", NULL, START, REST },
	{ "Oops - ", NULL, START, REST },
	{ "Internal error: ", NULL, START, REST },
	{ "Kernel panic - not syncing", NULL, START, AFTER },
	{ "Fixing recursive fault", NULL, START, AFTER },

	/* hangs */
	{ "INFO: task ", " blocked ", CLAUSE, HEAD },
	{ "self-detected stall on CPU", NULL, ANYWHERE, HEAD },
	{ "detected stalls on CPUs", NULL, ANYWHERE, HEAD },
	{ "detected expedited stalls on CPUs", NULL, ANYWHERE, HEAD },
	{ "detected hard LOCKUP", NULL, ANYWHERE, HEAD },

	/* lockdep and the sanitizers */
	{ "INFO: possible ", NULL, CLAUSE, HEAD },
	{ "INFO: inconsistent lock state", NULL, CLAUSE, HEAD },
	{ "INFO: trying to register non-static key", NULL, CLAUSE, HEAD },
	{ "possible circular locking", NULL, ANYWHERE, HEAD },
	{ "possible recursive locking", NULL, ANYWHERE, HEAD },
	{ "KASAN: ", NULL, CLAUSE, HEAD },
	{ "KFENCE: ", NULL, CLAUSE, HEAD },
	{ "KCSAN: ", NULL, CLAUSE, HEAD },
	{ "KMSAN: ", NULL, CLAUSE, HEAD },
	{ "UBSAN: ", NULL, CLAUSE, HEAD },
	{ "kmemleak: ", "suspected memory leak", START, HEAD },
	{ "ODEBUG: ", NULL, START, HEAD },
	{ "Slab cache still has objects", NULL, ANYWHERE, HEAD },

	/* reference counts and lists */
	{ "percpu ref (", ") <= 0 (", CLAUSE, HEAD },
	{ "jump label: negative count!", NULL, CLAUSE, HEAD },
	{ "refcount_t: ", NULL, START, HEAD },
	{ "list_add corruption", NULL, CLAUSE, HEAD },
	{ "list_del corruption", NULL, CLAUSE, HEAD },
	{ "vmstat_refresh: ", " -", START, HEAD },

	/* page tables and struct pages */
	{ "bad pgd ", NULL, CLAUSE, HEAD },
	{ "bad p4d ", NULL, CLAUSE, HEAD },
	{ "bad pud ", NULL, CLAUSE, HEAD },
	{ "bad pmd ", NULL, CLAUSE, HEAD },
	{ "Memory failure: ", NULL, START, HEAD },
	{ "is NOT dma-pinned", NULL, ANYWHERE, HEAD },
	{ "is NOT pinnable but pinned", NULL, ANYWHERE, HEAD },

	/* device memory added or removed in the wrong state */
	{ "failed to free all reserved pages", NULL, ANYWHERE, HEAD },
	{ "Conflicting mapping in same section", NULL, ANYWHERE, HEAD },
	{ "attempted on mixed region", NULL, ANYWHERE, HEAD },
	{ "attempted on ram region", NULL, ANYWHERE, HEAD },
	{ "altmap not supported for multiple ranges", NULL, ANYWHERE, HEAD },
	{ "requested folio size unsupported", NULL, ANYWHERE, HEAD },
	{ "dynamic-dax with pre-populated page map", NULL, ANYWHERE, HEAD },
	{ "cannot be hotremoved until the next reboot", NULL, ANYWHERE, HEAD },
	{ "Trying to free nonexistent resource", NULL, CLAUSE, HEAD },
	{ "Trying to vfree() ", NULL, CLAUSE, HEAD },
	{ "VFS: Busy inodes after unmount", NULL, START, HEAD },
	{ "cannot create duplicate filename", NULL, CLAUSE, HEAD },
	{ "kobject_add_internal failed for ", NULL, CLAUSE, HEAD },
};

static const char *find_clause(const char *line, const char *text)
{
	const char *at = line;

	for (;;) {
		at = strstr(at, text);
		if (!at || at == line)
			return at;
		if (at - line >= 2 && at[-2] == ':' && at[-1] == ' ')
			return at;
		at++;
	}
}

static bool matches(const struct fault_string *f, const char *line)
{
	const char *at;

	switch (f->place) {
	case START:
		at = strncmp(line, f->text, strlen(f->text)) ? NULL : line;
		break;
	case CLAUSE:
		at = find_clause(line, f->text);
		break;
	default:
		at = strstr(line, f->text);
		break;
	}
	if (!at)
		return false;
	return !f->also || strstr(at + strlen(f->text), f->also);
}

/* "[#1]": the die() of every architecture counts so */
static bool has_die_count(const char *line)
{
	const char *at = line;

	while ((at = strstr(at, " [#"))) {
		size_t digits;

		at += 3;
		digits = strspn(at, "0123456789");
		if (digits && at[digits] == ']')
			return true;
	}
	return false;
}

static bool classify(const char *line, enum role *role)
{
	size_t i;

	for (i = 0; i < sizeof(fault_strings) / sizeof(*fault_strings); i++) {
		if (!matches(&fault_strings[i], line))
			continue;
		*role = fault_strings[i].role;
		return true;
	}
	*role = REST;
	return has_die_count(line);
}

bool health_log_is_fault(const char *line)
{
	enum role role;

	return classify(line, &role);
}

static const char *skip_word(const char *line, const char *word)
{
	size_t len = strlen(word);

	return strncmp(line, word, len) ? NULL : line + len;
}

static const char *skip_blank(const char *s)
{
	return s + strspn(s, " \t");
}

/*
 * The function in which an oops happened, if this is the line of the instruction
 * pointer; NULL if not, or if it is one of user space.
 */
static const char *fault_where(const char *line)
{
	const char *at;

	at = skip_word(line, "RIP: ");			/* x86 */
	if (at) {
		at = strchr(at, ':');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		at = skip_word(line, "pc : ");		/* arm64 */
	if (!at)
		at = skip_word(line, "epc : ");		/* riscv */
	if (!at) {
		at = skip_word(line, "NIP [");		/* powerpc */
		if (!at)
			at = skip_word(line, "Krnl PSW : ");	/* s390 */
		at = at ? strpbrk(at, "](") : NULL;
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return NULL;
	at = skip_blank(at);
	/* a function is a name and an offset */
	if (!(isalpha((unsigned char)*at) || *at == '_') || !strstr(at, "+0x"))
		return NULL;
	return at;
}

static struct health_fault *newest(struct health_log *log)
{
	if (!log->nr || log->nr > HEALTH_FAULTS_MAX)
		return NULL;
	return &log->fault[log->nr - 1];
}

static void begin_fault(struct health_log *log, const char *line)
{
	struct health_fault *f;

	log->nr++;
	log->open = true;
	f = newest(log);
	if (f) {
		f->where[0] = '\0';
		if (log->said[0])
			snprintf(f->head, sizeof(f->head), "%.*s; %.*s",
				 HEALTH_LINE_MAX - 1, log->said,
				 HEALTH_LINE_MAX - 1, line);
		else
			snprintf(f->head, sizeof(f->head), "%.*s",
				 HEALTH_LINE_MAX - 1, line);
	}
	log->cut = false;
	log->said[0] = '\0';
}

/* without its WARNING: line, the message of a WARN() is judged by itself */
static void end_cut(struct health_log *log)
{
	char said[HEALTH_LINE_MAX];

	if (log->said[0] && health_log_is_fault(log->said)) {
		memcpy(said, log->said, sizeof(said));
		log->said[0] = '\0';
		begin_fault(log, said);
	}
	log->cut = false;
	log->said[0] = '\0';
}

/*
 * The kernel logs a negative counter on every refresh until reboot: report it once, in
 * the test case that has made it negative.
 */
static bool is_old_minus(struct health_log *log, const char *line)
{
	const char *name = skip_word(line, "vmstat_refresh: ");
	char key[64];
	size_t used = strlen(log->minus);

	if (!name)
		return false;
	snprintf(key, sizeof(key), " %.*s ", (int)strcspn(name, " "), name);
	if (strstr(log->minus, key))
		return true;
	if (log->before)
		snprintf(log->minus + used, sizeof(log->minus) - used, "%s", key);
	return log->before;
}

/* scenarios cause memory failures on purpose: an oracle of their own */
static bool is_poison(struct health_log *log, const char *line)
{
	/* at an address without memory it is a fault like others */
	if (!skip_word(line, "Memory failure: ") || strstr(line, "outside kernel control") ||
	    strstr(line, "non struct page pfn"))
		return false;
	if (!log->poisoned++)
		snprintf(log->poison, sizeof(log->poison), "%.*s", HEALTH_LINE_MAX - 1, line);
	return true;
}

static void one_line(struct health_log *log, const char *line)
{
	const char *where = fault_where(line);
	struct health_fault *f;
	enum role role;

	if (where) {
		f = newest(log);
		if (f && log->open && !f->where[0])
			snprintf(f->where, sizeof(f->where), "%.*s",
				 (int)strcspn(where, " )"), where);
		return;
	}
	if (strstr(line, "[ cut here ]")) {
		end_cut(log);
		log->open = false;
		log->cut = true;
		return;
	}
	if (strstr(line, "---[ end trace")) {
		end_cut(log);
		log->open = false;
		return;
	}
	if (log->cut && !log->said[0] && strncmp(line, "WARNING: ", 9) &&
	    strncmp(line, "kernel BUG at ", 14)) {
		snprintf(log->said, sizeof(log->said), "%.*s",
			 HEALTH_LINE_MAX - 1, line);
		return;
	}
	if (!classify(line, &role) || is_old_minus(log, line) || is_poison(log, line))
		return;
	if ((role == REST && log->open) || (role == AFTER && log->nr))
		return;
	begin_fault(log, line);
}

void health_log_flush(struct health_log *log)
{
	char *line = log->pending;
	char *end;

	if (!log->is_pending)
		return;
	log->is_pending = false;
	while (line) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		one_line(log, line);
		line = end;
	}
}

/* append to the pending line, in which the kernel has escaped unprintable bytes */
static void append(struct health_log *log, const char *msg, size_t len)
{
	size_t have = log->is_pending ? strlen(log->pending) : 0;
	size_t i;

	for (i = 0; i < len && have < sizeof(log->pending) - 1; i++) {
		char c = msg[i];

		/* others stay escaped: the report goes to terminals */
		if (c == '\\' && len - i >= 4 && !strncmp(msg + i, "\\x0a", 4)) {
			c = '\n';
			i += 3;
		}
		log->pending[have++] = c;
	}
	log->pending[have] = '\0';
	log->is_pending = true;
}

static const char *parse_number(const char *s, const char *end, uint64_t *value)
{
	const char *start = s;

	*value = 0;
	for (; s < end && isdigit((unsigned char)*s); s++)
		*value = *value * 10 + (uint64_t)(*s - '0');
	return s == start ? NULL : s;
}

/*
 * "6,339,5140900,-,more,fields;message\n KEY=value\n": priority and facility,
 * sequence number, microseconds, flags.  Fields may be added before the ';'.
 */
int health_record_parse(const char *raw, size_t raw_len, struct health_record *r)
{
	const char *end = raw + raw_len;
	const char *semicolon = memchr(raw, ';', raw_len);
	const char *newline, *s = raw;
	uint64_t value;
	int field;

	if (!semicolon)
		return -EINVAL;
	for (field = 0; field < 3; field++) {
		s = parse_number(s, semicolon, &value);
		if (!s || s == semicolon || *s != ',')
			return -EINVAL;
		if (!field) {
			r->level = value & 7;
			r->facility = (unsigned int)(value >> 3);
		}
		s++;
	}
	/* '+' marked later fragments in older kernels */
	r->cont = s < semicolon && (*s == 'c' || *s == '+');
	r->msg = semicolon + 1;
	newline = memchr(r->msg, '\n', (size_t)(end - r->msg));
	r->len = (size_t)((newline ? newline : end) - r->msg);
	return 0;
}

void health_log_feed(struct health_log *log, const char *raw, size_t len)
{
	struct health_record r;

	if (health_record_parse(raw, len, &r)) {
		/* a record that cannot be parsed is lost */
		log->overrun = true;
		return;
	}
	/*
	 * User space can write any line to the log, but not with the kernel's
	 * facility.  pr_debug() reports no faults, but may quote any text.
	 */
	if (r.facility != 0 || r.level == 7)
		return;
	if (!r.cont)
		health_log_flush(log);
	append(log, r.msg, r.len);
}

static int skip(struct health_log *log)
{
	log->is_pending = false;
	return lseek(log->fd, 0, SEEK_END) < 0 ? -errno : 0;
}

/* read up to the newest record */
static int drain(struct health_log *log)
{
	char raw[RECORD_MAX];
	unsigned int n;
	ssize_t len;

	for (n = 0; n < DRAIN_MAX; n++) {
		len = read(log->fd, raw, sizeof(raw));
		if (len > 0) {
			health_log_feed(log, raw, (size_t)len);
			continue;
		}
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == EPIPE) {
			/* the position is now at the oldest record left */
			log->overrun = true;
			continue;
		}
		if (len < 0 && errno != EAGAIN)
			return -errno;
		health_log_flush(log);
		end_cut(log);
		return 0;
	}
	log->overrun = true;
	return skip(log);
}

void health_log_reset(struct health_log *log)
{
	log->overrun = false;
	log->poisoned = 0;
	log->nr = 0;
	log->open = false;
	log->cut = false;
	log->said[0] = '\0';
	log->is_pending = false;
}

void health_log_report(const struct health_log *log, struct health_lines *l)
{
	unsigned int i;

	for (i = 0; i < log->nr && i < HEALTH_FAULTS_MAX; i++) {
		const struct health_fault *f = &log->fault[i];

		if (f->where[0] && !strstr(f->head, f->where))
			health_lines_add(l, "%s, in %s", f->head, f->where);
		else
			health_lines_add(l, "%s", f->head);
	}
	if (log->nr > HEALTH_FAULTS_MAX)
		health_lines_add(l, "log: %u more faults",
				 log->nr - HEALTH_FAULTS_MAX);
}

static int open_log(void *state)
{
	struct health_log *log = state;

	log->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	/* without the log no test can pass: do not go on without this oracle */
	if (log->fd < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	log->is_open = true;
	return skip(log);
}

static int read_log(void *state, void *before)
{
	struct health_log *log = state;

	health_log_reset(log);
	log->before = !before;
	return drain(log);
}

static bool judge_log(const void *before, const void *after, struct health_lines *l)
{
	const struct health_log *log = after;

	health_log_report(log, l);
	return log->nr;
}

static bool judge_poison(const void *before, const void *after, struct health_lines *l)
{
	const struct health_log *log = after;

	if (log->poisoned)
		health_lines_add(l, "%s%s", log->poison, log->poisoned > 1 ? ", and so on" : "");
	return log->poisoned;
}

static bool judge_overrun(const void *before, const void *after, struct health_lines *l)
{
	const struct health_log *log = after;

	if (log->overrun)
		health_lines_add(l, "log: lines were lost");
	return log->overrun;
}

static void free_log(void *state)
{
	struct health_log *log = state;

	if (log->is_open)
		close(log->fd);
}

static const struct oracle log_oracles[] = {
	{
		.name = "log",
		.bit = HEALTH_LOG,
		.events = true,
		.size = sizeof(struct health_log),
		.open = open_log,
		.read = read_log,
		.judge = judge_log,
		.free = free_log,
	}, {
		.name = "poison",
		.bit = HEALTH_POISON,
		.of = &log_oracles[0],
		.judge = judge_poison,
	}, {
		.name = "overrun",
		.bit = HEALTH_OVERRUN,
		.of = &log_oracles[0],
		.judge = judge_overrun,
	},
	{ }
};

REGISTER(oracles, log_oracles);
