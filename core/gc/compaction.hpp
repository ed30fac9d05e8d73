// Packing the oldest generation: the objects of its sparsest blocks move into the holes of others,
// and the emptied blocks go back, with their regions where all of a region is empty.
#pragma once

#include <cstdint>

#include "core/base/team.hpp"
#include "core/heap/heap.hpp"
#include "tenure/bytes.hpp"

namespace tenure {

/// Whether a full collection packs what it leaves.
enum class Compact : std::uint8_t {
  kNever,
  kWhenSparse,  // where fragmentation passes `compact_at`
  kAlways       // wherever a block can be saved
};

struct CompactionStats {
  double fragmentation = 0.0;       // as it was found
  std::uint64_t objects_moved = 0;  // 0: nothing was to be saved, or not enough
  Bytes bytes_moved;
  std::uint64_t blocks_emptied = 0;
};

/// Packs the oldest generation, if `how` and the heap's options say so. Every place that names an
/// object of the heap is rewritten: slots, roots, and what Heap::for_each_outer_slot knows besides.
///
/// Objects leave the sparsest regions, so that whole regions go back, then the sparsest blocks of the
/// regions that stay. They move into holes of their size class and into free blocks; no region is
/// asked for. Blocks with a pinned object are left as they are, and runs too. `compact_most` limits
/// what is moved at a time.
///
/// cost     O(bytes moved) and a look at every slot of the heap
/// errors   none
/// threads  stopped world, no marking under way, dead cells settled; the team shares the rewriting
/// source   opportunistic evacuation of sparse blocks: Blackburn and McKinley, Immix (PLDI 2008)
CompactionStats compact(Heap& heap, Team& team, Compact how);

}  // namespace tenure
