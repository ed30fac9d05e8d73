#!/usr/bin/env python3
"""`tenure top`, which looks at a program that runs.

Usage: top_test.py PROGRAM DATA_FOLDER
"""
import os
import re
import shutil
import subprocess
import sys
import time
import unittest

from program import Case, PROGRAM, run


class Top(Case):
    """Looks at a program that runs: another `tenure`, which stresses a heap."""

    def program(self, **environment):
        process = subprocess.Popen([PROGRAM, "stress", "--ops", "1000000000"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env={**os.environ, **environment})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def publishing(self):
        process = self.program(TENURE_PUBLISH_MS="20")
        for _ in range(500):
            done = run("top", process.pid, "--metrics")
            if done.returncode == 0 and "# EOF" in done.stdout:
                return process
            time.sleep(0.02)
        self.fail("it published nothing in ten seconds: " + done.stderr)

    @staticmethod
    def collections_in(look):
        return int(re.search(r"collections ([\d,]+)", look)[1].replace(",", ""))

    def test_shows_a_running_process_time_and_again(self):
        process = self.publishing()
        done = run("top", process.pid, "--every", 0.2, "--count", 3)
        self.assertEqual(done.returncode, 0, done.stderr)
        looks = done.stdout.split("\n\n")
        self.assertEqual(len(looks), 3, done.stdout)
        for look in looks:
            self.assertIn(f"process {process.pid} (tenure), runtime 1 of 1, as of ", look)
        collections = [self.collections_in(look) for look in looks]
        self.assertEqual(collections, sorted(collections))
        for _ in range(100):  # a machine may be slow
            if self.collections_in(run("top", process.pid, "--count", 1).stdout) > collections[0]:
                break
            time.sleep(0.1)
        else:
            self.fail("it still says what it said ten seconds ago: " + looks[0])
        self.assertRegex(looks[2], r"allocated   ([\d.]+ [KMG]?i?B/s|-); ")
        self.assertRegex(looks[2], r"pauses      p50 .*, longest .*; ([\d.]+ % of the time|-)")
        self.assertNotIn("\x1b", done.stdout)

    def test_prints_metrics_for_a_scraper(self):
        done = run("top", self.publishing().pid, "--metrics")
        self.assertTrue(done.stdout.endswith("# EOF\n"), done.stdout)
        self.assertIn("tenure_heap_limit_bytes ", done.stdout)

    def test_lists_the_processes_that_publish(self):
        process = self.publishing()
        self.assertRegex(run("top").stdout, rf"(?m)^ *{process.pid}  tenure$")

    def test_says_when_the_process_ended(self):
        process = self.publishing()
        looking = subprocess.Popen([PROGRAM, "top", str(process.pid), "--every", "0.1"],
                                   stdout=subprocess.PIPE, text=True)
        looking.stdout.readline()
        process.kill()
        process.wait()
        rest = looking.communicate(timeout=60)[0]
        self.assertEqual(looking.returncode, 0)
        self.assertTrue(rest.endswith(f"process {process.pid} ended\n"), rest[-300:])

    def test_refuses_a_process_that_publishes_nothing_and_says_how(self):
        self.expect_refusal(run("top", os.getpid()), str(os.getpid()), "TENURE_PUBLISH_MS")

    def test_refuses_a_process_that_is_not_there(self):
        self.expect_refusal(run("top", 2147483647), "2147483647")

    @unittest.skipUnless(os.geteuid() == 0, "only root may become another user")
    def test_another_user_sees_nothing(self):
        process = self.publishing()
        copy = self.folder / "tenure"
        shutil.copy(PROGRAM, copy)
        self.folder.chmod(0o755)
        done = subprocess.run([copy, "top", str(process.pid), "--count", "1"], capture_output=True, text=True,
                              timeout=60, user="nobody", group="nogroup", extra_groups=[])
        self.expect_refusal(done, str(process.pid))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
