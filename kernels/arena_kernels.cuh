// An arena's own kernels, a lane for each size class: they run between the kernels that allocate, in
// stream order, so nothing here races with an allocation.
#pragma once

#include <device_words.hpp>

#include "tenure/device/arena.cuh"

namespace tenure::device {

static_assert(kSizeClasses == 32, "a warp has a lane for each size class");

__device__ __forceinline__ Count clamped_top(const ArenaView& arena) {
  return arena.state->top < arena.capacity ? arena.state->top : arena.capacity;
}

__device__ __forceinline__ ClassCounts total_of(const ArenaState& state, std::uint32_t size_class) {
  ClassCounts total;
  for (const auto& shard : state.counts) {
    total.count += shard[size_class].count;
    total.bytes += shard[size_class].bytes;
    total.failures += shard[size_class].failures;
    total.refused_bytes += shard[size_class].refused_bytes;
  }
  return total;
}

// What lives of the class, which from one rewind to the next only grows: so its peak is met here.
__device__ __forceinline__ Count live_of(ArenaState& state, std::uint32_t size_class,
                                         const ClassCounts& total) {
  const Count live = total.bytes - state.released[size_class];
  if (live > state.live_peak[size_class]) {
    state.live_peak[size_class] = live;
  }
  return live;
}

__device__ __forceinline__ void raise_top_peak(const ArenaView& arena) {
  const Count top = clamped_top(arena);
  if (threadIdx.x == 0 && top > arena.state->top_peak) {
    arena.state->top_peak = top;
  }
}

__global__ void __launch_bounds__(kSizeClasses) reset_arena_state(ArenaView arena) {
  ArenaState& state = *arena.state;
  if (threadIdx.x == 0) {
    state.top = 0;
    state.top_peak = 0;
  }
  state.released[threadIdx.x] = 0;
  state.live_peak[threadIdx.x] = 0;
  for (auto& shard : state.counts) {
    shard[threadIdx.x] = ClassCounts{};
  }
}

__global__ void __launch_bounds__(kSizeClasses) save_arena_mark(ArenaView arena, ArenaMark* mark) {
  ArenaState& state = *arena.state;
  if (threadIdx.x == 0) {
    mark->top = clamped_top(arena);
  }
  mark->live[threadIdx.x] = live_of(state, threadIdx.x, total_of(state, threadIdx.x));
}

__global__ void __launch_bounds__(kSizeClasses)
    go_back_to_mark(ArenaView arena, const ArenaMark* mark) {
  ArenaState& state = *arena.state;
  const Count live = live_of(state, threadIdx.x, total_of(state, threadIdx.x));
  state.released[threadIdx.x] += live - mark->live[threadIdx.x];
  raise_top_peak(arena);
  __syncwarp();  // all have read the top
  if (threadIdx.x == 0) {
    state.top = mark->top;
  }
}

// Why past the first cache: the host reads beside it, each word whole.
__global__ void __launch_bounds__(kSizeClasses)
    write_arena_report(ArenaView arena, ArenaReport* report) {
  ArenaState& state = *arena.state;
  const ClassCounts total = total_of(state, threadIdx.x);
  const Count live = live_of(state, threadIdx.x, total);
  raise_top_peak(arena);
  Count version = 0;  // lane 0's
  if (threadIdx.x == 0) {
    version = __ldcg(&report->version);
    __stcg(&report->version, version + 1);
  }
  __threadfence_system();  // the host sees an odd version before it sees anything new
  __syncwarp();
  ClassReport& row = report->classes[threadIdx.x];
  __stcg(&row.count, total.count);
  __stcg(&row.bytes, total.bytes);
  __stcg(&row.live_bytes, live);
  __stcg(&row.live_peak_bytes, state.live_peak[threadIdx.x]);
  __stcg(&row.failures, total.failures);
  __stcg(&row.refused_bytes, total.refused_bytes);
  if (threadIdx.x == 0) {
    __stcg(&report->used, clamped_top(arena));
    __stcg(&report->used_peak, state.top_peak);
  }
  __threadfence_system();  // and all that is new before it sees an even one
  __syncwarp();
  if (threadIdx.x == 0) {
    __stcg(&report->version, version + 2);
  }
}

}  // namespace tenure::device
