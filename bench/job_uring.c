// SPDX-License-Identifier: GPL-2.0-only
/* io_uring with many requests in flight, with registered buffers or without. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench/job_internal.h"
#include "lib/timeline.h"

enum { URING_PLAIN, URING_FIXED };

#ifdef HAVE_LIBURING

#include <liburing.h>

/* flags of a ring that are allowed with io_uring's worker threads */
#ifdef IORING_SETUP_COOP_TASKRUN
#define WORKER_FLAGS	IORING_SETUP_COOP_TASKRUN
#else
#define WORKER_FLAGS	0u
#endif

/* a request in flight */
struct uring_slot {
	char *buf;
	uint64_t start;
};

struct uring {
	struct io_uring ring;
	bool ready;
	size_t at;			/* offset of the next request */
	struct uring_slot slot[];
};

/*
 * Makes the fastest ring that this kernel has: completions run in the one thread that
 * waits for them (6.1, 6.0), or at least without interrupting it (5.19).  The former
 * would delay the completions of worker threads.
 */
static int uring_create(struct io_uring *ring, unsigned int depth, bool by_workers)
{
	static const unsigned int flags[] = {
#ifdef IORING_SETUP_DEFER_TASKRUN
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
#endif
#ifdef IORING_SETUP_COOP_TASKRUN
		IORING_SETUP_COOP_TASKRUN,
#endif
		0,
	};

	for (const unsigned int *f = flags;; f++) {
		int ret;

		if (by_workers && *f & ~WORKER_FLAGS)
			continue;
		ret = io_uring_queue_init(depth, ring, *f);
		if (ret != -EINVAL || !*f)
			return ret;
	}
}

static int uring_job_register(struct bench_job *j, struct uring *u)
{
	struct iovec iov = { j->buf, j->block * j->depth };
	int ret = io_uring_register_buffers(&u->ring, &iov, 1);

	if (ret == -ENOMEM)
		return job_fail(j, ret, "registering %zu bytes: raise ulimit -l", iov.iov_len);
	if (ret)
		return job_fail(j, ret, "registering its buffers: %s", strerror(-ret));
	ret = io_uring_register_files(&u->ring, &j->fd, 1);
	return ret ? job_fail(j, ret, "registering its file: %s", strerror(-ret)) : 0;
}

/* without RWF_NOWAIT every request of this file goes to a worker thread */
static bool uring_needs_workers(struct bench_job *j)
{
	struct iovec iov = { .iov_len = j->block };
	ssize_t ret;

	if (posix_memalign(&iov.iov_base, sysconf(_SC_PAGESIZE), j->block))
		return false;
	ret = preadv2(j->fd, &iov, 1, j->start, RWF_NOWAIT);
	ret = ret < 0 ? -errno : 0;
	free(iov.iov_base);
	return ret == -EOPNOTSUPP;
}

static int uring_job_open(struct bench_job *j)
{
	struct uring *u = calloc(1, sizeof(*u) + j->depth * sizeof(u->slot[0]));
	int ret;

	if (!u)
		return -ENOMEM;
	j->priv = u;
	u->at = j->start;
	for (unsigned int i = 0; i < j->depth; i++)
		u->slot[i].buf = j->buf + i * j->block;
	ret = job_open_node(j);
	if (ret)
		return ret;
	ret = uring_create(&u->ring, j->depth, uring_needs_workers(j));
	if (ret)
		return job_fail(j, -EOPNOTSUPP, "io_uring_queue_init(): %s", strerror(-ret));
	u->ready = true;
	return j->method->variant == URING_FIXED ? uring_job_register(j, u) : 0;
}

static void uring_job_prepare(struct bench_job *j, struct uring *u, struct uring_slot *s)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	bool fixed = j->method->variant == URING_FIXED;

	/* a registered file has the number 0 */
	if (j->method->flags & JOB_WRITES) {
		if (fixed)
			io_uring_prep_write_fixed(sqe, 0, s->buf, j->block, u->at, 0);
		else
			io_uring_prep_write(sqe, j->fd, s->buf, j->block, u->at);
	} else if (fixed) {
		io_uring_prep_read_fixed(sqe, 0, s->buf, j->block, u->at, 0);
	} else {
		io_uring_prep_read(sqe, j->fd, s->buf, j->block, u->at);
	}
	if (fixed)
		sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data(sqe, s);
	u->at += j->block;
	if (u->at + j->block > j->start + j->bytes)
		u->at = j->start;
}

static int uring_result(const struct bench_job *j, const struct io_uring_cqe *cqe)
{
	if (cqe->res < 0)
		return cqe->res;
	return (size_t)cqe->res == j->block ? 0 : -ENODATA;
}

static int uring_job_run(struct bench_job *j, struct job_tally *t)
{
	struct uring *u = j->priv;
	unsigned int in_flight = 0;
	uint64_t now = timeline_now();
	int first = 0, ret;

	for (; in_flight < j->depth && now < t->until_ns; in_flight++) {
		u->slot[in_flight].start = now;
		uring_job_prepare(j, u, &u->slot[in_flight]);
	}
	while (in_flight) {
		struct io_uring_cqe *cqe;
		unsigned int head, seen = 0, more = 0;

		ret = io_uring_submit_and_wait(&u->ring, 1);
		if (ret == -EINTR)
			continue;
		if (ret < 0)
			return ret;
		now = timeline_now();
		io_uring_for_each_cqe(&u->ring, head, cqe) {
			struct uring_slot *s = io_uring_cqe_get_data(cqe);

			seen++;
			first = first ?: uring_result(j, cqe);
			if (first)
				continue;
			t->add(t, now - s->start);
			t->ops++;
			if (now >= t->until_ns)
				continue;
			s->start = now;
			uring_job_prepare(j, u, s);
			more++;
		}
		io_uring_cq_advance(&u->ring, seen);
		in_flight += more - seen;
	}
	return first;
}

static void uring_job_close(struct bench_job *j)
{
	struct uring *u = j->priv;

	/* before the caller frees the buffers */
	if (u && u->ready)
		io_uring_queue_exit(&u->ring);
	free(u);
	j->priv = NULL;
}

#define URING_FUNCTIONS		\
	.open = uring_job_open,	\
	.run = uring_job_run,	\
	.close = uring_job_close
#else
#define URING_FUNCTIONS	.lacks = "built without liburing"
#endif

#define URING_FLAGS	(JOB_DEEP | JOB_DIRECT)

static const struct job_method uring_jobs[] = {
	{
		.name = "uring_read",
		.what = "io_uring, O_DIRECT",
		.flags = URING_FLAGS,
		.variant = URING_PLAIN,
		URING_FUNCTIONS,
	}, {
		.name = "uring_write",
		.what = "io_uring, O_DIRECT",
		.flags = URING_FLAGS | JOB_WRITES,
		.variant = URING_PLAIN,
		URING_FUNCTIONS,
	}, {
		.name = "uring_fixed_read",
		.what = "the same into registered buffers, the file registered, too",
		.flags = URING_FLAGS,
		.variant = URING_FIXED,
		URING_FUNCTIONS,
	}, {
		.name = "uring_fixed_write",
		.what = "the same from registered buffers",
		.flags = URING_FLAGS | JOB_WRITES,
		.variant = URING_FIXED,
		URING_FUNCTIONS,
	}, {
		.name = "uring_user_buf_read",
		.what = "the same into registered buffers in device-dax memory",
		.flags = URING_FLAGS | JOB_USER_BUF,
		.variant = URING_FIXED,
		URING_FUNCTIONS,
	}, {
		.name = "uring_user_buf_write",
		.what = "the same from registered buffers in device-dax memory",
		.flags = URING_FLAGS | JOB_USER_BUF | JOB_WRITES,
		.variant = URING_FIXED,
		URING_FUNCTIONS,
	},
	{ }
};

REGISTER(job_methods, uring_jobs);
