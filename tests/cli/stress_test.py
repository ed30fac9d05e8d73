#!/usr/bin/env python3
"""`tenure stress`: what it finds, what it does, and how a failing seed is run again.

Usage: stress_test.py PROGRAM DATA_FOLDER
"""
import re
import shlex
import sys
import unittest

from program import Case, run


class Stress(Case):
    def test_finds_nothing_in_a_sound_heap(self):
        done = run("stress", "--seed", "1..2", "--ops", "20000")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("nothing lost, nothing left"), 2)

    def test_does_something_of_each_kind(self):
        done = run("stress", "--ops", "20000", "--mode", "incremental")
        for what in ("full collections", "cycles", "weak references cleared", "entries dropped", "finalizers ran"):
            self.assertRegex(done.stdout, rf" [1-9][0-9,]* {what}")

    def test_runs_at_every_number_of_generations(self):
        for generations in range(1, 9):
            done = run("stress", "--seed", "3", "--ops", "5000", "--set", f"generations={generations},verify=on")
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_collects_at_every_allocation_when_asked(self):
        done = run("stress", "--seed", "5", "--ops", "2000", "--set", "collect_every=1,verify=on")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_runs_every_mode_that_there_is(self):
        done = run("stress", "--ops", "5000", "--mode", "all")
        self.assertEqual(done.returncode, 0, done.stderr)
        for mode in ("manual", "automatic", "incremental", "concurrent", "adaptive"):
            self.assertIn(f", {mode}, ", done.stdout)

    def test_loses_nothing_without_write_barriers(self):
        for mode in ("manual", "automatic", "adaptive"):
            for generations in (2, 3, 5):
                done = run("stress", "--seed", "4", "--ops", "5000", "--mode", mode,
                           "--set", f"generations={generations},verify=on,write_barriers=off")
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_runs_threads_that_post_to_each_other(self):
        done = run("stress", "--ops", "20000", "--threads", "2..4", "--generations", "1..3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("nothing lost, nothing left"), 9)

    def test_says_how_to_run_a_failing_seed_again(self):
        # A heap too small for what the draws keep alive.
        limit = ("--set", "heap_limit=2MiB,nursery=256KiB,old_start=1MiB")
        done = run("stress", "--seed", "7", "--ops", "200000", "--mode", "manual", *limit)
        self.assertEqual(done.returncode, 1, done.stdout)
        command = re.search(r"again with: tenure (.*)\n", done.stderr).group(1)
        again = run(*shlex.split(command))
        self.assertEqual((again.returncode, again.stderr), (1, done.stderr))

    def test_says_it_with_lists_as_long_as_the_generations(self):
        limit = ("--set", "generations=5,promotion_age=1/2/1/2,"
                 "heap_limit=2MiB,nursery=256KiB,old_start=1MiB")
        done = run("stress", "--seed", "7", "--ops", "200000", "--mode", "manual", *limit)
        self.assertEqual(done.returncode, 1, done.stdout)
        command = re.search(r"again with: tenure (.*)\n", done.stderr).group(1)
        self.assertIn("promotion_age=1/2/1/2", command)
        self.assertNotIn("collection_ratio", command)
        again = run(*shlex.split(command))
        self.assertEqual((again.returncode, again.stderr), (1, done.stderr))

    def test_refuses_modes_generations_and_threads_that_are_none(self):
        for option, value in (("--mode", "sometimes"), ("--generations", "9"), ("--generations", "0"),
                              ("--threads", "0"), ("--threads", "4..1")):
            self.expect_refusal(run("stress", "--ops", "10", option, value), value)

    def test_ends_with_the_largest_seed(self):
        done = run("stress", "--seed", 2**64 - 1, "--ops", "10")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("\n"), 1)

    def test_refuses_operations_that_are_none(self):
        for operations in ("-1", "1e6", "x", 2**64):
            self.expect_refusal(run("stress", f"--ops={operations}"), "--ops")

    def test_refuses_what_opens_no_runtime(self):
        self.expect_refusal(run("stress", "--set", "device=abacus"), "abacus")

    def test_refuses_seeds_that_are_none(self):
        for seeds in ("x", "5..1", "1..", "-3"):
            self.expect_refusal(run("stress", f"--seed={seeds}"), "--seed")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
