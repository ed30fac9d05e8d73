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

#include "core/base/bitmap.hpp"
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

/// Cards, each once. Walked in the order in which they came.
///
/// threads  stopped world
class CardSet {
 public:
  CardSet();

  void add(std::uint32_t card) {
    if (!test_bit(bits_.get(), card)) {
      set_bit(bits_.get(), card);
      cards_.push_back(card);
    }
  }
  /// Adds a card to the bits alone. True for one of those who do so at once; it lists the card.
  /// Threads: the workers of a collection.
  [[nodiscard]] bool claim(std::uint32_t card) {
    const std::atomic_ref word(bits_[card / kBitsPerWord]);
    const std::uint32_t bit = 1u << (card % kBitsPerWord);
    // Why a load first: most cards are added many times. Why relaxed: the bit guards no data.
    return (word.load(std::memory_order_relaxed) & bit) == 0 &&
           (word.fetch_or(bit, std::memory_order_relaxed) & bit) == 0;
  }
  void list(const std::vector<std::uint32_t>& claimed) {
    cards_.insert(cards_.end(), claimed.begin(), claimed.end());
  }

  /// Fetches what `add` will write.
  void fetch(std::uint32_t card) const { __builtin_prefetch(&bits_[card / kBitsPerWord], 1); }

  [[nodiscard]] bool has(std::uint32_t card) const { return test_bit(bits_.get(), card); }
  [[nodiscard]] const std::vector<std::uint32_t>& cards() const { return cards_; }

  /// Takes the card that came last out of a set that has one.
  std::uint32_t take_last();

  /// Takes all cards out, for the caller to add back those that stay.
  [[nodiscard]] std::vector<std::uint32_t> take_all();

 private:
  struct Free {
    void operator()(std::uint32_t* bits) const;
  };
  std::unique_ptr<std::uint32_t[], Free> bits_;  // [2^26 bits], touched where cards are
  std::vector<std::uint32_t> cards_;
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
  const RegionRow* marked_ = nullptr;  // while a marking goes on
};

}  // namespace tenure
