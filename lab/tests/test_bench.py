# SPDX-License-Identifier: GPL-2.0-only
"""What bench.py makes of the cells' samples and of the boots' times."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from measure import bench
from report import ktap

CYCLE = ["fact bytes=2097152", "sample actor=30 forked=31 bare=20 shell=25",
         "sample bare=10 forked=31 shell=25 actor=10", "sample shell=25 forked=31 actor=20 bare=30"]


def cell(name, diagnostics, verdict=ktap.PASS, sentence=""):
    return ktap.Result("dax_bench", name, verdict, "", sentence, 1.0, 1, diagnostics)


class Samples(unittest.TestCase):
    def test_medians_and_ratio(self):
        found = bench.add_ratios(bench.measured(cell("x", CYCLE)),
                                 {"actor/bare": ("actor", "bare")})
        self.assertEqual(found["median_ns"], {"actor": 20, "forked": 31,
                                              "bare": 20, "shell": 25})
        self.assertEqual((found["bytes"], found["rounds"]), (2 << 20, 3))
        self.assertEqual(found["ratio"], {"actor/bare": 1.0})
        self.assertEqual(found["ratio_quartiles"], {"actor/bare": [0.833, 1.25]})

    def test_a_skip_keeps_its_reason(self):
        found = bench.measured(cell("x", [], ktap.SKIP, "no device"))
        self.assertEqual(bench.add_ratios(found, {"a": ("b", "c")}),
                         {"missing": "no device"})

    def test_tables_show_what_there_is(self):
        found = bench.add_ratios(bench.measured(cell("x", CYCLE)), bench.CYCLE_RATIOS)
        text = "\n".join(bench.cycle_table({"pmd": found,
                                            "pud": {"missing": "no device"}}))
        self.assertIn("1.25 met", text)
        self.assertIn("pud: no device", text)


class Orders(unittest.TestCase):
    def test_share_and_speed(self):
        found = bench.orders_of([
            cell("pin", ["120 orders, 30 visited, 2 left out, 1 not possible; 0 failed"]),
            cell("random", ["0 orders, 7 visited, 0 left out, 0 not possible; 1 failed"]),
            cell("other", ["nothing"])])
        self.assertEqual(list(found), ["dax_bench.pin", "dax_bench.random"])
        self.assertEqual(found["dax_bench.random"]["failed"], 1)
        text = "\n".join(bench.orders_table(found))
        self.assertIn("25 %", text)
        self.assertIn("30.0", text)

    def test_none(self):
        self.assertIn("no cell", "".join(bench.orders_table({})))


class Speed(unittest.TestCase):
    def test_cells_a_second_is_the_suite_s_alone(self):
        boot = [("power on", 10.0), ("up", 14.0), ("begin gup_devdax", 16.0),
                ("verdict gup_devdax.a", 17.0), ("verdict gup_devdax.b", 18.0),
                ("end gup_devdax 0", 18.0), ("begin dax_bench", 18.0),
                ("verdict dax_bench.x", 60.0), ("end dax_bench 0", 60.0),
                ("begin dax_teardown", 60.0), ("verdict dax_teardown.c", 61.0),
                ("power off", 62.0)]
        found = bench.speed([boot], 9.5)
        self.assertEqual((found["cells"], found["seconds"]), (3, 4.0))
        self.assertEqual(found["cells_a_second"], 0.75)
        self.assertEqual(found["first_verdict_after_power_on"], 7.0)
        self.assertEqual(found["stages_after_power_on"]["up"], 4.0)

    def test_the_bench_comes_second(self):
        plan = dict.fromkeys(("gup_devdax", "dax_teardown", "dax_bench"))
        self.assertEqual(list(bench.order(plan)),
                         ["gup_devdax", "dax_bench", "dax_teardown"])


if __name__ == "__main__":
    unittest.main()
