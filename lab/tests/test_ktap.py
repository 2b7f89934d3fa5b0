# SPDX-License-Identifier: GPL-2.0-only
"""What a guest says, and what becomes of it when the guest dies."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from report import ktap

CELL = "devdax.pmd.vmsplice.unbind_device_dax"
OTHER = "devdax.pmd.none.bind_again"
EARLY = "unbind returned after 0.05 s with 1 pin held; expected to wait"


def follow(*lines, boot=1):
    """A stream that has read the lines, one a second, and its results."""
    results = []
    stream = ktap.Stream(boot, results.append)
    for now, line in enumerate(lines):
        stream.feed(line, float(now))
    return stream, results


class Outcomes(unittest.TestCase):
    def test_pass(self):
        _, (result,) = follow("@@ begin dax_teardown at 3.1", "TAP version 13",
                              "1..1", f"#  RUN           {CELL} ...",
                              "# pinned 1 page", f"#            OK  {CELL}",
                              f"ok 1 {CELL}")
        self.assertEqual(result.verdict, ktap.PASS)
        self.assertEqual(result.full_name, f"dax_teardown.{CELL}")
        self.assertEqual(result.diagnostics, ["pinned 1 page"])
        self.assertEqual(result.seconds, 3.0)

    def test_failure_takes_the_verdict_line(self):
        _, (result,) = follow("@@ begin p", f"#  RUN           {CELL} ...",
                              f"# VERDICT {CELL} returned_early: {EARLY}",
                              f"# VERDICT {CELL} failed: an echo",
                              f"not ok 1 {CELL}")
        self.assertEqual((result.verdict, result.kind, result.sentence),
                         (ktap.FAIL, "returned_early", EARLY))

    def test_the_same_verdict_may_become_longer(self):
        longer = f"{EARLY}; a hole"
        _, (result,) = follow("@@ begin p", f"#  RUN           {CELL} ...",
                              f"# VERDICT {CELL} returned_early: {EARLY}",
                              f"# VERDICT {CELL} returned_early: {longer}",
                              f"not ok 1 {CELL}")
        self.assertEqual(result.sentence, longer)

    def test_failure_without_verdict_line_takes_the_last_diagnostic(self):
        _, (result,) = follow("@@ begin p", f"#  RUN           {CELL} ...",
                              "# a.c:12:x:Expected 1 (1) == 2 (2)",
                              f"#          FAIL  {CELL}", f"not ok 1 {CELL}")
        self.assertEqual((result.kind, result.sentence),
                         ("failed", "a.c:12:x:Expected 1 (1) == 2 (2)"))

    def test_skip(self):
        _, (result,) = follow("@@ begin p", f"#  RUN           {CELL} ...",
                              f"ok 1 {CELL} # SKIP no liburing")
        self.assertEqual((result.verdict, result.sentence),
                         (ktap.SKIP, "no liburing"))

    def test_skip_of_an_old_harness_has_no_name(self):
        _, (result,) = follow("@@ begin p", f"#  RUN           {CELL} ...",
                              "ok 1 # SKIP no liburing")
        self.assertEqual((result.name, result.verdict), (CELL, ktap.SKIP))

    def test_skip_of_a_whole_program(self):
        stream, results = follow("@@ begin p", "1..0 # SKIP no device",
                                 "@@ end p 4 at 3.0")
        self.assertEqual(results, [])
        self.assertEqual(stream.skip_all, {"p": "no device"})


class Deaths(unittest.TestCase):
    def test_running_cell_pays(self):
        stream, results = follow("@@ begin p", f"#  RUN           {OTHER} ...",
                                 f"ok 1 {OTHER}", f"#  RUN           {CELL} ...")
        stream.lost("panic", "the guest died: BUG", 9.0)
        self.assertEqual([r.verdict for r in results], [ktap.PASS, ktap.FAIL])
        self.assertEqual((results[1].kind, results[1].sentence),
                         ("panic", "the guest died: BUG"))

    def test_earlier_verdict_stands(self):
        stream, results = follow("@@ begin p", f"#  RUN           {CELL} ...",
                                 f"# VERDICT {CELL} returned_early: {EARLY}")
        stream.lost("panic", "the guest died: BUG", 9.0)
        self.assertEqual(results[0].kind, "returned_early")
        self.assertTrue(results[0].sentence.startswith(EARLY + "; "))
        self.assertTrue(results[0].sentence.endswith("the guest died: BUG"))

    def test_nobody_pays_between_cells(self):
        stream, results = follow("@@ begin p", f"#  RUN           {OTHER} ...",
                                 f"ok 1 {OTHER}")
        stream.lost("panic", "the guest died: BUG", 9.0)
        self.assertEqual(len(results), 1)

    def test_line_cut_off_is_no_verdict(self):
        stream, results = follow("@@ begin p", f"#  RUN           {CELL} ...",
                                 "not o")
        self.assertEqual((results, stream.current), ([], CELL))

    def test_done(self):
        stream, _ = follow("@@ up at 2.0", "@@ done at 4.07")
        self.assertTrue(stream.finished)
        self.assertFalse(stream.started)

    def test_guest_that_cannot(self):
        stream, _ = follow("@@ up at 2.0", "@@ failed: no bus at 4.07")
        self.assertEqual(stream.failure, "no bus")


class LastWords(unittest.TestCase):
    def test_oops_with_function(self):
        words = ktap.last_words(
            "[   10.1] null_blk: module loaded\n"
            "[   12.345678] BUG: unable to handle page fault for address: ff\n"
            "[   12.345679] #PF: supervisor write access in kernel mode\n"
            "[   12.345680] RIP: 0010:gup_put_folio+0x1a/0x60\n"
            "[   12.345681] Kernel panic - not syncing: Fatal exception\n")
        self.assertEqual(words, "BUG: unable to handle page fault for "
                         "address: ff in gup_put_folio")

    def test_panic_on_purpose_is_found_in_the_trace(self):
        words = ktap.last_words(
            "[    4.1] Kernel panic - not syncing: sysrq triggered crash\n"
            "[    4.1] Call Trace:\n[    4.1]  <TASK>\n"
            "[    4.1]  dump_stack_lvl+0x5d/0x80\n[    4.1]  panic+0x6b/0x70\n"
            "[    4.1]  ? noise+0x1/0x2\n"
            "[    4.1]  sysrq_handle_crash+0x1a/0x20\n"
            "[    4.1] RIP: 0033:0x7f00\n")
        self.assertEqual(words, "Kernel panic - not syncing: sysrq triggered "
                         "crash in sysrq_handle_crash")

    def test_none(self):
        self.assertEqual(ktap.last_words("[ 1.0] all is well\n"), "")

    def test_a_panic_is_found_wherever_it_is(self):
        console = ("[ 1.0] BUG: something else\n[ 2.0] sysrq: Trigger a crash\n"
                   "[ 2.1] Kernel panic - not syncing: sysrq triggered crash\n"
                   "[ 2.2] Call Trace:\n[ 2.3]  panic+0x114/0x2f1\n"
                   "[ 2.3]  sysrq_handle_crash+0x16/0x20\n")
        words = ktap.panic_of(console)
        self.assertIn("sysrq triggered crash", words)
        self.assertIn("sysrq_handle_crash", words)
        self.assertEqual(ktap.panic_of("[ 1.0] BUG: something else\n"), "")


class Files(unittest.TestCase):
    RESULTS = [
        ktap.Result("a", OTHER, ktap.PASS, seconds=0.25, boot=1,
                    diagnostics=["note"]),
        ktap.Result("a", CELL, ktap.FAIL, "returned_early", EARLY, 0.5, 2),
        ktap.Result("b", CELL, ktap.SKIP, "", "no liburing", 0.0, 2)]

    def test_round_trip(self):
        text = ktap.format_ktap({"a": 2, "b": 1}, self.RESULTS, ["kernel x"])
        results, notes = ktap.parse_ktap(text)
        self.assertEqual(results, self.RESULTS)
        self.assertEqual(notes, ["kernel x"])

    def test_layout(self):
        text = ktap.format_ktap({"a": 2, "b": 1}, self.RESULTS, [])
        lines = [line for line in text.splitlines() if "# TIME" not in line]
        self.assertEqual(lines, [
            "KTAP version 1", "1..2",
            "  KTAP version 1", "  # Subtest: a", "  1..2",
            "  # note", f"  ok 1 {OTHER}",
            f"  # VERDICT {CELL} returned_early: {EARLY}",
            f"  not ok 2 {CELL}", "not ok 1 a",
            "  KTAP version 1", "  # Subtest: b", "  1..1",
            f"  ok 1 {CELL} # SKIP no liburing", "ok 2 b # SKIP"])

    def test_missing_verdicts_make_the_program_fail(self):
        text = ktap.format_ktap({"a": 3}, self.RESULTS[:1], [])
        self.assertIn("not ok 1 a # incomplete: 2 cells have no verdict", text)


if __name__ == "__main__":
    unittest.main()
