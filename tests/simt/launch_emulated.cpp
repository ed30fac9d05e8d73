// The launch functions once more, over kernels that the CPU runs.
#include "kernels/arena_launch.cuh"
#include "kernels/heap_launch.cuh"
#include "kernels/mark_launch.cuh"
