// What came back and was not filed yet. A program that leases the sizes again that it just handed back
// gets the same blocks, without their being joined with neighbours and cut off again in between.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/payload/block.hpp"

namespace tenure {

/// Stacks through `PayloadBlock::link`, one for all sizes that share a place.
///
/// threads  the pool's lock
class RecentReturns {
 public:
  void put(PayloadBlock& block) {
    const std::uint32_t place = place_of(block.size);
    block.link.store(std::exchange(latest_[place], &block), std::memory_order_relaxed);
    used_ |= std::uint64_t{1} << place;
  }

  /// The latest block of its place, if it has just that size and `stream` alone used it; else null,
  /// though there may be one below.
  [[nodiscard]] PayloadBlock* take(std::uint64_t size, StreamId stream) {
    PayloadBlock*& latest = latest_[place_of(size)];
    PayloadBlock* const block = latest;
    if (block == nullptr || block->size != size || !block->uses.is_only_ongoing(stream)) {
      return nullptr;
    }
    latest = block->link.load(std::memory_order_relaxed);
    return block;
  }

  /// Calls `visit(PayloadBlock&)` for all, the latest of a place first, and has none from then on.
  template <class Visit>
  void take_all(Visit visit) {
    for (std::uint64_t used = std::exchange(used_, 0); used != 0; used &= used - 1) {
      PayloadBlock* block =
          std::exchange(latest_[static_cast<std::size_t>(std::countr_zero(used))], nullptr);
      while (block != nullptr) {
        PayloadBlock* const next = block->link.load(std::memory_order_relaxed);
        visit(*block);
        block = next;
      }
    }
  }

 private:
  static constexpr std::uint32_t kPlaces = 64;

  // By multiplication with the golden ratio (Knuth, The Art of Computer Programming 3, 6.4).
  [[nodiscard]] static std::uint32_t place_of(std::uint64_t size) {
    constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15u;
    return static_cast<std::uint32_t>(size / kBlockStep * kGolden >> 58);
  }

  std::array<PayloadBlock*, kPlaces> latest_{};
  std::uint64_t used_ = 0;  // places that may hold a block, as bits
};

}  // namespace tenure
