// What is left where an evacuation found no room: regions held back for a few objects each. Emptied the
// sparsest first, as many at a time as there is room for, each round's regions being room for the next.
//
// Why not all at once: survivors come in the order in which they are reached, so that with too little
// room every region keeps some of its own, and none goes back.
#pragma once

#include "core/base/team.hpp"
#include "core/gc/evacuation.hpp"
#include "core/heap/heap.hpp"

namespace tenure {

/// Moves what lives in held regions into the oldest generation, and gives the regions back. Regions with
/// a pinned object stay as they are. A full collection has just ended, in the same stop.
///
/// To begin with, the heap's limit may be passed by a 64th, a region at least; it holds again at the end.
///
/// returns  what moved; nothing where no region was held, or what they hold would fill as many again
/// cost     rounds of O(bytes of all young regions in use + remembered cards)
EvacuationStats empty_held_regions(Heap& heap, Team& team);

}  // namespace tenure
