# SPDX-License-Identifier: GPL-2.0-only
"""Cut a machine's power again and again, and look what its persistent memory kept.

On each of several namespaces a writer appends records and says which are durable by
the promise of its own path.  At a random moment QEMU is killed, its NVDIMM's memory
kept; the next boot verifies each log, checks the file systems, and writes on.

Exit status: 0 every promise was kept and every control lost something, 1 not so, 2 it
could not run.
"""
import os
import random
import re
import select
import time
from collections import Counter, namedtuple

from boot import image, qemu, vm
from boot.kernels import Refusal

MIB = 1 << 20
SMALL, FILES, XFS = 48 * MIB, 80 * MIB, 336 * MIB
BOOT_LIMIT = 240.0
# The power goes so long after each path has a record, seconds: a few, or a thousand of them
WRITING = (0.2, 3.0)

Path = namedtuple("Path", "memory promise size control")

# control: "" for a promise; "loses" for what has to lose something; else why it cannot
PATHS = (
    Path("devdax", "mmap_flush", SMALL, ""),
    Path("ext4", "mmap_sync_flush", FILES, ""),
    Path("ext4", "mmap_msync", FILES, ""),
    Path("ext4", "buffered_fsync", FILES, ""),
    Path("ext4", "buffered_fdatasync", FILES, ""),
    Path("ext4", "vectored_dsync", FILES, ""),
    Path("ext4", "direct_fsync", FILES, ""),
    Path("ext4", "uring_fsync", FILES, ""),
    Path("xfs", "mmap_sync_flush", XFS, ""),
    Path("xfs", "mmap_msync", XFS, ""),
    Path("xfs", "buffered_fsync", XFS, ""),
    Path("xfs", "direct_fsync", XFS, ""),
    Path("raw", "buffered_fsync", SMALL, ""),
    Path("raw", "direct_fsync", SMALL, ""),
    Path("fsdax", "buffered_fsync", SMALL, ""),
    Path("sector", "buffered_fsync", SMALL, ""),
    Path("sector", "direct_fsync", SMALL, ""),
    Path("devdax", "mmap_nothing", SMALL,
         "QEMU's memory has no cache that a cut could empty"),
    Path("ext4", "buffered_nothing", FILES, "loses"),
    Path("xfs", "buffered_nothing", XFS, "loses"),
    Path("raw", "buffered_nothing", SMALL, "loses"),
    Path("sector", "buffered_nothing", SMALL, "loses"),
)


def label_of(path):
    return f"cut-{path.memory}-{path.promise}"


class Tally:
    """What became of one path."""

    def __init__(self):
        self.cuts = self.records = self.bad = self.unclean = 0
        self.durable = None
        self.said = []


class Boot:
    """One life of the machine, from power on to the cut."""

    def __init__(self, machine, tallies, left):
        self.machine = machine
        self.tallies = tallies
        # so long it may write; None for the last boot, which only verifies
        self.left = left
        self.cut = None
        self.ended = False

    def line(self, text):
        words = text.split()
        if words[:2] == ["@@", "failed:"]:
            raise Refusal(f"the guest cannot run it: {text}")
        if text.startswith("powercut: cannot run"):
            raise Refusal(text)
        if words[:1] == ["durable"] and len(words) == 3:
            tally = self.tallies.get(words[1].split("/")[2])
            if tally and words[2].isdigit():
                tally.durable = max(tally.durable or 0, int(words[2]))
                # a path without a record has nothing that it could lose
                if self.cut is None and all(t.durable for t in self.tallies.values()):
                    self.cut = time.monotonic() + self.left
        elif words[:2] == ["powercut:", "verified"]:
            tally = self.tallies[words[2]]
            tally.cuts += 1
            tally.bad += words[3] == "1"
            if words[3] not in ("0", "1"):
                raise Refusal(f"the reader of {words[2]} ended with {words[3]}")
        elif words[:2] == ["powercut:", "unclean"]:
            self.tallies[words[2]].unclean += 1
            self.tallies[words[2]].said.append(" ".join(words[3:]))
        elif words[:1] == ["record"]:
            label = text.split("/")[2].split(":")[0]
            self.tallies[label].said.append(text)
        elif words[:1] == ["pmem_log:"]:
            raise Refusal(text)
        elif words[:3] == ["@@", "end", "powercut"]:
            self.ended = True
            if words[3] != "0":
                raise Refusal(f"the guest's script ended with status {words[3]}")

    def follow(self):
        fd = self.machine.results.fileno()
        limit = time.monotonic() + BOOT_LIMIT
        pending = b""
        while not self.ended:
            now = time.monotonic()
            until = self.cut or limit
            if now >= until:
                if self.cut is None:
                    raise Refusal(f"the guest hung: nothing for {BOOT_LIMIT:.0f} s")
                break
            if select.select([fd], [], [], until - now)[0]:
                data = os.read(fd, 65536)
                if not data:
                    raise Refusal("the guest died by itself")
                pending = self.take(pending + data)
        # what had left the machine when the power went
        self.machine.process.kill()
        while data := os.read(fd, 65536):
            pending = self.take(pending + data)

    def take(self, data):
        *lines, pending = data.split(b"\n")
        for line in lines:
            self.line(line.decode(errors="replace").rstrip("\r"))
        return pending


def overlay(programs, tallies, last):
    cpio = image.Cpio()
    image.add_program(cpio, "lab/powercut/pmem_log", os.path.join(programs, "pmem_log"))
    plan = "".join(f"{label_of(path)} {path.memory} {path.promise} {path.size} "
                   f"{'-' if tally.durable is None else tally.durable}\n"
                   for path, tally in zip(PATHS, tallies.values()))
    cpio.file("lab/powercut/plan", plan.encode())
    if last:
        cpio.file("lab/powercut/last", b"")
    script = os.path.join(image.GUEST, "powercut")
    return image.run_archive({"powercut": script}, {"powercut": ["-"]},
                             provision=False) + cpio.done()


def verdict(path, tally):
    """The last word on a path, and whether it is as it has to be."""
    if tally.unclean:
        return f"NOT CLEAN after {tally.unclean} cuts", False
    if not path.control:
        return (f"LOST in {tally.bad} cuts" if tally.bad else "kept"), not tally.bad
    if path.control == "loses":
        return (f"loses in {tally.bad}" if tally.bad else "LOSES NOTHING"), tally.bad > 0
    return f"loses in {tally.bad}: {path.control}", True


def table(tallies, cuts, seconds):
    good = True
    rows = [("memory", "promise", "cuts", "records", "verdict")]
    for path, tally in zip(PATHS, tallies.values()):
        word, ok = verdict(path, tally)
        good = good and ok and tally.cuts > 0
        rows.append((path.memory, path.promise, str(tally.cuts), str(tally.records), word))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    print()
    for row in rows:
        print(f"  {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]:>{widths[2]}}  "
              f"{row[3]:>{widths[3]}}  {row[4]}")
    for path, tally in zip(PATHS, tallies.values()):
        if tally.said and not verdict(path, tally)[1]:
            print(f"{path.memory}.{path.promise}: {tally.said[0]}")
    print(f"\n{cuts} cuts, {seconds:.0f} s")
    return good


def run(args):
    if not re.fullmatch(r"[1-9][0-9]{0,5}", args.cuts):
        raise Refusal(f"CUTS={args.cuts} is invalid: give a number, such as 100")
    cuts = int(args.cuts)
    cache, kernel, console = vm.small_guest(args, "powercut")
    if not args.programs:
        vm.build(cache, None, [])
    seed = int(args.seed) if args.seed else random.randrange(1 << 32)
    draw = random.Random(seed)
    print(f"kernel {kernel.release}, SEED={seed}", flush=True)
    base = image.base_archive(cache, kernel)
    tallies = {label_of(path): Tally() for path in PATHS}
    begun = time.monotonic()
    nvdimm = qemu.Nvdimm(sum(path.size for path in PATHS) + qemu.GIB)
    done = 0
    try:
        for number in range(cuts + 1):
            boot = Boot(qemu.Machine(
                kernel, (base, overlay(args.programs or vm.ROOT, tallies, number == cuts)),
                console, vm.parse_memory(args.mem), vm.parse_cpus(args.cpus),
                nvdimm=nvdimm), tallies, draw.uniform(*WRITING))
            for tally in tallies.values():
                tally.durable = 0
            try:
                boot.follow()
            finally:
                complaint = boot.machine.stop()
            if boot.ended and number < cuts:
                raise Refusal(f"the writers ended by themselves {complaint}".strip())
            for tally in tallies.values():
                tally.records += tally.durable
            done = number
            lost = Counter(bool(t.bad or t.unclean) for t in tallies.values())[True]
            print(f"  cut {number + 1:4}: {sum(t.durable for t in tallies.values())} "
                  f"records durable, {lost} paths have lost something so far"
                  if number < cuts else "  verified", flush=True)
    finally:
        nvdimm.close()
        # Print what was seen, however it ended
        good = done and table(tallies, done, time.monotonic() - begun)
        print(console, flush=True)
    return 0 if good else 1


def main():
    return vm.guest_command(__doc__, run, CUTS=("100", "how often"),
                            SEED=("", "repeats the moments"))
