# SPDX-License-Identifier: GPL-2.0-only
"""The list of findings: what it lets pass and what it does not."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from report import expected, ktap  # noqa: E402

# pylint: disable=missing-function-docstring


def cell(name, outcome, sentence="it says so", program="dax_teardown"):
    verdict = {"pass": ktap.PASS, "skip": ktap.SKIP}.get(outcome, ktap.FAIL)
    kind = outcome if verdict == ktap.FAIL else ""
    return ktap.Result(program, name, verdict, kind, sentence)


TABLE = """
# comment
6.12  dax_teardown.devdax.*.vmsplice.*  returned_early  no-wait
6.12  dax_teardown.devdax.pud.vmsplice.*  returned_early|unhealthy  no-wait  a race
6.12  dax_teardown.*-while_opened  never_returned  no-wait
6.12  gup_devdax.*.gup_test_*  skip  -  no GUP_TEST
"""
EARLY = "devdax.pte.vmsplice.unbind_device_dax"
HUGE = "devdax.pud.vmsplice.unbind_device_dax"
STUCK = "devdax.pte.none.unbind_device_dax-while_opened"
GUP = "devdax.pte.gup_test_pin.one_page"


def full(*changes):
    """A run that is as the table says, with some cells changed."""
    cells = {EARLY: cell(EARLY, "returned_early"),
             HUGE: cell(HUGE, "returned_early"),
             STUCK: cell(STUCK, "never_returned"),
             GUP: cell(GUP, "skip", "this kernel has no GUP_TEST", "gup_devdax")}
    cells.update({result.name: result for result in changes})
    return list(cells.values())


class Comparing(unittest.TestCase):
    def compare(self, *changes, series="6.12"):
        return expected.compare(expected.parse(TABLE), series, full(*changes))

    def test_a_finding_without_a_cell_has_a_page_and_a_reason(self):
        table = expected.parse("-  -  -  some-page  no such cell\n")
        self.assertEqual(expected.pages_of(table), ["some-page"])
        self.assertEqual(expected.compare(table, "6.12", []), [])
        for line in ("-  -  -  some-page", "-  -  -  -  why", "6.12  -  -  page  why"):
            with self.assertRaises(expected.Malformed):
                expected.parse(line)

    def test_as_known(self):
        self.assertEqual(self.compare(), [])

    def test_a_failure_that_is_not_listed(self):
        wrong = self.compare(cell("devdax.pte.none.unbind", "not_revoked"))
        self.assertEqual(len(wrong), 1)
        self.assertIn("not in the list", wrong[0])

    def test_a_listed_failure_that_passes(self):
        wrong = self.compare(cell(EARLY, "pass"))
        self.assertEqual(len(wrong), 1)
        self.assertIn("pass, but line", wrong[0])

    def test_a_listed_cell_that_fails_otherwise(self):
        self.assertEqual(len(self.compare(cell(EARLY, "panic"))), 1)

    def test_a_listed_cell_that_is_skipped(self):
        self.assertEqual(len(self.compare(cell(EARLY, "skip"))), 1)

    def test_a_race_may_end_both_ways_but_no_third(self):
        self.assertEqual(self.compare(cell(HUGE, "unhealthy")), [])
        self.assertEqual(len(self.compare(cell(HUGE, "pass"))), 1)

    def test_a_skip_that_is_not_listed(self):
        wrong = self.compare(cell("devdax.pte.none.unbind", "skip"))
        self.assertEqual(len(wrong), 1)

    def test_a_skip_for_another_reason(self):
        wrong = self.compare(cell(GUP, "skip", "no device", "gup_devdax"))
        self.assertEqual(len(wrong), 1)
        self.assertIn("another reason", wrong[0])

    def test_a_line_that_speaks_for_no_cell_is_stale(self):
        results = [result for result in full() if result.name != GUP]
        wrong = expected.compare(expected.parse(TABLE), "6.12", results)
        self.assertEqual(len(wrong), 1)
        self.assertIn("stale", wrong[0])

    def test_a_line_that_later_ones_cover_is_stale(self):
        results = [result for result in full() if result.name != EARLY]
        wrong = expected.compare(expected.parse(TABLE), "6.12", results)
        self.assertIn("line 3 of the list", wrong[0])

    def test_another_series_is_not_spoken_for(self):
        self.assertEqual(len(self.compare(series="5.10")), 4)


class Boots(unittest.TestCase):
    def boots(self, last, boots, stillborn=()):
        """What is wrong where the last of them had nothing left to do."""
        results = full(last)
        results = [r for r in results if r.name != last.name] + [last]
        last.boot = 1
        return self.compare(TABLE, results, boots, stillborn=stillborn, finished=[boots])

    @staticmethod
    def compare(table, results, boots, **data):
        return expected.compare_boots(expected.parse(table), "6.12", results,
                                      {"stillborn": (), "boots": boots, **data})

    def test_one_is_enough(self):
        self.assertEqual(self.boots(cell(GUP, "skip", program="gup_devdax"), 1), [])

    def test_a_finding_may_cost_one(self):
        self.assertEqual(self.boots(cell(STUCK, "never_returned"), 2), [])

    def test_another_failure_may_where_the_remark_says_so(self):
        table = "6.12  dax_teardown.a.b.c.d  unhealthy  page"
        result = cell("a.b.c.d", "unhealthy")
        result.boot = 1
        for remark, wrong in (("", 1), ("  it costs a boot", 0)):
            found = self.compare(table + remark, [result], 2, finished=[2])
            self.assertEqual(len(found), wrong)

    def test_nothing_else_may(self):
        self.assertEqual(len(self.boots(cell(STUCK, "panic"), 2)), 1)
        self.assertEqual(len(self.boots(cell(EARLY, "returned_early"), 2)), 1)
        self.assertEqual(len(self.boots(cell("devdax.a.b.c", "panic"), 2)), 1)
        self.assertEqual(len(self.boots(cell("devdax.a.b.c", "pass"), 2)), 1)

    def test_the_last_cell_may_not_either(self):
        last = cell("devdax.a.b.c", "panic")
        last.boot = 1
        self.assertEqual(len(self.compare(TABLE, [last], 1, finished=[])), 1)

    def test_machines_side_by_side_each_finish(self):
        results = [cell("devdax.a.b.c", "pass"), cell("devdax.a.b.d", "pass")]
        results[0].boot, results[1].boot = 1, 2
        self.assertEqual(self.compare(TABLE, results, 2, finished=[1, 2]), [])
        self.assertEqual(len(self.compare(TABLE, results, 2, finished=[2])), 1)

    def test_a_boot_without_a_verdict(self):
        self.assertEqual(len(self.boots(cell(STUCK, "never_returned"), 3)), 1)

    def test_a_boot_that_never_got_to_a_program_is_none(self):
        self.assertEqual(self.boots(cell(STUCK, "never_returned"), 3, [2]), [])
        self.assertEqual(len(self.boots(cell("devdax.a.b.c", "panic"), 3, [2])), 1)


class Rule(unittest.TestCase):
    def test_only_pinned_cells_of_the_teardown(self):
        for name, program, wanted in (
                (EARLY, "dax_teardown", True), (EARLY, "gup_devdax", False),
                ("devdax.pte.none.unbind_device_dax", "dax_teardown", False),
                ("devdax.pmd.vmsplice.unbind_device_dax-map_dev",
                 "dax_teardown", False),
                ("devdax.pmd.vmsplice.disable_libdaxctl", "dax_teardown", True),
                ("devdax.pte.vfio_dma.unbind_device_dax", "dax_teardown", False),
                ("devdax.pmd.vmsplice.soft_offline", "dax_teardown", False),
                ("ext4.pmd.vmsplice.truncate", "dax_teardown", False),
                ("xfs.pmd.vmsplice.unbind_nd_pmem", "dax_teardown", False)):
            result = cell(name, "pass", program=program)
            self.assertEqual(expected.is_pinned_unbind(result), wanted, name)

    def test_one_that_passes_by_luck(self):
        count, wrong = expected.compare_rule(
            full(cell(HUGE, "pass")), "returned_early")
        self.assertEqual((count, len(wrong)), (2, 1))

    def test_no_cells_is_no_proof(self):
        self.assertEqual(len(expected.compare_rule([], "pass")[1]), 1)

    def test_skipped_cells_do_not_count(self):
        results = [cell(EARLY, "skip"), cell(HUGE, "pass")]
        self.assertEqual(expected.compare_rule(results, "pass"), (1, []))


class Table(unittest.TestCase):
    def refused(self, line):
        with self.assertRaises(expected.Malformed):
            expected.parse(line)

    def test_malformed_lines(self):
        self.refused("6.12 *")
        self.refused("6.12 * slow page")
        self.refused("6.12 * failed -")
        self.refused("6.12 * skip page no reason")
        self.refused("6.12 * skip -")
        self.refused("6.12 * pass|failed page")

    def test_each_page_has_both_files_and_a_line(self):
        table = expected.parse(TABLE)
        with tempfile.TemporaryDirectory() as directory:
            self.assertEqual(len(expected.check_pages(table, directory)), 2)
            for name in ("no-wait.md", "no-wait.c"):
                with open(os.path.join(directory, name), "w", encoding="ascii"):
                    pass
            self.assertEqual(expected.check_pages(table, directory), [])
            with open(os.path.join(directory, "stray.md"), "w", encoding="ascii"):
                pass
            self.assertEqual(len(expected.check_pages(table, directory)), 1)


if __name__ == "__main__":
    unittest.main()
