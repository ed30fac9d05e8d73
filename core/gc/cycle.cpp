#include "core/gc/cycle.hpp"

#include "core/base/check.hpp"
#include "core/heap/card_rescan.hpp"
#include "core/model/type_table.hpp"

namespace tenure {

namespace {
constexpr std::uint64_t kCardCost = 4;  // of a card, in objects: about so many lie on one
}  // namespace

void Cycle::begin(std::span<const ObjectIndex> roots) {
  check(!is_under_way(), "a marking was begun while another goes on");
  heap_.begin_marking();
  heap_.cards().keep_rescan(heap_.cage().regions());
  cards_read_ = 0;
  noted_ = false;
  marker_->begin(job(roots));
  if (marker_->keeps_copy()) {
    heap_.cards().written().start_over();
  }
}

bool Cycle::note_for_copy() {
  if (!marker_->keeps_copy()) {
    return false;
  }
  noted_ = true;
  heap_.flush_born_old();  // a mutator may go on writing to a block that was handed out before
  const bool pays = marker_->note_for_copy(job({}));
  heap_.cards().written().start_over();
  return pays;
}

MarkJob Cycle::job(std::span<const ObjectIndex> roots) {
  return {.heap = heap_.view(),
          .roots = roots,
          .types = TypeTable::instance().size(),
          .written = heap_.cards().written().cards()};
}

bool Cycle::advance(std::uint64_t budget) {
  // Why cards last: the longer one waits, the more stores it answers for.
  for (;;) {
    if (!marker_->advance(budget)) {
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
  marker_->add(found_);
}

MarkStats Cycle::end() {
  heap_.cards().keep_rescan(nullptr);
  return marker_->complete();
}

void Cycle::abandon() {
  if (is_under_way()) {
    heap_.cards().keep_rescan(nullptr);
    heap_.abandon_marking();
  } else if (!noted_) {
    return;
  }
  marker_->abandon();
  noted_ = false;
}

}  // namespace tenure
