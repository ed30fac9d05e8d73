// Cards, each once: a bit a card of the cage, and a list.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/bitmap.hpp"

namespace tenure {

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

}  // namespace tenure
