/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two ends of a holder, and the threads in it.  Not for test programs.
 */
#ifndef DAX_LIB_HOLDER_INTERNAL_H
#define DAX_LIB_HOLDER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lib/daxmap.h"
#include "lib/holder/holder.h"
#include "lib/pin/pin.h"
#include "lib/timeline.h"

/* Device nodes, and files in a private directory. */
#define PIN_PROC_PATH		96

enum pin_proc_op {
	OP_MAP, OP_MOVE, OP_UNMAP, OP_PART, OP_CLOSE, OP_TOUCH, OP_PROVE, OP_FILL, OP_STREW,
	OP_CHECK, OP_ZEROES, OP_SAMPLE, OP_WATCH, OP_HAMMER, OP_CHURN, OP_IO, OP_ROUND, OP_CALM,
	OP_PIN, OP_LIVE, OP_RELEASE, OP_REACH, OP_HEIR, OP_END,
};

struct pin_proc_command {
	enum pin_proc_op op;
	unsigned int map;
	unsigned int pin;
	enum daxmap_size size;
	int prot;
	bool reopen;
	bool restless;
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

/* pin_proc_serve.c: the process itself */

/* answer commands until there are no more */
void pin_proc_serve(int sock, struct timeline *tl, struct pin_targets *targets);

/* 0, or -EFAULT when touching raised SIGBUS */
int pin_proc_touch_word(volatile uint64_t *p, bool write);

/* pin_proc_threads.c: what goes on until pin_proc_threads_calm() */

/* start the one that the command asks for, on @map if it is about a mapping */
int pin_proc_threads_start(const struct pin_proc_command *c, const struct daxmap *map,
			   struct timeline *tl);

/* wait until each has got round once more */
void pin_proc_threads_round(void);

/* end all; returns their rounds, and in @wrong the reads that got other bytes */
unsigned long pin_proc_threads_calm(unsigned long *wrong);

static inline void pin_proc_rest(long ns)
{
	struct timespec ts = { .tv_nsec = ns };

	nanosleep(&ts, NULL);
}

#endif
