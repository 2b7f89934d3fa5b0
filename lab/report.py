#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Results to one page that people look at: report.py out/KERNEL/results.ktap"""
import os
import re
import shutil
import sys
import textwrap
from collections import Counter, defaultdict

import ktap

MARKS = {"returned_early": "E", "never_returned": "N", "not_revoked": "R",
         "wrong_data": "W", "unhealthy": "U", "failed": "F", "panic": "P"}
LEGEND = (". passed   E returned early   N never returned   R not revoked\n"
          "W wrong data   U unhealthy   F failed   P guest died   s skipped")
SIZES = ("pte", "pmd", "pud")
# Beyond this many failed cells, those that say the same share a sentence
GROUP_ABOVE = 12


def mark(result):
    if result.verdict == ktap.PASS:
        return "."
    if result.verdict == ktap.SKIP:
        return "s"
    return MARKS.get(result.kind, "F")


def in_order(items, known=()):
    """Each item once: the known ones first, others as they came."""
    seen = dict.fromkeys(items)
    return ([item for item in known if item in seen] +
            [item for item in seen if item not in known])


class Block:
    """The marks of one scenario: rows are page sizes, columns pins."""

    def __init__(self, program, scenario):
        self.program = program
        self.scenario = scenario
        self.marks = {}

    def rows(self):
        return in_order((row for row, _ in self.marks), SIZES)

    def pins(self):
        return in_order(pin for _, pin in self.marks)


def split_name(name):
    """(row, pin, scenario) of a cell; odd names become a row of their own."""
    parts = name.split(".")
    if len(parts) != 4:
        return name, "none", "other"
    memory, size, pin, scenario = parts
    return (size if memory == "devdax" else f"{memory}.{size}"), pin, scenario


def blocks_of(results):
    blocks = {}
    for result in results:
        row, pin, scenario = split_name(result.name)
        key = result.program, scenario
        block = blocks.setdefault(key, Block(*key))
        block.marks[row, pin] = mark(result)
    return list(blocks.values())


def stacked(heads):
    """Lines of headings, one word of a pin's name above the other."""
    words = [head.split("_") for head in heads]
    height = max(map(len, words))
    widths = [max(map(len, each)) for each in words]
    rows = [[each[row] if row < len(each) else "" for each in words]
            for row in range(height)]
    return widths, ["  ".join(word.center(width) for word, width
                              in zip(row, widths)) for row in rows]


def columns(heads, rows, width):
    """Lines of a table, cut into several where it is too wide.

    rows are pairs of a label and a mark for each head.
    """
    first = max(len(label) for label, _ in rows)
    start = 0
    while start < len(heads):
        end = start + 1
        while end < len(heads) and (first + sum(
                each + 2 for each in stacked(heads[start:end + 1])[0]) <= width):
            end += 1
        widths, lines = stacked(heads[start:end])
        for line in lines:
            yield f"{'':<{first}}  {line}".rstrip()
        for label, marks in rows:
            cells = (each.center(size)
                     for each, size in zip(marks[start:end], widths))
            yield f"{label:<{first}}  {'  '.join(cells)}".rstrip()
        start = end


def table(results, width=100):
    lines = []
    unpinned = defaultdict(list)
    for block in blocks_of(results):
        if block.pins() == ["none"]:
            unpinned[block.program].append(block)
            continue
        rows = [(row, [block.marks.get((row, pin), " ")
                       for pin in block.pins()]) for row in block.rows()]
        lines += ["", f"{block.program}: {block.scenario}"]
        lines += ["  " + line for line in columns(block.pins(), rows, width - 2)]
    for program, blocks in unpinned.items():
        heads = in_order((row for block in blocks for row in block.rows()), SIZES)
        rows = [(block.scenario, [block.marks.get((head, "none"), " ")
                                  for head in heads]) for block in blocks]
        lines += ["", f"{program}: without a pin"]
        lines += ["  " + line for line in columns(heads, rows, width - 2)]
    return lines


def wrapped(text, indent, width):
    return textwrap.fill(text, width, initial_indent=" " * indent,
                         subsequent_indent=" " * indent,
                         break_long_words=False, break_on_hyphens=False)


def by_scenario(results):
    """Names of many cells in short: a line per scenario, pins and sizes."""
    found = defaultdict(lambda: defaultdict(list))
    for result in results:
        row, pin, scenario = split_name(result.name)
        found[result.program, scenario][pin].append(row)
    for (program, scenario), pins in found.items():
        yield f"{program} {scenario}: " + ", ".join(
            f"{pin} ({' '.join(rows)})" for pin, rows in pins.items())


def failures(results, width):
    failed = [r for r in results if r.verdict == ktap.FAIL]
    if len(failed) <= GROUP_ABOVE:
        return [f"{r.full_name}: {r.sentence}" for r in failed]
    groups = defaultdict(list)
    for result in failed:
        # Cells that differ only in times and counts say the same
        same = re.sub(r"\d+(\.\d+)?", "#", result.sentence)
        groups[result.kind, same.replace(result.name, "#")].append(result)
    lines = []
    for group in sorted(groups.values(), key=len, reverse=True):
        if len(group) == 1:
            lines.append(f"{group[0].full_name}: {group[0].sentence}")
            continue
        lines.append(f"{len(group)} cells: {group[0].sentence}")
        lines += [wrapped(text, 4, width) for text in by_scenario(group)]
    return lines


def skips(results):
    reasons = Counter(r.sentence for r in results if r.verdict == ktap.SKIP)
    return [f"{count:4} skipped: {reason}"
            for reason, count in reasons.most_common()]


def counts(results):
    found = Counter(r.verdict for r in results)
    return (f"{found[ktap.PASS]} passed, {found[ktap.FAIL]} failed, "
            f"{found[ktap.SKIP]} skipped")


def page(results, notes, width=None):
    """The whole report; the notes' last line is the run's own summary."""
    width = width or min(120, shutil.get_terminal_size((100, 25)).columns)
    sections = [table(results, width), LEGEND.splitlines() if results else [],
                failures(results, width), skips(results), notes[:-1]]
    lines = []
    for section in filter(None, sections):
        lines += [*section, ""]
    lines.append(", ".join([counts(results), *notes[-1:]]))
    return "\n".join(lines).strip("\n")


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with open(sys.argv[1], encoding="utf-8", errors="replace") as f:
            results, notes = ktap.parse_ktap(f.read())
    except OSError as err:
        print(f"error: cannot read {sys.argv[1]}: {err.strerror}",
              file=sys.stderr)
        return 2
    try:
        print(page(results, notes), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(any(r.verdict == ktap.FAIL for r in results))


if __name__ == "__main__":
    sys.exit(main())
