// Collections as lists of phases. Who stops the world, and when, is not decided here.
#pragma once

#include <cstdint>

#include "core/base/team.hpp"
#include "core/heap/heap.hpp"
#include "core/model/marker.hpp"
#include "tenure/statistics.hpp"

namespace tenure {

/// threads  stopped world; buffers retired and logs drained before every call
class Collector {
 public:
  /// team     who shares a collection's work; the caller of a collection is its member 0
  Collector(Heap& heap, Marker& marker, Team& team) : heap_(heap), marker_(marker), team_(team) {}

  /// Evacuates generations 0 to `last`.
  ///
  /// last     not the oldest generation
  CollectionReport collect_young(std::uint32_t last, CollectionTrigger trigger);

  /// Promotes all that lives into the oldest generation, and marks all of that. Afterwards what is
  /// reachable is left, and nothing else; objects that could not move count as reachable.
  CollectionReport collect_full(CollectionTrigger trigger);

 private:
  [[nodiscard]] std::vector<ObjectIndex> marking_roots();

  Heap& heap_;
  Marker& marker_;
  Team& team_;
};

}  // namespace tenure
