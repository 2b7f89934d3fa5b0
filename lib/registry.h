/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tables whose entries lie beside their functions, each in a file of its own.
 *
 * An entry is in the table when its file is linked, and the linker is all that
 * collects them: a file that is left out takes its entries along.  Entries come in
 * the order in which their files are linked.
 */
#ifndef DAX_LIB_REGISTRY_H
#define DAX_LIB_REGISTRY_H

/**
 * REGISTER - put a static entry into a table
 * @table: the table's name, of REGISTRY()
 * @entry: a static const object of the table's type
 */
#define REGISTER(table, entry)						\
	static const typeof(entry) *const table##_##entry		\
	__attribute__((used, section(#table))) = &(entry)

/**
 * REGISTRY - declare a table
 * @table: its name
 * @type: what its entries are
 *
 * The linker provides both ends; neither is there when the table is empty.
 */
#define REGISTRY(table, type)						\
	extern type const *const __start_##table[] __attribute__((weak));	\
	extern type const *const __stop_##table[] __attribute__((weak))

/**
 * for_each_registered - visit a table's entries
 * @table: its name
 * @p: a pointer to const pointers to entries: *@p is the entry
 */
#define for_each_registered(table, p)					\
	for (p = __start_##table; p < __stop_##table; p++)

#endif
