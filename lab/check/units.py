# SPDX-License-Identifier: GPL-2.0-only
"""Unit tests: of lib/ under ASan and UBSan, of the lab in Python."""
import glob
import os

from check import tree
from check.artifacts import LAB, TOP
from check.reporter import Failed, Skipped

# Tests that are not named after their file at lib/'s top, or their folder
NAMES = {"lib/mem": "memory", "lib/io": "io_method"}
# Needs the devices that it removes: tested by the suite itself
UNTESTED = ("lib/action",)


def lacking_tests(sources, tests):
    """Files at the top of lib/, and folders in it, that have no test."""
    parts = {source[:-2] if source.count("/") == 1 else os.path.dirname(source)
             for source in sources} - set(UNTESTED)
    return [part for part in sorted(parts)
            if not tests & {os.path.basename(part), NAMES.get(part)}]


def of_lib(reporter, artifacts):
    output = os.path.join(artifacts.scratch, "unit")
    built = False
    with reporter.check("unit tests: build under ASan and UBSan") as log:
        log.run(["make", "-s", "-C", os.path.join(LAB, "unit"), "-j2", "-k",
                 f"KSFT={artifacts.ksft('newest')}", f"OUTPUT={output}",
                 f"CACHE={artifacts.cache}"])
        built = True
    for source in sorted(glob.glob(os.path.join(LAB, "unit/test_*.c"))):
        name = os.path.basename(source)[:-2]
        with reporter.check(f"unit tests: {name}") as log:
            path = os.path.join(output, name)
            if not os.path.exists(path):
                raise Skipped("it does not build" if not built else "not built")
            log.run([path], environment={
                "ASAN_OPTIONS": "detect_leaks=1:halt_on_error=1",
                "UBSAN_OPTIONS": "print_stacktrace=1"}, seconds=300)
    with reporter.check("unit tests: every part of lib/ has one"):
        tests = {os.path.basename(name)[len("test_"):-2]
                 for name in tree.matching("lab/unit/test_*.c")}
        lacking = lacking_tests(tree.matching("lib/*.c"), tests)
        if lacking:
            raise Failed("no test of " + ", ".join(lacking))


def of_lab(reporter):
    with reporter.check("unit tests of the lab in Python") as log:
        log.run(["python3", "-B", "-m", "unittest", "discover", "-s",
                 os.path.join(LAB, "tests"), "-t", os.path.join(LAB, "tests")],
                cwd=TOP)


def run(reporter, artifacts):
    of_lab(reporter)
    of_lib(reporter, artifacts)
