// One marking of the oldest generation spread over time: begun in a stop, advanced beside running
// mutators, ended in a stop once nothing is left to read.
//
// It is incremental update: a store keeps nothing of what it overwrites, and its card is read again.
//
//   note_for_copy, copy_some   for a marker that marks a copy: rounds of what it lacks are noted in
//                stop     stops, and sent while mutators run, until little is left
//   begin        stop     roots, and what young objects refer to
//   advance      running  what those reach; then the cards that drains brought, and what is on them
//   take_news    stop     objects promoted or born old since, after each young collection
//   add, advance stop     roots again; ended when all of it is read before the stop has to be over
//
// Invariant: while a cycle is under way nothing in the oldest generation moves and no cell of it is
// swept; what is allocated there lives until the next.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/heap/heap.hpp"
#include "core/model/marker.hpp"

namespace tenure {

class Cycle {
 public:
  Cycle(Heap& heap, Marker& marker) : heap_(heap), marker_(&marker) {}

  /// Marks with another from now on. Stopped world, none under way.
  void use(Marker& marker) { marker_ = &marker; }
  [[nodiscard]] Marker& marker() { return *marker_; }

  [[nodiscard]] bool is_under_way() const { return heap_.is_marking(); }

  /// Whether a round of `copy_some` is to come before it begins. Stopped world.
  [[nodiscard]] bool note_for_copy();
  /// Sends some of a round; true when all is sent. As `advance`.
  bool copy_some() { return marker_->copy_some(); }

  /// Begins. `prepare_marking` has said that all is ready. Stopped world.
  ///
  /// roots    locals, handles, and what young objects refer to
  void begin(std::span<const ObjectIndex> roots);

  /// Further roots, or objects that were not there when it began. Stopped world.
  void add(std::span<const ObjectIndex> objects) { marker_->add(objects); }

  /// Objects born old since the last stop. Stopped world.
  void take_born() { add(heap_.take_born_while_marking()); }

  /// Reads about `budget` objects or cards more. True when nothing is left that it knows of.
  ///
  /// threads  one caller at a time, who stands still in stops or is the collecting thread
  bool advance(std::uint64_t budget);

  /// Ends the marking; `advance` has just said that nothing is left. Stopped world.
  MarkStats end();

  /// Drops what was done. Stopped world.
  void abandon();

  /// Whether it waits for a device. Who advances it.
  [[nodiscard]] bool is_waiting() const { return marker_->is_waiting(); }

  /// Cards read again since it began.
  [[nodiscard]] std::uint64_t cards_read() const { return cards_read_; }

 private:
  void read_card();
  [[nodiscard]] MarkJob job(std::span<const ObjectIndex> roots);

  Heap& heap_;
  Marker* marker_;                  // never null
  std::vector<ObjectIndex> found_;  // on the card just read
  std::uint64_t cards_read_ = 0;
  bool noted_ = false;  // for a copy, and has not begun
};

}  // namespace tenure
