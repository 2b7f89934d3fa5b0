// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages in a TCP send queue by MSG_ZEROCOPY, over the loopback device to another socket
 * of this process.
 *
 * The kernel copies data that reaches a loopback receiver, which ends the pin.  So the
 * range must stay in the send queue: bytes sent before it fill the small buffer of the
 * receiver, and the range is sent when they are read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h>
#include <linux/sockios.h>

#include "lib/pin/internal.h"

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY		60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY		0x4000000
#endif
#ifndef SO_EE_ORIGIN_ZEROCOPY
#define SO_EE_ORIGIN_ZEROCOPY	5
#endif

/*
 * The kernel doubles the size that is asked for, and puts one more segment, of half the
 * window, into a receiver that is nearly full: no more than four times this.
 */
#define RECEIVER_BYTES		4096
#define FILLER_BYTES		(8 * RECEIVER_BYTES)

/* while it is read: the largest window without scaling, which was not negotiated */
#define READING_BYTES		65535

/* far more than any of these steps takes under load */
#define STUCK_MS		10000

struct zerocopy {
	int sender;
	int receiver;
	uint32_t calls;		/* send() calls, numbered from 0 */
	uint32_t completed;	/* calls whose pages the kernel has released */
};

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

/* close() then drops the queued data, at once and on both sides */
static int set_hard_close(int fd)
{
	const struct linger hard = { .l_onoff = 1 };

	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) ? -errno : 0;
}

static void disconnect(struct zerocopy *z)
{
	if (z->sender >= 0)
		close(z->sender);
	if (z->receiver >= 0)
		close(z->receiver);
	z->sender = -1;
	z->receiver = -1;
}

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int make_listener(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd, err;

	fd = new_socket();
	if (fd < 0)
		return fd;
	memset(at, 0, sizeof(*at));
	at->sin_family = AF_INET;
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	/* before the window is negotiated; accepted sockets inherit it */
	err = set_int(fd, SOL_SOCKET, SO_RCVBUF, RECEIVER_BYTES);
	if (!err && (bind(fd, (struct sockaddr *)at, len) || listen(fd, 1) ||
		     getsockname(fd, (struct sockaddr *)at, &len)))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int make_connection(struct zerocopy *z)
{
	struct sockaddr_in at;
	int listener, err = 0;

	z->calls = 0;
	z->completed = 0;
	listener = make_listener(&at);
	if (listener < 0)
		return listener;
	z->sender = new_socket();
	if (z->sender < 0)
		err = z->sender;
	if (!err && connect(z->sender, (struct sockaddr *)&at, sizeof(at)))
		err = -errno;
	if (!err) {
		z->receiver = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (z->receiver < 0)
			err = -errno;
	}
	close(listener);
	if (!err)
		err = set_int(z->sender, SOL_SOCKET, SO_ZEROCOPY, 1);
	if (!err)
		err = set_hard_close(z->sender);
	if (!err)
		err = set_hard_close(z->receiver);
	/* all of a range must fit into the queue, which counts it twice */
	if (!err && set_int(z->sender, SOL_SOCKET, SO_SNDBUFFORCE, INT_MAX / 4))
		err = -errno;
	if (err)
		disconnect(z);
	return err;
}

static int zerocopy_open(struct pin *pin)
{
	struct zerocopy *z = calloc(1, sizeof(*z));
	int err;

	if (!z)
		return -ENOMEM;
	z->sender = -1;
	z->receiver = -1;
	err = make_connection(z);
	if (err) {
		free(z);
		if (err == -EMFILE || err == -ENFILE || err == -ENOMEM)
			return err;
		return pin_fail(pin, -EOPNOTSUPP, "no TCP with MSG_ZEROCOPY over loopback: %s",
				strerror(-err));
	}
	pin->priv = z;
	return 0;
}

/* bytes in the sender's queue: not acknowledged, or not even sent */
static int queued(const struct zerocopy *z, bool unsent)
{
	int n;

	return ioctl(z->sender, unsent ? SIOCOUTQNSD : SIOCOUTQ, &n) ? -errno : n;
}

static int send_all(struct zerocopy *z, const char *buf, size_t len, int flags)
{
	ssize_t n;

	while (len) {
		n = send(z->sender, buf, len, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		z->calls += !!(flags & MSG_ZEROCOPY);
		buf += n;
		len -= n;
	}
	return 0;
}

static int zerocopy_take(struct pin *pin)
{
	static const char filler[FILLER_BYTES];
	struct zerocopy *z = pin->priv;
	int err = 0, n;

	if (z->sender < 0)
		err = make_connection(z);
	if (!err)
		err = send_all(z, filler, sizeof(filler), 0);
	if (!err)
		err = send_all(z, pin->addr, pin->len, MSG_ZEROCOPY);
	if (!err) {
		n = queued(z, true);
		if (n >= 0 && (size_t)n < pin->len)
			err = pin_fail(pin, -EIO, "only %d of %zu bytes stay in the send queue", n,
				       pin->len);
		else if (n < 0)
			err = n;
	}
	/* the data queued before the error can only be dropped with the connection */
	if (err)
		disconnect(z);
	return err;
}

/* read the notifications of completed calls */
static int read_completions(struct zerocopy *z)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(struct sock_extended_err) +
				     sizeof(struct sockaddr_in))];
	} control;
	struct sock_extended_err said;
	struct cmsghdr *c;
	struct msghdr msg;

	for (;;) {
		memset(&msg, 0, sizeof(msg));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		if (recvmsg(z->sender, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
			if (errno == EINTR)
				continue;
			return errno == EAGAIN ? 0 : -errno;
		}
		for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
			if (c->cmsg_level != SOL_IP || c->cmsg_type != IP_RECVERR)
				continue;
			memcpy(&said, CMSG_DATA(c), sizeof(said));
			/* numbers of the first and last call that completed together */
			if (said.ee_origin == SO_EE_ORIGIN_ZEROCOPY)
				z->completed += said.ee_data - said.ee_info + 1;
		}
	}
}

static int zerocopy_live(struct pin *pin)
{
	struct zerocopy *z = pin->priv;
	int n = read_completions(z);

	if (n < 0)
		return n;
	if (z->completed == z->calls)
		return 0;
	n = queued(z, false);
	return n < 0 ? n : n > 0;
}

/* exactly @len bytes; discarded if @buf is NULL */
static int receive(int fd, char *buf, size_t len)
{
	ssize_t n;

	while (len) {
		n = recv(fd, buf, len, buf ? 0 : MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		buf += buf ? n : 0;
		len -= n;
	}
	return 0;
}

static int await_completions(struct zerocopy *z)
{
	/* POLLERR, for the error queue, is always reported */
	struct pollfd pfd = { .fd = z->sender };
	int err;

	for (;;) {
		err = read_completions(z);
		if (err || z->completed == z->calls)
			return err;
		err = poll(&pfd, 1, STUCK_MS);
		if (!err)
			return -ETIMEDOUT;
		if (err < 0 && errno != EINTR)
			return -errno;
	}
}

static int zerocopy_release(struct pin *pin)
{
	const struct timeval stuck = { .tv_sec = STUCK_MS / 1000 };
	struct zerocopy *z = pin->priv;
	int err;

	if (z->sender < 0)
		return 0;
	setsockopt(z->receiver, SOL_SOCKET, SO_RCVTIMEO, &stuck, sizeof(stuck));
	set_int(z->receiver, SOL_SOCKET, SO_RCVBUF, READING_BYTES);
	set_int(z->receiver, IPPROTO_TCP, TCP_WINDOW_CLAMP, READING_BYTES);
	err = receive(z->receiver, NULL, FILLER_BYTES);
	if (!err)
		err = receive(z->receiver, pin->peer, pin->len);
	/* without this the last acknowledgment is delayed */
	set_int(z->receiver, IPPROTO_TCP, TCP_QUICKACK, 1);
	if (!err)
		err = await_completions(z);
	disconnect(z);
	return err;
}

static void zerocopy_close(struct pin *pin)
{
	struct zerocopy *z = pin->priv;

	if (!z)
		return;
	disconnect(z);
	free(z);
	pin->priv = NULL;
}

static const struct pin_method zerocopy_methods[] = {
	{
		.name = "msg_zerocopy",
		.what = "pages in a TCP send queue by MSG_ZEROCOPY, not received",
		.flags = PIN_SOURCE | PIN_HELD | PIN_OUTLIVES | PIN_ELABORATE,
		.max_len = PIN_COPY_MAX,
		.open = zerocopy_open,
		.take = zerocopy_take,
		.live = zerocopy_live,
		.release = zerocopy_release,
		.close = zerocopy_close,
	},
	{ }
};

REGISTER(pin_methods, zerocopy_methods);
