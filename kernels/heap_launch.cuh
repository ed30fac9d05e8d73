// The launch functions of cards and live counts. Included by one file for nvcc, and by one for the
// emulator.
#pragma once

#include <device_words.hpp>

#include <algorithm>

#include "kernels/card_kernels.cuh"
#include "kernels/live_kernels.cuh"

namespace tenure::kernels {

namespace {

// Enough for every device to be busy; a block more costs a launch nothing that is noticed.
constexpr std::uint32_t kMostBlocks = 1024;

/// Blocks of `threads` threads, so that each of `items` has a warp, or some.
std::uint32_t blocks_of_warps(std::uint32_t items, std::uint32_t threads) {
  const std::uint32_t warps = threads / 32;
  return std::clamp((items + warps - 1) / warps, 1u, kMostBlocks);
}

}  // namespace

LaunchStatus launch_apply_cards(StreamHandle stream, std::uint32_t* words,
                                const std::uint32_t* staged, const std::uint32_t* cards,
                                std::uint32_t count) {
  if (count == 0) {
    return LaunchStatus::kOk;
  }
  return device::launch(stream, blocks_of_warps(count, kCardThreads), kCardThreads, apply_cards,
                        reinterpret_cast<device::Quad*>(words),
                        reinterpret_cast<const device::Quad*>(staged), cards, count);
}

LaunchStatus launch_live(StreamHandle stream, const DeviceHeap& heap, RegionLive* regions,
                         std::uint16_t* blocks) {
  if (heap.regions == 0) {
    return LaunchStatus::kOk;
  }
  return device::launch(stream, blocks_of_warps(heap.regions, kLiveThreads), kLiveThreads,
                        count_live, heap, regions, blocks);
}

}  // namespace tenure::kernels
