/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The commands between the two ends of a pin process, and its threads.  For
 * lib/holder/ only.
 */
#ifndef DAX_LIB_HOLDER_INTERNAL_H
#define DAX_LIB_HOLDER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/clock.h"
#include "lib/daxmap.h"
#include "lib/holder/holder.h"
#include "lib/pin/pin.h"
#include "lib/timeline.h"

/* Device nodes, and files in a private directory. */
#define PIN_PROC_PATH		96

enum pin_proc_op {
	CMD_MAP, CMD_MOVE, CMD_UNMAP, CMD_UNMAP_PART, CMD_CLOSE, CMD_TOUCH, CMD_PROVE,
	CMD_FILL, CMD_FILL_SAMPLED, CMD_CHECK, CMD_ZEROES, CMD_CHECK_SAMPLED,
	CMD_WATCH, CMD_STORE_LOOP, CMD_REMAP_LOOP, CMD_IO, CMD_WAIT_ITERATION,
	CMD_STOP_THREADS,
	CMD_PIN, CMD_LIVE, CMD_RELEASE, CMD_REACH, CMD_FORK_CHILD, CMD_END,
};

struct pin_proc_command {
	enum pin_proc_op op;
	unsigned int map;
	unsigned int pin;
	enum daxmap_size size;
	int prot;
	bool reopen;
	bool busy;
	unsigned int io;
	size_t off;
	size_t len;
	size_t stride;
	uint64_t as;
	uint64_t hold_ns;
	uint16_t tag;
	const struct pin_method *method;
	char path[PIN_PROC_PATH];
};

struct pin_proc_reply {
	int ret;
	unsigned long value;
	char why[192];
};

/* serve.c: the process itself */

/* carries out commands until the other end closes the socket */
void pin_proc_serve(int sock, struct timeline *tl, struct pin_targets *targets);

/* 0, or -EFAULT when touching raised SIGBUS */
int pin_proc_touch_word(volatile uint64_t *p, bool write);

/* threads.c: loops that run until pin_proc_threads_stop() */

/* starts the thread of this command, on @map if it accesses a mapping; 0 or -errno */
int pin_proc_threads_start(const struct pin_proc_command *c, const struct daxmap *map,
			   struct timeline *tl);

/* waits until each thread has done one whole iteration more */
void pin_proc_threads_wait(void);

/* ends all threads; returns their iterations; @wrong: reads that got other bytes */
unsigned long pin_proc_threads_stop(unsigned long *wrong);

#endif
