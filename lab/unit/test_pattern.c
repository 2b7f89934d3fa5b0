// SPDX-License-Identifier: GPL-2.0-only
/* lib/pattern.c: words that say where they belong, and what is said of others. */
#include <errno.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/pattern.h"

#define TAG	7
#define OFF	0x200000ULL
#define WORDS	1024
#define LEN	(WORDS * sizeof(uint64_t))

FIXTURE(pattern) {
	uint64_t word[WORDS];
	struct pattern_error err;
	char text[160];
};

FIXTURE_SETUP(pattern)
{
	pattern_fill(self->word, LEN, TAG, OFF);
}

FIXTURE_TEARDOWN(pattern)
{
}

TEST(word_is_readable)
{
	EXPECT_EQ(pattern_word(7, 0x201000), 0x0007000000040200ULL);
	EXPECT_EQ(pattern_word(0xffff, 0), 0xffff000000000000ULL);
	EXPECT_EQ(pattern_word(1, (1ULL << 51) - 8), 0x0001ffffffffffffULL);
}

TEST_F(pattern, fills_every_word)
{
	size_t i;

	for (i = 0; i < WORDS; i++)
		ASSERT_EQ(self->word[i], pattern_word(TAG, OFF + 8 * i));
}

TEST_F(pattern, fills_no_more)
{
	uint64_t around[3] = { 1, 2, 3 };

	pattern_fill(&around[1], 8, TAG, 0);
	EXPECT_EQ(around[0], 1);
	EXPECT_EQ(around[1], pattern_word(TAG, 0));
	EXPECT_EQ(around[2], 3);
}

TEST_F(pattern, right_is_right)
{
	self->err.bad = 99;
	EXPECT_EQ(pattern_check(self->word, LEN, TAG, OFF, &self->err), 0);
	EXPECT_EQ(self->err.bad, 0);
	EXPECT_EQ(pattern_check(self->word, LEN, TAG, OFF, NULL), 0);
	EXPECT_EQ(pattern_check(self->word, 0, TAG, OFF, NULL), 0);
	/* a part of it is right at its own offset, and only there */
	EXPECT_EQ(pattern_check(self->word + 64, 512, TAG, OFF + 512, NULL), 0);
	EXPECT_EQ(pattern_check(self->word + 64, 512, TAG, OFF, NULL), -EILSEQ);
}

TEST_F(pattern, wrong_writer_is_wrong)
{
	EXPECT_EQ(pattern_check(self->word, LEN, TAG + 1, OFF, &self->err), -EILSEQ);
	EXPECT_EQ(self->err.bad, WORDS);
	EXPECT_EQ(self->err.off, OFF);
}

TEST_F(pattern, one_wrong_bit_is_found)
{
	self->word[5] ^= 1ULL << 63;
	self->word[WORDS - 1] ^= 1;
	EXPECT_EQ(pattern_check(self->word, LEN, TAG, OFF, NULL), -EILSEQ);
	EXPECT_EQ(pattern_check(self->word, LEN, TAG, OFF, &self->err), -EILSEQ);
	EXPECT_EQ(self->err.off, OFF + 40);
	EXPECT_EQ(self->err.want, pattern_word(TAG, OFF + 40));
	EXPECT_EQ(self->err.seen, pattern_word(TAG, OFF + 40) ^ 1ULL << 63);
	EXPECT_EQ(self->err.bad, 2);
}

static const char *explain(struct pattern_error *err, uint64_t seen, char *text, size_t len)
{
	err->off = 0x200000;
	err->want = pattern_word(TAG, 0x200000);
	err->seen = seen;
	err->bad = 512;
	pattern_explain(err, text, len);
	return text;
}

TEST_F(pattern, explains)
{
	static const struct {
		uint64_t seen;
		const char *text;
	} cases[] = {
		{ 0, "holds zeroes" },
		{ 0x0007000000040200,
		  "holds the word of offset 0x201000, 4096 bytes further up" },
		{ 0x000700000003fe00,
		  "holds the word of offset 0x1ff000, 4096 bytes further down" },
		{ 0x0009000000040000, "holds the right offset of another writer, tag 0x9" },
		{ 0x0009000000040200,
		  "holds the word of offset 0x201000 of another writer, tag 0x9" },
		{ 0xdeadbeefdeadbeef, "holds foreign data 0xdeadbeefdeadbeef" },
		/* our tag by chance, with an offset that no device has */
		{ 0x0007beefdeadbeef, "holds foreign data 0x0007beefdeadbeef" },
		{ 0x0000000000000041, "holds foreign data 0x0000000000000041" },
	};
	const char *begin = "offset 0x200000 (first of 512 wrong words) ";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		explain(&self->err, cases[i].seen, self->text, sizeof(self->text));
		EXPECT_EQ(strncmp(self->text, begin, strlen(begin)), 0);
		EXPECT_STREQ(self->text + strlen(begin), cases[i].text);
	}
}

TEST_F(pattern, explains_one_word)
{
	self->word[0] = 0;
	pattern_check(self->word, LEN, TAG, OFF, &self->err);
	pattern_explain(&self->err, self->text, sizeof(self->text));
	EXPECT_STREQ(self->text, "offset 0x200000 (first of 1 wrong word) holds zeroes");
}

TEST_F(pattern, explains_into_little_room)
{
	size_t len;

	for (len = 1; len < 80; len++) {
		char *text = malloc(len);

		ASSERT_NE(text, NULL);
		/* past its end the sanitizer says so */
		explain(&self->err, 0x0007000000040200, text, len);
		EXPECT_LT(strlen(text), len);
		free(text);
	}
}

TEST_HARNESS_MAIN
