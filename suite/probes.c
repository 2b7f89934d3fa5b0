// SPDX-License-Identifier: GPL-2.0-only
/*
 * Properties of the kernel that scenarios probe once a run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "suite/internal.h"

struct probes {
	/* no bool: riscv64 exchanges a byte by a call into libatomic */
	atomic_int begun[PROBE_NR];
	atomic_bool found[PROBE_NR];
};

/* shared: each cell is a process of its own */
static struct probes *probes;

int probes_create(void)
{
	probes = mmap(NULL, sizeof(*probes), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return probes == MAP_FAILED ? -errno : 0;
}

bool suite_probe_begin(enum suite_probe probe)
{
	return !atomic_exchange(&probes->begun[probe], true);
}

void suite_probe_set(enum suite_probe probe)
{
	probes->found[probe] = true;
}

bool suite_probe_found(enum suite_probe probe)
{
	return probes->found[probe];
}
