// SPDX-License-Identifier: GPL-2.0-only
/* Cache line write-back on x86-64. */
#include <stdint.h>

#include "lib/io/flush.h"

#ifdef __x86_64__
#include <cpuid.h>

enum { CLFLUSH, CLFLUSHOPT, CLWB };

static const char *const names[] = { "clflush", "clflushopt", "clwb" };

static int flush_best(void)
{
	static int chosen = -1;
	unsigned int a, b = 0, c, d;

	if (chosen >= 0)
		return chosen;
	chosen = CLFLUSH;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
		chosen = b & bit_CLWB ? CLWB : b & bit_CLFLUSHOPT ? CLFLUSHOPT : CLFLUSH;
	return chosen;
}

/* size of a cache line, bytes; CPUID leaf 1 has it in units of 8 */
static uintptr_t cache_line(void)
{
	static uintptr_t bytes;
	unsigned int a, b = 0, c, d;

	if (!bytes && __get_cpuid(1, &a, &b, &c, &d))
		bytes = (b >> 8 & 0xff) * 8;
	return bytes ? bytes : 64;
}

const char *flush_name(void)
{
	return names[flush_best()];
}

void flush_range(const void *addr, size_t len)
{
	uintptr_t size = cache_line(), end = (uintptr_t)addr + len;
	int how = flush_best();

	for (uintptr_t p = (uintptr_t)addr / size * size; p < end; p += size) {
		volatile char *at = (volatile char *)p;

		if (how == CLWB)
			asm volatile("clwb %0" : "+m" (*at));
		else if (how == CLFLUSHOPT)
			asm volatile("clflushopt %0" : "+m" (*at));
		else
			asm volatile("clflush %0" : "+m" (*at));
	}
	asm volatile("sfence" : : : "memory");
}
#else
const char *flush_name(void)
{
	return "none";
}

void flush_range(const void *addr, size_t len)
{
	__sync_synchronize();
}
#endif
