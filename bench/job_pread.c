// SPDX-License-Identifier: GPL-2.0-only
/* pread() and pwrite(), buffered and O_DIRECT. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "bench/job_internal.h"

static int pread_once(struct bench_job *j, size_t at)
{
	for (size_t done = 0; done < j->block;) {
		ssize_t n = pread(j->fd, j->buf + done, j->block - done, at + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		done += n;
	}
	return 0;
}

static int pwrite_once(struct bench_job *j, size_t at)
{
	for (size_t done = 0; done < j->block;) {
		ssize_t n = pwrite(j->fd, j->buf + done, j->block - done, at + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	return 0;
}

static const struct job_method pread_jobs[] = {
	{
		.name = "buffered_read",
		.what = "pread()",
		.open = job_open_node,
		.once = pread_once,
	}, {
		.name = "buffered_write",
		.what = "pwrite()",
		.flags = JOB_WRITES,
		.open = job_open_node,
		.once = pwrite_once,
	}, {
		.name = "direct_read",
		.what = "pread(), O_DIRECT",
		.flags = JOB_DIRECT,
		.open = job_open_node,
		.once = pread_once,
	}, {
		.name = "direct_write",
		.what = "pwrite(), O_DIRECT",
		.flags = JOB_DIRECT | JOB_WRITES,
		.open = job_open_node,
		.once = pwrite_once,
	},
	{ }
};

REGISTER(job_methods, pread_jobs);
