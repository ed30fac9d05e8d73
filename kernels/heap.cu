#include "kernels/heap_launch.cuh"
