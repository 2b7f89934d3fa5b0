# SPDX-License-Identifier: GPL-2.0-only
"""Builds: both compilers, each optional library missing, a fresh checkout."""
import os
import shutil

from check import adding, leaveout
from check.artifacts import PROGRAMS, TOP, make_programs
from check.reporter import Failed

# Library: the headers that a machine without it lacks
LIBRARIES = {
    "liburing": ("liburing.h",),
    "libndctl": ("ndctl/libndctl.h", "daxctl/libdaxctl.h"),
    "libblkid": ("blkid/blkid.h",),
    "libdevmapper": ("libdevmapper.h",),
    "xfslibs": ("xfs/xfs.h",),
    "zlib": ("zlib.h",),
    "libhdrhistogram": ("hdr/hdr_histogram.h",),
}


# The prefix of Debian's cross compilers, and how readelf calls the machine
CROSS = {
    "aarch64-linux-gnu": "AArch64",
    "powerpc64le-linux-gnu": "PowerPC64",
    "riscv64-linux-gnu": "RISC-V",
    "s390x-linux-gnu": "IBM S/390",
    "i686-linux-gnu": "Intel 80386",
}
# Of i386 gcc remarks only that its layout of structs was another before gcc 11
CROSS_FLAGS = "-O1 -Wno-psabi"


def answers(log, directory):
    """-h and -l, which need no device; returns the cells."""
    listed = {}
    for program in PROGRAMS:
        path = os.path.join(directory, program)
        cells = log.run([path, "-l"], seconds=60).split()
        if not cells:
            raise Failed(f"{program} -l lists no cells")
        twice = [cell for cell in cells if cells.count(cell) > 1]
        if twice:
            raise Failed(f"{program} has two cells named {twice[0]}")
        text = log.run([path, "-h"], seconds=60)
        for word in ("usage:", "DAX_TEST_NAMESPACE", "example"):
            if word not in text:
                raise Failed(f"{program} -h does not speak of '{word}'")
        listed[program] = cells
    return listed


def without(directory, names):
    """A directory of headers that hides the named libraries' own."""
    for name in names:
        for header in LIBRARIES[name]:
            path = os.path.join(directory, header)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as f:
                f.write(f"#error {name} is hidden\n")
    return directory


def same_cells(listed, whole):
    """A cell that needs a library skips without it, and says so: it is listed."""
    for program, cells in whole.items():
        if listed[program] != cells:
            lost = [cell for cell in cells if cell not in listed[program]]
            raise Failed(f"{program} lists other cells"
                         + (f": {lost[0]} is missing" if lost else ""))


def suite_bench(reporter, artifacts):
    """The program of 'make bench', which calls lib/ as the suite does."""
    with reporter.check("build of lab/measure/bench.c") as log:
        output = artifacts.programs.get()
        log.run(["make", "-s", "-C", TOP, "-j2", "bench-program", f"OUTPUT={output}",
                 f"KSFT={artifacts.ksft('newest')}", f"CACHE={artifacts.cache}", "CC=gcc"])
        if not log.run([os.path.join(output, "dax_bench"), "-l"], seconds=60).split():
            raise Failed("dax_bench -l lists no cells")


def library_missing(reporter, artifacts, names):
    what = "any optional library" if len(names) > 1 else names[0]
    with reporter.check(f"build without {what}") as log:
        slug = names[0] if len(names) == 1 else "all"
        hidden = without(os.path.join(artifacts.scratch, f"hide-{slug}"), names)
        output = os.path.join(artifacts.scratch, f"no-{slug}")
        make_programs(log, artifacts.ksft("newest"), output, f"USERCFLAGS=-I{hidden}")
        linked = log.run(["ldd", *(os.path.join(output, program)
                                   for program in (PROGRAMS[1], "pmem_bench"))])
        for name in names:
            if name.replace("lib", "lib", 1) + ".so" in linked:
                raise Failed(f"it is linked with {name} all the same")
        same_cells(answers(log, output), answers(log, artifacts.programs.get()))
        if "libhdrhistogram" in names:
            said = log.run([os.path.join(output, "pmem_bench"), artifacts.scratch], expect=4)
            if "libhdrhistogram" not in said:
                raise Failed("pmem_bench does not say what is missing")
        shutil.rmtree(output)


def clone(log, target):
    """The tree as a newcomer has it: what is under version control."""
    if not os.path.exists(os.path.join(TOP, ".git")):
        raise Failed("not a git checkout")
    log.run(["git", "-c", "safe.directory=*", "clone", "-q", "--no-hardlinks",
             TOP, target])


def fresh_clone(reporter, artifacts):
    """'make' and 'make clean' as the README has them."""
    with reporter.check("make and make clean in a fresh clone") as log:
        artifacts.ksft("newest")
        target = os.path.join(artifacts.scratch, "clone")
        shutil.rmtree(target, ignore_errors=True)
        clone(log, target)
        before = listing(target)
        # Its own cache would fetch what this run has fetched
        log.run(["make", "-s", "-C", target, "-j2", f"CACHE={artifacts.cache}"])
        for program in PROGRAMS:
            if not os.path.exists(os.path.join(target, program)):
                raise Failed(f"'make' did not build {program}")
        log.run(["make", "-s", "-C", target, "clean", f"CACHE={artifacts.cache}"])
        left = listing(target) - before
        if left:
            raise Failed("'make clean' leaves " + ", ".join(sorted(left)[:5]))
        # Nothing is fetched for the sake of cleaning
        log.run(["make", "-s", "-C", target, "clean"])
        if os.path.exists(os.path.join(target, ".cache")):
            raise Failed("'make clean' fetched kselftest files")
        shutil.rmtree(target)


def listing(top):
    return {os.path.relpath(os.path.join(path, name), top)
            for path, directories, names in os.walk(top)
            if ".git" not in path.split(os.sep) for name in names}


def cross(reporter, artifacts, triplet, machine):
    """For another architecture, without optional libraries: there are none for it."""
    with reporter.check(f"build for {triplet.split('-')[0]}") as log:
        output = os.path.join(artifacts.scratch, f"cross-{triplet}")
        make_programs(log, artifacts.ksft("newest"), output, f"CC={triplet}-gcc",
                      f"USERCFLAGS={CROSS_FLAGS}")
        for program in PROGRAMS:
            said = log.run(["readelf", "-h", os.path.join(output, program)])
            if f"Machine:                           {machine}" not in said:
                raise Failed(f"{program} is not for {machine}")
        shutil.rmtree(output)


def run(reporter, artifacts):
    artifacts.programs.wait()
    with reporter.check("the programs answer -h and -l") as log:
        answers(log, artifacts.programs.get())
    with reporter.check("build with clang") as log:
        output = os.path.join(artifacts.scratch, "clang")
        make_programs(log, artifacts.ksft("newest"), output, "CC=clang")
        answers(log, output)
    suite_bench(reporter, artifacts)
    leaveout.run(reporter, artifacts)
    adding.run(reporter, artifacts)
    for name in LIBRARIES:
        library_missing(reporter, artifacts, (name,))
    library_missing(reporter, artifacts, tuple(LIBRARIES))
    for triplet, machine in CROSS.items():
        cross(reporter, artifacts, triplet, machine)
    fresh_clone(reporter, artifacts)
