// SPDX-License-Identifier: GPL-2.0-only
/*
 * taint: no new bit in the kernel's taint.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/health/internal.h"

/* the bits' meaning, with the letters of admin-guide/tainted-kernels */
static const char *const taint_words[] = {
	"P, proprietary module", "F, module was force loaded",
	"S, kernel running out of specification", "R, module was force unloaded",
	"M, machine check", "B, bad page", "U, user space asked for it",
	"D, oops or BUG", "A, ACPI table overridden", "W, warning",
	"C, staging driver", "I, platform firmware bug", "O, out-of-tree module",
	"E, unsigned module", "L, soft lockup", "K, live patch", "X, auxiliary",
	"T, randomized structures", "N, in-kernel test",
};

int health_taint_parse(const char *text, uint64_t *taint)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (end == text || errno)
		return -EINVAL;
	*taint = value;
	return 0;
}

bool health_taint_report(uint64_t was, uint64_t now, struct health_lines *l)
{
	uint64_t fresh = now & ~was;

	for (unsigned int bit = 0; bit < 64; bit++) {
		const char *word = "unknown to this test";

		if (!(fresh & (1ULL << bit)))
			continue;
		if (bit < sizeof(taint_words) / sizeof(*taint_words))
			word = taint_words[bit];
		health_lines_add(l, "taint: bit %u is new (%s)", bit, word);
	}
	return fresh;
}

struct taint {
	struct health_snapshot file;
	uint64_t bits;
};

static int open_taint(void *state)
{
	struct taint *t = state;

	return health_snapshot_open(&t->file, "/proc/sys/kernel/tainted");
}

static int read_taint(void *state, void *before)
{
	struct taint *t = state;
	int err = health_snapshot_read(&t->file);

	return err ? err : health_taint_parse(t->file.text, &t->bits);
}

static bool judge_taint(const void *before, const void *after, struct health_lines *l)
{
	const struct taint *was = before, *now = after;

	return health_taint_report(was->bits, now->bits, l);
}

static void free_taint(void *state)
{
	struct taint *t = state;

	health_snapshot_free(&t->file);
}

static const struct oracle taint[] = {
	{
		.name = "taint",
		.bit = HEALTH_TAINT,
		.size = sizeof(struct taint),
		.open = open_taint,
		.read = read_taint,
		.judge = judge_taint,
		.free = free_taint,
	},
	{ }
};

REGISTER(oracles, taint);
