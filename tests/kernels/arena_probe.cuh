// Defines the probe; for nvcc and for the emulator.
#pragma once

#include <device_words.hpp>

#include "tenure/device/arena.cuh"
#include "tests/kernels/arena_probe.hpp"

namespace tenure::testing {

__device__ __forceinline__ void fill(std::byte* memory, device::Count bytes, std::uint32_t value) {
  for (device::Count k = 0; memory != nullptr && k < bytes; ++k) {
    memory[k] = static_cast<std::byte>(value);
  }
}

__device__ __forceinline__ std::uint64_t place_of(const device::ArenaView& arena,
                                                  const std::byte* memory) {
  return memory == nullptr ? kNowhere : static_cast<std::uint64_t>(memory - arena.memory);
}

__global__ void probe_by_warp(device::ArenaView arena, const device::Count* bytes,
                              std::uint64_t* places) {
  const std::uint32_t thread = blockIdx.x * blockDim.x + threadIdx.x;
  std::byte* const memory = device::allocate_warp(arena, bytes[thread]);
  fill(memory, bytes[thread], thread);
  places[thread] = place_of(arena, memory);
}

// On two paths, so that lanes do not come together.
__global__ void probe_by_lane(device::ArenaView arena, const device::Count* bytes,
                              std::uint64_t* places) {
  const std::uint32_t thread = blockIdx.x * blockDim.x + threadIdx.x;
  std::byte* memory = nullptr;
  if (thread % 3 == 0) {
    memory = device::allocate(arena, bytes[thread]);
  } else if (bytes[thread] != 0) {
    memory = device::allocate(arena, bytes[thread]);
  }
  fill(memory, bytes[thread], thread);
  places[thread] = place_of(arena, memory);
}

kernels::LaunchStatus launch_probe(Ask ask, const device::ArenaView& arena,
                                   const device::Count* bytes, std::uint64_t* places,
                                   std::uint32_t blocks) {
  return kernels::device::launch(nullptr, blocks, kProbeThreads,
                                 ask == Ask::kByWarp ? probe_by_warp : probe_by_lane, arena, bytes,
                                 places);
}

}  // namespace tenure::testing
