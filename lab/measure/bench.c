// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much the suite's own machinery costs.  Each cell measures two or more ways
 * of doing the same, in turn, and prints the nanoseconds of every round;
 * lab/measure/bench.py makes medians and ratios of them.
 *
 * Speaks the suite's KTAP, so that it runs where the suite's programs run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/task.h"
#include "lib/daxmap.h"
#include "lib/action/action.h"
#include "lib/guard.h"
#include "lib/health/health.h"
#include "lib/holder/holder.h"
#include "lib/pin/pin.h"
#include "lib/pin/internal.h"
#include "lib/ns/ns.h"

#define DRIVER	"/sys/bus/dax/drivers/device_dax/"
#define GIB	(1ul << 30)
#define MIB	(1ul << 20)

/* After as many rounds, or as soon as there are some and the time is up. */
#define ROUNDS_MAX	40
#define ROUNDS_MIN	12
#define CELL_NS		(15 * NSEC_PER_SEC)

/* the most pages one pipe can get; its table of slots is one allocation */
static const size_t pipe_bytes[] = { 64 * MIB, 16 * MIB, 4 * MIB, 1 * MIB };

#define PIPES_MAX	1024

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/**
 * struct bench - the cell under way
 * @g: state of the run
 * @mem: the device under test
 * @size: page size
 * @line: what the round has measured so far: " name=nanoseconds" each
 * @used: bytes in @line
 * @why: a sentence when something failed
 * @health: for the frame's steps
 * @sh: the shell, its input and its output
 * @sh_in: commands to it
 * @sh_out: its answers
 * @dax: the device mapped
 * @anon: as much of anonymous memory
 * @len: bytes of both
 * @pipe: where vmsplice puts pages; 0 pipes: io_uring is measured
 * @pipes: how many
 * @pipe_len: bytes in each
 */
struct bench {
	struct guard *g;
	struct test_mem mem;
	enum daxmap_size size;
	char line[512];
	size_t used;
	char why[256];
	struct health *health;
	pid_t sh;
	FILE *sh_in;
	FILE *sh_out;
	struct daxmap dax;
	void *anon;
	size_t len;
	int pipe[PIPES_MAX][2];
	unsigned int pipes;
	size_t pipe_len;
};

/* one way of doing something; tells lap() how long it took */
typedef int (*way_fn)(struct bench *b);

static int fail(struct bench *b, int err, const char *what)
{
	if (!b->why[0])
		snprintf(b->why, sizeof(b->why), "%s: %s", what, strerror(-err));
	return err;
}

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
}

static void lap(struct bench *b, const char *name, uint64_t since)
{
	uint64_t ns = timeline_now() - since;

	b->used += snprintf(b->line + b->used, sizeof(b->line) - b->used, " %s=%llu",
			    name, (unsigned long long)ns);
}

/* in turn, and each round begun by another, after one that does not count */
static int in_turn(struct bench *b, const way_fn *way, unsigned int nr)
{
	uint64_t end = timeline_now() + CELL_NS;
	int ret = 0;

	for (unsigned int round = 0; !ret && round <= ROUNDS_MAX; round++) {
		if (round > ROUNDS_MIN && timeline_now() >= end)
			break;
		b->used = 0;
		for (unsigned int i = 0; !ret && i < nr; i++)
			ret = way[(round + i) % nr](b);
		if (round && !ret)
			say("# sample%s\n", b->line);
	}
	return ret;
}

/* -- a cycle of unbind and bind --------------------------------------- */

static int cycle_actor(struct bench *b)
{
	uint64_t t = timeline_now();
	int ret = guard_unbind_dax(b->g);

	ret = ret ?: guard_bind_dax(b->g);
	lap(b, "actor", t);
	return ret ? fail(b, ret, "unbind and bind by the actor") : 0;
}

/* as an action that is watched: each in a process of its own */
static int cycle_forked(struct bench *b)
{
	const struct test_mem *v = &b->mem;
	uint64_t t = timeline_now();
	struct op_task a;
	int ret = op_call(&a, &b->g->tl, action_find("unbind_device_dax")->run, v);

	ret = ret ?: op_call(&a, &b->g->tl, action_find("unbind_device_dax")->undo, v);
	lap(b, "forked", t);
	return ret ? fail(b, ret, "unbind and bind by two processes") : 0;
}

static int write_name(const char *path, const char *name)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, name, strlen(name)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int cycle_bare(struct bench *b)
{
	uint64_t t = timeline_now();
	int ret = write_name(DRIVER "unbind", b->mem.ns.dax);

	ret = ret ?: write_name(DRIVER "bind", b->mem.ns.dax);
	lap(b, "bare", t);
	return ret ? fail(b, ret, "unbind and bind by two writes") : 0;
}

static int cycle_shell(struct bench *b)
{
	uint64_t t = timeline_now();
	char answer[16];

	fprintf(b->sh_in, "%s\n", b->mem.ns.dax);
	fflush(b->sh_in);
	if (!fgets(answer, sizeof(answer), b->sh_out) || strcmp(answer, "0\n"))
		return fail(b, -EIO, "unbind and bind by a shell");
	lap(b, "shell", t);
	return 0;
}

static int start_shell(struct bench *b)
{
	static const char script[] =
		"cd " DRIVER "\n"
		"while read -r dax; do echo $dax > unbind && echo $dax > bind; echo $?; done";
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -errno;
	b->sh = fork();
	if (b->sh < 0)
		return -errno;
	if (!b->sh) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	b->sh_in = fdopen(in[1], "w");
	b->sh_out = fdopen(out[0], "r");
	return b->sh_in && b->sh_out ? 0 : -ENOMEM;
}

static void stop_shell(struct bench *b)
{
	fclose(b->sh_in);
	fclose(b->sh_out);
	waitpid(b->sh, NULL, 0);
}

static int cycle(struct bench *b)
{
	static const way_fn ways[] = {
		cycle_actor, cycle_bare, cycle_forked, cycle_shell,
	};
	int ret = start_shell(b);

	if (ret)
		return fail(b, ret, "starting a shell");
	say("# fact bytes=%zu\n", b->mem.size);
	ret = in_turn(b, ways, ARRAY_SIZE(ways));
	stop_shell(b);
	return ret;
}

/* -- registering memory and letting it go ------------------------------ */

static int by_uring(struct bench *b, void *addr, const char *take, const char *release)
{
	struct pin pin = { 0 };
	uint64_t t;
	int ret = pin_open(&pin, pin_method_find("uring_fixed"), NULL, b->len);

	if (ret)
		return fail(b, ret, pin.why);
	t = timeline_now();
	ret = pin_take(&pin, addr, b->len);
	if (ret) {
		fail(b, ret, "registering");
		goto out;
	}
	lap(b, take, t);
	t = timeline_now();
	ret = pin_release(&pin);
	lap(b, release, t);
out:
	pin_close(&pin);
	return ret;
}

static void close_pipes(struct bench *b)
{
	for (unsigned int i = 0; i < b->pipes; i++) {
		close(b->pipe[i][0]);
		close(b->pipe[i][1]);
	}
	b->pipes = 0;
}

/* as many pipes as hold all of it; their size is what the kernel grants */
static int open_pipes(struct bench *b)
{
	int ret = -EINVAL;

	for (unsigned int i = 0; i < ARRAY_SIZE(pipe_bytes); i++) {
		b->pipe_len = pipe_bytes[i] < b->len ? pipe_bytes[i] : b->len;
		ret = 0;
		while (!ret && b->pipes * b->pipe_len < b->len && b->pipes < PIPES_MAX) {
			ret = pin_pipe_open(b->pipe[b->pipes], b->pipe_len);
			b->pipes += !ret;
		}
		if (!ret && b->pipes * b->pipe_len >= b->len)
			return 0;
		close_pipes(b);
	}
	return ret ?: -E2BIG;
}

static int by_vmsplice(struct bench *b, void *addr, const char *take, const char *release)
{
	int ret = open_pipes(b);
	uint64_t t;

	if (ret)
		return fail(b, ret, "making pipes");
	t = timeline_now();
	for (unsigned int i = 0; !ret && i < b->pipes; i++) {
		size_t at = i * b->pipe_len;
		size_t len = b->len - at < b->pipe_len ? b->len - at : b->pipe_len;

		ret = pin_pipe_fill(b->pipe[i][1], (char *)addr + at, len);
	}
	if (ret)
		fail(b, ret, "vmsplice");
	lap(b, take, t);
	t = timeline_now();
	/* the pages go with the pipes; reading would measure a copy */
	close_pipes(b);
	lap(b, release, t);
	return ret;
}

static int uring_dax(struct bench *b)
{
	return by_uring(b, b->dax.addr, "register", "release");
}

static int uring_anon(struct bench *b)
{
	return by_uring(b, b->anon, "anon_register", "anon_release");
}

static int vmsplice_dax(struct bench *b)
{
	return by_vmsplice(b, b->dax.addr, "register", "release");
}

static int vmsplice_anon(struct bench *b)
{
	return by_vmsplice(b, b->anon, "anon_register", "anon_release");
}

/* this kernel's answer for a buffer on device-dax */
static bool takes_buffers(struct bench *b)
{
	int ret = by_uring(b, b->dax.addr, "register", "release");

	b->why[0] = '\0';
	return !ret;
}

/* as much anonymous memory, in pages as large as they get, for comparison */
static int map_anon(struct bench *b)
{
	b->anon = mmap(NULL, b->len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->anon == MAP_FAILED)
		return -errno;
	madvise(b->anon, b->len, b->size == DAXMAP_PTE ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	memset(b->anon, 1, b->len);
	return 0;
}

static int registering(struct bench *b)
{
	static const way_fn uring[] = { uring_dax, uring_anon };
	static const way_fn vmsplice[] = { vmsplice_dax, vmsplice_anon };
	size_t entry = daxmap_bytes(b->size);
	bool buffers;
	int ret;

	b->len = b->mem.size < GIB ? b->mem.size / entry * entry : GIB;
	ret = daxmap_open(&b->dax, b->mem.node, b->size, 0, b->len,
			  PROT_READ | PROT_WRITE);
	if (ret)
		return fail(b, ret, "mapping the device");
	ret = daxmap_prove(&b->dax, true, NULL);
	if (ret) {
		fail(b, ret, "proving the page size");
		goto out;
	}
	ret = map_anon(b);
	if (ret) {
		fail(b, ret, "anonymous memory");
		goto out;
	}
	buffers = takes_buffers(b);
	say("# fact bytes=%zu method=%s\n", b->len, buffers ? "uring_fixed" : "vmsplice");
	ret = in_turn(b, buffers ? uring : vmsplice, 2);
	munmap(b->anon, b->len);
out:
	daxmap_close(&b->dax);
	return ret;
}

/* -- the frame around a cell, step by step ----------------------------- */

static int step_fork(struct bench *b)
{
	uint64_t t = timeline_now();
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		return fail(b, -ECHILD, "fork");
	lap(b, "fork", t);
	return 0;
}

static int step_settle(struct bench *b)
{
	uint64_t t = timeline_now();
	int ret;

	guard_takes_away(b->g, &b->mem, NULL);
	ret = guard_settle(b->g);
	lap(b, "settle", t);
	return ret ? fail(b, ret, "guard_settle()") : 0;
}

static int step_device(struct bench *b)
{
	uint64_t t = timeline_now();
	int ret = ns_check_same(&b->mem.ns, b->why, sizeof(b->why));

	lap(b, "device", t);
	return ret ? fail(b, ret, "ns_check_same()") : 0;
}

static int step_health(struct bench *b)
{
	unsigned int found;
	uint64_t t = timeline_now();
	int ret = health_begin(b->health);

	lap(b, "health_begin", t);
	if (ret)
		return fail(b, ret, "health_begin()");
	t = timeline_now();
	ret = health_end(b->health, ~0u, &found);
	lap(b, "health_end", t);
	return ret ? fail(b, ret, "health_end()") : 0;
}

static int step_counters(struct bench *b)
{
	struct pin_counters c;
	uint64_t t = timeline_now();
	int ret = pin_counters_read(&c);

	lap(b, "pin_counters", t);
	return ret && ret != -EOPNOTSUPP ? fail(b, ret, "pin_counters_read()") : 0;
}

static int step_pin_proc(struct bench *b)
{
	struct pin_proc h;
	uint64_t t = timeline_now();
	int ret = pin_proc_start(&h, &b->g->tl, NULL);

	ret = ret ?: pin_proc_end(&h);
	lap(b, "holder", t);
	return ret ? fail(b, ret, "holder") : 0;
}

static int nothing(const struct test_mem *v)
{
	(void)v;
	return 0;
}

static int step_actor(struct bench *b)
{
	uint64_t t = timeline_now();
	int ret = guard_bind_call(b->g, nothing);

	lap(b, "actor", t);
	return ret ? fail(b, ret, "an actor that does nothing") : 0;
}

static int step_unbind(struct bench *b)
{
	uint64_t t = timeline_now();
	int ret = ns_unbind(&b->mem.ns);

	lap(b, "unbind", t);
	t = timeline_now();
	ret = ret ?: ns_bind(&b->mem.ns);
	lap(b, "bind", t);
	return ret ? fail(b, ret, "unbind and bind") : 0;
}

static int frame(struct bench *b)
{
	static const way_fn steps[] = {
		step_fork, step_settle, step_device, step_health, step_counters,
		step_pin_proc, step_actor, step_unbind,
	};
	int ret = health_open(&b->health);

	if (ret)
		return fail(b, ret, "health_open()");
	ret = in_turn(b, steps, ARRAY_SIZE(steps));
	health_close(b->health);
	b->health = NULL;
	return ret;
}

/* -- the cells ---------------------------------------------------------- */

static const struct bench_cell {
	const char *name;
	enum daxmap_size size;
	int (*run)(struct bench *b);
} cells[] = {
	{ "bench.pte.cycle", DAXMAP_PTE, cycle },
	{ "bench.pmd.cycle", DAXMAP_PMD, cycle },
	{ "bench.pud.cycle", DAXMAP_PUD, cycle },
	{ "bench.pte.register", DAXMAP_PTE, registering },
	{ "bench.pmd.register", DAXMAP_PMD, registering },
	{ "bench.pud.register", DAXMAP_PUD, registering },
	{ "bench.pmd.frame", DAXMAP_PMD, frame },
};

#define NR_CELLS	ARRAY_SIZE(cells)

static int pick(bool *picked, const char *path)
{
	char line[64];
	FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		for (unsigned int i = 0; i < NR_CELLS; i++)
			picked[i] |= !strcmp(cells[i].name, line);
	}
	fclose(f);
	return 0;
}

/* 0, or -errno with b->why; 1 is a skip */
static int run_cell(struct bench *b, const struct bench_cell *c)
{
	struct ns_want want = { .mode = "devdax", .align = daxmap_bytes(c->size) };
	struct test_mem *mem = &b->mem;
	int ret;

	b->size = c->size;
	b->why[0] = '\0';
	want.min_size = want.align > 16 * MIB ? want.align : 16 * MIB;
	memset(mem, 0, sizeof(*mem));
	ret = ns_choose(&b->g->set, &want, &mem->ns, b->why, sizeof(b->why));
	if (ret)
		return 1;
	mem->caps = MEM_CHARDEV;
	mem->size = mem->ns.size;
	memcpy(mem->node, mem->ns.node, sizeof(mem->node));
	guard_takes_away(b->g, mem, NULL);
	ret = c->run(b);
	return ret ?: guard_settle(b->g);
}

static int run_all(struct bench *b, const bool *picked)
{
	unsigned int nr = 0, failed = 0;

	for (unsigned int i = 0; i < NR_CELLS; i++)
		nr += picked[i];
	say("TAP version 13\n1..%u\n", nr);
	nr = 0;
	for (unsigned int i = 0; i < NR_CELLS; i++) {
		const char *name = cells[i].name;
		int ret;

		if (!picked[i])
			continue;
		say("#  RUN           %s ...\n", name);
		ret = run_cell(b, &cells[i]);
		if (ret < 0)
			say("# VERDICT %s failed: %s\n", name, b->why[0] ? b->why : strerror(-ret));
		failed += ret < 0;
		say("%s %u %s%s%s\n", ret < 0 ? "not ok" : "ok", ++nr, name,
		    ret > 0 ? " # SKIP " : "", ret > 0 ? b->why : "");
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct bench b = { .dax.fd = -1 };
	bool picked[NR_CELLS] = { false };
	int ret;

	if (argc == 2 && !strcmp(argv[1], "-l")) {
		for (unsigned int i = 0; i < NR_CELLS; i++)
			puts(cells[i].name);
		return EXIT_SUCCESS;
	}
	if (argc != 3 || strcmp(argv[1], "-f") || pick(picked, argv[2])) {
		fprintf(stderr, "usage: %s -l | -f FILE\n", argv[0]);
		return 2;
	}
	ret = guard_create(&b.g);
	ret = ret ?: ns_set_find(&b.g->set, b.why, sizeof(b.why));
	if (ret) {
		say("1..0 # SKIP %s\n", b.why[0] ? b.why : strerror(-ret));
		return 4;
	}
	ret = run_all(&b, picked);
	return guard_finish(b.g) ? EXIT_FAILURE : ret;
}
