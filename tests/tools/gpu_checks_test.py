#!/usr/bin/env python3
"""tools/gpu_checks.py over a build folder whose programs are scripts: what it reports of steps that
pass, fail, hang or find no device, and that the rest still runs."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools" / "gpu_checks.py"

MACHINE = ('{"card": "Card", "compute": "9.0", "multiprocessors": 4, "memory_bytes": 8589934592, '
           '"l2_bytes": 1, "cuda_driver": "13.0", "cuda_built_for": "13.0"}')
ROW = '{"group": "copies", "case": "a | b", "value": 2.5, "unit": "GB/s", "levels": 3}'


class GpuChecksTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.build = pathlib.Path(self.folder.name)
        self.tests = []
        self.program("bench", f"""case $1 in
machine) echo '{MACHINE}' ;;
copies) echo '{ROW}'; echo '{{"group": "copies", "case": "c", "left_out": "no room"}}' ;;
esac""")

    def tearDown(self):
        self.folder.cleanup()

    def program(self, name, body):
        file = self.build / name
        file.write_text("#!/bin/sh\n" + body + "\n")
        file.chmod(0o755)

    def checked_program(self, name, body):
        self.program(name, body)
        self.tests.append({"name": name, "program": name, "small": True})

    def run_checks(self, *words):
        manifest = {"version": "1", "architectures": "90", "bench": "bench", "tests": self.tests}
        (self.build / "gpu_checks.json").write_text(json.dumps(manifest))
        done = subprocess.run(
            [sys.executable, "-B", SCRIPT, self.build, "--out", self.build / "out", *words],
            capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": "/usr/bin:/bin"})
        file = self.build / "out" / "gpu.json"
        return done, json.loads(file.read_text()) if file.is_file() else None

    def step(self, report, name):
        return next(step for step in report["steps"] if step["name"] == name)

    def test_says_that_there_is_no_device(self):
        self.program("bench", "echo skipped >&2; exit 77")
        done, report = self.run_checks()
        self.assertEqual(done.returncode, 77)
        self.assertIn("no CUDA device", done.stderr)
        self.assertIsNone(report)

    def test_passes_where_all_steps_do(self):
        self.checked_program("good", "echo '[  PASSED  ] 3 tests.'")
        done, report = self.run_checks()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(report["machine"]["card"], "Card")
        step = self.step(report, "test good")
        self.assertEqual((step["status"], step["reason"]), ("ok", "3 passed"))

    def test_reports_a_failure_and_goes_on(self):
        self.checked_program("bad", "echo it broke; exit 3")
        self.checked_program("good", "echo '[  PASSED  ] 3 tests.'")
        done, report = self.run_checks()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.step(report, "test bad")["reason"], "exit status 3: it broke")
        self.assertEqual(self.step(report, "test good")["status"], "ok")

    def test_never_counts_a_program_that_skipped_all_as_passed(self):
        self.checked_program("idle", "echo '[  PASSED  ] 0 tests.'; echo '[  SKIPPED ] 2 tests.'")
        _, report = self.run_checks()
        self.assertEqual(self.step(report, "test idle")["status"], "skipped")

    def test_ends_a_step_that_passes_its_time_and_keeps_its_figures(self):
        self.program("bench", f"""case $1 in
machine) echo '{MACHINE}' ;;
copies) echo '{ROW}'; exec sleep 60 ;;
esac""")
        done, report = self.run_checks("--limit", "5.5", "--only", "copies", "--only", "marking")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.step(report, "bench copies")["status"], "timeout")
        self.assertEqual(self.step(report, "bench marking")["status"], "left out")
        self.assertEqual(len(report["rows"]), 1)

    def test_writes_every_figure_with_its_unit(self):
        _, report = self.run_checks()
        self.assertEqual(report["rows"][0]["value"], 2.5)
        table = (self.build / "out" / "gpu.md").read_text()
        self.assertIn("| a / b | 2.5 | GB/s | levels 3 |", table)
        self.assertIn("| c | | | left out: no room |", table)

    def test_packs_what_it_runs(self):
        self.checked_program("good", "echo '[  PASSED  ] 3 tests.'")
        self.run_checks("--only", "nothing")
        kit = self.build / "kit"
        done = subprocess.run([sys.executable, "-B", SCRIPT, self.build, "--pack", kit],
                              capture_output=True, text=True, check=False,
                              env={**os.environ, "PATH": ""})
        self.assertEqual(done.returncode, 0, done.stderr)
        again = subprocess.run([sys.executable, "-B", kit / "gpu_checks.py", kit, "--out",
                                kit / "out"], capture_output=True, text=True, check=False)
        self.assertEqual(again.returncode, 0, again.stdout + again.stderr)


if __name__ == "__main__":
    unittest.main()
