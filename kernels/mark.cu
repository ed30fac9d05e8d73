#include "kernels/mark_launch.cuh"
