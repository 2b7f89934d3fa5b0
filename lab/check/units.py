# SPDX-License-Identifier: GPL-2.0
"""Unit tests: of lib/ under ASan and UBSan, of the lab in Python."""
import glob
import os
import re

from check.artifacts import LAB, TOP
from check.reporter import Failed, Skipped

# A lib/ file that must have a test; families and helpers go with their head
UNTESTED = re.compile(r"(pin_|victim_|health_|holder_|iopath_|iojob_|action)")


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
        parts = {os.path.basename(path)[:-2]
                 for path in glob.glob(os.path.join(TOP, "lib/*.c"))}
        lacking = [part for part in sorted(parts) if not UNTESTED.match(part)
                   and not os.path.exists(os.path.join(LAB, f"unit/test_{part}.c"))]
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
