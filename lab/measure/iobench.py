# SPDX-License-Identifier: GPL-2.0-only
"""How fast pmem_bench goes, beside fio and beside ordinary memory, in one guest.

Each job and fio's closest one take turns, several rounds, on the same file or device
with the same block size, depth, time and threads; compared are medians.  After that,
pmem_bench on all that is offered.

Exit status: 0 measured, 1 pmem_bench left something out that is offered, 2 it could not
run; no goal makes it fail.
"""
import fnmatch
import json
import os
import re
import shutil
import statistics
import time
from collections import namedtuple

from boot import backends, image, qemu, vm
from boot.kernels import Refusal
from boot.runner import write_whole
from measure import bench

MIB = 1 << 20
# The guest is silent while fio is loaded and two measurements last
SILENCE = 300.0
GOAL_FIO, GOAL_DRAM = 1.0, 0.9
# Of what a mapping does: the same done to ordinary memory, at the same moment
DRAM = {"load": "dram_load", "store": "dram_store", "store_nt": "dram_store"}

# lab/boot/guest/namespaces has room for all of them
MEMORIES = ("dram", "devdax", "ext4", "xfs", "raw", "fsdax", "sector")
TOUCHED = (("devdax", "pte"), ("devdax", "pmd"), ("devdax", "pud"), ("ext4", "pte"),
           ("ext4", "pmd"), ("xfs", "pte"), ("xfs", "pmd"))

Job = namedtuple("Job", "memory mode name depth threads rw engine options")


def job(memory, mode, name, depth, threads, rw, *fio):
    return Job(memory, mode, name, depth, threads, rw, fio[0], fio[1:])


JOBS = (
    job("devdax", "devdax.pmd", "load", 1, 1, "read", "dev-dax"),
    job("devdax", "devdax.pmd", "store", 1, 1, "write", "dev-dax"),
    job("devdax", "devdax.pmd", "store_nt", 1, 1, "write", "dev-dax"),
    job("devdax", "devdax.pmd", "store_nt", 1, 2, "write", "dev-dax"),
    job("ext4", "file.pmd", "load", 1, 1, "read", "mmap"),
    job("ext4", "file.pmd", "store", 1, 1, "write", "mmap"),
    job("ext4", "file.pmd", "load", 1, 1, "read", "libpmem", "--direct=1"),
    job("ext4", "file.pmd", "store_nt", 1, 1, "write", "libpmem", "--direct=1"),
    job("ext4", "file", "buffered_read", 1, 1, "read", "psync"),
    job("ext4", "file", "buffered_write", 1, 1, "write", "psync"),
    job("ext4", "file", "direct_read", 1, 1, "read", "psync", "--direct=1"),
    job("ext4", "file", "direct_write", 1, 1, "write", "psync", "--direct=1"),
    job("ext4", "file", "uring_read", 1, 1, "read", "io_uring", "--direct=1"),
    job("ext4", "file", "uring_read", 16, 1, "read", "io_uring", "--direct=1"),
    job("ext4", "file", "uring_write", 16, 1, "write", "io_uring", "--direct=1"),
    job("ext4", "file", "uring_write", 16, 2, "write", "io_uring", "--direct=1"),
    job("fsdax", "block", "direct_read", 1, 1, "read", "psync", "--direct=1"),
    job("fsdax", "block", "direct_write", 1, 1, "write", "psync", "--direct=1"),
    job("fsdax", "block", "uring_write", 16, 1, "write", "io_uring", "--direct=1"),
    job("fsdax", "block", "uring_fixed_read", 16, 1, "read", "io_uring", "--direct=1",
        "--fixedbufs=1"),
    job("fsdax", "block", "uring_fixed_write", 16, 1, "write", "io_uring", "--direct=1",
        "--fixedbufs=1"),
)


def picked(globs):
    """The jobs that a glob means, as MEMORY.JOB; all of them without one."""
    found = [each for each in JOBS if not globs or
             any(fnmatch.fnmatchcase(f"{each.memory}.{each.name}", glob) for glob in globs)]
    if not found:
        raise Refusal(f"TESTS={' '.join(globs)} means no job: they are "
                      + " ".join(sorted({f"{j.memory}.{j.name}" for j in JOBS})))
    return found


def plan(jobs):
    return "".join(f"{j.memory} {j.mode} {j.name} {j.depth} {j.threads} {j.rw} {j.engine} "
                   + " ".join(j.options) + "\n" for j in jobs)


# -- what they said ----------------------------------------------------------

def of_ours(found, wanted):
    """{job: bytes a second} of pmem_bench's JSON; its own and that of ordinary memory."""
    rates = {each["job"]: each["bytes_per_second"] for each in found["jobs"]}
    if wanted.name not in rates:
        raise ValueError(f"pmem_bench said nothing of {wanted.name}")
    return rates


def of_fio(found, wanted):
    """Bytes a second of fio's JSON."""
    each = found["jobs"][0]
    if each["error"]:
        raise ValueError(f"fio ended with error {each['error']}")
    rate = each[wanted.rw]["bw_bytes"]
    if not rate:
        raise ValueError("fio measured nothing")
    return rate


class Pair:
    """One job: bytes a second of each round, or why there are none."""

    def __init__(self):
        self.ours, self.dram, self.fio = [], [], []
        self.said = ""

    def take(self, tool, text, wanted):
        try:
            found = json.loads(text)
            if tool == "theirs":
                self.fio.append(of_fio(found, wanted))
                return
            rates = of_ours(found, wanted)
            self.ours.append(rates[wanted.name])
            if DRAM.get(wanted.name) in rates:
                self.dram.append(rates[DRAM[wanted.name]])
        except (ValueError, KeyError, IndexError) as error:
            self.said = self.said or f"{tool}: {error}"


class Listener:
    """Makes numbers of the guest's lines."""

    def __init__(self, show, jobs):
        self.show = show
        self.jobs = jobs
        self.pairs = [Pair() for _ in jobs]
        self.at = None
        self.text = None
        self.table = None
        self.numbers = ""
        self.over = False

    def line(self, text):
        words = text.split()
        if words[:1] == ["iobench:"]:
            self.word(words[1:], text)
        elif words[:3] == ["@@", "end", "iobench"]:
            if not self.over:
                raise Refusal(f"the guest's script ended with status {words[3]}")
        elif self.text is not None:
            self.text.append(text)
        elif self.table is not None:
            self.table.append(text)
            self.show(text)

    def word(self, words, text):
        if words[0] == "begin":
            self.at = (int(words[1]), int(words[2]), words[3])
            self.text = []
        elif words[0] == "end":
            number, line, tool = self.at
            pair = self.pairs[line]
            if words[1] == "0":
                pair.take(tool, "\n".join(self.text), self.jobs[line])
            else:
                pair.said = pair.said or f"{tool} ended with status {words[1]}"
            self.text = None
            if line == len(self.jobs) - 1 and tool == ("ours" if number % 2 else "theirs"):
                self.show(f"  round {number + 1}")
        elif words[0] == "said":
            pair = self.pairs[self.at[1]]
            # a status alone does not explain anything
            pair.said = pair.said.split("; ")[0] + "; " + " ".join(words[1:])
        elif words[0] == "table":
            self.table = []
        elif words[0] == "json":
            self.text, self.table = [], None
        elif words[0] == "over":
            self.numbers = "\n".join(self.text or [])
            self.over = True
        else:
            raise Refusal(text)

    def follow(self, machine):
        for text in qemu.lines_of(machine, lambda: SILENCE):
            self.line(text)
            if self.over:
                break


def left_out(whole):
    """What pmem_bench has no line of although the guest offers it; "" for nothing."""
    if whole["failed"]:
        return f"{whole['failed']} jobs that should work, see above"
    seen = {each["memory"] for each in whole["jobs"]}
    touched = {(each["memory"], each["page"]) for each in whole["touch"]}
    return ", ".join([*(name for name in MEMORIES if name not in seen),
                      *(f"{name}.{page}.touch" for name, page in TOUCHED
                        if (name, page) not in touched)])


# -- for people --------------------------------------------------------------

def summary(wanted, pair):
    """One job's medians and ratios, for the table and for the JSON."""
    found = {**wanted._asdict(), "options": " ".join(wanted.options),
             "rounds": min(len(pair.ours), len(pair.fio)),
             "bytes_per_second": {"pmem_bench": pair.ours, "fio": pair.fio, "dram": pair.dram}}
    if pair.said:
        found["said"] = pair.said
    if not pair.ours:
        return found
    ours = statistics.median(pair.ours)
    if pair.fio:
        found["ratio_fio"] = round(ours / statistics.median(pair.fio), 3)
        found["ratio_fio_quartiles"] = bench.quartiles(pair.ours, pair.fio)
    if pair.dram:
        found["ratio_dram"] = round(ours / statistics.median(pair.dram), 3)
    return found


def goal(value, least):
    return f"{value:.2f} {bench.met(value, least, most=False)}"


def table(found):
    rows = [["", "fio's engine", "depth", "threads", "rounds", "MiB/s", "fio", "ratio",
             "quartiles", "of DRAM"]]
    for each in found:
        name = f"{each['memory']} {each['name']}"
        if "ratio_fio" not in each:
            rows.append([name, each["engine"], str(each["depth"]), str(each["threads"]),
                         "0", each.get("said", "nothing"), "", "", "", ""])
            continue
        rates = each["bytes_per_second"]
        rows.append([
            name, each["engine"], str(each["depth"]), str(each["threads"]),
            str(each["rounds"]), f"{statistics.median(rates['pmem_bench']) / MIB:.1f}",
            f"{statistics.median(rates['fio']) / MIB:.1f}", goal(each["ratio_fio"], GOAL_FIO),
            "{:.2f} to {:.2f}".format(*each["ratio_fio_quartiles"]),
            goal(each["ratio_dram"], GOAL_DRAM) if "ratio_dram" in each else ""])
    return bench.columns(rows)


# -- the run -----------------------------------------------------------------

def overlay(programs, args, jobs):
    cpio = image.Cpio()
    image.add_program(cpio, "lab/iobench/pmem_bench", os.path.join(programs, "pmem_bench"))
    if int(args.rounds):
        image.add_program(cpio, "bin/fio", shutil.which("fio"))
    cpio.file("lab/iobench/plan", plan(jobs).encode())
    cpio.file("lab/iobench/numbers",
              f"{args.rounds} {args.seconds} {32 * MIB} 4096\n".encode())
    if not args.pairs_only:
        cpio.file("lab/iobench/all", b"")
    script = os.path.join(image.GUEST, "iobench")
    return image.run_archive({"iobench": script}, {"iobench": ["-"]}) + cpio.done()


def run(args):
    for name, pattern in (("rounds", r"[0-9]{1,3}"), ("seconds", r"[0-9]{1,3}(\.[0-9]+)?")):
        if not re.fullmatch(pattern, getattr(args, name)):
            raise Refusal(f"{name.upper()}={getattr(args, name)} is invalid: "
                          "give a number up to 999")
    if int(args.rounds) and not shutil.which("fio"):
        raise Refusal("this machine lacks fio: install it")
    jobs = picked(args.tests.replace(",", " ").split())
    cache, kernel, console = vm.small_guest(args, "iobench")
    if not args.programs:
        vm.build(cache, None, [])
    print(f"kernel {kernel.release}, {'kvm' if qemu.kvm_works() else 'tcg'}; "
          f"{len(jobs)} jobs and fio's in turn, {args.rounds} rounds", flush=True)
    base = image.base_archive(cache, kernel)
    begun = time.monotonic()
    listener = Listener(lambda text: print(text, flush=True), jobs)
    machine = qemu.Machine(kernel, (base, overlay(args.programs or vm.ROOT, args, jobs)), console,
                           vm.parse_memory(args.mem), vm.parse_cpus(args.cpus),
                           backends.DEFAULT)
    try:
        listener.follow(machine)
    finally:
        complaint = machine.stop()
        found = [summary(wanted, pair) for wanted, pair in zip(jobs, listener.pairs)]
        whole = json.loads(listener.numbers) if listener.numbers else None
        path = os.path.join(os.path.dirname(console), "iobench.json")
        write_whole(path, json.dumps({"kernel": kernel.release, "pairs": found,
                                      "all": whole}, indent=1) + "\n")
        if any(each["rounds"] for each in found):
            print("\nbeside fio (medians; goal at least "
                  f"{GOAL_FIO}) and beside ordinary memory (at least {GOAL_DRAM})")
            print("\n".join(table(found)))
        print(f"\n{path}  {time.monotonic() - begun:.0f} s")
        print(f"{console} {complaint}".strip(), flush=True)
    lacking = left_out(whole) if whole else ""
    if lacking:
        print(f"pmem_bench did not measure {lacking}")
    return 1 if lacking else 0


def main():
    parser = vm.parser_of(__doc__, "KERNEL", "MODULES", "TESTS", "MEM", "CPUS", "OUT", "CACHE",
                          ROUNDS=("5", "how often each pair takes turns, or 0"),
                          SECONDS=("1", "of each measurement"))
    parser.add_argument("--programs", help="built programs; builds nothing")
    parser.add_argument("--pairs-only", action="store_true",
                        help="nothing but what is compared with fio")
    return vm.carry_out(run, parser.parse_args())
