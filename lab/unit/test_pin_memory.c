// SPDX-License-Identifier: GPL-2.0-only
/* Methods that need no device, on anonymous shared memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/pattern.h"
#include "lib/pin/pin.h"
#include "lib/pin/internal.h"

#define PAGES		16
#define RANGE_TAG	0x11
#define PEER_TAG	0x22

/* spans: what is pinned, inside the pages that are mapped */
static const struct {
	size_t off, len;
} spans[] = {
	{ 0, 512 }, { 3584, 512 }, { 512, 3584 }, { 0, 4096 }, { 8192, 4096 },
	{ 4096 - 512, 1024 }, { 1024, 3 * 4096 }, { 0, PAGES * 4096 },
	{ (PAGES - 1) * 4096, 4096 },
};

FIXTURE(memory) {
	char *mem;
	size_t page, len;
	struct pin pin;
};

/*
 * @hole: the error for a range with a page that is not mapped
 * @readonly: the error for a write into a read-only range
 */
FIXTURE_VARIANT(memory) {
	const char *name;
	int hole, readonly;
};

FIXTURE_VARIANT_ADD(memory, vmsplice) {
	.name = "vmsplice", .hole = -EFAULT, .readonly = -EFAULT
};

FIXTURE_VARIANT_ADD(memory, process_vm_readv) {
	.name = "process_vm_readv", .hole = -EFAULT, .readonly = -EFAULT
};

FIXTURE_VARIANT_ADD(memory, process_vm_writev) {
	.name = "process_vm_writev", .hole = -EFAULT, .readonly = -EFAULT
};

FIXTURE_VARIANT_ADD(memory, kvm_read) {
	.name = "kvm_read", .hole = -EFAULT, .readonly = -EFAULT
};

FIXTURE_VARIANT_ADD(memory, kvm_write) {
	.name = "kvm_write", .hole = -EFAULT, .readonly = -EFAULT
};

FIXTURE_VARIANT_ADD(memory, proc_mem_read) {
	.name = "proc_mem_read", .hole = -EIO, .readonly = -EIO
};

FIXTURE_VARIANT_ADD(memory, proc_mem_write) {
	.name = "proc_mem_write", .hole = -EIO, .readonly = -EIO
};

FIXTURE_VARIANT_ADD(memory, uring_fixed) {
	.name = "uring_fixed", .hole = -EFAULT, .readonly = -EFAULT
};

FIXTURE_VARIANT_ADD(memory, tee) {
	.name = "tee", .hole = -EFAULT, .readonly = -EFAULT
};

FIXTURE_VARIANT_ADD(memory, splice) {
	.name = "splice", .hole = -EFAULT, .readonly = -EFAULT
};

FIXTURE_VARIANT_ADD(memory, msg_zerocopy) {
	.name = "msg_zerocopy", .hole = -EFAULT, .readonly = -EFAULT
};

FIXTURE_VARIANT_ADD(memory, xdp_umem) {
	.name = "xdp_umem", .hole = -ENOMEM, .readonly = -EFAULT
};

static bool absent;

FIXTURE_SETUP(memory)
{
	int err;

	self->page = sysconf(_SC_PAGESIZE);
	self->len = PAGES * self->page;
	self->mem = mmap(NULL, self->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	ASSERT_NE(self->mem, MAP_FAILED);
	err = pin_open(&self->pin, pin_method_find(variant->name), NULL, self->len);
	absent = err == -EOPNOTSUPP;
	if (!absent)
		ASSERT_EQ(err, 0);
}

FIXTURE_TEARDOWN(memory)
{
	pin_close(&self->pin);
	munmap(self->mem, self->len);
}

TEST_F(memory, moves_the_right_bytes)
{
	struct pin *pin = &self->pin;
	size_t i;

	if (absent)
		SKIP(return, "%s", self->pin.why);
	for (i = 0; i < ARRAY_SIZE(spans); i++) {
		size_t off = spans[i].off, len = spans[i].len;
		char *start = self->mem + off;

		pattern_fill(self->mem, self->len, RANGE_TAG, 0);
		ASSERT_EQ(pin_prepare(pin), 0);
		if (pin->peer)
			pattern_fill(pin->peer, self->len, PEER_TAG, 0);
		ASSERT_EQ(pin_take(pin, start, len), 0);
		EXPECT_EQ(pin_live(pin), !!(pin->method->flags & PIN_HELD));
		EXPECT_EQ(pin_release(pin), 0);
		EXPECT_EQ(pin_live(pin), 0);

		if (pin->method->flags & PIN_SOURCE) {
			EXPECT_EQ(pattern_check(pin->peer, len, RANGE_TAG, off, NULL), 0);
			EXPECT_EQ(pattern_check((char *)pin->peer + len, self->len - len,
						PEER_TAG, len, NULL), 0);
			EXPECT_EQ(pattern_check(start, len, RANGE_TAG, off, NULL), 0);
		}
		if (pin->method->flags & PIN_SINK) {
			EXPECT_EQ(pattern_check(start, len, PEER_TAG, 0, NULL), 0);
			EXPECT_EQ(pattern_check(pin->peer, self->len, PEER_TAG, 0, NULL), 0);
		}
		/* the neighbours */
		EXPECT_EQ(pattern_check(self->mem, off, RANGE_TAG, 0, NULL), 0);
		EXPECT_EQ(pattern_check(start + len, self->len - off - len, RANGE_TAG,
					off + len, NULL), 0);
	}
}

/* a tail that is not mapped: refused, nothing left out, and good for another go */
TEST_F(memory, unmapped_tail_is_refused)
{
	struct pin *pin = &self->pin;

	if (absent)
		SKIP(return, "%s", self->pin.why);
	ASSERT_EQ(munmap(self->mem + 4 * self->page, self->page), 0);
	EXPECT_EQ(pin_take(pin, self->mem + 2 * self->page, 4 * self->page), variant->hole);
	EXPECT_EQ(pin_live(pin), 0);
	EXPECT_EQ(pin_take(pin, self->mem + 2 * self->page, 2 * self->page), 0);
	EXPECT_EQ(pin_live(pin), !!(pin->method->flags & PIN_HELD));
	EXPECT_EQ(pin_release(pin), 0);
}

TEST_F(memory, write_to_read_only_is_refused)
{
	struct pin *pin = &self->pin;

	if (absent)
		SKIP(return, "%s", self->pin.why);
	if (pin->method->flags & PIN_SOURCE)
		SKIP(return, "does not write");
	ASSERT_EQ(mprotect(self->mem, self->len, PROT_READ), 0);
	EXPECT_EQ(pin_take(pin, self->mem, self->page), variant->readonly);
	EXPECT_EQ(pin_live(pin), 0);
}

/* the pin's own descriptors say what is out, not its memory of having taken */
TEST_F(memory, live_asks_the_kernel)
{
	struct pin *pin = &self->pin;
	int status;
	pid_t pid;

	if (absent)
		SKIP(return, "%s", self->pin.why);
	if (!(pin->method->flags & PIN_HELD))
		SKIP(return, "is not held");
	if (!strcmp(variant->name, "xdp_umem"))
		SKIP(return, "only the last descriptor lets go");
	ASSERT_EQ(pin_take(pin, self->mem, self->page), 0);
	EXPECT_EQ(pin_live(pin), 1);
	/* a child has the same descriptors: what it lets go is gone */
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(pin_release(pin) ? 1 : 0);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(pin_live(pin), 0);
	/* there is nothing left to let go, and waiting for it would be for ever */
	pin->taken = false;
}

TEST_F(memory, survives_munmap)
{
	struct pin *pin = &self->pin;

	if (absent)
		SKIP(return, "%s", self->pin.why);
	if (!(pin->method->flags & PIN_HELD))
		SKIP(return, "is not held");
	pattern_fill(self->mem, self->len, RANGE_TAG, 0);
	ASSERT_EQ(pin_take(pin, self->mem, self->len), 0);
	ASSERT_EQ(munmap(self->mem, self->len), 0);
	EXPECT_EQ(pin_live(pin), 1);
	EXPECT_EQ(pin_release(pin), 0);
	if (pin->method->flags & PIN_SOURCE)
		EXPECT_EQ(pattern_check(pin->peer, self->len, RANGE_TAG, 0, NULL), 0);
}

/* pages that are lent, not copied: what is stored later gets there as well */
TEST_F(memory, lends_the_pages_themselves)
{
	struct pin *pin = &self->pin;

	if (absent)
		SKIP(return, "%s", self->pin.why);
	if (!(pin->method->flags & PIN_SOURCE) || !(pin->method->flags & PIN_HELD))
		SKIP(return, "lends nothing");
	pattern_fill(self->mem, self->len, RANGE_TAG, 0);
	ASSERT_EQ(pin_take(pin, self->mem, self->len), 0);
	pattern_fill(self->mem, self->len, PEER_TAG, 0);
	EXPECT_EQ(pin_release(pin), 0);
	EXPECT_EQ(pattern_check(pin->peer, self->len, PEER_TAG, 0, NULL), 0);
}

TEST_F(memory, closing_lets_go)
{
	struct pin *pin = &self->pin;

	if (absent)
		SKIP(return, "%s", self->pin.why);
	ASSERT_EQ(pin_take(pin, self->mem, self->page), 0);
	pin_close(pin);
	EXPECT_EQ(pin->priv, NULL);
	EXPECT_EQ(pin->peer, NULL);
}

TEST(small_pipe_is_full)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *mem = mmap(NULL, 256 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	int fds[2];

	ASSERT_NE(mem, MAP_FAILED);
	ASSERT_EQ(pin_pipe_open(fds, page), 0);
	EXPECT_EQ(pin_pipe_fill(fds[1], mem, 256 * page), -E2BIG);
	close(fds[0]);
	close(fds[1]);

	/* one that was made for the length takes it from any place inside a page */
	ASSERT_EQ(pin_pipe_open(fds, 16 * page), 0);
	EXPECT_EQ(pin_pipe_fill(fds[1], mem + page - 512, 16 * page), 0);
	EXPECT_EQ(pin_pipe_drain(fds[0], mem + 100 * page, 16 * page), 0);
	close(fds[0]);
	close(fds[1]);
	munmap(mem, 256 * page);
}

TEST_HARNESS_MAIN
