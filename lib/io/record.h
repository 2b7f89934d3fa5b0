/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records of a log: each has its number, its length and a checksum, and lies in a slot
 * of its own in a ring, so that a lost or torn one is recognised.
 */
#ifndef DAX_LIB_RECORD_H
#define DAX_LIB_RECORD_H

#include <stddef.h>
#include <stdint.h>

/* Size of a slot, bytes: two pages of 4 KiB, so that a record can be torn at one of them. */
#define RECORD_SLOT	8192u

/* Slots of a ring. */
#define RECORD_SLOTS	1024u

/**
 * record_make() - make a record, of a length that depends on its number
 * @slot: RECORD_SLOT bytes, all written; zeroes when built without zlib
 * @seq: its number, from 1
 */
void record_make(void *slot, uint64_t seq);

/**
 * record_check() - check the record in a slot
 * @slot: RECORD_SLOT bytes
 * @seq: set to the number of the record, unless there is none
 *
 * Return: 0; -ENODATA for no record, such as zeroes; -EILSEQ for one that is torn;
 * -EOPNOTSUPP when built without zlib.
 */
int record_check(const void *slot, uint64_t *seq);

#endif
