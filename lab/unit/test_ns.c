// SPDX-License-Identifier: GPL-2.0-only
/* lib/ns/ on a fake machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "machine.h"

FIXTURE(ns) {
	struct machine m;
	struct ns_set set;
	char why[WHY_LEN];
};

FIXTURE_SETUP(ns)
{
	make_machine(&self->m);
}

FIXTURE_TEARDOWN(ns)
{
	remove_tree(self->m.top);
}

#define FIND(ndns, dev) ns_find_in(&self->m.env, ndns, dev, &self->set, self->why, \
				   sizeof(self->why))
#define GET(m, a, size, v) ns_choose(&self->set, &(struct ns_want){	\
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
		EXPECT_TRUE(ns_name_ok(good[i])) TH_LOG("name %zu", i);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_FALSE(ns_name_ok(bad[i])) TH_LOG("name %zu", i);
}

TEST(a_list_is_taken_apart)
{
	const char *list = " ,dax0.1,/dev/dax0.2\t dax0.3\n";
	char name[33];

	EXPECT_EQ(1, ns_next_name(&list, "/dev/", name, sizeof(name)));
	EXPECT_STREQ("dax0.1", name);
	EXPECT_EQ(1, ns_next_name(&list, "/dev/", name, sizeof(name)));
	EXPECT_STREQ("dax0.2", name);
	EXPECT_EQ(1, ns_next_name(&list, "/dev/", name, sizeof(name)));
	EXPECT_STREQ("dax0.3", name);
	EXPECT_EQ(0, ns_next_name(&list, "/dev/", name, sizeof(name)));
	EXPECT_EQ(0, ns_next_name(&list, "/dev/", name, sizeof(name)));
}

TEST(a_bad_name_is_quoted_without_control_characters)
{
	const char *list = "a\033[2Jb";
	char name[33];

	EXPECT_EQ(-EINVAL, ns_next_name(&list, "/dev/", name, sizeof(name)));
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

		EXPECT_EQ(-EINVAL, ns_next_name(&list, "/dev/", name, sizeof(name)))
			TH_LOG("name %zu", i);
	}
}

TEST(a_name_too_long_is_cut_and_refused)
{
	const char *list = "dax0123456789012345678901234567890123456789";
	char name[33];

	EXPECT_EQ(-EINVAL, ns_next_name(&list, NULL, name, sizeof(name)));
	EXPECT_EQ(32, strlen(name));
}

TEST(usable_bytes_follow_libnvdimms_rule)
{
	struct test_ns v = { .start = 4UL << 30, .capacity = 64 * MIB };

	/* measured: 64 MiB and 3 GiB from 4 GiB on */
	EXPECT_EQ(65011712, ns_usable_bytes(&v, 4096, false));
	EXPECT_EQ(65011712, ns_usable_bytes(&v, 2 * MIB, false));
	EXPECT_EQ(0, ns_usable_bytes(&v, 1024 * MIB, false));
	v.capacity = 3072 * MIB;
	EXPECT_EQ(3219128320, ns_usable_bytes(&v, 2 * MIB, false));
	EXPECT_EQ(3168796672, ns_usable_bytes(&v, 2 * MIB, true));
	EXPECT_EQ(2147483648, ns_usable_bytes(&v, 1024 * MIB, false));
	EXPECT_EQ(2147483648, ns_usable_bytes(&v, 1024 * MIB, true));
	v.start += 512 * MIB;
	EXPECT_EQ(2147483648, ns_usable_bytes(&v, 1024 * MIB, false));
}

TEST_F(ns, no_nvdimm_at_all_is_nothing_offered)
{
	remove_tree(self->m.sys);
	EXPECT_EQ(-ENODEV, FIND(NULL, NULL));
	EXPECT_WHY("ndctl create-namespace");
	EXPECT_WHY("DAX_TEST_NAMESPACE");
}

TEST_F(ns, an_unlabelled_namespace_is_not_offered)
{
	make_dax(&self->m, 0, "backup");
	make_dax(&self->m, 1, "my-ksft-dax");
	EXPECT_EQ(-ENODEV, FIND(NULL, NULL));
	EXPECT_EQ(-ENODEV, FIND("", " ,"));
}

TEST_F(ns, a_labelled_namespace_is_described)
{
	const struct test_ns *v = &self->set.was[0];

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

TEST_F(ns, the_memory_map_on_the_device_is_seen)
{
	make_dax(&self->m, 0, "ksft-dax");
	nd_attr(&self->m, "dax0.0", "mode", "pmem");
	ASSERT_EQ(0, FIND(NULL, NULL));
	EXPECT_TRUE(self->set.was[0].map_dev);
}

TEST_F(ns, the_order_is_by_number)
{
	make_dax(&self->m, 10, "ksft-dax");
	make_dax(&self->m, 2, "ksft-dax");
	ASSERT_EQ(0, FIND(NULL, NULL));
	ASSERT_EQ(2, self->set.nr);
	EXPECT_STREQ("dax0.2", self->set.now[0].dax);
	EXPECT_STREQ("dax0.10", self->set.now[1].dax);
}

TEST_F(ns, a_variable_offers_exactly_what_it_names)
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

TEST_F(ns, named_twice_is_offered_once)
{
	make_dax(&self->m, 0, "");
	make_dax(&self->m, 1, "");
	ASSERT_EQ(0, FIND("namespace0.1,namespace0.0", "dax0.1 /dev/dax0.0"));
	ASSERT_EQ(2, self->set.nr);
	EXPECT_STREQ("dax0.1", self->set.now[0].dax);
	EXPECT_STREQ("dax0.0", self->set.now[1].dax);
}

TEST_F(ns, a_device_without_namespace_needs_no_libnvdimm)
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
	EXPECT_WHY("without a namespace");
}

TEST_F(ns, the_alignment_of_the_region_is_the_fallback)
{
	put(self->m.sys, "devices/hmem.0/dax1.0/size", "1073741824\n");
	put(self->m.sys, "devices/hmem.0/dax_region/align", "4096\n");
	put(self->m.sys, "devices/hmem.0/dax1.0/dev", "252:0\n");
	put_link(self->m.sys, "bus/dax/devices/dax1.0", "../../../devices/hmem.0/dax1.0");
	put(self->m.dev, "dax1.0", "");
	ASSERT_EQ(0, FIND(NULL, "dax1.0"));
	EXPECT_EQ(4096, self->set.now[0].align);
}

TEST_F(ns, names_that_cannot_be_are_refused)
{
	make_dax(&self->m, 0, "ksft-dax");
	EXPECT_EQ(-EINVAL, FIND(NULL, "/dev/../etc/passwd"));
	EXPECT_WHY("not a device name");
	EXPECT_EQ(-EINVAL, FIND("../region0", NULL));
	EXPECT_EQ(-EINVAL, FIND("region0", NULL));
	EXPECT_WHY("not a namespace");
	EXPECT_EQ(-EINVAL, FIND("namespace7.7", NULL));
	EXPECT_WHY("does not exist");
	EXPECT_EQ(-EINVAL, FIND(NULL, "dax7.7"));
	EXPECT_WHY("no such device-dax device");
	EXPECT_EQ(0, self->set.nr);
}

TEST_F(ns, one_refusal_of_what_was_named_refuses_all)
{
	make_dax(&self->m, 0, "ksft-dax");
	EXPECT_EQ(-EINVAL, FIND(NULL, "dax0.0 dax7.7"));
	EXPECT_EQ(0, self->set.nr);
}

TEST_F(ns, a_block_device_is_refused_as_such)
{
	make_fsdax(&self->m, "ksft-dax");
	EXPECT_EQ(-EINVAL, FIND(NULL, "/dev/pmem0.1"));
	EXPECT_WHY("block device");
	EXPECT_WHY("DAX_TEST_NAMESPACE=");
}

TEST_F(ns, the_mock_is_refused)
{
	make_dax(&self->m, 0, "ksft-dax");
	put(self->m.sys, "devices/ndbus0/provider", "nfit_test.0\n");
	EXPECT_EQ(-EINVAL, FIND(NULL, NULL));
	EXPECT_WHY("nfit_test");
	EXPECT_EQ(-EINVAL, FIND("namespace0.0", NULL));
}

TEST_F(ns, a_read_only_region_is_refused)
{
	make_dax(&self->m, 0, "ksft-dax");
	put(self->m.sys, "devices/ndbus0/region0/read_only", "1\n");
	EXPECT_EQ(-EINVAL, FIND(NULL, NULL));
	EXPECT_WHY("read-only");
}

TEST_F(ns, too_small_is_refused)
{
	make_dax(&self->m, 0, "ksft-dax");
	nd_attr(&self->m, "namespace0.0", "size", "8388608");
	EXPECT_EQ(-EINVAL, FIND(NULL, NULL));
	EXPECT_WHY("too small");
}

TEST_F(ns, another_driver_is_refused)
{
	make_dax(&self->m, 0, "ksft-dax");
	put_link(self->m.sys, "devices/ndbus0/region0/dax0.0/dax0.0/driver",
		 "../../../../../bus/dax/drivers/kmem");
	EXPECT_EQ(-EBUSY, FIND(NULL, NULL));
	EXPECT_WHY("kmem");
	EXPECT_EQ(-EBUSY, FIND(NULL, "dax0.0"));
}

TEST_F(ns, a_foreign_node_is_refused)
{
	make_dax(&self->m, 9, "ksft-dax");
	EXPECT_EQ(-EINVAL, FIND(NULL, NULL));
	EXPECT_WHY("not the node of");
}

TEST_F(ns, a_missing_node_is_refused)
{
	char path[128];

	make_dax(&self->m, 0, "ksft-dax");
	snprintf(path, sizeof(path), "%s/dax0.0", self->m.dev);
	unlink(path);
	EXPECT_EQ(-EINVAL, FIND(NULL, NULL));
	EXPECT_WHY("udev");
}

TEST_F(ns, a_disabled_namespace_is_refused)
{
	make_namespace(&self->m, "namespace0.3", "ksft-dax", "raw", "");
	EXPECT_EQ(-EINVAL, FIND(NULL, NULL));
	EXPECT_WHY("ndctl enable-namespace namespace0.3");
}

TEST_F(ns, of_what_is_labelled_the_rest_serves)
{
	make_dax(&self->m, 0, "ksft-dax");
	make_namespace(&self->m, "namespace0.3", "ksft-dax", "raw", "");
	EXPECT_EQ(0, FIND(NULL, NULL));
	EXPECT_EQ(1, self->set.nr);
	EXPECT_WHY("namespace0.3");
}

TEST_F(ns, more_than_fits_is_refused_when_named)
{
	char list[NS_MAX * 16] = "", name[24];
	int i;

	for (i = 20; i <= 20 + NS_MAX; i++) {
		make_dax(&self->m, i, "ksft-dax");
		snprintf(name, sizeof(name), "dax0.%d,", i);
		strncat(list, name, sizeof(list) - strlen(list) - 1);
	}
	EXPECT_EQ(-EINVAL, FIND(NULL, list));
	EXPECT_WHY("more than 16");
	EXPECT_EQ(0, FIND(NULL, NULL));
	EXPECT_EQ(NS_MAX, self->set.nr);
}

TEST_F(ns, an_open_descriptor_elsewhere_is_refused)
{
	/* 1:3 is /dev/null: the one device node there is without root */
	make_dax(&self->m, 0, "ksft-dax");
	put_link(self->m.proc, "4711/fd/3", "/dev/null");
	put(self->m.proc, "4711/comm", "da\033x-user\n");
	EXPECT_EQ(0, FIND(NULL, NULL)) TH_LOG("%s", self->why);
	EXPECT_EQ(1, ns_node_user(&self->m.env, makedev(1, 3), S_IFCHR, "null", self->why,
				  sizeof(self->why)));
	EXPECT_STREQ("da?x-user (pid 4711)", self->why);
	EXPECT_EQ(0, ns_node_user(&self->m.env, makedev(1, 3), S_IFBLK, "null", self->why,
				  sizeof(self->why)));
}

TEST_F(ns, a_mapping_elsewhere_is_refused)
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

TEST_F(ns, the_calling_process_does_not_count)
{
	char name[32];

	make_dax(&self->m, 0, "ksft-dax");
	snprintf(name, sizeof(name), "%d/maps", getpid());
	put(self->m.proc, name, "7f0000000000-7f0000200000 rw-s 0 00:05 211 /dev/dax0.0\n");
	EXPECT_EQ(0, FIND(NULL, NULL)) TH_LOG("%s", self->why);
}

TEST_F(ns, no_proc_is_no_answer)
{
	make_dax(&self->m, 0, "ksft-dax");
	self->m.env.proc = "/nowhere";
	EXPECT_EQ(-ENOENT, FIND(NULL, NULL));
	EXPECT_EQ(0, self->set.nr);
}

TEST_F(ns, a_mounted_file_system_is_refused_even_when_named)
{
	make_fsdax(&self->m, "ksft-dax");
	put(self->m.proc, "self/mountinfo",
	    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	    "30 22 259:1 / /mnt/pmem rw shared:5 - ext4 /dev/pmem0.1 rw\n");
	EXPECT_EQ(-EBUSY, FIND("namespace0.1", NULL));
	EXPECT_WHY("mounted on /mnt/pmem");
}

TEST_F(ns, a_mounted_partition_is_refused)
{
	make_fsdax(&self->m, "ksft-dax");
	put(self->m.sys, "class/block/pmem0.1/pmem0.1p1/partition", "1\n");
	put(self->m.sys, "class/block/pmem0.1/pmem0.1p1/dev", "259:2\n");
	put_link(self->m.sys, "class/block/pmem0.1p1", "pmem0.1/pmem0.1p1");
	put(self->m.proc, "self/mountinfo",
	    "30 22 259:2 / /mnt/pmem rw shared:5 - ext4 /dev/pmem0.1p1 rw\n");
	EXPECT_EQ(-EBUSY, FIND("namespace0.1", NULL)) TH_LOG("%s", self->why);
}

TEST_F(ns, swap_is_refused)
{
	make_fsdax(&self->m, "ksft-dax");
	put(self->m.proc, "swaps", "Filename Type Size Used Priority\n"
	    "/dev/pmem0.1 partition 65532 0 -2\n");
	EXPECT_EQ(-EBUSY, FIND("namespace0.1", NULL));
	EXPECT_WHY("swap");
}

TEST_F(ns, a_holder_is_refused)
{
	make_fsdax(&self->m, "ksft-dax");
	put_dir(self->m.sys, "class/block/pmem0.1/holders/dm-3");
	EXPECT_EQ(-EBUSY, FIND("namespace0.1", NULL));
	EXPECT_WHY("dm-3");
}

TEST_F(ns, a_loop_device_is_refused)
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

TEST_F(ns, an_empty_fsdax_namespace_is_offered)
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

TEST_F(ns, a_label_alone_does_not_give_a_file_system_away)
{
	make_fsdax(&self->m, "ksft-dax");
	make_ext4(&self->m);
	EXPECT_EQ(-EBUSY, FIND(NULL, NULL));
	EXPECT_WHY("ext4");
	EXPECT_WHY("DAX_TEST_NAMESPACE=namespace0.1");
}

TEST_F(ns, a_variable_does)
{
	make_fsdax(&self->m, "backup");
	make_ext4(&self->m);
	EXPECT_EQ(0, FIND("namespace0.1", NULL)) TH_LOG("%s", self->why);
}
#else
TEST_F(ns, without_libblkid_a_label_alone_is_not_enough)
{
	make_fsdax(&self->m, "ksft-dax");
	EXPECT_EQ(-EBUSY, FIND(NULL, NULL));
	EXPECT_WHY("libblkid");
	EXPECT_EQ(0, FIND("namespace0.1", NULL)) TH_LOG("%s", self->why);
}
#endif

TEST_F(ns, the_same_device_is_the_same)
{
	struct test_ns v;

	make_dax(&self->m, 0, "ksft-dax");
	ASSERT_EQ(0, FIND(NULL, NULL));
	v = self->set.now[0];
	EXPECT_EQ(0, ns_check_same_in(&self->m.env, &v, self->why, sizeof(self->why)));
	EXPECT_STREQ("", self->why);

	v.size += 4096;
	EXPECT_EQ(-ESTALE, ns_check_same_in(&self->m.env, &v, self->why, sizeof(self->why)));
	EXPECT_WHY("bytes, it had");
	v = self->set.now[0];
	v.align = 4096;
	EXPECT_EQ(-ESTALE, ns_check_same_in(&self->m.env, &v, self->why, sizeof(self->why)));
	EXPECT_WHY("aligned");
	v = self->set.now[0];
	v.rdev = makedev(252, 7);
	EXPECT_EQ(-ESTALE, ns_check_same_in(&self->m.env, &v, self->why, sizeof(self->why)));
	EXPECT_WHY("device number 252:0, it had 252:7");
	v = self->set.now[0];
	snprintf(v.dax, sizeof(v.dax), "dax0.5");
	EXPECT_EQ(-ESTALE, ns_check_same_in(&self->m.env, &v, self->why, sizeof(self->why)));
	EXPECT_WHY("gone");
}

TEST_F(ns, a_namespace_is_known_again_by_its_uuid)
{
	struct test_ns v;
	char name[32];

	make_dax(&self->m, 3, "ksft-dax");
	ASSERT_EQ(0, FIND(NULL, NULL));
	v = self->set.now[0];
	snprintf(v.ndns, sizeof(v.ndns), "namespace0.1");
	EXPECT_EQ(0, ns_name_by_uuid(&self->m.env, &v, name, sizeof(name)));
	EXPECT_STREQ("namespace0.3", name);
	v.uuid[0] = '9';
	EXPECT_EQ(-ENODEV, ns_name_by_uuid(&self->m.env, &v, name, sizeof(name)));
	v.uuid[0] = 0;
	EXPECT_EQ(0, ns_name_by_uuid(&self->m.env, &v, name, sizeof(name)));
	EXPECT_STREQ("namespace0.1", name);
}

TEST_F(ns, the_kernel_tells_which_alignments_it_has)
{
	char text[64];

	EXPECT_TRUE(ns_offers_align(&self->m.env, "region0", 4096, text, sizeof(text)));
	put(self->m.sys, "devices/ndbus0/region0/dax_seed", "dax0.5\n");
	EXPECT_TRUE(ns_offers_align(&self->m.env, "region0", 4096, text, sizeof(text)));
	nd_attr(&self->m, "dax0.5", "supported_alignments", "4096 2097152 ");
	EXPECT_TRUE(ns_offers_align(&self->m.env, "region0", 4096, text, sizeof(text)));
	EXPECT_TRUE(ns_offers_align(&self->m.env, "region0", 2 * MIB, text, sizeof(text)));
	EXPECT_FALSE(ns_offers_align(&self->m.env, "region0", 1024 * MIB, text,
				     sizeof(text)));
	EXPECT_STREQ("4096 2097152", text);
	EXPECT_FALSE(ns_offers_align(&self->m.env, "region0", 2, text, sizeof(text)));
}

TEST_F(ns, nothing_large_enough_says_what_to_make)
{
	struct test_ns v;

	make_dax(&self->m, 0, "ksft-dax");
	ASSERT_EQ(0, FIND(NULL, NULL));
	EXPECT_EQ(-ENOSPC, GET("devdax", 1024 * MIB, 1024 * MIB, &v));
	EXPECT_WHY("-m devdax -M mem -a 1073741824 -s 2147483648");
	EXPECT_EQ(-ENOSPC, GET("fsdax", 2 * MIB, 512 * MIB, &v));
	EXPECT_WHY("-m fsdax -M mem -a 2097152 -s 553648128");
}

TEST_F(ns, what_is_to_be_avoided_is_neither_taken_nor_restored)
{
	struct test_ns v;

	make_dax(&self->m, 0, "ksft-dax");
	ASSERT_EQ(0, FIND(NULL, NULL));
	ns_avoid(&self->set, &self->set.now[0]);
	EXPECT_EQ(-ENOSPC, GET("devdax", 2 * MIB, MIB, &v));
	EXPECT_EQ(-EBUSY, ns_set_restore(&self->set));
}

TEST_F(ns, a_short_buffer_is_not_overrun)
{
	char why[8] = "unused";

	EXPECT_EQ(-ENODEV, ns_find_in(&self->m.env, NULL, NULL, &self->set, why, 5));
	EXPECT_STREQ("no p", why);
	EXPECT_EQ(-ENODEV, ns_find_in(&self->m.env, NULL, NULL, &self->set, why, 0));
	EXPECT_STREQ("no p", why);
}

TEST_HARNESS_MAIN
