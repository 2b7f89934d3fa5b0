# SPDX-License-Identifier: GPL-2.0-only
"""In a kernel tree: build, install, run_kselftest.sh, gen_tar, O=.

The tree is the few files of a source package that kselftest needs, with this
project's files laid over tools/testing/selftests/dax.
"""
import os
import re
import shutil
import tarfile

from check.artifacts import EXTENDED, PROGRAMS
from check.reporter import Failed, Skipped
from check.tree import files, path as path_of

# What of this project stays out of a kernel tree
NOT_FOR_A_TREE = ("lab", ".ci", ".gitignore")
UPSTREAMS = "dax-kmem-hotplug.sh"
SELFTESTS = "tools/testing/selftests"
LINE = re.compile(r"(ok|not ok) \d+ selftests: dax: (\S+)(?: # (SKIP|TIMEOUT|exit=\d+).*)?$")


def farm(ksft, tree, link):
    """A kernel tree of copies, or of symbolic links file by file."""
    source = ksft[:-len(SELFTESTS)].rstrip("/")
    shutil.rmtree(tree, ignore_errors=True)

    def place(origin, target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.lexists(target):
            os.unlink(target)
        if link:
            os.symlink(origin, target)
        else:
            shutil.copy2(origin, target)

    for path, _, names in os.walk(source):
        for name in names:
            origin = os.path.join(path, name)
            if os.path.exists(origin):
                place(origin, os.path.join(tree, os.path.relpath(origin, source)))
    for name in files():
        if name.split("/")[0] not in NOT_FOR_A_TREE:
            place(path_of(name), os.path.join(tree, SELFTESTS, "dax", name))


def wanted_programs(ksft):
    """Ours, and what upstream has in the directory by then."""
    theirs = os.path.exists(os.path.join(ksft, "dax", UPSTREAMS))
    return [*PROGRAMS, *([UPSTREAMS] if theirs else [])]


def kselftest(log, tree, *arguments):
    log.run(["make", "-s", "-C", os.path.join(tree, SELFTESTS), "TARGETS=dax",
             "FORCE_TARGETS=1", *arguments])


def run_installed(log, installed, wanted):
    """run_kselftest.sh where no DAX memory is offered: each says so, exit 4."""
    # A pipe, not a file: it appends to /dev/stdout
    output = log.run(["./run_kselftest.sh", "-c", "dax"], cwd=installed,
                     environment=nothing_offered(), expect=None, seconds=300)
    lines = output.splitlines()
    versions = [line for line in lines if line.startswith("TAP version")]
    plans = [line for line in lines if re.match(r"1\.\.\d+$", line)]
    if versions != ["TAP version 13"] or plans != [f"1..{len(wanted)}"]:
        raise Failed(f"no proper KTAP: {versions + plans}")
    results = {match[2]: match for match in map(LINE.match, lines) if match}
    for program in wanted:
        match = results.get(program)
        if not match:
            raise Failed(f"no result of {program}")
        if match[1] != "ok" or match[3] != "SKIP":
            raise Failed(f"{program} did not skip: {match[0]}")
    reasons = re.findall(r"^# 1\.\.0 # SKIP (.+)$", output, re.M)
    if len(reasons) != len(wanted):
        raise Failed(f"{len(wanted)} programs, {len(reasons)} reasons to skip")
    for reason in reasons:
        if len(reason.split()) < 4:
            raise Failed(f"'{reason}' is no sentence")


def nothing_offered():
    """Where the machine has DAX devices, offer one that it cannot have."""
    if os.path.isdir("/sys/bus/dax/devices") and os.listdir("/sys/bus/dax/devices"):
        return {"DAX_TEST_NAMESPACE": "namespace9999.9999"}
    return {}


def check_installed(installed, wanted):
    with open(os.path.join(installed, "kselftest-list.txt"), encoding="ascii") as f:
        listed = f.read().split()
    if sorted(listed) != sorted(f"dax:{program}" for program in wanted):
        raise Failed(f"kselftest-list.txt has {listed}")
    for name in (*wanted, *EXTENDED, "config", "settings"):
        path = os.path.join(installed, "dax", name)
        if not os.path.exists(path):
            raise Failed(f"{name} is not installed")
    for name in wanted:
        if not os.access(os.path.join(installed, "dax", name), os.X_OK):
            raise Failed(f"{name} cannot be executed")
    alien = [name for name in ("lab", ".git") if
             os.path.exists(os.path.join(installed, "dax", name))]
    if alien:
        raise Failed(f"{alien[0]} is installed")


def check_config(tree, ksft):
    """Our config and settings stand in for upstream's: nothing may be lost."""
    def symbols(path):
        if not os.path.exists(path):
            return set()
        with open(path, encoding="ascii") as f:
            return {line.strip() for line in f if line.startswith("CONFIG_")}
    ours = symbols(os.path.join(tree, SELFTESTS, "dax/config"))
    lost = symbols(os.path.join(ksft, "dax/config")) - ours
    if lost:
        raise Failed(f"config lacks upstream's {', '.join(sorted(lost))}")


def series_checks(reporter, artifacts, series):
    tree = os.path.join(artifacts.scratch, f"tree-{series}")
    installed = os.path.join(artifacts.scratch, f"installed-{series}")
    # Both ways to get into a tree, each on some series
    link = series == "6.12"
    how = "symlinks" if link else "a copy"
    with reporter.check(f"selftests of {series}: build and install from {how}") as log:
        ksft = artifacts.ksft(series)
        wanted = wanted_programs(ksft)
        farm(ksft, tree, link)
        if os.path.exists(os.path.join(tree, SELFTESTS, "dax/lab")):
            raise Failed("the tree contains lab/")
        check_config(tree, ksft)
        shutil.rmtree(installed, ignore_errors=True)
        kselftest(log, tree, "install", f"INSTALL_PATH={installed}", "-j2")
        check_installed(installed, wanted)
    with reporter.check(f"selftests of {series}: run_kselftest.sh -c dax") as log:
        wanted = wanted_programs(artifacts.ksft(series))
        if not os.path.isdir(installed):
            raise Skipped("nothing is installed")
        run_installed(log, installed, wanted)


def output_elsewhere(reporter, artifacts, series, kind):
    """O= of a kernel build: sources stay clean."""
    with reporter.check(f"selftests of {series}: O={kind}") as log:
        tree = os.path.join(artifacts.scratch, f"tree-{series}")
        farm(artifacts.ksft(series), tree, link=False)
        before = names_below(tree)
        # Relative to the top of the kernel tree, as kselftest's Makefile has it
        output = (os.path.join(artifacts.scratch, "objects") if kind == "absolute"
                  else "../objects-relative")
        place = os.path.normpath(os.path.join(tree, output))
        shutil.rmtree(place, ignore_errors=True)
        os.makedirs(place)
        kselftest(log, tree, "all", f"O={output}", "-j2")
        for program in PROGRAMS:
            if not os.path.exists(os.path.join(place, "kselftest/dax", program)):
                raise Failed(f"{program} is not below O=")
        # run_tests copies the scripts there, too
        result = log.run(["make", "-s", "-C", os.path.join(tree, SELFTESTS),
                          "TARGETS=dax", "run_tests", f"O={output}"],
                         environment=nothing_offered(), expect=None)
        skipped = [match[2] for match in map(LINE.match, result.splitlines())
                   if match and match[3] == "SKIP"]
        wanted = wanted_programs(artifacts.ksft(series))
        if sorted(skipped) != sorted(wanted):
            raise Failed(f"run_tests skipped {skipped}, expected {wanted}")
        if names_below(tree) != before:
            more = sorted(names_below(tree) - before)[:3]
            raise Failed("the source tree was written to: " + ", ".join(more))
        kselftest(log, tree, "clean", f"O={output}")
        left = [name for name in names_below(place)
                if name.endswith(".o") or os.path.basename(name) in (*PROGRAMS, *EXTENDED)]
        if left:
            raise Failed(f"clean leaves {left[0]}")


def names_below(top):
    return {os.path.relpath(os.path.join(path, name), top)
            for path, _, names in os.walk(top) for name in names}


def gen_tar(reporter, artifacts, series):
    with reporter.check(f"selftests of {series}: gen_tar") as log:
        tree = os.path.join(artifacts.scratch, f"tree-{series}")
        if not os.path.isdir(tree):
            raise Skipped("there is no tree")
        place = os.path.join(artifacts.scratch, "tar")
        shutil.rmtree(place, ignore_errors=True)
        kselftest(log, tree, "gen_tar", f"INSTALL_PATH={place}", "FORMAT=.gz")
        path = os.path.join(place, "kselftest-packages/kselftest.tar.gz")
        if not os.path.exists(path):
            raise Failed("there is no kselftest.tar.gz")
        with tarfile.open(path) as tar:
            names = {os.path.normpath(name) for name in tar.getnames()}
        wanted = wanted_programs(artifacts.ksft(series))
        missing = [name for name in (*wanted, *EXTENDED) if f"dax/{name}" not in names]
        if missing:
            raise Failed(f"{missing[0]} is not in the archive")
        shutil.rmtree(place)


def run(reporter, artifacts):
    series_checks(reporter, artifacts, "newest")
    gen_tar(reporter, artifacts, "newest")
    for kind in ("absolute", "relative"):
        output_elsewhere(reporter, artifacts, "newest", kind)
    series_checks(reporter, artifacts, "6.12")
    series_checks(reporter, artifacts, "6.1")
