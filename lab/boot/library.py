# SPDX-License-Identifier: GPL-2.0-only
"""libhdrhistogram from a newer Debian, for machines whose own has none.

    python3 lab library [--cache DIR]
        prints a directory with include/ and lib/; fetched once, then kept

Only the static library is taken: nothing of the machine changes, and what is built
runs elsewhere too.  Exit status: 0, 2 when it cannot be had (what is built then goes
without).
"""
import argparse
import glob
import os
import shutil

from boot import archive as debian, kernels

PACKAGE = "libhdr-histogram-dev"


def hdr_home(cache):
    home = os.path.join(cache, "hdr")
    with kernels.cache_lock(cache):
        if not os.path.isdir(home):
            archive = debian.Archive(os.path.join(cache, "apt"))
            package = archive.newest_named(PACKAGE)
            if not package:
                raise kernels.Refusal(f"the archive has no {PACKAGE}: pmem_bench will "
                                      "be built without percentiles, and do nothing")
            kernels.say(f"fetching {package.name} ({package.version})")
            kernels.fetch_into(cache, home,
                               lambda scratch: unpack(archive, package, scratch))
    return home


def unpack(archive, package, scratch):
    root, result = (os.path.join(scratch, name) for name in ("root", "result"))
    os.mkdir(root)
    os.makedirs(os.path.join(result, "lib"))
    deb, = archive.download([package], scratch)
    kernels.unpack(deb, root, [])
    found = glob.glob(os.path.join(root, "usr/lib/*/libhdr_histogram*.a"))
    if not found:
        raise kernels.Refusal(f"package {package.name} holds no static library")
    shutil.move(found[0], os.path.join(result, "lib/libhdr_histogram.a"))
    shutil.move(os.path.join(root, "usr/include"), os.path.join(result, "include"))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", default=".cache")
    args = parser.parse_args()
    with kernels.refusals():
        print(hdr_home(os.path.abspath(args.cache)))
