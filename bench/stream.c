// SPDX-License-Identifier: GPL-2.0-only
/* Non-temporal stores on x86-64. */
#include <stdint.h>
#include <string.h>

#include "bench/stream.h"
#include "lib/io/flush.h"

#ifdef __x86_64__
#include <immintrin.h>

/* unrolled by four, so that the loads run ahead of the stores */
#define STREAM(name, feature, type, load, store)				\
static __attribute__((target(feature)))						\
void name(char *to, const char *from, size_t len)				\
{										\
	for (; len >= 4 * sizeof(type); len -= 4 * sizeof(type)) {		\
		type a = load((const type *)from), b = load((const type *)from + 1); \
		type c = load((const type *)from + 2), d = load((const type *)from + 3); \
										\
		store((type *)to, a);						\
		store((type *)to + 1, b);					\
		store((type *)to + 2, c);					\
		store((type *)to + 3, d);					\
		to += 4 * sizeof(type);						\
		from += 4 * sizeof(type);					\
	}									\
	for (; len >= sizeof(type); len -= sizeof(type)) {			\
		store((type *)to, load((const type *)from));			\
		to += sizeof(type);						\
		from += sizeof(type);						\
	}									\
}

STREAM(stream_sse2, "sse2", __m128i, _mm_loadu_si128, _mm_stream_si128)
STREAM(stream_avx, "avx", __m256i, _mm256_loadu_si256, _mm256_stream_si256)
STREAM(stream_avx512f, "avx512f", __m512i, _mm512_loadu_si512, _mm512_stream_si512)

static const struct stream {
	const char *name;
	size_t bytes;
	void (*copy)(char *to, const char *from, size_t len);
} streams[] = {
	{ "sse2", sizeof(__m128i), stream_sse2 },
	{ "avx", sizeof(__m256i), stream_avx },
	{ "avx512f", sizeof(__m512i), stream_avx512f },
};

static const struct stream *widest(void)
{
	static const struct stream *chosen;

	if (!chosen)
		chosen = &streams[__builtin_cpu_supports("avx512f") ? 2 :
				  __builtin_cpu_supports("avx") ? 1 : 0];
	return chosen;
}

const char *stream_name(void)
{
	return widest()->name;
}

void stream_copy(void *to, const void *from, size_t len)
{
	const struct stream *s = widest();
	size_t head = -(uintptr_t)to % s->bytes, body;
	char *at = to;

	head = head < len ? head : len;
	body = (len - head) / s->bytes * s->bytes;
	s->copy(at + head, (const char *)from + head, body);
	if (head) {
		memcpy(at, from, head);
		flush_range(at, head);
	}
	body += head;
	if (body < len) {
		memcpy(at + body, (const char *)from + body, len - body);
		flush_range(at + body, len - body);
	}
	_mm_sfence();
}
#else
const char *stream_name(void)
{
	return "none";
}

void stream_copy(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	flush_range(to, len);
}
#endif
