# SPDX-License-Identifier: GPL-2.0-only
"""Compares a run with what is known of its kernel: lab/findings/known.

Each line of the table says what cells do on a series of kernels when that is
not to pass:

    SERIES  CELL-GLOB  OUTCOME[|OUTCOME...]  PAGE  [REMARK]

The last line that matches a cell speaks for it; a cell without one has to pass.
An OUTCOME is the kind of a failure (returned_early, ...), 'pass' or 'skip'.
PAGE is lab/findings/PAGE.md with PAGE.c beside it, or '-' for cells that only
skip or pass; a skip's REMARK is a pattern that its reason must match.  Several
outcomes are for races in the kernel, and need a REMARK that says why.  A failure
after which the machine is rebooted says in it that it costs a boot.  A finding
that no cell shows has '-' in the three columns before PAGE, and the same need.
"""
import fnmatch
import os
import re
from collections import namedtuple

from report import ktap

Known = namedtuple("Known", "number series glob outcomes page remark")

KINDS = ("returned_early", "never_returned", "waited", "not_revoked", "wrong_data",
         "unhealthy", "failed", "unproven", "panic")

# What may be the end of a boot, where the list says so: an early return may not, and
# what else may is said in the remark
COST_A_BOOT = ("never_returned", "panic")
COSTS_A_BOOT = "it costs a boot"


class Malformed(Exception):
    """The table itself is wrong."""


def parse(text):
    table = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = line.split(None, 4)
        if len(words) < 4:
            raise Malformed(f"line {number}: SERIES CELL-GLOB OUTCOME PAGE wanted")
        remark = words[4].strip() if len(words) > 4 else ""
        outcomes = () if words[2] == "-" else tuple(words[2].split("|"))
        known = Known(number, words[0], words[1], outcomes, words[3], remark)
        check(known)
        table.append(known)
    return table


def check(known):
    if (known.series, known.glob) == ("-", "-") and not known.outcomes:
        if known.page == "-" or not known.remark:
            raise Malformed(f"line {known.number}: it needs a page and a reason")
        return
    for outcome in known.outcomes:
        if outcome not in (*KINDS, "pass", "skip"):
            raise Malformed(f"line {known.number}: '{outcome}' is no outcome")
    fails = any(outcome in KINDS for outcome in known.outcomes)
    if fails == (known.page == "-"):
        raise Malformed(f"line {known.number}: a failure has a page, "
                        "what passes or skips has none")
    if (len(known.outcomes) > 1 or known.outcomes == ("skip",)) and not known.remark:
        raise Malformed(f"line {known.number}: it needs a reason")


def outcome_of(result):
    if result.verdict == ktap.PASS:
        return "pass"
    if result.verdict == ktap.SKIP:
        return "skip"
    return result.kind or "failed"


def lines_for(table, series, results):
    """{result's full name: the line that speaks for it}"""
    mine = [known for known in table if known.series == series]
    speaks = {}
    for result in results:
        for known in mine:
            if fnmatch.fnmatchcase(result.full_name, known.glob):
                speaks[result.full_name] = known
    return mine, speaks


def compare(table, series, results):
    """Sentences: what is not as it is known to be; none when all is."""
    mine, speaks = lines_for(table, series, results)
    wrong = []
    for result in results:
        known = speaks.get(result.full_name)
        outcome = outcome_of(result)
        if known is None:
            if outcome != "pass":
                wrong.append(f"{result.full_name}: {outcome}, which is not in "
                             f"the list: {result.sentence}")
        elif outcome not in known.outcomes:
            wrong.append(f"{result.full_name}: {outcome}, but line "
                         f"{known.number} of the list says "
                         f"{'|'.join(known.outcomes)}: {result.sentence}")
        elif outcome == "skip" and known.page == "-" and \
                not re.search(known.remark, result.sentence):
            wrong.append(f"{result.full_name}: skipped for another reason than "
                         f"line {known.number} has: {result.sentence}")
    used = set(speaks.values())
    for known in mine:
        if known not in used:
            wrong.append(f"line {known.number} of the list ({known.glob}) "
                         "speaks for no cell: it is stale")
    return wrong


def compare_boots(table, series, results, data):
    """A boot lasts until nothing is left to do, but for cells known to cost it.

    data is what the run noted.  A boot that never got to a program is the
    emulator's: no cell was in it.
    """
    _, speaks = lines_for(table, series, results)
    wrong = []
    for boot in range(1, data["boots"] + 1):
        if boot in data["stillborn"] or boot in data["finished"]:
            continue
        cells = [result for result in results if result.boot == boot]
        if not cells:
            wrong.append(f"boot {boot} ended without a verdict")
            continue
        last = cells[-1]
        known = speaks.get(last.full_name)
        if known is None or outcome_of(last) not in known.outcomes or \
                (outcome_of(last) not in COST_A_BOOT and
                 COSTS_A_BOOT not in known.remark):
            wrong.append(f"boot {boot} ended with {last.full_name}, which is not "
                         f"known to cost one: {outcome_of(last)}: {last.sentence}")
    return wrong


# -- the rule the suite is about -----------------------------------------

# Files have rules of their own, each action another.  Cells of the map=dev
# namespace are a matter of their own: on 5.10 its unbind warns, which is that
# kernel's own fault.  What VFIO has pinned no kernel gives back (vfio-pin-leak)
def is_pinned_unbind(result):
    parts = result.name.split(".")
    return (result.program == "dax_teardown" and len(parts) == 4 and
            parts[0] == "devdax" and parts[2] not in ("none", "vfio_dma") and
            parts[3].startswith(("unbind_device_dax", "disable_libdaxctl")) and
            not parts[3].endswith("-map_dev"))


def compare_rule(results, want):
    """Every pinned unbind cell that could be built comes out as want."""
    cells = [r for r in results if is_pinned_unbind(r)
             and r.verdict != ktap.SKIP]
    wrong = [f"{r.full_name}: {outcome_of(r)}, expected {want}: {r.sentence}"
             for r in cells if outcome_of(r) != want]
    if not cells:
        wrong.append("no pinned unbind cell was run at all")
    return len(cells), wrong


# -- pages -----------------------------------------------------------------

# What a page of a finding has to hold, by its headings
HEADINGS = ("Cells", "Kernels", "Seen", "Path", "Why", "Program")


def pages_of(table):
    return sorted({known.page for known in table if known.page != "-"})


def check_pages(table, directory):
    wrong = []
    pages = pages_of(table)
    for page in pages:
        for ending in (".md", ".c"):
            if not os.path.exists(os.path.join(directory, page + ending)):
                wrong.append(f"{page}{ending} is missing")
    have = {os.path.splitext(name)[0] for name in os.listdir(directory)
            if name.endswith((".md", ".c"))} if os.path.isdir(directory) else set()
    wrong += [f"{page} is in no line of the list"
              for page in sorted(have - set(pages))]
    return wrong
