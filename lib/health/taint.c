// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers the kernel keeps about itself: its taint and /proc/vmstat.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/health/internal.h"

/* What a bit means, for people; the letters of admin-guide/tainted-kernels. */
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

void health_taint_report(uint64_t was, uint64_t now, struct health_lines *l)
{
	uint64_t fresh = now & ~was;
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		const char *word = "unknown to this test";

		if (!(fresh & (1ULL << bit)))
			continue;
		if (bit < sizeof(taint_words) / sizeof(*taint_words))
			word = taint_words[bit];
		health_lines_add(l, "taint: bit %u is new (%s)", bit, word);
	}
}

int health_vmstat_find(const char *text, const char *name, uint64_t *value)
{
	size_t len = strlen(name);
	const char *line = text;

	while (line && *line) {
		if (!strncmp(line, name, len) && line[len] == ' ') {
			*value = strtoull(line + len + 1, NULL, 10);
			return 0;
		}
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return -ENOENT;
}
