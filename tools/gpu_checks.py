#!/usr/bin/env python3
"""Runs what needs a CUDA device, of a build that exists: tests, sanitizers, benchmarks.

Usage: gpu_checks.py BUILD --out FOLDER [--limit SECONDS] [--only WORD]... [--largest OBJECTS]
       gpu_checks.py BUILD --pack FOLDER

BUILD is a build folder with gpu_checks.json in it, which CMake writes: the programs, by paths from
that folder, so that it may lie on another machine than it was built on. --pack puts the programs,
stripped, and this script into FOLDER, which is then such a build folder, and names the shared
libraries that they need.

A step that fails, or passes its time, is reported, and the rest still runs. --only runs the steps
whose name has WORD in it. FOLDER gets gpu.json, with every figure and its unit, gpu.md, the same as a
table, and a log a step.

Exit status: 0 all steps that could run passed, 1 one did not, 2 the call is wrong, 77 no device.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
MANIFEST = "gpu_checks.json"
TORCH = "torch_allocator.py"
NO_DEVICE = 77
# Tools of compute-sanitizer and their options: the tests have calls refused on purpose, which is theirs
# to look at.
SANITIZERS = {"memcheck": ["--report-api-errors", "no"], "racecheck": []}
# Hundreds of graphs, three launches a level; whole collections: minutes under racecheck, for kernels
# that the other tests have it look at.
TOO_LONG_FOR_RACECHECK = {"device.mark": "MarkTest.MarksTheSameLevelByLevel",
                          "device.snapshot_kernels": "SnapshotKernelTest.MarksTheSame*",
                          "cuda.device_marker": "DeviceMarkerTest.CollectsAsTheHostDoes"}

# Sections of the device benchmark and the seconds that each may take.
SECTIONS = {"random_access": 40, "launches": 20, "copies": 50, "cards": 30, "pool": 50,
            "marking_lists": 50, "marking": 170}
TEST_SECONDS = 60
SANITIZER_SECONDS = 90
TORCH_SECONDS = 60
GRACE_SECONDS = 10  # a benchmark is told to begin nothing new so long before its time is over


class Step:
    """One program run, or why it was not."""

    def __init__(self, name, command, seconds):
        self.name = name
        self.command = [str(word) for word in command]
        self.seconds = seconds
        self.status = "left out"
        self.reason = ""
        self.took = 0.0
        self.rows = []

    def leave_out(self, reason):
        self.reason = reason

    def run(self, log, seconds):
        """Runs the program for at most so many seconds; what it wrote is in the file `log`."""
        begin = time.monotonic()
        with open(log, "wb") as out, subprocess.Popen(
                self.command, stdout=out, stderr=subprocess.STDOUT) as program:
            try:
                code = program.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                program.kill()
                code = None
        self.took = time.monotonic() - begin
        text = log.read_text(errors="replace")
        self.read(text)
        if code is None:
            self.status, self.reason = "timeout", f"ended after {seconds:.0f} s"
        elif code == NO_DEVICE:
            self.status, self.reason = "skipped", last_line(text)
        elif code != 0:
            self.status, self.reason = "failed", f"exit status {code}: {last_line(text)}"
        else:
            self.status = "ok"
            self.count_tests(text)
        return text

    def read(self, text):
        """The figures among the lines."""
        for line in text.splitlines():
            if line.startswith("{") and line.endswith("}"):
                try:
                    self.rows.append(json.loads(line))
                except ValueError:
                    pass  # a line of something else

    def count_tests(self, text):
        """What GoogleTest said of itself: a program whose tests were all skipped has shown nothing."""
        passed = re.search(r"\[  PASSED  \] (\d+) test", text)
        skipped = re.search(r"\[  SKIPPED \] (\d+) test", text)
        if not passed:
            return
        self.reason = f"{passed[1]} passed" + (f", {skipped[1]} skipped" if skipped else "")
        if skipped and passed[1] == "0":
            self.status = "skipped"

    def as_json(self):
        return {"name": self.name, "status": self.status, "reason": self.reason,
                "seconds": round(self.took, 2), "command": " ".join(self.command)}


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "it wrote nothing"


def steps_of(build, manifest, options):
    """All steps, in order: what says most about correctness first, and the longest last."""
    tests = [(test["name"], build / test["program"], test["small"]) for test in manifest["tests"]]
    steps = [Step(f"test {name}", [program], TEST_SECONDS) for name, program, _ in tests]
    bench = build / manifest["bench"]
    for section, seconds in SECTIONS.items():
        command = [bench, section, "--seconds", max(seconds - GRACE_SECONDS, 5)]
        if section.startswith("marking"):
            command += ["--largest", options.largest]
        steps.append(Step(f"bench {section}", command, seconds))
    steps.append(Step("bench torch allocator", [sys.executable, torch_script()], TORCH_SECONDS))
    sanitizer = find_sanitizer()
    for tool, words in SANITIZERS.items():
        for name, program, small in tests:
            if small:
                command = [sanitizer or "compute-sanitizer", "--tool", tool, *words,
                           "--error-exitcode", "9", program]
                if tool == "racecheck" and name in TOO_LONG_FOR_RACECHECK:
                    command.append("--gtest_filter=-" + TOO_LONG_FOR_RACECHECK[name])
                step = Step(f"{tool} {name}", command, SANITIZER_SECONDS)
                if sanitizer is None:
                    step.leave_out("there is no compute-sanitizer on this machine")
                    step.seconds = 0
                steps.append(step)
    return [step for step in steps
            if not options.only or any(word in step.name for word in options.only)]


def torch_script():
    beside = HERE / TORCH
    return beside if beside.is_file() else HERE.parent / "bench" / "gpu" / TORCH


def find_sanitizer():
    return shutil.which("compute-sanitizer",
                        path=os.environ.get("PATH", "") + ":/usr/local/cuda/bin")


def processor():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
        return re.search(r"model name\s*:\s*(.*)", text)[1]
    except (OSError, TypeError):
        return platform.processor() or "unknown"


def driver_version():
    """The driver's own version, which the runtime does not know."""
    try:
        answer = subprocess.run(["nvidia-smi", "--query-gpu=driver_version",
                                 "--format=csv,noheader"], capture_output=True, text=True,
                                timeout=20, check=True)
        return answer.stdout.splitlines()[0].strip()
    except (OSError, subprocess.SubprocessError, IndexError):
        return "unknown"


def ask_machine(build, manifest, out):
    """What the first step says of the card; ends the program where there is none."""
    step = Step("machine", [build / manifest["bench"], "machine"], 60)
    step.run(out / "machine.log", step.seconds)
    if step.status == "skipped":
        print("gpu_checks.py: no CUDA device here; nothing was run", file=sys.stderr)
        sys.exit(NO_DEVICE)
    if step.status != "ok" or not step.rows:
        print(f"gpu_checks.py: the device cannot be asked: {step.reason}", file=sys.stderr)
        sys.exit(1)
    return {**step.rows[0], "driver": driver_version(), "processor": processor(),
            "cores": os.cpu_count()}


def cell(text):
    """A text as a cell of a table."""
    return text.replace("|", "/")


def as_markdown(report):
    machine = report["machine"]
    lines = [f"# {machine['card']}", "",
             f"Driver {machine['driver']} (CUDA {machine['cuda_driver']}, built for "
             f"{machine['cuda_built_for']}), {machine['multiprocessors']} multiprocessors, "
             f"{machine['memory_bytes'] / 2**30:.0f} GiB; host: {machine['processor']}, "
             f"{machine['cores']} cores; {report['date']}.", "", f"`{report['command']}`", "",
             "| step | status | seconds | |", "|---|---|---|---|"]
    for step in report["steps"]:
        lines.append(f"| {step['name']} | {step['status']} | {step['seconds']} | "
                     f"{cell(step['reason'])} |")
    group = None
    for row in report["rows"]:
        if row["group"] != group:
            group = row["group"]
            lines += ["", f"## {group}", "", "| case | value | unit | |", "|---|---|---|---|"]
        if "left_out" in row:
            lines.append(f"| {cell(row['case'])} | | | left out: {cell(row['left_out'])} |")
            continue
        details = ", ".join(f"{name} {value:.6g}" for name, value in row.items()
                            if name not in ("group", "case", "value", "unit"))
        lines.append(f"| {cell(row['case'])} | {row['value']:.4g} | {row['unit']} | {details} |")
    return "\n".join(lines) + "\n"


def write(report, out):
    """Written after every step, so that a run that is cut short leaves what it had."""
    (out / "gpu.json").write_text(json.dumps(report, indent=1) + "\n")
    (out / "gpu.md").write_text(as_markdown(report))


def run_all(options, build, manifest):
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + options.limit
    report = {"machine": ask_machine(build, manifest, out),
              "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
              "version": manifest["version"], "architectures": manifest["architectures"],
              "command": " ".join(["gpu_checks.py", *sys.argv[1:]]), "steps": [], "rows": []}
    failed = False
    for step in steps_of(build, manifest, options):
        left = end - time.monotonic()
        if step.seconds > 0 and left < 5:
            step.leave_out("the time for all steps was over")
            failed = True
        elif step.seconds > 0:
            step.run(out / (re.sub(r"[^\w.]+", "_", step.name) + ".log"), min(step.seconds, left))
            failed |= step.status in ("failed", "timeout")
        print(f"{step.status:9} {step.took:7.1f} s  {step.name}  {step.reason}", flush=True)
        report["steps"].append(step.as_json())
        report["rows"] += [row for row in step.rows if "group" in row]
        write(report, out)
    print(f"{out / 'gpu.json'} and {out / 'gpu.md'} written")
    return 1 if failed else 0


def shared_libraries(program):
    try:
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return set()
    return {line.split()[0] for line in listed.stdout.splitlines() if line.strip()}


def pack(build, manifest, kit):
    """Makes a build folder of what gpu_checks.py runs, and nothing else."""
    needed = set()
    size = 0
    for path in [manifest["bench"], *(test["program"] for test in manifest["tests"])]:
        (kit / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(build / path, kit / path)
        if shutil.which("strip"):
            subprocess.run(["strip", kit / path], check=True)
        needed |= shared_libraries(build / path)
        size += (kit / path).stat().st_size
    shutil.copy2(build / MANIFEST, kit / MANIFEST)
    shutil.copy2(torch_script(), kit / TORCH)
    shutil.copy2(__file__, kit / "gpu_checks.py")
    print(f"{kit}: {len(manifest['tests'])} test programs and the benchmark, "
          f"{size / 2**20:.1f} MiB")
    print("shared libraries needed: " + " ".join(sorted(needed)))
    print(f"on the other machine: python3 {kit}/gpu_checks.py {kit} --out FOLDER")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=pathlib.Path)
    what.add_argument("--pack", type=pathlib.Path)
    parser.add_argument("--limit", type=float, default=570, help="seconds for all steps")
    parser.add_argument("--only", action="append", default=[], metavar="WORD")
    parser.add_argument("--largest", type=int, default=100_000_000, metavar="OBJECTS")
    options = parser.parse_args()
    build = options.build.resolve()
    if not (build / MANIFEST).is_file():
        parser.error(f"{build} has no {MANIFEST}; configure it with -DTENURE_CUDA=ON and tests")
    manifest = json.loads((build / MANIFEST).read_text())
    if options.pack:
        return pack(build, manifest, options.pack.resolve())
    return run_all(options, build, manifest)


if __name__ == "__main__":
    sys.exit(main())
