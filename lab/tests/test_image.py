# SPDX-License-Identifier: GPL-2.0
"""What of the caller's environment gets into the guest."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import image  # noqa: E402


class PassedOn(unittest.TestCase):
    def test_only_what_is_meant_for_the_programs(self):
        text = image.passed_on({"PATH": "/bin", "DAX_TEST_TIME": "5",
                                "DAX_TEST_DEV": "/dev/dax0.0",
                                "DAX_TEST_x;reboot": "1"})
        self.assertEqual(text, "export DAX_TEST_TIME=5\n")

    def test_values_are_quoted(self):
        text = image.passed_on({"DAX_TEST_SEED": "1; reboot 'now'"})
        self.assertEqual(text, "export DAX_TEST_SEED='1; reboot '\"'\"'now'\"'\"''\n")


if __name__ == "__main__":
    unittest.main()
