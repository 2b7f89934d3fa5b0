// SPDX-License-Identifier: GPL-2.0
/*
 * All the ways to one file or device, and the bytes that are sent along them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/io.h"

/* A page is read in no time; a loaded machine gets so many milliseconds. */
#define SHARED_MS	5000

/* of guard.filled: asked whether pages that files share can be pinned; they cannot */
#define SHARED_ASKED	0x40000000u
#define SHARED_SPINS	0x80000000u

unsigned char io_byte(size_t off, unsigned int round)
{
	return off * 31 + (off >> 8) * 7 + (off >> 16) + round * 101 + (round >> 8) * 13;
}

void io_fill(unsigned char *to, size_t off, size_t len, unsigned int round)
{
	for (size_t i = 0; i < len; i++)
		to[i] = io_byte(off + i, round);
}

ssize_t io_wrong(const unsigned char *bytes, size_t off, size_t len, unsigned int round)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != io_byte(off + i, round))
			return off + i;
	return -1;
}

unsigned char *io_buffer(struct cell *c, size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);
	unsigned char *p = aligned_alloc(page, (bytes + page - 1) / page * page);

	return expect(c, VERDICT_FAILED, p, "no memory for %zu bytes", bytes) ? p : NULL;
}

/* which of the table's ways this kind of memory has */
static bool is_there(const struct cell *c, const struct io_method *m)
{
	if (c->memory->caps & MEM_CHARDEV)
		return m->flags & IO_PATH_DEVDAX;
	/* a mapping of a block device shows the page cache, which O_DIRECT goes past */
	if (c->memory->caps & MEM_BLOCK)
		return !(m->flags & (IO_PATH_FILES | IO_PATH_MAPS));
	return true;
}

/* two pages in two files, which share them where the file system can */
static int share_pages(const char *one, const char *other, size_t bytes)
{
	int from = open(one, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int to = open(other, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *buf = calloc(1, bytes);
	loff_t at = 0;
	int ret = 0;

	if (from < 0 || to < 0 || !buf || write(from, buf, bytes) != (ssize_t)bytes ||
	    fsync(from) || copy_file_range(from, &at, to, NULL, bytes, 0) != (ssize_t)bytes)
		ret = -errno ?: -EIO;
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	free(buf);
	return ret;
}

static void __attribute__((noreturn)) read_and_end(struct io_path *by, size_t bytes)
{
	void *buf = aligned_alloc(bytes, bytes);

	_exit(buf && !io_path_read(by, 0, buf, bytes) ? 0 : 1);
}

/* in a process that may be lost: does it end? */
static bool read_returns(struct io_path *by, size_t bytes)
{
	struct pollfd pfd = { .events = POLLIN };
	pid_t pid = fork();
	bool returned;

	if (!pid)
		read_and_end(by, bytes);
	if (pid < 0)
		return true;
	pfd.fd = syscall(SYS_pidfd_open, pid, 0);
	returned = pfd.fd < 0 || poll(&pfd, 1, SHARED_MS) > 0;
	if (!returned)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (pfd.fd >= 0)
		close(pfd.fd);
	return returned;
}

/*
 * Some kernels spin for ever where a page is pinned that files share, until the task is
 * killed: PAGE_MAPPING_DAX_SHARED makes it look anonymous to GUP, which asks for it to be
 * unshared again and again (gone with "fs/dax: remove PAGE_MAPPING_DAX_SHARED mapping
 * flag", 6.15).  The ways that share blocks leave such pages to all that come after them,
 * so it is asked once, and not in the midst.
 */
static bool shared_pages_spin(struct cell *c, const struct io_method *m,
			      const struct io_scratch *beside)
{
	char one[NODE_LEN + 8], other[NODE_LEN + 8];
	size_t bytes = 2 * sysconf(_SC_PAGESIZE);
	struct io_path p;
	int ret;

	if (atomic_fetch_or(&c->guard->filled, SHARED_ASKED) & SHARED_ASKED)
		return c->guard->filled & SHARED_SPINS;
	snprintf(one, sizeof(one), "%s.one", c->v.node);
	snprintf(other, sizeof(other), "%s.other", c->v.node);
	ret = share_pages(one, other, bytes);
	ret = ret ?: io_path_open(&p, m, one, beside, bytes, DAXMAP_PTE);
	if (ret) {
		note(c, "whether a page that files share can be pinned was not found out: %s",
		     strerror(-ret));
	} else {
		if (!read_returns(&p, bytes)) {
			atomic_fetch_or(&c->guard->filled, SHARED_SPINS);
			/* what it left on the pages is nobody else's business */
			c->guard->fs_spoiled = true;
		}
		io_path_close(&p);
	}
	unlink(one);
	unlink(other);
	return c->guard->filled & SHARED_SPINS;
}

/* a way that cannot be gone is told, and is what its own cells fail of; false for those */
static bool may_open(struct cell *c, const struct io_method *m,
		     const struct io_scratch *beside, bool *leave_out)
{
	*leave_out = c->memory->caps & MEM_SHARES && beside->device &&
		     !strcmp(m->name, "lent_block") && shared_pages_spin(c, m, beside);
	if (!*leave_out)
		return true;
	note(c, "%s: left out, for pinning a page that files share never returns", m->name);
	return strcmp(c->word, m->name) ||
	       expect(c, VERDICT_NEVER_RETURNED, false,
		      "O_DIRECT from a page that two files share did not return within %d s",
		      SHARED_MS / 1000);
}

bool ways_open(struct ways *w, struct cell *c, size_t bytes)
{
	static const char name[] = ".passed";
	struct io_scratch beside = { .file = w->beside };
	bool leave_out;
	int ret;

	memset(w, 0, sizeof(*w));
	w->c = c;
	snprintf(w->beside, sizeof(w->beside), "%.*s%s",
		 (int)(sizeof(w->beside) - sizeof(name)), c->v.node, name);
	if (c->guard->targets.fast[0])
		beside.device = c->guard->targets.fast;
	for (const struct io_method *m = io_methods; m->name; m++) {
		struct io_path *p = &w->path[w->nr];

		if (!is_there(c, m) || w->nr == IO_PATHS)
			continue;
		if (!may_open(c, m, &beside, &leave_out))
			return false;
		if (leave_out)
			continue;
		ret = io_path_open(p, m, c->v.node, &beside, bytes, c->size);
		if (!ret)
			w->nr++;
		else if (ret == -EOPNOTSUPP)
			note(c, "%s: %s", m->name, p->why);
		else if (!expect_ok(c, ret, m->name, p->why))
			return false;
	}
	return expect(c, VERDICT_FAILED, w->nr, "there is no way to %s", c->v.node);
}

void ways_close(struct ways *w)
{
	while (w->nr)
		io_path_close(&w->path[--w->nr]);
	if (w->c && w->c->memory->caps & MEM_MOUNTED)
		unlink(w->beside);
}

struct io_path *ways_find(struct ways *w, const char *name)
{
	for (unsigned int i = 0; i < w->nr; i++)
		if (!strcmp(w->path[i].method->name, name))
			return &w->path[i];
	skip(w->c, "there is no %s here", name);
	return NULL;
}
