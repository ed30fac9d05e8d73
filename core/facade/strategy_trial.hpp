// What each allocation strategy would make of the holes that a pool has: requests placed in a copy of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tenure/allocation_strategy.hpp"

namespace tenure {

/// A pool's free memory by address, and the rest of it that was never cut.
struct HoleMap {
  struct Hole {
    std::uint64_t at = 0;
    std::uint64_t size = 0;
  };
  std::vector<Hole> holes;
  std::uint64_t uncut = 0;  // taken from where no hole fits
};

/// What came of it, in bytes.
struct TrialOutcome {
  std::uint64_t without_hole = 0;  // of requests that no hole was large enough for
  std::uint64_t largest_left = 0;  // hole

  /// Fewer without a hole; with as many, a larger hole left.
  [[nodiscard]] bool is_better_than(const TrialOutcome& other) const {
    return without_hole != other.without_hole ? without_hole < other.without_hole
                                              : largest_left > other.largest_left;
  }
};

/// Places `requests`, in bytes as they are rounded, one after the other; nothing is handed back.
[[nodiscard]] TrialOutcome try_strategy(AllocationStrategy strategy, HoleMap map,
                                        std::span<const std::uint64_t> requests);

}  // namespace tenure
