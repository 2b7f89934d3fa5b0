# SPDX-License-Identifier: GPL-2.0-only
"""make check: the stages, side by side where that is sound and faster.

    python3 lab check [--only STAGE...] [--cache DIR] [--out DIR]

STAGE: static build units badinput intree guests
Exit status: 0 nothing failed, 1 something did, 130 interrupted.
"""
import argparse
import os
import signal
import threading
import time

from check import badinput, build, guests, intree, static, units
from check.artifacts import Artifacts
from check.reporter import Reporter, Skipped

STAGES = {"static": static, "units": units, "build": build, "intree": intree,
          "badinput": badinput, "guests": guests}
# What runs side by side, then what comes after it
ROUNDS = ((("static", "badinput", "intree"), ("units", "build")), (("guests",),))


def stage(name, reporter, artifacts):
    """A stage; what breaks it is a failure like any other."""
    try:
        STAGES[name].run(reporter, artifacts)
    except Skipped:
        pass
    except Exception as err:  # pylint: disable=broad-except
        if not reporter.stopping:
            reporter.fail(f"stage {name}", f"it broke off: {err!r}")


def worker(names, reporter, artifacts):
    def go():
        for name in names:
            if not reporter.stopping:
                stage(name, reporter, artifacts)
    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    return thread


def interrupted(_number, _frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--cache", default=os.environ.get("CACHE", ".cache"))
    parser.add_argument("--out", default=os.environ.get("OUT", "out"))
    args = parser.parse_args()
    scratch = os.path.abspath(os.path.join(args.out, "check"))
    reporter = Reporter(scratch)
    artifacts = Artifacts(reporter, os.path.abspath(args.cache), scratch)
    signal.signal(signal.SIGTERM, interrupted)
    everything = args.only == list(STAGES)
    try:
        fetching = threading.Thread(target=artifacts.fetch, daemon=True)
        if everything:
            fetching.start()
        # Fetching waits for the network, these for a CPU each.  The guests come
        # after them: two CPUs are what a guest under emulation uses up alone.
        for side_by_side in ROUNDS:
            threads = [worker([name for name in names if name in args.only],
                              reporter, artifacts) for names in side_by_side]
            while any(thread.is_alive() for thread in threads):
                time.sleep(0.2)
        while fetching.is_alive():
            time.sleep(0.2)
    except KeyboardInterrupt:
        reporter.stop()
        print(f"interrupted: {reporter.summary()} so far", flush=True)
        return 130
    print(reporter.summary(), flush=True)
    return int(reporter.failed > 0)
