/* SPDX-License-Identifier: GPL-2.0-only */
/* Pseudo-random numbers, the same for a seed on every machine. */
#ifndef DAX_LIB_RANDOM_H
#define DAX_LIB_RANDOM_H

#include <stdint.h>

/**
 * random_next() - the next number of a sequence (xorshift64*)
 * @state: state of the sequence, not 0; to begin with, the seed
 *
 * Good enough to choose test steps.
 *
 * Return: 64 bits; the upper ones are more random.
 */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

#endif
