// SPDX-License-Identifier: GPL-2.0
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

/* an operation of more than this counts as one of this; to three digits */
#define LONGEST_NS	((int64_t)(100 * NSEC_PER_SEC))
#define DIGITS		3

/**
 * struct gate - where all threads wait until each is ready
 * @lock: of the others
 * @moved: one is ready, or it is open
 * @ready: so many are
 * @open: they may go
 * @called_off: and are not to begin
 */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned int ready;
	bool open;
	bool called_off;
};

/**
 * struct worker - one thread
 * @tally: first, for add() to find the rest
 * @job: its own
 * @lap: time for it, nanoseconds
 * @gate: all of them
 * @h: its histogram
 * @ret: 0 or -errno
 * @began: moment
 * @ended: moment
 * @thread: handle
 */
struct worker {
	struct job_tally tally;
	struct bench_job job;
	uint64_t lap;
	struct gate *gate;
	struct hdr_histogram *h;
	int ret;
	uint64_t began;
	uint64_t ended;
	pthread_t thread;
};

static void add(struct job_tally *t, uint64_t ns)
{
	struct worker *w = (struct worker *)t;

	hdr_record_value(w->h, (int64_t)ns < LONGEST_NS ? (int64_t)ns : LONGEST_NS);
}

/* true when it may begin */
static bool pass_gate(struct gate *g, bool good)
{
	pthread_mutex_lock(&g->lock);
	g->ready++;
	g->called_off = g->called_off || !good;
	pthread_cond_broadcast(&g->moved);
	while (!g->open)
		pthread_cond_wait(&g->moved, &g->lock);
	good = !g->called_off;
	pthread_mutex_unlock(&g->lock);
	return good;
}

static void open_gate(struct gate *g, unsigned int threads, bool call_off)
{
	pthread_mutex_lock(&g->lock);
	while (g->ready < threads)
		pthread_cond_wait(&g->moved, &g->lock);
	g->called_off = g->called_off || call_off;
	g->open = true;
	pthread_cond_broadcast(&g->moved);
	pthread_mutex_unlock(&g->lock);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	bool opened;

	w->ret = job_open(&w->job);
	opened = !w->ret;
	if (opened && w->job.method->flags & (JOB_MAPS | JOB_DRAM))
		w->ret = job_pass(&w->job);
	if (pass_gate(w->gate, !w->ret)) {
		w->began = timeline_now();
		w->tally.until_ns = w->began + w->lap;
		w->ret = job_run(&w->job, &w->tally);
		w->ended = timeline_now();
	}
	if (opened)
		job_close(&w->job);
	return NULL;
}

static int collect(struct worker *w, unsigned int threads, size_t block, struct rate *r,
		   char *why, size_t len)
{
	uint64_t began = UINT64_MAX, ended = 0;
	struct hdr_histogram *all = w[0].h;

	for (unsigned int i = 0; i < threads; i++) {
		if (w[i].ret) {
			snprintf(why, len, "%s", w[i].job.why[0] ? w[i].job.why :
				 strerror(-w[i].ret));
			return w[i].ret;
		}
		if (i)
			hdr_add(all, w[i].h);
		began = w[i].began < began ? w[i].began : began;
		ended = w[i].ended > ended ? w[i].ended : ended;
		r->ops += w[i].tally.ops;
	}
	if (!r->ops) {
		snprintf(why, len, "the time was up before one operation had begun");
		return -ETIME;
	}
	r->bytes = r->ops * block;
	r->ns = ended - began;
	r->min_ns = hdr_min(all);
	r->max_ns = hdr_max(all);
	r->mean_ns = hdr_mean(all);
	for (int i = 0; i < RATE_PERCENTILES; i++)
		r->percentile_ns[i] = hdr_value_at_percentile(all, rate_percentiles[i]);
	return 0;
}

static int run_all(struct worker *w, unsigned int threads, struct gate *gate)
{
	unsigned int started = 0;
	int ret = 0;

	while (!ret && started < threads) {
		ret = pthread_create(&w[started].thread, NULL, work, &w[started]);
		started += !ret;
	}
	open_gate(gate, started, ret);
	for (unsigned int i = 0; i < started; i++)
		pthread_join(w[i].thread, NULL);
	return -ret;
}

int rate_run(const struct bench_job *like, unsigned int threads, uint64_t ns, struct rate *r,
	     char *why, size_t len)
{
	size_t part = threads ? like->bytes / threads / like->block * like->block : 0;
	struct gate gate = {
		.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER,
	};
	struct worker *w;
	int ret = 0;

	memset(r, 0, sizeof(*r));
	if (!part || threads > RATE_THREADS) {
		snprintf(why, len, "%zu bytes are no block of %zu for each of %u threads",
			 like->bytes, like->block, threads);
		return -EINVAL;
	}
	w = calloc(threads, sizeof(*w));
	if (!w)
		return -ENOMEM;
	for (unsigned int i = 0; i < threads; i++) {
		w[i].tally.add = add;
		w[i].job = *like;
		w[i].job.start = like->start + i * part;
		w[i].job.bytes = part;
		w[i].lap = ns;
		w[i].gate = &gate;
		if (hdr_init(1, LONGEST_NS, DIGITS, &w[i].h))
			ret = -ENOMEM;
	}
	ret = ret ?: run_all(w, threads, &gate);
	if (ret)
		snprintf(why, len, "starting %u threads: %s", threads, strerror(-ret));
	ret = ret ?: collect(w, threads, like->block, r, why, len);
	for (unsigned int i = 0; i < threads; i++)
		hdr_close(w[i].h);
	free(w);
	return ret;
}

int rate_built(void)
{
	return 1;
}

#else

int rate_run(const struct bench_job *like, unsigned int threads, uint64_t ns, struct rate *r,
	     char *why, size_t len)
{
	(void)like;
	(void)threads;
	(void)ns;
	(void)r;
	snprintf(why, len, "built without libhdrhistogram");
	return -EOPNOTSUPP;
}

int rate_built(void)
{
	return 0;
}

#endif
