// Contraction of deep structures by pointer jumping, for heaps that have few objects a level.
//
// An unmarked object to which one other alone refers hangs on that one: it lives if and only if the
// other does. Of those that refer only unmarked objects count, and the frontier; what was read before
// has handed out its references. A table has what each object hangs on; in each round an object comes
// to hang on what that one hangs on, so a chain of n is gone in log2(n) rounds:
//
//   up     frontier <- a <- b <- c <- d      round 1: b, c on a's, d on b's      round 2: d too
//
// Then levels go over what is left: whoever hangs on a marked object is marked and read.
//
// Invariant: who hangs on a marked object is referred to by what that one reaches, so it lives; and what
// is marked is read, here or later. All else is a matter of speed: who hangs on the wrong one, on garbage
// say, is found as without. So a cell that has no object may hold anything, as nothing alive refers to
// it, and regions that wait to be read again may wait on. Nobody writes the heap meanwhile.
#pragma once

#include <device_words.hpp>

#include "kernels/mark_heap.cuh"
#include "kernels/mark_level.cuh"

namespace tenure::kernels {

inline constexpr std::uint32_t kSlotsPerRegion = kBitsPerRegion;
inline constexpr std::uint32_t kSlotsPerBlock = kGranulesPerBlock / kGranulesPerMark;

/// What a slot of the table has; else one more than the slot of what its object hangs on.
enum Up : std::uint32_t {
  kByItself = 0,    // nobody who counts refers to it
  kRead = ~0u - 1,  // it was marked and read
  kShared = ~0u     // several refer to it
};

__device__ __forceinline__ bool hangs(std::uint32_t up) { return up != kByItself && up < kRead; }

/// Whether chains are to be contracted before the next level.
__device__ __forceinline__ bool is_deep(const MarkView& view, const Step& now,
                                        std::uint32_t patience) {
  return patience != 0 && now.narrow >= patience && now.size != 0 && now.size <= kNarrow &&
         view.types != 0;
}

// A bit for each of a word's regions that hold references: the lower of its two.
__device__ __forceinline__ std::uint32_t with_references(std::uint32_t codes) {
  return codes & ~(codes >> 1) & 0x55555555u;
}

// Only of an object in a region that holds references.
__device__ __forceinline__ std::uint32_t slot_of(const MarkView& view, ObjectIndex object) {
  const std::uint32_t region = region_of(object);
  const std::uint32_t word = region / kCodesPerWord;
  const std::uint32_t before = (1u << (region % kCodesPerWord * 2)) - 1;
  const std::uint32_t rank =
      __ldcg(&view.ranks[word]) +
      static_cast<std::uint32_t>(__popc(with_references(__ldg(&view.codes[word])) & before));
  return rank * kSlotsPerRegion + mark_bit(object) % kSlotsPerRegion;
}

__device__ __forceinline__ bool is_slot_marked(const MarkView& view, std::uint32_t slot) {
  const std::uint32_t region = __ldcg(&view.places[slot / kSlotsPerRegion]);
  const std::uint32_t bit = region * kSlotsPerRegion + slot % kSlotsPerRegion;
  return (__ldcg(&view.heap.marks[bit / 32]) >> (bit % 32) & 1) != 0;
}

/// The places of a block, or of what starts there, that may have an object.
struct Cells {
  std::uint32_t count = 0;
  std::uint32_t granules = 0;  // of each
};

__device__ __forceinline__ Cells cells_of(const MarkView& view, std::uint32_t block) {
  const std::uint32_t region = block / kBlocksPerRegion;
  const auto first = static_cast<ObjectIndex>(first_granule_of_block(block));
  if ((code_of(view, first) & (kCovered | kLeaf)) != kCovered) {
    return {};
  }
  const RegionRow& row = view.heap.regions[region];
  if (row.kind != RegionKind::kBlocks) {
    const bool starts = row.kind == RegionKind::kLargeHead && block % kBlocksPerRegion == 0;
    return {starts ? 1u : 0u, (row.link > 1 ? row.link : 1) * kGranulesPerRegion};
  }
  const BlockRow& cells = view.heap.blocks[block];
  if (cells.kind == BlockKind::kCells) {
    return {kGranulesPerBlock / cells.cell, cells.cell};
  }
  const bool starts = cells.kind == BlockKind::kRunHead;
  return {starts ? 1u : 0u, (cells.link > 1 ? cells.link : 1) * kGranulesPerBlock};
}

// Calls `look(object)` for each place that may have an object, one a thread; null for none. All
// threads of a block call it together.
template <class Look>
__device__ __forceinline__ void for_each_cell(const MarkView& view, Look look) {
  const std::uint32_t blocks = view.regions * kBlocksPerRegion;
  for (std::uint32_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    const Cells cells = cells_of(view, block);
    for (std::uint32_t base = 0; base < cells.count; base += kBlockThreads) {
      const std::uint32_t k = base + threadIdx.x;
      const std::uint32_t place = first_granule_of_block(block) + k * cells.granules;
      look(k < cells.count ? static_cast<ObjectIndex>(place) : ObjectIndex::kNull);
    }
  }
}

// How many references the law has an object read; of a cell without one no more than it has room for.
__device__ __forceinline__ std::uint32_t slots_in(const MarkView& view, ObjectIndex object) {
  const std::uint64_t word = first_word_of(object);
  const auto type = static_cast<std::uint32_t>(ObjectHeader::type_of(view.heap.words[word]));
  if (type >= view.types) {
    return 0;
  }
  const std::uint32_t count = reference_count(view.heap.types[type], view.heap.words[word + 1]);
  const std::uint64_t most = std::uint64_t{2} * (cells_of(view, block_of(object)).granules - 1);
  return count < most ? count : static_cast<std::uint32_t>(most);
}

// Calls `edge(object, child)` for the references of one object a thread, dealt to all threads of the
// block. Big ones are set aside for `read_rest`.
template <class Edge>
__device__ __forceinline__ void deal(const MarkView& view, Tile& tile, ObjectIndex object,
                                     std::uint32_t count, Edge edge) {
  const std::uint32_t total =
      fill_tile(tile, {left_for_tile(view, object, count), static_cast<std::uint32_t>(object)});
  for (std::uint32_t reference = threadIdx.x; reference < total; reference += kBlockThreads) {
    const std::uint32_t owner = owner_of(tile, reference);
    const auto holder = static_cast<ObjectIndex>(tile.from[owner]);
    const ObjectIndex child = reference_at(view.heap, holder, reference - tile.first[owner]);
    if (child != ObjectIndex::kNull) {
      edge(holder, child);
    }
  }
}

template <class Edge>
__device__ __forceinline__ void read_slots(const MarkView& view, ObjectIndex object,
                                           std::uint32_t first, std::uint32_t stride, Edge edge) {
  const std::uint32_t count = slots_in(view, object);
  for (std::uint32_t k = first; k < count; k += stride) {
    if (const ObjectIndex child = reference_at(view.heap, object, k); child != ObjectIndex::kNull) {
      edge(object, child);
    }
  }
}

// The whole grid calls it, after what set objects aside; and `sum_of_grid` before more is set aside.
template <class Edge>
__device__ __forceinline__ void read_rest(const MarkView& view, Edge edge) {
  Control& control = *view.control;
  device::grid_barrier();  // all is read but what was set aside
  if (__ldcg(&control.big) == 0) {
    return;
  }
  const std::uint32_t wide = __ldcg(&control.wide);
  const std::uint32_t huge = __ldcg(&control.huge);
  for (std::uint32_t k = blockIdx.x; k < wide; k += gridDim.x) {
    read_slots(view, entry_at(view.big + k), threadIdx.x, kBlockThreads, edge);
  }
  for (std::uint32_t k = 0; k < huge; ++k) {
    read_slots(view, entry_at(view.big + view.big_entries - 1 - k),
               blockIdx.x * kBlockThreads + threadIdx.x, gridDim.x * kBlockThreads, edge);
  }
  device::grid_barrier();  // and that
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    forget_big(control);
  }
}

// The sum over all threads of the grid, which all call it.
__device__ __forceinline__ std::uint32_t sum_of_grid(const MarkView& view, std::uint32_t value) {
  Control& control = *view.control;
  const std::uint32_t sum = device::warp_sum(value);
  if (threadIdx.x % 32 == 0 && sum != 0) {
    atomicAdd(&control.sum, sum);
  }
  device::grid_barrier();  // all have added
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    control.agreed = __ldcg(&control.sum);
    control.sum = 0;
  }
  device::grid_barrier();  // the sum is announced
  return __ldcg(&control.agreed);
}

// Block 0: numbers the regions that hold references, and has the frontier in the queue that is not a
// part of the table.
__device__ __forceinline__ void number_regions(const MarkView& view, Room& room, const Step& now) {
  constexpr std::uint32_t kWords = MarkWorkspace::kCodeWords / kBlockThreads;
  const std::uint32_t first = threadIdx.x * kWords;
  std::uint32_t count = 0;
  for (std::uint32_t k = 0; k < kWords; ++k) {
    count += static_cast<std::uint32_t>(__popc(with_references(view.codes[first + k])));
  }
  const std::uint32_t regions = fill_tile(room.tile, {count, 0});
  std::uint32_t rank = room.tile.first[threadIdx.x];
  for (std::uint32_t k = 0; k < kWords; ++k) {
    view.ranks[first + k] = rank;
    for (std::uint32_t bits = with_references(view.codes[first + k]); bits != 0; bits &= bits - 1) {
      const auto bit = static_cast<std::uint32_t>(__ffs(static_cast<int>(bits)) - 1);
      if (rank < view.table_regions) {
        view.places[rank] = (first + k) * kCodesPerWord + bit / 2;
      }
      ++rank;
    }
  }
  if (now.which != 0 && threadIdx.x < now.size) {
    view.queue_0[threadIdx.x] = view.queue_1[threadIdx.x];
  }
  if (threadIdx.x == 0) {
    Control& control = *view.control;
    control.slots = regions * kSlotsPerRegion;
    control.size[0] = now.size;
    control.size[1] = 0;
    control.which = 0;
  }
}

// Readies the table. Gives the part of this thread in the number of unmarked cells.
__device__ __forceinline__ std::uint32_t clear_table(const MarkView& view) {
  const std::uint32_t blocks = view.regions * kBlocksPerRegion;
  std::uint32_t unmarked = 0;
  for (std::uint32_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    const auto first = static_cast<ObjectIndex>(first_granule_of_block(block));
    if ((code_of(view, first) & (kCovered | kLeaf)) != kCovered) {
      continue;
    }
    const std::uint32_t slot = slot_of(view, first);
    for (std::uint32_t k = threadIdx.x; k < kSlotsPerBlock; k += kBlockThreads) {
      const bool marked = is_slot_marked(view, slot + k);
      __stcg(&view.up[slot + k], marked ? kRead : kByItself);
      unmarked -= marked ? 1 : 0;
    }
    unmarked += threadIdx.x == 0 ? cells_of(view, block).count : 0;  // what is less than 0 adds up
  }
  return unmarked;
}

// Has `child` hang on `holder`, or on nobody where another refers to it too.
__device__ __forceinline__ void hang(const MarkView& view, ObjectIndex holder, ObjectIndex child) {
  if (child == holder || (code_of(view, child) & (kCovered | kLeaf)) != kCovered ||
      is_marked_now(view, child)) {
    return;
  }
  const std::uint32_t mine = slot_of(view, holder) + 1;
  std::uint32_t* const place = &view.up[slot_of(view, child)];
  const std::uint32_t found = atomicCAS(place, static_cast<std::uint32_t>(kByItself), mine);
  if (found != kByItself && found != mine && found != kShared) {
    __stcg(place, static_cast<std::uint32_t>(kShared));
  }
}

// Reads the frontier, and all that is not marked.
__device__ __forceinline__ void hang_all(const MarkView& view, Room& room, std::uint32_t size) {
  const auto edge = [&view](ObjectIndex holder, ObjectIndex child) { hang(view, holder, child); };
  if (blockIdx.x == 0) {
    ObjectIndex object = ObjectIndex::kNull;
    if (threadIdx.x < size) {
      object = entry_at(view.queue_0 + threadIdx.x);
      __stcg(&view.up[slot_of(view, object)], static_cast<std::uint32_t>(kByItself));
    }
    const bool is_there = object != ObjectIndex::kNull;
    deal(view, room.tile, object, is_there ? slots_in(view, object) : 0, edge);
  }
  for_each_cell(view, [&](ObjectIndex object) {
    const bool counts = object != ObjectIndex::kNull && !is_marked_now(view, object);
    deal(view, room.tile, object, counts ? slots_in(view, object) : 0, edge);
  });
  read_rest(view, edge);
}

// One round. In place: what another has moved on already saves a step. Gives whether something moved.
__device__ __forceinline__ bool jump(const MarkView& view, std::uint32_t slots) {
  bool moved = false;
  for (std::uint32_t slot = blockIdx.x * kBlockThreads + threadIdx.x; slot < slots;
       slot += gridDim.x * kBlockThreads) {
    const std::uint32_t up = __ldcg(&view.up[slot]);
    if (!hangs(up)) {
      continue;
    }
    const std::uint32_t next = __ldcg(&view.up[up - 1]);
    if (hangs(next) && next != up) {
      __stcg(&view.up[slot], next);
      moved = true;
    }
  }
  return moved;
}

// One level over what is left: reads whatever is marked, or hangs on what is marked, and was not read.
// Gives how many objects the grid has read.
__device__ __forceinline__ std::uint32_t sweep(const MarkView& view, Room& room, Tally& tally) {
  std::uint32_t read = 0;
  const auto edge = [&](ObjectIndex, ObjectIndex child) {
    tally.references += 1;
    if ((code_of(view, child) & kCovered) != 0) {
      tally.objects += claim(view, child) ? 1 : 0;
    }
  };
  for_each_cell(view, [&](ObjectIndex object) {
    bool is_due = false;
    if (object != ObjectIndex::kNull) {
      std::uint32_t* const place = &view.up[slot_of(view, object)];
      const std::uint32_t up = __ldcg(place);
      is_due = up != kRead &&
               (is_marked_now(view, object) || (hangs(up) && is_slot_marked(view, up - 1)));
      if (is_due) {
        __stcg(place, static_cast<std::uint32_t>(kRead));
        tally.objects += claim(view, object) ? 1 : 0;
        ++read;
      }
    }
    if (__syncthreads_or(is_due ? 1 : 0) != 0) {
      deal(view, room.tile, object, is_due ? slots_in(view, object) : 0, edge);
    }
  });
  read_rest(view, edge);
  return sum_of_grid(view, read);
}

// Queues what is marked and was not read.
__device__ __forceinline__ void queue_rest(const MarkView& view, Room& room) {
  for_each_cell(view, [&](ObjectIndex object) {
    const bool wanted = object != ObjectIndex::kNull && is_marked_now(view, object) &&
                        __ldcg(&view.up[slot_of(view, object)]) != kRead;
    if (__syncthreads_or(wanted ? 1 : 0) != 0) {
      push(view, room.stage, wanted, object, 0);
      flush(view, room.stage, 0);
    }
  });
}

// The whole grid calls it, between two levels. Gives what is left for levels.
__device__ __forceinline__ Step contract(const MarkView& view, Room& room, Step now, Tally& tally) {
  const bool speaks = blockIdx.x == 0 && threadIdx.x == 0;
  Control& control = *view.control;
  if (blockIdx.x == 0) {
    number_regions(view, room, now);
  }
  device::grid_barrier();  // regions have their numbers
  now.which = 0;
  now.narrow = 0;
  const std::uint32_t slots = __ldcg(&control.slots);
  if (slots > view.table_regions * kSlotsPerRegion) {
    return now;
  }
  const std::uint32_t unmarked = sum_of_grid(view, clear_table(view));
  if (unmarked < view.tuning.contract_least) {
    return now;
  }
  hang_all(view, room, now.size);
  std::uint32_t rounds = 0;
  bool moved = true;
  // Why a bound: rings of garbage are never done. No chain is longer than what is not marked.
  for (std::uint32_t reach = 1; moved && reach < unmarked; reach *= 2) {
    moved = sum_of_grid(view, jump(view, slots) ? 1 : 0) != 0;
    ++rounds;
  }
  if (speaks) {
    control.size[0] = 0;
  }
  std::uint32_t levels = 0;
  std::uint32_t read = 0;
  do {
    read = sweep(view, room, tally);
    ++levels;
  } while (read != 0 && std::uint64_t{read} * view.tuning.contract_share >= slots);
  if (read != 0) {
    queue_rest(view, room);
  }
  device::grid_barrier();  // the queue is filled
  now.size = clamped(view, __ldcg(&control.size[0]));
  now.pending = __ldcg(&control.pending);
  if (speaks) {
    MarkCounters& counters = control.counters;
    counters.contractions += 1;
    counters.contracted_rounds += rounds;
    counters.contracted_levels += levels;
    counters.levels += levels;
    counters.queue_peak = now.size > counters.queue_peak ? now.size : counters.queue_peak;
    counters.left = now.size + now.pending;
  }
  device::grid_barrier();  // all have read what levels change
  return now;
}

}  // namespace tenure::kernels
