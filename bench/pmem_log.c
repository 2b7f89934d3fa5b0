// SPDX-License-Identifier: GPL-2.0-only
/*
 * A log for power cuts: the writer reports which records are durable, and after the cut
 * the reader checks that they are there.
 *
 *	pmem_log append METHOD FILE	prints "durable FILE N" after each record
 *	pmem_log verify METHOD FILE N	are all records up to N there, whole and in order?
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "lib/io/durability.h"
#include "lib/io/record.h"
#include "lib/ns/offered.h"

/* exit status, as of the suite's programs; 2 is bad usage */
enum { GOOD = 0, BAD = 1, USAGE = 2, SKIPPED = 4 };

static int log_say(int status, const char *node, const char *what, const char *why)
{
	fprintf(stderr, "pmem_log: %s: %s%s%s\n", node, what, why[0] ? ": " : "", why);
	return status;
}

static bool is_device(const char *path)
{
	struct stat st;

	return !stat(path, &st) && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

static int log_open(struct io_path *p, const struct durability *d, const char *node, void *slot)
{
	char why[WHY_LEN] = "";
	struct test_ns ns;
	uint64_t seq;
	int ret;

	record_make(slot, 1);
	if (record_check(slot, &seq) == -EOPNOTSUPP)
		return log_say(SKIPPED, node, "built without zlib: no checksums", "");
	if (is_device(node) && ns_offered(node, &ns, why, sizeof(why)))
		return log_say(SKIPPED, node, why, "");
	ret = durability_create(d, node);
	if (ret)
		return log_say(SKIPPED, node, "making an empty log", strerror(-ret));
	ret = durability_open(p, d, node);
	if (ret)
		return log_say(SKIPPED, node, d->name, p->why[0] ? p->why : strerror(-ret));
	return GOOD;
}

static int log_append(const struct durability *d, const char *node)
{
	void *slot = aligned_alloc(RECORD_SLOT, RECORD_SLOT);
	struct io_path p;
	int ret;

	if (!slot)
		return log_say(SKIPPED, node, "no memory", "");
	ret = log_open(&p, d, node, slot);
	if (ret != GOOD) {
		free(slot);
		return ret;
	}
	for (uint64_t seq = 1;; seq++) {
		ret = durability_write(&p, d, slot, seq);
		if (ret)
			break;
		printf("durable %s %llu\n", node, (unsigned long long)seq);
		fflush(stdout);
		/* the line has to leave the machine before the next record is written */
		tcdrain(STDOUT_FILENO);
	}
	io_path_close(&p);
	free(slot);
	/* a full file system keeps the records that were reported */
	return log_say(ret == -ENOSPC ? SKIPPED : BAD, node, "writing a record", strerror(-ret));
}

/*
 * The slots of the last records that were reported.  The record after them may be there,
 * or a part of it, in the slot of the oldest one.
 */
static int check_records(struct io_path *p, const char *node, uint64_t durable, uint64_t *lost)
{
	void *slot = aligned_alloc(RECORD_SLOT, RECORD_SLOT);
	uint64_t first = durable + 2 > RECORD_SLOTS ? durable + 2 - RECORD_SLOTS : 1;

	*lost = 0;
	if (!slot)
		return -ENOMEM;
	for (uint64_t seq = first; seq <= durable; seq++) {
		int ret = durability_check(p, slot, seq);

		if (ret && !(*lost)++)
			printf("record %llu of %llu in %s: %s\n", (unsigned long long)seq,
			       (unsigned long long)durable, node, durability_strerror(ret));
	}
	free(slot);
	return 0;
}

static int log_verify(const char *node, const char *number)
{
	uint64_t durable, lost;
	struct io_path p;
	char *end;
	int ret;

	errno = 0;
	durable = strtoull(number, &end, 10);
	if (errno || end == number || *end)
		return log_say(USAGE, node, "the number of the last record is not a number",
			       number);
	ret = durability_open_read(&p, node);
	if (ret && durable)
		printf("record 1 of %llu in %s: %s\n", (unsigned long long)durable, node,
		       strerror(-ret));
	if (ret && durable)
		return BAD;
	/* a log that was cut off before its first record need not be there */
	if (ret) {
		printf("verified %s: 0 durable: %s\n", node, strerror(-ret));
		return GOOD;
	}
	ret = check_records(&p, node, durable, &lost);
	io_path_close(&p);
	if (ret)
		return log_say(SKIPPED, node, "reading the records", strerror(-ret));
	printf("verified %s: %llu durable, %llu of them not there\n", node,
	       (unsigned long long)durable, (unsigned long long)lost);
	return lost ? BAD : GOOD;
}

int main(int argc, char **argv)
{
	const struct durability *d = argc > 2 ? durability_find(argv[2]) : NULL;

	if (d && argc == 4 && !strcmp(argv[1], "append"))
		return log_append(d, argv[3]);
	if (d && argc == 5 && !strcmp(argv[1], "verify"))
		return log_verify(argv[3], argv[4]);
	if (argc > 3 && !d)
		fprintf(stderr, "pmem_log: no method is named '%s'\n", argv[2]);
	fprintf(stderr, "usage: pmem_log append METHOD FILE\n"
		"       pmem_log verify METHOD FILE LAST\n\nmethods:\n");
	for_each_durability(d)
		fprintf(stderr, "  %-20s %s\n", d->name, d->what);
	return USAGE;
}
