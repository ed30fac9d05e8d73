// How one level is read: tiles of frontier objects balanced by references, objects too big for a
// tile, and regions whose objects found no room in a queue.
#pragma once

#include <device_words.hpp>

#include "kernels/mark_edge.cuh"
#include "kernels/mark_queue.cuh"

namespace tenure::kernels {

/// A frontier up to this size is walked by one block alone, with its own barriers.
inline constexpr std::uint32_t kNarrow = kBlockThreads;
/// Objects with more references are spread over the whole grid; fewer, over one block. Why: each
/// block looks at each huge object, so there must be few of them.
inline constexpr std::uint32_t kHugeObject = 1u << 16;
static_assert(kHugeObject > kBigObject);

/// One object for each thread, and the running number of their references.
struct Tile {
  std::uint32_t first[kBlockThreads];  // references of the objects before it
  std::uint32_t from[kBlockThreads];   // Opened::from
  std::uint32_t warp_sums[kBlockWarps];
  std::uint32_t taken;  // whether thread 0 took a region
};

/// The shared memory of a block.
struct Room {
  Stage stage;
  Tile tile;
};

template <class View>
__device__ __forceinline__ std::uint32_t clamped(const View& view, std::uint32_t size) {
  return size < view.queue_entries ? size : view.queue_entries;
}

template <class View>
__device__ __forceinline__ std::uint32_t chase_bound(const View& view, std::uint32_t size) {
  return size <= kNarrow ? view.tuning.chase_narrow : view.tuning.chase_wide;
}

// Keeps the object for `read_big`, later in this level. False where the list is full: its tile reads
// it then, which is slower and makes progress.
template <class View>
__device__ __forceinline__ bool set_aside(const View& view, ObjectIndex object,
                                          std::uint32_t count) {
  Control& control = *view.control;
  if (atomicAdd(&control.big, 1u) >= view.big_entries) {
    return false;
  }
  const std::uint32_t place = count > kHugeObject
                                  ? view.big_entries - 1 - atomicAdd(&control.huge, 1u)
                                  : atomicAdd(&control.wide, 1u);
  view.big[place] = static_cast<std::uint32_t>(object);
  return true;
}

// What a tile has to read of an object.
template <class View>
__device__ __forceinline__ std::uint32_t left_for_tile(const View& view, ObjectIndex object,
                                                       std::uint32_t count) {
  return count > kBigObject && set_aside(view, object, count) ? 0 : count;
}

__device__ __forceinline__ std::uint32_t inclusive_scan(std::uint32_t value) {
  const std::uint32_t lane = threadIdx.x % 32;
  for (std::uint32_t distance = 1; distance < 32; distance *= 2) {
    const std::uint32_t other = __shfl_up_sync(~0u, value, distance);
    value += lane >= distance ? other : 0;
  }
  return value;
}

// Lays one object a thread into the tile. Gives the number of the references of all of them.
__device__ __forceinline__ std::uint32_t fill_tile(Tile& tile, Opened opened) {
  const std::uint32_t lane = threadIdx.x % 32;
  const std::uint32_t warp = threadIdx.x / 32;
  std::uint32_t scan = inclusive_scan(opened.count);
  if (lane == 31) {
    tile.warp_sums[warp] = scan;
  }
  __syncthreads();  // the sums are there
  std::uint32_t before = 0;
  std::uint32_t total = 0;
  for (std::uint32_t k = 0; k < kBlockWarps; ++k) {
    before += k < warp ? tile.warp_sums[k] : 0;
    total += tile.warp_sums[k];
  }
  tile.first[threadIdx.x] = before + scan - opened.count;
  tile.from[threadIdx.x] = opened.from;
  __syncthreads();  // the tile is there
  return total;
}

// The last object of the tile whose references begin at `reference` or before.
__device__ __forceinline__ std::uint32_t owner_of(const Tile& tile, std::uint32_t reference) {
  std::uint32_t low = 0;
  for (std::uint32_t width = kBlockThreads / 2; width > 0; width /= 2) {
    low += tile.first[low + width] <= reference ? width : 0;
  }
  return low;
}

// Reads one object a thread; null for none. References are dealt to threads one by one, so that work
// is balanced by them and not by objects. All threads of the block call it, and `flush` after it.
template <class View>
__device__ __forceinline__ void read_tile(const View& view, Room& room, ObjectIndex object,
                                          std::uint32_t out, std::uint32_t bound, Tally& tally) {
  Opened opened = object != ObjectIndex::kNull ? open(view, object) : Opened{};
  opened.count = left_for_tile(view, object, opened.count);
  const std::uint32_t total = fill_tile(room.tile, opened);
  for (std::uint32_t base = 0; base < total; base += kBlockThreads) {
    const std::uint32_t reference = base + threadIdx.x;
    ObjectIndex child = ObjectIndex::kNull;
    if (reference < total) {
      const std::uint32_t owner = owner_of(room.tile, reference);
      child = target_at(view, room.tile.from[owner], reference - room.tile.first[owner]);
    }
    const bool is_reference = child != ObjectIndex::kNull;
    tally.references += is_reference ? 1 : 0;
    const bool wanted = is_reference && visit(view, child, bound, tally);
    push(view, room.stage, wanted, child, out);
  }
}

// The frontier's `size` objects, shared out to the grid by tiles.
template <class View>
__device__ __forceinline__ void read_frontier(const View& view, Room& room, std::uint32_t which,
                                              std::uint32_t size, Tally& tally) {
  const std::uint32_t bound = chase_bound(view, size);
  for (std::uint32_t first = blockIdx.x * kBlockThreads; first < size;
       first += gridDim.x * kBlockThreads) {
    const std::uint32_t place = first + threadIdx.x;
    const ObjectIndex object =
        place < size ? entry_at(queue_of(view, which) + place) : ObjectIndex::kNull;
    read_tile(view, room, object, which ^ 1, bound, tally);
    flush(view, room.stage, which ^ 1);
  }
}

// References `first`, `first + stride`, ... of an object, one a thread.
template <class View>
__device__ __forceinline__ void read_array(const View& view, Room& room, ObjectIndex object,
                                           std::uint32_t base, std::uint32_t stride,
                                           std::uint32_t out, Tally& tally) {
  const Opened opened = open(view, object);
  for (; base < opened.count; base += stride) {
    const std::uint32_t k = base + threadIdx.x;
    ObjectIndex child = k < opened.count ? target_at(view, opened.from, k) : ObjectIndex::kNull;
    const bool is_reference = child != ObjectIndex::kNull;
    tally.references += is_reference ? 1 : 0;
    const bool wanted = is_reference && visit(view, child, view.tuning.chase_wide, tally);
    push(view, room.stage, wanted, child, out);
  }
}

// The objects that the level has set aside. The whole grid calls it.
template <class View>
__device__ __forceinline__ void read_big(const View& view, Room& room, std::uint32_t out,
                                         Tally& tally) {
  const std::uint32_t wide = __ldcg(&view.control->wide);
  const std::uint32_t huge = __ldcg(&view.control->huge);
  for (std::uint32_t k = blockIdx.x; k < wide; k += gridDim.x) {
    read_array(view, room, entry_at(view.big + k), 0, kBlockThreads, out, tally);
    flush(view, room.stage, out);
  }
  for (std::uint32_t k = 0; k < huge; ++k) {
    read_array(view, room, entry_at(view.big + view.big_entries - 1 - k),
               blockIdx.x * kBlockThreads, gridDim.x * kBlockThreads, out, tally);
    flush(view, room.stage, out);
  }
}

// When all of them are read: one thread of the grid.
__device__ __forceinline__ void forget_big(Control& control) {
  control.counters.big_objects += __ldcg(&control.wide) + __ldcg(&control.huge);
  control.big = 0;
  control.wide = 0;
  control.huge = 0;
}

// Thread 0 takes the region's overflow bit, where it is set. Objects deferred from now on set it again.
template <class View>
__device__ __forceinline__ void take_region(const View& view, Tile& tile, std::uint32_t region) {
  const std::uint32_t bit = 1u << (region % 32);
  const bool is_set = (__ldcg(&view.overflow[region / 32]) & bit) != 0;
  if (is_set) {
    atomicAnd(&view.overflow[region / 32], ~bit);
    // Why a fence: the mark bits are to be read after the overflow bit is clear. Else an object that is
    // deferred in between, and finds the bit still set, would be read by nobody.
    __threadfence();
    atomicSub(&view.control->pending, 1u);
    atomicAdd(&view.control->counters.overflow_regions, 1u);
  }
  tile.taken = is_set ? 1 : 0;
}

// Every marked object of the regions whose overflow bit is set. The mark bits name them; those read
// before are read again, and nothing is claimed twice.
template <class View>
__device__ __forceinline__ void read_overflow(const View& view, Room& room, std::uint32_t out,
                                              Tally& tally) {
  constexpr std::uint32_t kWordsPerRegion = kBitsPerRegion / 32;
  for (std::uint32_t region = blockIdx.x; region < view.regions; region += gridDim.x) {
    if (threadIdx.x == 0) {
      take_region(view, room.tile, region);
    }
    __syncthreads();  // thread 0 has looked
    const bool is_taken = room.tile.taken != 0;
    __syncthreads();  // all have read its answer
    for (std::uint32_t k = threadIdx.x; is_taken && k < kWordsPerRegion; k += kBlockThreads) {
      const std::uint32_t word = region * kWordsPerRegion + k;
      std::uint32_t bits = __ldcg(&marks_of(view)[word]);
      while (__syncthreads_or(bits != 0 ? 1 : 0) != 0) {
        ObjectIndex object = ObjectIndex::kNull;
        if (bits != 0) {
          const auto bit = static_cast<std::uint32_t>(__ffs(static_cast<int>(bits)) - 1);
          object = object_of_bit(view, word * 32 + bit);
          bits &= bits - 1;
        }
        read_tile(view, room, object, out, view.tuning.chase_wide, tally);
        flush(view, room.stage, out);
      }
    }
  }
}

// Ends a level, when all its pushes are done and nobody reads its counters: one thread of the grid.
template <class View>
__device__ __forceinline__ Step finish_level(const View& view, std::uint32_t which) {
  Control& control = *view.control;
  Step next;
  next.size = clamped(view, __ldcg(&control.size[which ^ 1]));
  next.which = which ^ 1;
  next.pending = __ldcg(&control.pending);
  control.size[which] = 0;
  // Why not always: where nothing was set aside no barrier lies between those who look and this.
  if (__ldcg(&control.big) != 0) {
    forget_big(control);
  }
  control.which = next.which;
  control.counters.levels += 1;
  control.counters.queue_peak =
      next.size > control.counters.queue_peak ? next.size : control.counters.queue_peak;
  control.counters.left = next.size + next.pending;
  return next;
}

}  // namespace tenure::kernels
