// SPDX-License-Identifier: GPL-2.0-only
/* Records with a CRC-32 of head and body. */
#include <errno.h>
#include <string.h>

#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#include "lib/io/record.h"

#define MAGIC	0x64726f6365525844ull	/* "DXRecord" */

struct head {
	uint64_t magic;
	uint64_t seq;
	uint32_t len;
	uint32_t sum;
};

#define BODY	(RECORD_SLOT - sizeof(struct head))

#ifdef HAVE_ZLIB
static uint32_t sum_of(const struct head *h, const void *body)
{
	struct head bare = *h;

	bare.sum = 0;
	return crc32(crc32(0, (void *)&bare, sizeof(bare)), body, h->len);
}

void record_make(void *slot, uint64_t seq)
{
	struct head h = { .magic = MAGIC, .seq = seq, .len = 1 + seq * 2654435761u % BODY };
	unsigned char *body = (unsigned char *)slot + sizeof(h);

	for (size_t i = 0; i < BODY; i++)
		body[i] = i < h.len ? seq * 31 + i * 7 + (i >> 8) : 0;
	h.sum = sum_of(&h, body);
	memcpy(slot, &h, sizeof(h));
}

int record_check(const void *slot, uint64_t *seq)
{
	struct head h;

	memcpy(&h, slot, sizeof(h));
	if (h.magic != MAGIC)
		return -ENODATA;
	*seq = h.seq;
	if (h.len > BODY || sum_of(&h, (const char *)slot + sizeof(h)) != h.sum)
		return -EILSEQ;
	return 0;
}
#else
void record_make(void *slot, uint64_t seq)
{
	memset(slot, 0, RECORD_SLOT);
}

int record_check(const void *slot, uint64_t *seq)
{
	return -EOPNOTSUPP;
}
#endif
