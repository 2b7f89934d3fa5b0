// SPDX-License-Identifier: GPL-2.0-only
/* Threads that start together, and histograms of their operations. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/rate.h"
#include "lib/timeline.h"

const double rate_percentiles[RATE_PERCENTILES] = { 50, 90, 99, 99.9, 99.99 };

#ifdef HAVE_HDR_HISTOGRAM

#include <hdr/hdr_histogram.h>

/* the histogram: longer operations count as this long; significant digits */
#define LONGEST_NS	((int64_t)(100 * NSEC_PER_SEC))
#define DIGITS		3

/**
 * struct gate - all threads wait here until each is ready
 * @lock: of the other members
 * @changed: a thread became ready, or the gate was opened
 * @ready: number of threads that are ready
 * @open: the threads may go on
 * @cancelled: but shall not start, because one of them failed
 */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int ready;
	bool open;
	bool cancelled;
};

/**
 * struct worker - one thread
 * @tally: first member: worker_add() gets a pointer to it
 * @job: its job
 * @ns: duration, nanoseconds
 * @gate: shared by all
 * @h: its histogram
 * @ret: 0 or -errno
 * @start: time of its start, CLOCK_MONOTONIC
 * @end: time of its end
 * @thread: handle
 */
struct worker {
	struct job_tally tally;
	struct bench_job job;
	uint64_t ns;
	struct gate *gate;
	struct hdr_histogram *h;
	int ret;
	uint64_t start;
	uint64_t end;
	pthread_t thread;
};

static void worker_add(struct job_tally *t, uint64_t ns)
{
	struct worker *w = (struct worker *)t;

	hdr_record_value(w->h, (int64_t)ns < LONGEST_NS ? (int64_t)ns : LONGEST_NS);
}

/* returns true when the thread may start */
static bool gate_wait(struct gate *g, bool good)
{
	pthread_mutex_lock(&g->lock);
	g->ready++;
	g->cancelled = g->cancelled || !good;
	pthread_cond_broadcast(&g->changed);
	while (!g->open)
		pthread_cond_wait(&g->changed, &g->lock);
	good = !g->cancelled;
	pthread_mutex_unlock(&g->lock);
	return good;
}

static void gate_open(struct gate *g, unsigned int threads, bool cancel)
{
	pthread_mutex_lock(&g->lock);
	while (g->ready < threads)
		pthread_cond_wait(&g->changed, &g->lock);
	g->cancelled = g->cancelled || cancel;
	g->open = true;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

static void *worker_run(void *arg)
{
	struct worker *w = arg;
	bool opened;

	w->ret = job_open(&w->job);
	opened = !w->ret;
	if (opened && w->job.method->flags & (JOB_MAPS | JOB_DRAM))
		w->ret = job_pass(&w->job);
	if (gate_wait(w->gate, !w->ret)) {
		w->start = timeline_now();
		w->tally.until_ns = w->start + w->ns;
		w->ret = job_run(&w->job, &w->tally);
		w->end = timeline_now();
	}
	if (opened)
		job_close(&w->job);
	return NULL;
}

static int collect(struct worker *w, unsigned int threads, size_t block, struct rate *r,
		   char *why, size_t len)
{
	uint64_t start = UINT64_MAX, end = 0;
	struct hdr_histogram *all = w[0].h;

	for (unsigned int i = 0; i < threads; i++) {
		if (w[i].ret) {
			snprintf(why, len, "%s", w[i].job.why[0] ? w[i].job.why :
				 strerror(-w[i].ret));
			return w[i].ret;
		}
		if (i)
			hdr_add(all, w[i].h);
		start = w[i].start < start ? w[i].start : start;
		end = w[i].end > end ? w[i].end : end;
		r->ops += w[i].tally.ops;
	}
	if (!r->ops) {
		snprintf(why, len, "the time was up before the first operation");
		return -ETIME;
	}
	r->bytes = r->ops * block;
	r->ns = end - start;
	r->min_ns = hdr_min(all);
	r->max_ns = hdr_max(all);
	r->mean_ns = hdr_mean(all);
	for (int i = 0; i < RATE_PERCENTILES; i++)
		r->percentile_ns[i] = hdr_value_at_percentile(all, rate_percentiles[i]);
	return 0;
}

static int run_threads(struct worker *w, unsigned int threads, struct gate *gate)
{
	unsigned int started = 0;
	int ret = 0;

	while (!ret && started < threads) {
		ret = pthread_create(&w[started].thread, NULL, worker_run, &w[started]);
		started += !ret;
	}
	gate_open(gate, started, ret);
	for (unsigned int i = 0; i < started; i++)
		pthread_join(w[i].thread, NULL);
	return -ret;
}

int rate_run(const struct bench_job *like, unsigned int threads, uint64_t ns, struct rate *r,
	     char *why, size_t len)
{
	size_t part = threads ? like->bytes / threads / like->block * like->block : 0;
	struct gate gate = {
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER,
	};
	struct worker *w;
	int ret = 0;

	memset(r, 0, sizeof(*r));
	if (!part || threads > RATE_THREADS) {
		snprintf(why, len, "%zu bytes are less than one block of %zu for each of %u threads",
			 like->bytes, like->block, threads);
		return -EINVAL;
	}
	w = calloc(threads, sizeof(*w));
	if (!w)
		return -ENOMEM;
	for (unsigned int i = 0; i < threads; i++) {
		w[i].tally.add = worker_add;
		w[i].job = *like;
		w[i].job.start = like->start + i * part;
		w[i].job.bytes = part;
		w[i].ns = ns;
		w[i].gate = &gate;
		if (hdr_init(1, LONGEST_NS, DIGITS, &w[i].h))
			ret = -ENOMEM;
	}
	if (ret) {
		snprintf(why, len, "no memory for the percentiles of %u threads", threads);
	} else {
		ret = run_threads(w, threads, &gate);
		if (ret)
			snprintf(why, len, "starting %u threads: %s", threads, strerror(-ret));
	}
	ret = ret ?: collect(w, threads, like->block, r, why, len);
	for (unsigned int i = 0; i < threads; i++)
		hdr_close(w[i].h);
	free(w);
	return ret;
}

bool rate_built(void)
{
	return true;
}

#else

int rate_run(const struct bench_job *like, unsigned int threads, uint64_t ns, struct rate *r,
	     char *why, size_t len)
{
	snprintf(why, len, "built without libhdrhistogram");
	return -EOPNOTSUPP;
}

bool rate_built(void)
{
	return false;
}

#endif
