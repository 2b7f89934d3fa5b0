# SPDX-License-Identifier: GPL-2.0-only
"""Arguments, the plan, the image, the labels, and a guest that misbehaves."""
import contextlib
import io
import os
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from boot import image, qemu, runner, vm
from boot.kernels import Kernel, Refusal
from report import ktap

CELLS = ["devdax.pte.none.x", "devdax.pmd.none.x", "devdax.pmd.fixed.y"]


class Arguments(unittest.TestCase):
    def test_memory(self):
        self.assertEqual(vm.parse_memory("2048M"), 2 << 30)
        for text in ("", "4", "0G", "512M", "-1G", "4g", "99999G", "1e3G"):
            with self.subTest(text=text), self.assertRaises(Refusal):
                vm.parse_memory(text)

    def test_cpus(self):
        self.assertEqual(vm.parse_cpus("2"), 2)
        for text in ("", "0", "-1", "two", "1000", "2.5"):
            with self.subTest(text=text), self.assertRaises(Refusal):
                vm.parse_cpus(text)

    def test_jobs(self):
        self.assertEqual(vm.parse_jobs("3"), 3)
        self.assertIn(vm.parse_jobs("auto"), range(1, vm.MOST_JOBS + 1))
        for text in ("", "0", "-1", "many", "100"):
            with self.subTest(text=text), self.assertRaises(Refusal):
                vm.parse_jobs(text)

    def test_globs(self):
        for globs, wanted in (([], CELLS), (["*.pmd.*"], CELLS[1:]),
                              (["prog*"], CELLS), (["other*"], []),
                              (["prog.*.fixed.*"], CELLS[2:]),
                              (["*.y", "*.pte.*"], [CELLS[0], CELLS[2]])):
            with self.subTest(globs=globs):
                self.assertEqual(vm.pick("prog", CELLS, globs), wanted)


class Plan(unittest.TestCase):
    def setUp(self):
        self.home = self.enterContext(tempfile.TemporaryDirectory())
        with open(os.path.join(self.home, "prog"), "w", encoding="ascii") as f:
            f.write("#!/bin/sh\nprintf '%s\\n' " + " ".join(CELLS) + "\n")
        os.chmod(f.name, 0o755)

    def test_plan(self):
        plan = vm.make_plan(self.home, ["prog"], ["*.pte.*"])
        self.assertEqual(plan["prog"][1], CELLS[:1])

    def test_glob_that_matches_nothing(self):
        with self.assertRaisesRegex(Refusal, "matches no cell.*-l"):
            vm.make_plan(self.home, ["prog"], ["*.pte.*", "nope"])

    def test_missing_program(self):
        with self.assertRaisesRegex(Refusal, "no program"):
            vm.make_plan(self.home, ["gone"], [])


class Image(unittest.TestCase):
    def test_archive_is_what_cpio_writes(self):
        cpio = image.Cpio()
        cpio.file("a/b/c", b"hello", 0o755)
        data = cpio.done()
        self.assertEqual(len(data) % 4, 0)
        names = []
        place = 0
        while not names or names[-1] != "TRAILER!!!":
            self.assertEqual(data[place:place + 6], b"070701")
            fields = [int(data[place + 6 + 8 * i:place + 14 + 8 * i], 16)
                      for i in range(13)]
            name = data[place + 110:place + 110 + fields[11] - 1]
            names.append(name.decode())
            place += -(-(110 + fields[11]) // 4) * 4
            if names[-1] == "a/b/c":
                self.assertEqual(data[place:place + 5], b"hello")
                self.assertEqual(fields[1], 0o100755)
            place += -(-fields[6] // 4) * 4
        self.assertEqual(names, ["a", "a/b", "a/b/c", "TRAILER!!!"])

    def test_modules_load_what_they_need_first(self):
        with tempfile.TemporaryDirectory() as home:
            with open(os.path.join(home, "modules.dep"), "w",
                      encoding="ascii") as f:
                f.write("k/nd-pmem.ko.xz: k/nd_btt.ko.xz k/libnvdimm.ko.xz\n"
                        "k/nd_btt.ko.xz: k/libnvdimm.ko.xz\n"
                        "k/libnvdimm.ko.xz:\n")
            tree = image.ModuleTree(home)
        self.assertEqual(tree.with_needs("nd_pmem"),
                         ["k/libnvdimm.ko.xz", "k/nd_btt.ko.xz",
                          "k/nd-pmem.ko.xz"])
        self.assertEqual(tree.with_needs("absent"), [])


class Labels(unittest.TestCase):
    def test_sum(self):
        self.assertEqual(qemu.fletcher64(struct.pack("<3I", 1, 2, 3)),
                         10 << 32 | 6)

    def test_index_blocks(self):
        blocks = qemu.empty_labels()
        size = len(blocks) // 2
        for i in (0, 1):
            block = bytearray(blocks[i * size:(i + 1) * size])
            fields = qemu.INDEX.unpack_from(block)
            claimed = fields[-1]
            block[qemu.INDEX.size - 8:qemu.INDEX.size] = bytes(8)
            self.assertEqual(claimed, qemu.fletcher64(bytes(block)))
            self.assertEqual(fields[4:7], (i * size, size, (1 - i) * size))
            self.assertLessEqual(2 * size + fields[8] * 256, qemu.LABEL_AREA)


class FakeMachine:
    """A guest that says its lines and is gone."""

    def __init__(self, text):
        reader, writer = os.pipe()
        os.write(writer, text.encode())
        os.close(writer)
        self.results = os.fdopen(reader, "rb")


class Following(unittest.TestCase):
    START = "@@ up at 1\n@@ begin prog at 2\n"

    def setUp(self):
        self.home = self.enterContext(tempfile.TemporaryDirectory())
        plan = {"prog": ("/nowhere", CELLS)}
        self.run_ = runner.Run(Kernel("k", "", None, "6.1"), plan, self.home, 0.0)
        self.worker = runner.Worker(self.run_, plan, self.run_.console)

    def boot(self, text, console=""):
        with open(self.run_.console, "a", encoding="ascii") as f:
            guest = runner.Guest(self.worker, 1, FakeMachine(text))
            self.addCleanup(guest.machine.results.close)
            f.write(console)
        with contextlib.redirect_stdout(io.StringIO()):
            guest.follow()
            guest.settle()
        return self.run_.in_order()

    def test_panic_costs_one_cell(self):
        results = self.boot(self.START + f"#  RUN           {CELLS[0]} ...\n"
                            f"ok 1 {CELLS[0]}\n"
                            f"#  RUN           {CELLS[1]} ...\n")
        self.assertEqual([r.verdict for r in results], [ktap.PASS, ktap.FAIL])
        self.assertEqual(results[1].kind, "panic")
        self.assertEqual(self.worker.remaining(), {"prog": CELLS[2:]})

    def test_death_between_cells_is_told(self):
        self.boot(self.START + f"#  RUN           {CELLS[0]} ...\n"
                  f"ok 1 {CELLS[0]}\n")
        self.assertEqual(len(self.run_.deaths), 1)
        self.assertIn(CELLS[0], self.run_.deaths[0])

    def test_program_that_dies_costs_one_cell(self):
        results = self.boot(self.START + f"#  RUN           {CELLS[0]} ...\n"
                            "@@ end prog 139\n@@ done\n")
        self.assertEqual([r.kind for r in results], ["failed"])
        self.assertIn("signal 11", results[0].sentence)
        self.assertEqual(self.run_.deaths, [])

    def test_program_that_skips_all(self):
        results = self.boot(self.START + "1..0 # SKIP no device\n"
                            "@@ end prog 4\n@@ done\n")
        self.assertEqual({(r.verdict, r.sentence) for r in results},
                         {(ktap.SKIP, "no device")})
        self.assertEqual(self.worker.remaining(), {})

    def test_silent_program_fails_its_cells(self):
        results = self.boot(self.START + "@@ end prog 0\n@@ done\n")
        self.assertEqual({r.verdict for r in results}, {ktap.FAIL})

    def test_usage_error_ends_the_run(self):
        with self.assertRaisesRegex(Refusal, "no such option"):
            self.boot(self.START + "no such option\n@@ end prog 2\n")

    def test_program_may_ask_for_a_fresh_kernel(self):
        results = self.boot(self.START + f"#  RUN           {CELLS[0]} ...\n"
                            f"# REBOOT dax0.1 is stuck\nok 1 {CELLS[0]}\n"
                            f"#  RUN           {CELLS[1]} ...\n")
        self.assertEqual([r.verdict for r in results], [ktap.PASS])
        self.assertEqual((self.run_.deaths, len(self.run_.remarks)), ([], 1))
        self.assertEqual(self.worker.remaining(), {"prog": CELLS[1:]})

    def test_files_are_whole_after_every_verdict(self):
        self.boot(self.START + f"#  RUN           {CELLS[0]} ...\n"
                  f"ok 1 {CELLS[0]}\n")
        with open(os.path.join(self.home, "results.ktap"),
                  encoding="utf-8") as f:
            results, _ = ktap.parse_ktap(f.read())
        self.assertEqual([r.name for r in results], CELLS[:1])


if __name__ == "__main__":
    unittest.main()
