# SPDX-License-Identifier: GPL-2.0-only
"""What layout.py and units.py say of names, includes and headers."""
import os
import sys
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from check import layout, units


class TopLevel(unittest.TestCase):
    def test_a_name_that_is_not_in_the_list_is_a_stray(self):
        tracked = [*layout.TOP_LEVEL, ".checkpatch-camelcase.git.", "lib/pin/pin.c"]
        self.assertEqual(layout.strays_of(tracked), ([".checkpatch-camelcase.git."], []))

    def test_a_name_of_the_list_that_is_gone_is_missed(self):
        self.assertEqual(layout.strays_of([name for name in layout.TOP_LEVEL
                                           if name != "gup"]), ([], ["gup"]))


class Layers(unittest.TestCase):
    def test_lib_includes_lib_only(self):
        self.assertIsNone(layout.trespass("lib/pin/pin.c", "lib/daxmap.h"))
        for other in ("suite/suite.h", "bench/job.h", "kselftest.h", "../suite/suite.h"):
            self.assertTrue(layout.trespass("lib/guard.c", other), other)

    def test_suite_includes_lib_and_the_harness(self):
        for other in ("lib/guard.h", "suite/suite.h", "kselftest_harness.h"):
            self.assertIsNone(layout.trespass("suite/run.c", other), other)
        for other in ("gup/gup.h", "bench/bench.h", "lab/unit/machine.h"):
            self.assertTrue(layout.trespass("suite/run.c", other), other)

    def test_wings_do_not_include_each_other(self):
        self.assertIsNone(layout.trespass("gup/vma.c", "suite/suite.h"))
        self.assertTrue(layout.trespass("gup/vma.c", "teardown/teardown.h"))
        self.assertTrue(layout.trespass("bench/job.c", "io/io.h"))
        self.assertTrue(layout.trespass("bench/job.c", "suite/suite.h"))

    def test_programs_include_their_wings_but_not_the_lab(self):
        self.assertIsNone(layout.trespass("pmem_io.c", "io/io.h"))
        self.assertTrue(layout.trespass("pmem_io.c", "lab/unit/machine.h"))

    def test_commented_includes_are_found_only_as_directives(self):
        self.assertEqual(layout.INCLUDE.findall('# include "a.h"\n// x "b.h"\n#include <c.h>\n'),
                         ["a.h"])


class Prototypes(unittest.TestCase):
    TEXT = """
/** one_line() - not seen by kernel-doc */
int one_line(void);
#define NAME(x) \\
	call(x)
struct a { int (*member)(int); int b; };
static inline int defined_here(int a) { if (a) { return f(a); } return 0; }
extern int variable __attribute__((weak));
REGISTRY(pin_methods, struct pin_method);
typedef int (*callback)(void);
const char *pointer(const struct a *x,
		    int y) __attribute__((format(printf, 1, 2)));
struct a *of_struct(void (*call)(int));
"""

    def test_declarations_are_found_and_nothing_else(self):
        self.assertEqual(layout.prototypes(self.TEXT), ["one_line", "pointer", "of_struct"])


class Tests(unittest.TestCase):
    def test_each_part_of_lib_has_one(self):
        sources = ["lib/daxmap.c", "lib/pin/pin.c", "lib/pin/io.c", "lib/mem/file.c"]
        with mock.patch.dict(units.NAMES, {"lib/mem": "memory"}):
            self.assertEqual(units.lacking_tests(sources, {"daxmap", "pin", "memory"}), [])
            self.assertEqual(units.lacking_tests(sources, {"daxmap", "mem"}), ["lib/pin"])
        self.assertEqual(units.lacking_tests(["lib/action/x.c"], set()), [])


if __name__ == "__main__":
    unittest.main()
