#!/usr/bin/env python3
"""What a small object costs from Python, beside a bytearray of its size: by turns, in one run, the best
of many rounds of each. A ratio below 2 is the target.

Models: a program that makes a buffer, and drops it. Ours are zeroed, collected, and roots meanwhile.

Usage: allocate.py [--rounds N]     (with tenure in PYTHONPATH, as `./dev python` builds it)
"""
import argparse
import timeit

from tenure import GarbageCollector, ObjectType

SIZES = (8, 16, 64, 128, 256)
TURNS = 50_000
TARGET = 2.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    gc = GarbageCollector()
    names = {"gc": gc, "ARRAY": ObjectType.ARRAY}
    print("bytes   gc.allocate   bytearray   ratio   target")
    for size in SIZES:
        sides = [timeit.Timer("gc.allocate(ARRAY, n)", globals={**names, "n": size}),
                 timeit.Timer("bytearray(n)", globals={"n": size})]
        best = [float("inf")] * 2
        for turn in range(2 * rounds):
            side = turn % 2
            best[side] = min(best[side], sides[side].timeit(TURNS) / TURNS * 1e9)
        ratio = best[0] / best[1]
        print(f"{size:5}   {best[0]:8.0f} ns {best[1]:8.0f} ns   {ratio:5.2f}   "
              f"{TARGET:.1f} {'yes' if ratio <= TARGET else 'NO'}")
    gc.shutdown()


if __name__ == "__main__":
    main()
