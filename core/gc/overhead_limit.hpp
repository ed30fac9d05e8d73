// When to stop trying: a heap so full that full collections take all the time and free next to nothing.
// Without such a limit a program at its heap's limit goes on for hours, at one allocation a collection.
// Numbers in, a verdict out.
#pragma once

#include <cstdint>
#include <string>

#include "tenure/bytes.hpp"

namespace tenure {

/// A full collection that was done for want of room in the heap.
struct VainCollection {
  std::uint64_t ended_ns = 0;
  std::uint64_t stopped_ns = 0;  // all stops so far, this one included
  Bytes freed;                   // of the heap
};

/// Passed once five such collections in a row each freed less than a fiftieth of the heap's limit, and
/// stops took more than 98 % of the time since the one before.
///
/// source  HotSpot's UseGCOverheadLimit has the same two shares and the same count, by default.
class OverheadLimit {
 public:
  explicit OverheadLimit(Bytes heap_limit) : least_freed_(heap_limit / kLeastFreed) {}

  void note(const VainCollection& collection);

  [[nodiscard]] bool is_passed() const { return in_a_row_ >= kInARow; }
  /// "the last 7 full collections took 99.4 % of 1.8 s and freed at most 312 B each"
  [[nodiscard]] std::string describe() const;

 private:
  static constexpr std::uint32_t kInARow = 5;
  static constexpr std::uint64_t kLeastFreed = 50;  // a fiftieth
  static constexpr double kMostStopped = 0.98;

  Bytes least_freed_;
  VainCollection before_;       // the last one
  VainCollection first_began_;  // the one before the first of those in a row
  Bytes most_freed_;            // by one of those
  std::uint32_t in_a_row_ = 0;
};

}  // namespace tenure
