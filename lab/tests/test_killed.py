# SPDX-License-Identifier: GPL-2.0-only
"""What killed.py reads from its guest."""
import contextlib
import io
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from boot.kernels import Refusal
from measure import killed


def tally(*lines):
    found = killed.Tally()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        for line in lines:
            found.line(line)
    return found, said.getvalue()


class Lines(unittest.TestCase):
    def test_what_was_given_back_counts(self):
        found, said = tally("killed: pmem_io 457 back 3 8", "killed: pmem_io 12 back 0 0")
        self.assertEqual((found.back, found.differs, found.early), (2, 0, 0))
        self.assertIn("after 4.57 s, in cell 9: back within 0.3 s", said)

    def test_what_was_not_is_told(self):
        found, said = tally("killed: pmem_io 457 differs", "killed: diff -ksft-dax size 1",
                            "killed: over before 12")
        self.assertEqual((found.back, found.differs, found.early), (0, 1, 1))
        self.assertIn("not as it was", said)
        self.assertIn("diff -ksft-dax size 1", said)

    def test_the_control_is_looked_for(self):
        self.assertTrue(tally("killed: control sees it")[0].control)
        self.assertFalse(tally("killed: control sees nothing")[0].control)
        self.assertFalse(tally()[0].control)

    def test_a_script_that_cannot(self):
        with self.assertRaises(Refusal):
            tally("killed: cannot run: no device")
        with self.assertRaises(Refusal):
            tally("@@ end killed 4 at 3.0")
        self.assertTrue(tally("@@ end killed 0 at 3.0")[0].over)


if __name__ == "__main__":
    unittest.main()
