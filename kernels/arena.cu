#include "kernels/arena_launch.cuh"
