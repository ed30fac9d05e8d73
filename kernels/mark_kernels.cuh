// Parallel marking of the heap, by levels. All counters stay on the device; the lane that sets a mark bit
// owns the object, counts it and queues it, once.
#pragma once

#include <device_words.hpp>

#include "kernels/mark_contract.cuh"
#include "kernels/mark_walk.cuh"

namespace tenure::kernels {

// Readies the workspace: counters and overflow bits to 0, two bits for each region.
__global__ void __launch_bounds__(kBlockThreads) mark_begin(MarkView view) {
  const std::uint32_t stride = gridDim.x * kBlockThreads;
  const std::uint32_t thread = blockIdx.x * kBlockThreads + threadIdx.x;
  if (thread == 0) {
    *view.control = Control{};
  }
  for (std::uint32_t k = thread; k < MarkWorkspace::kOverflowWords; k += stride) {
    view.overflow[k] = 0;
  }
  for (std::uint32_t k = thread; k < MarkWorkspace::kCodeWords; k += stride) {
    std::uint32_t word = 0;
    for (std::uint32_t j = 0; j < kCodesPerWord && k * kCodesPerWord + j < view.regions; ++j) {
      const RegionRow& row = view.heap.regions[k * kCodesPerWord + j];
      const std::uint32_t covered = marking_covers(view.heap, row) ? 1 : 0;
      const std::uint32_t leaf = row.leaf != 0 ? 1 : 0;
      word |= (covered * kCovered | leaf * kLeaf) << (2 * j);
    }
    view.codes[k] = word;
  }
}

__global__ void __launch_bounds__(kBlockThreads, 4)
    mark_roots(MarkView view, const ObjectIndex* roots, std::uint32_t count) {
  TENURE_SHARED(Stage, stage);
  take_roots(view, stage, roots, count);
}

// Driven by the host: a level's tiles, or regions to be read again where the frontier is empty.
__global__ void __launch_bounds__(kBlockThreads, 4) mark_level(MarkView view) {
  TENURE_SHARED(Room, room);
  open_stage(room.stage);
  Tally tally;
  const std::uint32_t which = view.control->which;
  const std::uint32_t size = clamped(view, view.control->size[which]);
  if (size != 0) {
    read_frontier(view, room, which, size, tally);
  } else if (__ldcg(&view.control->counters.left) != 0) {
    read_overflow(view, room, which ^ 1, tally);
  }
  report(view, tally);
}

// What the level has set aside.
__global__ void __launch_bounds__(kBlockThreads, 4) mark_big(MarkView view) {
  TENURE_SHARED(Room, room);
  open_stage(room.stage);
  Tally tally;
  read_big(view, room, view.control->which ^ 1, tally);
  report(view, tally);
}

// One thread.
__global__ void mark_finish_level(MarkView view) {
  if (view.control->counters.left != 0) {
    finish_level(view, view.control->which);
  }
}

__global__ void mark_count_roots(MarkView view) { count_roots(view); }

__global__ void __launch_bounds__(kBlockThreads, 4) mark_to_end(MarkView view) {
  TENURE_SHARED(Room, room);
  walk_levels(view, room);
}

}  // namespace tenure::kernels
