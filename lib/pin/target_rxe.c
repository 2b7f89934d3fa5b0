// SPDX-License-Identifier: GPL-2.0-only
/* A soft RoCE device on the loopback device, by netlink. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/module.h"
#include "lib/pin/rdma_link.h"
#include "lib/pin/target.h"

/* the last two are loaded, the others come with them; each needs earlier ones */
#define RXE_MODULES	5

static const char *const rxe_modules[RXE_MODULES] = {
	"udp_tunnel", "ip6_udp_tunnel", "ib_core", "ib_uverbs", "rdma_rxe",
};

static void rxe_name(const struct pin_targets *t, char *name, size_t len)
{
	snprintf(name, len, "ksft-dax-%u", t->id);
}

/* is there one, of this run or of somebody else? */
static bool rxe_found(const struct pin_targets *t, char *name, size_t len)
{
	rxe_name(t, name, len);
	return pin_rdma_link_exists(name) || !pin_rdma_link_on("lo", name, len);
}

int pin_targets_rdma(struct pin_targets *t, char *name, size_t len)
{
	bool absent;
	size_t i;
	int err;

	if (rxe_found(t, name, len))
		return 0;
	if (t->rdma_why[0])
		return -EOPNOTSUPP;
	for (i = 0; i < RXE_MODULES; i++)
		if (!module_loaded(rxe_modules[i]))
			t->loaded |= TARGET_RXE << i;
	absent = !!module_load("ib_uverbs", NULL);
	absent |= !!module_load("rdma_rxe", NULL);
	for (i = 0; i < RXE_MODULES; i++)
		if (!module_loaded(rxe_modules[i]))
			t->loaded &= ~(TARGET_RXE << i);
	rxe_name(t, name, len);
	err = pin_rdma_link_add(name, "lo");
	if (!err || rxe_found(t, name, len))
		return 0;
	snprintf(t->rdma_why, sizeof(t->rdma_why), absent ?
		 "the module rdma_rxe or ib_uverbs is missing" :
		 "the kernel refused a soft RoCE device: %s", strerror(-err));
	return err;
}

static int rxe_destroy(const struct pin_targets *t)
{
	char name[32];

	rxe_name(t, name, sizeof(name));
	return pin_rdma_link_remove(name);
}

static void rxe_unload(const struct pin_targets *t)
{
	/* without the modules the devices that others have made since would go, too */
	for (size_t i = RXE_MODULES; i-- && pin_rdma_link_none();)
		pin_target_unload(t, rxe_modules[i], TARGET_RXE << i);
}

static const struct pin_target rxe_target = {
	.destroy = rxe_destroy,
	.unload = rxe_unload,
};

REGISTER(pin_target_kinds, &rxe_target);
