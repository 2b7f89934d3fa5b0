# SPDX-License-Identifier: GPL-2.0-only
"""What the stages share: fetched once, by the first stage that needs it."""
import contextlib
import os
import threading

from check.reporter import Failed, Skipped

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAB = os.path.join(TOP, "lab")
PROGRAMS = ("gup_devdax", "dax_teardown", "pmem_io")
# Built and installed, but not run by kselftest
EXTENDED = ("pmem_bench", "pmem_log")

# Exit status of kernels.py when the archive has no such series
NO_SUCH_SERIES = 3


class Once:
    """A thing that takes long to get: made by the first, waited for by others."""

    def __init__(self, make):
        self.make = make
        self.lock = threading.Lock()
        self.value = None
        self.trouble = None
        self.done = False

    def wait(self):
        """So that the next check's time is its own."""
        with contextlib.suppress(Skipped):
            self.get()

    def get(self):
        with self.lock:
            if not self.done:
                try:
                    self.value = self.make()
                except (Failed, Skipped) as trouble:
                    self.trouble = trouble
                self.done = True
        if self.trouble:
            # The first check has said why, in full
            raise Skipped(f"needs what is missing: {self.trouble}")
        return self.value


class Artifacts:
    """The kselftest trees, the kernels, and one build of the programs."""

    KSFT = ("newest", "6.12", "6.1")
    KERNELS = ("5.10", "6.12")

    def __init__(self, reporter, cache, scratch):
        self.reporter = reporter
        self.cache = cache
        self.scratch = scratch
        self._ksft = {series: Once(lambda series=series: self.fetch_ksft(series))
                      for series in self.KSFT}
        self._kernel = {series: Once(lambda series=series: self.fetch_kernel(series))
                        for series in self.KERNELS}
        self.programs = Once(self.build)

    def ksft(self, series):
        """Directory tools/testing/selftests of that series."""
        return self._ksft[series].get()

    def kernel(self, series):
        """What vm.py takes as KERNEL."""
        return self._kernel[series].get()

    def fetch(self):
        """All of it, what is waited for first."""
        order = [(self._ksft, "newest"), (self._kernel, "5.10"),
                 (self._kernel, "6.12"), (self._ksft, "6.12"),
                 (self._ksft, "6.1")]
        for group, series in order:
            group[series].wait()

    def ask(self, what, *arguments):
        """The first line that kernels.py answers with."""
        trouble = Failed("it could not be fetched")
        lines = []
        with self.reporter.check(what) as log:
            try:
                output = log.run(["python3", LAB, "kernels",
                                  "--cache", self.cache, *arguments],
                                 expect=(0, NO_SUCH_SERIES), seconds=900)
                lines = [line for line in output.splitlines()
                         if not line.startswith("#")]
                if log.status == NO_SUCH_SERIES:
                    raise Skipped("NOT CHECKED: " + " ".join(lines))
            except (Failed, Skipped) as why:
                trouble = why
                raise
        if not lines or not os.path.exists(lines[0]):
            raise trouble
        return lines[0]

    def fetch_ksft(self, series):
        return self.ask(f"fetch kselftest files of {series}", "ksft", series)

    def fetch_kernel(self, series):
        self.ask(f"fetch kernel debian:{series}", "kernel", f"debian:{series}")
        return f"debian:{series}"

    def build(self):
        """The programs as gcc makes them, for all that wants to run them."""
        directory = os.path.join(self.scratch, "gcc")
        trouble = Failed("the programs do not build")
        self._ksft["newest"].wait()
        with self.reporter.check("build with gcc") as log:
            make_programs(log, self.ksft("newest"), directory, "CC=gcc")
            trouble = None
        if trouble:
            raise trouble
        return directory


def make_programs(log, ksft, output, *variables):
    """Build into a directory of its own."""
    os.makedirs(output, exist_ok=True)
    log.run(["make", "-s", "-C", TOP, "-j2", "all", f"KSFT={ksft}",
             f"OUTPUT={output}", *variables])
    for program in (*PROGRAMS, *EXTENDED):
        if not os.path.exists(os.path.join(output, program)):
            raise Failed(f"{program} was not built")
