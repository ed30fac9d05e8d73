// Marking over a snapshot of the edges: the levels of kernels/, tile for tile, over rows and columns. So
// what is measured against the heap's copy is the layout, and no other kernel.
//
// A reference costs the same there and here, one load and one claim; an object, which there is one access
// to its own line, is one to its row here and another to its columns. The bits are dense here.
#pragma once

#include <device_words.hpp>

#include "bench/gpu/snapshot_job.hpp"
#include "kernels/mark_walk.cuh"

namespace tenure::bench {

using kernels::Opened;

// What mark_view.hpp asks of a view. Objects are columns: numbers, with kLeafColumn where they are leaves.
struct SnapshotView {
  static constexpr bool kContracts = false;

  const std::uint32_t* rows;
  const std::uint32_t* columns;
  std::uint32_t* marks;
  std::uint32_t row_count;
  std::uint32_t regions;  // of kBitsPerRegion numbers
  std::uint32_t queue_entries;
  std::uint32_t big_entries;
  kernels::MarkTuning tuning;
  kernels::Control* control;
  std::uint32_t* overflow;  // [kOverflowWords]
  std::uint32_t* big;       // [big_entries]
  std::uint32_t* queue_0;   // [queue_entries]
  std::uint32_t* queue_1;   // [queue_entries]
};

[[nodiscard]] inline SnapshotView view_of(const SnapshotLaunch& launch) {
  using kernels::MarkWorkspace;
  SnapshotView view{};
  view.rows = launch.rows;
  view.columns = launch.columns;
  view.marks = launch.marks;
  view.row_count = launch.row_count;
  view.regions = launch.numbers / kernels::kBitsPerRegion + 1;
  view.queue_entries = launch.workspace.queue_entries;
  view.big_entries = MarkWorkspace::big_entries(view.queue_entries);
  view.tuning = launch.tuning;
  view.control = reinterpret_cast<kernels::Control*>(launch.workspace.memory);
  view.overflow =
      reinterpret_cast<std::uint32_t*>(launch.workspace.memory + MarkWorkspace::kControlBytes);
  view.big = view.overflow + MarkWorkspace::kOverflowWords;
  view.queue_0 = view.big + view.big_entries;
  view.queue_1 = view.queue_0 + view.queue_entries;
  return view;
}

__device__ __forceinline__ std::uint32_t code_of(const SnapshotView& /*view*/, ObjectIndex target) {
  const bool is_leaf = (static_cast<std::uint32_t>(target) & kLeafColumn) != 0;
  return kernels::kCovered | (is_leaf ? kernels::kLeaf : 0u);
}
__device__ __forceinline__ std::uint32_t* marks_of(const SnapshotView& view) { return view.marks; }
__device__ __forceinline__ std::uint32_t bit_of(const SnapshotView& /*view*/, ObjectIndex object) {
  return static_cast<std::uint32_t>(object) & ~kLeafColumn;
}
__device__ __forceinline__ ObjectIndex object_of_bit(const SnapshotView& view, std::uint32_t bit) {
  return static_cast<ObjectIndex>(bit < view.row_count ? bit
                                                       : 0);  // leaves have nothing to be read
}
__device__ __forceinline__ std::uint32_t region_of(const SnapshotView& view, ObjectIndex object) {
  return bit_of(view, object) / kernels::kBitsPerRegion;
}

__device__ __forceinline__ Opened open(const SnapshotView& view, ObjectIndex object) {
  const auto row = static_cast<std::uint32_t>(object);
  const std::uint32_t from = __ldg(&view.rows[row]);
  return {__ldg(&view.rows[row + 1]) - from, from};
}
__device__ __forceinline__ ObjectIndex target_at(const SnapshotView& view, std::uint32_t from,
                                                 std::uint32_t k) {
  return static_cast<ObjectIndex>(__ldg(&view.columns[from + k]));
}

__device__ __forceinline__ bool is_deep(const SnapshotView& /*view*/, const kernels::Step& /*now*/,
                                        std::uint32_t /*patience*/) {
  return false;
}

// Readies the workspace.
__global__ void __launch_bounds__(kernels::kBlockThreads) snapshot_begin(SnapshotView view) {
  const std::uint32_t thread = blockIdx.x * kernels::kBlockThreads + threadIdx.x;
  if (thread == 0) {
    *view.control = kernels::Control{};
  }
  for (std::uint32_t k = thread; k < kernels::MarkWorkspace::kOverflowWords;
       k += gridDim.x * kernels::kBlockThreads) {
    view.overflow[k] = 0;
  }
}

__global__ void __launch_bounds__(kernels::kBlockThreads, 4)
    snapshot_roots(SnapshotView view, const ObjectIndex* roots, std::uint32_t count) {
  TENURE_SHARED(kernels::Stage, stage);
  kernels::take_roots(view, stage, roots, count);
}

// One thread.
__global__ void snapshot_count_roots(SnapshotView view) { kernels::count_roots(view); }

__global__ void __launch_bounds__(kernels::kBlockThreads, 4) snapshot_to_end(SnapshotView view) {
  TENURE_SHARED(kernels::Room, room);
  kernels::walk_levels(view, room);
}

}  // namespace tenure::bench
