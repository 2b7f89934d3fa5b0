// SPDX-License-Identifier: GPL-2.0-only
/*
 * Block I/O that is held in flight, and the transfer between target and peer.
 *
 * Peer and target exchange their bytes by splice(2) with an O_DIRECT descriptor:
 * this needs no page cache, which would have to be written back first, and uses the
 * pages of a pipe instead of pinned user memory, so that the pin counters count the
 * pin under test and nothing else.
 *
 * A slow null_blk device moves the bytes when it starts a request, arms a timer and
 * completes the request when the timer expires.  A SINK's bytes are brought to the
 * target before the pin's own I/O, which takes one more delay.  A SOURCE's bytes are
 * read back while the pin's own I/O is still in flight.  This is valid if the pin's
 * I/O completed no later than one delay after the read was submitted: all of the
 * write had been moved before then.  If not, or if that is not known, the bytes are
 * read once more.
 *
 * The number of requests in flight is not enough to know that: a kernel that submits
 * from a plug when the caller sleeps starts them in a worker, and a request counts
 * as in flight while its bytes are still being moved.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <linux/fs.h>

#include "lib/pin/internal.h"
#include "lib/pin/io.h"
#include "lib/pin/targets.h"

/* a thread that only waits in one system call; room for the sanitizers */
#define JOB_STACK	(256UL << 10)

/* short beside the shortest hold, 150 ms, nanoseconds */
#define POLL_NS		200000

/*
 * An I/O is in flight after a millisecond, later only on an overloaded machine: two
 * seconds, then.
 */
#define IN_FLIGHT_POLLS	10000

/*
 * I/O of another pin that ends while that of this pin starts leaves the number of
 * requests unchanged.  After this many polls without a completion it is in flight.
 */
#define PATIENT_POLLS	250

/*
 * null_blk copies when it starts a request, under TCG at 4 to 60 MB/s: the last
 * byte must be in flight well before the delay of the first one is over.
 */
#define PIN_TIMED_MAX	(1UL << 20)

/*
 * Time for a worker to move the bytes of a request that it has started, nanoseconds:
 * the read back starts after it, so that it has seldom to be repeated.
 */
#define SETTLE_NS	20000000

/* direct I/O makes one bio of so many bytes, even if no two pages are contiguous */
#define ONE_BIO		(128UL << 10)

/* regions begin at a multiple of every block size and page size */
#define REGION_ALIGN	(64UL << 10)

/* room for a thousand pins of one page each */
#define SMALL_REGIONS	(128UL << 20)

uint64_t pin_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* threads */

static void *job_main(void *arg)
{
	struct pin_job *job = arg;

	__atomic_store_n(&job->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	job->ret = job->run(job);
	job->end_ns = pin_now_ns();
	__atomic_store_n(&job->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

int pin_job_start(struct pin_job *job)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int err;

	job->tid = 0;
	job->done = 0;
	job->ret = 0;
	/* the caller's signals are not for this thread */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, JOB_STACK);
	err = pthread_create(&job->thread, &attr, job_main, job);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	job->started = !err;
	return -err;
}

int pin_job_join(struct pin_job *job)
{
	if (!job->started)
		return 0;
	pthread_join(job->thread, NULL);
	job->started = false;
	return job->ret;
}

bool pin_job_done(const struct pin_job *job)
{
	return __atomic_load_n(&job->done, __ATOMIC_ACQUIRE);
}

/*
 * Is the thread in uninterruptible sleep?  The submitting loop of direct I/O
 * does not sleep (the queues are deep enough), so this is the wait for the
 * completion of everything submitted.
 */
static bool job_blocked(const struct pin_job *job)
{
	int tid = __atomic_load_n(&job->tid, __ATOMIC_ACQUIRE);
	char path[48], text[64];
	char *p;

	if (!tid)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	if (pin_read_line(path, text, sizeof(text)) <= 0)
		return false;
	/* the name in parentheses may contain any byte, also a parenthesis */
	p = strrchr(text, ')');
	return p && p[1] == ' ' && p[2] == 'D';
}

/* bytes between peer and target */

static int store_put(struct pin_job *job)
{
	loff_t off = job->off;
	size_t left = job->len;
	int fds[2], err;
	ssize_t n;

	err = pin_pipe_open(fds, job->len);
	if (err)
		return err;
	err = pin_pipe_fill(fds[1], job->buf, job->len);
	while (!err && left) {
		n = splice(fds[0], NULL, job->fd, &off, left, SPLICE_F_MOVE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			err = n ? -errno : -EIO;
		else
			left -= n;
	}
	close(fds[0]);
	close(fds[1]);
	return err;
}

static int store_get(struct pin_job *job)
{
	loff_t off = job->off;
	size_t left = job->len;
	char *to = job->buf;
	int fds[2], err;
	ssize_t n;

	err = pin_pipe_open(fds, job->len);
	if (err)
		return err;
	while (!err && left) {
		n = splice(job->fd, &off, fds[1], NULL, left, SPLICE_F_MOVE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n ? -errno : -EIO;
			break;
		}
		err = pin_pipe_drain(fds[0], to, n);
		to += n;
		left -= n;
	}
	close(fds[0]);
	close(fds[1]);
	return err;
}

static int store_get_settled(struct pin_job *job)
{
	const struct timespec pause = { .tv_nsec = SETTLE_NS };

	nanosleep(&pause, NULL);
	job->begin_ns = pin_now_ns();
	return store_get(job);
}

static struct pin_job *store_job(struct pin *pin, struct pin_io *io,
				 int (*run)(struct pin_job *job))
{
	struct pin_job *job = &io->store;

	job->run = run;
	job->fd = io->store_fd;
	job->buf = pin->peer;
	job->len = pin->len;
	job->off = io->off;
	return job;
}

/* requests in flight */

static int counted(const struct pin_io *io, bool write)
{
	unsigned int reads, writes;
	char text[64];
	int n = pin_read_line(io->inflight, text, sizeof(text));

	if (n < 0)
		return n;
	if (sscanf(text, "%u %u", &reads, &writes) != 2)
		return -EPROTO;
	return write ? writes : reads;
}

static int in_flight(const struct pin *pin, const struct pin_io *io, bool write)
{
	return io->delay ? pin_targets_held(pin->targets, write) : counted(io, write);
}

int pin_io_inflight(const struct pin *pin, const struct pin_io *io)
{
	return in_flight(pin, io, pin->method->flags & PIN_SOURCE);
}

/*
 * All bytes of a range are in flight when the thread that submits them sleeps, or,
 * without a thread, when there are as many more requests as the range needs at least.
 * For a range of several requests their number must also be the same in two polls.
 */
static int wait_in_flight(const struct pin *pin, const struct pin_io *io,
			  const struct pin_job *job, bool (*over)(const struct pin *pin))
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	int need = 1, base = job ? 0 : io->base;
	size_t one = io->max_request ? io->max_request : ONE_BIO;
	int n, last = -1, poll;

	if (io->max_request)
		need = (pin->len + io->max_request - 1) / io->max_request;

	for (poll = 0; poll < IN_FLIGHT_POLLS; poll++) {
		n = pin_io_inflight(pin, io);
		if (n < 0)
			return n;
		if (job ? pin_job_done(job) : over(pin))
			return -ETIME;
		if (poll == PATIENT_POLLS)
			base = 0;
		if (n < base)
			base = n;
		if (n >= base + need && (!job || job_blocked(job)) &&
		    (n == last || pin->len <= one))
			return 0;
		last = n;
		nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}

/* targets */

static size_t max_request(const char *dir)
{
	unsigned long kib;
	char path[96];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "%s/queue/max_sectors_kb", dir);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fscanf(f, "%lu", &kib);
	fclose(f);
	return n == 1 ? kib << 10 : 0;
}

/* where the first free region may be; a wrong guess only costs time */
static uint64_t region_guess;

static int region_lock_from(struct pin_io *io, uint64_t at, uint64_t end, size_t len)
{
	struct flock lock;

	while (at + len <= end) {
		memset(&lock, 0, sizeof(lock));
		lock.l_type = F_WRLCK;
		lock.l_start = at;
		lock.l_len = len;
		if (!fcntl(io->store_fd, F_OFD_SETLK, &lock)) {
			io->off = at;
			return 0;
		}
		if (errno != EAGAIN && errno != EACCES)
			return -errno;
		if (fcntl(io->store_fd, F_OFD_GETLK, &lock))
			return -errno;
		/* F_UNLCK: unlocked meanwhile, try the same place again */
		if (lock.l_type != F_UNLCK)
			at = lock.l_start + lock.l_len;
	}
	return -ENOSPC;
}

/*
 * Pins of several processes share a target.  A lock on the byte range reserves a
 * region: it lasts as long as the descriptor, also when the process is killed.
 *
 * Small regions are taken in turn from the first part of the device, which has room
 * for a thousand; large ones take the first gap after that part, so that the device
 * allocates little memory.
 */
static int region_lock(struct pin_io *io, size_t len)
{
	uint64_t size, guess;
	int err;

	if (ioctl(io->store_fd, BLKGETSIZE64, &size))
		return -errno;
	len = (len + REGION_ALIGN - 1) / REGION_ALIGN * REGION_ALIGN;
	if (len > REGION_ALIGN)
		return region_lock_from(io, SMALL_REGIONS, size, len);

	guess = __atomic_load_n(&region_guess, __ATOMIC_RELAXED) % SMALL_REGIONS;
	err = region_lock_from(io, guess, SMALL_REGIONS, len);
	if (err == -ENOSPC)
		err = region_lock_from(io, 0, SMALL_REGIONS, len);
	if (!err)
		__atomic_store_n(&region_guess, io->off + len, __ATOMIC_RELAXED);
	return err;
}

/* the device for the pin's own I/O */
static int choose(struct pin *pin, struct pin_io *io, char *node, size_t len)
{
	const struct pin_targets *t = pin->targets;
	int err;

	io->delay = pin->method->flags & PIN_DM_DELAY ||
		    (pin->method->variant & PIN_IO_EITHER && pin->hold_ns && t && *t->delay);
	io->held = io->delay || pin->hold_ns;
	if (io->held && !io->delay && pin->max_len > PIN_TIMED_MAX)
		return pin_fail(pin, -E2BIG, "null_blk's delay holds no more than %lu bytes in flight",
				PIN_TIMED_MAX);
	if (!t)
		return pin_fail(pin, -EOPNOTSUPP, "no block device for the I/O");

	io->delay_ns = 0;
	if (io->held && !io->delay && *t->fast) {
		err = pin_targets_timed(t, pin->hold_ns, &io->delay_ns, node, len);
		if (err == -ERANGE)
			return pin_fail(pin, err, "no target holds I/O for %.1f s",
					pin->hold_ns / 1e9);
		return err ? pin_fail(pin, err, "null_blk refused the slow device") : 0;
	}
	snprintf(node, len, "%s", io->delay ? t->delay : t->fast);
	if (*node)
		return 0;
	return pin_fail(pin, -EOPNOTSUPP, "%s", t->why[0] ? t->why : "there is no block device for the I/O");
}

static int open_node(struct pin *pin, const char *node, int *fd)
{
	*fd = open(node, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (*fd < 0)
		return pin_fail(pin, -errno, "%s cannot be opened", node);
	return 0;
}

int pin_io_open(struct pin *pin, struct pin_io *io)
{
	char node[64], dir[32];
	struct stat st;
	int err;

	memset(io, 0, sizeof(*io));
	io->fd = -1;
	io->store_fd = -1;
	err = choose(pin, io, node, sizeof(node));
	if (!err)
		err = open_node(pin, node, &io->fd);
	if (!err)
		err = open_node(pin, io->delay ? pin->targets->under : node, &io->store_fd);
	if (!err && fstat(io->fd, &st))
		err = -errno;
	if (!err)
		err = region_lock(io, pin->max_len);
	if (err)
		goto fail;

	snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	snprintf(io->inflight, sizeof(io->inflight), "%s/inflight", dir);
	/* dm passes bios on unchanged: their number is not known beforehand */
	io->max_request = io->delay ? 0 : max_request(dir);
	return 0;
fail:
	pin_io_close(io);
	return err;
}

int pin_io_prepare(struct pin *pin, struct pin_io *io)
{
	int err;

	if (pin->method->flags & PIN_SINK) {
		err = store_put(store_job(pin, io, store_put));
		if (err)
			return err;
	}
	io->base = pin_io_inflight(pin, io);
	return io->base < 0 ? io->base : 0;
}

int pin_io_wait(struct pin *pin, struct pin_io *io, const struct pin_job *job,
		bool (*over)(const struct pin *pin))
{
	int err = wait_in_flight(pin, io, job, over);

	if (!err && pin->method->flags & PIN_SOURCE && io->delay_ns)
		err = pin_job_start(store_job(pin, io, store_get_settled));
	return err;
}

int pin_io_flush(const struct pin *pin, const struct pin_io *io)
{
	if (!io->delay)
		return 0;
	/* one command completes all: the rest of a thousand pins need none */
	if (!in_flight(pin, io, false) && !in_flight(pin, io, true))
		return 0;
	return pin_targets_flush(pin->targets);
}

int pin_io_finish(struct pin *pin, struct pin_io *io, int ret, uint64_t end_ns)
{
	struct pin_job *store = &io->store;
	bool reading = store->started;
	int err;

	err = pin_job_join(store);
	if (ret || !(pin->method->flags & PIN_SOURCE))
		return ret;
	if (!reading || err || end_ns > store->begin_ns + io->delay_ns)
		err = store_get(store_job(pin, io, store_get));
	return err;
}

void pin_io_close(struct pin_io *io)
{
	if (io->fd >= 0)
		close(io->fd);
	if (io->store_fd >= 0)
		close(io->store_fd);
	io->fd = -1;
	io->store_fd = -1;
}
