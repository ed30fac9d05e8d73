#include "tests/kernels/arena_probe.cuh"
