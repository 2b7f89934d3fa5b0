// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pin process itself: it carries out commands, and survives a SIGBUS.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/holder/internal.h"
#include "lib/pattern.h"

/* state of this process; used in a pin process only */
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
	/* a report about poisoned memory, not an access to it */
	if (info->si_code == BUS_MCEERR_AO)
		return;
	if (bus_armed)
		siglongjmp(bus_env, 1);
	/* not from an access of this file: a bug, die of it */
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

/* patterns count from the start of the device, not of the mapping */
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
static int do_check(const struct daxmap *m, const struct pin_proc_command *c,
		    struct pin_proc_reply *r)
{
	const char *at = (char *)m->addr + c->off;

	if (pin_proc_touch_word((void *)at, false) ||
	    pin_proc_touch_word((void *)(at + c->len - 8), false)) {
		snprintf(r->why, sizeof(r->why), "the memory cannot be read: SIGBUS");
		return -EFAULT;
	}
	if (c->op == CMD_CHECK)
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

static int do_check_sampled(const struct daxmap *m, const struct pin_proc_command *c,
			    struct pin_proc_reply *r)
{
	int ret = 0;

	for (size_t off = c->off; !ret && off < c->off + c->len; off += c->stride)
		ret = check_bytes((char *)m->addr + off, sizeof(uint64_t), c->tag,
				  m->off + off, r->why, sizeof(r->why));
	return ret;
}

static int do_fill_sampled(const struct daxmap *m, const struct pin_proc_command *c)
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
	uint64_t *bytes;
	int ret;

	if (!pin->method || !pin->method->reach || pin->len > (size_t)sysconf(_SC_PAGESIZE))
		return -EOPNOTSUPP;
	bytes = malloc(pin->len);
	if (!bytes)
		return -ENOMEM;
	if (c->tag)
		pattern_fill(bytes, pin->len, c->tag, me.off[c->pin]);
	ret = pin->method->reach(pin, bytes, c->tag);
	if (!ret && !c->tag) {
		r->value = pattern_tag(bytes[0]);
		ret = check_bytes(bytes, pin->len, me.tag[c->pin], me.off[c->pin], r->why,
				  sizeof(r->why));
	}
	free(bytes);
	return ret;
}

static void drop_mappings(void)
{
	for (int i = 0; i < PIN_PROC_MAPS; i++)
		daxmap_close(&me.map[i]);
}

static int do_fork_child(struct pin_proc_reply *r)
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
	case CMD_MAP:
		return daxmap_open(m, c->path, c->size, c->off, c->len, c->prot);
	case CMD_MOVE:
		return daxmap_move(m);
	case CMD_UNMAP:
		return daxmap_unmap(m);
	case CMD_UNMAP_PART:
		return munmap(at, c->len) ? -errno : 0;
	case CMD_CLOSE:
		daxmap_close(m);
		return 0;
	case CMD_TOUCH:
		if (!m->addr)
			return -EINVAL;
		return pin_proc_touch_word((void *)at, false);
	case CMD_PROVE:
		return daxmap_prove(m, m->prot & PROT_WRITE, &r->value);
	case CMD_FILL:
		pattern_fill(at, c->len, c->tag, m->off + c->off);
		return 0;
	case CMD_FILL_SAMPLED:
		return do_fill_sampled(m, c);
	case CMD_CHECK:
	case CMD_ZEROES:
		return m->addr ? do_check(m, c, r) : -EINVAL;
	case CMD_CHECK_SAMPLED:
		return do_check_sampled(m, c, r);
	case CMD_WATCH:
	case CMD_STORE_LOOP:
	case CMD_REMAP_LOOP:
	case CMD_IO:
		return pin_proc_threads_start(c, m, me.tl);
	case CMD_WAIT_ITERATION:
		pin_proc_threads_wait();
		return 0;
	case CMD_STOP_THREADS:
		r->value = pin_proc_threads_stop(&wrong);
		if (!wrong)
			return 0;
		snprintf(r->why, sizeof(r->why), "%lu of %lu reads got other bytes", wrong,
			 r->value);
		return -EILSEQ;
	case CMD_PIN:
		return do_pin(c, r);
	case CMD_LIVE:
		return me.pin[c->pin].method ? pin_live(&me.pin[c->pin]) : 0;
	case CMD_RELEASE:
		return do_release(c, r);
	case CMD_REACH:
		return do_reach(c, r);
	case CMD_FORK_CHILD:
		return do_fork_child(r);
	case CMD_END:
		break;
	}
	pin_proc_threads_stop(&wrong);
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
			 * The parent is gone, perhaps before the guardian knows of
			 * this process.  With pins out, only the guardian knows
			 * whether it is safe to release them: wait for it.
			 * Mappings would be in the way of a bind.
			 */
			pin_proc_threads_stop(&wrong);
			drop_mappings();
			if (!any_pin())
				return;
			for (;;)
				pause();
		}
		r.ret = execute(&c, &r);
		if (send(sock, &r, sizeof(r), MSG_NOSIGNAL) != sizeof(r) || c.op == CMD_END)
			return;
	}
}
