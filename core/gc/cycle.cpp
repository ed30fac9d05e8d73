#include "core/gc/cycle.hpp"

#include "core/base/check.hpp"
#include "core/heap/card_rescan.hpp"

namespace tenure {

namespace {
constexpr std::uint64_t kCardCost = 4;  // of a card, in objects: about so many lie on one
}  // namespace

void Cycle::begin(std::span<const ObjectIndex> roots) {
  check(!is_under_way(), "a marking was begun while another goes on");
  heap_.begin_marking();
  heap_.cards().keep_rescan(heap_.cage().regions());
  cards_read_ = 0;
  marker_.begin({.heap = heap_.view(), .roots = roots});
}

bool Cycle::advance(std::uint64_t budget) {
  // Why cards last: the longer one waits, the more stores it answers for.
  for (;;) {
    if (!marker_.advance(budget)) {
      return false;
    }
    if (heap_.cards().rescan().cards().empty()) {
      return true;
    }
    for (; budget >= kCardCost && !heap_.cards().rescan().cards().empty(); budget -= kCardCost) {
      read_card();
    }
    if (budget < kCardCost) {
      return false;
    }
  }
}

void Cycle::read_card() {
  const std::uint32_t card = heap_.cards().rescan().take_last();
  ++cards_read_;
  found_.clear();
  for_each_marked_reference_on_card(heap_.view(), heap_.cage().blocks(), card,
                                    [this](ObjectIndex child) { found_.push_back(child); });
  marker_.add(found_);
}

MarkStats Cycle::end() {
  heap_.cards().keep_rescan(nullptr);
  return marker_.complete();
}

void Cycle::abandon() {
  if (is_under_way()) {
    heap_.cards().keep_rescan(nullptr);
    marker_.begin({.heap = heap_.view(), .roots = {}});  // which drops what the one given up holds
    heap_.abandon_marking();
  }
}

}  // namespace tenure
