// Offline dynamic storage allocation: from lifetimes to a layout that is as low as can be found.
//
// The problem is NP-complete, so that two ways are tried. Blocks are placed one by one, each at the
// lowest offset that is free for its whole life, in several orders; then those that stick out come
// earlier in the next order, again and again. Small problems that are still not at their bound are
// searched (core/plan/packing_search).
//
// Source: first fit over an order by size: Garey and Johnson, SR2, and its use in TensorFlow Lite's
// planner; coming earlier: squeaky wheel optimization (Joslin and Clements, JAIR 10, 1999).
#pragma once

#include <cstdint>
#include <span>

#include "core/plan/lifetime.hpp"

namespace tenure {

struct PackingEffort {
  /// Pairs of blocks to be looked at in placing, at the most: some 6 ns each (2-core x86-64).
  std::uint64_t pairs = 150'000'000;
  /// Steps of the search, where it is tried at all. A step takes about 10 us for 300 blocks.
  std::uint64_t steps = 20'000;
};

/// The lowest layout found. The same blocks and effort always give the same one.
///
/// blocks   lives may go round
/// cost     as the effort says, and three passes at the most beyond it: 30 ms each for 10,000 blocks
[[nodiscard]] Layout pack(std::span<const Lifetime> blocks, const PackingEffort& effort = {});

}  // namespace tenure
