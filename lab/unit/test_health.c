// SPDX-License-Identifier: GPL-2.0-only
/*
 * lib/health/: which lines of a log are faults, how records become lines and lines
 * become findings, diffs; and the order in which oracles are read and judged, with
 * oracles of the test's own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lib/health/health.h"
#include "lib/health/internal.h"

static const char *const faults[] = {
	/* x86, from 5.10 to 7.x */
	"BUG: kernel NULL pointer dereference, address: 0000000000000010",
	"BUG: unable to handle page fault for address: fffff1e949008008",
	"BUG: unable to handle kernel paging request at ffffea0004000034",
	"BUG: unable to handle kernel NULL pointer dereference at 0000000000000010",
	"Oops: 0000 [#1] SMP NOPTI",
	"Oops: Oops: 0000 [#1] SMP NOPTI",
	"Oops: general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1] SMP",
	"general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1] SMP PTI",
	"general protection fault: 0000 [#1] SMP PTI",
	"invalid opcode: 0000 [#1] PREEMPT SMP NOPTI",
	"divide error: 0000 [#3] SMP",
	"traps: PANIC: double fault, error_code: 0x0",
	"kernel BUG at mm/huge_memory.c:2014!",
	"kernel BUG at include/linux/mm.h:1034!",
	"WARNING: CPU: 1 PID: 133 at mm/memremap.c:119 memunmap_pages+0x1f6/0x2a0",
	"WARNING: CPU: 0 PID: 0 at lib/percpu-refcount.c:155 percpu_ref_switch_to_atomic_rcu+0x11c/0x130",
	"WARNING: fs/dax.c:452 at dax_folio_put+0x12c/0x150, CPU#1: umount/812",
	"WARNING: possible circular locking dependency detected",
	"WARNING: suspicious RCU usage",
	"WARNING: at mm/gup.c:80",
	"Kernel panic - not syncing: Fatal exception in interrupt",
	"Fixing recursive fault but reboot is needed!",
	/* arm64, riscv, s390, powerpc */
	"Unable to handle kernel paging request at virtual address fffffbffefe00034",
	"Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008",
	"Internal error: Oops: 0000000096000006 [#1] SMP",
	"Internal error: Oops - BUG: 00000000f2000800 [#1] PREEMPT SMP",
	"Internal error: synchronous external abort: 0000000096000410 [#1] SMP",
	"Oops [#1]",
	"Unable to handle kernel pointer dereference in virtual kernel address space",
	"Oops: 0004 ilc:2 [#1] SMP",
	"BUG: Unable to handle kernel data access on read at 0xc00c000000040034",
	"Kernel attempted to read user page (10) - exploit attempt? (uid: 0)",
	"Oops: Kernel access of bad area, sig: 11 [#1]",
	/* mm */
	"BUG: Bad page state in process dax_teardown  pfn:140001",
	"BUG: Bad page map in process fsx  pte:8000000140001867 pmd:103456067",
	"BUG: Bad rss-counter state mm:00000000d2b3a2a1 type:MM_FILEPAGES val:512",
	"BUG: non-zero pgtables_bytes on freeing mm: 4096",
	"BUG kmalloc-64 (Tainted: G    B      ): Poison overwritten",
	"BUG dax_cache (Not tainted): Objects remaining in dax_cache on __kmem_cache_shutdown()",
	"kmem_cache_destroy dax_cache: Slab cache still has objects",
	"mm/pgtable-generic.c:30: bad pud 00000000f6b3a1c4(80000001400008e7)",
	"mm/pgtable-generic.c:42: bad pmd ffff888104567000(80000001402008e7)",
	"Memory failure: 0x7ffffffffffff: memory outside kernel control",
	"Memory failure: 0x140000: recovery action for dax page: Recovered",
	"vmstat_refresh: nr_mapped -512",
	"pages[12] is NOT dma-pinned",
	"pages[0] is NOT pinnable but pinned",
	/* references */
	"percpu ref (dev_pagemap_percpu_release) <= 0 (-510) after switching to atomic",
	"percpu ref (dax_pmem_percpu_release [dax_pmem]) <= 0 (0) after switching to atomic",
	"jump label: negative count!",
	"refcount_t: underflow; use-after-free.",
	"list_del corruption. prev->next should be ffff888103b3a0c8, but was dead000000000122",
	/* device memory */
	"failed to free all reserved pages",
	"Conflicting mapping in same section",
	"devm_memremap_pages attempted on mixed region [mem 0x140000000-0x17fffffff]",
	"attempted on ram region",
	"altmap not supported for multiple ranges",
	"requested folio size unsupported",
	"dax dax0.0: dynamic-dax with pre-populated page map",
	"kmem dax0.0: mapping0: 0x140000000-0x17fffffff cannot be hotremoved until the next reboot",
	"resource: Trying to free nonexistent resource <0x0000000140000000-0x000000017fffffff>",
	"Trying to vfree() nonexistent vm area (00000000a8d9a1c4)",
	"sysfs: cannot create duplicate filename '/bus/dax/devices/dax0.0'",
	"kobject_add_internal failed for dax0.0 with -EEXIST, don't try to register things with the same name in the same directory.",
	"VFS: Busy inodes after unmount of pmem0. Self-destruct in 5 seconds.  Have a nice day...",
	/* hangs */
	"INFO: task ndctl:1234 blocked for more than 120 seconds.",
	"INFO: task daxctl:99 blocked in I/O wait for more than 10 seconds.",
	"watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [dax_teardown:123]",
	"NMI watchdog: Watchdog detected hard LOCKUP on cpu 1",
	"rcu: INFO: rcu_sched self-detected stall on CPU",
	"rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
	"rcu: INFO: rcu_sched detected expedited stalls on CPUs/tasks: { 1-... } 21 jiffies s: 233 root: 0x2/.",
	/* debug kernels */
	"BUG: KASAN: use-after-free in mod_node_page_state+0x2a/0x90",
	"BUG: KFENCE: use-after-free read in dax_release+0x10/0x20",
	"UBSAN: array-index-out-of-bounds in drivers/dax/bus.c:100:12",
	"INFO: possible recursive locking detected",
	"INFO: trying to register non-static key.",
	"BUG: sleeping function called from invalid context at kernel/locking/rwsem.c:1519",
	"BUG: scheduling while atomic: dax_teardown/123/0x00000002",
	"ODEBUG: free active (active state 0) object: 00000000 object type: timer_list hint: 0x0",
	"kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
};

static const char *const harmless[] = {
	"",
	/* lines around a fault, and around a harmless trace */
	"------------[ cut here ]------------",
	"---[ end trace 0000000000000000 ]---",
	"Call Trace:",
	" <TASK>",
	"RIP: 0010:page_cache_pipe_buf_release+0x10/0x60",
	"RIP: 0033:0x448f89",
	"#PF: supervisor read access in kernel mode",
	"Modules linked in: null_blk configfs nd_pmem nd_btt dax_pmem device_dax nfit libnvdimm",
	"CPU: 1 UID: 0 PID: 130 Comm: drv Tainted: G      D W           7.3.4+deb13-amd64 #1 PREEMPT(lazy)",
	"sysrq: Show Blocked State",
	"task:drv             state:D stack:    0 pid:  105 ppid:     1 flags:0x00000004",
	"NMI backtrace for cpu 1",
	"sending NMI to all CPUs:",
	"note: drv[130] exited with irqs disabled",
	"page:000000003d2a8b5f refcount:2 mapcount:1 mapping:0000000000000000 index:0x0 pfn:0x140000",
	"page dumped because: gup_test failure",
	"Disabling lock debugging due to kernel taint",
	/* faults of user space */
	"drv[98]: segfault at ffffffffffffffff ip 000000000040188f sp 00007ffd666e9b10 error 7 in drv[401000+9b000]",
	"traps: a.out[123] general protection fault ip:401136 sp:7ffd1 error:0 in a.out[401000+1000]",
	"traps: a.out[123] trap invalid opcode ip:401136 sp:7ffd1 error:0 in a.out[401000+1000]",
	"Out of memory: Killed process 123 (fsx) total-vm:1234kB, anon-rss:1kB",
	/* similar words */
	"device_dax: dax0.0: op=FAULT addr=7f DEBUG: order 9",
	"device_dax dax0.0: this is not a BUG: it is a debug line",
	"[Firmware Bug]: TSC doesn't count with P0 frequency!",
	"Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible",
	"XFS (pmem0): DAX enabled. Warning: EXPERIMENTAL, use at your own risk",
	"EXT4-fs (pmem0): warning: mounting unchecked fs, running e2fsck is recommended",
	"DEBUG_VM is on, BUG_ON() will hurt",
	"kasan: KernelAddressSanitizer initialized",
	"rcu: Hierarchical RCU implementation.",
	"jump label: 4 entries patched",
	"percpu: Embedded 54 pages/cpu s184320 r8192 d28672 u1048576",
	"INFO: lockdep is turned off.",
	"memmap_init_zone_device initialised 786432 pages in 68ms",
	"nd_pmem namespace0.0: unable to guarantee persistence of writes",
	"mce: CPU supports 10 MCE banks",
	"sysrq: HELP : loglevel(0-9) reboot(b) crash(c) show-blocked-tasks(w)",
	"clocksource: timekeeping watchdog on CPU1: Marking clocksource 'tsc' as unstable because the skew is too large:",
	"workqueue: drain_vmap_area_work hogged CPU for >10000us 4 times, consider switching to WQ_UNBOUND",
	"hrtimer: interrupt took 1234567 ns",
	"Kernel command line: oops=panic panic_on_warn=1 loglevel=7",
	"BUG_ON(x)",
	"md: md0: raid level [#a] unknown",
	"cma: Reserved 64 MiB at 0x00000000bc000000",
};

/* the first line that is judged wrongly; "" when none is */
static const char *first_wrong(const char *const *line, size_t nr, bool is_fault)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (health_log_is_fault(line[i]) != is_fault)
			return line[i][0] ? line[i] : "(the empty line)";
	return "";
}

TEST(every_fault_is_one)
{
	EXPECT_STREQ("", first_wrong(faults, sizeof(faults) / sizeof(*faults), true));
}

TEST(nothing_else_is)
{
	EXPECT_STREQ("", first_wrong(harmless, sizeof(harmless) / sizeof(*harmless), false));
}

TEST(record_parts)
{
	const char *raw = "6,339,5140900,-;NET: Registered protocol family 10\n SUBSYSTEM=net\n";
	struct health_record r;

	ASSERT_EQ(0, health_record_parse(raw, strlen(raw), &r));
	EXPECT_EQ(0, r.facility);
	EXPECT_EQ(6, r.level);
	EXPECT_FALSE(r.cont);
	EXPECT_EQ(strlen("NET: Registered protocol family 10"), r.len);
	EXPECT_EQ(0, strncmp("NET: ", r.msg, 5));

	raw = "12,340,5140901,c,caller=T123,new=field;a;b\n";
	ASSERT_EQ(0, health_record_parse(raw, strlen(raw), &r));
	EXPECT_EQ(1, r.facility);
	EXPECT_EQ(4, r.level);
	EXPECT_TRUE(r.cont);
	EXPECT_EQ(3, r.len);

	raw = "6,1,2,-;";
	ASSERT_EQ(0, health_record_parse(raw, strlen(raw), &r));
	EXPECT_EQ(0, r.len);
}

TEST(records_that_are_none)
{
	static const char *const bad[] = {
		"", ";", "6", "6,1,2", "6,1,2,-", "a,1,2,-;x\n", "6,,2,-;x\n",
		"6,1;x\n", "6,1,;x\n", ",1,2,-;x\n", "6 1 2;x\n",
	};
	struct health_record r;
	char *copy;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		/* no NUL behind it: read(2) gives none */
		copy = malloc(strlen(bad[i]));
		ASSERT_TRUE(copy || !bad[i][0]);
		memcpy(copy, bad[i], strlen(bad[i]));
		EXPECT_EQ(-EINVAL, health_record_parse(copy, strlen(bad[i]), &r));
		free(copy);
	}
}

/* one line of the log, whose record begins with @prefix */
static void feed(struct health_log *log, const char *prefix, const char *line)
{
	char raw[4096];

	snprintf(raw, sizeof(raw), "%s;%s\n", prefix, line);
	health_log_feed(log, raw, strlen(raw));
}

/* the findings in a log of these lines, all by the kernel */
static const char *findings(const char *const *line, size_t nr,
			    struct health_lines *out, unsigned int *faults_seen)
{
	struct health_log *log = calloc(1, sizeof(*log));
	size_t i;

	for (i = 0; i < nr; i++)
		feed(log, "4,1,2,-", line[i]);
	health_log_flush(log);
	health_lines_clear(out);
	health_log_report(log, out);
	health_lines_finish(out);
	*faults_seen = log->nr;
	free(log);
	return out->text;
}

TEST(an_oops_is_one_finding)
{
	static const char *const oops[] = {
		"BUG: unable to handle page fault for address: fffff1e949008008",
		"#PF: supervisor read access in kernel mode",
		"Oops: Oops: 0000 [#1] SMP NOPTI",
		"CPU: 1 UID: 0 PID: 130 Comm: drv Not tainted 7.3.4+deb13-amd64 #1",
		"RIP: 0010:page_cache_pipe_buf_release+0x10/0x60",
		"Call Trace:",
		"RIP: 0033:0x448f89",
		"---[ end trace 0000000000000000 ]---",
		"RIP: 0010:page_cache_pipe_buf_release+0x10/0x60",
		"note: drv[130] exited with irqs disabled",
		"Fixing recursive fault but reboot is needed!",
	};
	static const char *const want[] = {
		"BUG: unable to handle page fault for address: fffff1e949008008, in page_cache_pipe_buf_release+0x10/0x60\n",
	};
	struct health_lines out;
	unsigned int nr;

	EXPECT_STREQ(want[0], findings(oops, sizeof(oops) / sizeof(*oops), &out, &nr));
	EXPECT_EQ(1, nr);
}

TEST(functions_of_other_architectures)
{
	static const char *const arm64[] = {
		"Unable to handle kernel paging request at virtual address fffffbffefe00034",
		"Internal error: Oops: 0000000096000006 [#1] SMP",
		"pc : gup_put_folio+0x18/0xa0",
		"lr : unpin_user_pages+0x9c/0x130",
	};
	static const char *const powerpc[] = {
		"BUG: Unable to handle kernel data access on read at 0xc00c000000040034",
		"NIP [c0000000004f2a10] gup_put_folio+0x20/0x160",
	};
	static const char *const s390[] = {
		"Unable to handle kernel pointer dereference in virtual kernel address space",
		"Krnl PSW : 0704c00180000000 00000000001a2b3c (gup_put_folio+0x1c/0x90)",
	};
	struct health_lines out;
	unsigned int nr;

	EXPECT_NE(NULL, strstr(findings(arm64, 4, &out, &nr), ", in gup_put_folio+0x18/0xa0\n"));
	EXPECT_EQ(1, nr);
	EXPECT_NE(NULL, strstr(findings(powerpc, 2, &out, &nr), ", in gup_put_folio+0x20/0x160\n"));
	EXPECT_NE(NULL, strstr(findings(s390, 2, &out, &nr), ", in gup_put_folio+0x1c/0x90\n"));
}

TEST(the_message_of_a_warning_is_in_the_finding)
{
	static const char *const known[] = {
		"------------[ cut here ]------------",
		"failed to free all reserved pages",
		"WARNING: CPU: 1 PID: 133 at mm/memremap.c:119 memunmap_pages+0x1f6/0x2a0",
		"Modules linked in: dax_pmem",
		"RIP: 0010:memunmap_pages+0x1f6/0x2a0",
		"---[ end trace 1234567890abcdef ]---",
	};
	static const char *const unknown[] = {
		"------------[ cut here ]------------",
		"an unknown message",
		"WARNING: fs/dax.c:452 at dax_folio_put+0x12c/0x150, CPU#1: umount/812",
		"---[ end trace 0000000000000000 ]---",
	};
	static const char *const want[] = {
		"failed to free all reserved pages; WARNING: CPU: 1 PID: 133 at mm/memremap.c:119 memunmap_pages+0x1f6/0x2a0\n",
		"an unknown message; WARNING: fs/dax.c:452 at dax_folio_put+0x12c/0x150, CPU#1: umount/812\n",
	};
	struct health_lines out;
	unsigned int nr;

	EXPECT_STREQ(want[0], findings(known, 6, &out, &nr));
	EXPECT_EQ(1, nr);
	EXPECT_STREQ(want[1], findings(unknown, 4, &out, &nr));
	EXPECT_EQ(1, nr);
}

TEST(a_warning_swallows_no_other_fault)
{
	static const char *const both[] = {
		"------------[ cut here ]------------",
		"harmless words",
		"BUG: Bad page state in process x  pfn:1",
		"------------[ cut here ]------------",
		"percpu ref (x) <= 0 (0) after switching to atomic",
		"------------[ cut here ]------------",
		"kernel BUG at mm/huge_memory.c:2014!",
	};
	struct health_lines out;
	unsigned int nr;

	findings(both, 7, &out, &nr);
	EXPECT_EQ(3, nr);
	EXPECT_NE(NULL, strstr(out.text, "Bad page state"));
	EXPECT_NE(NULL, strstr(out.text, "percpu ref (x)"));
	EXPECT_NE(NULL, strstr(out.text, "huge_memory.c"));
}

TEST(two_faults_two_functions)
{
	static const char *const two[] = {
		"BUG: kernel NULL pointer dereference, address: 0000000000000010",
		"RIP: 0010:first+0x1/0x2",
		"---[ end trace 0000000000000000 ]---",
		"RIP: 0010:first+0x1/0x2",
		"BUG: unable to handle page fault for address: ffffea0000000034",
		"RIP: 0010:second+0x3/0x4 [device_dax]",
	};
	struct health_lines out;
	unsigned int nr;

	findings(two, 6, &out, &nr);
	EXPECT_EQ(2, nr);
	EXPECT_NE(NULL, strstr(out.text, "000010, in first+0x1/0x2\nBUG: "));
	EXPECT_NE(NULL, strstr(out.text, "000034, in second+0x3/0x4\n"));
}

TEST(only_the_kernel_reports_faults)
{
	struct health_log *log = calloc(1, sizeof(*log));

	ASSERT_NE(NULL, log);
	/* facility user, daemon; and the kernel's debug level */
	feed(log, "12,1,2,-", "BUG: written by user space");
	feed(log, "8,2,2,-", "BUG: written by user space as an emergency");
	feed(log, "28,3,2,-", "WARNING: CPU: 0 PID: 1 at systemd");
	feed(log, "7,4,2,-", "BUG: quoted by pr_debug()");
	health_log_flush(log);
	EXPECT_EQ(0, log->nr);
	feed(log, "0,5,2,-", "BUG: logged by the kernel");
	health_log_flush(log);
	EXPECT_EQ(1, log->nr);
	EXPECT_FALSE(log->overrun);
	health_log_feed(log, "nonsense", 8);
	EXPECT_TRUE(log->overrun);
	free(log);
}

TEST(lines_in_pieces)
{
	struct health_log *log = calloc(1, sizeof(*log));

	ASSERT_NE(NULL, log);
	feed(log, "4,1,2,-", "percpu ref (x)");
	feed(log, "4,2,2,c", " <= 0 (");
	feed(log, "4,3,2,c", "-1) after switching to atomic");
	feed(log, "4,4,2,-", "next");
	EXPECT_EQ(1, log->nr);
	/* several lines in one record */
	feed(log, "4,5,2,-", "=====\\x0aWARNING: suspicious RCU usage\\x0aBUG: x\\x0a");
	health_log_flush(log);
	EXPECT_EQ(3, log->nr);
	EXPECT_STREQ("WARNING: suspicious RCU usage", log->fault[1].head);
	/* other escapes stay: the report goes to terminals */
	feed(log, "4,6,2,-", "BUG: \\x1b[31m red");
	health_log_flush(log);
	EXPECT_STREQ("BUG: \\x1b[31m red", log->fault[3].head);
	/* the continuation of a record that was read before */
	feed(log, "4,7,2,c", "BUG: alone");
	health_log_flush(log);
	EXPECT_EQ(5, log->nr);
	free(log);
}

TEST(bounds_of_the_log)
{
	struct health_log *log = calloc(1, sizeof(*log));
	struct health_lines out;
	char line[3000];
	int i;

	ASSERT_NE(NULL, log);
	memset(line, 'x', sizeof(line));
	memcpy(line, "BUG: ", 5);
	line[sizeof(line) - 1] = '\0';
	for (i = 0; i < 1000; i++) {
		feed(log, "4,1,2,-", "------------[ cut here ]------------");
		feed(log, "4,1,2,-", line + 5);
		feed(log, "4,1,2,-", "WARNING: CPU: 0");
		feed(log, "4,1,2,c", line);
		feed(log, "4,1,2,-", "RIP: 0010:f+0x1/0x2");
	}
	health_log_flush(log);
	EXPECT_EQ(1000, log->nr);
	health_lines_clear(&out);
	health_log_report(log, &out);
	health_lines_finish(&out);
	EXPECT_LT(strlen(out.text), HEALTH_TEXT_MAX);
	EXPECT_EQ(strlen(out.text), out.len);
	free(log);
}

TEST(bounds_of_the_text)
{
	struct health_lines out;
	int i;

	health_lines_clear(&out);
	for (i = 0; i < 10000; i++)
		health_lines_add(&out, "line %d", i);
	health_lines_finish(&out);
	EXPECT_LT(out.len, HEALTH_TEXT_MAX);
	EXPECT_EQ(strlen(out.text), out.len);
	EXPECT_NE(NULL, strstr(out.text, " more lines)\n"));
	EXPECT_EQ('\n', out.text[out.len - 1]);
}

TEST(taint)
{
	struct health_lines out;
	uint64_t value = 1;

	EXPECT_EQ(0, health_taint_parse("0\n", &value));
	EXPECT_EQ(0, value);
	EXPECT_EQ(0, health_taint_parse("4736\n", &value));
	EXPECT_EQ(4736, value);
	EXPECT_EQ(-EINVAL, health_taint_parse("", &value));
	EXPECT_EQ(-EINVAL, health_taint_parse("x", &value));

	health_lines_clear(&out);
	EXPECT_TRUE(health_taint_report(1 << 12, 1 << 12 | 1 << 9 | 1ULL << 40, &out));
	EXPECT_STREQ("taint: bit 9 is new (W, warning)\n"
		     "taint: bit 40 is new (unknown to this test)\n", out.text);
	health_lines_clear(&out);
	EXPECT_FALSE(health_taint_report(1 << 9, 0, &out));
	EXPECT_STREQ("", out.text);
}

TEST(vmstat)
{
	const char *text = "nr_free_pages 12\nthp_split_pud_x 5\nthp_split_pud 7\nlast 3";
	uint64_t value = 0;

	EXPECT_EQ(0, health_vmstat_find(text, "thp_split_pud", &value));
	EXPECT_EQ(7, value);
	EXPECT_EQ(0, health_vmstat_find(text, "last", &value));
	EXPECT_EQ(3, value);
	EXPECT_EQ(-ENOENT, health_vmstat_find(text, "thp_split", &value));
	EXPECT_EQ(-ENOENT, health_vmstat_find("", "x", &value));
}

static const char *diff(const char *a, const char *b, struct health_lines *out)
{
	struct health_snapshot was = { .text = (char *)a, .len = strlen(a) };
	struct health_snapshot now = { .text = (char *)b, .len = strlen(b) };

	health_lines_clear(out);
	health_snapshot_diff(&was, &now, "iomem", out);
	health_lines_finish(out);
	return out->text;
}

TEST(lines_gone_and_new)
{
	const char *was = "100-1ff : Persistent Memory\n  100-13f : namespace0.0\n"
			  "    140-1ff : dax0.0\n";
	struct health_lines out;

	EXPECT_STREQ("iomem: gone: 140-1ff : dax0.0\n",
		     diff(was, "100-1ff : Persistent Memory\n  100-13f : namespace0.0\n", &out));
	EXPECT_STREQ("iomem: new: 140-1ff : dax0.0\n",
		     diff("100-1ff : Persistent Memory\n  100-13f : namespace0.0\n", was, &out));
	/* the same resource at another depth is another line */
	EXPECT_STREQ("iomem: gone: 1 : x\niomem: new: 1 : x\n", diff("1 : x\n", " 1 : x\n", &out));
	EXPECT_STREQ("iomem: gone: a\n", diff("a\nb\na\na\n", "a\nb\na\n", &out));
	EXPECT_STREQ("iomem: gone: a\n", diff("a", "", &out));
	EXPECT_STREQ("iomem: the same lines in another order\n", diff("a\nb\n", "b\na\n", &out));
}

TEST(a_long_diff_is_bounded)
{
	struct health_lines out;
	char text[4000] = "";
	int i;

	for (i = 0; i < 300; i++)
		sprintf(text + strlen(text), "line %d\n", i);
	diff(text, "x\n", &out);
	EXPECT_NE(NULL, strstr(out.text, "iomem: 300 lines gone, 1 new in all\n"));
	EXPECT_LT(out.len, 1000);
}

TEST(memory_failure_is_counted_apart)
{
	struct health_log *log = calloc(1, sizeof(*log));

	feed(log, "3,1,2,-", "Memory failure: 0x24f203: Sending SIGBUS to a:1");
	feed(log, "3,1,2,-", "Memory failure: 0x24f203: recovery action for dax page");
	health_log_flush(log);
	EXPECT_EQ(0u, log->nr);
	EXPECT_EQ(2u, log->poisoned);
	EXPECT_STREQ("Memory failure: 0x24f203: Sending SIGBUS to a:1", log->poison);
	health_log_reset(log);
	EXPECT_EQ(0u, log->poisoned);
	feed(log, "3,1,3,-", "Memory failure: 0x7ffffffffffff: memory outside kernel control");
	health_log_flush(log);
	EXPECT_EQ(1u, log->nr);
	EXPECT_EQ(0u, log->poisoned);
	health_log_reset(log);
	feed(log, "3,1,4,-",
	     "Memory failure: 0x7ffffffffffff: recovery action for non struct page pfn: Ignored");
	health_log_flush(log);
	EXPECT_EQ(1u, log->nr);
	EXPECT_EQ(0u, log->poisoned);
	free(log);
}

TEST(a_negative_counter_is_reported_once)
{
	struct health_log *log = calloc(1, sizeof(*log));

	log->before = true;
	feed(log, "4,1,2,-", "vmstat_refresh: nr_mapped -67103194");
	health_log_flush(log);
	log->before = false;
	health_log_reset(log);
	feed(log, "4,1,2,-", "vmstat_refresh: nr_mapped -67103194");
	health_log_flush(log);
	EXPECT_EQ(0u, log->nr);
	feed(log, "4,1,2,-", "vmstat_refresh: nr_mapped_other -1");
	health_log_flush(log);
	EXPECT_EQ(1u, log->nr);
	free(log);
}

TEST(same)
{
	struct health_snapshot empty = { 0 }, a = { .text = (char *)"ab", .len = 2 };
	struct health_snapshot b = { .text = (char *)"ac", .len = 2 };

	EXPECT_TRUE(health_snapshot_same(&empty, &empty));
	EXPECT_TRUE(health_snapshot_same(&a, &a));
	EXPECT_FALSE(health_snapshot_same(&a, &b));
	EXPECT_FALSE(health_snapshot_same(&a, &empty));
}

static void snapshot_of(struct health_snapshot *s, const char *text)
{
	s->text = strdup(text);
	s->len = strlen(text);
	s->size = s->len + 1;
}

TEST(names_without_numbers)
{
	struct health_snapshot devices = { 0 }, iomem = { 0 };

	snapshot_of(&devices, "dax dax0.1: device_dax\nnd dax0.3: dax_pmem\nnd dax0.10: dax_pmem\n"
		    "nd namespace0.2: no driver\nnd region0: nd_region\n");
	health_snapshot_anonymous(&devices, false);
	EXPECT_STREQ("dax dax#: device_dax\nnd dax#: dax_pmem\nnd dax#: dax_pmem\n"
		     "nd namespace#: no driver\nnd region#: nd_region\n", devices.text);
	snapshot_of(&iomem, "1f0000000-1f3ffffff : Persistent Memory\n"
		    "  1f0000000-1f00fffff : namespace0.1\n  1f0200000-1f3ffffff : dax0.12\n");
	health_snapshot_anonymous(&iomem, true);
	EXPECT_STREQ("1f0000000-1f3ffffff : Persistent Memory\n"
		     "  1f0000000-1f00fffff : namespace#\n  1f0200000-1f3ffffff : dax#\n",
		     iomem.text);
	health_snapshot_free(&devices);
	health_snapshot_free(&iomem);
}

TEST(this_machine_twice)
{
	struct health_snapshot a = { 0 }, b = { 0 };

	/* its listing is stable, with or without these buses */
	ASSERT_EQ(0, health_devices_read(&a));
	ASSERT_EQ(0, health_devices_read(&b));
	EXPECT_TRUE(health_snapshot_same(&a, &b));
	ASSERT_EQ(0, health_devices_read(&a));
	EXPECT_TRUE(health_snapshot_same(&a, &b));
	health_snapshot_free(&a);
	health_snapshot_free(&b);
}

TEST(lines_are_sorted)
{
	struct health_snapshot s = { 0 };

	ASSERT_EQ(0, health_snapshot_sort(&s));
	ASSERT_EQ(0, health_snapshot_add(&s, "b %d", 2));
	ASSERT_EQ(0, health_snapshot_add(&s, "%5000s", "c"));
	ASSERT_EQ(0, health_snapshot_add(&s, "b"));
	ASSERT_EQ(0, health_snapshot_add(&s, "%s", ""));
	ASSERT_EQ(0, health_snapshot_sort(&s));
	EXPECT_EQ(5000 + 1 + 4 + 2 + 1, s.len);
	EXPECT_EQ('\n', s.text[0]);
	EXPECT_STREQ("c\nb\nb 2\n", s.text + 5000);
	health_snapshot_free(&s);
}

TEST(a_file_is_read_again_from_its_start)
{
	struct health_snapshot s = { 0 }, none = { 0 };

	EXPECT_EQ(-ENOENT, health_snapshot_open(&none, "/proc/no such file"));
	health_snapshot_free(&none);
	ASSERT_EQ(0, health_snapshot_open(&s, "/proc/self/status"));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, health_snapshot_read(&s));
		EXPECT_EQ(0, strncmp("Name:\t", s.text, 6));
		EXPECT_EQ(strlen(s.text), s.len);
	}
	health_snapshot_free(&s);
}

/*
 * Oracles of this test.  Each logs the calls of its functions in order; a number is its
 * state.
 */
static char calls[1024];
static int number, error, open_error;

static void called(const char *what)
{
	strncat(calls, what, sizeof(calls) - strlen(calls) - 1);
}

struct test_state {
	int value;
	char *memory;
};

static int open_state(void *state)
{
	struct test_state *s = state;

	s->memory = malloc(1);
	called("open ");
	return open_error;
}

static int read_late(void *state, void *before)
{
	struct test_state *s = state;

	called(before ? "settle " : "first ");
	s->value = number;
	return error;
}

static int read_plain(void *state, void *before)
{
	called("plain ");
	((struct test_state *)state)->value = number;
	return 0;
}

static int read_events(void *state, void *before)
{
	called("events ");
	((struct test_state *)state)->value = number;
	return 0;
}

static int read_missing(void *state, void *before)
{
	return -EOPNOTSUPP;
}

static bool judge_change(const void *before, const void *after, struct health_lines *l)
{
	const struct test_state *was = before, *now = after;

	if (was->value != now->value)
		health_lines_add(l, "from %d to %d", was->value, now->value);
	return was->value != now->value;
}

static bool judge_events(const void *before, const void *after, struct health_lines *l)
{
	const struct test_state *now = after;

	if (now->value)
		health_lines_add(l, "%d events", now->value);
	return now->value;
}

static bool judge_many(const void *before, const void *after, struct health_lines *l)
{
	const struct test_state *now = after;

	if (now->value > 1)
		health_lines_add(l, "many events");
	return now->value > 1;
}

static void renumber_state(void *state)
{
	((struct test_state *)state)->value = 0;
}

static void free_state(void *state)
{
	free(((struct test_state *)state)->memory);
}

static const struct oracle test_oracles[] = {
	{
		.name = "test_events", .events = true, .size = sizeof(struct test_state),
		.open = open_state, .read = read_events, .judge = judge_events, .free = free_state,
	}, {
		.name = "test_many", .of = &test_oracles[0], .judge = judge_many,
	}, {
		.name = "test_plain", .size = sizeof(struct test_state), .read = read_plain,
		.judge = judge_change, .renumber = renumber_state,
	}, {
		.name = "test_late", .settles = true, .size = sizeof(struct test_state),
		.read = read_late, .judge = judge_change,
	}, {
		.name = "test_missing", .size = 1, .read = read_missing, .judge = judge_change,
	},
	{ }
};

REGISTER(oracles, test_oracles);

static unsigned int test_bits(void)
{
	unsigned int bits = 0;

	for (const struct oracle *o = test_oracles; o->name; o++)
		bits |= health_bit(o->name);
	return bits;
}

/* without root, or in a container without the log */
static bool is_refused(int err)
{
	return err == -EPERM || err == -EACCES || err == -ENODEV;
}

FIXTURE(oracles) {
	struct health *h;
};

FIXTURE_SETUP(oracles)
{
	int ret;

	calls[0] = '\0';
	ret = health_open(&self->h);
	if (is_refused(ret))
		SKIP(return, "the kernel log cannot be read here: %s", strerror(-ret));
	ASSERT_EQ(0, ret);
	/* a state of events is opened once */
	EXPECT_STREQ("open ", calls);
	calls[0] = '\0';
	number = 0;
	ret = health_begin(self->h);
	if (is_refused(ret))
		SKIP(return, "the counters cannot be read here: %s", strerror(-ret));
	ASSERT_EQ(0, ret);
}

FIXTURE_TEARDOWN(oracles)
{
	health_close(self->h);
}

TEST_F(oracles, are_read_and_judged_in_order)
{
	unsigned int found;

	EXPECT_STREQ("first plain events ", calls);
	calls[0] = '\0';
	number = 7;
	EXPECT_EQ(0, health_end(self->h, test_bits(), &found));
	EXPECT_EQ(test_bits() & ~health_bit("test_missing"), found);
	EXPECT_STREQ("settle plain events ", calls);
	EXPECT_STREQ("7 events\nmany events\nfrom 0 to 7\nfrom 0 to 7\n", health_text(self->h));
}

TEST_F(oracles, are_read_when_asked)
{
	unsigned int found;

	calls[0] = '\0';
	number = 1;
	EXPECT_EQ(0, health_end(self->h, health_bit("test_many"), &found));
	EXPECT_EQ(0, found);
	EXPECT_STREQ("events ", calls);
	EXPECT_STREQ("", health_text(self->h));
	EXPECT_EQ(0, health_end(self->h, health_bit("test_plain"), &found));
	EXPECT_EQ(health_bit("test_plain"), found);
	EXPECT_STREQ("events plain ", calls);
}

TEST_F(oracles, events_before_the_test_are_stray)
{
	unsigned int found;

	number = 2;
	ASSERT_EQ(0, health_begin(self->h));
	EXPECT_NE(NULL, strstr(health_stray(self->h), "2 events\nmany events\n"));
	number = 0;
	EXPECT_EQ(0, health_end(self->h, health_bit("test_events"), &found));
	EXPECT_EQ(0, found);
}

TEST_F(oracles, numbers_may_be_ignored)
{
	unsigned int found;

	number = 3;
	health_renumbered(self->h);
	EXPECT_EQ(0, health_end(self->h, health_bit("test_plain"), &found));
	EXPECT_EQ(0, found);
}

TEST_F(oracles, an_error_does_not_hide_the_others)
{
	unsigned int found;

	error = -EIO;
	number = 4;
	EXPECT_EQ(-EIO, health_end(self->h, test_bits(), &found));
	EXPECT_EQ(health_bit("test_events") | health_bit("test_many") | health_bit("test_plain"),
		  found);
	/* it can be asked again */
	error = 0;
	EXPECT_EQ(0, health_end(self->h, health_bit("test_late"), &found));
	EXPECT_EQ(health_bit("test_late"), found);
}

TEST(an_oracle_that_cannot_be_opened)
{
	struct health *h;
	int ret;

	open_error = -EIO;
	ret = health_open(&h);
	if (is_refused(ret))
		SKIP(return, "the kernel log cannot be read here: %s", strerror(-ret));
	EXPECT_EQ(-EIO, ret);
	/* one that the kernel lacks is left out, with those that judge its state */
	open_error = -ENOENT;
	ASSERT_EQ(0, health_open(&h));
	calls[0] = '\0';
	ret = health_begin(h);
	EXPECT_TRUE(!ret || is_refused(ret));
	EXPECT_STREQ("first plain ", calls);
	health_close(h);
}

TEST(each_oracle_has_a_bit_of_its_own)
{
	static const char *const names[] = {
		"log", "poison", "overrun", "taint", "pins", "thp_split", "iomem", "devices",
		"test_events", "test_many", "test_plain", "test_late", "test_missing",
	};
	unsigned int seen = HEALTH_NUMBERS;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		unsigned int bit = health_bit(names[i]);

		EXPECT_NE(0, bit) {
			TH_LOG("%s", names[i]);
		}
		EXPECT_EQ(0, bit & (bit - 1));
		EXPECT_EQ(0, bit & seen);
		seen |= bit;
	}
	EXPECT_EQ(HEALTH_LOG, health_bit("log"));
	EXPECT_EQ(0, health_bit("unknown"));
}

TEST_HARNESS_MAIN
