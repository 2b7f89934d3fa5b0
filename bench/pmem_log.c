// SPDX-License-Identifier: GPL-2.0
/*
 * A log whose writer says which records are durable, and whose reader says whether they
 * are: before and after the power has failed.
 *
 *	pmem_io append PROMISE FILE	prints "durable N" after each record's promise
 *	pmem_io verify PROMISE FILE N	were all up to N there, whole and in order?
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "io/io.h"
#include "lib/io/flush.h"
#include "lib/io/record.h"

/* exit status, as of the suite's programs; 2 is bad usage */
enum { GOOD = 0, BAD = 1, USAGE = 2, SKIPPED = 4 };

static int keep_flush(struct io_path *p, off_t off)
{
	const struct daxmap *m = p->priv;

	flush_range((char *)m->addr + off, RECORD_SLOT);
	return 0;
}

static int keep_msync(struct io_path *p, off_t off)
{
	const struct daxmap *m = p->priv;

	return msync((char *)m->addr + off, RECORD_SLOT, MS_SYNC) ? -errno : 0;
}

static int keep_fsync(struct io_path *p, off_t off)
{
	(void)off;
	return fsync(p->fd) ? -errno : 0;
}

static int keep_fdatasync(struct io_path *p, off_t off)
{
	(void)off;
	return fdatasync(p->fd) ? -errno : 0;
}

static const struct durability promises[] = {
	{ "mmap_flush", "stores, written back by cache line", "mmap", keep_flush, false },
	{ "mmap_sync_flush", "the same, mapped MAP_SYNC", "mmap_sync", keep_flush, false },
	{ "mmap_msync", "stores and msync()", "mmap", keep_msync, false },
	{ "buffered_fsync", "pwrite() and fsync()", "buffered", keep_fsync, false },
	{ "buffered_fdatasync", "pwrite() and fdatasync()", "buffered", keep_fdatasync, false },
	{ "vectored_dsync", "pwritev2(RWF_DSYNC)", "vectored", NULL, false },
	{ "direct_fsync", "pwrite() with O_DIRECT, and fsync()", "direct", keep_fsync, false },
	{ "uring_fsync", "io_uring and fsync()", "uring", keep_fsync, false },
	{ "mmap_nothing", "control: stores, and nothing else", "mmap", NULL, true },
	{ "buffered_nothing", "control: pwrite(), and nothing else", "buffered", NULL, true },
	{ 0 }
};

const struct durability *durability_find(const char *name)
{
	for (const struct durability *p = promises; p->name; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

static bool is_char(const char *node)
{
	struct stat st;

	return !stat(node, &st) && S_ISCHR(st.st_mode);
}

/* a sentence, for whoever reads it at 3 a.m. */
static int say(int status, const char *node, const char *what, const char *why)
{
	fprintf(stderr, "pmem_io: %s: %s%s%s\n", node, what, why[0] ? ": " : "", why);
	return status;
}

static int write_zeroes(int fd)
{
	static const char zeroes[1 << 16];

	for (size_t at = 0; at < LOG_BYTES;) {
		size_t left = LOG_BYTES - at;
		ssize_t n = pwrite(fd, zeroes, left < sizeof(zeroes) ? left : sizeof(zeroes), at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? n : 0;
	}
	return fsync(fd) ? -errno : 0;
}

static int store_zeroes(const char *node)
{
	struct daxmap m;
	int ret = daxmap_open(&m, node, DAXMAP_PMD, 0, LOG_BYTES, PROT_READ | PROT_WRITE);

	if (ret)
		return ret;
	memset(m.addr, 0, LOG_BYTES);
	flush_range(m.addr, LOG_BYTES);
	daxmap_close(&m);
	return 0;
}

/*
 * What is mapped has its blocks from the start: a file system that is full in the middle
 * could say so by SIGBUS only.  They are unwritten, so that each page's first store is
 * still a change of metadata.
 */
static int give_blocks(int fd)
{
	if (!fallocate(fd, 0, 0, LOG_BYTES))
		return 0;
	return errno == EOPNOTSUPP ? ftruncate(fd, LOG_BYTES) : -1;
}

static int empty_file(int fd, bool mapped)
{
	if (ftruncate(fd, 0) || (mapped && give_blocks(fd)) || fsync(fd))
		return -errno;
	/* and its name */
	sync();
	return 0;
}

int durability_ready(const char *node, bool mapped)
{
	struct stat st;
	int fd, ret;

	if (is_char(node))
		return store_zeroes(node);
	fd = open(node, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		ret = -errno;
	else
		ret = S_ISREG(st.st_mode) ? empty_file(fd, mapped) : write_zeroes(fd);
	close(fd);
	return ret;
}

int durability_open(struct io_path *p, const struct durability *m, const char *node)
{
	return io_path_open(p, io_method_find(m->path), node, NULL, LOG_BYTES,
			    is_char(node) ? DAXMAP_PMD : DAXMAP_PTE);
}

int durability_write(struct io_path *p, const struct durability *m, void *slot, uint64_t seq)
{
	off_t off = (seq % RECORD_SLOTS) * RECORD_SLOT;
	int ret;

	record_make(slot, seq);
	ret = io_path_write(p, off, slot, RECORD_SLOT);
	return ret || !m->keep ? ret : m->keep(p, off);
}

int durability_look(struct io_path *p, void *slot, uint64_t seq)
{
	uint64_t seen = 0;
	int ret = io_path_read(p, (seq % RECORD_SLOTS) * RECORD_SLOT, slot, RECORD_SLOT);

	ret = ret ?: record_check(slot, &seen);
	return ret || seen == seq ? ret : -ESTALE;
}

const char *durability_fate(int ret)
{
	switch (ret) {
	case -EILSEQ:
		return "torn";
	case -ESTALE:
		return "another one is there";
	case -ENODATA:
		return "lost";
	}
	return strerror(-ret);
}

static int append(const struct durability *m, const char *node)
{
	void *slot = aligned_alloc(RECORD_SLOT, RECORD_SLOT);
	bool mapped = io_method_find(m->path)->flags & IO_PATH_MAPS;
	char why[WHY_LEN];
	struct io_path p;
	struct test_ns v;
	uint64_t seq;
	int ret;

	if (!slot)
		return say(SKIPPED, node, "no memory", "");
	record_make(slot, 1);
	if (record_check(slot, &seq) == -EOPNOTSUPP)
		return say(SKIPPED, node, "built without zlib: no checksums", "");
	if (node_is_device(node) && node_offered(node, &v, why, sizeof(why)))
		return say(SKIPPED, node, why, "");
	ret = durability_ready(node, mapped);
	if (ret)
		return say(SKIPPED, node, "cannot be opened", strerror(-ret));
	ret = durability_open(&p, m, node);
	if (ret)
		return say(SKIPPED, node, m->name, p.why[0] ? p.why : strerror(-ret));
	for (seq = 1; !ret; seq++) {
		ret = durability_write(&p, m, slot, seq);
		if (ret)
			break;
		printf("durable %s %llu\n", node, (unsigned long long)seq);
		fflush(stdout);
		/* whoever is told must have been told before the next one is under way */
		tcdrain(STDOUT_FILENO);
	}
	io_path_close(&p);
	free(slot);
	/* the records that were declared are still there */
	return say(ret == -ENOSPC ? SKIPPED : BAD, node, "writing a record", strerror(-ret));
}

/* the slots of the last records that were declared; the next may be there, or half of it */
static int look(struct io_path *p, const char *node, uint64_t durable, uint64_t *lost)
{
	void *slot = aligned_alloc(RECORD_SLOT, RECORD_SLOT);
	uint64_t first = durable + 2 > RECORD_SLOTS ? durable + 2 - RECORD_SLOTS : 1;
	int status = GOOD;

	*lost = 0;
	for (uint64_t seq = first; slot && seq <= durable; seq++) {
		int ret = durability_look(p, slot, seq);

		if (!ret)
			continue;
		if (!(*lost)++)
			printf("record %llu of %llu in %s: %s\n", (unsigned long long)seq,
			       (unsigned long long)durable, node, durability_fate(ret));
		status = BAD;
	}
	free(slot);
	return status;
}

static int verify(const struct durability *m, const char *node, const char *number)
{
	const char *path = io_method_find(m->path)->flags & IO_PATH_MAPS && is_char(node) ?
			   "mmap" : "buffered";
	struct durability way = { .name = "reading", .path = path };
	uint64_t durable, lost;
	struct io_path p;
	char *end;
	int ret;

	errno = 0;
	durable = strtoull(number, &end, 10);
	if (errno || end == number || *end)
		return say(USAGE, node, "the number of the last durable record is none", number);
	ret = durability_open(&p, &way, node);
	if (ret && durable)
		printf("record 1 of %llu in %s: %s\n", (unsigned long long)durable, node,
		       strerror(-ret));
	if (ret)
		return durable ? BAD : GOOD;
	ret = look(&p, node, durable, &lost);
	printf("verified %s: %llu durable, %llu of them not there\n", node,
	       (unsigned long long)durable, (unsigned long long)lost);
	io_path_close(&p);
	return ret;
}

int io_log(int argc, char **argv)
{
	const struct durability *m = argc > 2 ? durability_find(argv[2]) : NULL;

	if (m && argc == 4 && !strcmp(argv[1], "append"))
		return append(m, argv[3]);
	if (m && argc == 5 && !strcmp(argv[1], "verify"))
		return verify(m, argv[3], argv[4]);
	fprintf(stderr, "usage: pmem_io append PROMISE FILE\n"
		"       pmem_io verify PROMISE FILE LAST\n\npromises:\n");
	for (m = promises; m->name; m++)
		fprintf(stderr, "  %-20s %s\n", m->name, m->what);
	return USAGE;
}
