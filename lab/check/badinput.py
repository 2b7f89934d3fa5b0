# SPDX-License-Identifier: GPL-2.0-only
"""Bad input: one sentence that says what and what to do, nothing touched."""
import os
import shutil
import stat

from check.artifacts import LAB, PROGRAMS
from check.reporter import Failed, Skipped

PROGRAM = PROGRAMS[1]
NOBODY = 65534


def sentence(log, output, words):
    """One line, which holds the words."""
    lines = [line for line in output.splitlines() if line.strip()
             and not line.startswith(("TAP version", "# "))]
    if len(lines) != 1:
        raise Failed(f"{len(lines)} lines, not one sentence")
    for word in words:
        if word not in lines[0]:
            raise Failed(f"'{word}' is not in: {lines[0]}")


class Runner:
    """vm.py with one thing wrong: exit status 2, and no results directory."""

    def __init__(self, reporter, artifacts):
        self.reporter = reporter
        self.artifacts = artifacts
        self.out = os.path.join(artifacts.scratch, "bad-out")

    def __call__(self, what, words, *options, environment=None, wrap=()):
        self.artifacts.programs.wait()
        with self.reporter.check(f"bad input: {what}") as log:
            programs = self.artifacts.programs.get()
            shutil.rmtree(self.out, ignore_errors=True)
            output = log.run([*wrap, "python3", LAB, "vm",
                              "--programs", programs, "--out", self.out,
                              *options], expect=2, environment=environment,
                             seconds=300)
            sentence(log, output, ("error: ", *words))
            if os.path.exists(self.out):
                raise Failed("it left a results directory behind")


def of_runner(reporter, artifacts):
    bad = Runner(reporter, artifacts)
    cache = ("--cache", artifacts.cache)
    empty = os.path.join(artifacts.scratch, "empty")
    text = os.path.join(artifacts.scratch, "text")
    os.makedirs(empty, exist_ok=True)
    with open(text, "w", encoding="ascii") as f:
        f.write("no kernel\n" * 1000)
    bad("a kernel that is not there", ("no kernel", "debian:"),
        "--kernel", os.path.join(empty, "bzImage"), *cache)
    bad("a file that is no kernel", ("not a bzImage",), "--kernel", text, *cache)
    bad("a directory that is no build tree", ("no arch/x86/boot/bzImage",),
        "--kernel", empty, *cache)
    bad("a series that never was", ("no image of series 9.99",),
        "--kernel", "debian:9.99", *cache)
    bad("a series that is none", ("not a kernel series",),
        "--kernel", "debian:latest", *cache)
    bad("another source of kernels", ("no source of kernels",),
        "--kernel", "fedora:40", *cache)
    known = ("--kernel", "debian:5.10", *cache)
    bad("a glob that matches no cell", ("matches no cell", "-l"),
        *known, "--tests", "devdax.nothing.*")
    bad("memory that is invalid", ("MEM=lots",), *known, "--mem", "lots")
    bad("CPUs that are invalid", ("CPUS=0",), *known, "--cpus", "0")
    bad("machines that are invalid", ("JOBS=0",), *known, "--jobs", "0")
    bad("a back end that is none", ("BACKEND=cxl", "virtio"), *known,
        "--backend", "cxl")
    bad("no QEMU", ("qemu-system-x86", "install"), *known,
        environment={"PATH": path_without(artifacts, "qemu-system-x86_64")})
    unreadable_kernel(bad, artifacts)
    full_disk(bad, artifacts)


def path_without(artifacts, program):
    """A PATH that has everything but one program."""
    place = os.path.join(artifacts.scratch, "path")
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place)
    for directory in os.environ["PATH"].split(":"):
        if not os.path.isdir(directory):
            continue
        for name in os.listdir(directory):
            target = os.path.join(place, name)
            if name != program and not os.path.lexists(target):
                os.symlink(os.path.join(directory, name), target)
    return place


def unreadable_kernel(bad, artifacts):
    """Root reads everything: run as a user who does not."""
    what = "a kernel that cannot be read"
    if os.geteuid():
        skipped(bad.reporter, what, "only root can change its user")
        return
    secret = os.path.join(artifacts.scratch, "secret")
    with open(secret, "w", encoding="ascii"):
        os.chmod(secret, 0)
    # Of use only where the user nobody can read the files of this tree
    reach = os.stat(artifacts.scratch).st_mode & stat.S_IXOTH
    if not reach or os.spawnvp(os.P_WAIT, "setpriv", [
            "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
            "test", "-r", os.path.join(LAB, "boot/vm.py")]):
        skipped(bad.reporter, what, "the user nobody cannot read this directory")
        return
    bad(what, ("cannot read kernel", "Permission denied"), "--kernel", secret,
        "--cache", artifacts.cache, wrap=("setpriv", f"--reuid={NOBODY}",
                                      f"--regid={NOBODY}", "--clear-groups"))


def full_disk(bad, artifacts):
    """A cache on a file system that is too small for any kernel."""
    what = "no disk space"
    place = os.path.join(artifacts.scratch, "small")
    os.makedirs(place, exist_ok=True)
    wrap = ("unshare", "-m", "sh", "-c",
            'mount -t tmpfs -o size=1G small "$0" || exit 77; '
            'cp -r "$1" "$0/apt" || exit 77; shift; exec "$@"',
            place, os.path.join(artifacts.cache, "apt"))
    if os.geteuid() or os.spawnvp(os.P_WAIT, "unshare", [
            "unshare", "-m", "mount", "-t", "tmpfs", "small", place]):
        skipped(bad.reporter, what, "no file system may be mounted here")
        return
    bad(what, ("no disk space", "CACHE="), "--kernel", "debian:5.10",
        "--cache", place, wrap=wrap)


def skipped(reporter, what, reason):
    with reporter.check(f"bad input: {what}"):
        raise Skipped(reason)


def program(reporter, artifacts, what, status, words, *arguments, environment=None,
            wrap=(), name=PROGRAM):
    """A test program: 2 for what is wrong on its command line, 4 for the rest."""
    artifacts.programs.wait()
    with reporter.check(f"bad input: {what}") as log:
        path = os.path.join(artifacts.programs.get(), name)
        output = log.run([*wrap, path, *arguments], expect=status,
                         environment=environment, seconds=60)
        sentence(log, output, words)


def bench(reporter, artifacts, what, status, words, *arguments, wrap=()):
    """pmem_bench, whose sentence begins with its name."""
    program(reporter, artifacts, f"pmem_bench: {what}", status, ("pmem_bench: ", *words),
            *arguments, name="pmem_bench", wrap=wrap)


def of_bench(reporter, artifacts):
    def bad(what, *rest, **more):
        bench(reporter, artifacts, what, *rest, **more)

    small = os.path.join(artifacts.scratch, "small-file")
    with open(small, "wb") as f:
        f.write(b"x" * 1000)
    bad("a path that is not there", 2, ("No such file",), "/nonexistent")
    bad("a file that was not opted in", 2, ("-o",), small)
    bad("a file too small for a block", 2, ("1000 bytes", "4096"), "-o", small)
    bad("a number that is none", 2, ("-s 4x",), "-s", "4x")
    bad("time that is invalid", 2, ("-T -1",), "-T", "-1")
    bad("two places", 2, ("unexpected argument 'y'",), "x", "y")
    bad("no job of that name", 2, ("no job matches",), "-t", "nothing", artifacts.scratch)
    bad("numbers to a place that is not there", 2, ("cannot write",), "-j",
        "/nonexistent/j", artifacts.scratch)
    bad("a device that is none of DAX", 4, ("namespace",), "/dev/null")
    bad("a lender that was not offered", 4, ("namespace",), "-B", "/dev/dax0.0",
        artifacts.scratch)
    if os.geteuid():
        skipped(reporter, "pmem_bench: a full file system", "no file system may be mounted here")
        return
    place = os.path.join(artifacts.scratch, "full")
    os.makedirs(place, exist_ok=True)
    bad("a full file system", 4, ("No space left",), place,
        wrap=("unshare", "-m", "sh", "-c",
              'mount -t tmpfs -o size=8m full "$0" && exec "$@"', place))
    with open(small, "rb") as f:
        if f.read() != b"x" * 1000:
            raise Failed("pmem_bench has written to a file that was not offered")


def of_append(reporter, artifacts):
    def bad(what, status, words, *arguments, wrap=()):
        program(reporter, artifacts, f"pmem_log append: {what}", status, words, "append",
                *arguments, name="pmem_log", wrap=wrap)

    bad("a device that was not offered", 4, ("/dev/null",), "buffered_fsync", "/dev/null")
    bad("a directory that is not there", 4, ("No such file",), "buffered_fsync",
        "/nonexistent/log")
    if os.geteuid():
        skipped(reporter, "pmem_log append: a full file system",
                "no file system may be mounted here")
        return
    place = os.path.join(artifacts.scratch, "full")
    os.makedirs(place, exist_ok=True)
    for method in ("buffered_fsync", "mmap_msync"):
        full_while_written(reporter, artifacts, method, place)


def full_while_written(reporter, artifacts, method, place):
    """The last record that was declared is still there."""
    artifacts.programs.wait()
    with reporter.check(f"bad input: pmem_log append: {method}, a full file system") as log:
        path = os.path.join(artifacts.programs.get(), "pmem_log")
        script = ('mount -t tmpfs -o size=4m full "$0" || exit 77; '
                  '"$1" append "$2" "$0/log" > said; status=$?; '
                  'last=$(sed -n \'s/^durable .* //p\' said | tail -n 1); '
                  'rm said; "$1" verify "$2" "$0/log" "${last:-0}" || exit 1; exit $status')
        output = log.run(["unshare", "-m", "sh", "-c", script, place, path, method],
                         expect=4, cwd=artifacts.scratch, seconds=60)
        if "No space left" not in output:
            raise Failed("it does not say that there is no space left")


def of_programs(reporter, artifacts):
    def bad(what, *rest, **more):
        program(reporter, artifacts, what, *rest, **more)

    bad("a cell glob of a program that matches nothing", 2,
        ("no cell matches", "-l"), "-t", "devdax.nothing.*")
    bad("DAX_TEST_CELLS that matches nothing", 2, ("no cell matches",),
        environment={"DAX_TEST_CELLS": "nothing"})
    bad("a list of cells that is not there", 2, ("cannot read",), "-f",
        os.path.join(artifacts.scratch, "absent"))
    bad("an argument that is no option", 2, ("unexpected argument 'x'",), "x")
    skip = "1..0 # SKIP "
    bad("a device that does not exist", 4, (skip, "dax9999.0"),
        environment={"DAX_TEST_DEV": "/dev/dax9999.0"})
    bad("a device that is no DAX device", 4, (skip, "null"),
        environment={"DAX_TEST_DEV": "/dev/null"})
    bad("a device that is a path out of /dev", 4, (skip,),
        environment={"DAX_TEST_DEV": "/dev/../tmp/dax0.0"})
    block = os.path.join(artifacts.scratch, "block")
    try:
        if not os.path.exists(block):
            os.mknod(block, 0o600 | stat.S_IFBLK, os.makedev(7, 0))
        bad("a device that is a block device", 4, (skip, "block"),
            environment={"DAX_TEST_DEV": block})
    except OSError:
        skipped(reporter, "a device that is a block device", "no mknod here")
    bad("a namespace that does not exist", 4, (skip, "namespace9999.9999"),
        environment={"DAX_TEST_NAMESPACE": "namespace9999.9999"})
    bad("a dax region that is none", 4, (skip, "DAX_TEST_REGION=7"),
        environment={"DAX_TEST_REGION": "7"})
    if os.path.isdir("/sys/bus/nd/devices") and os.listdir("/sys/bus/nd/devices"):
        skipped(reporter, "no namespace opted in", "this machine has pmem of its own")
    else:
        bad("no namespace opted in", 4, (skip, "ndctl"))
    if os.geteuid():
        bad("no root", 4, (skip, "root"))
        return
    # From where the user nobody can run it: the scratch directory may be private
    with reporter.check("bad input: no root") as log:
        source = os.path.join(artifacts.programs.get(), PROGRAM)
        place = f"/tmp/dax-check-{os.getpid()}"
        os.mkdir(place, 0o755)
        try:
            path = shutil.copy(source, place)
            output = log.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                              "--clear-groups", path], expect=4, seconds=60)
        finally:
            shutil.rmtree(place)
        sentence(log, output, (skip, "root"))


def run(reporter, artifacts):
    of_programs(reporter, artifacts)
    of_bench(reporter, artifacts)
    of_append(reporter, artifacts)
    of_runner(reporter, artifacts)
