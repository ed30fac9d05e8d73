#!/usr/bin/env python3
"""The binary interface is what was promised: the functions that the library shows, each with its
version, and the layouts of the header's structs equal tests/capi/abi.txt, and the header declares
exactly those functions.

Usage: abi_test.py LIBRARY LAYOUTS [--write]

With --write the promise is written anew: for additions, which the next reader of the diff sees.
"""
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMISE = ROOT / "tests/capi/abi.txt"
LIBRARY, LAYOUTS = sys.argv[1:3]


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def shown():
    """`function NAME@@VERSION` for all that the library shows, its version node left out."""
    lines = (line.split() for line in output("nm", "-D", "--defined-only", LIBRARY).splitlines())
    return sorted(f"function {name} {kind}" for _, kind, name in lines if kind != "A")


def facts():
    return shown() + output(LAYOUTS).splitlines()


class Abi(unittest.TestCase):
    maxDiff = None

    def test_it_is_what_was_promised(self):
        self.assertEqual(facts(), PROMISE.read_text().splitlines())

    def test_the_header_declares_each_function_that_is_shown(self):
        header = (ROOT / "include/tenure/tenure.h").read_text()
        header = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
        declared = set(re.findall(r"\b(tenure_\w+)\(", header))
        self.assertEqual(declared, {line.split()[1].split("@")[0] for line in shown()})


if __name__ == "__main__":
    if sys.argv[3:] == ["--write"]:
        PROMISE.write_text("\n".join(facts()) + "\n")
    else:
        unittest.main(argv=[sys.argv[0]])
