# SPDX-License-Identifier: GPL-2.0-only
"""What iobench.py makes of what pmem_bench and fio say."""
import glob
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from boot.kernels import Refusal
from measure import iobench


def ours(**rates):
    return json.dumps({"jobs": [{"job": name, "bytes_per_second": rate}
                                for name, rate in rates.items()]})


def fio(rw, rate, error=0):
    return json.dumps({"jobs": [{"error": error, rw: {"bw_bytes": rate}}]})


def listen(*lines):
    listener = iobench.Listener(lambda text: None, iobench.JOBS)
    for line in lines:
        listener.line(line)
    return listener


def said(number, line, tool, text, status=0):
    return (f"iobench: begin {number} {line} {tool}", *text.split("\n"),
            f"iobench: end {status}")


class Pairs(unittest.TestCase):
    def test_a_round_of_each(self):
        pair = listen(*said(0, 0, "ours", ours(load=300, dram_load=310)),
                      *said(0, 0, "theirs", fio("read", 200))).pairs[0]
        self.assertEqual((pair.ours, pair.fio, pair.dram), ([300], [200], [310]))
        found = iobench.summary(iobench.JOBS[0], pair)
        self.assertEqual((found["ratio_fio"], found["ratio_dram"]), (1.5, 0.968))

    def test_medians_are_compared(self):
        pair = iobench.Pair()
        pair.ours, pair.fio = [1, 10, 100], [5, 5, 5]
        self.assertEqual(iobench.summary(iobench.JOBS[8], pair)["ratio_fio"], 2)

    def test_every_job_is_one_of_pmem_bench(self):
        source = ""
        for path in glob.glob(os.path.join(iobench.vm.ROOT, "bench/job*.c")):
            with open(path, encoding="ascii") as f:
                source += f.read()
        for job in iobench.JOBS:
            self.assertIn(f'.name = "{job.name}",', source)
            if job.rw == "write":
                self.assertRegex(job.name, "store|write")


class Trouble(unittest.TestCase):
    def test_a_tool_that_fails_is_told(self):
        listener = listen(*said(0, 0, "theirs", "", 1), "iobench: said no such engine")
        found = iobench.summary(iobench.JOBS[0], listener.pairs[0])
        self.assertEqual(found["said"], "theirs ended with status 1; no such engine")
        self.assertNotIn("ratio_fio", found)
        self.assertIn("no such engine", "\n".join(iobench.table([found])))

    def test_no_number_is_none(self):
        for text in ("nonsense", fio("read", 0), fio("read", 5, error=22), "{}",
                     fio("write", 5)):
            pair = listen(*said(0, 0, "theirs", text)).pairs[0]
            self.assertEqual(pair.fio, [])
            self.assertTrue(pair.said)

    def test_a_script_that_ends_too_soon(self):
        with self.assertRaises(Refusal):
            listen("@@ end iobench 4 at 3.2")
        with self.assertRaises(Refusal):
            listen("iobench: cannot run: no device for ext4")


class Whole(unittest.TestCase):
    def test_table_and_numbers(self):
        shown = []
        listener = iobench.Listener(shown.append, iobench.JOBS)
        for line in ("iobench: table", "a line", "iobench: json", '{"jobs": []}',
                     "iobench: over", "@@ end iobench 0 at 9.9"):
            listener.line(line)
        self.assertEqual(shown, ["a line"])
        self.assertEqual(json.loads(listener.numbers), {"jobs": []})


class Picking(unittest.TestCase):
    def test_by_glob(self):
        self.assertEqual(len(iobench.picked([])), len(iobench.JOBS))
        self.assertEqual({j.memory for j in iobench.picked(["fsdax.uring*"])}, {"fsdax"})
        with self.assertRaises(Refusal):
            iobench.picked(["nothing"])


class LeftOut(unittest.TestCase):
    WHOLE = {"failed": 0, "jobs": [{"memory": name} for name in iobench.MEMORIES],
             "touch": [{"memory": name, "page": page} for name, page in iobench.TOUCHED]}

    def test_nothing(self):
        self.assertEqual(iobench.left_out(self.WHOLE), "")

    def test_a_memory_without_a_line(self):
        self.assertEqual(iobench.left_out({**self.WHOLE, "jobs": self.WHOLE["jobs"][:-1]}),
                         "sector")

    def test_a_page_size_that_was_not_touched(self):
        self.assertEqual(iobench.left_out({**self.WHOLE, "touch": self.WHOLE["touch"][1:]}),
                         "devdax.pte.touch")

    def test_jobs_that_failed(self):
        self.assertIn("2 jobs", iobench.left_out({**self.WHOLE, "failed": 2}))


if __name__ == "__main__":
    unittest.main()
