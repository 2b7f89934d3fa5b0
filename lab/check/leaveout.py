# SPDX-License-Identifier: GPL-2.0-only
"""A file left out of the build takes its own entries along, and nothing else.

Files that register entries (lib/registry.h) are left out one by one, by linking the
objects of one build without each in turn.
"""
import os
import re
import shlex

from check import layout, tree
from check.artifacts import PROGRAMS, TOP
from check.reporter import Failed, Skipped

REGISTERED = re.compile(r"^REGISTER\((\w+), ", re.M)

# Tables of lib/ whose files are left out, too.  Files of actions may not be: scenarios
# call some of their functions.
TABLES = ("pin_methods", "memories", "io_methods")
# What the entries of a table are in a cell's name: which of its four words
WORDS = {"memories": 0, "pin_methods": 2, "io_methods": 2}


def registering(names):
    """{table: the files that register entries in it}"""
    found = {}
    for name in names:
        for table in sorted(set(REGISTERED.findall(tree.read(name)))):
            found.setdefault(table, []).append(name)
    return found


def link_commands(log, artifacts, directory):
    """{program: the arguments of the command that links it}, as the Makefile has them."""
    empty = os.path.join(artifacts.scratch, "nothing-built")
    text = log.run(["make", "-n", "-C", TOP, "all", f"KSFT={artifacts.ksft('newest')}",
                    f"CACHE={artifacts.cache}", f"OUTPUT={empty}", "CC=gcc"], quiet=True)
    commands = {}
    for line in text.splitlines():
        if " -c " in line or " -o " not in line:
            continue
        words = [word.replace(empty, directory) for word in shlex.split(line)]
        commands[os.path.basename(words[words.index("-o") + 1])] = words
    if set(PROGRAMS) - set(commands):
        raise Failed("make -n does not show how the programs are linked")
    return commands


def without(command, source, directory, output):
    """The command without a source's object; None where that is not linked."""
    left_out = os.path.join(directory, source[:-2] + ".o")
    if left_out not in command:
        return None
    words = [word for word in command if word != left_out]
    words[words.index("-o") + 1] = output
    return words


def lost_cells(before, after):
    """What went, when nothing came and the rest is in the same order."""
    lost = set(before) - set(after)
    if [cell for cell in before if cell not in lost] != after:
        more = sorted(set(after) - set(before))
        raise Failed(f"{more[0]} is listed only without it" if more
                     else "the cells that are left come in another order")
    return lost


def taken_along(table, lost, before):
    """The entry that went with only some of its cells; None if there is none."""
    word = WORDS.get(table)
    if word is None:
        return None
    names = {cell.split(".")[word] for cell in lost}
    for cell in before:
        if cell.split(".")[word] in names and cell not in lost:
            return cell.split(".")[word]
    return None


class Builds:
    """One build, linked without one object at a time."""

    def __init__(self, log, artifacts):
        self.directory = artifacts.programs.get()
        self.output = os.path.join(artifacts.scratch, "left-out")
        self.commands = link_commands(log, artifacts, self.directory)
        self.cells = {program: self.list(log, os.path.join(self.directory, program))
                      for program in PROGRAMS}

    @staticmethod
    def list(log, path):
        log.run([path, "-h"], seconds=60, quiet=True)
        return log.run([path, "-l"], seconds=60, quiet=True).split()

    def leave_out(self, log, source):
        """{program: (cells it has with the source, those that go with it)}"""
        result = {}
        for program in PROGRAMS:
            command = without(self.commands[program], source, self.directory, self.output)
            if not command:
                continue
            said = log.run(command, expect=None, quiet=True)
            if log.status:
                raise Failed(f"{program} does not link without {source}: {missing(said)}")
            before = self.cells[program]
            result[program] = before, lost_cells(before, self.list(log, self.output))
        return result


def missing(said):
    """Which functions the linker missed, and who calls them."""
    names = sorted(set(re.findall(r"undefined reference to .(\w+)", said)))
    users = sorted(set(re.findall(r"(\S+\.c):\d+: undefined", said)))
    return f"{', '.join(names)} used by {', '.join(os.path.relpath(u, TOP) for u in users)}"


def each(log, sources, judge):
    """Judge each source; all that is wrong is said, not only the first."""
    wrong = []
    for source in sources:
        try:
            judge(source)
        except Failed as why:
            wrong.append(str(why))
    if wrong:
        log.say("\n".join(wrong))
        raise Failed(f"{len(wrong)} of {len(sources)} files; first: {wrong[0]}")
    log.remark = f"{len(sources)} files"


def scenarios(log, builds, sources):
    """Each cell of a program belongs to one of its files."""
    owners = {}

    def judge(source):
        left = builds.leave_out(log, source)
        if len(left) != 1:
            raise Failed(f"{source} is linked into {len(left)} programs, not one")
        (program, (_, lost)), = left.items()
        if not lost:
            raise Failed(f"{source} registers scenarios, but no cell goes with it")
        for cell in lost:
            other = owners.setdefault((program, cell), source)
            if other != source:
                raise Failed(f"{cell} goes with {source} and with {other}")

    each(log, sources, judge)
    for program, cells in builds.cells.items():
        of_none = [cell for cell in cells if (program, cell) not in owners]
        if of_none:
            raise Failed(f"{program}: {of_none[0]} goes with none of its files")


def entries(log, builds, table, sources):
    """What a file of lib/ registers goes with it, in all programs."""
    def judge(source):
        count = 0
        for program, (before, lost) in builds.leave_out(log, source).items():
            partly = taken_along(table, lost, before)
            if partly:
                raise Failed(f"{program} without {source}: {partly} has lost "
                             "some of its cells, not all")
            count += len(lost)
        if not count:
            raise Failed(f"{source} registers {table}, but no cell goes with it")

    each(log, sources, judge)


def run(reporter, artifacts):
    artifacts.programs.wait()
    builds = None
    found = registering(tree.matching("*/*.c"))
    wings = [source for source in found.get("scenario_groups", ())
             if source.split("/")[0] in layout.WINGS]
    with reporter.check("left out: each file of scenarios takes only its own cells") as log:
        builds = Builds(log, artifacts)
        if not wings:
            raise Failed("no file registers scenarios")
        scenarios(log, builds, wings)
    for table in TABLES:
        with reporter.check(f"left out: each file of {table.replace('_', ' ')}") as log:
            if not builds:
                raise Skipped("there is no build to leave a file out of")
            if not found.get(table):
                raise Failed(f"no file registers {table}")
            entries(log, builds, table, found[table])
