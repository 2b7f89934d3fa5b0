// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory registered with an RDMA device: pinned (FOLL_LONGTERM) until it is
 * deregistered or the last descriptor of the device is closed.
 *
 * By the commands of the device node themselves, without libibverbs: soft RoCE has no
 * driver-specific part in them, while libibverbs would need its plugin for the device
 * at run time and be one more optional library for four commands.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>

#include "lib/pin/internal.h"
#include "lib/pin/targets.h"

#define CLASS_DIR	"/sys/class/infiniband_verbs"

/* the longest command, without its header */
#define COMMAND_MAX	64

/*
 * One per process: a device has only a few hundred contexts.  The kernel accepts
 * commands only from the process that has opened the device, so a child opens its own.
 */
static struct context {
	pthread_mutex_t lock;
	pid_t pid;
	int fd;
	int events;
	unsigned int users;
} context = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct rdma {
	int fd;			/* of the context */
	__u32 domain;
	__u32 region;
	bool has_domain;
};

/* a command with its argument; the response is written to where @in points */
static int rdma_command(int fd, __u32 nr, const void *in, size_t in_len, size_t out_len)
{
	struct {
		struct ib_uverbs_cmd_hdr head;
		char body[COMMAND_MAX];
	} c = {
		.head = {
			.command = nr,
			.in_words = (sizeof(c.head) + in_len) / 4,
			.out_words = out_len / 4,
		},
	};

	memcpy(c.body, in, in_len);
	return write(fd, &c, sizeof(c.head) + in_len) < 0 ? -errno : 0;
}

/* the node of an RDMA device */
static int rdma_open_node(const char *device)
{
	char path[320], text[64];
	struct dirent *entry;
	int fd = -ENODEV;
	DIR *dir;

	dir = opendir(CLASS_DIR);
	if (!dir)
		return -errno;
	while (fd == -ENODEV && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), CLASS_DIR "/%s/ibdev", entry->d_name);
		if (pin_read_line(path, text, sizeof(text)) < 0 || strcmp(text, device))
			continue;
		snprintf(path, sizeof(path), "/dev/infiniband/%s", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	closedir(dir);
	return fd;
}

static int make_context(struct context *ctx, const char *device)
{
	struct ib_uverbs_get_context_resp answer = { 0 };
	struct ib_uverbs_get_context ask = { .response = (uintptr_t)&answer };
	int err;

	ctx->fd = rdma_open_node(device);
	if (ctx->fd < 0)
		return ctx->fd;
	err = rdma_command(ctx->fd, IB_USER_VERBS_CMD_GET_CONTEXT, &ask, sizeof(ask),
			   sizeof(answer));
	if (err) {
		close(ctx->fd);
		return err;
	}
	ctx->events = answer.async_fd;
	return 0;
}

/* the descriptor of this process's context, or -errno */
static int get_context(struct pin *pin)
{
	char device[64];
	int fd, err = 0;

	pthread_mutex_lock(&context.lock);
	if (context.pid != getpid()) {
		context.pid = getpid();
		context.users = 0;
	}
	if (!context.users)
		err = pin_targets_rdma(pin->targets, device, sizeof(device));
	if (err)
		pin_fail(pin, err, "%s", pin->targets->rdma_why);
	if (!err && !context.users) {
		err = make_context(&context, device);
		if (err)
			pin_fail(pin, err, "%s cannot be used: %s", device, strerror(-err));
	}
	context.users += !err;
	fd = context.fd;
	pthread_mutex_unlock(&context.lock);
	return err ? err : fd;
}

static void put_context(void)
{
	pthread_mutex_lock(&context.lock);
	if (context.pid == getpid() && !--context.users) {
		close(context.events);
		close(context.fd);
	}
	pthread_mutex_unlock(&context.lock);
}

static int make_domain(struct rdma *r)
{
	struct ib_uverbs_alloc_pd_resp answer = { 0 };
	struct ib_uverbs_alloc_pd ask = { .response = (uintptr_t)&answer };
	int err;

	err = rdma_command(r->fd, IB_USER_VERBS_CMD_ALLOC_PD, &ask, sizeof(ask), sizeof(answer));
	if (!err) {
		r->domain = answer.pd_handle;
		r->has_domain = true;
	}
	return err;
}

static int drop_domain(struct rdma *r)
{
	const struct ib_uverbs_dealloc_pd ask = { .pd_handle = r->domain };
	int err;

	if (!r->has_domain)
		return 0;
	err = rdma_command(r->fd, IB_USER_VERBS_CMD_DEALLOC_PD, &ask, sizeof(ask), 0);
	if (!err)
		r->has_domain = false;
	return err;
}

static int rdma_open(struct pin *pin)
{
	struct rdma *r;

	if (!pin->targets)
		return pin_fail(pin, -EOPNOTSUPP, "no RDMA device to register memory with");
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->fd = get_context(pin);
	if (r->fd < 0) {
		int err = r->fd;

		free(r);
		return err == -EMFILE || err == -ENFILE || err == -ENOMEM ? err : -EOPNOTSUPP;
	}
	pin->priv = r;
	return 0;
}

static int rdma_take(struct pin *pin)
{
	struct ib_uverbs_reg_mr_resp answer = { 0 };
	struct ib_uverbs_reg_mr ask = {
		.response = (uintptr_t)&answer,
		.start = (uintptr_t)pin->addr,
		.length = pin->len,
		.hca_va = (uintptr_t)pin->addr,
		.access_flags = IB_UVERBS_ACCESS_LOCAL_WRITE,
	};
	struct rdma *r = pin->priv;
	int err = 0;

	/* each pin has its own domain: see rdma_live() */
	if (!r->has_domain)
		err = make_domain(r);
	if (err)
		return pin_fail(pin, err, "no protection domain");
	ask.pd_handle = r->domain;
	err = rdma_command(r->fd, IB_USER_VERBS_CMD_REG_MR, &ask, sizeof(ask), sizeof(answer));
	if (err)
		return pin_fail(pin, err, "the memory was refused");
	r->region = answer.mr_handle;
	return 0;
}

/* a domain cannot be deallocated while a region belongs to it */
static int rdma_live(struct pin *pin)
{
	int err = drop_domain(pin->priv);

	return err == -EBUSY ? 1 : err;
}

static int rdma_release(struct pin *pin)
{
	struct rdma *r = pin->priv;
	const struct ib_uverbs_dereg_mr ask = { .mr_handle = r->region };

	return rdma_command(r->fd, IB_USER_VERBS_CMD_DEREG_MR, &ask, sizeof(ask), 0);
}

static void rdma_close(struct pin *pin)
{
	struct rdma *r = pin->priv;

	if (!r)
		return;
	drop_domain(r);
	put_context();
	free(r);
	pin->priv = NULL;
}

static const struct pin_method rdma_methods[] = {
	{
		.name = "rdma_mr",
		.what = "RDMA memory region, by soft RoCE over the loopback device",
		.flags = PIN_HELD | PIN_LONGTERM | PIN_OUTLIVES,
		.max_len = PIN_ARRAY_MAX,
		.open = rdma_open,
		.take = rdma_take,
		.live = rdma_live,
		.release = rdma_release,
		.close = rdma_close,
	},
	{ }
};

REGISTER(pin_methods, rdma_methods);
