// Which cards of the oldest generation may have been written since a marker was last told: for markers
// that keep a copy of the heap. It is the third reader of the card log, and hears besides of what the
// barrier does not see: cells handed out, whose objects are made or copied there, slots rewritten
// because their targets moved.
//
// Invariant: while it follows and has not lost count, every word that a marker reads and that changed
// since the last `start_over` lies on a card of `cards()`, or in a block or run handed out since.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/heap/card_set.hpp"
#include "core/model/region.hpp"

namespace tenure {

/// threads  as each function says
class WrittenCards {
 public:
  /// From now on it follows; all counts as written until the next `start_over`. Stopped world, or
  /// before there is a mutator.
  void follow() { follows_ = true; }

  /// A card was written. Stopped world, one at a time.
  void add(std::uint32_t card) {
    if (follows_ && !lost_) {
      cards_.add(card);
    }
  }

  /// Blocks [first, first + count) were handed out: anything may be written there until the next
  /// stop. Anyone.
  void add_blocks(std::uint32_t first, std::uint32_t count) {
    if (follows_ && !lost_) {  // both change in stops alone
      const std::scoped_lock lock(mutex_);
      blocks_.push_back({first, count});
    }
  }

  /// More was written than anybody lists: slots all over the heap. Stopped world.
  void lose_count() { lost_ = true; }

  /// All of them, each once; nothing where that is not known. Valid until the next call. Stopped
  /// world.
  [[nodiscard]] std::optional<std::span<const std::uint32_t>> cards() {
    if (!follows_ || lost_) {
      return std::nullopt;
    }
    for (const Run& run : take_blocks()) {
      const std::uint32_t first = run.first * kCardsPerBlock;
      for (std::uint32_t card = first; card < first + run.count * kCardsPerBlock; ++card) {
        cards_.add(card);
      }
    }
    return cards_.cards();
  }

  /// A marker has taken note of all that was written so far. Stopped world.
  void start_over() {
    (void)take_blocks();
    (void)cards_.take_all();
    lost_ = false;
  }

 private:
  static constexpr std::uint32_t kCardsPerBlock = kGranulesPerBlock / kGranulesPerCard;
  struct Run {
    std::uint32_t first;
    std::uint32_t count;
  };

  [[nodiscard]] std::vector<Run> take_blocks() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(blocks_, {});
  }

  bool follows_ = false;
  bool lost_ = true;  // nobody was told of anything yet
  CardSet cards_;
  std::mutex mutex_;
  std::vector<Run> blocks_;  // handed out; guarded by mutex_
};

}  // namespace tenure
