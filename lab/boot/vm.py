# SPDX-License-Identifier: GPL-2.0-only
"""Boot one kernel with an emulated NVDIMM and run the suite in it.

Exit status: 0 no cell failed, 1 some did, 2 it could not run.
"""
import argparse
import contextlib
import fcntl
import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from boot import backends as pmem, image, kernels, qemu
from boot.kernels import Refusal
from boot.runner import HANG_LIMIT, Run
from report import ktap, tables

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# The last one has the cells that may cost a boot, behind all its others
PROGRAMS = ("gup_devdax", "pmem_io", "dax_teardown")
LEAST_MEMORY = 1 << 30
MOST_CPUS = 64
MOST_JOBS = 4
# A boot takes longer than so few
FEW_CELLS = 100


def parse_memory(text):
    """Bytes, from '4G' or '4096M'."""
    match = re.fullmatch(r"([0-9]{1,9})([MG])", text)
    size = int(match[1]) << {"M": 20, "G": 30}[match[2]] if match else 0
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if not LEAST_MEMORY <= size <= host:
        raise Refusal(f"MEM={text} is invalid: give 1G to "
                      f"{host >> 30}G, such as MEM=4G")
    return size


def parse_cpus(text):
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MOST_CPUS:
        raise Refusal(f"CPUS={text} is invalid: give 1 to {MOST_CPUS}")
    return int(text)


def parse_jobs(text):
    """JOBS=; as many machines as processors, four at most, if it is 'auto'."""
    if text == "auto":
        return min(len(os.sched_getaffinity(0)), MOST_JOBS)
    if not re.fullmatch(r"[1-9][0-9]?", text):
        raise Refusal(f"JOBS={text} is invalid: give a number such as 2, or 'auto'")
    return int(text)


def need_tools():
    wanted = {qemu.QEMU: "qemu-system-x86", "busybox": "busybox-static",
              "depmod": "kmod", "ndctl": "ndctl", "daxctl": "daxctl"}
    missing = [package for tool, package in wanted.items()
               if not shutil.which(tool)]
    if missing:
        raise Refusal("this machine lacks " + ", ".join(missing) +
                      ": install " + ("it" if len(missing) == 1 else "them"))


def build(cache, output, make_arguments, targets=("all",)):
    """Build the programs against the newest kselftest files."""
    ksft = kernels.ksft_dir(cache, "newest")
    command = ["make", "-s", "--no-print-directory", "-C", ROOT, *targets,
               f"KSFT={ksft}", f"CACHE={cache}", *make_arguments]
    if output:
        command.append(f"OUTPUT={os.path.abspath(output)}")
    # Not under a make of its own: MAKELEVEL decides where lib.mk puts things
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS", "KSFT")}
    with open(os.path.join(cache, "build.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(command, check=False, env=environment,
                              stdout=sys.stderr)
    if done.returncode:
        raise Refusal("the programs do not build: see above")


def list_cells(path):
    try:
        done = subprocess.run([path, "-l"], check=False, timeout=60,
                              capture_output=True, text=True)
    except (OSError, subprocess.TimeoutExpired) as err:
        raise Refusal(f"cannot run {path} -l: {err}") from err
    if done.returncode:
        raise Refusal(f"{path} -l failed with status {done.returncode}")
    return done.stdout.split()


def pick(program, cells, globs):
    """The cells that one of the globs names, in the program's order."""
    def wanted(cell):
        names = (cell, f"{program}.{cell}", program)
        return any(fnmatch.fnmatchcase(name, glob)
                   for glob in globs for name in names)
    return [cell for cell in cells if wanted(cell)] if globs else cells


def make_plan(directory, programs, globs):
    """{program: (path, cells to run)}; every glob must find something."""
    listed = {}
    for program in programs:
        path = os.path.join(directory, program)
        if not os.path.exists(path):
            raise Refusal(f"no program {path}: build it first")
        listed[program] = (path, list_cells(path))
    for glob in globs:
        if not any(pick(program, cells, [glob])
                   for program, (_, cells) in listed.items()):
            raise Refusal(f"TESTS={glob} matches no cell: "
                          f"'./{programs[0]} -l' lists them")
    plan = {program: (path, pick(program, cells, globs))
            for program, (path, cells) in listed.items()}
    plan = {program: what for program, what in plan.items() if what[1]}
    if not plan:
        raise Refusal("the programs have no cells")
    return plan


@contextlib.contextmanager
def ending_on_signals():
    """A signal becomes an exception: what was begun is put away."""
    def stop(number, _frame):
        raise KeyboardInterrupt(number)
    before = {number: signal.signal(number, stop) for number in
              (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def prepare(args, programs=PROGRAMS, targets=("all",)):
    """Build and pack what the arguments ask for.

    Returns the run and what its machines are made of, for Run.run().
    """
    memory, cpus = parse_memory(args.mem), parse_cpus(args.cpus)
    backends = pmem.parse(args.backend)
    jobs = parse_jobs(args.jobs)
    need_tools()
    cache = os.path.abspath(args.cache)
    kernel = kernels.find_kernel(cache, args.kernel, args.modules or None)
    if not args.programs:
        build(cache, args.output, args.make, targets)
    directory = args.programs or args.output or ROOT
    programs = args.only.split() if args.only else programs
    plan = make_plan(directory, programs, args.tests.replace(",", " ").split())
    base = image.base_archive(cache, kernel)
    name = kernel.name
    if backends != pmem.DEFAULT:
        name += "-" + "-".join(backends)
    run = Run(kernel, plan, os.path.join(args.out, name), args.started,
              args.hang_limit)
    if backends != pmem.DEFAULT:
        run.remark("memory of " + ", ".join(backends))
    return run, (base, memory, cpus, backends,
                 jobs if run.total >= FEW_CELLS else 1)


def small_guest(args, name):
    """Of a run of one script: cache, kernel, and a console that begins empty."""
    need_tools()
    cache = os.path.abspath(args.cache)
    kernel = kernels.find_kernel(cache, args.kernel, args.modules or None)
    console = os.path.join(args.out, kernel.name, f"{name}.log")
    os.makedirs(os.path.dirname(console), exist_ok=True)
    with open(console, "wb"):
        pass
    return cache, kernel, console


def run_aside(args, out, before=lambda run: None):
    """One run of several: its results are in out, and what it prints, in run.log."""
    args.out, args.started = out, time.time()
    run, machine = prepare(args)
    # What is built for the first run is what all of them are about
    args.programs = args.programs or args.output or ROOT
    before(run)
    os.makedirs(run.out, exist_ok=True)
    with open(os.path.join(run.out, "run.log"), "w", encoding="utf-8") as log, \
            contextlib.redirect_stdout(log):
        try:
            run.run(*machine)
        finally:
            run.save()
    return run


def run_suite(args):
    run, machine = prepare(args)
    try:
        run.run(*machine)
    finally:
        # The results so far are kept and shown, however the run ends
        run.save()
        if run.results:
            print("\n" + tables.page(run.in_order(), run.notes()))
        print(f"{run.out}/results.ktap  {run.console}", flush=True)
    failed = any(r.verdict == ktap.FAIL for r in run.results.values())
    return int(failed or bool(run.deaths))


OPTIONS = {
    "KERNEL": ("debian:newest", "debian:SERIES, a bzImage, a build tree"),
    "MODULES": ("", "modules directory of a bzImage"),
    "TESTS": ("", "globs of cells, between blanks or commas"),
    "MEM": ("4G", "memory of the guest"),
    "CPUS": ("2", "CPUs of the guest"),
    "BACKEND": ("nfit", "where its pmem comes from: of nfit, e820, virtio,\n"
                "several take turns"),
    "JOBS": ("1", "machines side by side, or auto"),
    "OUT": ("out", "results go to a directory below it"),
    "CACHE": (".cache", "what was fetched"),
}


def parser_of(what, *names, **more):
    """With the options that are named, and more: NAME=(default, text)."""
    parser = argparse.ArgumentParser(
        description=what, formatter_class=argparse.RawTextHelpFormatter,
        epilog="The options in capitals may also come by the environment.")
    for name, (default, text) in {**{name: OPTIONS[name] for name in names}, **more}.items():
        parser.add_argument("--" + name.lower(), metavar=name, help=text,
                            default=os.environ.get(name, default))
    return parser


def carry_out(act, args):
    """The exit status of a command."""
    try:
        with kernels.refusals(status=2), ending_on_signals():
            return act(args)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def guest_command(what, act, **more):
    """The exit status of a command that runs one script in guests."""
    parser = parser_of(what, "KERNEL", "MODULES", "MEM", "CPUS", "OUT", "CACHE", **more)
    parser.add_argument("--programs", help="built programs; builds nothing")
    return carry_out(act, parser.parse_args())


def command_line(what, act):
    """Parse the arguments and act on them; returns the exit status."""
    parser = parser_of(what, *OPTIONS)
    parser.add_argument("--programs", help="built programs; builds nothing")
    parser.add_argument("--output", help="where make puts the programs")
    parser.add_argument("--only", help="programs other than the usual ones")
    parser.add_argument("--make", action="append", default=[],
                        metavar="VARIABLE=VALUE", help="passed on to make")
    parser.add_argument("--started", type=float, metavar="SECONDS",
                        help="when the command began, for the report",
                        default=os.environ.get("VM_STARTED", time.time()))
    parser.add_argument("--hang-limit", type=float, default=HANG_LIMIT,
                        metavar="SECONDS", help="a guest that is silent for "
                        "so long is given up (default: %(default)s)")
    return carry_out(act, parser.parse_args())


def main():
    return command_line(__doc__, run_suite)
