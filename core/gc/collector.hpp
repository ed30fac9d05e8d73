// Collections as lists of phases. Who stops the world, and when, is not decided here.
#pragma once

#include <cstdint>
#include <functional>

#include "core/base/check.hpp"
#include "core/base/team.hpp"
#include "core/gc/ageing.hpp"
#include "core/gc/compaction.hpp"
#include "core/gc/cycle.hpp"
#include "core/gc/span_marker.hpp"
#include "core/heap/heap.hpp"
#include "core/model/marker.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

/// threads  stopped world; buffers retired and logs drained before every call
class Collector {
 public:
  /// team     who shares a collection's work; the caller of a collection is its member 0
  Collector(Heap& heap, Marker& marker, Team& team)
      : heap_(heap),
        marker_(&marker),
        team_(team),
        ageing_(heap.options().promotion_age, heap.options().generations) {}

  /// Marks with another from now on, in full collections.
  void use(Marker& marker) { marker_ = &marker; }
  /// The same in cycles; null: the host's own. None is under way.
  void use_in_cycles(Marker* marker) {
    cycle_.use(marker != nullptr ? *marker : static_cast<Marker&>(cycle_marker_));
  }

  /// Evacuates generations 0 to `last`.
  ///
  /// last     not the oldest generation
  CollectionReport collect_young(std::uint32_t last, CollectionTrigger trigger);

  /// Promotes all that lives into the oldest generation, and marks all of that. Afterwards what is
  /// reachable is left, and nothing else; objects that could not move count as reachable.
  /// Then packs the oldest generation, where `how` and the heap's options say so.
  CollectionReport collect_full(CollectionTrigger trigger, Compact how = Compact::kWhenSparse);

  /// Begins a cycle. A young collection has just ended, in the same stop; `prepare_marking` is done.
  void begin_cycle();

  /// Tries to end the cycle. A young collection has just ended, in the same stop.
  ///
  /// out_of_time  asked every few hundred objects; once it says so, the cycle goes on beside mutators
  /// returns      what was freed, added to the young collection's `report`; false: nothing yet
  bool try_end_cycle(CollectionReport& report, const std::function<bool()>& out_of_time);

  /// Has each full collection's marks compared with the serial marker's, as verifying builds do.
  void check_marks() { check_marks_ = true; }

  /// Promotes from `generation` at another age from the next collection on.
  void set_promotion_age(std::uint32_t generation, std::uint32_t age) {
    ageing_.set(generation, age);
    heap_.set_promotion_age(generation, age);
  }

  [[nodiscard]] Cycle& cycle() { return cycle_; }

 private:
  [[nodiscard]] std::vector<ObjectIndex> marking_roots();
  // False: `read_all` ran out of time, and the marking goes on.
  [[nodiscard]] bool settle_afterlife(CollectionReport& report, Marker& marker,
                                      const std::function<bool()>& read_all);
  void settle(CollectionReport& report);
  void learn_ages(std::uint32_t last, const Survivors& survivors);

  Heap& heap_;
  Marker* marker_;  // never null
  ResumableMarker cycle_marker_;
  Cycle cycle_{heap_, cycle_marker_};
  Team& team_;
  Ageing ageing_;
  bool check_marks_ = kVerify;
};

}  // namespace tenure
