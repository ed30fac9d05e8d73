#!/usr/bin/env python3
"""Removes each barrier and each fence of the kernels in turn, in a scratch copy, and says which test
noticed, and how. One that nobody misses is redundant, badly tested, or of a kind that the emulator
cannot show; the table in docs/kernels.md says which.

Usage: mutate_kernels.py [--folder FOLDER] [--only EXPRESSION]

Needs g++ and GoogleTest, no CUDA toolkit. Each mutant is run in order and in drawn orders of lanes,
and, where that shows nothing, under the thread sanitizer.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPIED = ("core", "include", "kernels", "tests/kernels", "tests/simt", "tests/support")
MUTATED = ("kernels/*.cuh", "include/tenure/device/*.cuh")
WORDS = re.compile(r"(?P<word>__syncthreads|__syncwarp|__threadfence|__threadfence_system|"
                   r"device::grid_barrier)\(\);|(?P<either>__syncthreads_or)\(")
# What has the kernels inside, and is compiled anew for each mutant.
WITH_KERNELS = ("tests/simt/launch_emulated.cpp", "tests/simt/arena_probe.cpp")
WITHOUT = ("tests/simt/block.cpp", "tests/simt/context.cpp", "tests/simt/engine.cpp",
           "tests/simt/launch_hook.cpp", "tests/simt/device_memory.cpp",
           "core/model/serial_marker.cpp", "core/base/check.cpp", "tests/kernels/arena_test.cpp",
           "tests/kernels/contract_test.cpp",
           "tests/kernels/heap_test.cpp", "tests/kernels/mark_test.cpp",
           "tests/simt/arena_report_test.cpp")
KINDS = {
    "plain": ["-O2", "-DTENURE_TEST_SHARE=1"],
    "tsan": ["-O1", "-g1", "-fsanitize=thread", "-DTENURE_TEST_SHARE=50"],
}
SECONDS = {"plain": 60, "tsan": 300}


def places_of(folder):
    """(file, start, end, text that stands there instead, the word) of each barrier and fence."""
    for pattern in MUTATED:
        for file in sorted(folder.glob(pattern)):
            text = file.read_text()
            for match in WORDS.finditer(text):
                if match["either"]:
                    yield file, match.start(), match.end() - 1, "", match["either"]
                else:
                    yield file, match.start(), match.end(), "", match["word"]


def line_of(text, place):
    return text.count("\n", 0, place) + 1


def name_of_place(file, start):
    return f"{file.name}:{line_of(file.read_text(), start)}"


class Build:
    """One kind of program: objects that stay, and those that a mutant changes."""

    def __init__(self, folder, kind):
        self.folder, self.kind = folder, kind
        self.objects = [self.compile(source) for source in WITHOUT]

    def compile(self, source):
        output = self.folder / f"{self.kind}.{pathlib.Path(source).stem}.o"
        subprocess.run(["g++", "-std=c++20", "-pthread", *KINDS[self.kind], "-DTENURE_VERIFY=0",
                        "-I", "include", "-I", ".", "-I", "tests/simt", "-c", source,
                        "-o", str(output)],
                       cwd=self.folder, check=True)
        return str(output)

    def run(self):
        """How the tests went: (test, what was seen), or None."""
        program = self.folder / f"{self.kind}.kernels_test"
        changed = [self.compile(source) for source in WITH_KERNELS]
        subprocess.run(["g++", "-pthread", *KINDS[self.kind], *changed, *self.objects,
                        "-lgtest_main", "-lgtest", "-o", str(program)], check=True)
        return noticed(program, SECONDS[self.kind])


def noticed(program, seconds):
    environment = {**os.environ, "TSAN_OPTIONS": "halt_on_error=1:exitcode=66"}
    with subprocess.Popen([str(program), "--gtest_fail_fast"], text=True, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            text = process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return last_test(process.communicate()[0]), "does not end"
    if process.returncode == 0:
        return None
    if "ThreadSanitizer: data race" in text:
        seen = "race"
    elif match := re.search(r"simt: (deadlock|grid barrier|lane \d+|shared memory)", text):
        seen = "deadlock" if match[1] != "shared memory" else match[1]
    elif process.returncode < 0:
        seen = "crash"
    else:
        seen = "wrong result"
    if failed := re.search(r"\[  FAILED  \] (\S+?),? ", text):
        return failed[1], seen
    return last_test(text), seen


def last_test(text):
    tests = re.findall(r"\[ RUN      \] (\S+)", text)
    return tests[-1] if tests else "?"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build" / "mutants")
    parser.add_argument("--only", default="",
                        help="a regular expression: the places, as file:line, that match")
    options = parser.parse_args()
    folder = options.folder.resolve()
    for name in COPIED:
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(ROOT / name, folder / name)

    builds = [Build(folder, kind) for kind in KINDS]
    for build in builds:
        if seen := build.run():
            print(f"without a change, {build.kind}: {seen[0]}: {seen[1]}")
            return 1
    places = [place for place in places_of(folder)
              if re.search(options.only, name_of_place(place[0], place[1]))]
    print("| place | word | noticed by | as |\n|---|---|---|---|", flush=True)
    missed = 0
    for file, start, end, instead, word in places:
        original = file.read_text()
        file.write_text(original[:start] + instead + original[end:])
        seen = next((seen for build in builds if (seen := build.run())), None)
        file.write_text(original)
        line = line_of(original, start)
        test, how = seen or ("-", "not noticed")
        missed += seen is None
        print(f"| {file.relative_to(folder)}:{line} | `{word}` | {test} | {how} |", flush=True)
    print(f"\n{len(places)} removed one by one, {missed} not noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
