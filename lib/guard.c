// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/task.h"
#include "lib/action/action.h"
#include "lib/guard.h"

/*
 * A killed process ends when its last I/O has: the slowest target takes 3 s.  One
 * with a thread that the kernel has given up on never does.
 */
#define GUARD_EXIT_NS	(8 * NSEC_PER_SEC)

/* An action that was overdue with its holders alive may have waited for their end. */
#define GUARD_OVERDUE_NS (2 * NSEC_PER_SEC)

/* A killed process without I/O in flight is gone by then. */
#define GUARD_FLUSH_NS	(200 * NSEC_PER_MSEC)

/* Between two looks whether a process is gone. */
#define GUARD_POLL_NS	(500 * 1000)

static uint64_t start_time(pid_t pid)
{
	char path[32], buf[1024];
	const char *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	/* the name may hold anything; the fields begin behind its last bracket */
	p = strrchr(buf, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p, NULL, 10) : 0;
}

static struct guard_proc proc_of(pid_t pid)
{
	return (struct guard_proc){ .pid = pid, .start = start_time(pid) };
}

/* alive, and not merely waiting to be reaped by somebody */
static bool proc_alive(const struct guard_proc *p)
{
	char path[32], buf[512];
	const char *q;
	ssize_t n;
	int fd;

	if (!p->pid || start_time(p->pid) != p->start)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/stat", p->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	q = strrchr(buf, ')');
	return q && q[1] && q[2] != 'Z' && q[2] != 'X';
}

static int wait_gone(const struct guard_proc *p, uint64_t ns)
{
	uint64_t end = timeline_now() + ns;
	struct timespec ts = { .tv_nsec = GUARD_POLL_NS };

	while (proc_alive(p)) {
		if (timeline_now() >= end || op_given_up(p->pid))
			return -ETIMEDOUT;
		/* reaps it where it is a child of ours */
		waitpid(p->pid, NULL, WNOHANG);
		nanosleep(&ts, NULL);
	}
	waitpid(p->pid, NULL, WNOHANG);
	return 0;
}

void guard_set_mem(struct guard *g, const struct test_mem *mem)
{
	g->mem = *mem;
}

void guard_takes_away(struct guard *g, const struct test_mem *mem,
		      int (*undo)(const struct test_mem *mem))
{
	g->mem = *mem;
	g->undo = undo;
	/* last: the guardian may run at any time */
	g->busy = true;
}

void guard_abandon(struct guard *g)
{
	g->busy = false;
	guard_set_wedged(g);
}

void guard_needs_new_memmap(struct guard *g)
{
	g->dirty = true;
}

void guard_has_new_memmap(struct guard *g)
{
	g->dirty = false;
}

void guard_needs_mkfs(struct guard *g)
{
	g->fs_spoiled = true;
}

void guard_has_clean_fs(struct guard *g)
{
	g->fs_spoiled = false;
}

void guard_keep_node(struct guard *g, bool keep)
{
	g->node_damaged = keep;
}

static unsigned int filled_bit(enum daxmap_size size, bool map_dev)
{
	return 1u << (size + (map_dev ? DAXMAP_NR : 0));
}

bool guard_filled(const struct guard *g, enum daxmap_size size, bool map_dev)
{
	return g->filled & filled_bit(size, map_dev);
}

void guard_set_filled(struct guard *g, enum daxmap_size size, bool map_dev, bool filled)
{
	if (filled)
		g->filled |= filled_bit(size, map_dev);
	else
		g->filled &= ~filled_bit(size, map_dev);
}

int guard_add_proc(struct guard *g, pid_t pid)
{
	for (int i = 0; i < GUARD_PROCS; i++) {
		if (!g->procs[i].pid) {
			g->procs[i] = proc_of(pid);
			return 0;
		}
	}
	return -ENOSPC;
}

void guard_drop_proc(struct guard *g, pid_t pid)
{
	for (int i = 0; i < GUARD_PROCS; i++)
		if (g->procs[i].pid == pid)
			g->procs[i] = (struct guard_proc){ 0 };
}

void guard_set_cell(struct guard *g)
{
	g->cell = proc_of(getpid());
	/* an owner that dies from now on is one whose guardian finds us here */
	if (!proc_alive(&g->owner))
		_exit(1);
}

void guard_set_op(struct guard *g, pid_t pid)
{
	g->op = pid ? proc_of(pid) : (struct guard_proc){ 0 };
}

bool guard_is_wedged(const struct guard *g, const char *key)
{
	for (int i = 0; key[0] && i < NS_MAX; i++)
		if (!strcmp(g->wedged[i], key))
			return true;
	return false;
}

static void mark_wedged(struct guard *g, const struct test_ns *ns)
{
	const char *key = ns_key(ns);

	ns_avoid(&g->set, ns);
	for (int i = 0; i < NS_MAX; i++) {
		if (!strcmp(g->wedged[i], key))
			return;
		if (!g->wedged[i][0]) {
			snprintf(g->wedged[i], sizeof(g->wedged[i]), "%s", key);
			return;
		}
	}
}

/* is it a parent of several that is being taken away? */
static bool takes_region(const struct guard *g)
{
	const struct test_ns *v = &g->mem.ns;

	return g->undo && v->above.name[0] && strcmp(v->above.name, v->claim_dev) &&
	       strcmp(v->above.name, v->dax);
}

void guard_set_wedged(struct guard *g)
{
	mark_wedged(g, &g->mem.ns);
	/* whoever is stuck there holds all that is below */
	for (unsigned int i = 0; i < g->set.nr && takes_region(g); i++)
		if (!strcmp(g->set.now[i].region, g->mem.ns.region))
			mark_wedged(g, &g->set.now[i]);
}

static bool procs_alive(const struct guard *g)
{
	for (int i = 0; i < GUARD_PROCS; i++)
		if (proc_alive(&g->procs[i]))
			return true;
	return false;
}

static int end_procs(struct guard *g)
{
	int first = 0;

	for (int i = 0; i < GUARD_PROCS; i++)
		if (proc_alive(&g->procs[i]))
			kill(g->procs[i].pid, SIGKILL);
	/* I/O that dm-delay keeps would keep a killed process, too */
	if (g->targets.delay[0] && procs_alive(g))
		pin_targets_flush(&g->targets);
	for (int i = 0; i < GUARD_PROCS; i++) {
		int ret;

		if (!g->procs[i].pid)
			continue;
		ret = wait_gone(&g->procs[i], GUARD_EXIT_NS);
		if (ret && !first)
			first = ret;
		if (!ret)
			g->procs[i] = (struct guard_proc){ 0 };
	}
	return first;
}

int guard_bind_call(struct guard *g, int (*run)(const struct test_mem *v))
{
	struct op_task a;
	int ret = op_call(&a, &g->bind_tl, run, &g->mem);

	if (ret == -ETIMEDOUT)
		guard_set_wedged(g);
	return ret;
}

static int unbind_dax(const struct test_mem *mem)
{
	return ns_unbind(&mem->ns);
}

static int bind_dax(const struct test_mem *mem)
{
	return ns_bind(&mem->ns);
}

int guard_unbind_dax(struct guard *g)
{
	int ret = guard_bind_call(g, unbind_dax);
	uint64_t took;

	if (ret)
		return ret;
	took = timeline_at(&g->bind_tl, TL_RETURNED) - timeline_at(&g->bind_tl, TL_STARTED);
	/* rise at once, decay slowly, as load does */
	g->usual_ns -= g->usual_ns / 4;
	if (took > g->usual_ns)
		g->usual_ns = took;
	return 0;
}

int guard_bind_dax(struct guard *g)
{
	return guard_bind_call(g, bind_dax);
}

static bool is_bound(const struct test_mem *mem)
{
	char driver[32];

	return !ns_driver(&mem->ns, driver, sizeof(driver)) && !strcmp(driver, "device_dax");
}

static int unmount(const struct test_mem *v)
{
	return fsdax_umount(v->mount);
}

int guard_unmount(struct guard *g)
{
	int ret = guard_bind_call(g, unmount);

	if (ret)
		return ret;
	g->fs[0].mounted = false;
	return 0;
}

/* pages that somebody held while their memory map went: a fresh one for all */
static int renew_pmem(struct guard *g)
{
	int ret = guard_bind_call(g, action_unbind_pmem);

	return ret ?: guard_bind_call(g, action_bind_pmem);
}

int guard_fresh_pages(struct guard *g)
{
	int ret;

	guard_needs_mkfs(g);
	ret = guard_unmount(g);
	return ret ?: renew_pmem(g);
}

/*
 * The file goes with the next cell, and the file system stays, unless its device
 * was taken away: whatever looks at the device's pages, an unmount also, wants
 * them to be there, and counted from the start.
 */
static int settle_file(struct guard *g)
{
	bool away = g->mem.ns.block[0] && !action_pmem_bound(&g->mem);
	int ret = 0;

	if (away) {
		guard_needs_mkfs(g);
		g->dirty = g->dirty || procs_alive(g);
		ret = guard_bind_call(g, action_bind_pmem);
	}
	if (ret)
		return ret == -ETIMEDOUT ? -EBUSY : ret;
	if (end_procs(g)) {
		guard_set_wedged(g);
		return -EBUSY;
	}
	if (g->dirty && g->mem.ns.block[0])
		ret = renew_pmem(g);
	if ((away || g->dirty) && !ret && g->fs[0].mounted)
		ret = guard_unmount(g);
	if (ret == -ETIMEDOUT || ret == -ECHILD) {
		guard_set_wedged(g);
		return -EBUSY;
	}
	if (ret)
		return ret;
	g->dirty = false;
	g->busy = false;
	return 0;
}

/* has the action had all the time it may take after the release? */
static bool overdue(const struct guard *g)
{
	uint64_t released = timeline_at(&g->tl, TL_RELEASED);

	return released && timeline_now() - released >= OP_DEADLINE_NS;
}

/* the memory under test, by the names that its device has now */
static int find_again(struct guard *g, char *why, size_t len)
{
	struct test_mem *mem = &g->mem;
	int ret = ns_again(&mem->ns, &mem->ns, why, len);

	if (ret || !(mem->caps & MEM_CHARDEV))
		return ret;
	memcpy(mem->node, mem->ns.node, sizeof(mem->node));
	mem->size = mem->ns.size;
	return 0;
}

int guard_again(struct guard *g, char *why, size_t len)
{
	int ret;

	/* what is below no namespace has taken no other device along */
	if (!g->mem.ns.ndns[0])
		return find_again(g, why, len);
	ret = ns_set_again(&g->set, why, len);
	for (int i = 0; i < 2 * DAXMAP_NR && !ret; i++)
		if (g->chosen[i].dax[0] && !guard_is_wedged(g, g->chosen[i].dax))
			ret = ns_again(&g->chosen[i], &g->chosen[i], why, len);
	return ret ?: find_again(g, why, len);
}

static int bind_again(struct guard *g)
{
	char why[WHY_LEN];
	int ret = guard_bind_call(g, g->undo ?: bind_dax);

	if (ret || !g->undo)
		return ret;
	ret = guard_again(g, why, sizeof(why));
	if (!ret)
		g->undo = NULL;
	return ret;
}

/* one that its cell had no time to tell of: see op_start() */
static void find_op(struct guard *g)
{
	pid_t pid = atomic_load(&g->tl.task);

	if (!g->op.pid && pid && !timeline_at(&g->tl, TL_RETURNED) && getsid(pid) == pid)
		guard_set_op(g, pid);
}

int guard_settle(struct guard *g)
{
	int ret = 0;

	if (!g->busy)
		return end_procs(g);
	if (guard_is_wedged(g, ns_key(&g->mem.ns)))
		return -EBUSY;
	find_op(g);
	if (proc_alive(&g->op) && !timeline_at(&g->tl, TL_RETURNED)) {
		uint64_t patience = overdue(g) ? GUARD_OVERDUE_NS : OP_DEADLINE_NS;
		/* it waits, as it should: its holders may go at once */
		int stuck = end_procs(g);

		/* what waits for a file's pages may be interrupted; it has been judged */
		if (!g->mem.ns.dax[0])
			kill(g->op.pid, SIGKILL);
		if (stuck || wait_gone(&g->op, patience)) {
			guard_set_wedged(g);
			return -EBUSY;
		}
	}
	guard_set_op(g, 0);
	if (!g->mem.ns.dax[0])
		return settle_file(g);
	if (!is_bound(&g->mem)) {
		if (procs_alive(g))
			g->dirty = true;
		ret = bind_again(g);
	}
	if (ret)
		return ret == -ETIMEDOUT ? -EBUSY : ret;
	ret = end_procs(g);
	if (ret) {
		guard_set_wedged(g);
		return -EBUSY;
	}
	if (g->dirty) {
		ret = guard_unbind_dax(g);
		if (!ret)
			ret = guard_bind_dax(g);
		if (!ret)
			g->dirty = false;
	}
	if (!ret)
		g->busy = false;
	return ret == -ETIMEDOUT ? -EBUSY : ret;
}

int guard_make_node(struct guard *g)
{
	char dir[] = "/dev/ksft-dax-XXXXXX";
	int ret;

	if (!mkdtemp(dir))
		return -errno;
	snprintf(g->node, sizeof(g->node), "%s/dax", dir);
	if (!mknod(g->node, S_IFCHR | 0600, g->mem.ns.rdev))
		return 0;
	ret = -errno;
	rmdir(dir);
	g->node[0] = '\0';
	return ret;
}

int guard_drop_node(struct guard *g)
{
	char dir[sizeof(g->node)];
	int ret = 0;

	if (!g->node[0] || g->node_damaged)
		return 0;
	memcpy(dir, g->node, sizeof(dir));
	*strrchr(dir, '/') = '\0';
	if (unlink(g->node) || rmdir(dir))
		ret = -errno;
	g->node[0] = '\0';
	return ret;
}

int guard_drop_fs(struct guard *g)
{
	int ret, first = 0;

	for (int i = GUARD_FS - 1; i >= 0; i--) {
		if (guard_is_wedged(g, ns_key(&g->fs[i].ns)))
			continue;
		ret = fsdax_drop(&g->fs[i]);
		first = first ?: ret;
	}
	return first;
}

int guard_restore(struct guard *g)
{
	int first = guard_settle(g);
	int ret = guard_drop_node(g);

	first = first ?: ret;

	if (g->targets.id) {
		ret = pin_targets_destroy(&g->targets);
		if (!ret)
			g->targets.id = 0;
		first = first ?: ret;
	}
	if (g->ktrace.group[0]) {
		ret = ktrace_destroy(&g->ktrace);
		if (!ret)
			g->ktrace.group[0] = '\0';
		first = first ?: ret;
	}
	ret = guard_drop_fs(g);
	first = first ?: ret;
	ret = ns_set_restore(&g->set);
	return first ?: ret;
}

/* what the owner has asked for goes on without it, and must not be crossed */
static void await_helper(const struct guard *g)
{
	uint64_t end = timeline_now() + OP_DEADLINE_NS;
	struct timespec ts = { .tv_nsec = GUARD_POLL_NS };
	struct guard_proc helper = proc_of(g->helper.pid);

	while (g->helper.busy && proc_alive(&helper) && timeline_now() < end)
		nanosleep(&ts, NULL);
}

/* in the middle of something, and about to fork: first of all it has to end */
static void end_cell(struct guard *g)
{
	uint64_t end = timeline_now() + OP_DEADLINE_NS;

	if (proc_alive(&g->cell))
		kill(g->cell.pid, SIGKILL);
	/* I/O that dm-delay keeps would keep it, too, longer than we wait */
	while (wait_gone(&g->cell, GUARD_FLUSH_NS) && timeline_now() < end) {
		if (op_given_up(g->cell.pid))
			break;
		if (g->targets.delay[0])
			pin_targets_flush(&g->targets);
	}
}

static void __attribute__((noreturn)) guardian(struct guard *g, int pidfd)
{
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	sigset_t all;

	/* Ctrl-C and a closed terminal end the run, not the repair */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setsid();
	for (;;) {
		int n = poll(&pfd, 1, -1);

		if (n > 0 || (n < 0 && errno != EINTR))
			break;
	}
	if (!g->done) {
		end_cell(g);
		await_helper(g);
		/* what was just killed may keep things busy for a moment */
		if (guard_restore(g))
			guard_restore(g);
	}
	_exit(0);
}

/* whoever reads our output must not wait for what may outlive us */
static void leave_output(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0)
		return;
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
}

/* without it every call is a fork, and nothing else changes */
static void start_helper(struct guard *g)
{
	pid_t owner = getpid();
	pid_t pid;

	g->helper.tl = &g->bind_tl;
	pid = fork();
	if (!pid) {
		leave_output();
		op_helper_serve(&g->helper, owner);
	}
	if (pid < 0)
		return;
	g->helper.pid = pid;
	op_helper_keep(&g->helper);
}

static void end_helper(struct guard *g)
{
	op_helper_keep(NULL);
	if (g->helper.pid <= 0)
		return;
	kill(g->helper.pid, SIGKILL);
	/* in the middle of something it may be stuck */
	waitpid(g->helper.pid, NULL, g->helper.busy ? WNOHANG : 0);
	g->helper.pid = 0;
}

int guard_create(struct guard **pg)
{
	struct guard *g;
	int pidfd, ret;
	pid_t pid;

	g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g == MAP_FAILED)
		return -errno;
	g->owner = proc_of(getpid());
	pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	if (pidfd < 0) {
		ret = -errno;
		goto err;
	}
	pid = fork();
	if (pid < 0) {
		ret = -errno;
		close(pidfd);
		goto err;
	}
	if (!pid) {
		leave_output();
		guardian(g, pidfd);
	}
	close(pidfd);
	g->guardian = proc_of(pid);
	start_helper(g);
	*pg = g;
	return 0;
err:
	munmap(g, sizeof(*g));
	return ret;
}

int guard_finish(struct guard *g)
{
	int ret = guard_restore(g);

	end_helper(g);
	if (!ret) {
		g->done = true;
		/* nothing is left to do for it; it would end with us anyway */
		if (proc_alive(&g->guardian)) {
			kill(g->guardian.pid, SIGKILL);
			waitpid(g->guardian.pid, NULL, 0);
		}
	}
	return ret;
}
