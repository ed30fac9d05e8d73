#!/usr/bin/env python3
"""docs/surface.md is true to the sources: each test that it names is there, no promise stands twice, a
proven one names a test and nothing missing; and where the promise itself lies beside the checkout, each of
its rows has a line. Prints how many are proven, partly and not there yet."""
import collections
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMISE = ROOT.parent / "shared/design/SURFACE.md"
STATES = ("proven", "partly", "not there yet")


class Row:
    def __init__(self, section, cells):
        self.section = section
        self.promise, self.state, proofs, self.missing = cells
        self.proofs = re.findall(r"`([^`]+)`", proofs)

    def __str__(self):
        return f"section {self.section}, {self.promise}"


def cells_of(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def tables_of(text):
    """Each row of each table, its head left out, with the number of its section."""
    section, lines = 0, text.splitlines()
    for before, line in zip([""] + lines, lines):
        if found := re.match(r"## (\d+)\.", line):
            section = int(found[1])
        if line.startswith("|") and before.startswith("|") and not set(line) <= set("|-: "):
            yield section, cells_of(line)


def rows_of_page():
    return [Row(section, cells) for section, cells in tables_of((ROOT / "docs/surface.md").read_text())]


def promises():
    """What the promise lists: the first cell of each row of its tables, and its numbered points."""
    text = PROMISE.read_text()
    for section, cells in tables_of(text):
        if 2 <= section <= 10:
            yield section, cells[0]
    points = text[text.index("## 11."):]
    for number in re.findall(r"^(\d+)\. ", points, flags=re.M):
        yield 11, number


def names_in(path):
    """The tests that a file defines, as the page names them."""
    text = path.read_text()
    if path.suffix in (".cpp", ".hpp", ".cu"):
        found = re.findall(r"^(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", text, flags=re.M)
        return {f"{suite}.{name}" for suite, name in found}
    if path.suffix == ".c":
        return set(re.findall(r"^static void (\w+)\(", text, flags=re.M))
    names, suite = set(), ""
    for line in text.splitlines():
        if found := re.match(r"class (\w+)", line):
            suite = found[1]
        if found := re.match(r"(\s*)def (test\w*)\(", line):
            names.add(f"{suite}.{found[2]}" if found[1] else found[2])
    return names


def fault_of(proof):
    """Why a test that the page names is none; empty where it is one."""
    path, _, name = proof.partition("::")
    whole = path.startswith(("bench/", "install/"))  # they are run as they are
    file = ROOT / path if path.startswith("bench/") else ROOT / "tests" / path
    if not file.is_file():
        return f"there is no {path}"
    if name and name not in names_in(file):
        return f"{path} has no test {name}"
    return "" if name or whole else f"{path} is a file of tests: name one"


class Surface(unittest.TestCase):
    def setUp(self):
        self.rows = rows_of_page()

    def test_each_test_that_is_named_is_there(self):
        for row in self.rows:
            for proof in row.proofs:
                with self.subTest(promise=str(row)):
                    self.assertEqual(fault_of(proof), "")

    def test_a_test_that_is_not_there_is_found_out(self):
        self.assertIn("has no test", fault_of("door/pins_test.cpp::Pins.AreRootsOfAll"))
        self.assertIn("has no test", fault_of("capi/objects_test.c::nothing"))
        self.assertIn("has no test", fault_of("python/test_objects.py::test_nothing"))
        self.assertIn("there is no", fault_of("door/nothing_test.cpp::Pins.AreRoots"))
        self.assertIn("name one", fault_of("door/pins_test.cpp"))
        self.assertEqual(fault_of("door/pins_test.cpp::Pins.AreRoots"), "")

    def test_no_promise_stands_twice(self):
        counts = collections.Counter((row.section, row.promise) for row in self.rows)
        self.assertEqual([at for at, count in counts.items() if count > 1], [])

    def test_a_state_says_what_is_proved_and_what_is_missing(self):
        for row in self.rows:
            with self.subTest(promise=str(row)):
                self.assertIn(row.state, STATES)
                self.assertEqual(bool(row.proofs), row.state != "not there yet")
                self.assertEqual(bool(row.missing), row.state != "proven")

    @unittest.skipUnless(PROMISE.is_file(), "the promise does not lie beside this checkout")
    def test_no_promise_is_left_out(self):
        promised = list(promises())
        self.assertGreater(len(promised), 100)
        here = {(row.section, row.promise) for row in self.rows}
        self.assertEqual([at for at in promised if at not in here], [])
        self.assertEqual([at for at in here if at not in promised and at[0] != 1], [])


if __name__ == "__main__":
    counts = collections.Counter(row.state for row in rows_of_page())
    print(", ".join(f"{counts[state]} {state}" for state in STATES), flush=True)
    if not PROMISE.is_file():
        print("whether a promise is left out was not looked at: its text does not lie beside this checkout")
    unittest.main(argv=sys.argv)
