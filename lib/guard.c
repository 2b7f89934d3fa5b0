// SPDX-License-Identifier: GPL-2.0-only
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
#include <unistd.h>

#include "lib/clock.h"
#include "lib/guard.h"
#include "lib/ns/pmem.h"
#include "lib/proc.h"
#include "lib/task.h"

/*
 * A killed process ends after its last I/O: the slowest target takes 3 s.  A process
 * with a thread that the kernel has given up on never ends.
 */
#define GUARD_EXIT_NS	(8 * NSEC_PER_SEC)

/* An action that was overdue while pins were out may have waited for them. */
#define GUARD_OVERDUE_NS (2 * NSEC_PER_SEC)

/* A killed process without I/O in flight ends within this time. */
#define GUARD_FLUSH_NS	(200 * NSEC_PER_MSEC)

/* Between two checks whether a process is gone. */
#define GUARD_POLL_NS	(500 * NSEC_PER_USEC)

static struct guard_proc proc_of(pid_t pid)
{
	return (struct guard_proc){ .pid = pid, .start = proc_start_time(pid) };
}

static bool proc_alive(const struct guard_proc *p)
{
	return p->pid && proc_is_running(p->pid, p->start);
}

static int wait_gone(const struct guard_proc *p, uint64_t ns)
{
	uint64_t end = clock_now_ns() + ns;

	while (proc_alive(p)) {
		if (clock_now_ns() >= end || op_given_up(p->pid))
			return -ETIMEDOUT;
		/* reaps it if it is a child of this process */
		waitpid(p->pid, NULL, WNOHANG);
		clock_sleep_ns(GUARD_POLL_NS);
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

/* index of a device in @chosen and @filled */
static unsigned int chosen_index(enum daxmap_size size, bool map_dev)
{
	return size + (map_dev ? DAXMAP_NR : 0);
}

struct test_ns *guard_chosen(struct guard *g, enum daxmap_size size, bool map_dev)
{
	return &g->chosen[chosen_index(size, map_dev)];
}

bool guard_filled(const struct guard *g, enum daxmap_size size, bool map_dev)
{
	return g->filled[chosen_index(size, map_dev)];
}

void guard_set_filled(struct guard *g, enum daxmap_size size, bool map_dev, bool filled)
{
	g->filled[chosen_index(size, map_dev)] = filled;
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
	/* if the owner dies after this check, its guardian finds this process */
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

/* does the action take away a device with several namespaces below? */
static bool takes_region(const struct guard *g)
{
	const struct test_ns *ns = &g->mem.ns;

	return g->undo && ns->above.name[0] && strcmp(ns->above.name, ns->claim_dev) &&
	       strcmp(ns->above.name, ns->dax);
}

void guard_set_wedged(struct guard *g)
{
	mark_wedged(g, &g->mem.ns);
	/* an action stuck there holds the locks of all devices below */
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
	/* a killed process does not end before I/O that dm-delay holds */
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

int guard_bind_call(struct guard *g, int (*run)(const struct test_mem *mem))
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

static int unbind_pmem(const struct test_mem *mem)
{
	return pmem_unbind_driver(&mem->ns);
}

static int bind_pmem(const struct test_mem *mem)
{
	return pmem_bind_driver(&mem->ns);
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

static int unmount(const struct test_mem *mem)
{
	return fsdax_umount(mem->mount);
}

int guard_unmount(struct guard *g)
{
	int ret = guard_bind_call(g, unmount);

	if (ret)
		return ret;
	g->fs[0].mounted = false;
	return 0;
}

/* a new memory map for a block device, after pins outlived the last one */
static int renew_memmap_pmem(struct guard *g)
{
	int ret = guard_bind_call(g, unbind_pmem);

	return ret ?: guard_bind_call(g, bind_pmem);
}

int guard_fresh_pages(struct guard *g)
{
	int ret;

	guard_needs_mkfs(g);
	ret = guard_unmount(g);
	return ret ?: renew_memmap_pmem(g);
}

/*
 * The next test removes the file, and the file system stays mounted, unless its device
 * was taken away: then unmount needs the struct pages to be there, with right counts.
 */
static int settle_file(struct guard *g)
{
	bool away = g->mem.ns.block[0] && !pmem_is_bound(&g->mem.ns);
	int ret = 0;

	if (away) {
		guard_needs_mkfs(g);
		if (procs_alive(g))
			guard_needs_new_memmap(g);
		ret = guard_bind_call(g, bind_pmem);
	}
	if (ret)
		return ret == -ETIMEDOUT ? -EBUSY : ret;
	if (end_procs(g)) {
		guard_set_wedged(g);
		return -EBUSY;
	}
	if (g->dirty && g->mem.ns.block[0])
		ret = renew_memmap_pmem(g);
	if ((away || g->dirty) && !ret && g->fs[0].mounted)
		ret = guard_unmount(g);
	if (ret == -ETIMEDOUT || ret == -ECHILD) {
		guard_set_wedged(g);
		return -EBUSY;
	}
	if (ret)
		return ret;
	guard_has_new_memmap(g);
	g->busy = false;
	return 0;
}

/* has the action exceeded its deadline after the release? */
static bool overdue(const struct guard *g)
{
	uint64_t released = timeline_at(&g->tl, TL_RELEASED);

	return released && clock_now_ns() - released >= OP_DEADLINE_NS;
}

/* update the memory under test to the names that its device has now */
static int find_again(struct guard *g, char *why, size_t len)
{
	struct test_mem *mem = &g->mem;
	int ret = ns_find_again(&mem->ns, &mem->ns, why, len);

	if (ret || !(mem->caps & MEM_CHARDEV))
		return ret;
	memcpy(mem->node, mem->ns.node, sizeof(mem->node));
	mem->size = mem->ns.size;
	return 0;
}

int guard_find_again(struct guard *g, char *why, size_t len)
{
	int ret;

	/* without a namespace no other device went with it */
	if (!g->mem.ns.ndns[0])
		return find_again(g, why, len);
	ret = ns_set_find_again(&g->set, why, len);
	for (int i = 0; i < 2 * DAXMAP_NR && !ret; i++)
		if (g->chosen[i].dax[0] && !guard_is_wedged(g, g->chosen[i].dax))
			ret = ns_find_again(&g->chosen[i], &g->chosen[i], why, len);
	return ret ?: find_again(g, why, len);
}

static int bind_again(struct guard *g)
{
	char why[WHY_LEN];
	int ret = guard_bind_call(g, g->undo ?: bind_dax);

	if (ret || !g->undo)
		return ret;
	ret = guard_find_again(g, why, sizeof(why));
	if (!ret)
		g->undo = NULL;
	return ret;
}

/* an action whose test was killed before guard_set_op(), see op_start() */
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
		/* it waits, as it should: its pins may be released at once */
		int stuck = end_procs(g);

		/* a wait for a file's pages may be killable; the action has been judged */
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
			guard_needs_new_memmap(g);
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
			guard_has_new_memmap(g);
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

/* the helper may still run the owner's last request: wait for it */
static void wait_helper(const struct guard *g)
{
	uint64_t end = clock_now_ns() + OP_DEADLINE_NS;
	struct guard_proc helper = proc_of(g->helper.pid);

	while (g->helper.busy && proc_alive(&helper) && clock_now_ns() < end)
		clock_sleep_ns(GUARD_POLL_NS);
}

/* the test's process first: it may be about to fork another one */
static void end_cell(struct guard *g)
{
	uint64_t end = clock_now_ns() + OP_DEADLINE_NS;

	if (proc_alive(&g->cell))
		kill(g->cell.pid, SIGKILL);
	/* I/O that dm-delay holds would outlast the wait */
	while (wait_gone(&g->cell, GUARD_FLUSH_NS) && clock_now_ns() < end) {
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

	/* Ctrl-C and a closed terminal end the run, not the cleanup */
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
		wait_helper(g);
		/* processes just killed may keep devices busy for a moment */
		if (guard_restore(g))
			guard_restore(g);
	}
	_exit(0);
}

/* a reader of the program's output must see EOF when the program ends */
static void close_output(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0)
		return;
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
}

/* without a helper each call forks a process, with the same result */
static void start_helper(struct guard *g)
{
	pid_t owner = getpid();
	pid_t pid;

	g->helper.tl = &g->bind_tl;
	pid = fork();
	if (!pid) {
		close_output();
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
	/* while it is busy it may be stuck */
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
		close_output();
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
		/* it has nothing left to do, and would end with this process anyway */
		if (proc_alive(&g->guardian)) {
			kill(g->guardian.pid, SIGKILL);
			waitpid(g->guardian.pid, NULL, 0);
		}
	}
	return ret;
}
