# SPDX-License-Identifier: GPL-2.0-only
"""Results as one page: python3 lab report out/KERNEL/results.ktap"""
import os
import re
import shutil
import sys
import textwrap
from collections import Counter, defaultdict

from report import ktap

MARKS = {"returned_early": "E", "never_returned": "N", "waited": "V",
         "not_revoked": "R", "wrong_data": "W", "unhealthy": "U", "failed": "F",
         "panic": "P"}
LEGEND = (". passed   E returned early   N never returned   R not revoked\n"
          "V waited in vain   W wrong data   U unhealthy   F failed   P guest died\n"
          "s skipped   - no such cell")
SIZES = ("pte", "pmd", "pud")
# What stands for cells whose action is not tried in a variant of its own
KEPT = "kept"
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


def split_name(name):
    """(memory, size, pin, scenario) of a cell; odd names have a row of their own."""
    parts = name.split(".")
    return tuple(parts) if len(parts) == 4 else ("", name, "none", "other")


def variants_of(results):
    """{(program, memory): the variants that actions on files are tried in, if several}

    A variant is what follows the "-" in a cell's name.
    """
    tried = defaultdict(dict)
    for result in results:
        memory, _, pin, scenario = split_name(result.name)
        _, _, variant = scenario.partition("-")
        if variant and pin != "none" and memory not in ("devdax", ""):
            tried[result.program, memory][scenario] = variant
    return {key: tuple(dict.fromkeys(found.values()))
            for key, found in tried.items() if len(found) > 1}


def split_variant(scenario, variants):
    """(action, variant), or (scenario, KEPT) where it is none of these variants."""
    action, _, variant = scenario.partition("-")
    return (action, variant) if variant in variants else (scenario, KEPT)


class Table:
    """The marks of one program on one kind of memory.

    Rows are actions, columns pins.  Where they meet is a mark for each page size;
    where actions are tried in several variants each page size has columns of its own,
    and marks are for the variants.
    """

    def __init__(self, program, memory, variants):
        self.program = program
        self.memory = memory
        self.variants = variants
        self.marks = {}

    def add(self, size, pin, scenario, letter):
        row, variant = split_variant(scenario, self.variants)
        if self.variants:
            key = row, (size, pin), variant
        else:
            key = scenario, ("", pin), size
        self.marks[key] = letter

    def title(self, inner):
        where = f"{self.program}: {self.memory or 'other'}"
        if len(inner) > 1:
            return f"{where}, marks are for {' '.join(inner)}"
        return where if inner == [KEPT] else f"{where}, {inner[0]}"

    def lines(self, width):
        rows = in_order(row for row, _, _ in self.marks)
        columns = in_order(column for _, column, _ in self.marks)
        columns.sort(key=lambda column: SIZES.index(column[0])
                     if column[0] in SIZES else -1)
        inner = in_order((each for _, _, each in self.marks),
                         (KEPT, *self.variants) if self.variants else SIZES)
        yield self.title(inner)
        # What no cell of a column has takes no room there
        last = {column: max(index for index, each in enumerate(inner)
                            if any((row, column, each) in self.marks
                                   for row in rows)) for column in columns}
        table = []
        for row in rows:
            places = ["".join(self.marks.get((row, column, each), "-")
                              for each in inner[:last[column] + 1])
                      for column in columns]
            table.append((row, [place if place.strip("-") else ""
                                for place in places]))
        heads = ["_".join(filter(None, column)) for column in columns]
        for line in grid(heads, table, width - 2):
            yield "  " + line


def unpinned_lines(program, results, width):
    """Scenarios without a pin share a table, with page sizes as columns."""
    marks = {}
    for result in results:
        memory, size, _, scenario = split_name(result.name)
        head = size if memory in ("devdax", "") else f"{memory}_{size}"
        marks[scenario, head] = mark(result)
    yield f"{program}: without a pin"
    heads = in_order((head for _, head in marks), SIZES)
    rows = [(row, [marks.get((row, head), "") for head in heads])
            for row in in_order(row for row, _ in marks)]
    for line in grid(heads, rows, width - 2):
        yield "  " + line


def widths(heads, sizes):
    """Room of each column with the two blanks before it."""
    return [2 + max(size, *map(len, head.split("_")))
            for head, size in zip(heads, sizes)]


def stacked(heads, wide):
    """Lines of headings, one word of a pin's name above the other."""
    words = [head.split("_") for head in heads]
    return ["  ".join((each[row] if row < len(each) else "").center(room)
                      for each, room in zip(words, wide))
            for row in range(max(map(len, words)))]


def grid(heads, rows, width):
    """Lines of a table, cut into several where it is too wide.

    rows are pairs of a label and a text for each head.  A part of the table has
    the rows only that say something there.
    """
    first = max(len(label) for label, _ in rows)
    sizes = [max(len(marks[column]) for _, marks in rows)
             for column in range(len(heads))]
    start = 0
    while start < len(heads):
        end = start + 1
        while end < len(heads) and first + sum(
                widths(heads[start:end + 1], sizes[start:end + 1])) <= width:
            end += 1
        wide = [each - 2 for each in widths(heads[start:end], sizes[start:end])]
        for line in stacked(heads[start:end], wide):
            yield f"{'':<{first}}  {line}".rstrip()
        for label, marks in rows:
            # Runs of marks begin in one column, however long they are
            cells = (f"{each:<{size}}".center(room) for each, size, room
                     in zip(marks[start:end], sizes[start:end], wide))
            if any(marks[start:end]):
                yield f"{label:<{first}}  {'  '.join(cells)}".rstrip()
        start = end


def table(results, width=100):
    """A table for each program and memory, and one for what has no pin."""
    variants = variants_of(results)

    def row_of(result):
        memory, _, _, scenario = split_name(result.name)
        tried = variants.get((result.program, memory), ())
        return result.program, memory, *split_variant(scenario, tried)

    # An action that any memory has with a pin is in no table of what has none
    pinned = {(program, action, variant) for result in results
              if split_name(result.name)[2] != "none"
              for program, _, action, variant in [row_of(result)]}
    tables = {}
    unpinned = defaultdict(list)
    for result in results:
        program, memory, action, variant = row_of(result)
        if (program, action, variant) not in pinned:
            unpinned[program].append(result)
            continue
        key = program, memory
        _, size, pin, scenario = split_name(result.name)
        block = tables.setdefault(key, Table(*key, variants.get(key, ())))
        block.add(size, pin, scenario, mark(result))
    lines = []
    for block in tables.values():
        lines += ["", *block.lines(width)]
    for program, cells in unpinned.items():
        lines += ["", *unpinned_lines(program, cells, width)]
    return lines


def wrapped(text, indent, width):
    return textwrap.fill(text, width, initial_indent=" " * indent,
                         subsequent_indent=" " * (indent + 2),
                         break_long_words=False, break_on_hyphens=False)


def in_short(results):
    """Memory and page sizes of some cells: 'pte pmd', 'ext4.pte/pmd xfs.pte'."""
    sizes = defaultdict(list)
    for result in results:
        memory, size, _, _ = split_name(result.name)
        sizes[memory].append(size)
    return " ".join(" ".join(each) if memory in ("devdax", "") else
                    f"{memory}.{'/'.join(each)}"
                    for memory, each in sizes.items())


def by_scenario(results):
    """Names of many cells in short: scenarios, pins and sizes.

    Those with the same pins share a line, where only the variant differs.
    """
    found = defaultdict(lambda: defaultdict(list))
    for result in results:
        _, _, pin, scenario = split_name(result.name)
        found[result.program, scenario][pin].append(result)
    lines = defaultdict(list)
    for (program, scenario), pins in found.items():
        memory = split_name(next(iter(pins.values()))[0].name)[0]
        action, _, variant = (scenario.partition("-") if memory not in ("devdax", "")
                              else (scenario, "", ""))
        where = ", ".join(f"{pin} ({in_short(cells)})"
                          for pin, cells in pins.items())
        lines[program, action, where].append(variant)
    for (program, action, where), variants in lines.items():
        if variants == [""]:
            yield f"{program} {action}: {where}"
        elif len(variants) == 1:
            yield f"{program} {action}-{variants[0]}: {where}"
        else:
            yield f"{program} {action} ({', '.join(each or KEPT for each in variants)}): {where}"


def alike(sentence):
    """What cells have in common that differ only in times, counts, addresses."""
    return re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+(\.\d+)?", "#", sentence)


# What actions say in the same words; only their own word comes first
OF_ACTIONS = re.compile(r"^[^:;#]+? (?=(returned after|waited for|did not return) )")


def shared_sentence(group):
    """One sentence for cells that say the same, of whichever action."""
    first = group[0].sentence
    if all(alike(result.sentence) == alike(first) for result in group):
        return first
    return OF_ACTIONS.sub("the action ", first)


def failures(results, width):
    failed = [r for r in results if r.verdict == ktap.FAIL]
    if len(failed) <= GROUP_ABOVE:
        return [f"{r.full_name}: {r.sentence}" for r in failed]
    groups = defaultdict(list)
    for result in failed:
        same = OF_ACTIONS.sub("", alike(result.sentence)).replace(
            alike(result.name), "#")
        groups[result.kind, same].append(result)
    lines = []
    for group in sorted(groups.values(), key=len, reverse=True):
        if len(group) == 1:
            lines.append(f"{group[0].full_name}: {group[0].sentence}")
            continue
        lines.append(f"{len(group)} cells: {shared_sentence(group)}")
        lines += [wrapped(text, 4, width) for text in by_scenario(group)]
    return lines


def skips(results):
    reasons = defaultdict(list)
    for result in results:
        if result.verdict == ktap.SKIP:
            reasons[alike(result.sentence)].append(result.sentence)
    return [f"{len(same):4} skipped: {same[0]}" for same in
            sorted(reasons.values(), key=len, reverse=True)]


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
