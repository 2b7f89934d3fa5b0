// SPDX-License-Identifier: GPL-2.0
/*
 * Block devices that I/O can be held in flight on: null_blk through configfs,
 * dm-delay through libdevmapper.  And a soft RoCE device, by netlink.
 *
 * All names carry the run's id, and removal goes by name alone, so that a
 * guardian can remove what a killed creator left, whole or half made.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/fs.h>

#include "lib/pin/rdma_link.h"
#include "lib/pin/targets.h"

#define NULLB_DIR	"/sys/kernel/config/nullb"

/* covers a machine under load */
#define SLOWER_NS	3000000000ULL

/*
 * dm-delay lets go on command.  This is for the case that nobody is left to give
 * it: longer than any watch, shorter than a machine's time limit.
 */
#define DELAY_MS	30000

/* sparse: only what has been written takes memory */
#define SIZE_MIB	2304UL

/*
 * Requests of at least 124 KiB: all of PIN_COPY_MAX in flight, and what goes
 * between peer and target beside it, leave room for some pins more.
 */
#define QUEUE_DEPTH	4096

/*
 * How long a node may take: beside devtmpfs or udev, what another process needs
 * that is just making the device (see pin_targets_timed()).
 */
#define NODE_POLL_NS	2000000
#define NODE_POLLS	10000

/* bits of pin_targets.loaded */
#define LOADED_NULL_BLK	0x1u
#define LOADED_DM_DELAY	0x2u
#define LOADED_DM_MOD	0x4u
#define LOADED_RDMA	0x8u	/* and the following, for each of rdma_modules[] */

/* keep the first reason */
static int missing(struct pin_targets *t, int err, const char *fmt, ...)
{
	va_list ap;

	if (!t->why[0]) {
		va_start(ap, fmt);
		vsnprintf(t->why, sizeof(t->why), fmt, ap);
		va_end(ap);
	}
	return err;
}

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

/* modules */

static bool is_loaded(const char *module)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return !access(path, F_OK);
}

/* the kernel knows where modprobe is */
static void modprobe_path(char *path, size_t len)
{
	int fd = open("/proc/sys/kernel/modprobe", O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, path, len - 1);
		close(fd);
	}
	if (n > 0)
		path[strcspn(path, "\n")] = '\0';
	else
		snprintf(path, len, "/sbin/modprobe");
}

static int modprobe(const char *module, const char *option)
{
	char path[256] = "";
	int status;
	pid_t pid;

	modprobe_path(path, sizeof(path));
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		execl(path, "modprobe", "-q", module, option, NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -ENOENT;
}

/* remember before loading: a guardian may have to unload it */
static int load(struct pin_targets *t, const char *module, const char *option,
		unsigned int bit)
{
	int err;

	if (is_loaded(module))
		return 0;
	t->loaded |= bit;
	err = modprobe(module, option);
	if (err)
		t->loaded &= ~bit;
	return err;
}

static void unload(const struct pin_targets *t, const char *module, unsigned int bit)
{
	/* in use by somebody else since: then it stays, which is right */
	if (t->loaded & bit)
		syscall(SYS_delete_module, module, O_NONBLOCK);
}

/* null_blk */

static void nullb_name(const struct pin_targets *t, const char *what, char *name, size_t len)
{
	snprintf(name, len, "ksft-dax-%u-%s", t->id, what);
}

static int nullb_set(const char *name, const char *attr, const char *fmt, uint64_t value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), NULLB_DIR "/%s/%s", name, attr);
	snprintf(text, sizeof(text), fmt, value);
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

/* the kernel's name of the disk: since 6.x the directory's, before it nullb<index> */
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

static int wait_node(const char *node)
{
	const struct timespec pause = { .tv_nsec = NODE_POLL_NS };
	struct stat st;
	int poll;

	for (poll = 0; poll < NODE_POLLS; poll++) {
		if (!stat(node, &st) && S_ISBLK(st.st_mode))
			return 0;
		nanosleep(&pause, NULL);
	}
	return -ENODEV;
}

static int nullb_remove(const struct pin_targets *t, const char *what)
{
	char name[48], path[128];
	int err;

	nullb_name(t, what, name, sizeof(name));
	snprintf(path, sizeof(path), NULLB_DIR "/%s", name);
	if (access(path, F_OK))
		return 0;
	err = nullb_set(name, "power", "%" PRIu64, 0);
	if (rmdir(path) && !err)
		err = -errno;
	return err;
}

static int nullb_create(const struct pin_targets *t, const char *what, uint64_t completion_ns,
			char *node, size_t len)
{
	char name[48], disk[48], path[128];
	int err;

	nullb_name(t, what, name, sizeof(name));
	snprintf(path, sizeof(path), NULLB_DIR "/%s", name);
	if (mkdir(path, 0700))
		return -errno;
	err = nullb_set(name, "size", "%" PRIu64, SIZE_MIB);
	if (!err)
		err = nullb_set(name, "blocksize", "%" PRIu64, 512);
	if (!err)
		err = nullb_set(name, "memory_backed", "%" PRIu64, 1);
	if (!err)
		err = nullb_set(name, "hw_queue_depth", "%" PRIu64, QUEUE_DEPTH);
	if (!err)
		err = nullb_set(name, "submit_queues", "%" PRIu64, 1);
	/* 2: complete from a timer; 0: in the submitter */
	if (!err)
		err = nullb_set(name, "irqmode", "%" PRIu64, completion_ns ? 2 : 0);
	if (!err)
		err = nullb_set(name, "completion_nsec", "%" PRIu64, completion_ns);
	if (!err)
		err = nullb_set(name, "power", "%" PRIu64, 1);
	if (!err)
		err = nullb_disk(name, disk, sizeof(disk));
	if (!err) {
		/* no scheduler: it would hold requests back, and reorder them */
		snprintf(path, sizeof(path), "/sys/block/%s/queue/scheduler", disk);
		write_attr(path, "none");
		snprintf(node, len, "/dev/%s", disk);
		err = wait_node(node);
	}
	if (err) {
		node[0] = '\0';
		nullb_remove(t, what);
	}
	return err;
}

static int create_nullbs(struct pin_targets *t)
{
	int err;

	err = load(t, "null_blk", "nr_devices=0", LOADED_NULL_BLK);
	if (err)
		return missing(t, err, "the module null_blk is missing");
	if (access(NULLB_DIR, F_OK))
		return missing(t, -ENOENT, "configfs is not mounted on /sys/kernel/config");

	err = nullb_create(t, "fast", 0, t->fast, sizeof(t->fast));
	if (!err)
		err = nullb_create(t, "under", 0, t->under, sizeof(t->under));
	if (err)
		return missing(t, err, "null_blk refused a device: %s", strerror(-err));
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
	err = nullb_create(t, what, *delay_ns, node, len);
	if (err != -EEXIST)
		return err;
	/* made before, or just being made by another process */
	nullb_name(t, what, name, sizeof(name));
	err = nullb_disk(name, disk, sizeof(disk));
	if (err)
		return err;
	snprintf(node, len, "/dev/%s", disk);
	return wait_node(node);
}

int pin_targets_retime(struct pin_targets *t, uint64_t slow_ns)
{
	int err = nullb_remove(t, "slow");

	if (!err)
		t->slow_ns = slow_ns;
	return err;
}

/* dm-delay */

#ifdef HAVE_LIBDEVMAPPER

#include <libdevmapper.h>

static void dm_quiet(int level, const char *file, int line, int dm_errno_or_class,
		     const char *fmt, ...)
{
	/* the caller says what went wrong, in its own words */
	(void)level;
	(void)file;
	(void)line;
	(void)dm_errno_or_class;
	(void)fmt;
}

/* a task on this run's device, and no other */
static struct dm_task *dm_task_ours(const struct pin_targets *t, int type)
{
	struct dm_task *task;
	char name[32];

	dm_log_with_errno_init(dm_quiet);
	/* the node comes from devtmpfs; a guest has no udev to wait for */
	dm_udev_set_sync_support(0);
	task = dm_task_create(type);
	if (!task)
		return NULL;
	snprintf(name, sizeof(name), "ksft-dax-%u", t->id);
	if (!dm_task_set_name(task, name)) {
		dm_task_destroy(task);
		return NULL;
	}
	return task;
}

static int dm_run(struct dm_task *task)
{
	int err;

	if (dm_task_run(task))
		return 0;
	err = dm_task_get_errno(task);
	return err ? -err : -EIO;
}

static int dm_simple(const struct pin_targets *t, int type)
{
	struct dm_task *task = dm_task_ours(t, type);
	uint32_t cookie = 0;
	int err;

	if (!task)
		return -ENOMEM;
	if (type == DM_DEVICE_SUSPEND)
		dm_task_skip_lockfs(task);
	/* somebody's udev rules must not look into the device on resume */
	if (type == DM_DEVICE_RESUME)
		dm_task_set_cookie(task, &cookie, DM_UDEV_DISABLE_DISK_RULES_FLAG |
				   DM_UDEV_DISABLE_OTHER_RULES_FLAG |
				   DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG);
	err = dm_run(task);
	dm_task_destroy(task);
	return err;
}

/* does the device exist? 1, 0 or -errno; its number */
static int dm_exists(const struct pin_targets *t, unsigned int *minor)
{
	struct dm_task *task = dm_task_ours(t, DM_DEVICE_INFO);
	struct dm_info info;
	int ret;

	if (!task)
		return -ENOMEM;
	ret = dm_run(task);
	if (!ret) {
		ret = dm_task_get_info(task, &info) && info.exists;
		if (ret)
			*minor = info.minor;
	}
	dm_task_destroy(task);
	return ret;
}

static int dm_make(struct pin_targets *t)
{
	struct dm_task *task = dm_task_ours(t, DM_DEVICE_CREATE);
	uint32_t cookie = 0;
	char params[128], uuid[32];
	int err = -EINVAL;

	if (!task)
		return -ENOMEM;
	snprintf(params, sizeof(params), "%s 0 %u", t->under, DELAY_MS);
	snprintf(uuid, sizeof(uuid), "KSFT-DAX-%u", t->id);
	if (dm_task_set_uuid(task, uuid) &&
	    dm_task_add_target(task, 0, t->size / 512, "delay", params) &&
	    dm_task_set_cookie(task, &cookie, DM_UDEV_DISABLE_DISK_RULES_FLAG |
			       DM_UDEV_DISABLE_OTHER_RULES_FLAG |
			       DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG))
		err = dm_run(task);
	dm_task_destroy(task);
	return err;
}

static int create_delay(struct pin_targets *t)
{
	unsigned int minor;
	int err;

	if (!t->under[0])
		return missing(t, -ENODEV, "dm-delay has no device to lie on");
	err = load(t, "dm_mod", NULL, LOADED_DM_MOD);
	if (!err)
		err = load(t, "dm_delay", NULL, LOADED_DM_DELAY);
	if (err)
		return missing(t, err, "the module dm-delay is missing");
	err = dm_make(t);
	if (!err) {
		err = dm_exists(t, &minor);
		err = err > 0 ? 0 : err ? err : -ENODEV;
	}
	if (!err) {
		snprintf(t->delay, sizeof(t->delay), "/dev/dm-%u", minor);
		err = wait_node(t->delay);
	}
	if (err) {
		t->delay[0] = '\0';
		return missing(t, err, "device mapper refused the device: %s", strerror(-err));
	}
	return 0;
}

int pin_targets_held(const struct pin_targets *t, bool write)
{
	unsigned int reads, writes;
	uint64_t start, length;
	char *type, *params;
	struct dm_task *task;
	int ret;

	if (!t->delay[0])
		return -ENODEV;
	task = dm_task_ours(t, DM_DEVICE_STATUS);
	if (!task)
		return -ENOMEM;
	dm_task_no_flush(task);
	ret = dm_run(task);
	if (!ret) {
		dm_get_next_target(task, NULL, &start, &length, &type, &params);
		if (params && sscanf(params, "%u %u", &reads, &writes) == 2)
			ret = write ? writes : reads;
		else
			ret = -EPROTO;
	}
	dm_task_destroy(task);
	return ret;
}

int pin_targets_flush(const struct pin_targets *t)
{
	const struct timespec pause = { .tv_nsec = NODE_POLL_NS };
	int try, err = -ENODEV, up;

	if (!t->delay[0])
		return err;
	/* another process may be at it as well: two suspends exclude each other */
	for (try = 0; try < 10; try++) {
		err = dm_simple(t, DM_DEVICE_SUSPEND);
		up = dm_simple(t, DM_DEVICE_RESUME);
		if (!err)
			return up;
		nanosleep(&pause, NULL);
	}
	return err;
}

/* libdevmapper keeps the control device open, and that keeps the module */
static void let_control_go(void)
{
	dm_lib_release();
}

static int destroy_delay(const struct pin_targets *t)
{
	unsigned int minor;
	int try, err;

	/* no device mapper at all: asking would load it */
	if (!is_loaded("dm_mod"))
		return 0;
	err = dm_exists(t, &minor);
	for (try = 0; err == 1 && try < 10; try++) {
		/* nothing can be removed that still holds I/O back */
		dm_simple(t, DM_DEVICE_SUSPEND);
		dm_simple(t, DM_DEVICE_RESUME);
		err = dm_simple(t, DM_DEVICE_REMOVE);
		if (err)
			err = dm_exists(t, &minor);
	}
	let_control_go();
	return err == 1 ? -EBUSY : err;
}

#else /* HAVE_LIBDEVMAPPER */

static int create_delay(struct pin_targets *t)
{
	return missing(t, -EOPNOTSUPP, "built without libdevmapper");
}

int pin_targets_held(const struct pin_targets *t, bool write)
{
	(void)t;
	(void)write;
	return -ENODEV;
}

int pin_targets_flush(const struct pin_targets *t)
{
	(void)t;
	return -ENODEV;
}

static void let_control_go(void)
{
}

static int destroy_delay(const struct pin_targets *t)
{
	(void)t;
	return 0;
}

#endif

/* soft RoCE */

/* the last two are asked for, the others come with them; each needs earlier ones */
#define RDMA_MODULES	5

static const char *const rdma_modules[RDMA_MODULES] = {
	"udp_tunnel", "ip6_udp_tunnel", "ib_core", "ib_uverbs", "rdma_rxe",
};

static void rdma_name(const struct pin_targets *t, char *name, size_t len)
{
	snprintf(name, len, "ksft-dax-%u", t->id);
}

/* is one there, ours or somebody's? */
static bool rdma_found(const struct pin_targets *t, char *name, size_t len)
{
	rdma_name(t, name, len);
	return pin_rdma_link_exists(name) || !pin_rdma_link_on("lo", name, len);
}

int pin_targets_rdma(struct pin_targets *t, char *name, size_t len)
{
	bool absent;
	size_t i;
	int err;

	if (rdma_found(t, name, len))
		return 0;
	if (t->rdma_why[0])
		return -EOPNOTSUPP;
	for (i = 0; i < RDMA_MODULES; i++)
		if (!is_loaded(rdma_modules[i]))
			t->loaded |= LOADED_RDMA << i;
	absent = modprobe("ib_uverbs", NULL);
	absent |= modprobe("rdma_rxe", NULL);
	for (i = 0; i < RDMA_MODULES; i++)
		if (!is_loaded(rdma_modules[i]))
			t->loaded &= ~(LOADED_RDMA << i);
	rdma_name(t, name, len);
	err = pin_rdma_link_add(name, "lo");
	if (!err || rdma_found(t, name, len))
		return 0;
	snprintf(t->rdma_why, sizeof(t->rdma_why), absent ?
		 "the module rdma_rxe or ib_uverbs is missing" :
		 "the kernel refused a soft RoCE device: %s", strerror(-err));
	return err;
}

static int destroy_rdma(const struct pin_targets *t)
{
	char name[32];
	size_t i;
	int err;

	rdma_name(t, name, sizeof(name));
	err = pin_rdma_link_remove(name);
	/* the module's end would be that of devices others have made since */
	for (i = RDMA_MODULES; i-- && pin_rdma_link_none();)
		unload(t, rdma_modules[i], LOADED_RDMA << i);
	return err;
}

int pin_targets_create(struct pin_targets *t, unsigned int id)
{
	int err, ret;

	memset(t, 0, sizeof(*t));
	t->id = id;
	t->slow_ns = PIN_TARGETS_SLOW_NS;
	t->slower_ns = SLOWER_NS;
	t->size = SIZE_MIB << 20;

	ret = create_nullbs(t);
	err = create_delay(t);
	let_control_go();
	return ret ? ret : err;
}

int pin_targets_destroy(const struct pin_targets *t)
{
	static const char * const nullbs[] = { "fast", "slow", "slower", "under", NULL };
	int err, ret = destroy_delay(t);
	const char * const *what;

	for (what = nullbs; *what; what++) {
		err = nullb_remove(t, *what);
		if (!ret)
			ret = err;
	}
	err = destroy_rdma(t);
	if (!ret)
		ret = err;
	unload(t, "dm_delay", LOADED_DM_DELAY);
	unload(t, "dm_mod", LOADED_DM_MOD);
	unload(t, "null_blk", LOADED_NULL_BLK);
	return ret;
}
