// What follows a death, in its order, in every collection that finds one:
//
//   1  weak maps      values whose keys live are kept, with all that they lead to, until nothing is
//                     new; entries whose keys were not reached go
//   2  weak cells     those whose targets were not reached are null from here on
//   3  finalizers     unreached objects that have one join the queue, and are kept with all that
//                     they lead to
//   4  payloads       of owners that are not reached now go back; that is `Owners`' part
//
// So a finalizer finds its object whole, payloads too, and finds no weak way to what died with it:
// neither by a cell nor by a map. What only a queued object leads to counts as dead in steps 1 and
// 2; in a young collection that means: what is dead of the generations collected.
//
// Invariant: no user's code runs here. Whom a death concerns is told between stops.
#pragma once

#include <cstdint>
#include <memory>

#include "core/heap/ephemerons.hpp"
#include "core/heap/finalizers.hpp"
#include "core/heap/weak_cells.hpp"
#include "core/model/region.hpp"
#include "tenure/object.hpp"

namespace tenure {

/// What one collection did here.
struct AfterlifeReport {
  bool is_complete = true;  // false: time ran out, and it is to be done again
  std::uint64_t weak_cleared = 0;
  std::uint64_t map_entries_dropped = 0;
  std::uint64_t finalizers_queued = 0;
};

class Afterlife {
 public:
  explicit Afterlife(const RegionRow* regions)
      : weak_(WeakTable::make(regions)),
        ephemerons_(std::make_shared<EphemeronTable>(regions)),
        finalizers_(regions) {}

  Afterlife(const Afterlife&) = delete;
  Afterlife& operator=(const Afterlife&) = delete;
  ~Afterlife() { clear_all(); }

  /// Nulls every weak cell and empties every weak map: the heap ends.
  void clear_all() {
    weak_->clear_all();
    ephemerons_->clear_all();
  }

  [[nodiscard]] WeakTable& weak() { return *weak_; }
  [[nodiscard]] const std::shared_ptr<EphemeronTable>& ephemerons() { return ephemerons_; }
  [[nodiscard]] Finalizers& finalizers() { return finalizers_; }

  /// Does steps 1 to 3 for generations `first` to `last`. All that roots lead to was kept, and need
  /// not have been read. Stopped world.
  ///
  /// reach    what the collection knows, and does:
  ///            bool covers(ObjectIndex)     whether it decides about the object at all
  ///            bool reached(ObjectIndex&)   whether one that it covers lives; rewritten if it moved
  ///            void keep(ObjectIndex&)      has one that it covers live; rewritten if it moves
  ///            bool read()                  reads all that was kept and what that leads to; false:
  ///                                         there is no time for that, and settling is given up
  template <class Reach>
  AfterlifeReport settle(std::uint32_t first, std::uint32_t last, Reach reach) {
    AfterlifeReport report;
    const EphemeronTable::Lock held = ephemerons_->lock();
    // Why from 0: an entry is listed by the younger of its two, and the other one may be covered.
    if (!ephemerons_->keep_values(held, last, reach)) {
      report.is_complete = false;
      return report;
    }
    report.map_entries_dropped = ephemerons_->settle(held, last, reach);
    // Why from above: what goes up must not be looked at again.
    for (std::uint32_t generation = last + 1; generation-- > first;) {
      report.weak_cleared += weak_->settle(generation, reach);
    }
    for (std::uint32_t generation = last + 1; generation-- > first;) {
      report.finalizers_queued += finalizers_.settle(generation, reach);
    }
    // Why this may be given up, too: what was queued is a root from now on.
    report.is_complete = reach.read();
    finalizers_.settle_spent(report.is_complete, reach);
    return report;
  }

  /// Has all objects of generations 0 to `last` kept that have a finalizer. For the first phase of a
  /// collection whose second decides about them, in the order above.
  template <class Reach>
  void keep_finalizable(std::uint32_t last, Reach reach) {
    for (std::uint32_t generation = 0; generation <= last; ++generation) {
      finalizers_.keep(generation, reach);
    }
  }

  /// Calls `visit(ObjectIndex&)` for each object named here that is no root, and lets it be
  /// rewritten: for a compaction, which moves what lives. Its generation stays the same.
  template <class Visit>
  void for_each_object(Visit visit) {
    weak_->for_each_target(visit);
    ephemerons_->for_each_object(visit);
    finalizers_.for_each_row(visit);
  }

 private:
  WeakTable::Owner weak_;
  std::shared_ptr<EphemeronTable> ephemerons_;  // weak maps hold it too
  Finalizers finalizers_;
};

}  // namespace tenure
