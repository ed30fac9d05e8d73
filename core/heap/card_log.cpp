#include "core/heap/card_log.hpp"

#include <cstdlib>
#include <utility>

#include "core/base/check.hpp"
#include "tenure/detail/fast_path.hpp"
#include "tenure/object.hpp"

namespace tenure {

namespace {
constexpr std::uint64_t kCards = kCageGranules / kGranulesPerCard;
}  // namespace

CardSet::CardSet()
    // Why calloc: large blocks come from fresh pages, so that 8 MiB cost nothing until touched.
    : bits_(
          static_cast<std::uint32_t*>(std::calloc(kCards / kBitsPerWord, sizeof(std::uint32_t)))) {
  check(bits_ != nullptr, "no memory for a set of cards");
}

void CardSet::Free::operator()(std::uint32_t* bits) const { std::free(bits); }

std::uint32_t CardSet::take_last() {
  const std::uint32_t card = cards_.back();
  cards_.pop_back();
  clear_bit(bits_.get(), card);
  return card;
}

std::vector<std::uint32_t> CardSet::take_all() {
  for (const std::uint32_t card : cards_) {
    clear_bit(bits_.get(), card);
  }
  return std::exchange(cards_, {});
}

void CardLog::hand_in(std::unique_ptr<CardBuffer> log) {
  const std::scoped_lock lock(mutex_);
  full_.push_back(std::move(log));
}

std::unique_ptr<CardBuffer> CardLog::exchange(std::unique_ptr<CardBuffer> full) {
  const std::scoped_lock lock(mutex_);
  full_.push_back(std::move(full));
  if (empty_.empty()) {
    return std::make_unique<CardBuffer>();
  }
  std::unique_ptr<CardBuffer> fresh = std::move(empty_.back());
  empty_.pop_back();
  return fresh;
}

void CardLog::drain(CardBuffer& open) {
  constexpr std::uint32_t kAhead = 8;  // stores come to cards at random, and each is a cache miss
  for (std::uint32_t k = 0; k < open.count; ++k) {
    if (k + kAhead < open.count) {
      __builtin_prefetch(&detail::cage_cards[open.cards[k + kAhead]], 1);
      remembered_.fetch(open.cards[k + kAhead]);
    }
    const std::uint32_t card = open.cards[k];
    detail::cage_cards[card] = detail::kCardClean;
    deliver(card);
  }
  open.count = 0;
}

void CardLog::drain_full() {
  const std::scoped_lock lock(mutex_);
  for (std::unique_ptr<CardBuffer>& buffer : full_) {
    drain(*buffer);
    empty_.push_back(std::move(buffer));
  }
  full_.clear();
}

}  // namespace tenure
