// What kernels and launch functions say beside plain CUDA, as nvcc means it. Chosen by the include
// path; the emulator of the tests has a file of the same name.
#pragma once

#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <type_traits>

#include "kernels/launch.hpp"

// Why: CMake before 3.26 and older nvccs fall back to C++17 in silence.
static_assert(__cplusplus >= 202002L, "kernels are C++20");

/// A variable that a block's threads share. What it holds at first is undefined.
#define TENURE_SHARED(Type, name) __shared__ Type name

namespace tenure::kernels::device {

/// All threads of the grid wait for each other; a cooperative launch's alone.
__device__ __forceinline__ void grid_barrier() { cooperative_groups::this_grid().sync(); }

/// The sum over a warp, whose lanes all call it.
__device__ __forceinline__ unsigned warp_sum(unsigned value) {
// Why a conditional: sm_75 has no such instruction.
#if __CUDA_ARCH__ >= 800
  return __reduce_add_sync(~0u, value);
#else
  for (int distance = 16; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(~0u, value, distance);
  }
  return value;
#endif
}

/// Sixteen bytes that travel at once.
using Quad = uint4;

// Reads the error of a launch and clears it, so that none of ours stays behind.
inline LaunchStatus status_of(cudaError_t error) {
  if (error != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
  }
  return static_cast<LaunchStatus>(error);
}

template <class... Parameters>
LaunchStatus launch(StreamHandle stream, unsigned blocks, unsigned threads,
                    void (*kernel)(Parameters...), std::type_identity_t<Parameters>... arguments) {
  void* pointers[] = {static_cast<void*>(&arguments)...};
  return status_of(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), dim3(blocks),
                                    dim3(threads), pointers, 0, stream));
}
template <class... Parameters>
LaunchStatus launch_cooperative(StreamHandle stream, unsigned blocks, unsigned threads,
                                void (*kernel)(Parameters...),
                                std::type_identity_t<Parameters>... arguments) {
  void* pointers[] = {static_cast<void*>(&arguments)...};
  return status_of(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(kernel), dim3(blocks),
                                               dim3(threads), pointers, 0, stream));
}

/// How many blocks of the kernel the current device holds at once.
template <class... Parameters>
MarkGrid query_grid(unsigned threads, void (*kernel)(Parameters...)) {
  int device = 0;
  int processors = 0;
  int cooperative = 0;
  int resident = 0;  // blocks a multiprocessor
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
  }
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&cooperative, cudaDevAttrCooperativeLaunch, device);
  }
  if (error == cudaSuccess) {
    error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel,
                                                          static_cast<int>(threads), 0);
  }
  return {.status = status_of(error),
          .is_cooperative = cooperative != 0,
          .processors = static_cast<std::uint32_t>(processors),
          .blocks = static_cast<std::uint32_t>(processors * resident)};
}

}  // namespace tenure::kernels::device
