// SPDX-License-Identifier: GPL-2.0
/*
 * lib/victim on an invented machine: a directory that looks like sysfs, one
 * like procfs and one like /dev.  Needs neither root nor a device.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "../../lib/victim_internal.h"

#define MIB	1048576UL

/* the device number of every invented dax device is 252:0 */
static int invented_node(const char *path, struct stat *st)
{
	const char *name = strrchr(path, '/') + 1;

	memset(st, 0, sizeof(*st));
	if (access(path, F_OK))
		return -errno;
	st->st_mode = strncmp(name, "pmem", 4) ? S_IFCHR : S_IFBLK;
	st->st_rdev = strcmp(name, "dax0.9") ? makedev(252, 0) : makedev(1, 1);
	return 0;
}

struct machine {
	char top[64];
	char sys[80];
	char proc[80];
	char dev[80];
	struct victim_env env;
};

static void make_parents(char *path)
{
	char *slash;

	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0755);
		*slash = '/';
	}
}

static void put(const char *top, const char *name, const char *text)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	make_parents(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

static void put_link(const char *top, const char *name, const char *target)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	make_parents(path);
	unlink(path);
	if (symlink(target, path))
		abort();
}

static void put_dir(const char *top, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/", top, name);
	make_parents(path);
}

/* one line of text into a file of a libnvdimm device */
static void nd_attr(struct machine *m, const char *device, const char *file, const char *text)
{
	char name[256], target[128], line[128];

	snprintf(name, sizeof(name), "devices/ndbus0/region0/%s/%s", device, file);
	snprintf(line, sizeof(line), "%s\n", text);
	put(m->sys, name, line);
	snprintf(name, sizeof(name), "bus/nd/devices/%s", device);
	snprintf(target, sizeof(target), "../../../devices/ndbus0/region0/%s", device);
	put_link(m->sys, name, target);
}

static void make_namespace(struct machine *m, const char *name, const char *label,
			   const char *mode, const char *holder)
{
	nd_attr(m, name, "alt_name", label);
	nd_attr(m, name, "size", "67108864");
	nd_attr(m, name, "mode", mode);
	nd_attr(m, name, "holder", holder);
	nd_attr(m, name, "holder_class", strncmp(holder, "dax", 3) ? "pfn" : "dax");
	nd_attr(m, name, "resource", "0x100000000");
	nd_attr(m, name, "uuid", "01234567-89ab-4cde-8f01-23456789abcd");
}

/* device-dax 0.N on namespace 0.N */
static void make_dax(struct machine *m, int n, const char *label)
{
	char ndns[32], dax[32], path[256], target[128];

	snprintf(ndns, sizeof(ndns), "namespace0.%d", n);
	snprintf(dax, sizeof(dax), "dax0.%d", n);
	make_namespace(m, ndns, label, "dax", dax);
	nd_attr(m, dax, "namespace", ndns);
	nd_attr(m, dax, "mode", "ram");
	nd_attr(m, dax, "align", "2097152");
	nd_attr(m, dax, "uuid", "fedcba98-7654-4321-8fed-cba987654321");
	snprintf(path, sizeof(path), "devices/ndbus0/region0/%s/%s/size", dax, dax);
	put(m->sys, path, "65011712\n");
	snprintf(path, sizeof(path), "devices/ndbus0/region0/%s/%s/align", dax, dax);
	put(m->sys, path, "2097152\n");
	snprintf(path, sizeof(path), "devices/ndbus0/region0/%s/%s/dev", dax, dax);
	put(m->sys, path, "252:0\n");
	snprintf(path, sizeof(path), "devices/ndbus0/region0/%s/%s/driver", dax, dax);
	put_link(m->sys, path, "../../../../../bus/dax/drivers/device_dax");
	snprintf(path, sizeof(path), "bus/dax/devices/%s", dax);
	snprintf(target, sizeof(target), "../../../devices/ndbus0/region0/%s/%s", dax, dax);
	put_link(m->sys, path, target);
	put(m->dev, dax, "");
}

/* fsdax on namespace 0.1, as block device pmem0.1 with device number 259:1 */
static void make_fsdax(struct machine *m, const char *label)
{
	make_namespace(m, "namespace0.1", label, "memory", "pfn0.1");
	nd_attr(m, "pfn0.1", "align", "2097152");
	nd_attr(m, "pfn0.1", "mode", "pmem");
	nd_attr(m, "pfn0.1", "uuid", "fedcba98-7654-4321-8fed-cba987654321");
	put(m->sys, "devices/ndbus0/region0/pfn0.1/block/pmem0.1/dev", "259:1\n");
	put_dir(m->sys, "devices/ndbus0/region0/pfn0.1/block/pmem0.1/holders");
	put_link(m->sys, "class/block/pmem0.1",
		 "../../devices/ndbus0/region0/pfn0.1/block/pmem0.1");
	put(m->dev, "pmem0.1", "");
	put(m->proc, "self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
}

static void make_machine(struct machine *m)
{
	snprintf(m->top, sizeof(m->top), "/tmp/test_victim.XXXXXX");
	if (!mkdtemp(m->top))
		abort();
	snprintf(m->sys, sizeof(m->sys), "%s/sys", m->top);
	snprintf(m->proc, sizeof(m->proc), "%s/proc", m->top);
	snprintf(m->dev, sizeof(m->dev), "%s/dev", m->top);
	put_dir(m->top, "sys/bus/nd/devices");
	put_dir(m->top, "sys/bus/dax/devices");
	put_dir(m->top, "proc");
	put_dir(m->top, "dev");
	put(m->sys, "devices/ndbus0/provider", "ACPI.NFIT\n");
	nd_attr(m, "region0", "read_only", "0");
	put(m->sys, "devices/ndbus0/region0/read_only", "0\n");
	put_link(m->sys, "bus/nd/devices/region0", "../../../devices/ndbus0/region0");
	m->env.sys = m->sys;
	m->env.proc = m->proc;
	m->env.dev = m->dev;
	m->env.node = invented_node;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

FIXTURE(victim) {
	struct machine m;
	struct victim_set set;
	char why[VICTIM_WHY];
};

FIXTURE_SETUP(victim)
{
	make_machine(&self->m);
}

FIXTURE_TEARDOWN(victim)
{
	nftw(self->m.top, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* "", or the sentence that lacks a word */
static const char *lacks(const char *why, const char *word)
{
	return strstr(why, word) ? "" : why;
}

#define FIND(ndns, dev) victim_find_in(&self->m.env, ndns, dev, &self->set, self->why, \
				       sizeof(self->why))
#define GET(m, a, size, v) victim_get(&self->set, &(struct victim_want){	\
		.mode = m, .align = a, .min_size = size }, v, self->why, sizeof(self->why))
#define EXPECT_WHY(word) EXPECT_STREQ("", lacks(self->why, word))

TEST(a_name_is_one_component_of_a_path)
{
	static const char * const good[] = { "dax0.1", "namespace12.3", "a", "0", "a-b_c.d" };
	static const char * const bad[] = {
		"", ".", "..", "-f", ".hidden", "a/b", "/dev/dax0.0", "dax0.0/..", "a b", "a\n",
		"a;b", "$(id)", "a*", "\303\244", "name_of_thirty-two_characters_xx",
	};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		EXPECT_TRUE(victim_name_ok(good[i])) TH_LOG("name %zu", i);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_FALSE(victim_name_ok(bad[i])) TH_LOG("name %zu", i);
}

TEST(a_list_is_taken_apart)
{
	const char *list = " ,dax0.1,/dev/dax0.2\t dax0.3\n";
	char name[33];

	EXPECT_EQ(1, victim_next_name(&list, "/dev/", name, sizeof(name)));
	EXPECT_STREQ("dax0.1", name);
	EXPECT_EQ(1, victim_next_name(&list, "/dev/", name, sizeof(name)));
	EXPECT_STREQ("dax0.2", name);
	EXPECT_EQ(1, victim_next_name(&list, "/dev/", name, sizeof(name)));
	EXPECT_STREQ("dax0.3", name);
	EXPECT_EQ(0, victim_next_name(&list, "/dev/", name, sizeof(name)));
	EXPECT_EQ(0, victim_next_name(&list, "/dev/", name, sizeof(name)));
}

TEST(a_bad_name_is_quoted_without_control_characters)
{
	const char *list = "a\033[2Jb";
	char name[33];

	EXPECT_EQ(-EINVAL, victim_next_name(&list, "/dev/", name, sizeof(name)));
	EXPECT_STREQ("a?[2Jb", name);
}

TEST(only_one_prefix_is_taken_off)
{
	static const char * const bad[] = {
		"/dev/", "/dev//dev/dax0.0", "/dev/../sda", "/sys/dax0.0",
	};
	char name[33];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *list = bad[i];

		EXPECT_EQ(-EINVAL, victim_next_name(&list, "/dev/", name, sizeof(name)))
			TH_LOG("name %zu", i);
	}
}

TEST(a_name_too_long_is_cut_and_refused)
{
	const char *list = "dax0123456789012345678901234567890123456789";
	char name[33];

	EXPECT_EQ(-EINVAL, victim_next_name(&list, NULL, name, sizeof(name)));
	EXPECT_EQ(32, strlen(name));
}

TEST(usable_bytes_follow_libnvdimms_rule)
{
	struct victim v = { .start = 4UL << 30, .capacity = 64 * MIB };

	/* measured: 64 MiB and 3 GiB from 4 GiB on */
	EXPECT_EQ(65011712, victim_usable(&v, 4096, false));
	EXPECT_EQ(65011712, victim_usable(&v, 2 * MIB, false));
	EXPECT_EQ(0, victim_usable(&v, 1024 * MIB, false));
	v.capacity = 3072 * MIB;
	EXPECT_EQ(3219128320, victim_usable(&v, 2 * MIB, false));
	EXPECT_EQ(3168796672, victim_usable(&v, 2 * MIB, true));
	EXPECT_EQ(2147483648, victim_usable(&v, 1024 * MIB, false));
	EXPECT_EQ(2147483648, victim_usable(&v, 1024 * MIB, true));
	v.start += 512 * MIB;
	EXPECT_EQ(2147483648, victim_usable(&v, 1024 * MIB, false));
}

TEST_F(victim, no_nvdimm_at_all_is_nothing_offered)
{
	nftw(self->m.sys, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	EXPECT_EQ(-ENODEV, FIND(NULL, NULL));
	EXPECT_WHY("ndctl create-namespace");
	EXPECT_WHY("DAX_TEST_NAMESPACE");
}

TEST_F(victim, an_unlabelled_namespace_is_not_offered)
{
	make_dax(&self->m, 0, "backup");
	make_dax(&self->m, 1, "my-ksft-dax");
	EXPECT_EQ(-ENODEV, FIND(NULL, NULL));
	EXPECT_EQ(-ENODEV, FIND("", " ,"));
}

TEST_F(victim, a_labelled_namespace_is_described)
{
	const struct victim *v = &self->set.was[0];

	make_dax(&self->m, 0, "ksft-dax-pmd");
	ASSERT_EQ(0, FIND(NULL, NULL)) TH_LOG("%s", self->why);
	EXPECT_STREQ("", self->why);
	ASSERT_EQ(1, self->set.nr);
	EXPECT_STREQ("devdax", self->set.mode[0]);
	EXPECT_STREQ("namespace0.0", v->ndns);
	EXPECT_STREQ("region0", v->region);
	EXPECT_STREQ("ACPI.NFIT", v->provider);
	EXPECT_STREQ("ksft-dax-pmd", v->label);
	EXPECT_STREQ("dax", v->claim);
	EXPECT_STREQ("dax0.0", v->dax);
	EXPECT_STREQ("device_dax", v->driver);
	EXPECT_STREQ("fedcba98-7654-4321-8fed-cba987654321", v->info_uuid);
	EXPECT_EQ(4UL << 30, v->start);
	EXPECT_EQ(64 * MIB, v->capacity);
	EXPECT_EQ(2 * MIB, v->align);
	EXPECT_EQ(65011712, v->size);
	EXPECT_EQ(makedev(252, 0), v->rdev);
	EXPECT_FALSE(v->map_dev);
	EXPECT_EQ(0, memcmp(v, &self->set.now[0], sizeof(*v)));
}

TEST_F(victim, the_memory_map_on_the_device_is_seen)
{
	make_dax(&self->m, 0, "ksft-dax");
	nd_attr(&self->m, "dax0.0", "mode", "pmem");
	ASSERT_EQ(0, FIND(NULL, NULL));
	EXPECT_TRUE(self->set.was[0].map_dev);
}

TEST_F(victim, the_order_is_by_number)
{
	make_dax(&self->m, 10, "ksft-dax");
	make_dax(&self->m, 2, "ksft-dax");
	ASSERT_EQ(0, FIND(NULL, NULL));
	ASSERT_EQ(2, self->set.nr);
	EXPECT_STREQ("dax0.2", self->set.now[0].dax);
	EXPECT_STREQ("dax0.10", self->set.now[1].dax);
}

TEST_F(victim, a_variable_offers_exactly_what_it_names)
{
	make_dax(&self->m, 0, "ksft-dax");
	make_dax(&self->m, 1, "backup");
	make_dax(&self->m, 2, "");
	ASSERT_EQ(0, FIND("namespace0.1", NULL)) TH_LOG("%s", self->why);
	ASSERT_EQ(1, self->set.nr);
	EXPECT_STREQ("dax0.1", self->set.now[0].dax);
	ASSERT_EQ(0, FIND(NULL, "/dev/dax0.2"));
	ASSERT_EQ(1, self->set.nr);
	EXPECT_STREQ("namespace0.2", self->set.now[0].ndns);
}

TEST_F(victim, named_twice_is_offered_once)
{
	make_dax(&self->m, 0, "");
	make_dax(&self->m, 1, "");
	ASSERT_EQ(0, FIND("namespace0.1,namespace0.0", "dax0.1 /dev/dax0.0"));
	ASSERT_EQ(2, self->set.nr);
	EXPECT_STREQ("dax0.1", self->set.now[0].dax);
	EXPECT_STREQ("dax0.0", self->set.now[1].dax);
}

TEST_F(victim, a_device_without_namespace_needs_no_libnvdimm)
{
	put(self->m.sys, "devices/hmem.0/dax1.0/size", "1073741824\n");
	put(self->m.sys, "devices/hmem.0/dax1.0/align", "2097152\n");
	put(self->m.sys, "devices/hmem.0/dax1.0/dev", "252:0\n");
	put_link(self->m.sys, "bus/dax/devices/dax1.0", "../../../devices/hmem.0/dax1.0");
	put(self->m.dev, "dax1.0", "");
	ASSERT_EQ(0, FIND(NULL, "dax1.0")) TH_LOG("%s", self->why);
	EXPECT_STREQ("", self->set.now[0].ndns);
	EXPECT_STREQ("", self->set.now[0].driver);
	EXPECT_STREQ("devdax", self->set.mode[0]);
	EXPECT_EQ(1024 * MIB, self->set.now[0].size);
	EXPECT_EQ(-EINVAL, GET("devdax", 1024 * MIB, MIB, &self->set.was[1]));
	EXPECT_WHY("without namespace");
}

TEST_F(victim, the_alignment_of_the_region_is_the_fallback)
{
	put(self->m.sys, "devices/hmem.0/dax1.0/size", "1073741824\n");
	put(self->m.sys, "devices/hmem.0/dax_region/align", "4096\n");
	put(self->m.sys, "devices/hmem.0/dax1.0/dev", "252:0\n");
	put_link(self->m.sys, "bus/dax/devices/dax1.0", "../../../devices/hmem.0/dax1.0");
	put(self->m.dev, "dax1.0", "");
	ASSERT_EQ(0, FIND(NULL, "dax1.0"));
	EXPECT_EQ(4096, self->set.now[0].align);
}

TEST_F(victim, names_that_cannot_be_are_refused)
{
	make_dax(&self->m, 0, "ksft-dax");
	EXPECT_EQ(-EINVAL, FIND(NULL, "/dev/../etc/passwd"));
	EXPECT_WHY("no device name");
	EXPECT_EQ(-EINVAL, FIND("../region0", NULL));
	EXPECT_EQ(-EINVAL, FIND("region0", NULL));
	EXPECT_WHY("no namespace");
	EXPECT_EQ(-EINVAL, FIND("namespace7.7", NULL));
	EXPECT_WHY("does not exist");
	EXPECT_EQ(-EINVAL, FIND(NULL, "dax7.7"));
	EXPECT_WHY("no such device-dax device");
	EXPECT_EQ(0, self->set.nr);
}

TEST_F(victim, one_refusal_of_what_was_named_refuses_all)
{
	make_dax(&self->m, 0, "ksft-dax");
	EXPECT_EQ(-EINVAL, FIND(NULL, "dax0.0 dax7.7"));
	EXPECT_EQ(0, self->set.nr);
}

TEST_F(victim, a_block_device_is_refused_as_such)
{
	make_fsdax(&self->m, "ksft-dax");
	EXPECT_EQ(-EINVAL, FIND(NULL, "/dev/pmem0.1"));
	EXPECT_WHY("block device");
	EXPECT_WHY("DAX_TEST_NAMESPACE=");
}

TEST_F(victim, the_mock_is_refused)
{
	make_dax(&self->m, 0, "ksft-dax");
	put(self->m.sys, "devices/ndbus0/provider", "nfit_test.0\n");
	EXPECT_EQ(-EINVAL, FIND(NULL, NULL));
	EXPECT_WHY("nfit_test");
	EXPECT_EQ(-EINVAL, FIND("namespace0.0", NULL));
}

TEST_F(victim, a_read_only_region_is_refused)
{
	make_dax(&self->m, 0, "ksft-dax");
	put(self->m.sys, "devices/ndbus0/region0/read_only", "1\n");
	EXPECT_EQ(-EINVAL, FIND(NULL, NULL));
	EXPECT_WHY("read-only");
}

TEST_F(victim, too_small_is_refused)
{
	make_dax(&self->m, 0, "ksft-dax");
	nd_attr(&self->m, "namespace0.0", "size", "8388608");
	EXPECT_EQ(-EINVAL, FIND(NULL, NULL));
	EXPECT_WHY("too small");
}

TEST_F(victim, another_driver_is_refused)
{
	make_dax(&self->m, 0, "ksft-dax");
	put_link(self->m.sys, "devices/ndbus0/region0/dax0.0/dax0.0/driver",
		 "../../../../../bus/dax/drivers/kmem");
	EXPECT_EQ(-EBUSY, FIND(NULL, NULL));
	EXPECT_WHY("kmem");
	EXPECT_EQ(-EBUSY, FIND(NULL, "dax0.0"));
}

TEST_F(victim, a_foreign_node_is_refused)
{
	make_dax(&self->m, 9, "ksft-dax");
	EXPECT_EQ(-EINVAL, FIND(NULL, NULL));
	EXPECT_WHY("not the node of");
}

TEST_F(victim, a_missing_node_is_refused)
{
	char path[128];

	make_dax(&self->m, 0, "ksft-dax");
	snprintf(path, sizeof(path), "%s/dax0.0", self->m.dev);
	unlink(path);
	EXPECT_EQ(-EINVAL, FIND(NULL, NULL));
	EXPECT_WHY("udev");
}

TEST_F(victim, a_disabled_namespace_is_refused)
{
	make_namespace(&self->m, "namespace0.3", "ksft-dax", "raw", "");
	EXPECT_EQ(-EINVAL, FIND(NULL, NULL));
	EXPECT_WHY("ndctl enable-namespace namespace0.3");
}

TEST_F(victim, of_what_is_labelled_the_rest_serves)
{
	make_dax(&self->m, 0, "ksft-dax");
	make_namespace(&self->m, "namespace0.3", "ksft-dax", "raw", "");
	EXPECT_EQ(0, FIND(NULL, NULL));
	EXPECT_EQ(1, self->set.nr);
	EXPECT_WHY("namespace0.3");
}

TEST_F(victim, more_than_fits_is_refused_when_named)
{
	char list[VICTIM_MAX * 16] = "", name[24];
	int i;

	for (i = 20; i <= 20 + VICTIM_MAX; i++) {
		make_dax(&self->m, i, "ksft-dax");
		snprintf(name, sizeof(name), "dax0.%d,", i);
		strncat(list, name, sizeof(list) - strlen(list) - 1);
	}
	EXPECT_EQ(-EINVAL, FIND(NULL, list));
	EXPECT_WHY("more than 16");
	EXPECT_EQ(0, FIND(NULL, NULL));
	EXPECT_EQ(VICTIM_MAX, self->set.nr);
}

TEST_F(victim, an_open_descriptor_elsewhere_is_refused)
{
	/* 1:3 is /dev/null: the one device node there is without root */
	make_dax(&self->m, 0, "ksft-dax");
	put_link(self->m.proc, "4711/fd/3", "/dev/null");
	put(self->m.proc, "4711/comm", "da\033x-user\n");
	EXPECT_EQ(0, FIND(NULL, NULL)) TH_LOG("%s", self->why);
	EXPECT_EQ(1, victim_node_user(&self->m.env, makedev(1, 3), S_IFCHR, "null", self->why,
				      sizeof(self->why)));
	EXPECT_STREQ("da?x-user (pid 4711)", self->why);
	EXPECT_EQ(0, victim_node_user(&self->m.env, makedev(1, 3), S_IFBLK, "null", self->why,
				      sizeof(self->why)));
}

TEST_F(victim, a_mapping_elsewhere_is_refused)
{
	make_dax(&self->m, 0, "ksft-dax");
	put(self->m.proc, "4711/maps",
	    "7f0000000000-7f0000200000 rw-s 00000000 00:05 211      /dev/dax0.01\n");
	EXPECT_EQ(0, FIND(NULL, NULL)) TH_LOG("%s", self->why);
	put(self->m.proc, "4711/maps",
	    "7f0000000000-7f0000200000 rw-s 00000000 00:05 211      /dev/dax0.0\n");
	EXPECT_EQ(-EBUSY, FIND(NULL, NULL));
	EXPECT_WHY("open in ? (pid 4711)");
	put(self->m.proc, "4711/maps",
	    "7f0000000000-7f0000200000 rw-s 00000000 00:05 211      /dev/dax0.0 (deleted)\n");
	EXPECT_EQ(-EBUSY, FIND(NULL, NULL));
}

TEST_F(victim, the_calling_process_does_not_count)
{
	char name[32];

	make_dax(&self->m, 0, "ksft-dax");
	snprintf(name, sizeof(name), "%d/maps", getpid());
	put(self->m.proc, name, "7f0000000000-7f0000200000 rw-s 0 00:05 211 /dev/dax0.0\n");
	EXPECT_EQ(0, FIND(NULL, NULL)) TH_LOG("%s", self->why);
}

TEST_F(victim, no_proc_is_no_answer)
{
	make_dax(&self->m, 0, "ksft-dax");
	self->m.env.proc = "/nowhere";
	EXPECT_EQ(-ENOENT, FIND(NULL, NULL));
	EXPECT_EQ(0, self->set.nr);
}

TEST_F(victim, a_mounted_file_system_is_refused_even_when_named)
{
	make_fsdax(&self->m, "ksft-dax");
	put(self->m.proc, "self/mountinfo",
	    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	    "30 22 259:1 / /mnt/pmem rw shared:5 - ext4 /dev/pmem0.1 rw\n");
	EXPECT_EQ(-EBUSY, FIND("namespace0.1", NULL));
	EXPECT_WHY("mounted on /mnt/pmem");
}

TEST_F(victim, a_mounted_partition_is_refused)
{
	make_fsdax(&self->m, "ksft-dax");
	put(self->m.sys, "class/block/pmem0.1/pmem0.1p1/partition", "1\n");
	put(self->m.sys, "class/block/pmem0.1/pmem0.1p1/dev", "259:2\n");
	put_link(self->m.sys, "class/block/pmem0.1p1", "pmem0.1/pmem0.1p1");
	put(self->m.proc, "self/mountinfo",
	    "30 22 259:2 / /mnt/pmem rw shared:5 - ext4 /dev/pmem0.1p1 rw\n");
	EXPECT_EQ(-EBUSY, FIND("namespace0.1", NULL)) TH_LOG("%s", self->why);
}

TEST_F(victim, swap_is_refused)
{
	make_fsdax(&self->m, "ksft-dax");
	put(self->m.proc, "swaps", "Filename Type Size Used Priority\n"
	    "/dev/pmem0.1 partition 65532 0 -2\n");
	EXPECT_EQ(-EBUSY, FIND("namespace0.1", NULL));
	EXPECT_WHY("swap");
}

TEST_F(victim, a_holder_is_refused)
{
	make_fsdax(&self->m, "ksft-dax");
	put_dir(self->m.sys, "class/block/pmem0.1/holders/dm-3");
	EXPECT_EQ(-EBUSY, FIND("namespace0.1", NULL));
	EXPECT_WHY("dm-3");
}

TEST_F(victim, a_loop_device_is_refused)
{
	make_fsdax(&self->m, "ksft-dax");
	put(self->m.sys, "class/block/loop3/loop/backing_file", "/dev/pmem0.1\n");
	EXPECT_EQ(-EBUSY, FIND("namespace0.1", NULL));
	EXPECT_WHY("loop3");
}

#ifdef HAVE_LIBBLKID
static void make_ext4(struct machine *m)
{
	char path[128], sb[1024] = "";
	int fd;

	/* magic, one block group, 4096 blocks of 1 KiB, extents */
	sb[0x00] = 1;
	sb[0x04] = 0;
	sb[0x05] = 16;
	sb[0x38] = 0x53;
	sb[0x39] = (char)0xef;
	sb[0x4c] = 1;
	sb[0x60] = 0x40;
	snprintf(path, sizeof(path), "%s/pmem0.1", m->dev);
	fd = open(path, O_WRONLY);
	if (fd < 0 || ftruncate(fd, 64 * MIB) || pwrite(fd, sb, sizeof(sb), 1024) < 0)
		abort();
	close(fd);
}

TEST_F(victim, an_empty_fsdax_namespace_is_offered)
{
	char path[128];

	make_fsdax(&self->m, "ksft-dax");
	snprintf(path, sizeof(path), "%s/pmem0.1", self->m.dev);
	ASSERT_EQ(0, truncate(path, 64 * MIB));
	ASSERT_EQ(0, FIND(NULL, NULL)) TH_LOG("%s", self->why);
	EXPECT_STREQ("fsdax", self->set.mode[0]);
	EXPECT_STREQ("pmem0.1", self->set.was[0].block);
	EXPECT_STREQ("pfn", self->set.was[0].claim);
	EXPECT_TRUE(self->set.was[0].map_dev);
}

TEST_F(victim, a_label_alone_does_not_give_a_file_system_away)
{
	make_fsdax(&self->m, "ksft-dax");
	make_ext4(&self->m);
	EXPECT_EQ(-EBUSY, FIND(NULL, NULL));
	EXPECT_WHY("ext4");
	EXPECT_WHY("DAX_TEST_NAMESPACE=namespace0.1");
}

TEST_F(victim, a_variable_does)
{
	make_fsdax(&self->m, "backup");
	make_ext4(&self->m);
	EXPECT_EQ(0, FIND("namespace0.1", NULL)) TH_LOG("%s", self->why);
}
#else
TEST_F(victim, without_libblkid_a_label_alone_is_not_enough)
{
	make_fsdax(&self->m, "ksft-dax");
	EXPECT_EQ(-EBUSY, FIND(NULL, NULL));
	EXPECT_WHY("libblkid");
	EXPECT_EQ(0, FIND("namespace0.1", NULL)) TH_LOG("%s", self->why);
}
#endif

TEST_F(victim, the_same_device_is_the_same)
{
	struct victim v;

	make_dax(&self->m, 0, "ksft-dax");
	ASSERT_EQ(0, FIND(NULL, NULL));
	v = self->set.now[0];
	EXPECT_EQ(0, victim_same_in(&self->m.env, &v, self->why, sizeof(self->why)));
	EXPECT_STREQ("", self->why);

	v.size += 4096;
	EXPECT_EQ(-ESTALE, victim_same_in(&self->m.env, &v, self->why, sizeof(self->why)));
	EXPECT_WHY("bytes, it had");
	v = self->set.now[0];
	v.align = 4096;
	EXPECT_EQ(-ESTALE, victim_same_in(&self->m.env, &v, self->why, sizeof(self->why)));
	EXPECT_WHY("aligned");
	v = self->set.now[0];
	v.rdev = makedev(252, 7);
	EXPECT_EQ(-ESTALE, victim_same_in(&self->m.env, &v, self->why, sizeof(self->why)));
	EXPECT_WHY("device number 252:0, it had 252:7");
	v = self->set.now[0];
	snprintf(v.dax, sizeof(v.dax), "dax0.5");
	EXPECT_EQ(-ESTALE, victim_same_in(&self->m.env, &v, self->why, sizeof(self->why)));
	EXPECT_WHY("gone");
}

TEST_F(victim, a_namespace_is_known_again_by_its_uuid)
{
	struct victim v;
	char name[32];

	make_dax(&self->m, 3, "ksft-dax");
	ASSERT_EQ(0, FIND(NULL, NULL));
	v = self->set.now[0];
	snprintf(v.ndns, sizeof(v.ndns), "namespace0.1");
	EXPECT_EQ(0, victim_name_by_uuid(&self->m.env, &v, name, sizeof(name)));
	EXPECT_STREQ("namespace0.3", name);
	v.uuid[0] = '9';
	EXPECT_EQ(-ENODEV, victim_name_by_uuid(&self->m.env, &v, name, sizeof(name)));
	v.uuid[0] = 0;
	EXPECT_EQ(0, victim_name_by_uuid(&self->m.env, &v, name, sizeof(name)));
	EXPECT_STREQ("namespace0.1", name);
}

TEST_F(victim, the_kernel_tells_which_alignments_it_has)
{
	char text[64];

	EXPECT_TRUE(victim_offers_align(&self->m.env, "region0", 4096, text, sizeof(text)));
	put(self->m.sys, "devices/ndbus0/region0/dax_seed", "dax0.5\n");
	EXPECT_TRUE(victim_offers_align(&self->m.env, "region0", 4096, text, sizeof(text)));
	nd_attr(&self->m, "dax0.5", "supported_alignments", "4096 2097152 ");
	EXPECT_TRUE(victim_offers_align(&self->m.env, "region0", 4096, text, sizeof(text)));
	EXPECT_TRUE(victim_offers_align(&self->m.env, "region0", 2 * MIB, text, sizeof(text)));
	EXPECT_FALSE(victim_offers_align(&self->m.env, "region0", 1024 * MIB, text,
					 sizeof(text)));
	EXPECT_STREQ("4096 2097152", text);
	EXPECT_FALSE(victim_offers_align(&self->m.env, "region0", 2, text, sizeof(text)));
}

TEST_F(victim, nothing_large_enough_says_what_to_make)
{
	struct victim v;

	make_dax(&self->m, 0, "ksft-dax");
	ASSERT_EQ(0, FIND(NULL, NULL));
	EXPECT_EQ(-ENOSPC, GET("devdax", 1024 * MIB, 1024 * MIB, &v));
	EXPECT_WHY("-m devdax -M mem -a 1073741824 -s 2147483648");
	EXPECT_EQ(-ENOSPC, GET("fsdax", 2 * MIB, 512 * MIB, &v));
	EXPECT_WHY("-m fsdax -M mem -a 2097152 -s 553648128");
}

TEST_F(victim, what_is_to_be_avoided_is_neither_taken_nor_restored)
{
	struct victim v;

	make_dax(&self->m, 0, "ksft-dax");
	ASSERT_EQ(0, FIND(NULL, NULL));
	victim_avoid(&self->set, &self->set.now[0]);
	EXPECT_EQ(-ENOSPC, GET("devdax", 2 * MIB, MIB, &v));
	EXPECT_EQ(-EBUSY, victim_set_restore(&self->set));
}

TEST_F(victim, a_short_buffer_is_not_overrun)
{
	char why[8] = "unused";

	EXPECT_EQ(-ENODEV, victim_find_in(&self->m.env, NULL, NULL, &self->set, why, 5));
	EXPECT_STREQ("no p", why);
	EXPECT_EQ(-ENODEV, victim_find_in(&self->m.env, NULL, NULL, &self->set, why, 0));
	EXPECT_STREQ("no p", why);
}

/* daxN.M with some bytes in a region that may be divided, or may not */
static void make_dynamic(struct machine *m, int region, int n, const char *size, bool may)
{
	char path[128], target[128];

	snprintf(path, sizeof(path), "devices/hmem.%d/dax_region/id", region);
	put(m->sys, path, region ? "1\n" : "0\n");
	snprintf(path, sizeof(path), "devices/hmem.%d/dax_region/create", region);
	if (may)
		put(m->sys, path, "0\n");
	snprintf(path, sizeof(path), "devices/hmem.%d/dax%d.%d/size", region, region, n);
	put(m->sys, path, size);
	snprintf(path, sizeof(path), "devices/hmem.%d/dax%d.%d/align", region, region, n);
	put(m->sys, path, "2097152\n");
	snprintf(path, sizeof(path), "devices/hmem.%d/dax%d.%d/dev", region, region, n);
	put(m->sys, path, "252:0\n");
	snprintf(path, sizeof(path), "devices/hmem.%d/dax%d.%d/mapping0/start", region, region, n);
	put(m->sys, path, "0x140000000\n");
	snprintf(path, sizeof(path), "devices/hmem.%d/dax%d.%d/mapping0/end", region, region, n);
	put(m->sys, path, "0x14fffffff\n");
	snprintf(path, sizeof(path), "bus/dax/devices/dax%d.%d", region, n);
	snprintf(target, sizeof(target), "../../../devices/hmem.%d/dax%d.%d", region, region, n);
	put_link(m->sys, path, target);
	snprintf(path, sizeof(path), "dax%d.%d", region, n);
	put(m->dev, path, "");
}

#define REGION(id) dynamic_find_in(&self->m.env, &self->set, id, self->why, sizeof(self->why))

TEST_F(victim, a_region_is_offered_by_its_id)
{
	make_dynamic(&self->m, 0, 0, "268435456\n", true);
	make_dynamic(&self->m, 1, 0, "268435456\n", true);
	ASSERT_EQ(0, REGION("1")) TH_LOG("%s", self->why);
	EXPECT_STREQ("dax1.0", self->set.dynamic.first);
	EXPECT_EQ(256 * MIB, self->set.dynamic.was.size);
	EXPECT_EQ(0x140000000ull, self->set.dynamic.was.start);
	EXPECT_STREQ("hmem.1", self->set.dynamic.was.provider);
}

TEST_F(victim, no_region_is_none)
{
	make_dynamic(&self->m, 0, 0, "268435456\n", true);
	ASSERT_EQ(0, REGION(NULL));
	ASSERT_EQ(0, REGION(""));
	EXPECT_STREQ("", self->set.dynamic.first);
}

TEST_F(victim, a_region_that_cannot_be_is_refused)
{
	make_dynamic(&self->m, 0, 0, "268435456\n", false);
	EXPECT_EQ(-EINVAL, REGION("7"));
	EXPECT_WHY("names no dax region");
	EXPECT_EQ(-EINVAL, REGION("../0"));
	EXPECT_WHY("no number");
	EXPECT_EQ(-EINVAL, REGION("0"));
	EXPECT_WHY("static");
	EXPECT_STREQ("", self->set.dynamic.first);
}

TEST_F(victim, a_region_that_others_live_in_is_refused)
{
	make_dynamic(&self->m, 0, 0, "134217728\n", true);
	make_dynamic(&self->m, 0, 1, "0\n", true);
	ASSERT_EQ(0, REGION("0")) TH_LOG("%s", self->why);
	make_dynamic(&self->m, 0, 1, "134217728\n", true);
	EXPECT_EQ(-EBUSY, REGION("0"));
	EXPECT_WHY("dax0.1");
	EXPECT_STREQ("", self->set.dynamic.first);
}

TEST_HARNESS_MAIN
