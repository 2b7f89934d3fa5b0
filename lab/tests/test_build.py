# SPDX-License-Identifier: GPL-2.0-only
"""What the checks of builds make of lists of cells, link commands and README."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from check import adding, build, leaveout
from check.reporter import Failed

CELLS = ["devdax.pte.vmsplice.a", "devdax.pte.splice.a", "ext4.pte.vmsplice.b"]


class LeftOut(unittest.TestCase):
    def test_cells_that_went(self):
        self.assertEqual(leaveout.lost_cells(CELLS, CELLS[:2]), {CELLS[2]})

    def test_a_cell_that_came(self):
        with self.assertRaisesRegex(Failed, "only without it"):
            leaveout.lost_cells(CELLS, [*CELLS, "xfs.pte.splice.c"])

    def test_another_order(self):
        with self.assertRaisesRegex(Failed, "another order"):
            leaveout.lost_cells(CELLS, CELLS[::-1])

    def test_a_pin_that_kept_some_cells(self):
        self.assertIsNone(leaveout.taken_along("pin_methods", {CELLS[1]}, CELLS))
        self.assertEqual(leaveout.taken_along("pin_methods", {CELLS[0]}, CELLS), "vmsplice")

    def test_an_object_is_left_out_of_the_command(self):
        command = ["gcc", "/o/gup/vma.o", "/o/lib/guard.o", "-o", "/o/gup_devdax"]
        self.assertEqual(leaveout.without(command, "gup/vma.c", "/o", "/o/new"),
                         ["gcc", "/o/lib/guard.o", "-o", "/o/new"])
        self.assertIsNone(leaveout.without(command, "io/gaps.c", "/o", "/o/new"))

    def test_what_the_linker_missed(self):
        self.assertEqual(
            leaveout.missing("/t/gup/a.c:180: undefined reference to `punch'\n"),
            "punch used by " + os.path.relpath("/t/gup/a.c", leaveout.TOP))

    def test_all_files_are_judged(self):
        class Log:
            say = staticmethod(lambda text: None)

        def judge(source):
            seen.append(source)
            raise Failed(source)
        seen = []
        with self.assertRaisesRegex(Failed, "2 of 2 files; first: a"):
            leaveout.each(Log, ["a", "b"], judge)
        self.assertEqual(seen, ["a", "b"])


class Libraries(unittest.TestCase):
    def test_cells_that_a_build_without_a_library_lacks(self):
        build.same_cells({"p": CELLS}, {"p": CELLS})
        with self.assertRaisesRegex(Failed, "ext4.pte.vmsplice.b is missing"):
            build.same_cells({"p": CELLS[:2]}, {"p": CELLS})


class Adding(unittest.TestCase):
    README = """
How to
------
    a pin        lib/wrong/NAME.c     not in the table

Adding to it
------------
    a scenario   {gup,io}/NAME.c      an entry
                                      and a function
    an oracle    lib/health/NAME.c    an entry
    lib/                 returns 0 or -errno
"""

    def test_files_of_the_table(self):
        self.assertEqual(adding.table_of(self.README),
                         {"scenario": ["gup/NAME.c", "io/NAME.c"],
                          "oracle": ["lib/health/NAME.c"]})

    def test_no_such_section(self):
        with self.assertRaises(Failed):
            adding.table_of("nothing\n")

    def test_what_is_not_listed(self):
        adding.expect_in("devdax.pte.dummy_pin.unbind\n", "dummy_pin", "p", "-l")
        with self.assertRaisesRegex(Failed, "does not list dummy_pin"):
            adding.expect_in("devdax.pte.dummy_pins.unbind\n", "dummy_pin", "p", "-l")


if __name__ == "__main__":
    unittest.main()
