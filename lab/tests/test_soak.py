# SPDX-License-Identifier: GPL-2.0-only
"""What soak.py reads from the cells of a boot."""
import os
import sys
import unittest
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from boot.kernels import Refusal
from measure import soak
from report import ktap


def result(verdict, *diagnostics):
    return ktap.Result("dax_teardown", "devdax.pmd.orders.random", verdict,
                       "returned_early" if verdict == ktap.FAIL else "", "early", 1.0, 1,
                       list(diagnostics))


class Sums(unittest.TestCase):
    def test_orders_are_counted(self):
        done = soak.counted([
            result(ktap.PASS, "0 orders, 17 visited, 4 left out, 0 not possible; 0 failed"),
            result(ktap.FAIL, "0 orders, 5 visited, 1 left out, 2 not possible; 3 failed")])
        self.assertEqual(done, (22, 3, 2, 1))

    def test_the_order_repeats_better_than_the_seed(self):
        self.assertEqual(soak.repeats(result(
            ktap.FAIL, "DAX_TEST_SEED=7 repeats it", "DAX_TEST_ORDER=pin/unbind:0:AABBAA")),
            "DAX_TEST_ORDER=pin/unbind:0:AABBAA")
        self.assertEqual(soak.repeats(result(ktap.FAIL, "DAX_TEST_SEED=7 repeats it")),
                         "DAX_TEST_SEED=7")
        self.assertEqual(soak.repeats(result(ktap.FAIL)), "")

    def test_summary(self):
        self.assertEqual(
            soak.summary([soak.Sum(20, 1, 2, 1), soak.Sum(10, 0, 2, 0)],
                         Counter({("p.a", "returned_early"): 1}), 15),
            ["30 orders in 2 boots and 15 s, 2.0 a second, 1 failed",
             "  p.a: returned_early in 1 of 2 boots"])


class Time(unittest.TestCase):
    def test_what_makes_no_sense_is_refused(self):
        for text in ("", "0", "-3", "x", "10000000"):
            with self.assertRaises(Refusal):
                soak.parse_time(text)
        self.assertEqual(soak.parse_time("3600"), 3600)
