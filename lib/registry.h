/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables whose entries lie beside their functions, each in a file of its own.
 *
 * A file registers an array of entries, or a single object.  They are in the table
 * when the file is linked, and the linker is all that collects them: a file that is
 * left out takes its entries along.  Arrays come in the order in which their files
 * are linked.
 */
#ifndef DAX_LIB_REGISTRY_H
#define DAX_LIB_REGISTRY_H

#include <stddef.h>

#define REGISTRY_PASTE(a, b)	a##_##b
#define REGISTRY_NAME(a, b)	REGISTRY_PASTE(a, b)

/**
 * REGISTER - put entries into a table
 * @table: the table's name, of REGISTRY()
 * @first: a static const array of entries, whose last has no name; or the address of
 *	one object, for tables that are visited by for_each_registered()
 */
#define REGISTER(table, first)							\
	static const typeof(*(first)) *const REGISTRY_NAME(table, __LINE__)	\
	__attribute__((used, section(#table))) = (first)

/**
 * REGISTRY - declare a table
 * @table: its name
 * @type: type of its entries
 *
 * The linker provides both ends.  An empty table has neither: both are NULL.
 */
#define REGISTRY(table, type)							\
	extern const type *const __start_##table[] __attribute__((weak));	\
	extern const type *const __stop_##table[] __attribute__((weak))

/**
 * for_each_registered - visit what was registered
 * @table: its name
 * @p: points to a const pointer: *@p is the object, or the first entry of an array
 */
#define for_each_registered(table, p)						\
	for (p = __start_##table; p < __stop_##table; p++)

/**
 * REGISTRY_NEXT - the entry after another one, of a table of arrays
 * @table: its name
 * @entry: an entry; NULL for the first of all
 *
 * The type's first member is "const char *name".
 *
 * Evaluates to the entry, or to NULL after the last.
 */
#define REGISTRY_NEXT(table, entry)						\
	((typeof(__start_##table[0]))registry_next((const void *const *)__start_##table,	\
						   (const void *const *)__stop_##table,	\
						   entry, sizeof(*__start_##table[0])))

static inline const char *registry_name(const void *entry)
{
	return *(const char *const *)entry;
}

static inline const void *registry_next(const void *const *table, const void *const *end,
					const void *entry, size_t size)
{
	const char *next = entry ? (const char *)entry + size : NULL;

	if (next && registry_name(next))
		return next;
	/* the array that ends with this one is over: what comes after that array? */
	for (; next && table < end; table++) {
		const char *e = *table;

		while (registry_name(e))
			e += size;
		if (e == next)
			break;
	}
	for (table += !!next; table < end; table++)
		if (registry_name(*table))
			return *table;
	return NULL;
}

#endif
