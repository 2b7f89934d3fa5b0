/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pattern whose every 64-bit word holds its own byte offset and the tag of its writer,
 * so that a word found in the wrong place shows where it belongs.
 */
#ifndef DAX_LIB_PATTERN_H
#define DAX_LIB_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct pattern_error - the first wrong word
 * @off: offset of the word, bytes, counted as by pattern_check()
 * @want: the value that belongs there
 * @seen: the value that is there
 * @bad: number of wrong words in the range
 */
struct pattern_error {
	uint64_t off;
	uint64_t want;
	uint64_t seen;
	uint64_t bad;
};

/**
 * pattern_word() - the word that belongs at an offset
 * @tag: tag of the writer
 * @off: byte offset, a multiple of 8, below 2^51
 *
 * Return: the word.
 */
uint64_t pattern_word(uint16_t tag, uint64_t off);

/**
 * pattern_tag() - tag of a word
 * @word: a word of a pattern
 *
 * Return: the tag of its writer.
 */
uint16_t pattern_tag(uint64_t word);

/**
 * pattern_fill() - write the pattern
 * @buf: 8-byte aligned memory
 * @len: bytes, a multiple of 8
 * @tag: tag of the writer
 * @off: byte offset that the first word of @buf gets, a multiple of 8
 */
void pattern_fill(void *buf, size_t len, uint16_t tag, uint64_t off);

/**
 * pattern_check() - compare memory with the pattern
 * @buf: 8-byte aligned memory
 * @len: bytes, a multiple of 8
 * @tag: tag of the writer
 * @off: byte offset of the first word of @buf
 * @err: filled when words differ; may be NULL
 *
 * Return: 0, or -EILSEQ when a word differs.
 */
int pattern_check(const void *buf, size_t len, uint16_t tag, uint64_t off,
		  struct pattern_error *err);

/**
 * pattern_explain() - describe a wrong word
 * @err: from pattern_check()
 * @buf: set to a phrase, NUL-terminated
 * @len: bytes in @buf
 *
 * A word of another offset ("holds the word of offset 0x201000, 4096 bytes further up"), a
 * word of another tag, zeroes and other data are each named as such.
 */
void pattern_explain(const struct pattern_error *err, char *buf, size_t len);

#endif
