// SPDX-License-Identifier: GPL-2.0-only
/*
 * null_blk devices, through configfs: one that completes at once, and two whose
 * completions are delayed by a timer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/pin/target.h"

#define NULLB_DIR	"/sys/kernel/config/nullb"

/*
 * Requests of at least 124 KiB: all of PIN_COPY_MAX in flight, and the transfer
 * between peer and target beside it, leave room for some more pins.
 */
#define QUEUE_DEPTH	4096

static int write_attr(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static void nullb_name(const struct pin_targets *t, const char *what, char *name, size_t len)
{
	snprintf(name, len, "ksft-dax-%u-%s", t->id, what);
}

static int nullb_set(const char *name, const char *attr, uint64_t value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), NULLB_DIR "/%s/%s", name, attr);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	return write_attr(path, text);
}

static int nullb_get(const char *name, const char *attr, unsigned int *value)
{
	char path[128];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), NULLB_DIR "/%s/%s", name, attr);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	n = fscanf(f, "%u", value);
	fclose(f);
	return n == 1 ? 0 : -EINVAL;
}

/* the disk's name: that of the directory since 6.x, nullb<index> before */
static int nullb_disk(const char *name, char *disk, size_t len)
{
	unsigned int index;
	char path[96];
	int err;

	snprintf(path, sizeof(path), "/sys/block/%s", name);
	if (!access(path, F_OK)) {
		snprintf(disk, len, "%s", name);
		return 0;
	}
	err = nullb_get(name, "index", &index);
	if (!err)
		snprintf(disk, len, "nullb%u", index);
	return err;
}

int pin_nullb_remove(const struct pin_targets *t, const char *what)
{
	char name[48], path[128];
	int err;

	nullb_name(t, what, name, sizeof(name));
	snprintf(path, sizeof(path), NULLB_DIR "/%s", name);
	if (access(path, F_OK))
		return 0;
	err = nullb_set(name, "power", 0);
	if (rmdir(path) && !err)
		err = -errno;
	return err;
}

static int nullb_configure(const char *name, size_t size, uint64_t completion_ns)
{
	const struct {
		const char *attr;
		uint64_t value;
	} settings[] = {
		{ "size", size >> 20 },
		{ "blocksize", 512 },
		{ "memory_backed", 1 },
		{ "hw_queue_depth", QUEUE_DEPTH },
		{ "submit_queues", 1 },
		/* 2: complete from a timer; 0: in the submitter */
		{ "irqmode", completion_ns ? 2 : 0 },
		{ "completion_nsec", completion_ns },
		{ "power", 1 },
		{ }
	};
	int err = 0;

	for (int i = 0; settings[i].attr && !err; i++)
		err = nullb_set(name, settings[i].attr, settings[i].value);
	return err;
}

static int nullb_make(const struct pin_targets *t, const char *what, uint64_t completion_ns,
		      char *node, size_t len)
{
	char name[48], disk[48], path[128];
	int err;

	nullb_name(t, what, name, sizeof(name));
	snprintf(path, sizeof(path), NULLB_DIR "/%s", name);
	if (mkdir(path, 0700))
		return -errno;
	err = nullb_configure(name, t->size, completion_ns);
	if (!err)
		err = nullb_disk(name, disk, sizeof(disk));
	if (!err) {
		/* no scheduler: it would hold requests back, and reorder them */
		snprintf(path, sizeof(path), "/sys/block/%s/queue/scheduler", disk);
		write_attr(path, "none");
		snprintf(node, len, "/dev/%s", disk);
		err = pin_target_wait_node(node);
	}
	if (err) {
		node[0] = '\0';
		pin_nullb_remove(t, what);
	}
	return err;
}

int pin_nullb_create(struct pin_targets *t, const char *what, char *node, size_t len)
{
	int err = pin_target_load(t, "null_blk", "nr_devices=0", TARGET_NULL_BLK);

	if (err)
		return pin_target_missing(t, err, "the module null_blk is missing");
	if (access(NULLB_DIR, F_OK))
		return pin_target_missing(t, -ENOENT,
					  "configfs is not mounted on /sys/kernel/config");
	err = nullb_make(t, what, 0, node, len);
	if (err)
		return pin_target_missing(t, err, "null_blk refused a device: %s", strerror(-err));
	return 0;
}

int pin_targets_timed(const struct pin_targets *t, uint64_t hold_ns,
		      uint64_t *delay_ns, char *node, size_t len)
{
	const char *what = hold_ns > t->slow_ns ? "slower" : "slow";
	char name[48], disk[48];
	int err;

	*delay_ns = hold_ns > t->slow_ns ? t->slower_ns : t->slow_ns;
	if (hold_ns > *delay_ns)
		return -ERANGE;
	err = nullb_make(t, what, *delay_ns, node, len);
	if (err != -EEXIST)
		return err;
	/* it exists, or another process is just making it */
	nullb_name(t, what, name, sizeof(name));
	err = nullb_disk(name, disk, sizeof(disk));
	if (err)
		return err;
	snprintf(node, len, "/dev/%s", disk);
	return pin_target_wait_node(node);
}

int pin_targets_retime(struct pin_targets *t, uint64_t slow_ns)
{
	int err = pin_nullb_remove(t, "slow");

	if (!err)
		t->slow_ns = slow_ns;
	return err;
}

static int nullb_create(struct pin_targets *t)
{
	return pin_nullb_create(t, "fast", t->fast, sizeof(t->fast));
}

static int nullb_destroy(const struct pin_targets *t)
{
	static const char *const all[] = { "fast", "slow", "slower", NULL };
	int err, ret = 0;

	for (int i = 0; all[i]; i++) {
		err = pin_nullb_remove(t, all[i]);
		ret = ret ?: err;
	}
	return ret;
}

static void nullb_unload(const struct pin_targets *t)
{
	pin_target_unload(t, "null_blk", TARGET_NULL_BLK);
}

static const struct pin_target nullb_target = {
	.create = nullb_create,
	.destroy = nullb_destroy,
	.unload = nullb_unload,
};

REGISTER(pin_target_kinds, &nullb_target);
