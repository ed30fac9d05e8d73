#!/usr/bin/env python3
"""PyTorch's caching allocator on the pairs that bench/gpu/pool.cpp measures: 64 buffers of a size
live on one stream, replaced one by one or all at once.

Usage: torch_allocator.py

Writes a line of JSON a figure, as the device benchmark does. Without torch, or without a device that
torch can use, it says so and exits 77. The allocator is called by its own door
(torch.cuda.caching_allocator_alloc), so that no tensor is made; the call from Python is part of the
figure, and is measured beside it by a call that allocates nothing.
"""
import json
import sys
import time

LIVE = 64
SIZES = {"512 B": 512, "4 KiB": 4 << 10, "64 KiB": 64 << 10, "1 MiB": 1 << 20, "8 MiB": 8 << 20,
         "64 MiB": 64 << 20}
ROUNDS = 5


def best_ns(work, times):
    """The best time of a call of `work`, of some rounds of `times` calls."""
    work()
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter_ns()
        for _ in range(times):
            work()
        best = min(best, (time.perf_counter_ns() - begin) / times)
    return best


def say(what, value, unit="ns per pair"):
    print(json.dumps({"group": "pool", "case": what, "value": value, "unit": unit}), flush=True)


def main():
    try:
        import torch
    except ImportError:
        print("torch_allocator.py: skipped, there is no torch here", file=sys.stderr)
        return 77
    if not torch.cuda.is_available():
        print("torch_allocator.py: skipped, torch finds no CUDA device", file=sys.stderr)
        return 77
    allocate = torch.cuda.caching_allocator_alloc
    free = torch.cuda.caching_allocator_delete
    torch.cuda.init()
    name = f"PyTorch {torch.__version__}"
    for words, size in SIZES.items():
        blocks = [allocate(size) for _ in range(LIVE)]

        def one_by_one():
            for place in range(LIVE):
                free(blocks[place])
                blocks[place] = allocate(size)

        def by_all():
            for block in blocks:
                free(block)
            blocks[:] = [allocate(size) for _ in range(LIVE)]

        say(f"{name}, 64 live of {words}, one by one", best_ns(one_by_one, 50) / LIVE)
        say(f"{name}, 64 live of {words}, by 64", best_ns(by_all, 50) / LIVE)
        for block in blocks:
            free(block)
    nothing = torch.cuda.current_device
    say(f"{name}, two calls from Python that allocate nothing",
        best_ns(lambda: (nothing(), nothing()), 1000))
    return 0


if __name__ == "__main__":
    sys.exit(main())
