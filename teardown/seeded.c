// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unbind and bind again and again, with pins chosen by a seed.  The seed is printed;
 * DAX_TEST_SEED repeats the run.
 */
#define _GNU_SOURCE
#include "lib/random.h"
#include "teardown/teardown.h"

/* A dozen rounds under TCG; DAX_TEST_TIME asks for more. */
#define SEEDED_SECONDS	2.0

#define MAX_PINS	3

/* NULL when this build has no method that qualifies */
static const struct pin_method *random_method(uint64_t *rnd)
{
	const struct pin_method *m;
	unsigned int nr = 0, pick;

	for_each_pin_method(m)
		nr += pin_selected(PINS_UNTIMED_SAFE, m);
	if (!nr)
		return NULL;
	pick = random_next(rnd) % nr;
	for_each_pin_method(m)
		if (pin_selected(PINS_UNTIMED_SAFE, m) && !pick--)
			return m;
	return NULL;
}

/* Return: false when the cell is over */
static bool run_round(struct cell *c, uint64_t *rnd)
{
	unsigned int pins = random_next(rnd) % (MAX_PINS + 1);
	struct teardown s;
	bool go_on;

	timeline_reset(&c->guard->tl);
	if (!teardown_setup(c, &s))
		goto out;
	if (random_next(rnd) % 2) {
		if (!teardown_watch_mapping(&s))
			goto out;
	} else {
		s.rule.revoke = false;
	}
	for (; pins && !cell_over(c); pins--) {
		const struct pin_method *m = random_method(rnd);

		if (!m)
			break;
		teardown_pin(&s, m, 0);
		/* without the methods that this kernel refuses */
		c->skipped = false;
	}
	if (!cell_over(c))
		teardown_run(&s);
out:
	go_on = !cell_over(c);
	teardown_cleanup(&s);
	return go_on;
}

static void seeded(struct cell *c)
{
	uint64_t end = timeline_now() + suite_seconds(SEEDED_SECONDS) * NSEC_PER_SEC;
	uint64_t seed = suite_seed(), rnd = seed ?: 1;
	unsigned int rounds = 0;

	note("DAX_TEST_SEED=%llu", (unsigned long long)seed);
	while (timeline_now() < end && run_round(c, &rnd))
		rounds++;
	note("%u rounds", rounds);
}

static const struct scenario_group seeded_group = {
	.name = "seeded",
	.order = 11,
	.common = {
		.on = ON_DEVDAX,
		.sizes = AT_ALL,
	},
	.scenarios = (const struct scenario[]){
		{
			.name = "seeded",
			.what = "again and again for DAX_TEST_TIME seconds, pins chosen by DAX_TEST_SEED",
			.words = LIST("random"),
			.actions = FIRST_ACTION,
			.run = seeded,
		},
		{ }
	},
};

REGISTER(scenario_groups, &seeded_group);
