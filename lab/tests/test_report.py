# SPDX-License-Identifier: GPL-2.0
"""The page that people look at."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import ktap
import report


def result(name, verdict=ktap.PASS, kind="", sentence=""):
    return ktap.Result("p", name, verdict, kind, sentence)


class Table(unittest.TestCase):
    def test_block_of_a_scenario(self):
        lines = report.table([
            result("devdax.pud.splice.unbind"),
            result("devdax.pte.splice.unbind"),
            result("devdax.pte.fixed.unbind", ktap.FAIL, "returned_early"),
            result("devdax.pud.fixed.unbind", ktap.SKIP)])
        self.assertEqual(lines, ["", "p: unbind",
                                 "       splice  fixed",
                                 "  pte    .       E",
                                 "  pud    .       s"])

    def test_scenarios_without_pins_share_a_table(self):
        lines = report.table([
            result("devdax.pte.none.one"),
            result("devdax.pmd.none.two", ktap.FAIL, "unhealthy")])
        self.assertEqual(lines, ["", "p: without a pin",
                                 "       pte  pmd",
                                 "  one   .",
                                 "  two        U"])

    def test_long_names_are_stacked(self):
        lines = report.table([result("devdax.pte.odirect_read.x"),
                              result("devdax.pte.gup.x")])
        self.assertEqual(lines[2:], ["       odirect  gup", "         read",
                                     "  pte     .      ."])

    def test_wide_block_is_cut(self):
        results = [result(f"devdax.pte.{pin * 10}.x") for pin in "abc"]
        lines = report.table(results, width=32)
        self.assertTrue(all(len(line) <= 32 for line in lines))
        self.assertEqual(sum("pte" in line for line in lines), 2)

    def test_marks_are_distinct(self):
        marks = list(report.MARKS.values())
        self.assertEqual(len(set(marks)), len(marks))
        self.assertTrue(all(f"{m} " in report.LEGEND for m in marks))

    def test_unknown_kind_is_still_a_failure(self):
        self.assertEqual(report.mark(result("x", ktap.FAIL, "odd")), "F")


class Sentences(unittest.TestCase):
    def failed(self, number):
        return [result(f"devdax.pte.pin{i}.x", ktap.FAIL, "returned_early",
                       f"returned after 0.{i:02} s") for i in range(number)]

    def test_few_failures_have_a_line_each(self):
        lines = report.failures(self.failed(3), 100)
        self.assertEqual(lines[1], "p.devdax.pte.pin1.x: returned after 0.01 s")
        self.assertEqual(len(lines), 3)

    def test_many_alike_share_one(self):
        lines = report.failures(self.failed(20), 100)
        self.assertEqual(lines[0], "20 cells: returned after 0.00 s")
        text = " ".join(" ".join(lines[1:]).split())
        self.assertTrue(all(f"pin{i} (pte)" in text for i in range(20)))

    def test_names_in_short(self):
        group = [result(f"devdax.{size}.{pin}.x", ktap.FAIL)
                 for pin in ("a", "b") for size in ("pte", "pud")]
        self.assertEqual(list(report.by_scenario(group)),
                         ["p x: a (pte pud), b (pte pud)"])

    def test_reasons_of_skips_are_counted(self):
        skipped = [result(f"devdax.pte.p{i}.x", ktap.SKIP, "", "no liburing")
                   for i in range(3)]
        self.assertEqual(report.skips(skipped), ["   3 skipped: no liburing"])

    def test_last_line_has_the_totals(self):
        page = report.page([result("devdax.pte.none.x")],
                           ["kernel 6.1", "1 of 1 cells, 2.0 s"], 80)
        self.assertEqual(page.splitlines()[-1],
                         "1 passed, 0 failed, 0 skipped, 1 of 1 cells, 2.0 s")


if __name__ == "__main__":
    unittest.main()
