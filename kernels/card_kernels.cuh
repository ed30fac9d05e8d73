// Brings a heap's copy up to date: staged cards to their places.
#pragma once

#include <device_words.hpp>

#include <cstddef>

#include "tenure/object.hpp"

namespace tenure::kernels {

inline constexpr std::uint32_t kCardThreads = 256;
inline constexpr std::uint32_t kQuadsPerCard = kCardBytes / sizeof(device::Quad);
static_assert(kQuadsPerCard == 32, "a lane takes one of a card's quads");

// One warp a card: 512 bytes in one request, also where the staging lies in the host's memory.
__global__ void __launch_bounds__(kCardThreads)
    apply_cards(device::Quad* words, const device::Quad* staged, const std::uint32_t* cards,
                std::uint32_t count) {
  const std::uint32_t lane = threadIdx.x % 32;
  const std::uint32_t warps = gridDim.x * kCardThreads / 32;
  for (std::uint32_t k = (blockIdx.x * kCardThreads + threadIdx.x) / 32; k < count; k += warps) {
    words[std::size_t{cards[k]} * kQuadsPerCard + lane] =
        staged[std::size_t{k} * kQuadsPerCard + lane];
  }
}

}  // namespace tenure::kernels
