#!/usr/bin/env python3
"""The examples print what they say, and the README shows them as they are.

Usage: examples_test.py QUICK_START DYNAMIC_QUICK_START INTERPRETER
"""
import os
import pathlib
import subprocess
import sys
import unittest

QUICK_START, DYNAMIC_QUICK_START, INTERPRETER = sys.argv[1:4]
ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = sorted((ROOT / "tests/examples/programs").glob("*.lisp"))


def run(program):
    return subprocess.run([program], capture_output=True, text=True, timeout=60)


def interpret(text, **options):
    variables = {f"TENURE_{name.upper()}": str(value) for name, value in options.items()}
    return subprocess.run([INTERPRETER], input=text, capture_output=True, text=True, timeout=250,
                          env={**os.environ, **variables})


class Interpreter(unittest.TestCase):
    def expect_known_output(self, **options):
        self.assertGreater(len(PROGRAMS), 1)
        for program in PROGRAMS:
            with self.subTest(program=program.name, **options):
                done = interpret(program.read_text(), **options)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(done.stdout, program.with_suffix(".out").read_text())

    def test_it_runs_programs(self):
        self.expect_known_output()

    def test_it_keeps_no_pointer_over_a_safepoint(self):
        # Not 1, which has the verifier walk all that was promoted at each allocation: minutes. Each
        # place that allocates meets a collection as well, as 7 divides no loop of the programs.
        self.expect_known_output(collect_every=7)

    def test_its_heap_is_sound_with_any_number_of_generations(self):
        for generations in (1, 2, 8):
            self.expect_known_output(generations=generations, collect_every=97, verify="on")

    def test_it_says_what_is_wrong_with_a_program(self):
        for text, sentence in ((")", "a closing parenthesis without an opening one"),
                               ("(", "the text ends inside a list"), ("(head 1)", "1 is no pair"),
                               ("(1 2)", "1 is no function"), ("(define)", "() is no name"),
                               ("(put (array 3) 3 1)", "there is no item 3")):
            with self.subTest(text=text):
                done = interpret(text)
                self.assertEqual((done.returncode, done.stderr), (1, sentence + "\n"))


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
