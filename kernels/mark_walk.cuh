// From the roots to the end, level by level, over any view of a graph.
#pragma once

#include <device_words.hpp>

#include "kernels/mark_level.cuh"

namespace tenure::kernels {

// Marks and queues the roots. They are not followed: of few roots each lane would have another.
template <class View>
__device__ __forceinline__ void take_roots(const View& view, Stage& stage, const ObjectIndex* roots,
                                           std::uint32_t count) {
  open_stage(stage);
  Tally tally;
  for (std::uint32_t base = blockIdx.x * kBlockThreads; base < count;
       base += gridDim.x * kBlockThreads) {
    const std::uint32_t k = base + threadIdx.x;
    ObjectIndex object = k < count ? roots[k] : ObjectIndex::kNull;
    const bool wanted = object != ObjectIndex::kNull && visit(view, object, 0, tally);
    push(view, stage, wanted, object, 0);
  }
  flush(view, stage, 0);
  report(view, tally);
}

// One thread: what the roots left.
template <class View>
__device__ __forceinline__ void count_roots(const View& view) {
  Control& control = *view.control;
  const std::uint32_t size = clamped(view, control.size[0]);
  control.counters.queue_peak = size;
  control.counters.left = size + control.pending;
}

// Block 0 alone walks levels for as long as they are narrow and hold nothing big, and says in the end
// what comes next. At most `patience` of them in a row, where chains can be contracted.
template <class View>
__device__ __forceinline__ Step walk_narrow(const View& view, Room& room, Step now,
                                            std::uint32_t patience, Tally& tally) {
  do {
    const ObjectIndex object = threadIdx.x < now.size
                                   ? entry_at(queue_of(view, now.which) + threadIdx.x)
                                   : ObjectIndex::kNull;
    read_tile(view, room, object, now.which ^ 1, view.tuning.chase_narrow, tally);
    flush(view, room.stage, now.which ^ 1);
    now.big = __ldcg(&view.control->big);
    if (now.big != 0) {
      return now;  // the whole grid finishes this level
    }
    now.size = clamped(view, __ldcg(&view.control->size[now.which ^ 1]));
    now.pending = __ldcg(&view.control->pending);
    __syncthreads();  // all have read what is reset now
    if (threadIdx.x == 0) {
      finish_level(view, now.which);
      view.control->counters.narrow_levels += 1;
    }
    now.which ^= 1;
    now.narrow += 1;
  } while (now.size != 0 && now.size <= kNarrow && !is_deep(view, now, patience));
  return now;
}

__device__ __forceinline__ Step read_step(const Step& announced) {
  Step step;
  step.size = __ldcg(&announced.size);
  step.which = __ldcg(&announced.which);
  step.pending = __ldcg(&announced.pending);
  step.big = __ldcg(&announced.big);
  step.narrow = __ldcg(&announced.narrow);
  return step;
}

// All levels, in one cooperative launch: two grid barriers a level, three where it met something big,
// one for any number of narrow levels.
template <class View>
__device__ __forceinline__ void walk_levels(const View& view, Room& room) {
  open_stage(room.stage);
  Tally tally;
  const bool speaks = blockIdx.x == 0 && threadIdx.x == 0;
  std::uint32_t phase = 0;
  std::uint32_t patience = view.tuning.contract_after;
  Step now;
  now.which = __ldcg(&view.control->which);
  now.size = clamped(view, __ldcg(&view.control->size[now.which]));
  now.pending = __ldcg(&view.control->pending);
  device::grid_barrier();  // all have read what levels change
  while (now.size != 0 || now.pending != 0) {
    if constexpr (View::kContracts) {
      if (is_deep(view, now, patience)) {
        now = contract(view, room, now, tally);
        patience *= 2;
        continue;
      }
    }
    Step& announced = view.control->step[phase];
    phase ^= 1;
    if (now.size != 0 && now.size <= kNarrow) {
      if (blockIdx.x == 0) {
        now = walk_narrow(view, room, now, patience, tally);
        if (speaks) {
          announced = now;
        }
      }
      device::grid_barrier();  // block 0 has spoken
      now = read_step(announced);
      if (now.big == 0) {
        continue;
      }
    } else {
      if (now.size != 0) {
        read_frontier(view, room, now.which, now.size, tally);
      } else {
        read_overflow(view, room, now.which ^ 1, tally);
      }
      device::grid_barrier();  // the level's pushes are done, but for big objects
      now.big = __ldcg(&view.control->big);
    }
    if (now.big != 0) {
      read_big(view, room, now.which ^ 1, tally);
      device::grid_barrier();  // and those
    }
    if (speaks) {
      announced = finish_level(view, now.which);
    }
    device::grid_barrier();  // the next step is announced
    now = read_step(announced);
  }
  report(view, tally);
}

}  // namespace tenure::kernels
