// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every I/O method on one file or device, and the bytes that are moved by them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/io.h"
#include "lib/io/durability.h"

/* Time limit for reading a page, milliseconds: microseconds, but on a loaded machine. */
#define SHARED_MS	5000

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

const char *io_next_word(const struct memory *m, enum daxmap_size size, const char *word)
{
	const struct io_method *next = word ? io_method_find(word) : NULL;

	while ((next = io_method_next(next)))
		if (memory_selected(&next->on, m) &&
		    (size == DAXMAP_PTE || next->flags & IO_MAPS))
			return next->name;
	return NULL;
}

void io_usage(FILE *f)
{
	const struct durability *d;
	const struct io_method *m;

	fprintf(f, "\nI/O methods:\n");
	for_each_io_method(m)
		fprintf(f, "  %-26s %s\n", m->name, m->what);
	fprintf(f, "\ndurability methods:\n");
	for_each_durability(d)
		fprintf(f, "  %-26s %s\n", d->name, d->what);
}

static int share_blocks(int from, int to, size_t bytes)
{
	char *zeroes = calloc(1, bytes);
	loff_t at = 0;
	ssize_t n;
	int ret;

	if (!zeroes)
		return -ENOMEM;
	n = write(from, zeroes, bytes);
	ret = n < 0 ? -errno : n == (ssize_t)bytes ? 0 : -ENOSPC;
	free(zeroes);
	if (!ret && fsync(from))
		ret = -errno;
	if (ret)
		return ret;
	n = copy_file_range(from, &at, to, NULL, bytes, 0);
	return n < 0 ? -errno : n == (ssize_t)bytes ? 0 : -EIO;
}

/* makes two files with the same contents, which share blocks where the file system can */
static int make_shared_files(const char *one, const char *other, size_t bytes)
{
	int from, to, ret;

	from = open(one, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (from < 0)
		return -errno;
	to = open(other, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ret = to < 0 ? -errno : share_blocks(from, to, bytes);
	close(from);
	if (to >= 0)
		close(to);
	return ret;
}

static void __attribute__((noreturn)) read_and_exit(struct io_path *p, size_t bytes)
{
	void *buf = aligned_alloc(bytes, bytes);

	_exit(buf && !io_path_read(p, 0, buf, bytes) ? 0 : 1);
}

/* reads in a child, which may spin until it is killed */
static bool read_returns(struct io_path *p, size_t bytes)
{
	struct pollfd pfd = { .events = POLLIN };
	pid_t pid = fork();
	bool returned;

	if (!pid)
		read_and_exit(p, bytes);
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
 * On some kernels, pinning a page that two files share spins until the task is killed:
 * PAGE_MAPPING_DAX_SHARED makes the page look anonymous to GUP, which asks for it to be
 * unshared again and again (gone with "fs/dax: remove PAGE_MAPPING_DAX_SHARED mapping
 * flag", 6.15).  copy_file_range() leaves such pages to all methods after it, so a run
 * tests this once, in files of its own.
 */
static bool shared_pages_spin(struct cell *c, const struct io_method *m,
			      const struct io_scratch *scratch)
{
	char one[NODE_LEN + 8], other[NODE_LEN + 8];
	size_t bytes = 2 * sysconf(_SC_PAGESIZE);
	struct io_path p = { .fd = -1 };
	int ret;

	if (!suite_probe_begin(PROBE_SHARED_PAGES_SPIN))
		return suite_probe_found(PROBE_SHARED_PAGES_SPIN);
	snprintf(one, sizeof(one), "%s.one", c->v.node);
	snprintf(other, sizeof(other), "%s.other", c->v.node);
	ret = make_shared_files(one, other, bytes);
	if (ret)
		note("cannot make two files that share pages: %s", strerror(-ret));
	else
		ret = io_path_open(&p, m, one, scratch, bytes, DAXMAP_PTE);
	if (ret && p.why[0])
		note("cannot pin a page that two files share: %s", p.why);
	if (!ret) {
		if (!read_returns(&p, bytes)) {
			suite_probe_set(PROBE_SHARED_PAGES_SPIN);
			/* the killed task leaves references on the pages */
			guard_needs_mkfs(c->guard);
		}
		io_path_close(&p);
	}
	unlink(one);
	unlink(other);
	return suite_probe_found(PROBE_SHARED_PAGES_SPIN);
}

/*
 * A method that would spin is left out with a note, and fails in its own cells; false
 * for those.
 */
static bool check_spins(struct cell *c, const struct io_method *m,
			const struct io_scratch *scratch, bool *leave_out)
{
	*leave_out = c->memory->caps & MEM_SHARES && m->flags & IO_PINS && scratch->device &&
		     shared_pages_spin(c, m, scratch);
	if (!*leave_out)
		return true;
	note("%s: left out: pinning a page that two files share never returns", m->name);
	return strcmp(c->word, m->name) ||
	       expect(c, VERDICT_NEVER_RETURNED, false,
		      "O_DIRECT from a page that two files share did not return within %d s",
		      SHARED_MS / 1000);
}

bool io_paths_open(struct io_paths *w, struct cell *c, size_t bytes)
{
	static const char name[] = ".scratch";
	struct io_scratch scratch = { .file = w->scratch };
	const struct io_method *m;
	bool leave_out;
	int ret;

	memset(w, 0, sizeof(*w));
	w->c = c;
	snprintf(w->scratch, sizeof(w->scratch), "%.*s%s",
		 (int)(sizeof(w->scratch) - sizeof(name)), c->v.node, name);
	if (c->guard->targets.fast[0])
		scratch.device = c->guard->targets.fast;
	for_each_io_method(m) {
		struct io_path *p = &w->path[w->nr];

		if (!memory_selected(&m->on, c->memory))
			continue;
		if (!expect(c, VERDICT_FAILED, w->nr < IO_PATHS_MAX,
			    "more than %d I/O methods", IO_PATHS_MAX) ||
		    !check_spins(c, m, &scratch, &leave_out))
			return false;
		if (leave_out)
			continue;
		ret = io_path_open(p, m, c->v.node, &scratch, bytes, c->size);
		if (!ret)
			w->nr++;
		else if (ret == -EOPNOTSUPP)
			note("%s: %s", m->name, p->why);
		else if (!expect_ok(c, ret, m->name, p->why))
			return false;
	}
	return expect(c, VERDICT_FAILED, w->nr, "no I/O method works on %s", c->v.node);
}

void io_paths_close(struct io_paths *w)
{
	while (w->nr)
		io_path_close(&w->path[--w->nr]);
	if (w->c && w->c->memory->caps & MEM_MOUNTED)
		unlink(w->scratch);
}

struct io_path *io_paths_find(struct io_paths *w, const char *name)
{
	for (unsigned int i = 0; i < w->nr; i++)
		if (!strcmp(w->path[i].method->name, name))
			return &w->path[i];
	skip(w->c, "the I/O method %s does not work here", name);
	return NULL;
}
