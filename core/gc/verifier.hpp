// A second look at the heap, by the plainest means: every object is walked, every slot followed,
// every list counted. What is wrong is said in a sentence.
#pragma once

#include <span>

#include "core/heap/heap.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// Checks the invariants of docs/design.md that concern objects, cards, free lists and owners.
///
/// threads  stopped world, buffers retired
/// cost     O(heap), with a bit for each granule in use
/// errors   kBadArgument with the first fault found
[[nodiscard]] Result<void> verify(Heap& heap);

/// Marks once more, by the serial marker and into bits of its own, and compares.
///
/// roots    those of the marking that has just been done
/// threads  stopped world, before the marking is ended
/// errors   kBadArgument with the first object that only one of the two has marked
[[nodiscard]] Result<void> verify_marks(Heap& heap, std::span<const ObjectIndex> roots);

}  // namespace tenure
