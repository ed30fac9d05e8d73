// The one log that the barrier writes: cards on which a reference was stored. Mutators fill logs of
// their own; a drain, in a stop, empties them and gives each card to every reader at work: the
// remembered set always, the re-scan while a marking goes on beside mutators, a device's mirror.
//
//   store in an old object        card bytes             this mutator's log
//   slot at granule p -- p/64 --> [0][0][1][0]..   -->   [17][ 3][90][  ][  ]   --> drain
//                                 0 clean, 1 logged       1,024 card numbers
//
// Invariant: a card byte is 1 exactly if its card is in a log. The readers' sets are their own, so
// that none can take a card from another.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/heap/card_set.hpp"
#include "core/heap/written_cards.hpp"
#include "core/model/region.hpp"

namespace tenure {

/// One mutator's log. Only its mutator adds to it.
struct CardBuffer {
  static constexpr std::uint32_t kCards = 1024;
  std::array<std::uint32_t, kCards> cards;
  std::uint32_t count = 0;

  [[nodiscard]] bool is_full() const { return count == kCards; }
  void add(std::uint32_t card) { cards[count++] = card; }
};

class CardLog {
 public:
  /// Takes a log for the drain, full or not. Anyone.
  void hand_in(std::unique_ptr<CardBuffer> log);
  /// The same, and gives an empty one. Anyone.
  [[nodiscard]] std::unique_ptr<CardBuffer> exchange(std::unique_ptr<CardBuffer> full);

  /// Empties the logs handed in, and `open`, a mutator's own. Stopped world.
  void drain(CardBuffer& open);
  void drain_full();

  /// Gives a card to every reader at work. Stopped world.
  void deliver(std::uint32_t card) {
    remembered_.add(card);
    written_.add(card);
    if (marked_ != nullptr && is_under_marking(card / kCardsPerRegion)) {
      rescan_.add(card);
    }
  }

  /// Cards that may hold a reference to something younger. Stopped world.
  [[nodiscard]] CardSet& remembered() { return remembered_; }
  [[nodiscard]] const CardSet& remembered() const { return remembered_; }

  /// From now on drains also give the cards of regions under marking to `rescan()`; null: no more. Why
  /// no others: a survivors' region may go back in the same stop, and be taken by a mutator while the
  /// marking reads its rows. Stopped world.
  ///
  /// rows     the cage's regions
  void keep_rescan(const RegionRow* rows) {
    marked_ = rows;
    (void)rescan_.take_all();
  }
  /// Cards written since the marking last read them. Filled in stops, emptied by who advances the
  /// marking, who stands still in stops.
  [[nodiscard]] CardSet& rescan() { return rescan_; }

  /// What a marker that keeps a copy has to read again.
  [[nodiscard]] WrittenCards& written() { return written_; }

 private:
  // A run is as its head is.
  [[nodiscard]] bool is_under_marking(std::uint32_t region) const {
    const std::uint32_t back =
        marked_[region].kind == RegionKind::kLargeTail ? marked_[region].link : 0;
    return (marked_[region - back].flags & RegionRow::kMarking) != 0;
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<CardBuffer>> full_;   // guarded by mutex_
  std::vector<std::unique_ptr<CardBuffer>> empty_;  // guarded by mutex_
  CardSet remembered_;
  CardSet rescan_;
  WrittenCards written_;
  const RegionRow* marked_ = nullptr;  // while a marking goes on
};

}  // namespace tenure
