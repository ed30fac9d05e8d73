"""The example `benchmark_suite` tells what each benchmark leases: its own figures, exactly.

    benchmark_suite_test.py PROGRAM
"""
import json
import subprocess
import sys

LAYER = 4 * (1 << 16)  # bytes

EXPECTED = {  # leases an iteration, and bytes held at most
    "keeps_every_layer/65536": (4.0, 4 * LAYER),
    "drops_the_layer_before/65536": (4.0, 2 * LAYER),
}


def main(program):
    said = subprocess.run([program, "--benchmark_format=json", "--benchmark_min_time=0.01"],
                          capture_output=True, text=True, check=True, timeout=120).stdout
    rows = {row["name"]: row for row in json.loads(said)["benchmarks"]}
    for name, (leases, most) in EXPECTED.items():
        assert rows[name]["allocs_per_iter"] == leases, rows[name]
        assert rows[name]["max_bytes_used"] == most, rows[name]
    arena = rows["rewinds_an_arena/65536"]
    assert arena["allocs_per_iter"] <= 1.0, arena  # its block, however often it is rewound
    assert arena["max_bytes_used"] >= 4 * LAYER, arena
    assert len(rows) == 3, list(rows)


main(sys.argv[1])
