// SPDX-License-Identifier: GPL-2.0-only
/* lib/pin/: the methods that are registered, and pin.c, the steps common to all. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/pattern.h"
#include "lib/pin/pin.h"
#include "lib/pin/select.h"
#include "lib/pin/targets.h"

static unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* a method that only notes what is asked of it */
static struct {
	int opened, taken, asked, released, closed;
	int ret;
} fake;

static int fake_open(struct pin *pin)
{
	fake.opened++;
	pin->priv = &fake;
	return 0;
}

static int fake_take(struct pin *pin)
{
	fake.taken++;
	/* there must be something to move the bytes to and from */
	return pin->peer && pin->peer_len >= pin->len ? fake.ret : -EINVAL;
}

static int fake_live(struct pin *pin)
{
	(void)pin;
	fake.asked++;
	return 1;
}

static int fake_release(struct pin *pin)
{
	(void)pin;
	fake.released++;
	return fake.ret;
}

static void fake_close(struct pin *pin)
{
	pin->priv = NULL;
	fake.closed++;
}

#define FAKE .open = fake_open, .take = fake_take, .live = fake_live, \
	.release = fake_release, .close = fake_close

static const struct pin_method held = {
	.name = "held", .flags = PIN_SINK | PIN_HELD, .max_len = 1 << 20, FAKE
};

static const struct pin_method transient = {
	.name = "transient", .flags = PIN_SOURCE, FAKE
};

FIXTURE(pin) {
	struct pin pin;
	char range[4096];
};

FIXTURE_SETUP(pin)
{
	memset(&fake, 0, sizeof(fake));
}

FIXTURE_TEARDOWN(pin)
{
	pin_close(&self->pin);
}

TEST(table_is_whole)
{
	const struct pin_method *m;
	const char *p;
	int n = 0;

	for_each_pin_method(m) {
		n++;
		for (p = m->name; *p; p++)
			EXPECT_NE(strchr("abcdefghijklmnopqrstuvwxyz_0123456789", *p), NULL);
		ASSERT_NE(m->what, NULL);
		EXPECT_GT(strlen(m->what), 10);
		if (m->lacks) {
			EXPECT_GT(strlen(m->lacks), 10);
			continue;
		}
		ASSERT_TRUE(m->open && m->take);
		/* only what is held can be asked for and released */
		EXPECT_TRUE(!(m->flags & PIN_HELD) || (m->live && m->release));
		EXPECT_EQ(!!(m->flags & PIN_REACH), !!m->reach);
		/* one direction; only what is held can be timed, or wait for a command */
		EXPECT_NE(m->flags & (PIN_SOURCE | PIN_SINK), PIN_SOURCE | PIN_SINK);
		EXPECT_TRUE(!(m->flags & (PIN_TIMED | PIN_DM_DELAY)) || m->flags & PIN_HELD);
		EXPECT_NE(m->flags & (PIN_TIMED | PIN_DM_DELAY), PIN_TIMED | PIN_DM_DELAY);
		/* what moves bytes has a limit, for the sake of memory */
		EXPECT_TRUE(!(m->flags & (PIN_SOURCE | PIN_SINK)) || m->max_len);
		/* also: no other one of that name comes before it */
		EXPECT_EQ(pin_method_find(m->name), m);
	}
	EXPECT_GE(n, 20);
	EXPECT_EQ(pin_method_find("nonsense"), NULL);
	EXPECT_EQ(pin_method_find(""), NULL);
}

TEST(sets_are_chosen_by_flags)
{
	static const struct pin_method
		read = { .name = "read", .flags = PIN_SOURCE | PIN_HELD },
		timed = { .name = "timed", .flags = PIN_SINK | PIN_HELD | PIN_TIMED },
		plain = { .name = "plain" };

	EXPECT_FALSE(pin_selected(NULL, &plain));
	EXPECT_TRUE(pin_selected(PINS_ANY, &plain));
	EXPECT_FALSE(pin_selected(PINS_HELD, &plain));
	EXPECT_TRUE(pin_selected(PINS_HELD, &read));
	EXPECT_TRUE(pin_selected(PINS_UNTIMED, &read));
	EXPECT_FALSE(pin_selected(PINS_UNTIMED, &timed));
	/* all flags, not any of them */
	EXPECT_FALSE(pin_selected(PINS(.all = PIN_SINK | PIN_HELD), &read));
	/* none of the flags */
	EXPECT_FALSE(pin_selected(PINS(.none = PIN_LOST | PIN_TIMED), &timed));
	EXPECT_TRUE(pin_selected(PIN_ONE("plain"), &plain));
	EXPECT_FALSE(pin_selected(PIN_ONE("plain"), &read));
	EXPECT_FALSE(pin_selected(PINS(.all = PIN_HELD, .only = "plain"), &plain));
	/* one of two sets is enough */
	EXPECT_TRUE(pin_selected(PIN_TWO("plain", "read"), &read));
	EXPECT_TRUE(pin_selected(PINS(.only = "plain", .also = PINS_TIMED), &timed));
	EXPECT_FALSE(pin_selected(PINS(.only = "plain", .also = PINS_TIMED), &read));
}

/* a method that a set names by its name has to be there */
TEST(named_methods_exist)
{
	const struct pin_select *const sets[] = {
		PIN_VMSPLICE, PINS_NEXT_OWNER, PINS_FILE, PINS_FILE_SOURCE, PINS_FILE_SINK,
		PINS_VMSPLICE_OR_REACH, PINS_GUEST, PINS_DM_DELAY_DIRECT, PINS_TIMED_DIRECT,
		PINS_LOST, PINS_INHERITED, PINS_UNTIMED_CHEAP, PINS_UNTIMED_COSTLY,
	};

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		const struct pin_method *m;
		unsigned int nr = 0;

		for (const struct pin_select *s = sets[i]; s; s = s->also)
			EXPECT_TRUE(!s->only || pin_method_find(s->only));
		for_each_pin_method(m)
			nr += pin_selected(sets[i], m);
		EXPECT_GT(nr, 0);
	}
}

/* without block devices those that need them say so, and leave nothing open */
TEST(io_needs_targets)
{
	static const char * const names[] = {
		"odirect_write", "odirect_read", "odirect_write_dmdelay", "odirect_read_dmdelay",
		"aio_write_dmdelay", "aio_read_dmdelay",
		"uring_write", "uring_read", "uring_write_dmdelay", "uring_read_dmdelay",
		"uring_write_fixed", "uring_read_fixed", NULL
	};
	struct pin_targets none = { .why = "none were made", .slow_ns = 1, .slower_ns = 2 };
	const char * const *name;
	unsigned int files;

	for (name = names; *name; name++) {
		struct pin pin = { .hold_ns = 1 };

		files = open_files();
		EXPECT_EQ(pin_open(&pin, pin_method_find(*name), NULL, 4096), -EOPNOTSUPP);
		EXPECT_GT(strlen(pin.why), 10);
		pin_close(&pin);
		EXPECT_EQ(open_files(), files);

		pin.hold_ns = 1;
		EXPECT_EQ(pin_open(&pin, pin_method_find(*name), &none, 4096), -EOPNOTSUPP);
		if (!strncmp(*name, "odirect", 7))
			EXPECT_STREQ(pin.why, "none were made");
		pin_close(&pin);
		EXPECT_EQ(open_files(), files);
	}
}

/* a device that could not be made is not tried again: a skip takes no time */
TEST(registering_needs_a_device)
{
	struct pin_targets none = { .id = 4000000001u, .rdma_why = "none could be made" };
	const struct pin_method *mr = pin_method_find("rdma_mr");
	unsigned int files = open_files();
	struct pin pin = { 0 };

	EXPECT_EQ(pin_open(&pin, mr, NULL, 4096), -EOPNOTSUPP);
	EXPECT_GT(strlen(pin.why), 10);
	pin_close(&pin);
	EXPECT_EQ(pin_open(&pin, mr, &none, 4096), -EOPNOTSUPP);
	EXPECT_STREQ(pin.why, "none could be made");
	pin_close(&pin);
	EXPECT_EQ(open_files(), files);
}

TEST(a_clock_has_limits)
{
	struct pin_targets t = { .slow_ns = 1, .slower_ns = 2, .fast = "/nonexistent" };
	struct pin pin = { .hold_ns = 3 };

	EXPECT_EQ(pin_open(&pin, pin_method_find("odirect_read"), &t, 4096), -ERANGE);
	pin_close(&pin);
	pin.hold_ns = 1;
	EXPECT_EQ(pin_open(&pin, pin_method_find("odirect_read"), &t, 64 << 20), -E2BIG);
	pin_close(&pin);
	/* without a hold the same length is fine, and the target is looked for */
	pin.hold_ns = 0;
	EXPECT_EQ(pin_open(&pin, pin_method_find("odirect_read"), &t, 64 << 20), -ENOENT);
	pin_close(&pin);
}

TEST(a_clock_can_be_set_before_its_device_is_made)
{
	struct pin_targets t = { .id = ~0u, .slow_ns = 1, .slower_ns = 2 };

	EXPECT_EQ(pin_targets_retime(&t, 5), 0);
	EXPECT_EQ(t.slow_ns, 5);
}

/* a buffer's I/O is held by dm-delay where there is one, and else by a clock */
TEST(a_buffer_takes_either_target)
{
	const struct pin_method *m = pin_method_find("uring_write_fixed");
	struct pin_targets t = {
		.slow_ns = 1, .slower_ns = 2, .fast = "/nonexistent/fast",
		.delay = "/nonexistent/delay",
	};
	struct pin pin = { .hold_ns = 1 };
	int err = pin_open(&pin, m, &t, 4096);

	if (err == -EOPNOTSUPP)
		SKIP(return, "no io_uring here");
	EXPECT_EQ(err, -ENOENT);
	EXPECT_NE(strstr(pin.why, t.delay), NULL);
	pin_close(&pin);
	pin.hold_ns = 0;
	EXPECT_EQ(pin_open(&pin, m, &t, 4096), -ENOENT);
	EXPECT_NE(strstr(pin.why, t.fast), NULL);
	pin_close(&pin);
	/* longer than any clock goes */
	t.delay[0] = '\0';
	pin.hold_ns = 3;
	EXPECT_EQ(pin_open(&pin, m, &t, 4096), -ERANGE);
	pin_close(&pin);
}

TEST_F(pin, goes_through_its_life)
{
	void *peer;

	ASSERT_EQ(pin_open(&self->pin, &held, NULL, sizeof(self->range)), 0);
	EXPECT_EQ(self->pin.peer, NULL);
	EXPECT_EQ(pin_live(&self->pin), 0);
	EXPECT_EQ(pin_release(&self->pin), 0);
	EXPECT_EQ(fake.asked + fake.released, 0);

	ASSERT_EQ(pin_prepare(&self->pin), 0);
	peer = self->pin.peer;
	ASSERT_NE(peer, NULL);
	EXPECT_GE(self->pin.peer_len, sizeof(self->range));
	snprintf(peer, sizeof(self->range), "bytes to arrive");

	EXPECT_EQ(pin_take(&self->pin, self->range, sizeof(self->range)), 0);
	EXPECT_TRUE(self->pin.taken);
	EXPECT_EQ(self->pin.peer, peer);
	EXPECT_STREQ(peer, "bytes to arrive");
	EXPECT_EQ(pin_take(&self->pin, self->range, 512), -EBUSY);
	EXPECT_EQ(pin_live(&self->pin), 1);
	EXPECT_EQ(pin_release(&self->pin), 0);
	EXPECT_EQ(pin_live(&self->pin), 0);
	EXPECT_EQ(pin_release(&self->pin), 0);
	EXPECT_EQ(fake.released, 1);

	/* and once more */
	EXPECT_EQ(pin_take(&self->pin, self->range, 512), 0);
	EXPECT_EQ(self->pin.len, 512);
	pin_close(&self->pin);
	EXPECT_EQ(fake.released, 2);
	pin_close(&self->pin);
	EXPECT_EQ(fake.closed, 1);
}

TEST_F(pin, ranges_are_bounded)
{
	EXPECT_EQ(pin_open(&self->pin, &held, NULL, (1 << 20) + 1), -E2BIG);
	EXPECT_NE(strlen(self->pin.why), 0);
	EXPECT_EQ(fake.opened, 0);
	ASSERT_EQ(pin_open(&self->pin, &held, NULL, 512), 0);
	EXPECT_EQ(pin_take(&self->pin, self->range, 0), -EINVAL);
	EXPECT_EQ(pin_take(&self->pin, self->range, 513), -EINVAL);
	EXPECT_EQ(fake.taken, 0);
}

TEST_F(pin, failures_are_passed_on)
{
	ASSERT_EQ(pin_open(&self->pin, &held, NULL, 512), 0);
	fake.ret = -EFAULT;
	EXPECT_EQ(pin_take(&self->pin, self->range, 512), -EFAULT);
	EXPECT_FALSE(self->pin.taken);
	EXPECT_EQ(pin_live(&self->pin), 0);
	fake.ret = 0;
	EXPECT_EQ(pin_take(&self->pin, self->range, 512), 0);
	fake.ret = -EIO;
	EXPECT_EQ(pin_release(&self->pin), -EIO);
	EXPECT_FALSE(self->pin.taken);
}

TEST_F(pin, what_is_not_held_is_not_asked)
{
	ASSERT_EQ(pin_open(&self->pin, &transient, NULL, 512), 0);
	EXPECT_EQ(pin_take(&self->pin, self->range, 512), 0);
	EXPECT_EQ(pin_live(&self->pin), 0);
	EXPECT_EQ(pin_release(&self->pin), 0);
	EXPECT_EQ(fake.asked + fake.released, 0);
}

/* what a build cannot carry out says so, and none of its functions is called */
TEST_F(pin, lacking_is_not_opened)
{
	static const struct pin_method lacking = { .name = "lacking", .lacks = "built without" };

	EXPECT_EQ(pin_open(&self->pin, &lacking, NULL, 512), -EOPNOTSUPP);
	EXPECT_STREQ(self->pin.why, "built without");
}

TEST_F(pin, a_sink_is_opened_filled)
{
	ASSERT_EQ(pin_open_filled(&self->pin, &held, NULL, 512, 7, 4096), 0);
	ASSERT_NE(self->pin.peer, NULL);
	EXPECT_EQ(pattern_check(self->pin.peer, 512, 7, 4096, NULL), 0);
	pin_close(&self->pin);
	ASSERT_EQ(pin_open_filled(&self->pin, &transient, NULL, 512, 7, 4096), 0);
	EXPECT_EQ(self->pin.peer, NULL);
}

TEST_F(pin, hold_survives_open)
{
	self->pin.hold_ns = 12345;
	snprintf(self->pin.why, sizeof(self->pin.why), "left over");
	ASSERT_EQ(pin_open(&self->pin, &held, NULL, 512), 0);
	EXPECT_EQ(self->pin.hold_ns, 12345);
	EXPECT_STREQ(self->pin.why, "");
}

TEST_F(pin, descriptors_for_a_thousand)
{
	struct rlimit rl;

	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = 64;
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &rl), 0);
	ASSERT_EQ(pin_open(&self->pin, &held, NULL, 512), 0);
	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &rl), 0);
	EXPECT_TRUE(rl.rlim_cur >= 8192 || rl.rlim_cur == rl.rlim_max);
}

TEST(counters_move_forwards)
{
	struct pin_counters a, b;
	int err = pin_counters_read(&a);

	if (err == -EACCES || err == -EPERM || err == -EROFS)
		SKIP(return, "only root may fold the counters");
	if (err == -EOPNOTSUPP)
		SKIP(return, "this kernel does not count pins");
	ASSERT_EQ(err, 0);
	ASSERT_EQ(pin_counters_read(&b), 0);
	EXPECT_GE(b.acquired, a.acquired);
	EXPECT_GE(b.released, a.released);
	EXPECT_GE(a.acquired, 0);
}

TEST(destroying_nothing_is_fine)
{
	struct pin_targets t = { .id = 4000000001u };

	if (geteuid())
		SKIP(return, "only root may ask device mapper");
	EXPECT_EQ(pin_targets_destroy(&t), 0);
	EXPECT_EQ(pin_targets_destroy(&t), 0);
	EXPECT_EQ(pin_targets_flush(&t), -ENODEV);
	EXPECT_EQ(pin_targets_held(&t, true), -ENODEV);
}

TEST_HARNESS_MAIN
