# SPDX-License-Identifier: GPL-2.0-only
"""The suite on real kernels, compared with what is known of them."""
import json
import os
import re
import shutil

from check.artifacts import LAB, PROGRAMS
from check.reporter import Failed, Skipped
from report import expected, ktap

FINDINGS = os.path.join(LAB, "findings")
TABLE = os.path.join(FINDINGS, "known")

# What every pinned unbind cell must come to.  5.10 waits for pins; since the
# ZONE_DEVICE reference counts were reworked in 5.18 no kernel here does.
RULE = {"5.10": "pass", "6.12": "returned_early"}

# A whole run takes 9 minutes; a machine half as fast and cells that hang have to
# fit.
RUN_SECONDS = 1500

# Cells that pass on 5.10, of each kind of memory and page size
BACK_END_CELLS = ("devdax.*.vmsplice.unbind_device_dax", "*.pmd.vmsplice.truncate",
                  "ext4.pte.vmsplice.truncate", "pmem_io.devdax.*")
BACK_END_BUS = {"e820": "e820", "virtio": "virtio-pmem"}

# make powercut is for more
CUTS = 5

# 'python3 lab killed' is for more
KILLS = 12

# So many of the cells that are wrong are named one by one
SHOWN = 40


def load(path):
    """The results of a run, and what else it noted."""
    try:
        with open(path, encoding="utf-8") as f:
            data = json.load(f)
    except (OSError, ValueError) as err:
        raise Failed(f"the run left no results: {err}") from err
    results = [ktap.Result(c["program"], c["name"], c["verdict"], c["kind"],
                           c["sentence"], c["seconds"], c["boot"])
               for c in data["cells"]]
    return results, data


def complain(log, wrong, what):
    if wrong:
        log.say("\n".join(wrong[:SHOWN]))
        if len(wrong) > SHOWN:
            log.say(f"... and {len(wrong) - SHOWN} more")
        raise Failed(f"{len(wrong)} {what}; first: {wrong[0]}")


def listed_cells(log, directory):
    """What the programs say they have, to find what a run left out."""
    cells = set()
    for program in PROGRAMS:
        names = log.run([os.path.join(directory, program), "-l"]).split()
        cells |= {f"{program}.{name}" for name in names}
    return cells


def one_series(reporter, artifacts, table, series):
    out = os.path.join(artifacts.scratch, "vm")
    results = []
    data = {}
    cells = set()
    with reporter.check(f"the suite on {series}: no boot is lost") as log:
        programs = artifacts.programs.get()
        cells = listed_cells(log, programs)
        kernel = artifacts.kernel(series)
        try:
            shutil.rmtree(os.path.join(out, f"debian-{series}"), ignore_errors=True)
            log.run(["python3", LAB, "vm", "--kernel", kernel,
                     "--programs", programs, "--cache", artifacts.cache, "--out", out,
                     "--jobs", "auto"], expect=(0, 1), seconds=RUN_SECONDS)
        finally:
            # What a run that was cut off has found out is compared all the same
            results, data = load(os.path.join(out, f"debian-{series}",
                                              "results.json"))
        wrong = data["deaths"] + expected.compare_boots(table, series, results, data)
        complain(log, wrong, "boots too many")
        lost = cells - {result.full_name for result in results}
        if lost:
            raise Failed(f"{len(lost)} cells have no verdict, such as "
                         f"{sorted(lost)[0]}")
    with reporter.check(f"the suite on {series}: every pinned unbind cell: "
                     f"{RULE[series]}") as log:
        need(results)
        count, wrong = expected.compare_rule(results, RULE[series])
        log.say(f"{count} cells")
        complain(log, wrong, f"of {count} cells are not")
    with reporter.check(f"the suite on {series}: every cell as it is known to be") as log:
        need(results)
        complain(log, expected.compare(table, series, results), "differences")


def need(results):
    if not results:
        raise Skipped("there are no results of that kernel")


def read_table(reporter):
    table = []
    with reporter.check("the list of findings, and a page for each") as log:
        if not os.path.exists(TABLE):
            raise Failed("there is no lab/findings/known")
        with open(TABLE, encoding="utf-8") as f:
            try:
                table = expected.parse(f.read())
            except expected.Malformed as err:
                raise Failed(f"lab/findings/known, {err}") from err
        complain(log, expected.check_pages(table, FINDINGS), "pages")
        for page in expected.pages_of(table):
            log.run(["gcc", "-O2", "-Wall", "-Werror", "-D_GNU_SOURCE=", "-pthread",
                     "-o", os.devnull, os.path.join(FINDINGS, page + ".c")])
    return table


def panic_costs_one_cell(reporter, artifacts, series):
    """A crash on purpose, between two cells that have nothing to do with it."""
    out = os.path.join(artifacts.scratch, "vm-crash")
    with reporter.check(f"the suite on {series}: a panic costs one cell") as log:
        programs = artifacts.programs.get()
        cells = sorted(listed_cells(log, programs))
        crash = [cell for cell in cells if cell.endswith("control_crash")]
        if not crash:
            raise Skipped("there is no such control")
        # Programs run in the order they are asked for, so that some come after it
        others = [cell for cell in cells
                  if cell.endswith("none.unbind_device_dax")
                  or cell.startswith("pmem_io.devdax.pmd.")]
        shutil.rmtree(out, ignore_errors=True)
        log.run(["python3", LAB, "vm", "--kernel",
                 artifacts.kernel(series), "--programs", programs, "--cache",
                 artifacts.cache, "--out", out, "--only", "dax_teardown pmem_io",
                 "--tests", " ".join(crash[:1] + others)],
                expect=(0, 1), seconds=300, environment={"DAX_TEST_CRASH": "1"})
        results, data = load(os.path.join(out, f"debian-{series}", "results.json"))
        outcome = {r.full_name: r for r in results}
        found = outcome[crash[0]]
        if found.verdict == ktap.SKIP and "DAX_TEST_CRASH" in found.sentence:
            raise Skipped("NOT CHECKED: vm.py does not hand DAX_TEST_CRASH on")
        if found.kind != "panic" or "sysrq" not in found.sentence:
            raise Failed(f"{crash[0]}: {expected.outcome_of(found)}: {found.sentence}")
        bad = [cell for cell in others if outcome.get(cell) is None
               or outcome[cell].verdict != ktap.PASS]
        boots = data["boots"] - len(data["stillborn"])
        if bad or boots != 2:
            raise Failed(f"{boots} boots, and it took {bad or 'nothing'} along")


def other_back_end(reporter, artifacts, series, backend):
    """A few cells of each kind of memory, on memory that is no NVDIMM's."""
    out = os.path.join(artifacts.scratch, "vm-back-end")
    with reporter.check(f"the suite on {series}: memory of {backend}") as log:
        programs = artifacts.programs.get()
        home = os.path.join(out, f"debian-{series}-{backend}")
        shutil.rmtree(home, ignore_errors=True)
        log.run(["python3", LAB, "vm", "--kernel",
                 artifacts.kernel(series), "--programs", programs, "--cache",
                 artifacts.cache, "--out", out, "--backend", backend,
                 "--tests", " ".join(BACK_END_CELLS)], expect=(0, 1), seconds=300)
        results, data = load(os.path.join(home, "results.json"))
        bad = [f"{r.full_name}: {expected.outcome_of(r)}: {r.sentence}"
               for r in results if r.verdict != ktap.PASS]
        complain(log, bad, "cells do not pass")
        boots = data["boots"] - len(data["stillborn"])
        if boots != 1:
            raise Failed(f"it took {boots} boots")
        with open(os.path.join(home, "results.ktap"), encoding="utf-8") as f:
            buses = set(re.findall(r"memory from here on: .* of bus (\S+)", f.read()))
        log.say(f"buses: {buses}")
        if buses != {BACK_END_BUS[backend]}:
            raise Failed(f"it ran on memory of {buses or 'no bus'}")


def virtual_machines(reporter, artifacts, series):
    """Memory that a guest of the guest has: with one CPU, see lab/boot/guest/init."""
    out = os.path.join(artifacts.scratch, "vm-kvm")
    with reporter.check(f"the suite on {series}: memory of a virtual machine") as log:
        programs = artifacts.programs.get()
        shutil.rmtree(out, ignore_errors=True)
        log.run(["python3", LAB, "vm", "--kernel",
                 artifacts.kernel(series), "--programs", programs, "--cache",
                 artifacts.cache, "--out", out, "--cpus", "1",
                 "--tests", "devdax.*.kvm_*"], seconds=300)
        results, _ = load(os.path.join(out, f"debian-{series}", "results.json"))
        bad = [f"{r.full_name}: {expected.outcome_of(r)}: {r.sentence}"
               for r in results if r.verdict != ktap.PASS]
        complain(log, bad, "cells do not pass")


def power_cuts(reporter, artifacts, series):
    """A few cuts, which each path has to keep its promise through, and controls lose."""
    with reporter.check(f"{series}: {CUTS} power cuts") as log:
        programs = artifacts.programs.get()
        log.run(["python3", LAB, "powercut", "--kernel",
                 artifacts.kernel(series), "--programs", programs, "--cache", artifacts.cache,
                 "--out", os.path.join(artifacts.scratch, "powercut"), "--cuts", str(CUTS)],
                seconds=600)


def speed(reporter, artifacts, series):
    """pmem_bench measures all that the guest offers, however short."""
    with reporter.check(f"{series}: pmem_bench") as log:
        log.run(["python3", LAB, "iobench", "--kernel",
                 artifacts.kernel(series), "--programs", artifacts.programs.get(), "--cache",
                 artifacts.cache, "--out", os.path.join(artifacts.scratch, "iobench"),
                 "--rounds", "0", "--seconds", "0.05"], seconds=600)


def killed(reporter, artifacts, series):
    """SIGKILL at random moments: everything has to be given back."""
    with reporter.check(f"{series}: {KILLS} programs killed") as log:
        log.run(["python3", LAB, "killed", "--kernel",
                 artifacts.kernel(series), "--programs", artifacts.programs.get(), "--cache",
                 artifacts.cache, "--out", os.path.join(artifacts.scratch, "killed"),
                 "--kills", str(KILLS)], seconds=600)


def run(reporter, artifacts):
    table = read_table(reporter)
    panic_costs_one_cell(reporter, artifacts, artifacts.KERNELS[0])
    for backend in BACK_END_BUS:
        other_back_end(reporter, artifacts, artifacts.KERNELS[0], backend)
    virtual_machines(reporter, artifacts, artifacts.KERNELS[-1])
    power_cuts(reporter, artifacts, artifacts.KERNELS[-1])
    killed(reporter, artifacts, artifacts.KERNELS[0])
    speed(reporter, artifacts, artifacts.KERNELS[-1])
    for series in artifacts.KERNELS:
        one_series(reporter, artifacts, table, series)
