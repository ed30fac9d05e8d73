// The kernels over a snapshot of the edges, run by the CPU.
#include "bench/gpu/snapshot_launch.cuh"
