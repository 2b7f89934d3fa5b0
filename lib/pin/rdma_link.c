// SPDX-License-Identifier: GPL-2.0-only
/*
 * Soft RoCE devices, made and removed by netlink (Linux 5.2).
 *
 * These are the messages of "rdma link add" of iproute2.  libibverbs has no call for
 * them, and the rdma program is often not installed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>

#include "lib/pin/internal.h"
#include "lib/pin/rdma_link.h"

#define CLASS_DIR	"/sys/class/infiniband"

/* longest message: about one device, or a part of a dump of all */
#define ANSWER_MAX	16384

/**
 * struct request - a message under construction
 * @head: its header; counts the attributes too
 * @attrs: a few short ones
 */
struct request {
	struct nlmsghdr head;
	char attrs[256];
};

bool pin_rdma_link_exists(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), CLASS_DIR "/%s", name);
	return !access(path, F_OK);
}

/* only rxe has this attribute: its network device */
static bool lies_on(const char *name, const char *netdev)
{
	char path[320], text[64];

	snprintf(path, sizeof(path), CLASS_DIR "/%s/parent", name);
	return pin_read_line(path, text, sizeof(text)) > 0 && !strcmp(text, netdev);
}

int pin_rdma_link_on(const char *netdev, char *name, size_t len)
{
	struct dirent *entry;
	int err = -ENODEV;
	DIR *dir;

	dir = opendir(CLASS_DIR);
	if (!dir)
		return err;
	while (err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= len ||
		    !lies_on(entry->d_name, netdev))
			continue;
		snprintf(name, len, "%s", entry->d_name);
		err = 0;
	}
	closedir(dir);
	return err;
}

bool pin_rdma_link_none(void)
{
	struct dirent *entry;
	bool none = true;
	DIR *dir;

	dir = opendir(CLASS_DIR);
	if (!dir)
		return true;
	while (none && (entry = readdir(dir)))
		none = entry->d_name[0] == '.';
	closedir(dir);
	return none;
}

static void request_init(struct request *r, unsigned int command, unsigned int flags)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_len = NLMSG_LENGTH(0);
	r->head.nlmsg_type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command);
	r->head.nlmsg_flags = NLM_F_REQUEST | flags;
}

static void request_add(struct request *r, unsigned int type, const void *data, size_t len)
{
	struct nlattr *a = (void *)((char *)r + NLMSG_ALIGN(r->head.nlmsg_len));

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	memcpy((char *)a + NLA_HDRLEN, data, len);
	r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + NLA_ALIGN(a->nla_len);
}

static void request_add_text(struct request *r, unsigned int type, const char *text)
{
	request_add(r, type, text, strlen(text) + 1);
}

/* walks attributes: the next one in what is left, NULL at the end */
static const struct nlattr *next_attr(const char **at, size_t *left)
{
	const struct nlattr *a = (const void *)*at;
	size_t len;

	if (*left < NLA_HDRLEN || a->nla_len < NLA_HDRLEN || a->nla_len > *left)
		return NULL;
	len = NLA_ALIGN(a->nla_len) < *left ? NLA_ALIGN(a->nla_len) : *left;
	*at += len;
	*left -= len;
	return a;
}

static const char *attr_data(const struct nlattr *a)
{
	return (const char *)a + NLA_HDRLEN;
}

static size_t attr_len(const struct nlattr *a)
{
	return a->nla_len - NLA_HDRLEN;
}

static unsigned int attr_type(const struct nlattr *a)
{
	return a->nla_type & NLA_TYPE_MASK;
}

static bool attr_is(const struct nlattr *a, const char *text)
{
	return attr_len(a) == strlen(text) + 1 && !memcmp(attr_data(a), text, attr_len(a));
}

/* called for each answer; @arg is the caller's */
typedef void (*look_fn)(const char *attrs, size_t len, void *arg);

static int read_answers(int fd, const struct request *r, look_fn look, void *arg)
{
	union {
		struct nlmsghdr first;
		char bytes[ANSWER_MAX];
	} buf;
	const struct nlmsghdr *m;
	const struct nlmsgerr *e;
	ssize_t n;
	int left;

	for (;;) {
		n = recv(fd, &buf, sizeof(buf), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EPROTO;
		left = n;
		for (m = &buf.first; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
			e = NLMSG_DATA(m);
			if (m->nlmsg_type == NLMSG_ERROR)
				return e->error;
			if (m->nlmsg_type == NLMSG_DONE)
				return 0;
			if (look)
				look(NLMSG_DATA(m), m->nlmsg_len - NLMSG_HDRLEN, arg);
			/* a plain request has one answer */
			if (!(r->head.nlmsg_flags & (NLM_F_DUMP | NLM_F_ACK)))
				return 0;
		}
	}
}

static int ask(const struct request *r, look_fn look, void *arg)
{
	int fd, err;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_RDMA);
	if (fd < 0)
		return -errno;
	if (send(fd, r, r->head.nlmsg_len, 0) < 0)
		err = -errno;
	else
		err = read_answers(fd, r, look, arg);
	close(fd);
	return err;
}

int pin_rdma_link_add(const char *name, const char *netdev)
{
	struct request r;

	request_init(&r, RDMA_NLDEV_CMD_NEWLINK, NLM_F_ACK);
	request_add_text(&r, RDMA_NLDEV_ATTR_DEV_NAME, name);
	request_add_text(&r, RDMA_NLDEV_ATTR_LINK_TYPE, "rxe");
	request_add_text(&r, RDMA_NLDEV_ATTR_NDEV_NAME, netdev);
	return ask(&r, NULL, NULL);
}

/* the kernel's number of a device */
struct wanted {
	const char *name;
	uint32_t index;
	bool found;
};

static void look_for_index(const char *at, size_t len, void *arg)
{
	struct wanted *w = arg;
	const struct nlattr *a;
	uint32_t index = 0;
	bool same = false;

	while ((a = next_attr(&at, &len))) {
		if (attr_type(a) == RDMA_NLDEV_ATTR_DEV_INDEX && attr_len(a) == sizeof(index))
			memcpy(&index, attr_data(a), sizeof(index));
		else if (attr_type(a) == RDMA_NLDEV_ATTR_DEV_NAME)
			same = attr_is(a, w->name);
	}
	if (!same)
		return;
	w->index = index;
	w->found = true;
}

/* the number of user contexts of a device, from its summary of resources */
static void look_for_contexts(const char *at, size_t len, void *arg)
{
	const struct nlattr *summary, *entry, *a;
	uint64_t *contexts = arg;

	while ((summary = next_attr(&at, &len))) {
		const char *in = attr_data(summary);
		size_t in_len = attr_len(summary);

		if (attr_type(summary) != RDMA_NLDEV_ATTR_RES_SUMMARY)
			continue;
		while ((entry = next_attr(&in, &in_len))) {
			const char *part = attr_data(entry);
			size_t part_len = attr_len(entry);
			uint64_t value = 0;
			bool ours = false;

			while ((a = next_attr(&part, &part_len))) {
				if (attr_type(a) == RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME)
					ours = attr_is(a, "ctx");
				else if (attr_type(a) == RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR &&
					 attr_len(a) == sizeof(value))
					memcpy(&value, attr_data(a), sizeof(value));
			}
			if (ours)
				*contexts = value;
		}
	}
}

int pin_rdma_link_remove(const char *name)
{
	struct wanted w = { .name = name };
	uint64_t contexts = 0;
	struct request r;
	int err;

	/* a netlink request would load the RDMA core */
	if (!pin_rdma_link_exists(name))
		return 0;
	request_init(&r, RDMA_NLDEV_CMD_GET, NLM_F_DUMP);
	err = ask(&r, look_for_index, &w);
	if (err || !w.found)
		return err;

	request_init(&r, RDMA_NLDEV_CMD_RES_GET, 0);
	request_add(&r, RDMA_NLDEV_ATTR_DEV_INDEX, &w.index, sizeof(w.index));
	err = ask(&r, look_for_contexts, &contexts);
	if (err || contexts)
		return err ? err : -EBUSY;

	request_init(&r, RDMA_NLDEV_CMD_DELLINK, NLM_F_ACK);
	request_add(&r, RDMA_NLDEV_ATTR_DEV_INDEX, &w.index, sizeof(w.index));
	return ask(&r, NULL, NULL);
}
