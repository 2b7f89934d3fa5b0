# SPDX-License-Identifier: GPL-2.0-only
"""One virtual machine: its memory, its command line, its process."""
import ctypes
import os
import select
import shutil
import signal
import struct
import subprocess
import uuid

from boot import backends as pmem
from boot.kernels import Refusal

QEMU = "qemu-system-x86_64"
MIB = 1 << 20
GIB = 1 << 30
LABEL_AREA = 2 * MIB

# A panic ends the machine at once (an oops does not: init sees to it).
# All that the suite writes to the log must get there, and stay readable.
# A busy host is no lockup of the guest: the watchdogs get more patience.
KERNEL_ARGUMENTS = ("console=ttyS0 panic=-1 loglevel=7 rdinit=/init "
                    "printk.devkmsg=on log_buf_len=4M "
                    "watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120 "
                    "tsc=reliable no_timer_check random.trust_cpu=on "
                    "mitigations=off")

# struct nd_namespace_index (UEFI, NVDIMM label protocol 1.2)
INDEX = struct.Struct("<16s3sBI4QI2HQ")
LABEL_SIZE = 256


def fletcher64(data):
    low = high = 0
    for (word,) in struct.iter_unpack("<I", data):
        low = (low + word) & 0xffffffff
        high = (high + low) & 0xffffffff
    return high << 32 | low


def empty_labels(area=LABEL_AREA):
    """A label area's two index blocks, all slots free.

    Writing them from outside saves the guest init-labels and a new probe
    of the region.
    """
    size = -(-(INDEX.size + area // LABEL_SIZE // 8) // 256) * 256
    slots = (area - 2 * size) // LABEL_SIZE
    free = bytearray(b"\xff" * (slots // 8))
    if slots % 8:
        free.append((1 << slots % 8) - 1)
    blocks = b""
    for i in (0, 1):
        fields = [b"NAMESPACE_INDEX\0", b"\0\0\0", 1, 1 + i, i * size, size,
                  (1 - i) * size, 2 * size, slots, 1, 2, 0]
        block = (INDEX.pack(*fields) + free).ljust(size, b"\0")
        fields[-1] = fletcher64(block)
        blocks += (INDEX.pack(*fields) + free).ljust(size, b"\0")
    return blocks


def memory_file(name, size=0, *chunks):
    """A file that lives in memory only: no crash can leave it behind.

    chunks are pairs of an offset and what to write there.
    """
    fd = os.memfd_create(name)
    os.ftruncate(fd, size)
    for offset, data in chunks:
        os.pwrite(fd, data, offset)
    return fd


def kvm_works():
    """The CPU must offer it too: /dev/kvm alone proves nothing."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        flags = next((set(line.split()) for line in f
                      if line.startswith("flags")), set())
    return bool(flags & {"vmx", "svm"}) and os.access("/dev/kvm",
                                                      os.R_OK | os.W_OK)


def die_with_parent():
    """In the child: no machine outlives its runner, however that ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def backing(name, fd, size):
    return ["-object", f"memory-backend-file,id={name},share=on,"
            f"align={pmem.alignment(size)},mem-path=/proc/self/fd/{fd},size={size}"]


class Nvdimm:
    """An NVDIMM that outlives the machines it is put into."""

    def __init__(self, size):
        self.size = pmem.round_up(size, GIB)
        self.uuid = uuid.uuid4()
        self.fd = memory_file("nvdimm", self.size + LABEL_AREA,
                              (self.size, empty_labels()))

    def options(self):
        """Options, descriptors (the machine's own), room in the address space."""
        fd = os.dup(self.fd)
        return [*backing("nvdimm", fd, self.size + LABEL_AREA), "-device",
                "nvdimm,memdev=nvdimm,id=nvdimm0,"
                f"label-size={LABEL_AREA},uuid={self.uuid}"], [fd], self.size

    def close(self):
        os.close(self.fd)


def nvdimm_options(sizes):
    """One NVDIMM for all: options, descriptors, room in the address space."""
    if not sizes:
        return [], [], 0
    nvdimm = Nvdimm(sum(sizes))
    try:
        return nvdimm.options()
    finally:
        nvdimm.close()


def virtio_options(sizes):
    """The same for virtio-pmem, which has no labels: a device for each."""
    options, fds = [], []
    for number, size in enumerate(sizes):
        fds.append(memory_file("virtio-pmem", size))
        options += [*backing(f"pmem{number}", fds[-1], size), "-device",
                    f"virtio-pmem-pci,memdev=pmem{number}"]
    return options, fds, sum(pmem.round_up(size, GIB) for size in sizes)


class Machine:
    """A running guest; results is its results channel, to be read."""

    def __init__(self, kernel, initrd, console, memory, cpus, backends=pmem.DEFAULT,
                 iommu=False, dynamic=False, nvdimm=None):
        program = shutil.which(QEMU)
        if not program:
            raise Refusal(f"no {QEMU}: install the package qemu-system-x86")
        base, overlay = initrd
        files = memory_file("initrd", 0, (0, base), (len(base), overlay))
        nvdimm, fds, hot = (nvdimm.options() if nvdimm else
                            nvdimm_options(pmem.sizes(backends, "nfit")))
        virtio, more, room = virtio_options(pmem.sizes(backends, "virtio"))
        fds = [files, *fds, *more]
        hot += room
        parts, memory = pmem.in_ram(memory, pmem.sizes(backends, "e820")
                                    + [pmem.DYNAMIC] * dynamic)
        accel = (["-accel", "kvm", "-cpu", "host"] if kvm_works() else
                 ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off"])
        mib = memory // MIB
        # An IOMMU, and a device behind it that nothing else uses
        extra, arguments = [], KERNEL_ARGUMENTS
        if iommu:
            extra = ["-device", "intel-iommu", "-device", "pci-testdev"]
            arguments += " intel_iommu=on"
        command = [
            program, *accel, "-machine", "q35,nvdimm=on", "-smp", str(cpus),
            "-m", f"{mib}M,slots=2,maxmem={mib + hot // MIB + 4096}M",
            *nvdimm, *virtio,
            "-kernel", kernel.image, "-initrd", f"/proc/self/fd/{files}",
            "-append", arguments + pmem.kernel_arguments(parts, dynamic),
            "-display", "none", "-nodefaults",
            "-nic", "none", "-no-reboot", "-no-user-config",
            "-chardev", f"file,id=console,path={console},append=on",
            "-serial", "chardev:console",
            "-chardev", "stdio,id=results,signal=off",
            "-serial", "chardev:results", *extra]
        try:
            # pylint: disable=subprocess-popen-preexec-fn
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, pass_fds=fds,
                preexec_fn=die_with_parent)
        finally:
            for fd in fds:
                os.close(fd)
        self.results = self.process.stdout

    def end(self):
        """The reader of its results sees the end, and may stop() it."""
        if self.process.poll() is None:
            self.process.kill()

    def stop(self):
        """End it if it still runs; returns what QEMU itself had to say."""
        self.end()
        complaint = self.process.stderr.read().decode(errors="replace")
        self.process.stdout.close()
        self.process.stderr.close()
        self.process.wait()
        return complaint.strip()


class Gone(Refusal):
    """A guest that says nothing any more."""


def lines_of(machine, silence):
    """What a guest says on its results channel, line by line.

    silence() is how many seconds without a word are no hang, as things are.
    """
    fd = machine.results.fileno()
    pending = b""
    while True:
        limit = silence()
        if not select.select([fd], [], [], limit)[0]:
            raise Gone(f"the guest hung: no output for {limit:.0f} s")
        data = os.read(fd, 65536)
        if not data:
            raise Gone("the guest died")
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            if text.startswith("@@ failed:"):
                raise Refusal(f"the guest cannot run it: {text}")
            yield text
