// What lives where, by the mark bits: the numbers that sweeping and the choice of what to compact
// start from. No object is read but the first of a run.
#pragma once

#include <device_words.hpp>

#include <cstddef>

#include "core/model/mark_law.hpp"
#include "kernels/mark_job.hpp"

namespace tenure::kernels {

inline constexpr std::uint32_t kLiveThreads = 256;
static_assert(kGranulesPerBlock / kGranulesPerMark / 32 == 32, "a lane takes one word of a block");

// What the marked objects of a block take. Cells count whole; a run's object, which starts in its
// first granule, has its size in its header.
__device__ __forceinline__ std::uint32_t live_granules(const HeapView& heap, std::uint32_t block,
                                                       std::uint32_t marked) {
  const std::uint32_t cell = heap.blocks[block].cell;
  if (marked == 0 || cell != 0) {
    return marked * cell;
  }
  const std::uint64_t word = first_word_of(static_cast<ObjectIndex>(first_granule_of_block(block)));
  return heap.words[word + 1];
}

// One warp a region, block by block, one word of mark bits a lane.
__global__ void __launch_bounds__(kLiveThreads)
    count_live(DeviceHeap heap, RegionLive* regions, std::uint16_t* blocks) {
  const std::uint32_t lane = threadIdx.x % 32;
  const std::uint32_t warps = gridDim.x * kLiveThreads / 32;
  for (std::uint32_t region = (blockIdx.x * kLiveThreads + threadIdx.x) / 32; region < heap.regions;
       region += warps) {
    const bool covered = marking_covers(heap.view, heap.view.regions[region]);
    RegionLive live;
    for (std::uint32_t k = 0; k < kBlocksPerRegion; ++k) {
      const std::uint32_t block = region * kBlocksPerRegion + k;
      const std::uint32_t bits = covered ? heap.view.marks[std::size_t{block} * 32 + lane] : 0;
      const std::uint32_t marked = device::warp_sum(static_cast<std::uint32_t>(__popc(bits)));
      live.objects += marked;
      live.granules += live_granules(heap.view, block, marked);
      if (lane == 0 && blocks != nullptr) {
        blocks[block] = static_cast<std::uint16_t>(marked);
      }
    }
    if (lane == 0) {
      regions[region] = live;
    }
  }
}

}  // namespace tenure::kernels
