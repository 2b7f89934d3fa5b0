# SPDX-License-Identifier: GPL-2.0-only
"""Measure what the suite costs on one kernel, in one boot with a run of it.

The suite's cells run as in vm.py; between its first program and the others
comes dax_bench, which measures ways of doing the same in turn (bench.c).
Exit status: 0 measured, 2 it could not run; no goal and no cell makes it fail.
"""
import json
import os
import re
import statistics

from boot import qemu, vm
from boot.runner import write_whole

BENCH = "dax_bench"
SIZES = ("pte", "pmd", "pud")
GIB = 1 << 30
MIB = 1 << 20

GOALS = {"actor": 1.25, "first_verdict": 30.0, "cells_a_second": 5.0}

WAYS = {"actor": "kept", "forked": "forked", "bare": "bare C", "shell": "shell"}
CYCLE_RATIOS = {"actor/bare": ("actor", "bare"), "forked/bare": ("forked", "bare"),
                "actor/shell": ("actor", "shell")}
STEPS = {"fork": "fork, exit, wait: what the harness does for a cell",
         "settle": "guard_settle(), nothing to settle; twice a cell",
         "device": "victim_same()",
         "health_begin": "health_begin()", "health_end": "health_end()",
         "pin_counters": "pin_counters_read(), once in each of the two",
         "holder": "holder_start() and holder_end()",
         "actor": "a kept actor that does nothing",
         "unbind": "unbind itself, for comparison",
         "bind": "bind itself, for comparison"}
STAGES = {"up": "kernel up, init begins", "modules loaded": "modules loaded",
          "provisioned": "namespaces made"}


# -- what was measured ---------------------------------------------------

def samples_of(diagnostics):
    """{name: [nanoseconds of each round]} of a cell's lines."""
    found = {}
    for line in diagnostics:
        if line.startswith("sample "):
            for name, value in re.findall(r"(\w+)=(\d+)", line):
                found.setdefault(name, []).append(int(value))
    return found


def facts_of(diagnostics):
    return {name: int(value) if value.isdigit() else value
            for line in diagnostics if line.startswith("fact ")
            for name, value in re.findall(r"(\w+)=(\S+)", line)}


def measured(result):
    """A cell's facts, medians and samples; or why there are none."""
    samples = samples_of(result.diagnostics)
    if result.verdict != "ok" or not samples:
        return {"missing": result.sentence or "it measured nothing"}
    return {**facts_of(result.diagnostics), "rounds": min(map(len, samples.values())),
            "median_ns": {name: round(statistics.median(values))
                          for name, values in samples.items()},
            "samples_ns": samples}


def add_ratios(cell, pairs):
    """pairs: {name of the ratio: (above, below)}, of medians."""
    medians = cell.get("median_ns")
    if medians:
        cell["ratio"] = {name: round(medians[above] / medians[below], 3)
                         for name, (above, below) in pairs.items()}
        cell["ratio_quartiles"] = {
            name: quartiles(cell["samples_ns"][above], cell["samples_ns"][below])
            for name, (above, below) in pairs.items()}
    return cell


def quartiles(above, below):
    """Of the ratios within a round: how far noise on the host carries them."""
    ratios = [a / b for a, b in zip(above, below)]
    if len(ratios) < 2:
        return ratios * 2
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return [round(low, 3), round(high, 3)]


def speed(times, first_after_command):
    """Of the boots' times: how fast the suite went, and how soon."""
    programs = {}
    for boot in times:
        begun = program = None
        for what, when in boot:
            if what.startswith("verdict ") and program:
                programs[program]["cells"] += 1
            elif what.startswith("begin "):
                begun, program = when, what.split()[1]
                programs.setdefault(program, {"cells": 0, "seconds": 0.0})
            elif what.startswith(("end ", "power off")) and program:
                programs[program]["seconds"] += when - begun
                program = None
    suite = {name: each for name, each in programs.items() if name != BENCH}
    for each in suite.values():
        each["seconds"] = round(each["seconds"], 2)
    cells = sum(each["cells"] for each in suite.values())
    seconds = sum(each["seconds"] for each in suite.values())
    start = times[0][0][1]
    stages = {}
    for what, when in times[0]:
        key = what if what in STAGES else what.split()[0]
        stages.setdefault(key, round(when - start, 2))
    return {"programs": suite, "cells": cells, "seconds": round(seconds, 2),
            "cells_a_second": round(cells / seconds, 2) if seconds else None,
            "stages_after_power_on": {name: stages[name] for name in
                                      (*STAGES, "begin", "verdict") if name in stages},
            "first_verdict_after_power_on": stages.get("verdict"),
            "first_verdict_after_command": round(first_after_command, 2)}


ORDERS = re.compile(r"(\d+) orders, (\d+) visited, (\d+) left out, (\d+) not possible; "
                    r"(\d+) failed")


def orders_of(results):
    """{cell: what it said of the orders it went through}."""
    found = {}
    for result in results:
        for text in result.diagnostics:
            match = ORDERS.search(text)
            if match:
                names = ("all", "visited", "left_out", "not_possible", "failed")
                found[result.full_name] = {**dict(zip(names, map(int, match.groups()))),
                                           "seconds": result.seconds}
    return found


def collect(run):
    cells = {result.name: measured(result) for result in run.in_order()
             if result.program == BENCH}
    cycle = {size: add_ratios(cells[f"bench.{size}.cycle"],
                              CYCLE_RATIOS)
             for size in SIZES if f"bench.{size}.cycle" in cells}
    register = {size: add_ratios(cells[f"bench.{size}.register"],
                                 {"register": ("register", "anon_register"),
                                  "release": ("release", "anon_release")})
                for size in SIZES if f"bench.{size}.register" in cells}
    return {"kernel": run.kernel.release, "boots": run.boots,
            "accelerator": "kvm" if qemu.kvm_works() else "tcg", "goals": GOALS,
            "cycle": cycle, "register": register,
            "frame": cells.get("bench.pmd.frame", {}),
            "orders": orders_of(run.in_order()),
            "speed": speed(run.times, run.first_verdict)}


# -- for people ------------------------------------------------------------

def ms(ns):
    return f"{ns / 1e6:.2f} ms" if ns < 1e8 else f"{ns / 1e6:.0f} ms"


def columns(rows):
    """Lines of a table: the first column left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        yield "  " + "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths))).rstrip()


def met(value, goal, most=True):
    return "met" if (value <= goal if most else value >= goal) else "missed"


def cycle_table(cycle):
    goal = GOALS["actor"]
    rows = [["", "bytes", "rounds", *WAYS.values(), "kept/bare", "quartiles",
             "forked/bare", "goal"]]
    for size, cell in cycle.items():
        if "missing" in cell:
            yield f"  {size}: {cell['missing']}"
            continue
        ratio = cell["ratio"]
        rows.append([size, f"{cell['bytes'] // MIB} MiB", str(cell["rounds"]),
                     *(ms(cell["median_ns"][way]) for way in WAYS),
                     f"{ratio['actor/bare']:.2f}",
                     "{:.2f} to {:.2f}".format(*cell["ratio_quartiles"]["actor/bare"]),
                     f"{ratio['forked/bare']:.2f}",
                     f"{goal} {met(ratio['actor/bare'], goal)}"])
    yield from columns(rows)


def per_gib(cell, name):
    return cell["median_ns"][name] * GIB / cell["bytes"]


def register_table(register):
    rows = [["", "measured", "by", "register", "release", "register/anon",
             "release/anon"]]
    for size, cell in register.items():
        if "missing" in cell:
            yield f"  {size}: {cell['missing']}"
            continue
        rows.append([size, f"{cell['bytes'] // MIB} MiB", cell["method"],
                     ms(per_gib(cell, "register")), ms(per_gib(cell, "release")),
                     f"{cell['ratio']['register']:.2f}",
                     f"{cell['ratio']['release']:.2f}"])
    yield from columns(rows)


def frame_table(frame):
    if "missing" in frame:
        return [f"  {frame['missing']}"]
    return columns([[f"{STEPS[name]}", ms(frame["median_ns"][name])]
                    for name in STEPS if name in frame.get("median_ns", {})])


def speed_table(found):
    rows = []
    for name, seconds in found["stages_after_power_on"].items():
        if name in STAGES:
            rows.append([f"QEMU's start to {STAGES[name]}", f"{seconds:.1f} s", ""])
    first = found["first_verdict_after_power_on"]
    if first is not None:
        rows.append(["QEMU's start to first verdict", f"{first:.1f} s", ""])
    command = found["first_verdict_after_command"]
    goal = GOALS["first_verdict"]
    rows.append(["command to first verdict", f"{command:.1f} s",
                 f"at most {goal:.0f} s, {met(command, goal)}"])
    for name, each in found["programs"].items():
        rows.append([f"{name}: {each['cells']} cells", f"{each['seconds']:.1f} s",
                     ""])
    rate = found["cells_a_second"]
    if rate:
        goal = GOALS["cells_a_second"]
        rows.append(["cells a second", f"{rate:.1f}",
                     f"about {goal:.0f}, {met(rate, goal, most=False)}"])
    return columns(rows)


def orders_table(found):
    """Of the steered ones the share that a run visits, and how fast it goes."""
    if not found:
        return ["  no cell of orders was run"]
    rows = [["", "orders", "visited", "share", "a second"]]
    for name, each in found.items():
        share = f"{100 * each['visited'] / each['all']:.0f} %" if each["all"] else "-"
        rows.append([name, str(each["all"] or "-"), str(each["visited"]), share,
                     f"{each['visited'] / max(each['seconds'], 0.001):.1f}"])
    return columns(rows)


def page(found):
    boots = f"{found['boots']} boot" + ("s" if found["boots"] != 1 else "")
    return "\n".join([
        f"kernel {found['kernel']}, {found['accelerator']}, {boots}; medians, "
        "measured in turn", "",
        "a cycle of unbind and bind: by the actor that is kept for it (guard_bind_call),",
        "by two that are forked (as for a watched action), bare writes in C, in a shell",
        *cycle_table(found["cycle"]), "",
        "registering and releasing memory, scaled to 1 GiB; ratio to anonymous memory",
        *register_table(found["register"]), "",
        "the frame around a cell", *frame_table(found["frame"]), "",
        "orders of two operations (DAX_TEST_ORDERS=all visits all)",
        *orders_table(found["orders"]), "",
        "the suite", *speed_table(found["speed"])])


# -- the run -----------------------------------------------------------------

def order(plan):
    """One program of the suite, so that there is a verdict; then the bench.

    The others come after it, for they may cost the kernel its health.
    """
    suite = [name for name in plan if name != BENCH]
    return {name: plan[name] for name in (*suite[:1], BENCH, *suite[1:])
            if name in plan}


def run_bench(args):
    if args.tests.strip():
        args.tests += f" {BENCH}"
    run, machine = vm.prepare(args, (*vm.PROGRAMS, BENCH), ("all", "bench-program"))
    run.plan = order(run.plan)
    try:
        run.run(*machine)
    finally:
        run.save()
        if run.results:
            found = collect(run)
            path = os.path.join(run.out, "bench.json")
            write_whole(path, json.dumps(found, indent=1) + "\n")
            print("\n" + page(found))
            print(f"\n{path}  {run.out}/results.ktap  {run.console}", flush=True)
    return 0


def main():
    return vm.command_line(__doc__, run_bench)
