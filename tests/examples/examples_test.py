#!/usr/bin/env python3
"""The examples print what they say, and the README shows them as they are.

Usage: examples_test.py QUICK_START DYNAMIC_QUICK_START
"""
import pathlib
import subprocess
import sys
import unittest

QUICK_START, DYNAMIC_QUICK_START = sys.argv[1:3]
ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(program):
    return subprocess.run([program], capture_output=True, text=True, timeout=60)


class Examples(unittest.TestCase):
    def test_the_typed_quick_start_gets_its_garbage_back(self):
        done = run(QUICK_START)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, "2 tensors and 5 MiB came back\n")

    def test_the_dynamic_quick_start_prints_one_line_and_nothing_else(self):
        done = run(DYNAMIC_QUICK_START)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, "Memory usage: 1.0 MB\n")

    def test_the_readme_shows_the_quick_start_as_it_is(self):
        source = (ROOT / "examples/quick_start.cpp").read_text()
        self.assertIn(source.split("\n", 1)[1], (ROOT / "README.md").read_text())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
