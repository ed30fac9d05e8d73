#include "core/gc/evacuation.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/base/worklist.hpp"
#include "core/gc/card_slots.hpp"
#include "core/gc/evacuation_worker.hpp"
#include "core/gc/header_access.hpp"
#include "core/heap/object_access.hpp"

namespace tenure {

namespace {

// Cards that are looked at before others are called, and how many a worker takes at a time.
constexpr std::size_t kCardsAlone = 4096;
constexpr std::size_t kCardsAtATime = 64;

// Indices [first, end), handed out in pieces to whoever asks.
class Pieces {
 public:
  Pieces(std::size_t first, std::size_t end) : next_(first), end_(end) {}

  /// Calls `work(first, end)` for piece after piece until none is left.
  template <class Work>
  void for_each(Work work) {
    for (;;) {
      const std::size_t first = next_.fetch_add(kCardsAtATime, std::memory_order_relaxed);
      if (first >= end_) {
        return;
      }
      work(first, std::min(end_, first + kCardsAtATime));
    }
  }

 private:
  std::atomic<std::size_t> next_;
  std::size_t end_;
};

class Evacuation {
 public:
  Evacuation(Heap& heap, std::uint32_t last, Promotion promotion, Team& team, Bytes alone)
      : heap_(heap),
        last_(last),
        team_(team),
        alone_(team.size() > 1 ? alone.count() / kGranuleBytes : EvacuationWorker::kNoLimit),
        plan_(heap, promotion) {}

  EvacuationStats run() {
    heap_.young().condemn(last_);
    return move();
  }

  EvacuationStats run(std::span<const std::uint32_t> held) {
    heap_.young().condemn_held(held);
    heap_.young().for_each_region([this](std::uint32_t region) {
      if ((heap_.cage().regions()[region].flags & RegionRow::kCondemned) == 0) {
        visit_region(region);
      }
    });
    return move();
  }

 private:
  EvacuationStats move() {
    look_at_cards();
    heap_.roots().for_each([this](ObjectIndex& root) { first_.visit<Alone>(root); });
    const Reach reach(*this);
    if (plan_.promotion == Promotion::kAllToOldest) {
      // The marking that follows decides about them, and about what they alone lead to.
      heap_.afterlife().keep_finalizable(last_, reach);
    }
    stats_.afterlife = heap_.afterlife().settle(0, last_, reach);
    settle_owners();
    finish();
    return stats_;
  }

  // What the afterlife asks of a copying collection.
  class Reach {
   public:
    explicit Reach(Evacuation& evacuation) : evacuation_(evacuation) {}
    [[nodiscard]] bool covers(ObjectIndex object) const { return evacuation_.covers(object); }
    [[nodiscard]] bool reached(ObjectIndex& object) const { return survives(object); }
    void keep(ObjectIndex& object) { evacuation_.first_.visit<Alone>(object); }
    bool read() {
      evacuation_.move_all();
      return true;
    }

   private:
    Evacuation& evacuation_;
  };

  void visit_region(std::uint32_t region) {
    const std::uint32_t first = first_granule_of_region(region);
    const std::uint32_t top = first + heap_.cage().regions()[region].top;
    for (std::uint32_t at = first; at < top; at += detail::header_of(object_on(at)).size) {
      const ObjectHeader header = detail::header_of(object_on(at));
      const TypeRow& type = plan_.types[static_cast<std::uint32_t>(header.type())];
      ObjectIndex* const slots = slots_of(object_on(at));
      for (std::uint32_t k = 0; k < reference_count(type, header.size); ++k) {
        first_.visit<Alone>(slots[k]);
      }
    }
  }

  // How far ahead of a card being visited the targets of another are fetched; and of one being looked
  // at, the memory of another, which is eight lines.
  static constexpr std::size_t kCardsAhead = 4;
  static constexpr std::size_t kLooksAhead = 3;
  static constexpr std::uint64_t kMostGranules = kCageGranules;  // more than there are to move

  void look_at_cards() {
    const std::vector<std::uint32_t> cards = heap_.cards().remembered().take_all();
    stats_.cards_scanned = cards.size();
    for (const std::uint32_t card : cards) {
      heap_.cards().written().add(card);  // its slots follow what they name
    }
    if (cards.size() <= kCardsAlone || team_.size() == 1) {
      look_at(cards, cards_);
      return;
    }
    std::vector<std::vector<CardSlots>> found(team_.size());
    Pieces pieces(0, cards.size());
    team_.run([&](std::uint32_t member) {
      pieces.for_each([&](std::size_t first, std::size_t end) {
        look_at({&cards[first], end - first}, found[member]);
      });
    });
    for (const std::vector<CardSlots>& part : found) {
      cards_.insert(cards_.end(), part.begin(), part.end());
    }
  }
  void look_at(std::span<const std::uint32_t> cards, std::vector<CardSlots>& found) {
    for (std::size_t k = 0; k < cards.size(); ++k) {
      if (k + kLooksAhead < cards.size()) {
        fetch_card(heap_.cage(), cards[k + kLooksAhead]);
      }
      if (const CardSlots slots = look_at_card(heap_, cards[k]); slots.matters()) {
        found.push_back(slots);
      }
    }
  }

  // Cards from `end` on are not this worker's: another may be rewriting their slots.
  template <class Access>
  void visit_card(EvacuationWorker& worker, std::size_t k, std::size_t end) {
    if (k + kCardsAhead < end) {
      worker.fetch(cards_[k + kCardsAhead]);
    }
    worker.visit<Access>(cards_[k]);
  }

  // Moves what is known to live so far, and all that it leads to. May be called again.
  void move_all() {
    if (!move_alone(first_.granules_moved() + std::min(alone_, kMostGranules))) {
      move_together();
    }
  }

  // True: all is done. False: so much that it pays to call the others.
  bool move_alone(std::uint64_t limit) {
    for (; next_card_ < cards_.size(); ++next_card_) {
      if (first_.granules_moved() >= limit) {
        return false;
      }
      visit_card<Alone>(first_, next_card_, cards_.size());
    }
    first_.drain_alone(limit);
    return !first_.has_unread();
  }

  void move_together() {
    while (others_.size() + 1 < team_.size()) {
      others_.push_back(std::make_unique<EvacuationWorker>(plan_));
    }
    stats_.workers = team_.size();
    Worklists<Unread> lists(team_.size());
    first_.hand_over(lists, 0);
    Pieces pieces(std::exchange(next_card_, cards_.size()), cards_.size());
    team_.run([&](std::uint32_t member) {
      EvacuationWorker& worker = member == 0 ? first_ : *others_[member - 1];
      pieces.for_each([&](std::size_t first, std::size_t end) {
        for (std::size_t k = first; k < end; ++k) {
          visit_card<Together>(worker, k, end);
        }
      });
      worker.drain_together(lists, member);
    });
  }

  void settle_owners() {
    // Why from above: an owner that goes up must not be looked at again.
    for (std::uint32_t generation = last_ + 1; generation-- > 0;) {
      const Retired part = heap_.owners().settle(
          generation, [this](ObjectIndex& owner) { return !covers(owner) || survives(owner); },
          [this](ObjectIndex owner) { return heap_.generation_of(owner); });
      stats_.retired.payloads += part.payloads;
      stats_.retired.bytes += part.bytes;
      heap_.samples().settle(
          generation, [this](ObjectIndex& object) { return !covers(object) || survives(object); },
          [this](ObjectIndex object) { return heap_.generation_of(object); });
    }
  }

  [[nodiscard]] bool covers(ObjectIndex object) const {
    return (heap_.row(object).flags & RegionRow::kCondemned) != 0;
  }

  // Whether a condemned object lives; rewritten if it moved.
  static bool survives(ObjectIndex& object) {
    const ObjectHeader header = detail::header_of(object);
    if (header.has(ObjectFlag::kForwarded)) {
      object = object_on(header.size);
      return true;
    }
    return header.has(ObjectFlag::kStays);
  }

  void finish() {
    first_.finish(stats_);
    for (const std::unique_ptr<EvacuationWorker>& worker : others_) {
      worker->finish(stats_);
    }
    heap_.young().finish([this](std::uint32_t region) { clean_held(region); });
  }

  // A region with an object that stayed is walkable again: what is dead or moved becomes filler.
  void clean_held(std::uint32_t region) {
    const std::uint32_t first = first_granule_of_region(region);
    const std::uint32_t top = first + heap_.cage().regions()[region].top;
    for (std::uint32_t at = first; at < top;) {
      ObjectHeader& header = detail::header_of(object_on(at));
      const bool moved = header.has(ObjectFlag::kForwarded);
      const std::uint32_t granules =
          moved ? detail::header_of(object_on(header.size)).size : header.size;
      if (header.has(ObjectFlag::kStays)) {
        header.meta &= ~static_cast<std::uint32_t>(ObjectFlag::kStays);
      } else {
        write_filler(at, granules);
      }
      at += granules;
    }
  }

  Heap& heap_;
  std::uint32_t last_;
  Team& team_;
  std::uint64_t alone_;  // granules that are moved before others are called
  EvacuationPlan plan_;
  EvacuationWorker first_{plan_};
  std::vector<std::unique_ptr<EvacuationWorker>> others_;  // made when they are called
  std::vector<CardSlots> cards_;                           // remembered ones that matter
  std::size_t next_card_ = 0;                              // of cards_, not visited yet
  EvacuationStats stats_;
};

}  // namespace

EvacuationStats evacuate(Heap& heap, std::uint32_t last, Promotion promotion, Team& team,
                         Bytes alone) {
  return Evacuation(heap, last, promotion, team, alone).run();
}

EvacuationStats evacuate_held(Heap& heap, std::span<const std::uint32_t> regions, Team& team) {
  return Evacuation(heap, heap.oldest() - 1, Promotion::kAllToOldest, team, kMovedAlone)
      .run(regions);
}

}  // namespace tenure
