# SPDX-License-Identifier: GPL-2.0
"""A guest that must not be believed."""
import os
import sys
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import runner


class Clock(unittest.TestCase):
    def clock_after(self, *words):
        """Host seconds and guest uptime of each word; what is thought of it."""
        guest = runner.Guest.__new__(runner.Guest)
        guest.first_words = guest.clock = None
        for host, uptime in words:
            with mock.patch("time.monotonic", return_value=host):
                guest.check_clock(f"@@ somewhere at {uptime:.2f}")
        return guest.clock

    def test_right(self):
        self.assertIsNone(self.clock_after((100.0, 5.0), (103.0, 8.2)))

    def test_slow_guest_is_no_fast_clock(self):
        self.assertIsNone(self.clock_after((100.0, 5.0), (130.0, 6.0)))

    def test_five_times_too_fast(self):
        self.assertAlmostEqual(
            self.clock_after((100.0, 5.0), (102.0, 15.0)), 5.0)

    def test_too_soon_to_tell(self):
        self.assertIsNone(self.clock_after((100.0, 5.0), (100.1, 6.0)))


class Emulator(unittest.TestCase):
    def test_a_stale_int3_is_tried_once_more(self):
        guest = runner.Guest.__new__(runner.Guest)
        guest.stream = mock.Mock(current="p.devdax.pte.none.x")
        guest.run = mock.Mock(slipped=set(), boots=1)
        self.assertTrue(guest.emulator_slipped("Oops: int3: 0000 [#1]"))
        self.assertFalse(guest.emulator_slipped("Oops: int3: 0000 [#1]"))

    def test_another_oops_is_the_kernel_s(self):
        guest = runner.Guest.__new__(runner.Guest)
        guest.stream = mock.Mock(current="p.devdax.pte.none.x")
        guest.run = mock.Mock(slipped=set(), boots=1)
        self.assertFalse(guest.emulator_slipped("BUG: unable to handle"))


if __name__ == "__main__":
    unittest.main()
