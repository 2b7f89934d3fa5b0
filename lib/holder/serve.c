// SPDX-License-Identifier: GPL-2.0
/*
 * The holder's process: it carries out what it is told, and survives a SIGBUS.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/holder/internal.h"
#include "lib/pattern.h"

/* What is read or written through a pin that stays out: a page. */
#define REACH_BYTES	4096

/* the process's own state; it exists in the holder only */
static struct {
	struct timeline *tl;
	struct pin_targets *targets;
	struct daxmap map[PIN_PROC_MAPS];
	struct pin pin[PIN_PROC_PINS];
	uint16_t tag[PIN_PROC_PINS];
	size_t off[PIN_PROC_PINS];
} me;

static __thread sigjmp_buf bus_env;
static __thread volatile sig_atomic_t bus_armed;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)context;
	/* tells of memory that was lost somewhere, and of no access to it */
	if (info->si_code == BUS_MCEERR_AO)
		return;
	if (bus_armed)
		siglongjmp(bus_env, 1);
	/* not one of ours: die of it */
	signal(sig, SIG_DFL);
	raise(sig);
}

int pin_proc_touch_word(volatile uint64_t *p, bool write)
{
	if (sigsetjmp(bus_env, 1)) {
		bus_armed = 0;
		return -EFAULT;
	}
	bus_armed = 1;
	if (write)
		*p = *p;
	else
		(void)*p;
	bus_armed = 0;
	return 0;
}

/* pattern coordinates are offsets in the device, whatever is mapped of it */
static int check_bytes(const void *buf, size_t len, uint16_t tag, uint64_t off,
		       char *why, size_t why_len)
{
	struct pattern_error err;
	int ret = pattern_check(buf, len, tag, off, &err);

	if (ret)
		pattern_explain(&err, why, why_len);
	return ret;
}

/* 0, -EILSEQ with a sentence, -EFAULT when touching raised SIGBUS */
static int do_check(const struct daxmap *m, const struct pin_proc_command *c, struct pin_proc_reply *r)
{
	const char *at = (char *)m->addr + c->off;

	if (pin_proc_touch_word((void *)at, false) ||
	    pin_proc_touch_word((void *)(at + c->len - 8), false)) {
		snprintf(r->why, sizeof(r->why), "it cannot be read: SIGBUS");
		return -EFAULT;
	}
	if (c->op == OP_CHECK)
		return check_bytes(at, c->len, c->tag, c->as, r->why, sizeof(r->why));
	for (size_t i = 0; i < c->len; i++) {
		if (!at[i])
			continue;
		snprintf(r->why, sizeof(r->why), "byte 0x%zx is 0x%02x; expected zeroes",
			 c->off + i, (unsigned char)at[i]);
		return -EILSEQ;
	}
	return 0;
}

static int do_sample(const struct daxmap *m, const struct pin_proc_command *c,
		     struct pin_proc_reply *r)
{
	int ret = 0;

	for (size_t off = c->off; !ret && off < c->off + c->len; off += c->stride)
		ret = check_bytes((char *)m->addr + off, sizeof(uint64_t), c->tag,
				  m->off + off, r->why, sizeof(r->why));
	return ret;
}

static int do_strew(const struct daxmap *m, const struct pin_proc_command *c)
{
	for (size_t off = c->off; off < c->off + c->len; off += c->stride)
		pattern_fill((char *)m->addr + off, sizeof(uint64_t), c->tag, m->off + off);
	return 0;
}

static int do_pin(const struct pin_proc_command *c, struct pin_proc_reply *r)
{
	struct pin *pin = &me.pin[c->pin];
	const struct daxmap *m = &me.map[c->map];
	int ret;

	memset(pin, 0, sizeof(*pin));
	pin->hold_ns = c->hold_ns;
	ret = pin_open_filled(pin, c->method, me.targets, c->len, c->tag, m->off + c->off);
	if (!ret)
		ret = pin_take(pin, (char *)m->addr + c->off, c->len);
	if (ret) {
		snprintf(r->why, sizeof(r->why), "%s", pin->why);
		pin_close(pin);
		pin->method = NULL;
		return ret;
	}
	me.tag[c->pin] = c->tag;
	me.off[c->pin] = m->off + c->off;
	return 0;
}

static int do_release(const struct pin_proc_command *c, struct pin_proc_reply *r)
{
	struct pin *pin = &me.pin[c->pin];
	int ret;

	if (!pin->method)
		return -ENOENT;
	timeline_mark(me.tl, TL_RELEASING);
	ret = pin_release(pin);
	timeline_mark(me.tl, TL_RELEASED);
	if (ret) {
		snprintf(r->why, sizeof(r->why), "%s", pin->why);
	} else if (pin->method->flags & PIN_SOURCE) {
		r->value = pattern_tag(*(uint64_t *)pin->peer);
		ret = check_bytes(pin->peer, pin->len, me.tag[c->pin],
				  me.off[c->pin], r->why, sizeof(r->why));
	}
	pin_close(pin);
	pin->method = NULL;
	return ret;
}

static int do_reach(const struct pin_proc_command *c, struct pin_proc_reply *r)
{
	struct pin *pin = &me.pin[c->pin];
	uint64_t bytes[REACH_BYTES / sizeof(uint64_t)];
	int ret;

	if (!pin->method || !pin->method->reach || pin->len > sizeof(bytes))
		return -EOPNOTSUPP;
	if (c->tag)
		pattern_fill(bytes, pin->len, c->tag, me.off[c->pin]);
	ret = pin->method->reach(pin, bytes, c->tag);
	if (ret || c->tag)
		return ret;
	r->value = pattern_tag(bytes[0]);
	return check_bytes(bytes, pin->len, me.tag[c->pin], me.off[c->pin], r->why,
			   sizeof(r->why));
}

static void drop_mappings(void)
{
	for (int i = 0; i < PIN_PROC_MAPS; i++)
		daxmap_close(&me.map[i]);
}

static int do_heir(struct pin_proc_reply *r)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		drop_mappings();
		for (;;)
			pause();
	}
	r->value = pid;
	return 0;
}

static int execute(const struct pin_proc_command *c, struct pin_proc_reply *r)
{
	struct daxmap *m = &me.map[c->map];
	char *at = (char *)m->addr + c->off;
	unsigned long wrong;

	switch (c->op) {
	case OP_MAP:
		return daxmap_open(m, c->path, c->size, c->off, c->len, c->prot);
	case OP_MOVE:
		return daxmap_move(m);
	case OP_UNMAP:
		return daxmap_unmap(m);
	case OP_PART:
		return munmap(at, c->len) ? -errno : 0;
	case OP_CLOSE:
		daxmap_close(m);
		return 0;
	case OP_TOUCH:
		if (!m->addr)
			return -EINVAL;
		return pin_proc_touch_word((void *)at, false);
	case OP_PROVE:
		return daxmap_prove(m, m->prot & PROT_WRITE, &r->value);
	case OP_FILL:
		pattern_fill(at, c->len, c->tag, m->off + c->off);
		return 0;
	case OP_STREW:
		return do_strew(m, c);
	case OP_CHECK:
	case OP_ZEROES:
		return m->addr ? do_check(m, c, r) : -EINVAL;
	case OP_SAMPLE:
		return do_sample(m, c, r);
	case OP_WATCH:
	case OP_HAMMER:
	case OP_CHURN:
	case OP_IO:
		return pin_proc_threads_start(c, m, me.tl);
	case OP_ROUND:
		pin_proc_threads_round();
		return 0;
	case OP_CALM:
		r->value = pin_proc_threads_calm(&wrong);
		if (!wrong)
			return 0;
		snprintf(r->why, sizeof(r->why), "%lu of %lu reads got other bytes", wrong,
			 r->value);
		return -EILSEQ;
	case OP_PIN:
		return do_pin(c, r);
	case OP_LIVE:
		return me.pin[c->pin].method ? pin_live(&me.pin[c->pin]) : 0;
	case OP_RELEASE:
		return do_release(c, r);
	case OP_REACH:
		return do_reach(c, r);
	case OP_HEIR:
		return do_heir(r);
	case OP_END:
		break;
	}
	pin_proc_threads_calm(&wrong);
	for (int i = 0; i < PIN_PROC_PINS; i++)
		if (me.pin[i].method)
			pin_close(&me.pin[i]);
	drop_mappings();
	return 0;
}

static bool any_pin(void)
{
	for (int i = 0; i < PIN_PROC_PINS; i++)
		if (me.pin[i].method)
			return true;
	return false;
}

void pin_proc_serve(int sock, struct timeline *tl, struct pin_targets *targets)
{
	struct sigaction sa = {
		.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_RESTART,
	};
	unsigned long wrong;
	struct pin_proc_command c;

	memset(&me, 0, sizeof(me));
	me.tl = tl;
	me.targets = targets;
	sigaction(SIGBUS, &sa, NULL);
	for (int i = 0; i < PIN_PROC_MAPS; i++)
		me.map[i].fd = -1;
	for (;;) {
		struct pin_proc_reply r = { 0 };

		if (recv(sock, &c, sizeof(c), 0) != sizeof(c)) {
			/*
			 * The driver is gone, perhaps before it told anybody of
			 * us.  Where pins are out, whoever cleans up after it (the
			 * guardian) knows whether letting go of them is safe:
			 * wait.  Mappings are in the way of a bind.
			 */
			pin_proc_threads_calm(&wrong);
			drop_mappings();
			if (!any_pin())
				return;
			for (;;)
				pause();
		}
		r.ret = execute(&c, &r);
		if (send(sock, &r, sizeof(r), MSG_NOSIGNAL) != sizeof(r) || c.op == OP_END)
			return;
	}
}
