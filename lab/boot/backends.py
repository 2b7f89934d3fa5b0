# SPDX-License-Identifier: GPL-2.0-only
"""Where a guest's persistent memory comes from: NFIT, e820, virtio-pmem.

lab/boot/guest/namespaces has what the suite wants to find.  With several back ends in
one machine they take turns along that list.
"""
import os
import re
from collections import namedtuple

from boot.kernels import Refusal

BACKENDS = ("nfit", "e820", "virtio")
DEFAULT = ("nfit",)
TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guest/namespaces")

MIB = 1 << 20
GIB = 1 << 30
# RAM and pmem in one section of the memory map are a matter of their own
SECTION = 128 * MIB
# A q35 machine with this much has 2 GiB below the hole at 4 GiB
LOW = 2 * GIB
HIGH = 4 * GIB

# Of a dax region that can be divided: a dozen devices of the smallest size
DYNAMIC = 256 * MIB

Namespace = namedtuple("Namespace", "backend label mode align map size")


def parse(text):
    """The back ends in BACKEND=, each once."""
    names = tuple(dict.fromkeys(re.split(r"[\s,]+", text.strip())))
    for name in names:
        if name not in BACKENDS:
            raise Refusal(f"BACKEND={text} is invalid: give one or more of "
                          + " ".join(BACKENDS))
    return names


def namespaces(backends):
    """The list, with the back end that each one is to be on.

    A namespace without a label has a region to itself, in whole sections.
    """
    found = []
    with open(TABLE, encoding="ascii") as f:
        for line in f:
            if not line.startswith("#"):
                backend = backends[len(found) % len(backends)]
                *words, size = line.split()
                size = round_up(int(size), 1 if backend == "nfit" else SECTION)
                found.append(Namespace(backend, *words, size))
    return found


def table(backends):
    """The same for the guest's init."""
    return "".join(" ".join(map(str, each)) + "\n" for each in namespaces(backends))


def sizes(backends, backend):
    return [each.size for each in namespaces(backends) if each.backend == backend]


def round_up(number, to):
    return -(-number // to) * to


def alignment(size):
    """What is to be mapped by entries of 1 GiB lies on their boundary."""
    return GIB if size >= GIB else SECTION


def in_ram(memory, wanted):
    """Parts of RAM that are to be pmem: [(start, bytes)], and bytes of RAM in all.

    They lie above what the guest may use, with RAM between them: neighbours would
    become one region.
    """
    if not wanted:
        return [], memory
    at = HIGH + max(0, round_up(memory, GIB) - LOW)
    parts = []
    for size in wanted:
        at = round_up(at, alignment(size))
        parts.append((at, size))
        at += size + SECTION
    return parts, LOW + at - HIGH


def kernel_arguments(parts, dynamic=False):
    """For parts of RAM that are to be pmem; the last may be for dynamic dax devices.

    Such a part is of type "soft reserved" (0xefffffff), as firmware marks memory
    that is meant for special use: dax_hmem takes it.

    A kernel that chooses its own place keeps clear of the first four of them only,
    and may lie in another: nokaslr.
    """
    if not parts:
        return ""
    ends = ["!%dM"] * len(parts)
    if dynamic:
        ends[-1] = "%%%dM-1+0xefffffff"
    return " nokaslr" + "".join(f" memmap={size // MIB}M" + end % (start // MIB)
                                for (start, size), end in zip(parts, ends))
