// SPDX-License-Identifier: GPL-2.0-only
/*
 * A word is the writer's tag in the upper 16 bits and the number of the word (byte offset
 * / 8) in the lower 48.  It is readable in a hex dump: 0x0007000000040200 is word 0x40200
 * (offset 0x201000) of writer 7.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/pattern.h"

#define WORD_INDEX_BITS	48
#define WORD_INDEX_MASK	((1ULL << WORD_INDEX_BITS) - 1)

/*
 * Data that is no pattern has random offsets; a pattern's offsets are below the size of
 * the largest device under test.  Only words with an offset below this are called a
 * pattern.
 */
#define PLAUSIBLE_OFFSET (1ULL << 42)

uint64_t pattern_word(uint16_t tag, uint64_t off)
{
	return (uint64_t)tag << WORD_INDEX_BITS | ((off / 8) & WORD_INDEX_MASK);
}

uint16_t pattern_tag(uint64_t word)
{
	return word >> WORD_INDEX_BITS;
}

static uint64_t word_off(uint64_t word)
{
	return (word & WORD_INDEX_MASK) * 8;
}

void pattern_fill(void *buf, size_t len, uint16_t tag, uint64_t off)
{
	uint64_t *word = buf;
	uint64_t value = pattern_word(tag, off);
	size_t i;

	for (i = 0; i < len / 8; i++)
		word[i] = value + i;
}

int pattern_check(const void *buf, size_t len, uint16_t tag, uint64_t off,
		  struct pattern_error *err)
{
	const uint64_t *word = buf;
	uint64_t value = pattern_word(tag, off);
	uint64_t bad = 0;
	size_t i;

	for (i = 0; i < len / 8; i++) {
		/* load once: a transfer may be changing it */
		uint64_t seen = __atomic_load_n(&word[i], __ATOMIC_RELAXED);

		if (seen == value + i)
			continue;
		if (!bad++ && err) {
			err->off = off + i * 8;
			err->want = value + i;
			err->seen = seen;
		}
	}
	if (err)
		err->bad = bad;
	return bad ? -EILSEQ : 0;
}

void pattern_explain(const struct pattern_error *err, char *buf, size_t len)
{
	uint64_t home = word_off(err->seen);
	uint64_t want = word_off(err->want);
	bool same_tag = pattern_tag(err->seen) == pattern_tag(err->want);
	bool up = home > want;
	uint64_t distance = up ? home - want : want - home;
	int n;

	n = snprintf(buf, len, "offset 0x%" PRIx64 " (first of %" PRIu64 " wrong word%s) ",
		     err->off, err->bad, err->bad == 1 ? "" : "s");
	if (n < 0 || (size_t)n >= len)
		return;
	buf += n;
	len -= n;

	/* zeroes first: they are also the word of writer 0 at offset 0 */
	if (!err->seen)
		snprintf(buf, len, "holds zeroes");
	else if (same_tag && home < PLAUSIBLE_OFFSET)
		snprintf(buf, len, "holds the word of offset 0x%" PRIx64 ", %" PRIu64
			 " bytes further %s", home, distance, up ? "up" : "down");
	else if (home == want)
		snprintf(buf, len, "holds the right offset of another writer, tag 0x%x",
			 pattern_tag(err->seen));
	else if (pattern_tag(err->seen) && home < PLAUSIBLE_OFFSET)
		snprintf(buf, len, "holds the word of offset 0x%" PRIx64
			 " of another writer, tag 0x%x", home, pattern_tag(err->seen));
	else
		snprintf(buf, len, "holds foreign data 0x%016" PRIx64, err->seen);
}
