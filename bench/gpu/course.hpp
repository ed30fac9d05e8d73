// One heap, marked in turn by the host, by a device with a copy of the heap, and by a device with a
// snapshot of its edges.
#pragma once

#include "bench/gpu/checked_heap.hpp"
#include "core/base/team.hpp"

namespace tenure::bench {

/// Milliseconds that the heap's copy took, to be held against its rival's.
struct MirrorFigures {
  double first = 0;         // all of the heap shipped, marked, the bits home
  double after_writes = 0;  // the same where a hundredth of the cards was written
  double resident = 0;      // where nothing was
  double first_cpu = 0;     // of all cores
  double kernel = 0;  // of the resident one; of a list without contraction, which the rival lacks
};

void measure_host(CheckedHeap& heap, Team& team);
[[nodiscard]] MirrorFigures measure_mirror(CheckedHeap& heap, Team& team);
void measure_cycles(CheckedHeap& heap, Team& team);
/// Ends with what the two took beside each other.
void measure_snapshot(CheckedHeap& heap, Team& team, const MirrorFigures& mirror);

}  // namespace tenure::bench
