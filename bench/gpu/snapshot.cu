#include "bench/gpu/snapshot_launch.cuh"
