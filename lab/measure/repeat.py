# SPDX-License-Identifier: GPL-2.0-only
"""Run the suite on one kernel again and again: does any verdict change?

RUNS= says how often, TESTS= which cells, and so on as for vm.py.  What a single run
prints is in OUT/repeat/NUMBER/<kernel>/run.log, with its results beside it.

Exit status: 0 all runs said the same, 1 they did not, 2 it could not run.
"""
import os
import time
from collections import Counter

from boot import vm
from boot.kernels import Refusal
from report import expected, ktap

MOST_RUNS = 1000
HEAD = "  run  passed  failed  skipped  boots  seconds  otherwise than in run 1"


def parse_runs(text):
    if not text.isdigit() or not 2 <= int(text) <= MOST_RUNS:
        raise Refusal(f"RUNS={text} is invalid: give 2 to {MOST_RUNS}")
    return int(text)


def one_run(args, number):
    """{cell's full name: outcome}, and the run."""
    run = vm.run_aside(args, os.path.join(args.home, str(number)))
    return {result.full_name: expected.outcome_of(result)
            for result in run.in_order()}, run


def line(number, run, changed):
    count = Counter(result.verdict for result in run.results.values())
    return (f"  {number:>3}  {count[ktap.PASS]:>6}  {count[ktap.FAIL]:>6}  "
            f"{count[ktap.SKIP]:>7}  {run.boots:>5}  "
            f"{time.time() - run.started:>7.1f}  {changed or ''}").rstrip()


def differences(runs):
    """[(cell, {outcome: runs})]: every cell that was not the same in all of them."""
    cells = dict.fromkeys(cell for outcomes in runs for cell in outcomes)
    seen = [(cell, Counter(outcomes.get(cell, "no verdict") for outcomes in runs))
            for cell in cells]
    return [(cell, counts) for cell, counts in seen if len(counts) > 1]


def summary(runs):
    """What is printed at the end, a line each."""
    if len(runs) < 2:
        return ["nothing to compare"]
    changed = differences(runs)
    cells = len(dict.fromkeys(cell for outcomes in runs for cell in outcomes))
    lines = [f"{len(changed)} of {cells} cells changed in {len(runs)} runs"]
    for cell, counts in changed:
        lines.append(f"  {cell}: " + ", ".join(
            f"{outcome} {count}" for outcome, count in counts.most_common()))
    return lines


def repeat(args):
    wanted = parse_runs(os.environ.get("RUNS", "20"))
    args.home = os.path.join(args.out, "repeat")
    runs = []
    print(f"{args.kernel}: {wanted} runs, each one's log in {args.home}/NUMBER\n{HEAD}", flush=True)
    try:
        for number in range(1, wanted + 1):
            outcomes, run = one_run(args, number)
            runs.append(outcomes)
            changed = [cell for cell, _ in differences([runs[0], outcomes])]
            print(line(number, run, len(changed)), flush=True)
            for cell in changed:
                print(f"       {cell}: {outcomes.get(cell, 'no verdict')}", flush=True)
    finally:
        print("\n" + "\n".join(summary(runs)), flush=True)
    return int(bool(differences(runs)))


def main():
    return vm.command_line(__doc__, repeat)
