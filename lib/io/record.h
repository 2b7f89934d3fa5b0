/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records of a log that is written while the power may fail: each has its number, its
 * length and a checksum, and lies in a slot of its own in a ring.
 */
#ifndef DAX_LIB_RECORD_H
#define DAX_LIB_RECORD_H

#include <stddef.h>
#include <stdint.h>

/* Of a slot, bytes: two pages, so that half of one can be there. */
#define RECORD_SLOT	8192u

/* Slots of a ring.  What is declared durable is at most so much behind. */
#define RECORD_SLOTS	1024u

/**
 * record_make() - a record of some length, which its number decides
 * @slot: RECORD_SLOT bytes, all written
 * @seq: its number, from 1
 */
void record_make(void *slot, uint64_t seq);

/**
 * record_check() - what lies in a slot
 * @slot: RECORD_SLOT bytes
 * @seq: set to the number of the record
 *
 * Return: 0; -ENODATA for no record, such as zeroes; -EILSEQ for one that is torn;
 * -EOPNOTSUPP when built without zlib.
 */
int record_check(const void *slot, uint64_t *seq);

#endif
