"""What the tests of the program `tenure` share. Their first argument is the program, their second the folder
of traces."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM, DATA = sys.argv[1], pathlib.Path(sys.argv[2])
HEADER = "op,id,bytes,stream,t_us,device,site\n"


def run(*arguments, **environment):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=250,
                          env={**os.environ, **environment})


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def trace(self, text, name="trace.csv"):
        path = self.folder / name
        path.write_text(HEADER + text)
        return path

    def expect_refusal(self, done, *naming):
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("tenure: "), done.stderr)
        for name in naming:
            self.assertIn(name, done.stderr)
