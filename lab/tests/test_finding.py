# SPDX-License-Identifier: GPL-2.0-only
"""The runner of one finding's program: what it reads out of a guest."""
import os
import sys
import tempfile
import types
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from boot import finding  # noqa: E402
from boot.kernels import Refusal  # noqa: E402

# pylint: disable=missing-function-docstring


def guest(text):
    """A machine that has said all it had to say."""
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    return types.SimpleNamespace(results=os.fdopen(read, "rb", buffering=0))


class Following(unittest.TestCase):
    def follow(self, text):
        machine = guest(text)
        with machine.results:
            return finding.follow(machine)

    def test_the_status_is_the_programs(self):
        for status in (0, 1, 4):
            self.assertEqual(self.follow(
                "@@ up at 1.0\r\n@@ begin finding at 2.0\r\nseen: it\r\n"
                f"@@ end finding {status} at 3.0\r\n"), status)

    def test_a_guest_that_dies_has_no_status(self):
        self.assertIn("died", self.follow("@@ begin finding at 2.0\nexpected: it\n"))

    def test_a_guest_that_cannot(self):
        with self.assertRaises(Refusal):
            self.follow("@@ failed: no nvdimm bus\n")


class Console(unittest.TestCase):
    def lines(self, text):
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as f:
            f.write(text)
            f.flush()
            return finding.kernel_lines(f.name, "too-late")

    def test_only_what_comes_after_the_start(self):
        self.assertEqual(self.lines("[ 1.0] boot\n[ 2.0] finding: too-late -r dax0.0\n"
                                    "[ 3.0] BUG: it\n"), ["[ 3.0] BUG: it"])

    def test_it_never_began(self):
        self.assertEqual(self.lines("[ 1.0] boot\n"), [])


class Building(unittest.TestCase):
    def test_an_unknown_name(self):
        with self.assertRaises(Refusal):
            finding.build("no-such-finding", "/nowhere")


if __name__ == "__main__":
    unittest.main()
