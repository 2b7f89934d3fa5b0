# SPDX-License-Identifier: GPL-2.0-only
"""What repeat.py finds in the outcomes of several runs."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from boot.kernels import Refusal
from measure import repeat

SAME = {"p.a": "pass", "p.b": "returned_early"}


class Differences(unittest.TestCase):
    def test_none(self):
        self.assertEqual(repeat.differences([SAME, dict(SAME)]), [])
        self.assertEqual(repeat.summary([SAME, SAME]),
                         ["0 of 2 cells changed in 2 runs"])

    def test_one_that_changed_is_counted(self):
        runs = [SAME, SAME, {"p.a": "unhealthy", "p.b": "returned_early"}]
        self.assertEqual(repeat.summary(runs),
                         ["1 of 2 cells changed in 3 runs",
                          "  p.a: pass 2, unhealthy 1"])

    def test_a_cell_without_a_verdict_has_changed(self):
        found = repeat.differences([SAME, {"p.a": "pass"}])
        self.assertEqual(found, [("p.b", {"returned_early": 1, "no verdict": 1})])

    def test_one_run_says_nothing(self):
        self.assertEqual(repeat.summary([SAME]), ["nothing to compare"])


class Runs(unittest.TestCase):
    def test_what_makes_no_sense_is_refused(self):
        for text in ("", "1", "-3", "x", "100000"):
            with self.assertRaises(Refusal):
                repeat.parse_runs(text)
        self.assertEqual(repeat.parse_runs("20"), 20)


if __name__ == "__main__":
    unittest.main()
