/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers that a seed repeats, on every machine.
 */
#ifndef DAX_LIB_RANDOM_H
#define DAX_LIB_RANDOM_H

#include <stdint.h>

/**
 * random_next() - xorshift64*, good enough to pick scenarios with
 * @state: not 0; the seed to begin with
 *
 * Return: 64 bits, of which the upper ones are the better.
 */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

#endif
