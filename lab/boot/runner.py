# SPDX-License-Identifier: GPL-2.0-only
"""Runs the cells, with as many boots as it takes, and keeps what they said."""
import functools
import json
import os
import re
import select
import sys
import threading
import time

from boot import image
from boot.kernels import Refusal
from boot.qemu import Machine
from report import ktap

# A guest that is silent for so long is given up: somewhat longer than the
# programs' own limit for a cell, which is 120 s
HANG_LIMIT = 150.0
# The same until the first program begins: a busy host is slow to boot
BOOT_LIMIT = 240.0
# So many boots in a row without a single verdict, and the run is given up
IDLE_BOOTS = 3
CONSOLE_TAIL = 12
# A guest's clock is wrong when it runs so many times as fast as the host's, over
# so many seconds of the host at least
CLOCK_FACTOR = 2.0
CLOCK_SPAN = 0.5
# In the reason of a skip that a fresh boot would not have
BY_ANOTHER = "wedged by an earlier cell"
# How long a cell of each program takes, against others: for machines side by side
WEIGHTS = {"gup_devdax": 1.0, "pmem_io": 5.0, "dax_teardown": 2.2}
# The same for cells that are bounded in time, do a thing ninety times, or cost a boot
LONG = ((".orders.", 45.0), (".become_ram-again_and_again", 120.0),
        ("-while_opened", 70.0), ("-first_group", 70.0), ("-unmap_first", 50.0))
COLOURS = {ktap.PASS: "32", ktap.FAIL: "31", ktap.SKIP: "33"}


class Run:
    """One run: what is to do, what is known, and the files it leaves.

    plan is {program: (path, [cell, ...])}.
    """

    def __init__(self, kernel, plan, out, started, hang_limit=HANG_LIMIT):
        self.kernel = kernel
        self.plan = plan
        self.out = out
        self.started = started
        self.hang_limit = hang_limit
        self.results = {}
        self.deaths = []
        self.remarks = []
        self.boots = 0
        self.lock = threading.RLock()   # of all that workers share
        self.stopping = False           # what ends now has not died by itself
        self.stillborn = []     # boots that never got to the programs, by number
        self.finished = []      # boots that had nothing left to do
        self.slipped = set()    # cells that the emulator spoiled once
        # of each boot, what Stream.times has, from "power on" to "power off"
        self.times = []
        self.first_verdict = None
        self.colour = sys.stdout.isatty()
        os.makedirs(out, exist_ok=True)
        self.console = os.path.join(out, "console.log")

    # -- what is known -------------------------------------------------

    @property
    def total(self):
        return sum(len(cells) for _, cells in self.plan.values())

    def in_order(self):
        """The results in the order of the plan, however they came in."""
        keys = ((name, cell) for name, (_, cells) in self.plan.items()
                for cell in cells)
        return [self.results[key] for key in keys if key in self.results]

    def notes(self):
        seconds = time.time() - self.started
        summary = [f"{len(self.results)} of {self.total} cells",
                   f"{seconds:.1f} s",
                   f"{len(self.results) / seconds:.1f} cells a second",
                   f"{self.boots} boot" + ("s" if self.boots != 1 else "")]
        if self.first_verdict is not None:
            summary.append(f"first verdict after {self.first_verdict:.1f} s")
        return [f"kernel {self.kernel.release}", *self.remarks, *self.deaths,
                ", ".join(summary)]

    def record(self, worker, result):
        key = result.program, result.name
        with self.lock:
            if key in self.results or result.name not in self.plan[key[0]][1]:
                return
            # What an earlier cell has taken away is there again after a boot
            if result.verdict == ktap.SKIP and BY_ANOTHER in result.sentence and \
                    worker.waits_for_boot():
                return
            self.results[key] = result
            if self.first_verdict is None:
                self.first_verdict = time.time() - self.started
            self.announce(result)
            self.save()

    def announce(self, result):
        width = len(str(self.total))
        verdict = f"{result.verdict:<6}"
        if self.colour:
            verdict = f"\033[{COLOURS[result.verdict]}m{verdict}\033[0m"
        tail = f"  {result.sentence}" if result.sentence else ""
        print(f"[{len(self.results):{width}}/{self.total}]  {verdict}  "
              f"{result.full_name}  {result.seconds:.2f} s{tail}", flush=True)

    def remark(self, text):
        with self.lock:
            self.remarks.append(text)
            print(f"  {text}", flush=True)

    def death(self, text):
        with self.lock:
            self.deaths.append(text)
            print(f"  {text}", flush=True)
            self.save()

    def save(self):
        """Both files, each replaced as a whole."""
        results = self.in_order()
        counts = {name: len(cells) for name, (_, cells) in self.plan.items()}
        write_whole(os.path.join(self.out, "results.ktap"),
                    ktap.format_ktap(counts, results, self.notes()))
        cells = [{"program": r.program, "name": r.name, "verdict": r.verdict,
                  "kind": r.kind, "sentence": r.sentence,
                  "seconds": round(r.seconds, 3), "boot": r.boot}
                 for r in results]
        write_whole(os.path.join(self.out, "results.json"), json.dumps(
            {"kernel": self.kernel.release, "boots": self.boots,
             "stillborn": self.stillborn, "finished": self.finished,
             "deaths": self.deaths, "cells": cells}, indent=1) + "\n")

    # -- booting -------------------------------------------------------

    def run(self, base, memory, cpus, backends, jobs=1):
        """Boot until no cell is left; several machines side by side share the cells."""
        workers = [Worker(self, plan, self.console if not number else
                      os.path.join(self.out, f"console-{number + 1}.log"))
                 for number, plan in enumerate(share(self.plan, jobs))]
        if len(workers) == 1:
            workers[0].run_all(base, memory, cpus, backends)
            return
        threads = [threading.Thread(target=worker.run_caught,
                                    args=(base, memory, cpus, backends))
                   for worker in workers]
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                for thread in threads:
                    thread.join(0.2)
                if any(worker.trouble for worker in workers):
                    break
        finally:
            # An interrupt, or what ended one worker, ends all
            self.stopping = True
            for worker in workers:
                worker.stop()
            for thread in threads:
                thread.join()
        for worker in workers:
            if worker.trouble:
                raise worker.trouble


def weight_of(program, cell):
    found = [weight for part, weight in LONG if part in cell]
    return found[0] if found else WEIGHTS.get(program, 1.0)


def share(plan, jobs):
    """The plan in so many parts of about the same time, each in the plan's order."""
    todo = [(program, cell, weight_of(program, cell))
            for program, (_, cells) in plan.items() for cell in cells]
    whole = sum(weight for _, _, weight in todo)
    parts = [{} for _ in range(max(1, min(jobs, len(todo))))]
    done = 0.0
    for program, cell, weight in todo:
        part = parts[min(int(done / whole * len(parts)), len(parts) - 1)]
        part.setdefault(program, (plan[program][0], []))[1].append(cell)
        done += weight
    return [part for part in parts if part]


class Worker:
    """One machine after the other, for a part of the cells."""

    def __init__(self, run, plan, console):
        self.run = run
        self.plan = plan
        self.console = console
        self.guest = None       # the boot under way
        self.trouble = None     # what ended it
        with open(console, "wb"):
            pass

    def remaining(self):
        with self.run.lock:
            left = {name: [cell for cell in cells if (name, cell) not in self.run.results]
                    for name, (_, cells) in self.plan.items()}
        return {name: cells for name, cells in left.items() if cells}

    def waits_for_boot(self):
        return bool(self.guest and self.guest.stream.reboot)

    def stop(self):
        if self.guest:
            self.guest.machine.end()

    def run_caught(self, *machine):
        try:
            self.run_all(*machine)
        except Exception as trouble:    # pylint: disable=broad-exception-caught
            self.trouble = trouble

    def run_all(self, *machine):
        idle, left = 0, self.remaining()
        while left and not self.run.stopping:
            self.boot(left, *machine)
            before, left = left, self.remaining()
            idle = 0 if left != before else idle + 1
            if idle == IDLE_BOOTS:
                raise Refusal(f"{IDLE_BOOTS} boots in a row without a verdict: "
                              f"see {self.console}")

    def begin_boot(self):
        """Its number, counted over all workers."""
        with self.run.lock:
            self.run.boots += 1
            number = self.run.boots
        with open(self.console, "ab") as f:
            f.write(f"=== boot {number} of {self.run.kernel.release} ===\n".encode())
        return number

    def boot(self, left, base, memory, cpus, backends):
        run = self.run
        paths = {name: path for name, (path, _) in self.plan.items()}
        overlay = image.run_archive(paths, left, backends)
        number = self.begin_boot()
        power_on = time.monotonic()
        # an IOMMU is there for those who want one, and so is memory to divide
        cells = [cell for cells in left.values() for cell in cells]
        machine = Machine(run.kernel, (base, overlay), self.console, memory,
                          cpus, backends,
                          iommu=any(".vfio" in cell for cell in cells),
                          dynamic=any(cell.startswith("dynamic.") for cell in cells))
        guest = self.guest = Guest(self, number, machine)
        with run.lock:
            run.times.append(guest.stream.times)
        guest.stream.times.append(("power on", power_on))
        try:
            guest.follow()
        finally:
            guest.stream.times.append(("power off", time.monotonic()))
            complaint = guest.machine.stop()
        if not run.stopping:
            self.judge(guest, complaint)

    def judge(self, guest, complaint):
        """A boot that is over: was it one, and whose fault is its end?"""
        run = self.run
        if guest.stream.failure:
            raise Refusal(f"the guest cannot run the suite: "
                          f"{guest.stream.failure} (see {self.console})")
        if guest.clock:
            run.stillborn.append(guest.number)
            if len(run.stillborn) < IDLE_BOOTS:
                run.remark(f"boot {guest.number} had a clock that runs "
                           f"{guest.clock:.1f} times too fast, once more")
                return
            raise Refusal("the guest's clock runs too fast, "
                          f"{IDLE_BOOTS} times: is this machine overloaded?")
        if not guest.stream.started:
            run.stillborn.append(guest.number)
            if len(run.stillborn) < IDLE_BOOTS:
                run.remark(f"boot {guest.number} never got to the programs, "
                           "once more")
                return
            raise Refusal(never_started(guest.stream.stage, complaint,
                                        self.console, guest.start))
        guest.settle(complaint)


class Guest:
    """One boot, followed from its first word to its last."""

    def __init__(self, worker, number, machine):
        self.worker = worker
        self.run = worker.run
        self.number = number
        self.machine = machine
        self.record = functools.partial(self.run.record, worker)
        self.stream = ktap.Stream(number, self.record)
        self.hung = False
        self.first_words = None
        self.clock = None       # how fast it runs, if that is wrong
        self.start = self.mark = os.path.getsize(worker.console)

    def follow(self):
        """Read until the guest is done, dead, or silent for too long."""
        fd = self.machine.results.fileno()
        pending = b""
        while True:
            limit = self.run.hang_limit if self.stream.started else BOOT_LIMIT
            if not select.select([fd], [], [], limit)[0]:
                self.hung = True
                return
            data = os.read(fd, 65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                self.feed(line.decode(errors="replace").rstrip("\r"))
                if self.over():
                    return

    def over(self):
        stream = self.stream
        return (stream.finished or stream.failure or self.clock or
                (stream.reboot and not stream.current))

    def feed(self, line):
        current = self.stream.current
        self.stream.feed(line, time.monotonic())
        if self.stream.current != current and self.stream.current:
            # Where in the console the cell begins: a panic is looked for there
            self.mark = os.path.getsize(self.worker.console)
        words = self.stream.stage.split()
        if line.startswith("@@ "):
            self.check_clock(line)
        if line.startswith("@@ end"):
            self.program_ended(words[1], int(words[2]))

    def check_clock(self, line):
        """Does the guest's clock run as the host's, from its first word on?

        A kernel that is kept waiting while it calibrates the TSC takes it for
        slower than it is, by any factor: all its time limits shrink by that.
        """
        uptime = re.search(r" at (\d+\.\d+)$", line)
        if not uptime:
            return
        now = time.monotonic(), float(uptime[1])
        self.first_words = self.first_words or now
        host = now[0] - self.first_words[0]
        guest = now[1] - self.first_words[1]
        if host > CLOCK_SPAN and guest > CLOCK_FACTOR * host:
            self.clock = guest / host

    def program_ended(self, program, status):
        """What a program that is gone leaves behind."""
        stream = self.stream
        if status == 2:
            raise Refusal(f"{program} refused its arguments: "
                          + "; ".join(stream.diagnostics[-2:]))
        signal = f" (signal {status - 128})" if status > 128 else ""
        stream.lost("failed", f"{program} ended in the middle of it with "
                    f"status {status}{signal}", time.monotonic())
        left = self.worker.remaining().get(program, ())
        if status == 4:
            reason = stream.skip_all.get(program, f"{program} exited with 4")
            self.settle_all(program, left, ktap.SKIP, "", reason)
        elif left and not any(r.program == program and r.boot == stream.boot
                              for r in self.run.results.values()):
            self.settle_all(program, left, ktap.FAIL, "failed",
                            f"{program} ended with status {status}{signal} "
                            "and said nothing about it")

    def settle_all(self, program, cells, verdict, kind, sentence):
        for cell in cells:
            self.record(ktap.Result(program, cell, verdict, kind, sentence,
                                        0.0, self.stream.boot))

    def settle(self, complaint=""):
        """After the end: charge it to the cell that was running, if any."""
        stream = self.stream
        if stream.finished:
            with self.run.lock:
                self.run.finished.append(self.number)
                self.run.save()
            return
        if stream.reboot and not stream.current:
            self.run.remark(f"boot {self.number} ended after "
                            f"{stream.last.full_name if stream.last else '-'}: "
                            f"{stream.reboot}")
            return
        # On a loaded machine the cell's first line may be read when all is over
        words = (ktap.last_words(read_from(self.worker.console, self.mark))
                 or ktap.panic_of(read_from(self.worker.console, self.start)))
        if self.hung:
            cause = (f"the guest hung: no output for {self.run.hang_limit:.0f} s"
                     + (f" after {words}" if words else ""))
        else:
            cause = f"the guest died: {words or complaint or 'no last words'}"
        if stream.current and self.emulator_slipped(words):
            return
        if stream.current:
            stream.lost("panic", cause, time.monotonic())
            return
        after = f"after {stream.last.full_name}" if stream.last else "at once"
        self.run.death(f"boot {self.number}, between cells, {after}: {cause}")

    def emulator_slipped(self, words):
        """Is it QEMU's own fault?  Then the cell is tried once more.

        The kernel changes its code by way of an int3 (static keys, kprobes).
        TCG with a thread for each CPU may run the int3 when the kernel has
        already forgotten it, which no real machine does.
        """
        name = self.stream.current
        if "int3" not in (words or "") or name in self.run.slipped:
            return False
        self.run.slipped.add(name)
        self.run.remark(f"boot {self.number} died of the emulator (a stale "
                        f"int3) in {name}, which is tried once more")
        return True


def read_from(path, offset):
    with open(path, "rb") as f:
        f.seek(offset)
        return f.read().decode(errors="replace")


def never_started(stage, complaint, console, start):
    lines = read_from(console, start).splitlines()[-CONSOLE_TAIL:]
    what = f"the guest never got to the programs (last stage: {stage})"
    if not lines:
        return f"{what}: {complaint or 'it said nothing'}"
    tail = "".join(f"\n    {line}" for line in lines)
    if complaint:
        tail += f"\n    {complaint}"
    return f"{what}; its last words, from {console}:{tail}"


def write_whole(path, text):
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(path + ".new", path)
