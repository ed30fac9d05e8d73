// A second look at the heap, by the plainest means: every object is walked, every slot followed,
// every list counted. What is wrong is said in a sentence.
#pragma once

#include "core/heap/heap.hpp"
#include "tenure/result.hpp"

namespace tenure {

/// Checks the invariants of docs/design.md that concern objects, cards, free lists and owners.
///
/// threads  stopped world, buffers retired
/// cost     O(heap), with a bit for each granule in use
/// errors   kBadArgument with the first fault found
[[nodiscard]] Result<void> verify(Heap& heap);

}  // namespace tenure
