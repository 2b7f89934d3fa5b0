# SPDX-License-Identifier: GPL-2.0-only
"""The page that people look at."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from report import ktap, tables


def result(name, verdict=ktap.PASS, kind="", sentence=""):
    return ktap.Result("p", name, verdict, kind, sentence)


class Table(unittest.TestCase):
    def test_sizes_of_a_pin_stand_together(self):
        lines = tables.table([
            result("devdax.pud.splice.unbind"),
            result("devdax.pte.splice.unbind"),
            result("devdax.pmd.fixed.unbind", ktap.FAIL, "returned_early"),
            result("devdax.pud.fixed.disable", ktap.SKIP)])
        self.assertEqual(lines, ["", "p: devdax, marks are for pte pmd pud",
                                 "           splice  fixed",
                                 "  unbind    .-.     -E-",
                                 "  disable           --s"])

    def test_one_size_is_said_once(self):
        self.assertEqual(tables.table([result("devdax.pmd.splice.unbind")])[1:],
                         ["p: devdax, pmd", "          splice", "  unbind    ."])

    def test_variants_of_a_file_stand_together(self):
        lines = tables.table([
            result("ext4.pmd.splice.truncate"),
            result("ext4.pte.splice.truncate-killed", ktap.FAIL, "waited"),
            result("ext4.pte.splice.truncate"),
            result("ext4.pte.splice.punch_hole-by_another")])
        self.assertEqual(lines, ["", "p: ext4, marks are for kept killed by_another",
                                 "               pte     pmd",
                                 "              splice  splice",
                                 "  truncate     .V-      .",
                                 "  punch_hole   --."])

    def test_each_kind_of_file_has_its_table(self):
        lines = tables.table([result("ext4.pmd.splice.truncate"),
                              result("xfs.pmd.splice.truncate")])
        self.assertEqual([line for line in lines if line.startswith("p: ")],
                         ["p: ext4, pmd", "p: xfs, pmd"])

    def test_scenarios_without_pins_share_a_table(self):
        lines = tables.table([
            result("devdax.pte.none.one"),
            result("devdax.pmd.none.two", ktap.FAIL, "unhealthy"),
            result("ext4.pmd.none.two")])
        self.assertEqual(lines, ["", "p: without a pin",
                                 "       pte  pmd  ext4",
                                 "                 pmd",
                                 "  one   .",
                                 "  two        U    ."])

    def test_an_action_with_and_without_pins_is_one_row(self):
        lines = tables.table([result("devdax.pte.none.unbind"),
                              result("devdax.pte.splice.unbind")])
        self.assertEqual(lines[2:], ["          none  splice",
                                     "  unbind   .      ."])

    def test_odd_names_are_shown(self):
        self.assertIn("  other     .", tables.table([result("one.two")]))

    def test_long_names_are_stacked(self):
        lines = tables.table([result("devdax.pte.odirect_read.x"),
                              result("devdax.pte.gup.x")])
        self.assertEqual(lines[2:], ["     odirect  gup", "       read",
                                     "  x     .      ."])

    def test_wide_table_is_cut(self):
        results = [result(f"devdax.pte.{pin * 10}.x") for pin in "abc"]
        lines = tables.table(results, width=32)
        self.assertTrue(all(len(line) <= 32 for line in lines))
        self.assertEqual(sum(line.startswith("  x ") for line in lines), 2)

    def test_a_part_has_only_the_rows_it_needs(self):
        results = [result(f"devdax.pte.{pin * 20}.{pin}") for pin in "abc"]
        lines = tables.table(results, width=32)
        self.assertEqual(sum(line.endswith(".") for line in lines), 3)
        self.assertEqual(len(lines), 2 + 3 * 2)

    def test_marks_are_distinct(self):
        marks = list(tables.MARKS.values())
        self.assertEqual(len(set(marks)), len(marks))
        self.assertTrue(all(f"{m} " in tables.LEGEND for m in marks))

    def test_unknown_kind_is_still_a_failure(self):
        self.assertEqual(tables.mark(result("x", ktap.FAIL, "odd")), "F")


class Sentences(unittest.TestCase):
    def failed(self, number):
        return [result(f"devdax.pte.pin{i}.x", ktap.FAIL, "returned_early",
                       f"returned after 0.{i:02} s") for i in range(number)]

    def test_few_failures_have_a_line_each(self):
        lines = tables.failures(self.failed(3), 100)
        self.assertEqual(lines[1], "p.devdax.pte.pin1.x: returned after 0.01 s")
        self.assertEqual(len(lines), 3)

    def test_many_alike_share_one(self):
        lines = tables.failures(self.failed(20), 100)
        self.assertEqual(lines[0], "20 cells: returned after 0.00 s")
        text = " ".join(" ".join(lines[1:]).split())
        self.assertTrue(all(f"pin{i} (pte)" in text for i in range(20)))

    def test_names_in_short(self):
        group = [result(f"devdax.{size}.{pin}.x", ktap.FAIL)
                 for pin in ("a", "b") for size in ("pte", "pud")]
        self.assertEqual(list(tables.by_scenario(group)),
                         ["p x: a (pte pud), b (pte pud)"])

    def test_names_of_files_in_short(self):
        group = [result(f"{memory}.{size}.a.truncate{variant}", ktap.FAIL)
                 for memory in ("ext4", "xfs") for size in ("pte", "pmd")
                 for variant in ("", "-killed")]
        group.append(result("xfs.pmd.a.unlink-killed", ktap.FAIL))
        self.assertEqual(list(tables.by_scenario(group)), [
            "p truncate (kept, killed): a (ext4.pte/pmd xfs.pte/pmd)",
            "p unlink-killed: a (xfs.pmd)"])

    def test_actions_that_fail_alike_share_a_sentence(self):
        cells = [result(f"ext4.pte.pin{i}.{word}", ktap.FAIL, "returned_early",
                        f"{word} returned after 0.{i:02} s; expected to wait")
                 for word in ("truncate", "unlink") for i in range(9)]
        lines = tables.failures(cells, 200)
        self.assertEqual(lines[0], "18 cells: the action returned after 0.00 s; "
                         "expected to wait")
        self.assertEqual([line.split(":")[0].strip() for line in lines[1:]],
                         ["p truncate", "p unlink"])

    def test_addresses_do_not_tell_failures_apart(self):
        cells = [result(f"ext4.pte.pin{i}.x", ktap.FAIL, "wrong_data",
                        f"bad pud 00000000deadbe{i:02x} at 0xabc{i:x}")
                 for i in range(20)]
        self.assertEqual(tables.failures(cells, 100)[0],
                         "20 cells: bad pud 00000000deadbe00 at 0xabc0")

    def test_reasons_of_skips_are_counted(self):
        skipped = [result(f"devdax.pte.p{i}.x", ktap.SKIP, "", "no liburing")
                   for i in range(3)]
        self.assertEqual(tables.skips(skipped), ["   3 skipped: no liburing"])

    def test_last_line_has_the_totals(self):
        page = tables.page([result("devdax.pte.none.x")],
                           ["kernel 6.1", "1 of 1 cells, 2.0 s"], 80)
        self.assertEqual(page.splitlines()[-1],
                         "1 passed, 0 failed, 0 skipped, 1 of 1 cells, 2.0 s")


if __name__ == "__main__":
    unittest.main()
