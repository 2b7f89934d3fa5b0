# SPDX-License-Identifier: GPL-2.0-only
"""The full source of a Debian kernel, unpacked into the cache to be built.

    python3 lab source [--cache DIR] source SERIES|newest
        prints the directory, .cache/build/SERIES

A tree that is there is left as it is, built or changed: remove it to fetch it again.
Exit status: 0, 2 when it cannot be done, 3 when the archive has no such series.
"""
import argparse
import fcntl
import os
import tempfile

from boot import archive as debian, kernels

# The package, its tarball unpacked, and the objects of a small kernel
ROOM = 5 * kernels.GIB


def source_tree(cache, series):
    series = kernels.parse_series(series)
    archive = debian.Archive(os.path.join(cache, "apt"))
    if series == "newest":
        with kernels.cache_lock(cache):
            series = kernels.newest_series(cache, "source", archive)
    home = os.path.join(cache, "build", series)
    os.makedirs(os.path.dirname(home), exist_ok=True)
    # A lock of its own: unpacking takes minutes that other runs need not wait
    with open(os.path.join(cache, "source.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(home):
            fetch_tree(cache, archive, series, home)
    return home


def fetch_tree(cache, archive, series, home):
    kernels.need_room(cache, ROOM)
    with tempfile.TemporaryDirectory(prefix="source-", dir=cache) as scratch:
        with kernels.cache_lock(cache):
            package = kernels.find_package(archive, "source", series)
            kernels.say(f"fetching {package.name} ({package.version})")
            deb, = archive.download([package], scratch)
        kernels.say(f"unpacking {package.name}")
        result = os.path.join(scratch, "result")
        os.mkdir(result)
        kernels.pipeline(
            ["dpkg-deb", "--fsys-tarfile", deb],
            ["tar", "-xO", f"./usr/src/{package.name}.tar.xz"],
            ["tar", "-xJ", "-C", result, "--strip-components=1",
             "--no-same-owner"])
        os.rename(result, home)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", default=".cache")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("source").add_argument("series")
    args = parser.parse_args()
    with kernels.refusals():
        print(source_tree(os.path.abspath(args.cache), args.series))
