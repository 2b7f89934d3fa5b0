# SPDX-License-Identifier: GPL-2.0-only
"""Where the guest's memory comes from, and where it lies."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from boot import backends, qemu
from boot.kernels import Refusal

GIB = backends.GIB
MIB = backends.MIB


class Choice(unittest.TestCase):
    def test_words(self):
        self.assertEqual(backends.parse("e820"), ("e820",))
        self.assertEqual(backends.parse(" virtio,nfit virtio "), ("virtio", "nfit"))
        for text in ("", "cxl", "nfit;e820", "NFIT"):
            with self.subTest(text=text), self.assertRaises(Refusal):
                backends.parse(text)

    def test_they_take_turns(self):
        names = [each.backend for each in backends.namespaces(("e820", "virtio"))]
        self.assertEqual(names[:4], ["e820", "virtio"] * 2)

    def test_nothing_of_the_list_is_lost(self):
        want = [each.size for each in backends.namespaces(backends.DEFAULT)]
        for each, size in zip(backends.namespaces(backends.BACKENDS), want):
            self.assertGreaterEqual(each.size, size)
        have = [size for backend in backends.BACKENDS
                for size in backends.sizes(backends.BACKENDS, backend)]
        self.assertEqual(len(have), len(want))

    def test_regions_are_whole_sections(self):
        for size in (backends.sizes(("e820",), "e820") +
                     backends.sizes(("virtio",), "virtio")):
            self.assertEqual(size % backends.SECTION, 0)
            # QEMU refuses what is no multiple of its alignment
            self.assertEqual(size % backends.alignment(size), 0)

    def test_what_init_reads(self):
        for line in backends.table(("virtio",)).splitlines():
            backend, label, mode, align, where, size = line.split()
            self.assertEqual(backend, "virtio")
            self.assertTrue(label.startswith("ksft-dax-"))
            self.assertIn(mode, ("devdax", "fsdax"))
            self.assertIn(where, ("ram", "pmem"))
            self.assertTrue(int(align) and int(size))


class Ram(unittest.TestCase):
    def test_without_any_it_is_as_asked(self):
        self.assertEqual(backends.in_ram(GIB, []), ([], GIB))

    def test_parts_do_not_meet(self):
        sizes = [3 * GIB, 128 * MIB, 384 * MIB, GIB]
        for memory in (GIB, 2 * GIB, 2049 * MIB, 4 * GIB, 8 * GIB):
            parts, total = backends.in_ram(memory, sizes)
            end = 0
            for (start, size), wanted in zip(parts, sizes):
                self.assertGreaterEqual(start, end + backends.SECTION)
                self.assertGreaterEqual(size, wanted)
                self.assertEqual(start % backends.alignment(wanted), 0)
                end = start + size
            # All of it is RAM of the machine, which has a hole below 4 GiB
            self.assertLessEqual(end, backends.HIGH + total - backends.LOW)
            # And what was asked for is left
            self.assertGreaterEqual(
                parts[0][0] - backends.HIGH + backends.LOW, memory)

    def test_kernel_s_words(self):
        self.assertEqual(backends.kernel_arguments([(6 * GIB, 128 * MIB)]),
                         " nokaslr memmap=128M!6144M")

    def test_the_last_part_may_be_for_devices_that_are_made(self):
        parts = [(6 * GIB, 128 * MIB), (7 * GIB, 256 * MIB)]
        self.assertEqual(backends.kernel_arguments(parts, dynamic=True),
                         " nokaslr memmap=128M!6144M memmap=256M%7168M-1+0xefffffff")


class Options(unittest.TestCase):
    def test_nothing_of_what_is_not_wanted(self):
        self.assertEqual(qemu.nvdimm_options([]), ([], [], 0))
        self.assertEqual(qemu.virtio_options([]), ([], [], 0))

    def test_a_virtio_device_for_each(self):
        options, fds, room = qemu.virtio_options([3 * GIB, 128 * MIB])
        self.addCleanup(lambda: [os.close(fd) for fd in fds])
        self.assertEqual(options.count("-device"), 2)
        self.assertEqual(os.fstat(fds[0]).st_size, 3 * GIB)
        self.assertEqual(room, 4 * GIB)


if __name__ == "__main__":
    unittest.main()
