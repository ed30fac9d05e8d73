// Best fit over segments that a model takes from its device whole: what the caching allocators of
// PyTorch and CuPy share.
#pragma once

#include <cstdint>
#include <set>

#include "core/policy/budget.hpp"
#include "core/policy/chain.hpp"

namespace tenure {

class SegmentArena {
 public:
  /// keep   a free stretch is cut where at least so many bytes are left over; else it is taken whole
  SegmentArena(Budget& budget, std::uint64_t keep) : budget_(budget), keep_(keep) {}
  SegmentArena(const SegmentArena&) = delete;
  SegmentArena& operator=(const SegmentArena&) = delete;

  /// The smallest free stretch that is large enough, the lowest of its size; null where there is none.
  [[nodiscard]] Stretch* take(std::uint64_t bytes);

  /// Takes from a fresh segment. Null where the device has no room for it.
  [[nodiscard]] Stretch* take_fresh(std::uint64_t bytes, std::uint64_t segment_bytes);

  /// Takes a stretch back, joined with what is free beside it.
  void give(Stretch* stretch);

  /// Gives the segments back to the device in which nothing is used.
  void release_idle();

 private:
  [[nodiscard]] Stretch* use(Stretch* stretch, std::uint64_t bytes);

  Budget& budget_;
  const std::uint64_t keep_;
  Chain chain_;
  std::set<Stretch*, BySize> free_;
  std::uint64_t next_address_ = 0;
};

}  // namespace tenure
