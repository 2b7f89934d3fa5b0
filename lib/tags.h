/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tags of the patterns that memory is filled with, see lib/pattern.h: a wrong word
 * tells whose bytes it holds.  Each has a value of its own.
 */
#ifndef DAX_LIB_TAGS_H
#define DAX_LIB_TAGS_H

#define TAG_ZEROES	0x0000	/* no pattern: zero bytes */
#define TAG_LATER	0x4c41	/* stored into a file while a pin is out */
#define TAG_MEMORY	0x4d45	/* all of a device, between cells */
#define TAG_OTHER	0x4f54	/* the second file that some actions need */
#define TAG_OWNER	0x4f57	/* the memory's next owner */
#define TAG_SINK	0x5000	/* brought by a pin, plus the pin's number */
#define TAG_REUSER	0x5255	/* a file that got freed blocks */
#define TAG_STALE	0x5441	/* in the blocks before */
#define TAG_STORE	0x5354	/* stored by the test while a pin is out */
#define TAG_WRITTEN	0x5752	/* brought by write(2) */

#endif
