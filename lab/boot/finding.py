# SPDX-License-Identifier: GPL-2.0-only
"""Boot a kernel and run the program of one finding in it.

    python3 lab finding NAME [--kernel KERNEL] [--fs ext4|xfs] [-- ARGUMENT...]

NAME is that of a page in lab/findings.  Shows what the program printed and what
the kernel said meanwhile, in OUT/<kernel>/NAME.log.
Exit status: 0 the kernel keeps the rule, 1 it does not, 4 the program could not
try, 2 it could not be run.
"""
import os
import re
import subprocess
import sys
import tempfile

from boot import image, qemu, vm
from boot.kernels import Refusal

FINDINGS = os.path.join(vm.ROOT, "lab", "findings")
BOOT_LIMIT = 240.0
# A program has to end by itself sooner than that
RUN_LIMIT = 90.0
# The kernel's lines that are shown; all are in the file
SHOWN = 60


def build(name, directory):
    source = os.path.join(FINDINGS, f"{name}.c")
    if not os.path.exists(source):
        have = sorted(entry[:-2] for entry in os.listdir(FINDINGS)
                      if entry.endswith(".c"))
        raise Refusal(f"no finding is named {name}: there are {', '.join(have)}")
    path = os.path.join(directory, name)
    done = subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-Wall", "-pthread",
                           "-o", path, source], check=False)
    if done.returncode:
        raise Refusal(f"{source} does not build: see above")
    return path


def archive(program, args):
    """What init runs as a program is the script that runs the finding."""
    name = args.name
    script = os.path.join(image.GUEST, "finding")
    cpio = image.Cpio()
    image.add_program(cpio, f"lab/finding/{name}", program)
    label = args.label or ("ksft-dax-" + args.fs if args.fs else "ksft-dax-pmd")
    for entry, text in (("name", name), ("label", label), ("fs", args.fs),
                        ("args", " ".join(args.arguments))):
        cpio.file(f"lab/finding/{entry}", f"{text}\n".encode())
    return image.run_archive({"finding": script}, {"finding": [name]}) + cpio.done()


def follow(machine):
    """The program's lines as they come; its status, or why there is none."""
    began = False
    try:
        for text in qemu.lines_of(machine, lambda: RUN_LIMIT if began else BOOT_LIMIT):
            words = text.split()
            if words[:3] == ["@@", "end", "finding"]:
                return int(words[3])
            if words[:3] == ["@@", "begin", "finding"]:
                began = True
            elif began:
                print(text, flush=True)
    except qemu.Gone as gone:
        return str(gone)
    return "the guest said nothing"


def kernel_lines(console, name):
    """What the kernel said from the program's start on."""
    with open(console, encoding="utf-8", errors="replace") as f:
        lines = f.read().splitlines()
    starts = [number for number, line in enumerate(lines)
              if re.search(rf"finding: {re.escape(name)}\b", line)]
    return lines[starts[0] + 1:] if starts else []


def run(args):
    if not re.fullmatch(r"[\w-]+", args.name):
        raise Refusal(f"'{args.name}' is no name of a finding")
    if args.fs not in ("", "ext4", "xfs"):
        raise Refusal(f"FS={args.fs} is invalid: give ext4 or xfs")
    cache, kernel, console = vm.small_guest(args, args.name)
    print(f"kernel {kernel.release}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        overlay = archive(build(args.name, scratch), args)
    machine = qemu.Machine(kernel, (image.base_archive(cache, kernel), overlay),
                           console, vm.parse_memory(args.mem),
                           vm.parse_cpus(args.cpus), iommu=args.iommu,
                           dynamic=args.dynamic)
    try:
        status = follow(machine)
    finally:
        complaint = machine.stop()
    lines = kernel_lines(console, args.name)
    print(*(lines[:SHOWN] or ["the kernel said nothing"]), sep="\n")
    if len(lines) > SHOWN:
        print(f"... and {len(lines) - SHOWN} lines more")
    print(console, flush=True)
    if isinstance(status, str):
        print(f"{status} {complaint}".strip())
        return 1
    print(f"exit status {status}")
    # Killed: only the kernel does that here
    return 1 if status > 128 else status


def main():
    parser = vm.parser_of(__doc__, "KERNEL", "MODULES", "MEM", "CPUS", "OUT", "CACHE",
                          FS=("", "for a finding about files: ext4 or xfs"),
                          LABEL=("", "which of lab/boot/guest/namespaces"))
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--iommu", action="store_true",
                        help="with an IOMMU and a device for vfio-pci behind it")
    parser.add_argument("--dynamic", action="store_true",
                        help="with a dax region that can be divided")
    # What comes after '--' is the program's; argparse would take it for its own
    words = [*sys.argv[1:], "--"]
    split = words.index("--")
    args = parser.parse_args(words[:split])
    args.arguments = words[split + 1:-1]
    return vm.carry_out(run, args)
