/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Self-describing data: every 64-bit word says which byte offset it belongs to
 * and which writer put it there, so that a byte that landed elsewhere says
 * where it came from.
 */
#ifndef DAX_LIB_PATTERN_H
#define DAX_LIB_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct pattern_error - the first word that is not what it should be
 * @off: offset of the word, bytes, in the coordinates given to pattern_check()
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
 * @tag: who wrote it, 16 bits
 * @off: byte offset, a multiple of 8, below 2^51
 */
uint64_t pattern_word(uint16_t tag, uint64_t off);

/** pattern_tag() - who wrote this word, if it is one of a pattern */
uint16_t pattern_tag(uint64_t word);

/**
 * pattern_fill() - write the pattern
 * @buf: 8-byte aligned memory
 * @len: bytes, a multiple of 8
 * @tag: who writes, 16 bits
 * @off: byte offset of @buf[0] in its own coordinates, a multiple of 8
 */
void pattern_fill(void *buf, size_t len, uint16_t tag, uint64_t off);

/**
 * pattern_check() - compare memory with the pattern
 * @buf: 8-byte aligned memory
 * @len: bytes, a multiple of 8
 * @tag: who should have written it
 * @off: byte offset of @buf[0]
 * @err: filled when words differ; may be NULL
 *
 * Return: 0, or -EILSEQ when a word differs.
 */
int pattern_check(const void *buf, size_t len, uint16_t tag, uint64_t off,
		  struct pattern_error *err);

/**
 * pattern_explain() - one phrase that says what the wrong word is
 * @err: from pattern_check()
 * @buf: where the phrase goes, NUL-terminated
 * @len: bytes in @buf
 *
 * Names a word that belongs to another offset ("holds the word of offset
 * 0x201000, 4096 bytes further up"), one of another tag, zeroes and foreign
 * data each as such.
 */
void pattern_explain(const struct pattern_error *err, char *buf, size_t len);

#endif
