# SPDX-License-Identifier: GPL-2.0-only
"""Random orders of operations on one kernel, boot after boot, for TIME= seconds.

Each boot runs the cells that draw from a seed (TESTS= for others), two minutes in all.
A line for each boot, and each failure when it is first seen, with the line that
repeats it.  Ctrl-C ends it, and the sums are printed all the same.

Exit status: 0 no cell failed, 1 some did, 2 it could not run.
"""
import os
import re
import time
from collections import Counter, namedtuple

from boot import vm
from boot.kernels import Refusal
from report import ktap

LONGEST = 7 * 24 * 3600
CELLS = ("dax_teardown.*.orders.random dax_teardown.*.orders.at_once "
         "dax_teardown.*-seeded")
BOOT_SECONDS = 120
HEAD = "  boot  seconds  orders  a second  failed  cells  failed"

ORDERS = re.compile(r"\d+ orders, (\d+) visited, .*; (\d+) failed")
REPEATS = re.compile(r"DAX_TEST_(?:ORDER|RACE|SEED)=\S+")

Sum = namedtuple("Sum", "orders wrong cells failed")


def parse_time(text):
    if not text.isdigit() or not 1 <= int(text) <= LONGEST:
        raise Refusal(f"TIME={text} is invalid: give seconds, 1 to {LONGEST}")
    return int(text)


def counted(results):
    """What the cells of one boot did."""
    orders = wrong = 0
    for result in results:
        for text in result.diagnostics:
            found = ORDERS.search(text)
            if found:
                orders += int(found[1])
                wrong += int(found[2])
    failed = sum(result.verdict == ktap.FAIL for result in results)
    return Sum(orders, wrong, len(results), failed)


def repeats(result):
    """The variable that repeats a failure, the shortest way there is."""
    found = [match[0] for text in result.diagnostics
             for match in REPEATS.finditer(text)]
    orders = [text for text in found if not text.startswith("DAX_TEST_SEED")]
    return (orders or found or [""])[0]


def one_boot(args, number, left):
    def share(run):
        """The boot's time, between its cells."""
        cells = sum(len(picked) for _, picked in run.plan.values())
        os.environ["DAX_TEST_TIME"] = str(max(1, int(min(BOOT_SECONDS, left) / cells)))

    return vm.run_aside(args, os.path.join(args.home, str(number)), share).in_order()


def line(number, seconds, done):
    return (f"  {number:>4}  {seconds:>7.1f}  {done.orders:>6}  "
            f"{done.orders / max(seconds, 0.1):>8.1f}  {done.wrong:>6}  "
            f"{done.cells:>5}  {done.failed:>6}")


def soak(args):
    wanted = parse_time(os.environ.get("TIME", "3600"))
    args.home = os.path.join(args.out, "soak")
    args.tests = args.tests or CELLS
    print(f"{args.kernel}: {wanted} s; a line for each boot, of {BOOT_SECONDS} s of cells\n"
          f"{HEAD}", flush=True)
    begin = time.monotonic()
    kinds, sums, number = Counter(), [], 0
    try:
        while time.monotonic() - begin < wanted:
            number += 1
            start = time.monotonic()
            results = one_boot(args, number, wanted - (start - begin))
            sums.append(counted(results))
            print(line(number, time.monotonic() - start, sums[-1]), flush=True)
            for result in results:
                if result.verdict != ktap.FAIL:
                    continue
                kinds[result.full_name, result.kind] += 1
                if kinds[result.full_name, result.kind] == 1:
                    print(f"        {result.full_name}: {result.sentence}\n"
                          f"        {repeats(result)}", flush=True)
    finally:
        print("\n" + "\n".join(summary(sums, kinds, time.monotonic() - begin)), flush=True)
    return int(bool(kinds))


def summary(sums, kinds, seconds):
    orders = sum(each.orders for each in sums)
    lines = [f"{orders} orders in {len(sums)} boots and {seconds:.0f} s, "
             f"{orders / max(seconds, 0.1):.1f} a second, "
             f"{sum(each.wrong for each in sums)} failed"]
    for (cell, kind), count in sorted(kinds.items()):
        lines.append(f"  {cell}: {kind} in {count} of {len(sums)} boots")
    return lines


def main():
    return vm.command_line(__doc__, soak)
