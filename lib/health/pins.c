// SPDX-License-Identifier: GPL-2.0-only
/*
 * pins: FOLL_PIN references balance, by the counters nr_foll_pin_acquired and
 * nr_foll_pin_released of /proc/vmstat.
 */
#include "lib/clock.h"
#include "lib/health/internal.h"
#include "lib/pin/pin.h"

/* Between two reads of the counters, each of which folds them on every CPU. */
#define SETTLE_POLL_NS	(2 * NSEC_PER_MSEC)

static int64_t pins_held(const struct pin_counters *c)
{
	return (int64_t)(c->acquired - c->released);
}

static int settle(struct pin_counters *now, const struct pin_counters *was)
{
	uint64_t end = clock_now_ns() + HEALTH_SETTLE_NS;
	bool late;
	int err;

	do {
		late = clock_now_ns() >= end;
		err = pin_counters_read(now);
		if (err || pins_held(now) == pins_held(was))
			return err;
		clock_sleep_ns(SETTLE_POLL_NS);
	} while (!late);
	return 0;
}

static int read_pins(void *state, void *before)
{
	return before ? settle(state, before) : pin_counters_read(state);
}

static bool judge_pins(const void *before, const void *after, struct health_lines *l)
{
	int64_t extra = pins_held(after) - pins_held(before);

	if (!extra)
		return false;
	health_lines_add(l, "pins: %lld page references %s",
			 (long long)(extra < 0 ? -extra : extra),
			 extra < 0 ? "released that were not taken" :
				     "taken and not released");
	return true;
}

static const struct oracle pins[] = {
	{
		.name = "pins",
		.settles = true,
		.size = sizeof(struct pin_counters),
		.read = read_pins,
		.judge = judge_pins,
	},
	{ }
};

REGISTER(oracles, pins);
