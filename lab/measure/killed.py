# SPDX-License-Identifier: GPL-2.0-only
"""Kill the suite's programs in a guest, and see whether everything is given back.

SIGKILL after random times, in the midst of cells that reconfigure namespaces, make file
systems, bind and unbind; the guardian has to bring back what was there.  In the end
the guardian is killed, too, as a control: then something has to be found changed.

Exit status: 0 it does, 1 not always, 2 it could not run.
"""
import os
import random
import re

from boot import backends, image, qemu, vm
from boot.kernels import Refusal

SILENCE = 180.0
# Hundredths of a second: the first are before there is anything to give back
EARLIEST, LATEST = 2, 600

# Cells that change most, each program's own
PLAN = (
    ("dax_teardown", "devdax.pte.vmsplice.unbind_device_dax devdax.pud.none.* "
                     "devdax.pmd.odirect_*unbind_device_dax devdax.pmd.*.disable_region "
                     "devdax.pmd.vmsplice.*"),
    ("pmem_io", "devdax.* ext4.pte.* sector.* raw.*"),
    ("dax_teardown", "ext4.pmd.vmsplice.* xfs.pte.vmsplice.truncate* fsdax.* sector.*"),
    ("gup_devdax", "xfs.pmd.vmsplice.* devdax.pud.* ext4.pte.uring_*"),
)


def overlay(programs, delays):
    cpio = image.Cpio()
    for name, _ in PLAN:
        image.add_program(cpio, f"lab/killed/{name}", os.path.join(programs, name))
    cpio.file("lab/killed/programs",
              "".join(f"{name} {globs}\n" for name, globs in PLAN).encode())
    cpio.file("lab/killed/delays", "".join(f"{delay}\n" for delay in delays).encode())
    script = os.path.join(image.GUEST, "killed")
    return image.run_archive({"killed": script}, {"killed": ["-"]}) + cpio.done()


class Tally:
    """What became of the kills."""

    def __init__(self):
        self.back = self.early = self.differs = 0
        self.control = self.over = False

    def line(self, text):
        words = text.split()
        if words[:3] == ["@@", "end", "killed"]:
            self.over = True
            if words[3] != "0":
                raise Refusal(f"the guest's script ended with status {words[3]}")
        elif words[:1] == ["killed:"]:
            if words[1:3] == ["cannot", "run:"]:
                raise Refusal(text)
            if words[1] == "control":
                self.control = words[-1] == "it"
            elif words[1] == "over":
                self.early += 1
            elif words[-1] == "differs":
                self.differs += 1
                print(f"  {words[1]} killed after {int(words[2]) / 100:.2f} s: not as it was",
                      flush=True)
            elif len(words) > 3 and words[3] == "back":
                self.back += 1
                print(f"  {words[1]} killed after {int(words[2]) / 100:.2f} s, in cell "
                      f"{int(words[5]) + 1}: back within {int(words[4]) / 10:.1f} s", flush=True)
            else:
                print("    " + " ".join(words[1:]), flush=True)


def run(args):
    if not re.fullmatch(r"[1-9][0-9]{0,3}", args.kills):
        raise Refusal(f"KILLS={args.kills} is invalid: give a number, such as 12")
    cache, kernel, console = vm.small_guest(args, "killed")
    if not args.programs:
        vm.build(cache, None, [])
    seed = int(args.seed) if args.seed else random.randrange(1 << 32)
    draw = random.Random(seed)
    delays = [draw.randint(EARLIEST, LATEST) for _ in range(int(args.kills))]
    print(f"kernel {kernel.release}, SEED={seed}", flush=True)
    tally = Tally()
    machine = qemu.Machine(kernel, (image.base_archive(cache, kernel),
                                    overlay(args.programs or vm.ROOT, delays)), console,
                           vm.parse_memory(args.mem), vm.parse_cpus(args.cpus),
                           backends.DEFAULT)
    try:
        for text in qemu.lines_of(machine, lambda: SILENCE):
            tally.line(text)
            if tally.over:
                break
    finally:
        machine.stop()
        print(f"{len(delays)} kills, {tally.back} times everything was back, "
              f"{tally.differs} times not, {tally.early} came too late; the control "
              f"{'is seen' if tally.control else 'IS NOT SEEN'}\n{console}", flush=True)
    # what came too late has shown nothing
    good = tally.back == len(delays) and not tally.early and tally.control
    return 0 if good else 1


def main():
    return vm.guest_command(__doc__, run, KILLS=("12", "how often"),
                            SEED=("", "repeats the moments"))
