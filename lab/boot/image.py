# SPDX-License-Identifier: GPL-2.0-only
"""The guest's file system: one archive for a kernel, kept; one for a run."""
import contextlib
import hashlib
import lzma
import os
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
import time

from boot import backends as pmem
from boot.kernels import Refusal

GUEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guest")

# Loaded by init, in this order. Not dax_pmem_compat: it would take the
# namespaces away from dax_pmem on 5.10.
BOOT_MODULES = (("libnvdimm", ""), ("nfit", ""), ("device_dax", ""),
                ("dax_pmem", ""), ("nd_pmem", ""),
                ("null_blk", "nr_devices=0"))
# Only for modprobe to find
SPARE_MODULES = ("nd_btt", "nd_e820", "virtio_pci", "virtio_pmem", "kmem",
                 "dm_mod", "dm_delay", "configfs", "ext4", "xfs", "erofs", "loop",
                 "crc32c_generic", "crc32_generic", "ib_uverbs", "rdma_rxe",
                 "vfio_pci", "vfio_iommu_type1", "dax_hmem", "kvm_intel", "kvm_amd")

# So long after its last use an archive is kept, in seconds
KEEP_SECONDS = 24 * 3600

TOOLS = ("ndctl", "daxctl", "mkfs.ext4", "mkfs.xfs", "mkfs.erofs", "e2fsck", "xfs_repair")


class Cpio:
    """A 'newc' archive, as the kernel unpacks it into its first file system."""

    def __init__(self):
        self.chunks = []
        self.size = 0
        self.inode = 0
        self.seen = set()

    def _put(self, data):
        pad = -len(data) % 4
        self.chunks.append(data + b"\0" * pad)
        self.size += len(data) + pad

    def _entry(self, path, mode, data=b"", device=(0, 0)):
        if path in self.seen:
            return
        self.seen.add(path)
        self.inode += 1
        name = path.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device,
                  len(name), 0)
        self._put(b"070701" + b"".join(b"%08x" % field for field in fields)
                  + name)
        self._put(data)

    def directory(self, path):
        parent = os.path.dirname(path)
        if parent:
            self.directory(parent)
        self._entry(path, stat.S_IFDIR | 0o755)

    def file(self, path, data, mode=0o644):
        self.directory(os.path.dirname(path))
        self._entry(path, stat.S_IFREG | mode, data)

    def copy(self, path, source):
        with open(source, "rb") as f:
            self.file(path, f.read(), stat.S_IMODE(os.stat(source).st_mode))

    def symlink(self, path, target):
        self.directory(os.path.dirname(path))
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path, major, minor):
        self.directory(os.path.dirname(path))
        self._entry(path, stat.S_IFCHR | 0o600, device=(major, minor))

    def done(self):
        self._entry("TRAILER!!!", 0)
        # A second archive may follow: the kernel wants it on a 4 byte boundary
        return b"".join(self.chunks)


# -- modules -----------------------------------------------------------

def module_name(path):
    return re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(path)).replace("-", "_")


class ModuleTree:
    """modules.dep of a modules directory."""

    def __init__(self, directory):
        self.directory = directory
        self.path = {}
        self.needs = {}
        with open(os.path.join(directory, "modules.dep"), encoding="ascii") as f:
            for line in f:
                path, needs = line.rstrip("\n").split(":")
                name = module_name(path)
                self.path[name] = path
                # modules.dep lists the nearest first, loading starts at the last
                self.needs[name] = needs.split()[::-1]

    def with_needs(self, name):
        """The module and what it needs, in loading order; [] when absent."""
        if name not in self.path:
            return []
        return [*self.needs[name], self.path[name]]

    def read(self, path):
        """A module's bytes, unpacked: the guest has no time to do that."""
        full = os.path.join(self.directory, path)
        if path.endswith(".zst"):
            return subprocess.run(["zstd", "-dcq", full], check=True,
                                  stdout=subprocess.PIPE).stdout
        with open(full, "rb") as f:
            data = f.read()
        return lzma.decompress(data) if path.endswith(".xz") else data


def add_modules(cpio, kernel):
    """Put modules into the archive; returns init's list of those to load."""
    if not kernel.modules:
        return ""
    tree = ModuleTree(kernel.modules)
    target = f"lib/modules/{kernel.release}"
    load = {}
    for name, arguments in BOOT_MODULES:
        for path in tree.with_needs(name):
            own = arguments if module_name(path) == name else ""
            load.setdefault(path, own)
    paths = dict.fromkeys(load)
    for name in SPARE_MODULES:
        paths.update(dict.fromkeys(tree.with_needs(name)))
    plain = {path: re.sub(r"\.ko\.\w+$", ".ko", path) for path in paths}

    with tempfile.TemporaryDirectory() as scratch:
        base = os.path.join(scratch, target)
        for path, name in plain.items():
            data = tree.read(path)
            os.makedirs(os.path.dirname(os.path.join(base, name)), exist_ok=True)
            with open(os.path.join(base, name), "wb") as f:
                f.write(data)
            cpio.file(f"{target}/{name}", data)
        os.makedirs(base, exist_ok=True)
        # For modprobe and libkmod: what is built in needs no loading
        built_in = os.path.join(kernel.modules, "modules.builtin")
        if os.path.exists(built_in):
            shutil.copy(built_in, base)
        subprocess.run(["depmod", "-b", scratch, kernel.release], check=True,
                       stderr=subprocess.DEVNULL)
        for name in ("modules.dep", "modules.alias", "modules.softdep",
                     "modules.builtin", "modules.builtin.bin"):
            if os.path.exists(os.path.join(base, name)):
                cpio.copy(f"{target}/{name}", os.path.join(base, name))
    return "".join(f"/{target}/{plain[path]} {arguments}\n"
                   for path, arguments in load.items())


# -- programs ----------------------------------------------------------

def libraries(program):
    """Shared libraries a program needs, by the host's own loader."""
    done = subprocess.run(["ldd", program], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    missing = re.findall(r"(\S+) => not found", done.stdout)
    if missing:
        raise Refusal(f"{program} needs {missing[0]}, which is not installed")
    return re.findall(r"(/\S+) \(0x", done.stdout)


def add_program(cpio, path, source):
    cpio.copy(path, source)
    for library in libraries(source):
        cpio.copy(library.lstrip("/"), os.path.realpath(library))


def add_busybox(cpio):
    busybox = shutil.which("busybox")
    cpio.copy("bin/busybox", busybox)
    applets = subprocess.run([busybox, "--list"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()
    for applet in applets:
        cpio.symlink(f"bin/{applet}", "busybox")
    # The path the kernel calls when it wants a module
    cpio.symlink("sbin/modprobe", "/bin/busybox")


# -- the two archives --------------------------------------------------

def fingerprint(kernel):
    """Of everything that the kernel's archive is made of."""
    # By what it says: work trees may share a cache
    with open(__file__, "rb") as f:
        state = hashlib.sha256(f.read())
    sources = [shutil.which("busybox"), *filter(None, map(shutil.which, TOOLS))]
    if kernel.modules:
        sources.append(os.path.join(kernel.modules, "modules.dep"))
    for source in sources:
        about = os.stat(source)
        state.update(f"{source} {about.st_size} {about.st_mtime_ns}\n".encode())
    return state.hexdigest()[:16]


def base_archive(cache, kernel):
    """The archive that only depends on kernel and host packages, as bytes."""
    directory = os.path.join(cache, "images")
    path = os.path.join(directory, f"{kernel.release}-{fingerprint(kernel)}")
    try:
        with open(path, "rb") as f:
            os.utime(path)
            return f.read()
    except FileNotFoundError:
        pass
    os.makedirs(directory, exist_ok=True)
    cpio = Cpio()
    for name in ("proc", "sys", "dev", "tmp", "run", "root"):
        cpio.directory(name)
    cpio.device("dev/console", 5, 1)
    cpio.device("dev/null", 1, 3)
    add_busybox(cpio)
    for tool in filter(None, map(shutil.which, TOOLS)):
        add_program(cpio, "bin/" + os.path.basename(tool), tool)
    cpio.file("lab/insmod", add_modules(cpio, kernel).encode())
    archive = cpio.done()
    fd, scratch = tempfile.mkstemp(dir=directory)
    try:
        with os.fdopen(fd, "wb") as f:
            f.write(archive)
        os.rename(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise
    drop_older(directory, kernel.release, path)
    return archive


def drop_older(directory, release, keep):
    """Archives of the same kernel that were made of something else.

    One that was used lately may be another checkout's, with a run under way.
    """
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        if name.rpartition("-")[0] != release or path == keep:
            continue
        with contextlib.suppress(FileNotFoundError):
            if time.time() - os.stat(path).st_mtime > KEEP_SECONDS:
                os.unlink(path)


def passed_on(environment):
    """Shell assignments of the variables that are meant for the programs."""
    return "".join(f"export {name}={shlex.quote(value)}\n"
                   for name, value in sorted(environment.items())
                   if re.fullmatch(r"DAX_TEST_[A-Z_]+", name)
                   # the guest has its own devices and list of cells
                   and name not in ("DAX_TEST_DEV", "DAX_TEST_NAMESPACE",
                                    "DAX_TEST_REGION", "DAX_TEST_CELLS", "DAX_TEST_VFIO"))


def run_archive(programs, cells, backends=pmem.DEFAULT, provision=True):
    """The archive of one boot: programs, and the cells each is to run.

    Without provision the NVDIMM stays as it is.
    """
    cpio = Cpio()
    cpio.copy("init", os.path.join(GUEST, "init"))
    for name in ("vfio", "dynamic", "nodes"):
        cpio.copy(f"lab/{name}", os.path.join(GUEST, name))
    cpio.file("lab/namespaces", pmem.table(backends).encode() if provision else b"")
    for name, source in programs.items():
        if cells.get(name):
            add_program(cpio, f"lab/bin/{name}", source)
            cpio.file(f"lab/cells/{name}",
                      "".join(cell + "\n" for cell in cells[name]).encode())
    wanted = [name for name in programs if cells.get(name)]
    cpio.file("lab/environment", passed_on(os.environ).encode())
    cpio.file("lab/programs", "".join(name + "\n" for name in wanted).encode())
    return cpio.done()
