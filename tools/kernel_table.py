#!/usr/bin/env python3
"""Compiles every kernel for every architecture, and says what each takes: registers, shared memory,
stack and spills. Warnings and spills are errors, and so is more than the budget.

Usage: kernel_table.py [--write FILE] [--nvcc PROGRAM] [--architectures 75,80,90,100]

Needs nvcc and no device. The budget lies beside this script, in kernel_budget.toml; whoever raises a
number there says why in the commit.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
FLAGS = ["-std=c++20", "-O3", "--expt-relaxed-constexpr", "-Werror=all-warnings",
         "-Xptxas=-v,-warn-spills", "-I", "include", "-I", ".", "-I", "kernels/nvcc", "-cubin"]
ENTRY = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\d+)'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")
# Of a mangled name the last part of the nested name: N6tenure7kernels10mark_beginE is mark_begin.
PART = re.compile(r"(\d+)")


def name_of(mangled):
    """The kernel's own name, without namespaces and arguments."""
    place, name = mangled.index("N") + 1, mangled
    while match := PART.match(mangled, place):
        place = match.end() + int(match.group(1))
        name = mangled[match.end():place]
    return name


def rows_of(log):
    """One row a kernel, from what ptxas -v says."""
    row = {}
    for line in log.splitlines():
        if match := ENTRY.search(line):
            row = {"kernel": name_of(match.group(1)), "architecture": int(match.group(2))}
        elif match := STACK.search(line):
            row["stack_bytes"] = int(match.group(1))
            row["spill_bytes"] = int(match.group(2)) + int(match.group(3))
        elif match := USED.search(line):
            row["registers"] = int(match.group(1))
            row["shared_bytes"] = int(match.group(2) or 0)
            yield row


def compile_one(nvcc, source, architecture, folder):
    """(log, whether it compiled) of one file for one architecture."""
    output = pathlib.Path(folder) / f"{source.stem}.{architecture}.cubin"
    command = [nvcc, f"-arch=sm_{architecture}", *FLAGS, "-o", str(output), str(source)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr, done.returncode == 0


def faults_of(rows, budget):
    """What is over the budget, or not in it."""
    for row in rows:
        place = f"{row['kernel']} on sm_{row['architecture']}"
        allowed = budget.get(row["kernel"])
        if allowed is None:
            yield f"{place}: not in the budget; it takes {row['registers']} registers"
            continue
        for what in ("registers", "shared_bytes"):
            if row[what] > allowed[what]:
                yield f"{place}: {row[what]} {what}, the budget is {allowed[what]}"
        for what in ("stack_bytes", "spill_bytes"):
            if row[what] > 0:
                yield f"{place}: {row[what]} {what}"
    for kernel in sorted(set(budget) - {row["kernel"] for row in rows}):
        yield f"{kernel}: in the budget, and no kernel has that name"


def table_of(rows, architectures):
    """Markdown: a line a kernel, its registers by architecture."""
    lines = ["| kernel | " + " | ".join(f"sm_{a}" for a in architectures) + " | shared bytes |",
             "|---|" + "---|" * (len(architectures) + 1)]
    for kernel in sorted({row["kernel"] for row in rows}):
        own = {row["architecture"]: row for row in rows if row["kernel"] == kernel}
        cells = [str(own[a]["registers"]) for a in architectures]
        shared = max(row["shared_bytes"] for row in own.values())
        lines.append(f"| {kernel} | " + " | ".join(cells) + f" | {shared} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=pathlib.Path, help="a JSON file for the rows")
    parser.add_argument("--nvcc", default=os.environ.get("CUDACXX", "nvcc"))
    parser.add_argument("--architectures", default="75,80,90,100")
    options = parser.parse_args()
    architectures = [int(a) for a in options.architectures.split(",")]
    sources = sorted([*(ROOT / "kernels").glob("*.cu"), ROOT / "bench" / "gpu" / "snapshot.cu"])

    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(compile_one, options.nvcc, source.relative_to(ROOT), architecture, folder)
                for source in sources for architecture in architectures]
        logs = [job.result() for job in jobs]
    if failed := [log for log, compiled in logs if not compiled]:
        print("\n".join(failed))
        return 1
    rows = sorted((row for log, _ in logs for row in rows_of(log)),
                  key=lambda row: (row["kernel"], row["architecture"]))
    budget = tomllib.loads((HERE / "kernel_budget.toml").read_text())
    faults = list(faults_of(rows, budget))

    print(table_of(rows, architectures))
    if options.write:
        version = subprocess.run([options.nvcc, "--version"], capture_output=True, text=True,
                                 check=True).stdout
        release = re.search(r"release [\d.]+, V([\d.]+)", version)
        document = {"tool": "tools/kernel_table.py", "nvcc": release.group(1) if release else "",
                    "flags": " ".join(FLAGS), "rows": rows}
        options.write.write_text(json.dumps(document, indent=1) + "\n")
    print("\n".join([*faults, f"kernels: {len({row['kernel'] for row in rows})}, rows: {len(rows)}, "
                              f"faults: {len(faults)}"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
