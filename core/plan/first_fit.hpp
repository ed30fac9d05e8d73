// Places blocks in a given order, each at the lowest offset that is free for its whole life.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/plan/lifetime.hpp"

namespace tenure {

/// Most blocks live shortly and meet few others. So time is cut into 64 slices, 8 and 1, each with a
/// list of the placed blocks that live in it; a block is held against the list of the thinnest slice
/// that its life lies within.
///
/// threads  one
class FirstFit {
 public:
  explicit FirstFit(std::span<const Lifetime> blocks);

  /// order   each block's number once
  [[nodiscard]] Layout place(std::span<const std::uint32_t> order);

  /// Pairs of blocks looked at so far.
  [[nodiscard]] std::uint64_t pairs() const { return pairs_; }

 private:
  // A placed block, and its life as up to two stretches: [begin, end) and [0, turn).
  struct Placed {
    std::uint64_t low;
    std::uint64_t high;
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t turn;
  };
  // By `low`, in chunks, so that putting one in moves few.
  class Slice {
   public:
    void clear() { chunks_.clear(); }
    void put(const Placed& block);
    /// Calls `visit(const Placed&)` from the lowest on until it gives false.
    template <class Visit>
    void visit(Visit visit) const {
      for (const std::vector<Placed>& chunk : chunks_) {
        for (const Placed& block : chunk) {
          if (!visit(block)) return;
        }
      }
    }

   private:
    std::vector<std::vector<Placed>> chunks_;  // none empty
  };

  [[nodiscard]] static Placed stretched(const Lifetime& block);
  [[nodiscard]] const Slice& slice_around(const Placed& block) const;
  void put(const Placed& block);

  std::span<const Lifetime> blocks_;
  std::uint64_t horizon_ = 1;
  std::vector<std::vector<Slice>> levels_;  // thin slices first, the last level is one slice
  std::uint64_t pairs_ = 0;
};

}  // namespace tenure
