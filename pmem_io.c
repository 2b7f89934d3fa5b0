// SPDX-License-Identifier: GPL-2.0
/*
 * I/O through persistent memory: what one way wrote, every other way reads.
 */
#include <string.h>

#include "io/io.h"
#include "bench/bench.h"
#include "suite/harness.h"

/* one line for each way that writes; the word in the cell's name is the way's */
#define WAY(word, fn, memory, at, text, way)					\
	{									\
		.name = word, .what = text, .on = memory, .sizes = at,		\
		.pin_word = way, .bytes = IO_BYTES, .run = fn,			\
	}

#define EVERY_PATH(memory, at, way)						\
	WAY("every_path", every_path, memory, at,				\
	    "what it wrote, every other way reads; all lengths and alignments", way)

#define SAME(memory, at, way)							\
	WAY("same_file", same_file, memory, at,					\
	    "a mapping is the buffer of I/O to its own file, in other places and in the same", way)

#define GAPS(way)								\
	WAY("gaps", gaps, MEMORY_FILES, AT_PTE,					\
	    "holes, unwritten extents, the end: zeroes, or what was written last", way)

/* the word in the cell's name is a promise's */
#define KEPT(memory, at, action, promise)					\
	{									\
		.name = "kept", .on = memory, .sizes = at, .pin_word = promise,	\
		.what = "what was called durable is there after the driver was away", \
		.act = action, .bytes = LOG_BYTES, .ignore = HEALTH_NUMBERS,	\
		.run = kept,							\
	}

#define LARGE(memory, at)							\
	{									\
		.name = "large", .on = memory, .sizes = at, .bytes = LARGE_BYTES, \
		.what = "64 MiB at once by each way, read by another",		\
		.run = large,							\
	}

#define MODEL(memory, at)							\
	{									\
		.name = "model", .on = memory, .sizes = at, .pin_word = "random", \
		.what = "DAX_TEST_OPS operations by DAX_TEST_SEED, compared with a model", \
		.bytes = IO_BYTES, .run = model,				\
	}

/* how it is mapped matters to those that map it */
#define AT_FILE		(AT_PTE | AT_PMD)
#define MEMORY_IO	(MEMORY_FILES | MEMORY_BLOCKS)

static const struct scenario scenarios[] = {
	{
		.name = "store_load",
		.what = "stores of all lengths and alignments, read through a second mapping",
		.sizes = AT_ALL, .run = store_load,
	}, {
		.name = "store_write",
		.what = "the same, written to a pipe from the mapping by another process",
		.sizes = AT_ALL, .run = store_write,
	},
	EVERY_PATH(MEMORY_DEVDAX, AT_ALL, "mmap"),
	EVERY_PATH(MEMORY_DEVDAX, AT_ALL, "mmap_sync"),
	EVERY_PATH(MEMORY_DEVDAX, AT_ALL, "lent"),
	EVERY_PATH(MEMORY_DEVDAX, AT_ALL, "lent_block"),
	EVERY_PATH(MEMORY_FILES, AT_FILE, "mmap"),
	EVERY_PATH(MEMORY_FILES, AT_FILE, "mmap_sync"),
	EVERY_PATH(MEMORY_FILES, AT_FILE, "lent"),
	EVERY_PATH(MEMORY_FILES, AT_FILE, "lent_direct"),
	EVERY_PATH(MEMORY_FILES, AT_FILE, "lent_block"),
	EVERY_PATH(MEMORY_IO, AT_PTE, "buffered"),
	EVERY_PATH(MEMORY_IO, AT_PTE, "vectored"),
	EVERY_PATH(MEMORY_IO, AT_PTE, "direct"),
	EVERY_PATH(MEMORY_IO, AT_PTE, "uring"),
	EVERY_PATH(MEMORY_IO, AT_PTE, "uring_deep"),
	EVERY_PATH(MEMORY_IO, AT_PTE, "uring_fixed"),
	EVERY_PATH(MEMORY_IO, AT_PTE, "uring_direct"),
	EVERY_PATH(MEMORY_IO, AT_PTE, "splice"),
	EVERY_PATH(MEMORY_IO, AT_PTE, "sendfile"),
	EVERY_PATH(MEMORY_FILES, AT_PTE, "copy_file_range"),
	GAPS("mmap"),
	GAPS("mmap_sync"),
	GAPS("lent"),
	GAPS("lent_direct"),
	GAPS("lent_block"),
	GAPS("buffered"),
	GAPS("vectored"),
	GAPS("direct"),
	GAPS("uring"),
	GAPS("uring_deep"),
	GAPS("uring_fixed"),
	GAPS("uring_direct"),
	GAPS("splice"),
	GAPS("sendfile"),
	GAPS("copy_file_range"),
	SAME(MEMORY_FILES, AT_FILE, "buffered"),
	SAME(MEMORY_FILES, AT_FILE, "direct"),
	SAME(MEMORY_FILES, AT_FILE, "vectored"),
	SAME(MEMORY_FILES, AT_FILE, "uring"),
	SAME(MEMORY_FILES, AT_FILE, "uring_deep"),
	SAME(MEMORY_FILES, AT_FILE, "uring_direct"),
	SAME(MEMORY_FILES, AT_FILE, "splice"),
	LARGE(MEMORY_DEVDAX, AT_PMD | AT_PUD),
	LARGE(MEMORY_FILES, AT_PMD),
	LARGE(MEMORY_BLOCKS, AT_PTE),
	KEPT(MEMORY_DEVDAX, AT_PMD, "unbind_device_dax", "mmap_flush"),
	KEPT(MEMORY_DEVDAX, AT_PMD, "disable_region", "mmap_flush"),
	KEPT(MEMORY_FILES, AT_PTE, "unbind_nd_pmem", "mmap_sync_flush"),
	KEPT(MEMORY_FILES, AT_PTE, "unbind_nd_pmem", "mmap_msync"),
	KEPT(MEMORY_FILES, AT_PTE, "unbind_nd_pmem", "buffered_fsync"),
	KEPT(MEMORY_FILES, AT_PTE, "unbind_nd_pmem", "vectored_dsync"),
	KEPT(MEMORY_FILES, AT_PTE, "unbind_nd_pmem", "direct_fsync"),
	KEPT(MEMORY_BLOCKS, AT_PTE, "unbind_nd_pmem", "buffered_fsync"),
	KEPT(MEMORY_BLOCKS, AT_PTE, "unbind_nd_pmem", "direct_fsync"),
	{
		.name = "control_wrong_byte",
		.what = "control: one byte that was changed is found by every way",
		.on = MEMORY_DEVDAX | MEMORY_IO, .sizes = AT_PTE, .bytes = IO_BYTES,
		.run = control_wrong_byte,
	},
	MODEL(MEMORY_DEVDAX, AT_PMD),
	MODEL(MEMORY_IO, AT_PTE),
	{ 0 }
};

static const struct suite suite = {
	.name = "pmem_io",
	.what = "I/O through persistent memory: what one way wrote, another reads",
	.scenarios = scenarios,
	.targets = true,
};

int main(int argc, char **argv)
{
	if (argc > 1 && (!strcmp(argv[1], "append") || !strcmp(argv[1], "verify")))
		return io_log(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "-b"))
		return io_bench(argc, argv);
	return suite_main(&suite, argc, argv);
}
