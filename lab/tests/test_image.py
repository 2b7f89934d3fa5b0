# SPDX-License-Identifier: GPL-2.0-only
"""What of the caller's environment gets into the guest, and what is kept."""

import os
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from boot import image  # noqa: E402


class PassedOn(unittest.TestCase):
    def test_only_what_is_meant_for_the_programs(self):
        text = image.passed_on({"PATH": "/bin", "DAX_TEST_TIME": "5",
                                "DAX_TEST_DEV": "/dev/dax0.0",
                                "DAX_TEST_x;reboot": "1"})
        self.assertEqual(text, "export DAX_TEST_TIME=5\n")

    def test_values_are_quoted(self):
        text = image.passed_on({"DAX_TEST_SEED": "1; reboot 'now'"})
        self.assertEqual(text, "export DAX_TEST_SEED='1; reboot '\"'\"'now'\"'\"''\n")


class Cache(unittest.TestCase):
    def test_what_was_used_lately_stays(self):
        with tempfile.TemporaryDirectory() as directory:
            old = time.time() - 2 * image.KEEP_SECONDS
            for name, when in (("5.10-a", old), ("5.10-b", time.time()),
                               ("5.10-keep", old), ("6.1-a", old)):
                path = os.path.join(directory, name)
                with open(path, "wb"):
                    os.utime(path, (when, when))
            image.drop_older(directory, "5.10", os.path.join(directory, "5.10-keep"))
            self.assertEqual(sorted(os.listdir(directory)),
                             ["5.10-b", "5.10-keep", "6.1-a"])


if __name__ == "__main__":
    unittest.main()
