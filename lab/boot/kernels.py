# SPDX-License-Identifier: GPL-2.0-only
"""Where kernels come from: Debian's archive, a bzImage, a build tree.

    python3 lab kernels [--cache DIR] kernel debian:SERIES|debian:newest|FILE|TREE [MODULES]
        prints the path of the kernel image, then the modules directory
    python3 lab kernels [--cache DIR] ksft SERIES|newest
        prints the directory with the kselftest files of that series

What is in the cache is never fetched again: remove it to fetch it again.
Exit status: 0, 2 when it cannot be done, 3 when the archive has no such series.
"""
import argparse
import contextlib
import errno
import fcntl
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections import namedtuple

from boot import archive as debian

# name is what the results directory is called, modules may be None
Kernel = namedtuple("Kernel", "name image modules release")

# Never wanted in a virtual machine, and most of a package's size
UNWANTED_MODULES = ("drivers/gpu", "drivers/media", "drivers/net/ethernet",
                    "drivers/net/wireless", "drivers/iio", "drivers/staging",
                    "drivers/usb", "drivers/hid", "drivers/isdn", "sound")

SELFTESTS = "tools/testing/selftests"
KSFT_FILES = tuple(f"{SELFTESTS}/{name}" for name in (
    "lib.mk", "Makefile", "kselftest.h", "kselftest_harness.h",
    "run_kselftest.sh", "kselftest_install.sh", "gen_kselftest_tar.sh",
    "kselftest")) + (
    "scripts/subarch.include", "scripts/checkpatch.pl",
    "scripts/spelling.txt", "scripts/const_structs.checkpatch")
# Not in every series: upstream's own tests of our directory (from 7.3 on), which
# must go on working beside ours, and a kernel-doc that is one file (up to 6.15)
KSFT_MAY_LACK = (f"{SELFTESTS}/dax", "scripts/kernel-doc")

GIB = 1 << 30
# Room wanted before anything is fetched: the packages and what is unpacked
FETCH_ROOM = 3 * GIB // 2


class Refusal(Exception):
    """Cannot be done: one sentence for the user, and the exit status."""

    def __init__(self, sentence, status=2):
        super().__init__(sentence)
        self.status = status


def parse_series(text):
    """'5.10' or 'newest', or a refusal."""
    if text != "newest" and not re.fullmatch(r"[0-9]+\.[0-9]+", text):
        raise Refusal(f"'{text}' is not a kernel series: "
                      "give one such as 5.10, or 'newest'")
    return text


# -- the cache ---------------------------------------------------------

@contextlib.contextmanager
def cache_lock(cache):
    """One fetch at a time: several runs may share a cache."""
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def need_room(directory, want=FETCH_ROOM):
    free = shutil.disk_usage(directory).free
    if free < want:
        raise Refusal(
            f"no disk space: {free / GIB:.1f} GiB free for {directory}, "
            f"{want / GIB:.1f} GiB needed; make room or set CACHE=")


def fetch_into(cache, target, fill):
    """Have fill(scratch) fill a directory that becomes target as a whole."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    need_room(cache)
    scratch = tempfile.mkdtemp(prefix="fetch-", dir=cache)
    try:
        fill(scratch)
        os.rename(os.path.join(scratch, "result"), target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def newest_series(cache, kind, archive):
    """Which series 'newest' is; asked of the archive once, then kept."""
    note = os.path.join(cache, f"newest-{kind}")
    with contextlib.suppress(FileNotFoundError):
        with open(note, encoding="ascii") as f:
            return f.read().strip()
    series = archive.newest_series(kind)
    if not series:
        raise Refusal("the archive offers no kernel at all: check the "
                      "Debian entries of the host's apt sources")
    with open(note + ".new", "w", encoding="ascii") as f:
        f.write(series + "\n")
    os.rename(note + ".new", note)
    return series


def find_package(archive, kind, series):
    package = archive.newest(kind, series)
    if not package and archive.refresh():
        package = archive.newest(kind, series)
    if not package:
        raise Refusal(f"the archive offers no {kind} of series {series}: "
                      f"it has {', '.join(archive.series(kind)) or 'none'}",
                      status=3)
    return package


# -- Debian kernels ----------------------------------------------------

def debian_kernel(cache, series):
    series = parse_series(series)
    name = f"debian-{series}"
    with cache_lock(cache):
        archive = debian.Archive(os.path.join(cache, "apt"))
        if series == "newest":
            series = newest_series(cache, "image", archive)
        home = os.path.join(cache, "kernels", series)
        if not os.path.isdir(home):
            package = find_package(archive, "image", series)
            say(f"fetching {package.name} ({package.version})")
            fetch_into(cache, home,
                       lambda scratch: unpack_kernel(archive, package, scratch))
    with open(os.path.join(home, "release"), encoding="ascii") as f:
        release = f.read().strip()
    return Kernel(name, os.path.join(home, "vmlinuz"),
                  os.path.join(home, "lib/modules", release), release)


def unpack_kernel(archive, package, scratch):
    result = os.path.join(scratch, "result")
    root = os.path.join(scratch, "root")
    os.mkdir(result)
    os.mkdir(root)
    skip = [f"--exclude=*/kernel/{path}" for path in UNWANTED_MODULES]
    for deb in archive.download(archive.with_parts(package), scratch):
        unpack(deb, root, skip)
        os.unlink(deb)
    # Where /usr was merged the modules lie in usr/lib
    for top in ("lib/modules", "usr/lib/modules"):
        path = os.path.join(root, top)
        if os.path.isdir(path):
            os.makedirs(os.path.join(result, "lib"))
            os.rename(path, os.path.join(result, "lib/modules"))
            break
    else:
        raise Refusal(f"package {package.name} holds no modules")
    release = os.listdir(os.path.join(result, "lib/modules"))[0]
    images = (os.path.join(root, f"boot/vmlinuz-{release}"),
              os.path.join(result, "lib/modules", release, "vmlinuz"))
    image = next((path for path in images if os.path.exists(path)), None)
    if not image:
        raise Refusal(f"package {package.name} holds no kernel image")
    shutil.move(image, os.path.join(result, "vmlinuz"))
    run(["depmod", "-b", result, release])
    with open(os.path.join(result, "release"), "w", encoding="ascii") as f:
        f.write(release + "\n")


# -- kernels from a file or a tree -------------------------------------

def image_release(path):
    """The release of a bzImage (Documentation/arch/x86/boot.rst)."""
    try:
        with open(path, "rb") as f:
            head = f.read(64 << 10)
    except OSError as err:
        raise Refusal(f"cannot read kernel {path}: {err.strerror}") from err
    if head[0x1fe:0x200] != b"\x55\xaa" or head[0x202:0x206] != b"HdrS":
        raise Refusal(f"{path} is not a bzImage: give arch/x86/boot/bzImage "
                      "of a build, or a vmlinuz of a distribution")
    start = struct.unpack_from("<H", head, 0x20e)[0] + 0x200
    words = head[start:start + 256].split(b"\0")[0].split()
    return words[0].decode("ascii", "replace") if words else "unknown"


def modules_dir(path, release):
    """The directory with modules.dep: path itself or one below it."""
    if not path:
        return None
    tries = (path, os.path.join(path, release),
             os.path.join(path, "lib/modules", release))
    for candidate in tries:
        if os.path.exists(os.path.join(candidate, "modules.dep")):
            return os.path.abspath(candidate)
    raise Refusal(f"no modules.dep of {release} in {path}: give the directory "
                  "where 'make modules_install INSTALL_MOD_PATH=' put them")


def tree_modules(cache, tree, release):
    """Install a build tree's modules into the cache, stripped."""
    target = os.path.join(cache, "trees", release)
    order = os.path.join(tree, "modules.order")
    if not os.path.exists(order) or os.path.getsize(order) == 0:
        return built_in_only(tree, target, release)
    shutil.rmtree(target, ignore_errors=True)
    run(["make", "-s", "-C", tree, "modules_install", "INSTALL_MOD_STRIP=1",
         f"INSTALL_MOD_PATH={os.path.abspath(target)}"])
    return modules_dir(target, release)


def built_in_only(tree, target, release):
    """A modules directory without modules: it says what needs no loading."""
    listed = os.path.join(tree, "modules.builtin")
    if not os.path.exists(listed):
        return None
    home = os.path.join(target, "lib/modules", release)
    dep = os.path.join(home, "modules.dep")
    if not os.path.exists(dep) or os.path.getmtime(dep) < os.path.getmtime(listed):
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(home)
        shutil.copy(listed, home)
        run(["depmod", "-b", target, release])
    return modules_dir(target, release)


def local_kernel(cache, path, modules):
    tree = None
    if os.path.isdir(path):
        tree = path
        path = os.path.join(tree, "arch/x86/boot/bzImage")
        if not os.path.exists(path):
            raise Refusal(f"{tree} has no arch/x86/boot/bzImage: "
                          "build it with 'make bzImage modules' first")
    release = image_release(path)
    if modules or not tree:
        modules = modules_dir(modules, release)
    else:
        with cache_lock(cache):
            modules = tree_modules(cache, tree, release)
    return Kernel(release, os.path.abspath(path), modules, release)


def find_kernel(cache, spec, modules=None):
    """The kernel that KERNEL= names."""
    if spec.startswith("debian:"):
        if modules:
            raise Refusal(f"MODULES= goes with a bzImage, not with {spec}")
        return debian_kernel(cache, spec[len("debian:"):])
    if os.path.exists(spec):
        return local_kernel(cache, spec, modules)
    if ":" in spec and "/" not in spec:
        raise Refusal(f"'{spec}' is no source of kernels: give debian:SERIES, "
                      "debian:newest, a bzImage or a build tree")
    raise Refusal(f"no kernel {spec}: give debian:SERIES, debian:newest, "
                  "a bzImage or a build tree")


# -- kselftest files ---------------------------------------------------

def ksft_dir(cache, series):
    series = parse_series(series)
    with cache_lock(cache):
        archive = debian.Archive(os.path.join(cache, "apt"))
        if series == "newest":
            series = newest_series(cache, "source", archive)
        home = os.path.join(cache, "ksft", series)
        if not os.path.isdir(home):
            package = find_package(archive, "source", series)
            say(f"fetching {package.name} ({package.version})")
            fetch_into(cache, home,
                       lambda scratch: unpack_ksft(archive, package, scratch))
    return os.path.join(home, SELFTESTS)


def unpack_ksft(archive, package, scratch):
    """Out of the tarball inside the package, never all of it on the disk."""
    result = os.path.join(scratch, "result")
    os.mkdir(result)
    deb, = archive.download([package], scratch)
    tarball = f"./usr/src/{package.name}.tar.xz"
    wanted = [f"{package.name}/{path}" for path in KSFT_FILES + KSFT_MAY_LACK]
    lacking = "|".join(f"{package.name}/{path}" for path in KSFT_MAY_LACK)
    pipeline(["dpkg-deb", "--fsys-tarfile", deb],
             ["tar", "-xO", tarball],
             ["tar", "-xJ", "-C", result, "--strip-components=1",
              "--no-same-owner", *wanted],
             harmless=f"({lacking}): Not found in archive|"
             "Exiting with failure status")


# -- helpers -----------------------------------------------------------

def say(text):
    print(f"# {text}", file=sys.stderr, flush=True)


def run(command):
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise Refusal(f"{command[0]} failed: {lines[-1]}")


def pipeline(*commands, harmless=None):
    """Run the commands as a pipe; the last one's complaint is reported.

    A complaint all of whose lines match harmless is none.
    """
    procs = []
    feed = subprocess.DEVNULL
    for command in commands:
        last = command is commands[-1]
        proc = subprocess.Popen(
            command, stdin=feed, text=last,
            stdout=subprocess.DEVNULL if last else subprocess.PIPE,
            stderr=subprocess.PIPE if last else subprocess.DEVNULL)
        if feed is not subprocess.DEVNULL:
            feed.close()
        feed = proc.stdout
        procs.append(proc)
    try:
        complaint = procs[-1].communicate()[1].strip().splitlines()
        failed = [proc for proc in procs if proc.wait()]
        if harmless and complaint and all(re.search(harmless, line)
                                          for line in complaint):
            failed = [proc for proc in failed if proc is not procs[-1]]
    finally:
        for proc in procs:
            proc.kill()
    if failed:
        if any(os.strerror(errno.ENOSPC) in line for line in complaint):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise Refusal(f"unpacking failed: {(complaint or ['no message'])[0]}")


def unpack(deb, root, options):
    pipeline(["dpkg-deb", "--fsys-tarfile", deb],
             ["tar", "-x", "-C", root, "--no-same-owner", *options])


@contextlib.contextmanager
def refusals(status=None):
    """Turn what goes wrong into one sentence and an exit status."""
    try:
        yield
    except Refusal as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        sys.exit(status or refusal.status)
    except debian.Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(2)
    except OSError as err:
        about = f": {err.filename}" if err.filename else ""
        if err.errno == errno.ENOSPC:
            about += "; make room or set CACHE= and OUT= elsewhere"
        print(f"error: {err.strerror}{about}", file=sys.stderr)
        sys.exit(2)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", default=".cache")
    commands = parser.add_subparsers(dest="command", required=True)
    kernel = commands.add_parser("kernel")
    kernel.add_argument("spec")
    kernel.add_argument("modules", nargs="?")
    ksft = commands.add_parser("ksft")
    ksft.add_argument("series")
    args = parser.parse_args()
    cache = os.path.abspath(args.cache)

    with refusals():
        if args.command == "ksft":
            print(ksft_dir(cache, args.series))
        else:
            found = find_kernel(cache, args.spec, args.modules)
            print(found.image)
            print(found.modules or "")
