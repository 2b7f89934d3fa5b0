# SPDX-License-Identifier: GPL-2.0-only
"""What powercut.py reads from a boot, and what it makes of it."""
import contextlib
import io
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from boot.kernels import Refusal
from measure import powercut

FIRST = powercut.label_of(powercut.PATHS[0])


def tallies():
    return {powercut.label_of(path): powercut.Tally() for path in powercut.PATHS}


def boot(found, *lines):
    life = powercut.Boot(None, found, 1.0)
    for line in lines:
        life.line(line)
    return life


class Lines(unittest.TestCase):
    def test_the_last_durable_record_counts(self):
        found = tallies()
        life = boot(found, f"durable /log/{FIRST} 7", f"durable /log/{FIRST} 9",
                    f"durable /log/{FIRST} 1x")
        self.assertEqual(found[FIRST].durable, 9)
        self.assertIsNone(life.cut)

    def test_the_cut_waits_for_a_record_of_each_path(self):
        found = tallies()
        life = boot(found, *(f"durable /log/{label} 1" for label in found))
        self.assertIsNotNone(life.cut)

    def test_writing_is_what_the_cut_waits_for(self):
        self.assertIsNone(boot(tallies(), "powercut: writing").cut)

    def test_what_the_reader_says(self):
        found = tallies()
        boot(found, f"record 3 of 9 in /log/{FIRST}: torn", f"powercut: verified {FIRST} 1",
             f"powercut: verified {FIRST} 0", f"powercut: unclean {FIRST} Bitmap differs")
        tally = found[FIRST]
        self.assertEqual((tally.cuts, tally.bad, tally.unclean), (2, 1, 1))
        self.assertEqual(tally.said, [f"record 3 of 9 in /log/{FIRST}: torn",
                                      "Bitmap differs"])

    def test_what_ends_it(self):
        for line in ("@@ failed: no bus at 3.0", "powercut: cannot run: no mkfs",
                     "pmem_log: /log/x: writing a record: No space left on device",
                     f"powercut: verified {FIRST} 4", "@@ end powercut 4 at 3.0"):
            with self.assertRaises(Refusal):
                boot(tallies(), line)


class Verdicts(unittest.TestCase):
    def verdict(self, control, **what):
        tally = powercut.Tally()
        tally.__dict__.update(what)
        return powercut.verdict(powercut.Path("ext4", "x", 1, control), tally)[1]

    def test_a_promise_is_kept_or_not(self):
        self.assertTrue(self.verdict("", bad=0))
        self.assertFalse(self.verdict("", bad=1))

    def test_a_control_that_loses_nothing_proves_nothing(self):
        self.assertTrue(self.verdict("loses", bad=1))
        self.assertFalse(self.verdict("loses", bad=0))
        self.assertTrue(self.verdict("there is no cache", bad=0))

    def test_a_file_system_is_clean_whatever_was_promised(self):
        for control in ("", "loses", "there is no cache"):
            self.assertFalse(self.verdict(control, bad=1, unclean=1))

    def test_a_path_that_was_never_verified_is_not_good(self):
        with contextlib.redirect_stdout(io.StringIO()):
            found = tallies()
            self.assertFalse(powercut.table(found, 0, 1.0))
            for path, tally in zip(powercut.PATHS, found.values()):
                tally.cuts = 5
                tally.bad = int(path.control == "loses")
            self.assertTrue(powercut.table(found, 5, 1.0))
            found[FIRST].bad = 1
            self.assertFalse(powercut.table(found, 5, 1.0))


if __name__ == "__main__":
    unittest.main()
