// When an older generation's turn comes. Numbers in, decisions out: no clock, no heap of its own.
#pragma once

#include <array>
#include <cstdint>

#include "core/gc/compaction.hpp"
#include "tenure/bytes.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

struct TriggerOptions {
  std::uint32_t generations = 3;
  Bytes nursery;
  Bytes old_start;  // the oldest generation's first limit
};

/// What a collection is to take, and why.
struct Verdict {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};  // a stop for a cycle's sake alone

  std::uint32_t last = 0;  // generations 0 to this one; the oldest: a full collection
  CollectionTrigger trigger = CollectionTrigger::kAllocationPressure;
  Compact compact = Compact::kWhenSparse;
};

/// threads  stopped world, or under the conductor's lock
class Trigger {
 public:
  explicit Trigger(const TriggerOptions& options);

  /// How far up to collect when the nursery is full.
  ///
  /// used     bytes by generation
  [[nodiscard]] Verdict judge(const std::array<Bytes, kMaxGenerations>& used) const;

  /// The same without the oldest generation, whose turn is seen to elsewhere.
  [[nodiscard]] Verdict judge_young(const std::array<Bytes, kMaxGenerations>& used) const;

  /// What a middle generation may hold before it is collected: the nursery's size until told.
  void limit_middle(Bytes limit) { middle_limit_ = limit; }

  /// Learns from a collection that ended.
  ///
  /// old_used  bytes in the oldest generation now
  void learn(const CollectionReport& report, Bytes old_used);

  [[nodiscard]] Bytes old_limit() const { return old_limit_; }

 private:
  // A middle generation is collected with every n-th young collection: 10, then by factors of 5.
  // Source: the ratios 1, 10, 50 that users of the predecessor were promised.
  [[nodiscard]] static std::uint64_t ratio_of(std::uint32_t generation);

  // The oldest generation may double before it is collected again: half of the marking's work is
  // then paid by garbage. Source: the classic bound of two for mark-sweep, Jones et al. 2011.
  static constexpr std::uint64_t kGrowth = 2;

  TriggerOptions options_;
  std::uint64_t young_collections_ = 0;
  Bytes middle_limit_;
  Bytes old_limit_;
};

}  // namespace tenure
