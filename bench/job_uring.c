// SPDX-License-Identifier: GPL-2.0
/*
 * Many requests in flight by io_uring, with registered buffers or without.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench/job_internal.h"
#include "lib/timeline.h"

#ifdef HAVE_LIBURING

#include <liburing.h>

/* flags of a ring whose requests are carried out by io_uring's workers */
#ifdef IORING_SETUP_COOP_TASKRUN
#define FOR_WORKERS	IORING_SETUP_COOP_TASKRUN
#else
#define FOR_WORKERS	0u
#endif

struct slot {
	char *buf;
	uint64_t began;
};

struct deep {
	struct io_uring ring;
	bool ready;
	size_t at;
	struct slot slot[];
};

/*
 * The leanest ring that this kernel has: completions are run by the one thread that
 * waits for them (6.1, 6.0), at least without interrupting it (5.19).  Workers post
 * theirs by themselves, unless the former keeps them from it.
 */
static int make_ring(struct io_uring *ring, unsigned int depth, bool by_workers)
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

		if (by_workers && *f & ~FOR_WORKERS)
			continue;
		ret = io_uring_queue_init(depth, ring, *f);
		if (ret != -EINVAL || !*f)
			return ret;
	}
}

static int register_all(struct bench_job *j, struct deep *d)
{
	struct iovec iov = { j->buf, j->block * j->depth };
	int ret = io_uring_register_buffers(&d->ring, &iov, 1);

	if (ret == -ENOMEM)
		return job_fail(j, ret, "registering %zu bytes: raise ulimit -l", iov.iov_len);
	if (ret)
		return job_fail(j, ret, "registering its buffers: %s", strerror(-ret));
	ret = io_uring_register_files(&d->ring, &j->fd, 1);
	return ret ? job_fail(j, ret, "registering its file: %s", strerror(-ret)) : 0;
}

/* does this file never answer at once?  Then each request ends up with a worker */
static bool wants_workers(struct bench_job *j)
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

int job_uring_open(struct bench_job *j)
{
	struct deep *d = calloc(1, sizeof(*d) + j->depth * sizeof(d->slot[0]));
	int how = j->method->flags & JOB_WRITES ? O_RDWR : O_RDONLY;

	if (!d)
		return -ENOMEM;
	j->priv = d;
	d->at = j->start;
	for (unsigned int i = 0; i < j->depth; i++)
		d->slot[i].buf = j->buf + i * j->block;
	j->fd = open(j->node, how | O_DIRECT | O_CLOEXEC);
	if (j->fd < 0)
		return errno == EINVAL ? job_fail(j, -EOPNOTSUPP, "O_DIRECT is refused") : -errno;
	if (make_ring(&d->ring, j->depth, wants_workers(j)))
		return job_fail(j, -EOPNOTSUPP, "this kernel has no io_uring to offer");
	d->ready = true;
	return j->method->variant == JOB_URING_FIXED ? register_all(j, d) : 0;
}

static void prepare(struct bench_job *j, struct deep *d, struct slot *s)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&d->ring);
	bool fixed = j->method->variant == JOB_URING_FIXED;

	/* the registered file is number 0 */
	if (j->method->flags & JOB_WRITES) {
		if (fixed)
			io_uring_prep_write_fixed(sqe, 0, s->buf, j->block, d->at, 0);
		else
			io_uring_prep_write(sqe, j->fd, s->buf, j->block, d->at);
	} else if (fixed) {
		io_uring_prep_read_fixed(sqe, 0, s->buf, j->block, d->at, 0);
	} else {
		io_uring_prep_read(sqe, j->fd, s->buf, j->block, d->at);
	}
	if (fixed)
		sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data(sqe, s);
	d->at += j->block;
	if (d->at + j->block > j->start + j->bytes)
		d->at = j->start;
}

static int judge(const struct bench_job *j, const struct io_uring_cqe *cqe)
{
	if (cqe->res < 0)
		return cqe->res;
	return (size_t)cqe->res == j->block ? 0 : -ENODATA;
}

int job_uring_run(struct bench_job *j, struct job_tally *t)
{
	struct deep *d = j->priv;
	unsigned int flying = 0;
	uint64_t now = timeline_now();
	int first = 0, ret;

	for (; flying < j->depth && now < t->until_ns; flying++) {
		d->slot[flying].began = now;
		prepare(j, d, &d->slot[flying]);
	}
	while (flying) {
		struct io_uring_cqe *cqe;
		unsigned int head, seen = 0, more = 0;

		ret = io_uring_submit_and_wait(&d->ring, 1);
		if (ret == -EINTR)
			continue;
		if (ret < 0)
			return ret;
		now = timeline_now();
		io_uring_for_each_cqe(&d->ring, head, cqe) {
			struct slot *s = io_uring_cqe_get_data(cqe);

			seen++;
			first = first ?: judge(j, cqe);
			if (first)
				continue;
			t->add(t, now - s->began);
			t->ops++;
			if (now >= t->until_ns)
				continue;
			s->began = now;
			prepare(j, d, s);
			more++;
		}
		io_uring_cq_advance(&d->ring, seen);
		flying += more - seen;
	}
	return first;
}

void job_uring_close(struct bench_job *j)
{
	struct deep *d = j->priv;

	/* before the buffers go */
	if (d && d->ready)
		io_uring_queue_exit(&d->ring);
	free(d);
	j->priv = NULL;
}

#else

int job_uring_open(struct bench_job *j)
{
	return job_fail(j, -EOPNOTSUPP, "built without liburing");
}

int job_uring_run(struct bench_job *j, struct job_tally *t)
{
	(void)j;
	(void)t;
	return -EOPNOTSUPP;
}

void job_uring_close(struct bench_job *j)
{
	(void)j;
}

#endif
