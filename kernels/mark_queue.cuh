// Where objects wait to be read: a stage in the block's shared memory, two queues in the workspace,
// and, where a queue is full, the bit of an object's region.
#pragma once

#include <device_words.hpp>

#include "kernels/mark_view.hpp"

namespace tenure::kernels {

/// Threads of every block of a marking.
inline constexpr std::uint32_t kBlockThreads = 256;
inline constexpr std::uint32_t kBlockWarps = kBlockThreads / 32;

/// What a block collects before it takes room in a queue, once for all.
struct Stage {
  static constexpr std::uint32_t kEntries = 1024;

  std::uint32_t size;  // asked for; more than kEntries where some went to the queue directly
  std::uint32_t base;  // where the queue gave room
  ObjectIndex entries[kEntries];
};

// Why a choice and no array: one that is indexed at run time would put the view on the stack.
template <class View>
__device__ __forceinline__ std::uint32_t* queue_of(const View& view, std::uint32_t which) {
  return which != 0 ? view.queue_1 : view.queue_0;
}

// Why past the first cache: it is read once, and another block wrote it.
__device__ __forceinline__ ObjectIndex entry_at(const std::uint32_t* place) {
  return static_cast<ObjectIndex>(__ldcg(place));
}

/// The object stays marked, and its region is read again when the queues have run dry.
template <class View>
__device__ __forceinline__ void defer(const View& view, ObjectIndex object) {
  // Why a fence: whoever takes the overflow bit after this has to see the object's mark bit. Its twin
  // stands in `take_region`.
  __threadfence();
  const std::uint32_t region = region_of(view, object);
  const std::uint32_t bit = 1u << (region % 32);
  if ((atomicOr(&view.overflow[region / 32], bit) & bit) == 0) {
    atomicAdd(&view.control->pending, 1u);
  }
}

template <class View>
__device__ __forceinline__ void enqueue(const View& view, std::uint32_t which, std::uint32_t place,
                                        ObjectIndex object) {
  if (place < view.queue_entries) {
    queue_of(view, which)[place] = static_cast<std::uint32_t>(object);
  } else {
    defer(view, object);
  }
}

// All lanes of a warp call it. One atomic a warp on shared memory; what the stage has no room for
// goes to the queue directly.
template <class View>
__device__ __forceinline__ void push(const View& view, Stage& stage, bool wanted,
                                     ObjectIndex object, std::uint32_t which) {
  const std::uint32_t lanes = __ballot_sync(~0u, wanted);
  if (lanes == 0) {
    return;
  }
  const std::uint32_t lane = threadIdx.x % 32;
  const int leader = __ffs(static_cast<int>(lanes)) - 1;
  const auto count = static_cast<std::uint32_t>(__popc(lanes));
  std::uint32_t first = 0;
  if (lane == static_cast<std::uint32_t>(leader)) {
    first = atomicAdd(&stage.size, count);
  }
  first = __shfl_sync(~0u, first, leader);
  const std::uint32_t place =
      first + static_cast<std::uint32_t>(__popc(lanes & ((1u << lane) - 1)));

  const std::uint32_t staged = first > Stage::kEntries ? first : Stage::kEntries;
  const std::uint32_t spill = first + count > Stage::kEntries ? first + count - staged : 0;
  std::uint32_t spill_at = 0;
  if (spill != 0) {
    if (lane == static_cast<std::uint32_t>(leader)) {
      spill_at = atomicAdd(&view.control->size[which], spill);
    }
    spill_at = __shfl_sync(~0u, spill_at, leader);
  }
  if (!wanted) {
    return;
  }
  if (place < Stage::kEntries) {
    stage.entries[place] = object;
  } else {
    enqueue(view, which, spill_at + place - staged, object);
  }
}

// All threads of the block call it, before anybody pushes.
__device__ __forceinline__ void open_stage(Stage& stage) {
  if (threadIdx.x == 0) {
    stage.size = 0;
  }
  __syncthreads();
}

// All threads of the block call it. The stage is empty afterwards.
template <class View>
__device__ __forceinline__ void flush(const View& view, Stage& stage, std::uint32_t which) {
  __syncthreads();  // all have pushed
  const std::uint32_t count = stage.size < Stage::kEntries ? stage.size : Stage::kEntries;
  if (threadIdx.x == 0 && count != 0) {
    stage.base = atomicAdd(&view.control->size[which], count);
  }
  __syncthreads();  // the base is there, and all have read the size
  for (std::uint32_t k = threadIdx.x; k < count; k += kBlockThreads) {
    enqueue(view, which, stage.base + k, stage.entries[k]);
  }
  if (threadIdx.x == 0) {
    stage.size = 0;
  }
  __syncthreads();  // the entries are free again
}

}  // namespace tenure::kernels
