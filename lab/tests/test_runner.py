# SPDX-License-Identifier: GPL-2.0-only
"""A guest that must not be believed."""
import contextlib
import io
import os
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from boot import runner
from boot.kernels import Refusal
from report import ktap


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
        guest.run, guest.number = mock.Mock(slipped=set()), 1
        self.assertTrue(guest.emulator_slipped("Oops: int3: 0000 [#1]"))
        self.assertFalse(guest.emulator_slipped("Oops: int3: 0000 [#1]"))

    def test_another_oops_is_the_kernel_s(self):
        guest = runner.Guest.__new__(runner.Guest)
        guest.stream = mock.Mock(current="p.devdax.pte.none.x")
        guest.run, guest.number = mock.Mock(slipped=set()), 1
        self.assertFalse(guest.emulator_slipped("BUG: unable to handle"))


class Sharing(unittest.TestCase):
    PLAN = {"gup_devdax": ("g", [f"g{i}" for i in range(70)]),
            "dax_teardown": ("t", [f"t{i}" for i in range(20)])}

    def setUp(self):
        # the numbers themselves are measured, and change
        self.enterContext(mock.patch.dict(runner.WEIGHTS, dax_teardown=3.5))
        self.enterContext(mock.patch.object(runner, "LONG", ((".long.", 20.0),)))

    def cells(self, part):
        return [cell for _, cells in part.values() for cell in cells]

    def test_every_cell_once_and_in_order(self):
        for jobs in (1, 2, 3, 7, 90, 500):
            parts = runner.share(self.PLAN, jobs)
            self.assertEqual(sum(map(self.cells, parts), []), self.cells(self.PLAN))
            self.assertLessEqual(len(parts), jobs)

    def test_parts_take_about_the_same_time(self):
        first, second = runner.share(self.PLAN, 2)
        self.assertEqual(len(self.cells(first)), 70)
        self.assertEqual(list(second), ["dax_teardown"])

    def test_a_cell_that_takes_longer_counts_for_more(self):
        plan = {"gup_devdax": ("g", ["a.long.b", *(f"g{i}" for i in range(20))])}
        first, second = runner.share(plan, 2)
        self.assertEqual(self.cells(first), ["a.long.b"])
        self.assertEqual(len(self.cells(second)), 20)

    def test_one_cell_is_one_part(self):
        self.assertEqual(runner.share({"p": ("x", ["a"])}, 4), [{"p": ("x", ["a"])}])


class Lanes(unittest.TestCase):
    """Two machines side by side, without machines."""

    def setUp(self):
        self.out = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(contextlib.redirect_stdout(io.StringIO()))
        self.enterContext(mock.patch.dict(runner.WEIGHTS, dax_teardown=3.5))
        self.run = runner.Run(mock.Mock(release="1.2"), Sharing.PLAN, self.out, 0.0)

    def boot_with(self, boot):
        self.enterContext(mock.patch.object(runner.Worker, "boot", boot))

    @staticmethod
    def pass_some(worker, left, *_machine):
        number = worker.begin_boot()
        for program, cells in left.items():
            for cell in cells[:15]:
                worker.run.record(worker, ktap.Result(program, cell, ktap.PASS, "", "", 0.1,
                                                  number))

    def test_all_cells_and_all_boots_count(self):
        self.boot_with(self.pass_some)
        self.run.run(None, None, None, None, jobs=2)
        self.assertEqual(len(self.run.results), 90)
        self.assertEqual(self.run.boots, 5 + 2)
        self.assertEqual([r.name for r in self.run.in_order()],
                         [cell for _, cells in Sharing.PLAN.values() for cell in cells])
        for name in ("console.log", "console-2.log"):
            self.assertTrue(os.path.exists(os.path.join(self.out, name)))

    def test_trouble_in_one_ends_all(self):
        def boot(worker, left, *machine):
            if "dax_teardown" in left:
                raise Refusal("no such thing")
            self.pass_some(worker, left, *machine)
        self.boot_with(boot)
        with self.assertRaises(Refusal):
            self.run.run(None, None, None, None, jobs=2)
        self.assertTrue(self.run.stopping)

    def test_boots_without_a_verdict_are_no_loop(self):
        self.boot_with(lambda worker, left, *machine: None)
        with self.assertRaises(Refusal):
            self.run.run(None, None, None, None)


if __name__ == "__main__":
    unittest.main()
