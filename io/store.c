// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores into a mapping of device-dax, of all lengths at all alignments, are seen
 * through another mapping and by another process.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/io.h"

/* largest store, bytes: more than a page, so that each alignment crosses a boundary */
#define LARGEST		(64u << 10)

/* bytes on both sides of a store that must not change */
#define MARGIN		64u

static const size_t lengths[] = {
	1, 2, 3, 7, 8, 63, 64, 65, 511, 512, 513, 4095, 4096, 4097, LARGEST,
};

/* Distance of a store's start from a boundary, bytes. */
static const int distances[] = { -65, -64, -9, -8, -1, 0, 1, 8, 63, 64 };

static void store_bytes(unsigned char *map, size_t off, size_t len, unsigned int round,
			unsigned char *scratch)
{
	io_fill(scratch, off, len, round);
	memcpy(map + off, scratch, len);
}

/**
 * struct store_reader - a second view of the bytes
 * @name: in messages
 * @read: copies @len bytes at @off of the device into @to; 0 or -errno
 * @map: the mapping that is read
 */
struct store_reader {
	const char *name;
	int (*read)(const struct store_reader *r, size_t off, size_t len, unsigned char *to);
	const struct daxmap *map;
};

static int read_other_mapping(const struct store_reader *r, size_t off, size_t len,
			      unsigned char *to)
{
	memcpy(to, (char *)r->map->addr + off, len);
	return 0;
}

/* a child forked after the store, which writes from the mapping into a pipe */
static int read_other_process(const struct store_reader *r, size_t off, size_t len,
			      unsigned char *to)
{
	int fds[2], status;
	size_t got = 0;
	pid_t pid;

	if (pipe(fds))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		close(fds[0]);
		for (size_t put = 0; put < len;) {
			ssize_t n = write(fds[1], (char *)r->map->addr + off + put, len - put);

			if (n <= 0)
				_exit(1);
			put += n;
		}
		_exit(0);
	}
	close(fds[1]);
	while (got < len) {
		ssize_t n = read(fds[0], to + got, len - got);

		if (n <= 0)
			break;
		got += n;
	}
	close(fds[0]);
	waitpid(pid, &status, 0);
	return got == len && WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

static bool check_store(struct cell *c, const struct store_reader *r, size_t off, size_t len,
			unsigned int round, unsigned char *scratch)
{
	int ret = r->read(r, off - MARGIN, len + 2 * MARGIN, scratch);
	ssize_t bad;

	if (!expect(c, VERDICT_FAILED, !ret, "reading by %s: %s", r->name, strerror(-ret)))
		return false;
	bad = io_wrong(scratch + MARGIN, off, len, round);
	if (!expect(c, VERDICT_WRONG_DATA, bad < 0,
		    "a store of %zu bytes at %#zx, read by %s: byte %#zx is %#x, expected %#x",
		    len, off, r->name, bad, scratch[bad < 0 ? 0 : bad - off + MARGIN],
		    io_byte(bad, round)))
		return false;
	bad = io_wrong(scratch, off - MARGIN, MARGIN, 0);
	if (bad < 0)
		bad = io_wrong(scratch + MARGIN + len, off + len, MARGIN, 0);
	return expect(c, VERDICT_WRONG_DATA, bad < 0,
		      "a store of %zu bytes at %#zx changed byte %#zx outside it", len, off, bad);
}

/* each length at each distance from a page table entry's boundary */
static void store_all(struct cell *c, struct daxmap *m, const struct store_reader *r)
{
	size_t boundary = daxmap_bytes(DAXMAP_PMD);
	unsigned char *scratch = malloc(LARGEST + 2 * MARGIN);
	unsigned int round = 0;

	if (!expect(c, VERDICT_FAILED, scratch, "no memory"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(distances); j++) {
			size_t off = boundary + distances[j];

			round = round % 250 + 1;
			store_bytes(m->addr, off - MARGIN, lengths[i] + 2 * MARGIN, 0, scratch);
			store_bytes(m->addr, off, lengths[i], round, scratch);
			if (!check_store(c, r, off, lengths[i], round, scratch))
				goto out;
		}
	}
out:
	free(scratch);
}

static bool open_two(struct cell *c, struct daxmap *writer, struct daxmap *reader)
{
	size_t len = c->size == DAXMAP_PUD ? daxmap_bytes(DAXMAP_PUD) :
					     2 * daxmap_bytes(DAXMAP_PMD);
	unsigned long faults;
	int ret;

	reader->fd = -1;
	reader->addr = NULL;
	ret = daxmap_open(writer, c->v.node, c->size, 0, len, PROT_READ | PROT_WRITE);
	if (!expect(c, VERDICT_FAILED, !ret, "mapping %s: %s", c->v.node, strerror(-ret)))
		return false;
	ret = daxmap_prove(writer, true, &faults);
	if (!expect(c, VERDICT_FAILED, !ret, "touching took %lu faults; expected one for each %s entry",
		    faults, daxmap_name(c->size)))
		return false;
	ret = daxmap_open(reader, c->v.node, c->size, 0, len, PROT_READ);
	return expect(c, VERDICT_FAILED, !ret, "mapping %s again: %s", c->v.node, strerror(-ret));
}

static void check_coherent(struct cell *c, struct store_reader *r)
{
	struct daxmap writer, reader;

	if (open_two(c, &writer, &reader)) {
		r->map = &reader;
		store_all(c, &writer, r);
	}
	daxmap_close(&reader);
	daxmap_close(&writer);
}

static void store_load(struct cell *c)
{
	struct store_reader r = { .name = "the other mapping", .read = read_other_mapping };

	check_coherent(c, &r);
}

static void store_write(struct cell *c)
{
	struct store_reader r = { .name = "another process", .read = read_other_process };

	check_coherent(c, &r);
}

static const struct scenario_group store_group = {
	.name = "store",
	.order = 10,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_ALL,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "store_load",
			.what = "stores of all lengths and alignments, read through a second mapping",
			.run = store_load,
		}, {
			.name = "store_write",
			.what = "the same, written to a pipe from the mapping by another process",
			.run = store_write,
		},
		{ }
	},
};

REGISTER(scenario_groups, &store_group);
