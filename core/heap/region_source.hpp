// Where a heap's spaces get their regions: the cage, within the heap's limit.
//
// Invariant: regions taken and not given back never pass the limit, but in a stop by those lent.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "core/memory/cage.hpp"
#include "core/model/region.hpp"

namespace tenure {

/// threads  anyone
class RegionSource {
 public:
  /// limit   in regions
  RegionSource(Cage& cage, HeapId heap, std::uint32_t limit)
      : cage_(cage), heap_(heap), limit_(limit) {}

  /// Takes a run, or none where the limit or the cage stands in the way.
  [[nodiscard]] std::optional<RegionRun> take(std::uint32_t count, RegionRow row) {
    if (!count_in(count)) {
      return std::nullopt;
    }
    row.heap = heap_;
    std::optional<RegionRun> run = cage_.take(count, row);
    if (!run) {
      count_out(count);
    }
    return run;
  }

  void give_back(const RegionRun& run) {
    cage_.give_back(run);
    count_out(run.count);
  }

  /// Counts regions that were got by other ways, as the nursery's are.
  [[nodiscard]] bool count_in(std::uint32_t count) {
    std::uint32_t used = used_.load(std::memory_order_relaxed);
    do {
      if (std::uint64_t{used} + count > std::uint64_t{limit_} + lent_) {
        return false;
      }
      // Why relaxed: the count guards no data, the cage's lock does.
    } while (!used_.compare_exchange_weak(used, used + count, std::memory_order_relaxed));
    return true;
  }
  void count_out(std::uint32_t count) { used_.fetch_sub(count, std::memory_order_relaxed); }

  /// Lets the limit be passed by so many regions, until another number is said. In a stop that gives
  /// as many back before it ends.
  void lend(std::uint32_t count) { lent_ = count; }

  [[nodiscard]] std::uint32_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t limit() const { return limit_; }
  [[nodiscard]] Cage& cage() const { return cage_; }
  [[nodiscard]] HeapId heap() const { return heap_; }

 private:
  Cage& cage_;
  HeapId heap_;
  std::uint32_t limit_;
  std::uint32_t lent_ = 0;  // written in stops
  std::atomic<std::uint32_t> used_{0};
};

}  // namespace tenure
