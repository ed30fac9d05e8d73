// When an older generation's turn comes. Numbers in, decisions out: no clock, no heap of its own.
#pragma once

#include <array>
#include <cstdint>

#include "core/gc/compaction.hpp"
#include "core/gc/heap_sizing.hpp"
#include "tenure/bytes.hpp"
#include "tenure/per_generation.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

struct TriggerOptions {
  std::uint32_t generations = 3;
  PerGeneration collection_ratio = 0;  // young collections to a turn; 0: no turns
  Bytes nursery;
  Bytes old_start;                // the oldest generation's first limit
  Bytes heap_limit = kUnlimited;  // of all generations
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
  [[nodiscard]] Bytes middle_limit() const { return middle_limit_; }

  /// A cycle that begins, or is under way, is the oldest generation's turn, if that has come.
  void take_turn();

  /// Learns from a stop that was to collect as `verdict` says.
  ///
  /// old_used  bytes in the oldest generation now
  void learn(const Verdict& verdict, const CollectionReport& report, Bytes old_used);

  /// What a collection left of the oldest generation is known by now: the dead do not count any more.
  void learn_settled(Bytes old_used);

  /// How fast the oldest generation fills, and what marking it costs. Before `learn`, in the same stop.
  void learn_rate(const OldCollection& collection) { sizing_.learn(collection); }

  [[nodiscard]] Bytes old_limit() const { return old_limit_; }

 private:
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  [[nodiscard]] std::uint32_t oldest() const { return options_.generations - 1; }
  [[nodiscard]] bool is_due(std::uint32_t generation) const {
    return young_collections_ + 1 >= due_at_[generation];
  }
  [[nodiscard]] std::uint64_t turn_after(std::uint64_t collection, std::uint32_t generation) const;
  [[nodiscard]] bool has_grown(Bytes old_used) const;
  [[nodiscard]] Bytes room(Bytes live) const;

  // The oldest generation's turn waits until a quarter of its room is used up. Why: each turn marks
  // all that lives, so that a large heap at rest would be marked over and over. Source: the
  // long_lived_pending rule of CPython's collector (Modules/gcmodule.c), which found full collections
  // quadratic without it.
  static constexpr std::uint64_t kWorthAPart = 4;

  TriggerOptions options_;
  HeapSizing sizing_;
  std::uint64_t young_collections_ = 0;  // all that took generation 0
  // The young collection that a generation's turn comes with. Why kept: turns come in the ratio that was
  // asked for, however late one was taken.
  std::array<std::uint64_t, kMaxGenerations> due_at_{};
  Bytes old_live_;  // in the oldest generation after its last collection
  Bytes middle_limit_;
  Bytes old_limit_;
};

}  // namespace tenure
