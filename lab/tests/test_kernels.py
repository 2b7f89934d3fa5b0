# SPDX-License-Identifier: GPL-2.0-only
"""Which kernel is meant, and which package is the newest."""
import os
import struct
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from boot import archive, kernels

IMAGES = """linux-image-5.10.0-46-amd64
linux-image-5.10.0-9-amd64
linux-image-5.10.0-46-cloud-amd64
linux-image-6.12.9+deb13-amd64
linux-image-6.12.9+deb13-rt-amd64
linux-image-6.12.9+deb13-amd64-dbg
linux-image-7.3.4+deb13-amd64
linux-image-7.3.4+deb13-cloud-amd64
linux-image-amd64"""
MADISON = """linux-image-5.10.0-9-amd64 | 5.10.99-1 | http://x a/main amd64 Packages
linux-image-5.10.0-46-amd64 | 5.10.262-1 | http://x b/main amd64 Packages
linux-image-5.10.0-46-amd64 | 5.10.223-1 | http://x a/main amd64 Packages"""
PARTS = """linux-binary-7.3.4+deb13-amd64 | 7.3.4-1 | http://x a/main amd64 Packages
linux-modules-7.3.4+deb13-amd64 | 7.3.4-1 | http://x a/main amd64 Packages
linux-base-7.3.4+deb13-amd64 | 7.3.3-1 | http://x a/main amd64 Packages"""
SHOW = """Package: linux-image-7.3.4+deb13-amd64
Depends: kmod, linux-base-7.3.4+deb13-amd64 (= 7.3.4-1), linux-binary-7.3.4+deb13-amd64 (= 7.3.4-1), linux-modules-7.3.4+deb13-amd64 (= 7.3.4-1)
"""


class Picking(unittest.TestCase):
    def setUp(self):
        answers = {"pkgnames": IMAGES, "madison": MADISON, "show": SHOW}
        self.asked = []

        def answer(_self, *command):
            self.asked.append(command)
            text = answers[command[0]]
            if command[0] == "madison" and not command[1].startswith("linux-image"):
                text = "\n".join(line for line in PARTS.splitlines()
                                 if line.startswith(command[1] + " "))
            return text
        self.enterContext(mock.patch.object(archive.Archive, "_cache", answer))
        self.enterContext(mock.patch.object(archive.Archive, "_update"))
        self.archive = archive.Archive("nowhere")

    def test_series_in_order_of_numbers(self):
        self.assertEqual(self.archive.series("image"), ["7.3", "6.12", "5.10"])

    def test_newest_version_of_a_series(self):
        package = self.archive.newest("image", "5.10")
        self.assertEqual(package, ("linux-image-5.10.0-46-amd64", "5.10.262-1"))
        self.assertNotIn("linux-image-5.10.0-46-cloud-amd64", self.asked[-1])

    def test_series_that_is_not_there(self):
        self.assertIsNone(self.archive.newest("image", "6.1"))

    def test_newest_of_one_name(self):
        self.assertEqual(self.archive.newest_named("linux-image-5.10.0-46-amd64").version,
                         "5.10.262-1")
        self.assertIsNone(self.archive.newest_named("no-such-package"))

    def test_split_package_comes_with_its_parts_that_are_on_offer(self):
        parts = self.archive.with_parts(archive.Package("image", "7.3.4-1"))
        self.assertEqual([part.name for part in parts],
                         ["image", "linux-binary-7.3.4+deb13-amd64",
                          "linux-modules-7.3.4+deb13-amd64"])

    def test_versions_go_by_the_rules_of_dpkg(self):
        self.assertTrue(archive.is_newer("7.3.4-1", "7.3.4-1~bpo13+1"))
        self.assertTrue(archive.is_newer("5.10.100-1", "5.10.99-1"))


class Arguments(unittest.TestCase):
    def setUp(self):
        self.home = self.enterContext(tempfile.TemporaryDirectory())

    def refused(self, spec, modules=None):
        with self.assertRaises(kernels.Refusal) as caught:
            kernels.find_kernel(self.home, spec, modules)
        self.assertNotIn("\n", str(caught.exception))
        self.assertEqual(caught.exception.status, 2)

    def image(self, content):
        path = os.path.join(self.home, "bzImage")
        with open(path, "wb") as f:
            f.write(content)
        return path

    def bzimage(self):
        head = bytearray(0x1000)
        head[0x1fe:0x206] = b"\x55\xaa\0\0HdrS"
        struct.pack_into("<H", head, 0x20e, 0x400)
        head[0x600:0x620] = b"6.1.0-test (builder@host) #1 SMP"
        return self.image(bytes(head))

    def test_bad_ones(self):
        for spec in ("debian:", "debian:6", "debian:../x", "ubuntu:22.04",
                     "/nonexistent", self.home, self.image(b"\x7fELF"),
                     self.image(b"")):
            with self.subTest(spec=spec):
                self.refused(spec)

    def test_modules_without_a_list(self):
        self.refused(self.bzimage(), self.home)

    def test_bzimage(self):
        kernel = kernels.find_kernel(self.home, self.bzimage())
        self.assertEqual((kernel.release, kernel.modules), ("6.1.0-test", None))

    def test_bzimage_with_modules(self):
        place = os.path.join(self.home, "lib/modules/6.1.0-test")
        os.makedirs(place)
        with open(os.path.join(place, "modules.dep"), "w", encoding="ascii"):
            pass
        kernel = kernels.find_kernel(self.home, self.bzimage(), self.home)
        self.assertEqual(kernel.modules, place)

    def test_tree(self):
        boot = os.path.join(self.home, "arch/x86/boot")
        os.makedirs(boot)
        os.rename(self.bzimage(), os.path.join(boot, "bzImage"))
        kernel = kernels.find_kernel(self.home, self.home)
        self.assertEqual(kernel.name, "6.1.0-test")

    def test_tree_without_modules_says_what_is_built_in(self):
        boot = os.path.join(self.home, "arch/x86/boot")
        os.makedirs(boot)
        os.rename(self.bzimage(), os.path.join(boot, "bzImage"))
        with open(os.path.join(self.home, "modules.builtin"), "w",
                  encoding="ascii") as f:
            f.write("kernel/drivers/dax/device_dax.ko\n")
        kernel = kernels.find_kernel(self.home, self.home)
        self.assertTrue({"modules.dep", "modules.builtin.bin"} <=
                        set(os.listdir(kernel.modules)))
        # It is of the cached image's fingerprint: not made anew without need
        before = os.stat(os.path.join(kernel.modules, "modules.dep")).st_mtime_ns
        kernels.find_kernel(self.home, self.home)
        after = os.stat(os.path.join(kernel.modules, "modules.dep")).st_mtime_ns
        self.assertEqual(before, after)

    def test_full_disk_is_seen_before_fetching(self):
        with mock.patch("shutil.disk_usage") as usage:
            usage.return_value.free = 1 << 20
            with self.assertRaises(kernels.Refusal):
                kernels.fetch_into(self.home, os.path.join(self.home, "a/b"),
                                   self.fail)

    def test_nothing_is_left_of_a_failed_fetch(self):
        def fill(scratch):
            self.assertTrue(os.path.isdir(scratch))
            raise OSError("full")
        target = os.path.join(self.home, "kernels/6.1")
        with self.assertRaises(OSError), \
                mock.patch.object(kernels, "need_room"):
            kernels.fetch_into(self.home, target, fill)
        self.assertEqual(os.listdir(os.path.join(self.home)), ["kernels"])
        self.assertEqual(os.listdir(os.path.join(self.home, "kernels")), [])


if __name__ == "__main__":
    unittest.main()
